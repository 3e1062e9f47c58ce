"""Rotation: the accepted packets in one file after another, with the rules and file names of tcpdump."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import repeat

from .._record import Record
from .._typing import Annotated, Any, Final, Self
from .._validators import instance_of, optional, within
from ..capture.base import SECOND, RecordWriter, has_packet
from ..capture.compression_kinds import compression_suffix
from ..capture.output import Output
from ..capture.reader import CaptureReader
from ..capture.source_stream import Source
from ..errors import CaptureError, FieldError
from .python_run import AcceptedRecords
from .run import Sink
from .targets import TargetChoice, open_new_target

OpenFile = Callable[[str], AbstractContextManager[list[Output]]]
"""Opens the file of a name; it appears when the context ends."""


class Rotation(Record):
    """The rules by which `filter_capture` begins another file: those of tcpdump's options -C, -G and -W.

    Args:
        size: Begin another file before a packet if the current file has more bytes than this (-C), 1 to 2**63 - 1. The
            bytes are counted before compression.
        files: The number of files (-W), 1 to 2**31 - 1. With *size*, the numbers in the names begin at 0 again after
            this number of files, and replace the earlier ones. With *seconds* alone, the run ends when this number of
            files is complete.
        seconds: Begin another file with the first packet whose time is this number of whole seconds or more after the
            beginning of the current file (-G), 1 to 2**31 - 1. The first file begins at the time of the first packet of
            the sources, and each other file at that of its first packet.

    Raises:
        FieldError: A number is out of range, or neither *size* nor *seconds* is given.

    >>> Rotation(size=1_000_000, files=12).file_name("out.pcap", number=3)
    'out.pcap03'
    >>> Rotation(size=1_000_000).file_name("out.pcap.zst", number=3)
    'out.pcap3.zst'
    """

    size: Annotated[int | None, optional(within(1, 2**63 - 1, "a number of bytes"))] = None
    files: Annotated[int | None, optional(within(1, 2**31 - 1, "a number of files"))] = None
    seconds: Annotated[int | None, optional(within(1, 2**31 - 1, "a number of seconds"))] = None

    def __post_init__(self) -> None:
        if self.size is None and self.seconds is None:
            raise FieldError("Rotation: requires size or seconds")

    @property
    def replaces_files(self) -> bool:
        """Whether the numbers of files repeat, so that later files replace earlier ones."""
        return self.size is not None and self.files is not None

    def file_name(self, pattern: str, *, number: int = 0, start: int = 0) -> str:
        """Return the name of a file.

        Args:
            pattern: The name of the target. With *seconds*, it is a format for strftime(3), in local time.
            number: The number of the file, counted from 0, since the last rotation by time. The name has it before the
                suffix of a compression; without *files*, the first file has none.
            start: The beginning of the file, in seconds since 1970.

        Returns:
            The name.

        Raises:
            CaptureError: The local time is not known for *start*.
        """
        suffix = compression_suffix(pattern)
        stem = pattern.removesuffix(suffix)
        if self.seconds is not None:
            try:
                stem = time.strftime(stem, time.localtime(start))
            except (OverflowError, OSError, ValueError):
                raise CaptureError(f"{pattern}: the local time is not known for {start} seconds since 1970") from None
        digits = len(str(self.files - 1)) if self.files is not None and self.files > 1 else 0
        is_numbered = self.size is not None and (number or digits)
        return f"{stem}{number:0{digits}}{suffix}" if is_numbered else stem + suffix


@contextmanager
def rotating_sink(
    writer: RecordWriter,
    rotation: Rotation,
    choice: TargetChoice,
    sources: Sequence[Source],
    readers: Sequence[CaptureReader],
) -> Iterator["RotatingSink"]:
    """Open the sink of a rotated target, whose path `rotated_path` returned."""

    def open_file(name: str) -> AbstractContextManager[list[Output]]:
        return open_new_target(choice._replace(target=name), sources)

    with RotatingOutput(open_file) as output:
        yield RotatingSink(writer, output, rotation, choice.target, readers)


def rotated_path(target: Any, rotation: Rotation) -> str:
    """Return the path of a rotated target; raise `FieldError` if *rotation* is none, or not one for this target."""
    instance_of(Rotation)("filter_capture.rotation", rotation)
    if not isinstance(target, str | os.PathLike) or os.fspath(target) in ("", "-"):
        raise FieldError("filter_capture.target: a rotation requires a path")
    path = os.fsdecode(target)
    if os.path.exists(path) and not os.path.isfile(path):
        raise FieldError(f"filter_capture.target: {path!r} is not a regular file, and a rotation writes only those")
    if rotation.seconds is not None and "%" not in path:
        fact = "is not a time format, so each file would replace the one before"
        raise FieldError(f"filter_capture.target: {path!r} {fact}; example: out-%Y%m%d-%H%M%S.pcap")
    return path


class RotatingOutput(Output):
    """An output to one file after another; each appears when the next is opened, the last when the context ends."""

    def __init__(self, open_file: OpenFile) -> None:
        super().__init__("", self._write_current, None)
        self.size = 0  # of the current file, before compression
        self._open_file = open_file
        self._files = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._files.__exit__(*exception)

    def open_next(self, name: str) -> None:
        """Complete the current file, and open another."""
        self._files.close()
        (self._current,) = self._files.enter_context(self._open_file(name))
        self.size = 0

    def _write_current(self, data: bytes) -> None:
        self._current.write(data)
        self.size += len(data)


class RotatingSink(Sink):
    """The sink of a rotated target; each file is a complete capture.

    It consumes results of Python only, because the native scanner does not return the positions of single records.
    """

    _output: RotatingOutput

    def __init__(
        self,
        writer: RecordWriter,
        output: RotatingOutput,
        rotation: Rotation,
        pattern: str,
        readers: Sequence[CaptureReader],
    ) -> None:
        super().__init__(writer, output)
        self._rotation: Final = rotation
        self._pattern: Final = pattern
        self._readers: Final = readers
        self._reader: CaptureReader
        self._start = 0  # of the interval of the current file, in seconds since 1970
        self._intervals = 0
        self._number = 0
        self._packets_of_earlier_files = 0
        self._names: set[str] = set()

    def begin(self) -> None:
        """Write nothing: the first file is opened for the first source, whose first packet decides its name."""

    def begin_source(self, reader: CaptureReader) -> None:
        """Write the bytes that precede the records of a source, in the first file after those that begin the file."""
        self._reader = reader
        if self._names:
            super().begin_source(reader)
            return
        if self._rotation.seconds is not None:
            times = (reader.first_time_ns() for reader in self._readers)
            first = next((time_ns for time_ns in times if time_ns is not None), time.time_ns())
            self._start = first // SECOND
        self._open()
        super().begin()
        super().begin_source(reader)

    def consume(self, accepted: AcceptedRecords) -> None:  # type: ignore[override]  # of Python only
        """Write and count accepted records; after the last file, those that follow are ignored.

        Records that are copied are written together, up to where another file begins. Others are written one by one,
        because their sizes are not known before.
        """
        if self.is_full:
            return
        copies, begin, pending = self.writer.copies(accepted.source), 0, 0  # *pending*: bytes that are not yet written
        for index, (record, time_ns) in enumerate(zip(accepted.records, self._times(accepted), strict=False)):
            start, _, _, end, _, _ = record
            if has_packet(record):
                is_late = self._is_late(time_ns)
                if is_late or not copies or self._is_too_large(pending):
                    self._write(accepted, begin, index)
                    begin, pending = index, 0
                if is_late:
                    self._next_interval(time_ns)
                    if self.is_full:
                        return
                elif self._is_too_large() and self.packets > self._packets_of_earlier_files:
                    self._next_number()
            pending += end - start
        self._write(accepted, begin, len(accepted.records))

    def _times(self, accepted: AcceptedRecords) -> Iterable[int | None]:
        if self._rotation.seconds is None:
            return repeat(None)
        return accepted.source.times_ns(accepted.buffer, accepted.records)

    def _write(self, accepted: AcceptedRecords, begin: int, end: int) -> None:
        if begin < end:
            super().consume(accepted._replace(records=accepted.records[begin:end]))

    def _is_late(self, time_ns: int | None) -> bool:
        seconds = self._rotation.seconds
        return seconds is not None and time_ns is not None and time_ns // SECOND - self._start >= seconds

    def _is_too_large(self, pending: int = 0) -> bool:
        return self._rotation.size is not None and self._output.size + pending > self._rotation.size

    def _next_interval(self, time_ns: int | None) -> None:
        """Open the first file of another interval, or end the run after the last one."""
        rotation = self._rotation
        self._intervals += 1
        if rotation.size is None and self._intervals == rotation.files:
            self.is_full = True
            return
        if time_ns is not None:
            self._start = time_ns // SECOND
        self._number = 0
        self._continue()

    def _next_number(self) -> None:
        self._number += 1
        if self._number == self._rotation.files:
            self._number = 0
        self._continue()

    def _continue(self) -> None:
        """End the current file, and begin another in the middle of a source."""
        self._output.write(self.writer.end())
        self._open()
        self._output.write(self.writer.continued(self._reader.container, self._reader.name))

    def _open(self) -> None:
        name = self._rotation.file_name(self._pattern, number=self._number, start=self._start)
        if name in self._names and not self._rotation.replaces_files:
            fact = "would be replaced by a later file of this run"
            raise CaptureError(f"{name}: {fact}; a time format with seconds gives each file a name of its own")
        self._names.add(name)
        self._packets_of_earlier_files = self.packets
        self._output.open_next(name)
