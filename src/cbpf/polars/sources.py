"""The sources of a scan: paths of files and patterns of them, and URLs of stores, opened when they are read."""

import os
from contextlib import AbstractContextManager, contextmanager, nullcontext

from .._typing import TYPE_CHECKING, Any, Callable, Final, Iterable, Iterator, Mapping, TypeAlias
from ..errors import CaptureError, FieldError

if TYPE_CHECKING:
    from ..archive.listing import Object
    from ..archive.stores import Store
    from ..capture.source_stream import Source

ScanSource: TypeAlias = "str | os.PathLike[str]"
"""A path, a pattern of paths, or a URL."""

_PATTERN_CHARACTERS: Final = "*?["
_URL_MARK: Final = "://"

Opened: TypeAlias = "AbstractContextManager[list[Source]]"


class ScanSources:
    """The captures that a scan reads, in the order of the sources; those of a pattern are in the order of their names.

    Args:
        source: A path, a pattern of paths ("*", "?", "[...]", and "**" for any number of folders), a URL of fsspec, or
            several of these.
        storage_options: The options of the driver of a URL.

    Raises:
        FieldError: A source is not a path.
    """

    def __init__(self, source: "ScanSource | Iterable[ScanSource]", storage_options: Mapping[str, Any] | None) -> None:
        sources: Any = source
        if isinstance(source, str | os.PathLike) or hasattr(source, "read") or not isinstance(source, Iterable):
            sources = [source]
        self._paths = list(map(_path, sources))
        self._storage_options = storage_options

    def groups(self) -> Iterator[Callable[[], Opened]]:
        """Yield functions that open captures which are read together: all files, and each object of a store."""
        files: list[str] = []
        for path in self._paths:
            if _URL_MARK not in path:
                files += _files(path)
                continue
            if files:
                yield _opens_files(files)
                files = []
            yield from self._objects(path)
        if files or not self._paths:
            yield _opens_files(files)

    def _objects(self, url: str) -> "Iterator[Callable[[], Opened]]":
        from ..archive.stores import store

        objects = store(self._storage_options)
        for listed in objects.list(url):
            yield lambda listed=listed: _opened_object(objects, listed)  # type: ignore[misc]


def _path(source: Any) -> str:
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        if isinstance(path, str) and path != "-":
            return path
    rule = "must be a path, a pattern or a URL, since a scan may read it several times"
    raise FieldError(f"scan_capture.source: {source!r} {rule}")


def _files(path: str) -> list[str]:
    """Return the path, or the files that match it as a pattern."""
    if os.path.isdir(path):
        example = os.path.join(path, "*.pcap")
        raise CaptureError(f"{path}: is a folder; name its captures by a pattern, such as {example}")
    if not any(character in path for character in _PATTERN_CHARACTERS) or os.path.exists(path):
        return [path]
    from glob import glob

    files = sorted(name for name in glob(path, recursive=True) if not os.path.isdir(name))
    if not files:
        raise CaptureError(f"{path}: no file matches the pattern")
    return files


def _opens_files(files: list[str]) -> Callable[[], Opened]:
    return lambda: nullcontext(list(files))


@contextmanager
def _opened_object(objects: "Store", listed: "Object") -> "Iterator[list[Source]]":
    with objects.open(listed) as source:
        yield [source]
