"""The files of this machine as a store: the methods of a driver of fsspec that archives call.

They need no library, and the import of fsspec would take longer than a worker needs for ten objects.
"""

import os
import stat
from collections.abc import Mapping

from .._stdlib import suppress
from .._typing import Any, BinaryIO


class LocalFiles:
    """The files of this machine."""

    def info(self, path: str) -> Mapping[str, Any]:
        """Return the description of a file or folder, or of the target of a symbolic link."""
        return _entry(path, os.stat(path), is_link=False)

    def ls(self, path: str, detail: bool = True) -> list[Mapping[str, Any]]:
        """Return the descriptions of the entries of a folder; a symbolic link is described itself."""
        entries = []
        try:
            with os.scandir(path) as listed:
                for item in listed:
                    with suppress(FileNotFoundError):  # removed meanwhile
                        status = item.stat(follow_symlinks=False)
                        entries.append(_entry(item.path, status, is_link=item.is_symlink()))
        except NotADirectoryError:
            return [self.info(path)]
        return entries

    def cat_file(self, path: str, start: int | None = None, end: int | None = None) -> bytes:
        """Return the bytes of a file, or those of a range."""
        with open(path, "rb") as file:
            file.seek(start or 0)
            return file.read(-1 if end is None else max(end - (start or 0), 0))

    def open(self, path: str, mode: str = "rb") -> BinaryIO:
        """Open a file for reading."""
        return open(path, "rb")

    def rm_file(self, path: str) -> None:
        """Remove a file."""
        os.unlink(path)


def _entry(path: str, status: os.stat_result, *, is_link: bool) -> Mapping[str, Any]:
    is_folder, is_file = stat.S_ISDIR(status.st_mode), stat.S_ISREG(status.st_mode)
    return {
        "name": path,
        "size": status.st_size,
        "type": "directory" if is_folder else "file" if is_file else "other",
        "islink": is_link,
        "mtime": status.st_mtime_ns,
        "ino": status.st_ino,
    }
