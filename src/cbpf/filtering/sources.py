"""The sources of a run over one or more captures."""

import os

from .._stdlib import contextmanager, suppress
from .._typing import Iterable, Iterator
from ..capture.native.choice import size_of
from ..capture.reader import CaptureReader
from ..capture.registry import needs_interfaces
from ..capture.source_stream import Source
from ..errors import DamagedCapture, FieldError


def as_sources(source: Source | Iterable[Source], caller: str) -> list[Source]:
    """Return one or more sources as a list; raise `FieldError` if there is none."""
    if isinstance(source, str | os.PathLike) or hasattr(source, "read") or not isinstance(source, Iterable):
        return [source]  # type: ignore[list-item]
    sources = list(source)
    if not sources:
        raise FieldError(f"{caller}.source: is empty; name at least one capture")
    return sources


def total_size(sources: Iterable[Source]) -> float:
    """Return the number of bytes to read; infinity if a source is a pipe."""
    return sum(map(size_of, sources))


@contextmanager
def open_readers(
    sources: list[Source], format_name: str | None = None, *, finds_interfaces: bool = False
) -> Iterator[list[CaptureReader]]:
    """Open the sources; if there are several, each is parked until its turn; *format_name* is that of the output.

    With *finds_interfaces*, each is read until it describes an interface.
    """
    readers: list[CaptureReader] = []
    try:
        for source in sources:
            readers.append(CaptureReader(source))
            if finds_interfaces or (len(sources) > 1 and needs_interfaces(format_name)):
                with suppress(DamagedCapture):  # raised again when the records are read
                    readers[-1].look_ahead()
            if len(sources) > 1:
                readers[-1].park()
        yield readers
    finally:
        for reader in readers:
            reader.close()
