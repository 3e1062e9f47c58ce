"""Live captures that are written to files."""

import os
from collections.abc import Iterable
from contextlib import ExitStack, closing

from .._typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias
from ..capture.outputs import choose_compressor
from ..capture.registry import format_name_for_file, format_names
from ..errors import CaptureError, FieldError
from ..filtering.api import filter_capture, split_capture
from ..filtering.bound_filter import Filter
from ..filtering.summary import Summary
from ..filtering.targets import require_different
from .c_files import DescriptorFile
from .capture_loop import CaptureLoop
from .packet_stream import PacketStream
from .recording_file import RecordingFile, checked_path

if TYPE_CHECKING:
    from ..filtering.rotation import Rotation

Path: TypeAlias = str | os.PathLike[str]
_MAX_INCOMPLETE: Final = 1 << 10  # packets that are lost when a disk is full
RecordedContainer: TypeAlias = Literal["pcap", "pcapng"]


def record_plain(loop: CaptureLoop, file: RecordingFile) -> None:
    """Write packets to a pcap; libpcap writes them, without Python."""
    with closing(DescriptorFile(file.descriptor())) as c_file:
        dumper = loop.handle.dumper(c_file)
        try:
            c_file.flush()  # the header
            file.mark_complete()
            while loop.step(dumper, _MAX_INCOMPLETE):
                c_file.flush()
                file.mark_complete()
        except OSError as error:
            c_file.discard()
            file.remove_incomplete()
            if isinstance(error, BrokenPipeError):
                raise
            raise CaptureError(f"{file.name}: {error.strerror}") from None


def record(
    loop: CaptureLoop,
    stream: PacketStream | None,
    target: Path,
    *,
    container: RecordedContainer | None,
    compress: str | None,
    rotation: "Rotation | None",
) -> None:
    """Write packets to a file, or to one file after another; *stream* has those that may have been read."""
    format_name = _format_name(container, [target])
    with RecordingFile(target) as file:
        is_plain = rotation is None and stream is None and format_name == "pcap"
        if is_plain and choose_compressor(file.as_file(), compress) is None:
            record_plain(loop, file)
        else:
            recorded = file.as_file() if rotation is None else target
            source = PacketStream(loop) if stream is None else stream
            filter_capture(source.as_file(), recorded, "", container=format_name, compress=compress, rotation=rotation)


def record_routes(
    stream: PacketStream,
    routes: Iterable[tuple[Filter, Path]],
    rest: Path | None,
    *,
    container: RecordedContainer | None,
    compress: str | None,
) -> list[Summary]:
    """Write the packets that each filter accepts to a file of its own, in one pass."""
    pairs = list(routes)
    paths = [path for _, path in pairs] + ([] if rest is None else [rest])
    format_name = _format_name(container, paths)
    require_different(paths)
    with ExitStack() as stack:
        files = [stack.enter_context(RecordingFile(path)).as_file() for path in paths]
        targets = list(zip([filter for filter, _ in pairs], files, strict=False))
        last = None if rest is None else files[-1]
        return split_capture(stream.as_file(), targets, rest=last, container=format_name, compress=compress)


def _format_name(container: RecordedContainer | None, paths: Iterable[Path]) -> RecordedContainer:
    """Return the format of all files, by default the one that their names require."""
    if container is not None:
        if container not in format_names():
            raise FieldError(f"container: {container!r} is not one of {format_names()}")
        return container
    names: Any = {format_name_for_file(checked_path(path)) for path in paths}
    if len(names) > 1:
        raise FieldError("container: the names of the files require pcap and pcapng; choose one (--pcap, --pcapng)")
    name: RecordedContainer = names.pop()
    return name
