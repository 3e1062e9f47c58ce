"""Rotation: the accepted packets in one file after another, with the rules and file names of tcpdump."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial

from .._record import Record
from .._typing import Annotated, Any, Final, Self
from .._validators import optional, within
from ..capture.base import SECOND, RecordWriter
from ..capture.compression_kinds import compression_suffix
from ..capture.file_parts import FileLimits, WrittenPart
from ..capture.output import Output
from ..capture.outputs import open_output
from ..capture.reader import CaptureReader
from ..capture.source_stream import Source
from ..errors import CaptureError, FieldError
from .divided_records import DividedRecords
from .python_run import AcceptedRecords
from .run import Accepted, Sink
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
def rotating_sinks(
    writers: Sequence[RecordWriter],
    choices: Sequence[TargetChoice],
    sources: Sequence[Source],
    readers: Sequence[CaptureReader],
    rotation: Rotation,
) -> Iterator[list[Sink]]:
    """Open the sinks of targets, whose paths `rotated_path` returned; packets are only counted if a target is None."""

    def open_file(choice: TargetChoice, name: str) -> AbstractContextManager[list[Output]]:
        return open_new_target(choice._replace(target=name), sources)

    sinks: list[Sink] = []
    owners: dict[str, RotatingSink] = {}
    with ExitStack() as stack:
        for writer, choice in zip(writers, choices, strict=True):
            if choice.target is None:
                sinks.append(Sink(writer, stack.enter_context(open_output(None))))
            else:
                output = stack.enter_context(RotatingOutput(partial(open_file, choice)))
                sinks.append(RotatingSink(writer, output, rotation, choice.target, readers, owners))
        yield sinks


def rotated_path(place: str, target: Any, rotation: Rotation) -> str:
    """Return the path of a target, the argument *place*; raise `FieldError` if it cannot be rotated."""
    if not isinstance(target, str | os.PathLike) or os.fspath(target) in ("", "-"):
        raise FieldError(f"{place}: a rotation requires a path")
    path = os.fsdecode(target)
    if os.path.exists(path) and not os.path.isfile(path):
        raise FieldError(f"{place}: {path!r} is not a regular file, and a rotation writes only those")
    if rotation.seconds is not None and "%" not in path:
        fact = "is not a time format, so each file would replace the one before"
        raise FieldError(f"{place}: {path!r} {fact}; example: out-%Y%m%d-%H%M%S.pcap")
    return path


def rotated_paths(targets: Sequence[tuple[str, Any]], rotation: Rotation) -> list[Any]:
    """Return the paths of targets, each given with its argument; those that are None remain, unless all are."""
    paths = [None if target is None else rotated_path(place, target, rotation) for place, target in targets]
    if not any(paths):
        place, _ = targets[0]
        raise FieldError(f"{place}: a rotation requires a path")
    return paths


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

    def write_ranges(self, ranges: int, count: int, sums: int) -> None:
        """Write ranges of memory to the current file."""
        from ..capture.iovec import total_length

        self.size += total_length(count, sums)
        self._current.write_ranges(ranges, count, sums)

    def _write_current(self, data: bytes) -> None:
        self._current.write(data)
        self.size += len(data)


class RotatingSink(Sink):
    """The sink of a rotated target; each file is a complete capture."""

    divides = True
    _output: RotatingOutput

    def __init__(
        self,
        writer: RecordWriter,
        output: RotatingOutput,
        rotation: Rotation,
        pattern: str,
        readers: Sequence[CaptureReader],
        owners: dict[str, "RotatingSink"],
    ) -> None:
        """Create the sink; *owners* has the sink of each file that was written in this run."""
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
        self._owners: Final = owners

    def begin(self) -> None:
        """Write nothing: the first file is opened for the first source, whose first packet decides its name."""

    def begin_source(self, reader: CaptureReader) -> None:
        """Write the bytes that precede the records of a source, in the first file after those that begin the file."""
        if self.is_full:
            return
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

    def consume(self, accepted: Accepted) -> None:
        """Write and count accepted records; after the last file, those that follow are ignored."""
        records: Any = accepted
        if isinstance(accepted, AcceptedRecords):
            records = DividedRecords(accepted, timed=self._rotation.seconds is not None)
        index = 0
        while index < records.count and not self.is_full:
            limits = self._limits()
            part: WrittenPart = records.write_part(index, self.writer, self._output, limits)
            index = part.end
            self.packets += part.packets
            self.bytes += part.bytes
            if part.is_complete and limits.is_late(part.time_ns):
                self._next_interval(part.time_ns)
            elif part.is_complete:
                self._next_number()

    def _limits(self) -> FileLimits:
        """Return the current file and its limits."""
        size, seconds = self._rotation.size, self._rotation.seconds
        until_ns = None if seconds is None else (self._start + seconds) * SECOND
        return FileLimits(self._output.size, self.packets - self._packets_of_earlier_files, size, until_ns)

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
        owner = self._owners.setdefault(os.path.realpath(name), self)
        if owner is not self:
            raise CaptureError(f"{name}: is also a file of the target {owner._pattern}; choose names that differ")
        if name in self._names and not self._rotation.replaces_files:
            fact = "would be replaced by a later file of this run"
            raise CaptureError(f"{name}: {fact}; a time format with seconds gives each file a name of its own")
        self._names.add(name)
        self._packets_of_earlier_files = self.packets
        self._output.open_next(name)
