"""Objects that appear when they are complete, or not at all."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .._output import OutputFiles
from .._typing import Any, BinaryIO, Final
from ..errors import ArchiveError
from .attempts import attempt
from .locations import Location, protocol_of

WHOLE_SIZE: Final = 1 << 25
"""The number of bytes of an object up to which it is collected in memory and sent by one request."""

_MULTIPART: Final = {"s3", "s3a", "gs", "gcs"}
"""The protocols whose drivers can complete or cancel an object that was sent in parts."""
_WHOLE: Final = _MULTIPART | {"memory", "abfs", "abfss", "az", "oss", "oci"}
"""The protocols of stores in which an object appears when it has been sent completely."""


@contextmanager
def pending_file(location: Location) -> Iterator[BinaryIO]:
    """Open a local file that appears when the block ends; after an exception, nothing has changed."""
    with OutputFiles() as files:
        with _archive_errors(location):
            os.makedirs(os.path.dirname(location.name), exist_ok=True)
            output = files.open(location.name)
        with open(location.path, "wb", buffering=0, opener=lambda *_: os.dup(output.descriptor)) as stream:
            yield stream  # its name is that of the errors of the operating system
        with _archive_errors(location):
            files.commit()


@contextmanager
def _archive_errors(location: Location) -> Iterator[None]:
    """Replace errors of the operating system by `ArchiveError` with the path."""
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"{location.path}: {error.strerror or error}") from None


class PendingObject(io.RawIOBase):
    """An object of a store that `commit` makes appear; a large one is sent in parts, or from a temporary file."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._whole = bytearray()
        self._parts: Any = None
        self.name = location.path

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Write bytes; return their number."""
        view = memoryview(data).cast("B")
        if self._parts is None and len(self._whole) + len(view) > WHOLE_SIZE:
            self._parts = self._open_parts()
            self._send(self._whole)
            self._whole = bytearray()
        if self._parts is None:
            self._whole += view
        else:
            self._send(view)
        return len(view)

    def _open_parts(self) -> Any:
        location = self._location
        if protocol_of(location.path) in _MULTIPART:
            return attempt(location.path, lambda: location.driver.open(location.name, "wb", autocommit=False))
        from tempfile import TemporaryFile

        return TemporaryFile()

    def _send(self, data: Any) -> None:
        attempt(self._location.path, lambda: self._parts.write(data), patience=0)

    def commit(self) -> None:
        """Make the object appear."""
        location = self._location
        if self._parts is None:
            write_whole(location, bytes(self._whole))
        elif protocol_of(location.path) in _MULTIPART:
            attempt(location.path, self._parts.close, patience=0)
            attempt(location.path, self._parts.commit)
        else:
            self._parts.flush()
            write_whole(location, f"/proc/self/fd/{self._parts.fileno()}")
            self._parts.close()

    def discard(self) -> None:
        """Cancel the object: none of its bytes appear."""
        if self._parts is not None:
            with suppress(Exception):  # the exception that ended the block is raised
                self._parts.discard() if hasattr(self._parts, "discard") else self._parts.close()


def write_whole(location: Location, content: bytes | str) -> None:
    """Write an object at once: bytes, or the content of a local file with this path.

    Where an object can be seen while it is sent, it is sent under another name, and renamed.
    """
    driver, name = location.driver, location.name
    is_whole = protocol_of(location.path) in _WHOLE
    if not is_whole:
        folder, _, last = name.rpartition("/")
        name = f"{folder}/.cbpf-{os.urandom(8).hex()}-{last}.partial"

    def send() -> None:
        if isinstance(content, bytes):
            driver.pipe_file(name, content)  # the names of the arguments differ between drivers
        else:
            driver.put_file(content, name)

    attempt(location.path, send)
    if not is_whole:
        attempt(location.path, lambda: driver.mv(name, location.name))
