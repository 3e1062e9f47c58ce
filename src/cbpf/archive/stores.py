"""Stores of objects, through fsspec: list, open, write whole, exists.

Everything that the archive reads or writes goes through these verbs. A `Store` holds the storage options only, so that
it can be sent to other processes; fsspec keeps the connections of each process.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from .._output import write_file
from .._record import Record
from .._typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar
from ..errors import ArchiveError, FieldError
from .attempts import ObjectReplaced, attempt
from .digests import digest
from .listing import Object, Scope, entry_of, folder_entries, has_pattern, object_of, scope_of
from .locations import Location, locate
from .pending import PendingObject, pending_file, write_whole

if TYPE_CHECKING:
    from ..capture.source_stream import Source

MAX_WHOLE_SIZE: Final = 1 << 28
"""The size in bytes up to which an object is read at once; a larger one is read in blocks."""

_BLOCK_SIZE: Final = 1 << 23
_MAX_READS: Final = 3  # of an object that is replaced while it is read

_Result = TypeVar("_Result")


class Store(Record):
    """The stores that storage options give access to, and the files of this machine.

    Args:
        options: The options of the drivers of fsspec, as pairs of a name and a value.
    """

    options: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        names = ", ".join(f"{name}=..." for name, _ in self.options)
        return f"{type(self).__name__}({names})"  # the values may be secrets

    def locate(self, path: str) -> Location:
        """Return the place of a path or URL."""
        return locate(path, dict(self.options))

    def list(self, source: str) -> Iterator[Object]:
        """Yield the objects that a source names; each folder is listed once, when its objects are requested.

        Args:
            source: A path or URL: of an object; of a folder or a bucket, for all objects below it; with a pattern of
                the shell ("*", "?", "[...]", "**" for any number of folders); or the beginning of the names of objects.
                "@" with the path or URL of a text has one source on each line.

        Yields:
            The objects; those of one folder in the order of their names. Names that begin with a period, and manifests,
            are left out. An object that several lines of a list name is yielded once.

        Raises:
            ArchiveError: A source names no object, or the store does not permit to list it.
        """
        seen: set[bytes] | None = set() if source.startswith("@") else None  # sources of a list may overlap
        for scope in self.scopes(source):
            is_empty = True
            for listed in scope.objects():
                is_empty = False
                if seen is not None:
                    key = digest(listed.path)
                    if key in seen:
                        continue
                    seen.add(key)
                yield listed
            if is_empty:
                raise ArchiveError(f"{scope.location.path}: {_absence(scope)}")

    def scopes(self, source: str) -> Iterator[Scope]:
        """Yield the sets of objects that a source names, as for `list`: one, or one for each line of a list."""
        for item in self._lines(source[1:]) if source.startswith("@") else [source]:
            yield scope_of(self.locate(item))

    def _lines(self, path: str) -> Iterator[str]:
        """Yield the sources that a text lists; empty lines and lines that begin with "#" are left out."""
        lines = [line.strip() for line in self.read(path).decode("utf-8", "surrogateescape").splitlines()]
        sources = [line for line in lines if line and not line.startswith("#")]
        if not sources:
            raise ArchiveError(f"{self.locate(path).path}: the list names no object")
        yield from sources

    def info(self, path: str) -> Object:
        """Return an object; raise `ArchiveError` if it does not exist."""
        location = self.locate(path)
        entry = entry_of(location)
        if entry is None or entry["type"] == "directory":
            raise ArchiveError(f"{location.path}: {'is a folder' if entry else 'does not exist'}")
        return object_of(location, entry)

    def exists(self, path: str) -> bool:
        """Return whether there is an object or a folder."""
        return entry_of(self.locate(path)) is not None

    def objects_in(self, folder: str) -> Iterator[Object]:
        """Yield the objects directly in a folder in the order of their names; none if it does not exist."""
        location = self.locate(folder)
        for entry in folder_entries(location, location.name):
            if entry["type"] == "file":
                yield object_of(location, entry)

    def names(self, folder: str) -> Iterator[str]:
        """Yield the paths of the objects directly in a folder; none if it does not exist."""
        for listed in self.objects_in(folder):
            yield listed.path

    def read(self, path: str) -> bytes:
        """Return the bytes of an object."""
        location = self.locate(path)
        data: bytes = attempt(location.path, lambda: location.driver.cat_file(path=location.name))
        return data

    def read_begin(self, path: str, size: int) -> bytes:
        """Return the first *size* bytes of an object, or all it has."""
        location = self.locate(path)
        data: bytes = attempt(location.path, lambda: location.driver.cat_file(path=location.name, start=0, end=size))
        return data

    def write(self, path: str, data: bytes) -> None:
        """Write an object, which appears completely or not at all; an existing one is replaced."""
        location = self.locate(path)
        if not location.is_local:
            write_whole(location, data)
            return
        os.makedirs(os.path.dirname(location.name), exist_ok=True)
        write_file(location.name, data)

    @contextmanager
    def create(self, path: str) -> Iterator[BinaryIO]:
        """Open an object for writing; it appears when the block ends, and never if an exception ends the block.

        Memory use is bounded: an object of more than 32 MiB is sent in parts, or collected in a temporary file where
        the store has no parts.
        """
        location = self.locate(path)
        if location.is_local:
            with pending_file(location) as stream:
                yield stream
            return
        pending = PendingObject(location)
        try:
            yield pending  # type: ignore[misc]  # a RawIOBase
            pending.commit()
        except BaseException:
            pending.discard()
            raise

    @contextmanager
    def open(self, listed: Object, *, max_whole: int = MAX_WHOLE_SIZE) -> Iterator[Source]:
        """Open an object as the source of a capture.

        A local file is its path; an object of up to *max_whole* bytes is read into memory, a larger one in blocks.

        Raises `ObjectReplaced` at the end of the block if the object is not the listed one any more.
        """
        location = self.locate(listed.path)
        if location.is_local:
            attempt(location.path, lambda: os.close(os.open(location.name, os.O_RDONLY | os.O_CLOEXEC)), patience=0)
            yield location.name
        elif 0 < listed.size <= max_whole:
            stream = io.BytesIO(self.read(listed.path))
            stream.name = location.path
            yield stream
        else:
            yield _Blocks(location, listed.size)  # type: ignore[misc]  # a RawIOBase
        if self.info(listed.path).etag != listed.etag:
            raise ObjectReplaced(f"{location.path}: was replaced while it was read")

    def remove(self, path: str) -> None:
        """Remove an object that the archive itself wrote; nothing happens if it does not exist."""
        location = self.locate(path)

        def remove() -> None:
            with suppress(FileNotFoundError):
                location.driver.rm_file(location.name)

        attempt(location.path, remove)


class _Blocks(io.RawIOBase):
    """An object that is read in blocks, each of which is requested again while the store does not answer."""

    def __init__(self, location: Location, size: int) -> None:
        self._location, self._size = location, size
        self._position = 0
        self._block = memoryview(b"")
        self.name = location.path

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, memory: Any) -> int:
        """Read bytes into memory; return their number, which is 0 at the end."""
        if not self._block and (not self._size or self._position < self._size):
            self._block = memoryview(self._request())
            self._position += len(self._block)
        count = min(len(memory), len(self._block))
        memory[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def _request(self) -> bytes:
        location, start = self._location, self._position
        end = start + _BLOCK_SIZE if not self._size else min(start + _BLOCK_SIZE, self._size)
        data: bytes = attempt(location.path, lambda: location.driver.cat_file(path=location.name, start=start, end=end))
        return data


def read_current(store: Store, listed: Object, read: Callable[[Object], _Result]) -> _Result:
    """Return the result of a function that reads an object; it is called again if the object is replaced meanwhile.

    Raises `ObjectReplaced` if the object is replaced again and again.
    """
    for remaining in reversed(range(_MAX_READS)):
        try:
            return read(listed)
        except ObjectReplaced:
            if not remaining:
                raise
            listed = store.info(listed.path)
    raise AssertionError("unreachable")


def _absence(scope: Scope) -> str:
    if scope.is_certain:
        return "the folder contains no object"
    is_pattern = has_pattern(scope.location.path)
    return "no object matches the pattern" if is_pattern else "no object has this name, or begins with it"


def store(storage_options: Mapping[str, Any] | None = None) -> Store:
    """Return the stores that storage options give access to.

    Args:
        storage_options: The options of the drivers of fsspec, such as `{"anon": True}`; None: no options.

    Returns:
        The stores.

    Raises:
        FieldError: The options are not a mapping with names as keys.
    """
    if storage_options is None:
        return Store()
    if not isinstance(storage_options, Mapping) or not all(isinstance(name, str) for name in storage_options):
        raise FieldError("storage_options: expected a mapping of names to values")
    return Store(tuple(storage_options.items()))
