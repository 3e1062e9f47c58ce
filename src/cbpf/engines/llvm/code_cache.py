"""The disk cache of machine code: compiling code again takes longer than filtering a gigabyte.

The programs of expressions are cached here as well (`expression.program_cache`). A file contains the key of its code
(of machine code, the program and the properties of the dialect), and the sizes and ctimes of the source files of this
package that the process had imported when it made the code, since no other file can have an influence on it. The code
is used only if the key is the same, if these files are unchanged, also since this process began, and if no other user
can write to the file or to a directory of its path (`private_directory`). Anything else, and any error, means that
nothing is cached: the code is then compiled.
"""

import os
import sys
import time
from _imp import source_hash

from ..._stdlib import contextmanager, suppress
from ..._typing import Final, Iterator
from .private_directory import UntrustedPath, is_accessible_to_others, names_in, open_directory, read_file, write_file

_KIND: Final = b"cbpf code "  # the beginning of each file, in all versions
_MAGIC: Final = _KIND + f"2 {os.uname().machine}\n".encode()
_MAX_KEY_LENGTH: Final = 1 << 16  # characters
_MAX_FILE_SIZE: Final = 1 << 24  # bytes; the code of the longest key has less than one MiB
_MAX_FILES: Final = 400
_MAX_WRITE_TIME: Final = 3600  # seconds, after which a temporary file is not being written any more
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
_STARTED: Final = time.time_ns()  # nearly; the imported modules are those of files that were not changed later
_CHECKSUM_SIZE: Final = 8
_SUFFIX: Final = ".code"
_HEXADECIMAL: Final = frozenset("0123456789abcdef")


def directory() -> str | None:
    """Return the path of the cache, `cbpf` below $XDG_CACHE_HOME or ~/.cache; None if this process has none.

    It has none if an environment that belongs to another user may choose the path: in a set-user-ID or set-group-ID
    process, and as root with another user's home directory.
    """
    location = _location()
    return location and location[0]


def _location() -> tuple[str, int] | None:
    """Return the path of the cache, and the number of its last components that may be created."""
    if not hasattr(os, "geteuid"):  # in a browser, whose files do not outlive the page
        return None
    if (os.getuid(), os.getgid()) != (os.geteuid(), os.getegid()):
        return None
    home = os.path.expanduser("~") if os.environ.get("HOME") != "" else ""  # expanduser would return "/"
    parent = os.environ.get("XDG_CACHE_HOME")
    path = os.path.join(parent or os.path.join(home, ".cache"), "cbpf")
    if not os.path.isabs(path) or (os.geteuid() == 0 and _belongs_to_another_user(home)):
        return None
    return path, path.count("/") if parent else 2  # a home directory is not created


def _belongs_to_another_user(home: str) -> bool:
    try:
        return os.stat(home).st_uid != os.geteuid()
    except FileNotFoundError:
        return False
    except OSError:
        return True


@contextmanager
def _opened(*, create: bool) -> Iterator[int]:
    """Yield the descriptor of the cache; raise `OSError` if it cannot be used."""
    location = _location()
    if location is None:
        raise FileNotFoundError
    path, creatable = location
    descriptor = open_directory(path, creatable if create else 0)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def look_up(key: str) -> bytes | None:
    """Return the code that is cached under a key; None if there is none that can be trusted."""
    if len(key) > _MAX_KEY_LENGTH:
        return None
    with suppress(OSError), _opened(create=False) as cache:
        data, status = read_file(cache, _file_name(key), _MAX_FILE_SIZE)
        return None if is_accessible_to_others(status) else _code_in(data, key)
    return None


def _code_in(data: bytes, key: str) -> bytes | None:
    """Return the code in the content of a file; None if the content is corrupt, outdated, or belongs to another key."""
    content, checksum = data[:-_CHECKSUM_SIZE], data[-_CHECKSUM_SIZE:]
    header = _header(key)
    if not content.startswith(header) or checksum != _checksum(content):
        return None
    states, _, code = content[len(header) :].partition(b"\0")
    files = [line.partition(" ")[0] for line in states.decode().splitlines()]
    return code if code and states == _states(files) else None


def store(key: str, code: bytes) -> None:
    """Store code under a key, if the cache can be used."""
    if len(key) > _MAX_KEY_LENGTH or len(code) > _MAX_FILE_SIZE // 2:
        return
    with suppress(OSError), _opened(create=True) as cache:
        name, names = _file_name(key), names_in(cache)
        _make_room(cache, names)
        if name not in names or _age_of_own(cache, name) is not None:
            temporary = f"{name}.{os.urandom(8).hex()}"
            content = _header(key) + _states(_imported_files()) + b"\0" + code
            write_file(cache, name, temporary, content + _checksum(content))


def _file_name(key: str) -> str:
    return f"{_checksum(_header(key))[:4].hex()}{_SUFFIX}"


def _header(key: str) -> bytes:
    return _MAGIC + f"{_PACKAGE!a}\n{key}\0".encode()


def _imported_files() -> list[str]:
    """Return the source files of the modules of this package that are imported, relative to its folder."""
    prefix, package = f"{_PACKAGE}/", __name__.partition(".")[0]
    modules = [module for name, module in [*sys.modules.items()] if name.partition(".")[0] == package]
    return sorted({str(getattr(module, "__file__", None)).removeprefix(prefix) for module in modules})


def _states(files: list[str]) -> bytes:
    """Return a text that changes with each of some source files; raise `OSError` if one is missing or is too new."""
    lines = []
    for file in files:
        status = os.stat(f"{_PACKAGE}/{file}")
        if status.st_ctime_ns >= _STARTED:
            raise UntrustedPath(file)
        lines.append(f"{file} {status.st_size:x} {status.st_ctime_ns:x}\n")
    return "".join(lines).encode()


def _checksum(content: bytes) -> bytes:
    """Return a checksum that detects truncated and corrupt files; file permissions protect against intent.

    It is the function for the files of compiled modules, which needs no import.
    """
    return source_hash(0, content)


def _make_room(cache: int, names: list[str]) -> None:
    """Remove abandoned temporary files, and the older half of the files of code if there are too many.

    Nothing else is removed or counted: neither a file that this package did not write nor a directory.
    """
    abandoned = [name for name in names if _is_temporary(name) and (_age_of_own(cache, name) or 0) > _MAX_WRITE_TIME]
    _remove(cache, abandoned)
    candidates = [name for name in names if _is_code(name)]
    if len(candidates) > _MAX_FILES:
        ages = {name: age for name in candidates if (age := _age_of_own(cache, name)) is not None}
        oldest = sorted(ages, key=ages.__getitem__, reverse=True)
        _remove(cache, oldest[: _MAX_FILES // 2] if len(ages) > _MAX_FILES else [])


def _is_code(name: str) -> bool:
    """Return whether a name is one of `_file_name`."""
    return len(name) == 8 + len(_SUFFIX) and name.endswith(_SUFFIX) and set(name[:8]) <= _HEXADECIMAL


def _is_temporary(name: str) -> bool:
    """Return whether a name is one that `store` uses while it writes."""
    target, _, number = name.rpartition(".")
    return _is_code(target) and len(number) == 16 and set(number) <= _HEXADECIMAL


def _age_of_own(cache: int, name: str) -> float | None:
    """Return the age in seconds of a file that this package wrote, complete or not; None for any other file."""
    with suppress(OSError):
        data, status = read_file(cache, name, len(_KIND))
        return time.time() - status.st_mtime if _KIND.startswith(data) else None
    return None


def _remove(cache: int, names: list[str]) -> None:
    for name in names:
        with suppress(OSError):  # an immutable file, for example
            os.unlink(name, dir_fd=cache)
