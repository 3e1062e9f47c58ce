"""Machine code kept between processes: compiling it again takes longer than filtering a gigabyte.

A file says what code it holds, and which edition of cbpf wrote it: the sizes and ctimes of our source files. It is only
trusted if that is the same, character by character, and nobody else may write to the file or to its directory. Where
there is no such directory, nothing is kept.
"""

import os
import stat
import zlib
from contextlib import suppress
from functools import cache
from typing import Final

_MAGIC: Final = f"cbpf code 1 {os.uname().machine}\n".encode()
_LONGEST: Final = 1 << 16  # characters that say what it is
_MOST_FILES: Final = 400
_PARTS: Final = ("", "isa", "packet", "engines", "engines/llvm", "capture", "capture/native")


def directory() -> str | None:
    """Where code is kept: cbpf below $XDG_CACHE_HOME or ~/.cache; None where it cannot be."""
    home = os.path.expanduser("~") if os.environ.get("HOME") != "" else ""  # which would be the root directory
    above = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    if not os.path.isabs(above):
        return None
    path = os.path.join(above, "cbpf")
    try:
        os.makedirs(path, 0o700, exist_ok=True)
        return path if _is_ours_alone(os.lstat(path)) and stat.S_ISDIR(os.lstat(path).st_mode) else None
    except OSError:
        return None


def look_up(what: str) -> bytes | None:
    """The code of this description, if it was kept."""
    path = _path(what)
    if path is None:
        return None
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb", buffering=0) as file:
            status = os.fstat(descriptor)
            if not (_is_ours_alone(status) and stat.S_ISREG(status.st_mode)):
                return None
            head = _head(what)
            data = file.read()
            checked = data[: len(head)] == head and len(data) >= len(head) + 4
            code, check = data[len(head) : -4], data[-4:]
            return code if checked and code and check == _check(code) else None
    return None


def store(key: str, code: bytes) -> None:
    """Keeps the code of this description, if that is possible."""
    path = _path(key)
    if path is None:
        return
    temporary = f"{path}.{os.urandom(8).hex()}"
    with suppress(OSError):
        _make_room(os.path.dirname(path))
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(_head(key) + code + _check(code))
        os.replace(temporary, path)
        return
    with suppress(OSError):
        os.unlink(temporary)


def _path(what: str) -> str | None:
    if len(what) > _LONGEST:
        return None
    above = directory() if source_fingerprint() else None
    return above and os.path.join(above, f"{zlib.crc32(_head(what)):08x}.code")


def _head(what: str) -> bytes:
    return _MAGIC + f"{source_fingerprint()}\n{what}\0".encode()


@cache
def source_fingerprint() -> str | None:
    """What changes with any of our source files; None: they are no files."""
    package = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
    try:
        entries = [entry for part in _PARTS for entry in os.scandir(os.path.join(package, part))]
        found = sorted((entry.path, entry.stat()) for entry in entries if entry.name.endswith(".py"))
    except OSError:
        return None
    return "".join(f"{zlib.crc32(path.encode()):x}:{one.st_size:x}:{one.st_ctime_ns:x} " for path, one in found)


def _check(code: bytes) -> bytes:
    """Finds a file that was cut or spoiled; against intent, the permissions stand."""
    return zlib.crc32(code).to_bytes(4, "big")


def _is_ours_alone(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _make_room(directory: str) -> None:
    """Removes the older half of the files when there are too many."""
    files = [entry.path for entry in os.scandir(directory)]
    if len(files) > _MOST_FILES:
        for path in sorted(files, key=lambda path: os.lstat(path).st_mtime)[: _MOST_FILES // 2]:
            os.unlink(path)
