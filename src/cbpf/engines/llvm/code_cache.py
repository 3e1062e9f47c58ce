"""The disk cache of machine code: compiling code again takes longer than filtering a gigabyte.

A file contains the key of its code (the program, and the properties of the dialect) and a fingerprint of the source
files of this package (their sizes and ctimes). Its code is used only if both are equal, character by character, and if
no other user can write to the file or its directory. Without such a directory, nothing is cached.
"""

import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from typing import Final

_MAGIC: Final = f"cbpf code 1 {os.uname().machine}\n".encode()
_MAX_KEY_LENGTH: Final = 1 << 16  # characters
_MAX_FILES: Final = 400
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


def directory() -> str | None:
    """Return the directory of the cache, `cbpf` below $XDG_CACHE_HOME or ~/.cache; None if it cannot be used.

    It is created if necessary. It cannot be used if another user can write to it or owns it, or if it is a link.
    """
    home = os.path.expanduser("~") if os.environ.get("HOME") != "" else ""  # expanduser would return "/"
    parent = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    if not os.path.isabs(parent):
        return None
    path = os.path.join(parent, "cbpf")
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        return path if _is_private(os.lstat(path)) and stat.S_ISDIR(os.lstat(path).st_mode) else None
    except OSError:
        return None


def look_up(key: str) -> bytes | None:
    """Return the code that is cached under a key; None if there is none that can be trusted."""
    path = _path(key)
    if path is None:
        return None
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not (_is_private(status) and stat.S_ISREG(status.st_mode)):
                return None
            return _code_in(file.read(), key)
    return None


def _code_in(data: bytes, key: str) -> bytes | None:
    """Return the code in the content of a file; None if the content is corrupt or belongs to another key."""
    header = _header(key)
    code, checksum = data[len(header) : -4], data[-4:]
    is_intact = data.startswith(header) and len(data) >= len(header) + 4 and checksum == _checksum(code)
    return code if is_intact and code else None


def store(key: str, code: bytes) -> None:
    """Store code under a key, if the cache can be used."""
    path = _path(key)
    if path is None:
        return
    temporary = f"{path}.{os.urandom(8).hex()}"
    with suppress(OSError):
        _evict(os.path.dirname(path))
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_header(key) + code + _checksum(code))
        os.replace(temporary, path)
        return
    with suppress(OSError):
        os.unlink(temporary)


def _path(key: str) -> str | None:
    """Return the path of the file for a key; None if code cannot be cached under it."""
    if len(key) > _MAX_KEY_LENGTH:
        return None
    parent = directory() if source_fingerprint() else None
    return parent and os.path.join(parent, f"{zlib.crc32(_header(key)):08x}.code")


def _header(key: str) -> bytes:
    return _MAGIC + f"{source_fingerprint()}\n{key}\0".encode()


@cache
def source_fingerprint() -> str | None:
    """Return a text that changes with every source file of this package; None if they are not files.

    It covers all modules, not only those that generate code, so that no list of modules can become incomplete.
    """
    try:
        files = sorted((entry.path, entry.stat()) for entry in _source_files(_PACKAGE))
    except OSError:
        return None
    return "".join(
        f"{zlib.crc32(path.encode()):x}:{status.st_size:x}:{status.st_ctime_ns:x} " for path, status in files
    )


def _source_files(folder: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                yield entry
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _source_files(entry.path)


def _checksum(code: bytes) -> bytes:
    """Return a checksum that detects truncated and corrupt files; file permissions protect against intent."""
    return zlib.crc32(code).to_bytes(4, "big")


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _evict(directory: str) -> None:
    """Remove the older half of the files if there are more than `_MAX_FILES`."""
    files = [entry.path for entry in os.scandir(directory)]
    if len(files) > _MAX_FILES:
        for path in sorted(files, key=lambda path: os.lstat(path).st_mtime)[: _MAX_FILES // 2]:
            os.unlink(path)
