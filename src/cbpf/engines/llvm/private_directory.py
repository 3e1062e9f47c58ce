"""A directory that no other user can write to: opened once, and then used through its descriptor alone.

A path that is checked and then resolved again may denote another file the second time. So the path is resolved once,
component by component from the root directory, and each component is checked by its descriptor before the next one is
opened. Everything below happens relative to the descriptor of the last component (openat(2) and its relatives).

The rules are those of OpenSSH's StrictModes, with two differences: every component up to the root directory is checked,
and a directory that others can write to is accepted before the last component if it is sticky, as /tmp is. There, only
root and the owner of an entry can rename or remove it, and each entry on the path must belong to root or to this user.
A group or another user with an ACL entry has its right to write in the group bits of the mode (acl(5), "mask").

No component may be a symbolic link, not even one of root: following some links would double the rules, and a user with
such a path can set the variable to the path without links.
"""

import os
import stat

from ..._stdlib import suppress
from ..._typing import Final

_ROOT: Final = 0
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
# With O_PATH, a directory that can be searched but not listed can be passed, and opening has no side effects.
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO without a writer does not block, and a terminal does not become the controlling terminal.
_FILE: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class UntrustedPath(OSError):
    """A component of a path, or a file, that another user may control."""


def open_directory(path: str, creatable: int) -> int:
    """Open a directory that only this user can write to, and return its descriptor.

    Args:
        path: The absolute path.
        creatable: The number of components at the end of the path that are created, for this user alone, if missing.

    Raises:
        OSError: The directory does not exist or cannot be opened, or another user controls a component of the path.
    """
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise UntrustedPath(path)
    directory = os.open("/", _DIRECTORY)
    try:
        for index, name in enumerate(names):
            _check_ancestor(os.fstat(directory))
            is_creatable = index >= len(names) - creatable
            parent, directory = directory, _open_child(directory, name, create=is_creatable)
            os.close(parent)
        _check_private(directory)
    except BaseException:
        os.close(directory)
        raise
    return directory


def _open_child(parent: int, name: str, *, create: bool) -> int:
    with suppress(FileNotFoundError):
        return os.open(name, _DIRECTORY, dir_fd=parent)
    if not create:
        raise FileNotFoundError(name)
    with suppress(FileExistsError):  # another process was faster; the next open checks its directory
        os.mkdir(name, 0o700, dir_fd=parent)
    return os.open(name, _DIRECTORY, dir_fd=parent)


def _check_ancestor(status: os.stat_result) -> None:
    is_sticky = status.st_mode & stat.S_ISVTX
    if status.st_uid not in (_ROOT, os.geteuid()) or (status.st_mode & _WRITABLE_BY_OTHERS and not is_sticky):
        raise UntrustedPath(status.st_ino)


def _check_private(directory: int) -> None:
    """Check the last component, and its file system.

    Files on a file system that is mounted without the right to execute must not become code. Root also requires that
    its programs may be set-user-ID: a file system that users can mount (FUSE, removable media, user namespaces) never
    has that right, and its owners and modes may be false.
    """
    status, flags = os.fstat(directory), os.fstatvfs(directory).f_flag
    is_private = status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS
    forbidden = os.ST_NOEXEC | (os.ST_NOSUID if os.geteuid() == _ROOT else 0)
    if not is_private or flags & forbidden:
        raise UntrustedPath(status.st_ino)


def read_file(directory: int, name: str, max_size: int) -> tuple[bytes, os.stat_result]:
    """Return up to *max_size* bytes from the start of a file, and its status.

    Raises:
        OSError: The file does not exist or cannot be read, is not a regular file with a single name, or belongs to
            another user.
    """
    descriptor = os.open(name, os.O_RDONLY | _FILE, dir_fd=directory)
    with open(descriptor, "rb", buffering=0) as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_uid != os.geteuid():
            raise UntrustedPath(name)
        return file.read(max_size) or b"", status


def write_file(directory: int, name: str, temporary: str, data: bytes) -> None:
    """Write a file that only this user can read, under a temporary name until it is complete.

    Raises:
        OSError: The file cannot be written; no part of it remains.
    """
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FILE, 0o600, dir_fd=directory)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise


def is_accessible_to_others(status: os.stat_result) -> bool:
    """Return whether the mode of a file gives a right to its group or to other users."""
    return bool(status.st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def names_in(directory: int) -> list[str]:
    """Return the names in a directory; raise `OSError` if it cannot be listed."""
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)
