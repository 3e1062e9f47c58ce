"""Random directories of the code cache, and plainly written rules for when code comes from one and is stored there.

A layout consists of the three components of a path (`PATH`), each of which may be missing, of another type, or have
another owner or mode, and of files in the last one. Only root can give files away; others use the remaining cases.
"""

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

PATH: Final = ("home", "cache", "cbpf")
USER: Final = 4242
_OTHER_USER: Final = 4243
_IS_ROOT: Final = os.geteuid() == 0

_DIRECTORY_MODES: Final = (0o700, 0o755, 0o711, 0o775, 0o757, 0o777, 0o1777, 0o1775) + (0o500, 0o300, 0) * _IS_ROOT
_FILE_MODES: Final = (0o600, 0o400, 0o640, 0o604, 0o660, 0o606, 0o4600) + (0,) * _IS_ROOT
_FOREIGN_NAMES: Final = ("00000000.code", "0badcafe.code.0123456789abcdef", "notes.txt")


class Entry(NamedTuple):
    """The state of a file; *content* is that of a regular file or the target of a link."""

    kind: int
    mode: int
    owner: int
    names: int
    content: bytes | str


@contextmanager
def accessible_folder() -> Iterator[Path]:
    """Yield a temporary folder that every user can search, and remove it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def run_as(user: int, function: Callable[[], bytes]) -> bytes:
    """Return the result of a function in a child process of another user, for root only; empty after an exception."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(user, user, user)
            os.setresuid(user, user, user)
            os.write(writer, function())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        result = file.read()
    os.waitpid(child, 0)
    return result


def state(path: Path) -> Entry | None:
    """Return the state of a file; None if there is none."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    content: bytes | str = b""
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = str(path.readlink())
    kind, mode = stat.S_IFMT(status.st_mode), stat.S_IMODE(status.st_mode)
    return Entry(kind, mode, status.st_uid, status.st_nlink if kind == stat.S_IFREG else 1, content)


def states(folder: Path) -> dict[Path, Entry]:
    """Return the state of every file below a folder."""
    return {path: entry for path in sorted(folder.rglob("*")) if (entry := state(path)) is not None}


def build(random: Random, folder: Path, user: int, file_name: str, content: bytes) -> None:
    """Make a random layout below a folder; *file_name* is the file of the cache that a test looks up."""
    paths = [folder.joinpath(*PATH[: count + 1]) for count in range(len(PATH))]
    for path in paths:
        _make(random, path, b"of the user", ["directory"] * 25 + ["nothing", "link to a folder", "file", "FIFO"])
        if not path.is_dir():
            break
    if paths[-1].is_dir():
        kinds = ["file"] * 12 + ["nothing", "directory", "link", "FIFO", "socket", "device", "hard link"]
        _make(random, paths[-1] / file_name, content, kinds)
        for name in _FOREIGN_NAMES:
            _make(random, paths[-1] / name, b"of the user", kinds)
    for path in states(folder):
        _set_rights(random, path, user)


def _make(random: Random, path: Path, content: bytes, kinds: list[str]) -> None:
    """Make a file of one of several types."""
    other = path.with_name(f"{path.name} of the user")
    match random.choice(kinds):
        case "directory":
            path.mkdir()
        case "link to a folder":
            other.mkdir(mode=0o700)
            path.symlink_to(other)
        case "file":
            path.write_bytes(content)
        case "FIFO":
            os.mkfifo(path)
        case "link":
            other.write_bytes(content)
            path.symlink_to(other)
        case "hard link":
            other.write_bytes(content)
            path.hardlink_to(other)
        case "device" if _IS_ROOT:
            os.mknod(path, stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
        case "socket":
            with socket.socket(socket.AF_UNIX) as listener:
                listener.bind(str(path))


def _set_rights(random: Random, path: Path, user: int) -> None:
    modes = _DIRECTORY_MODES if path.is_dir() else _FILE_MODES
    is_usual = random.random() < 0.75
    owner = user if is_usual or not _IS_ROOT else random.choice((user, 0, _OTHER_USER))
    os.chown(path, owner, -1, follow_symlinks=False)
    if not path.is_symlink():
        path.chmod(modes[0] if is_usual else random.choice(modes))


def may_trust(folder: Path, user: int) -> bool:
    """Return whether a user may take code from the directory at the end of the path."""
    entries = [state(folder.joinpath(*PATH[: count + 1])) for count in range(len(PATH))]
    return all(_is_ancestor(entry, user) for entry in entries[:-1]) and _is_private(entries[-1], user)


def may_create(folder: Path, user: int) -> bool:
    """Return whether a user may store code in the directory at the end of the path, which may be missing."""
    parent = state(folder)
    for count in range(len(PATH)):
        entry = state(folder.joinpath(*PATH[: count + 1]))
        if entry is None:
            return _has_right(parent, user, 3)
        if count < len(PATH) - 1 and not _is_ancestor(entry, user):
            return False
        parent = entry
    return _is_private(parent, user) and _has_right(parent, user, 7)


def _is_ancestor(entry: Entry | None, user: int) -> bool:
    return (
        entry is not None
        and entry.kind == stat.S_IFDIR
        and entry.owner in (0, user)
        and (not entry.mode & 0o022 or bool(entry.mode & 0o1000))
        and _has_right(entry, user, 1)
    )


def _is_private(entry: Entry | None, user: int) -> bool:
    is_private = entry is not None and entry.owner == user and not entry.mode & 0o022
    return is_private and _is_ancestor(entry, user)


def _has_right(entry: Entry | None, user: int, right: int) -> bool:
    """Return whether the mode gives a right (4 read, 2 write, 1 search); no group of a test has a file."""
    assert entry is not None
    return user == 0 or (entry.mode >> (6 if entry.owner == user else 0)) & right == right


def is_own(entry: Entry | None, user: int) -> bool:
    """Return whether a user may read a file and no other user can have written or can find it by another name."""
    is_plain = entry is not None and entry.kind == stat.S_IFREG and entry.names == 1
    return is_plain and entry is not None and entry.owner == user and _has_right(entry, user, 4)
