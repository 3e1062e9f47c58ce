"""The table of capture formats: recognising the format of a capture, and selecting the format of the output.

The module of a format is imported when the table is searched and no format before it is the one.
"""

import os

from .._typing import Callable, Final, Iterator, Sequence
from .base import UNLIMITED, CaptureFormat, Container, RecordSource, RecordWriter
from .input import Input


def _pcap() -> CaptureFormat:
    from .pcap import PCAP_FORMAT

    return PCAP_FORMAT


def _pcapng() -> CaptureFormat:
    from .pcapng import PCAPNG_FORMAT

    return PCAPNG_FORMAT


FORMATS: Final[tuple[Callable[[], CaptureFormat], ...]] = (_pcap, _pcapng)
"""The functions that import the formats."""

_common_format: Final = _pcapng  # for sources in different formats: it represents any packet


def _formats() -> Iterator[CaptureFormat]:
    return (load() for load in FORMATS)


def format_names() -> tuple[str, ...]:
    """Return the names of the formats that can be written."""
    return tuple(capture_format.name for capture_format in _formats())


def open_container(begin: bytes, source: Input) -> Container:
    """Return the container of a capture whose first bytes, *begin*, were read from *source*.

    Raises `CaptureError`, which contains the name of the source, if no format recognises the capture.
    """
    for capture_format in _formats():
        if capture_format.recognizes(begin):
            return capture_format.open(begin, source.name)
    from .foreign import rejection

    raise rejection(begin, source)


def make_writer(
    sources: Sequence[tuple[str, RecordSource]], format_name: str | None, snaplen: int = UNLIMITED
) -> RecordWriter:
    """Return the writer for these sources, each with its name, in a format.

    Without a format name, sources of one format retain it, and sources of several formats become a pcapng. The writer
    truncates packets to *snaplen* bytes.
    """
    names = {container.kind for _, container in sources} if format_name is None else {format_name}
    capture_format = _format_named(names.pop()) if len(names) == 1 else _common_format()
    return capture_format.writer(sources, snaplen)


def format_name_for_file(name: str) -> str:
    """Return the format that the suffix of a file name requires, perhaps before that of a compression.

    >>> format_name_for_file("a.pcapng.zst"), format_name_for_file("a.out")
    ('pcapng', 'pcap')
    """
    stem, last = os.path.splitext(name.lower())
    for suffix in (last, os.path.splitext(stem)[1]):
        for capture_format in _formats():
            if suffix in capture_format.suffixes:
                return capture_format.name
    return FORMATS[0]().name


def needs_interfaces(format_name: str | None) -> bool:
    """Return whether the writer of a format considers the interfaces of all sources before it writes a record."""
    return format_name is not None and _format_named(format_name).needs_interfaces


def _format_named(name: str) -> CaptureFormat:
    return next(capture_format for capture_format in _formats() if capture_format.name == name)
