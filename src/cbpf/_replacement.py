"""A file that appears under its name only when it is complete, with the attributes of the file that it replaces."""

import errno
import os
import stat

from ._stdlib import suppress
from ._typing import Callable, Final

UNNAMED_FLAG: Final = getattr(os, "O_TMPFILE", 0)
"""The flag that creates a file without a name; 0 on systems that have none."""

_OPEN_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC
_NOT_COPIED: Final = frozenset({"security.capability", "security.evm", "security.ima"})  # privileges and checksums
_ACCESS_LIST: Final = "system.posix_acl_access"
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_CANNOT_SYNC: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Replacement:
    """A new file for a name in a folder.

    It has no name while it is written, so that nothing remains of it if the process is killed; where the file system
    has no unnamed files, its name is `.cbpf-<random>.partial`. `finish` reports the errors of writing, and `publish`
    gives the file its name.
    """

    def __init__(self, folder: int, name: str, old: int | None, *, synchronised: bool) -> None:
        """Name a new file; *folder* is a descriptor, and *old* that of the file to replace, or None.

        *synchronised*: the file is on the disk before it replaces another.
        """
        token = os.urandom(8).hex()  # short, because the name of the target may have the maximum length
        self._folder = folder
        self._name = name
        self._old = old
        self._synchronised = synchronised and old is not None
        self._temporary, self._backup = f".cbpf-{token}.partial", f".cbpf-{token}.old"
        self._is_named = False
        self.descriptor = -1

    def create(self) -> None:
        """Create the file, with the attributes of the old one; `discard` must follow, also after an error."""
        mode = 0o666
        if self._old is not None:
            mode = 0o600
            _require_replaceable(self._folder, self._old)
        self.descriptor = self._create_unnamed(mode)
        if self.descriptor < 0:
            flags = _OPEN_FLAGS | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._is_named = True
            self.descriptor = os.open(self._temporary, flags, mode, dir_fd=self._folder)
        if self._old is not None:
            copy_attributes(self._old, self.descriptor)
            os.close(self._old)
            self._old = None

    def _create_unnamed(self, mode: int) -> int:
        """Return the descriptor of a file without a name, or -1 if there is none here or it could not get a name."""
        if UNNAMED_FLAG:
            with suppress(OSError):
                descriptor = os.open(".", _OPEN_FLAGS | UNNAMED_FLAG, mode, dir_fd=self._folder)
                if os.path.exists(_link_of(descriptor)):
                    return descriptor
                os.close(descriptor)
        return -1

    def finish(self) -> None:
        """Raise the errors that a file system reports after the last write."""
        if self._synchronised:
            try:
                os.fsync(self.descriptor)
            except OSError as error:
                if error.errno not in _CANNOT_SYNC:
                    raise
        report_late_errors(self.descriptor)

    def name_temporarily(self) -> None:
        """Give the file its temporary name, from which `publish` moves it."""
        if not self._is_named:
            self._is_named = True
            os.link(_link_of(self.descriptor), self._temporary, dst_dir_fd=self._folder)

    def publish(self, *, undoable: bool) -> Callable[[], None] | None:
        """Give the file its name; return a function that restores the previous state, or None if it cannot."""
        undo = self._prepare_undo() if undoable else None
        os.replace(self._temporary, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        self._is_named = False
        return undo

    def _prepare_undo(self) -> Callable[[], None] | None:
        try:
            os.link(self._name, self._backup, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        except FileNotFoundError:
            return lambda: os.unlink(self._name, dir_fd=self._folder)
        except OSError:  # the file system has no hard links
            return None
        return lambda: os.replace(self._backup, self._name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def discard(self) -> None:
        """Remove the temporary names and close the file."""
        names = [self._backup, self._temporary] if self._is_named else [self._backup]
        for name in names:
            with suppress(OSError):
                os.unlink(name, dir_fd=self._folder)
        for descriptor in (self.descriptor, self._old):
            if descriptor is not None and descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)


def _require_replaceable(folder: int, old: int) -> None:
    """Raise `PermissionError` if only its owner may replace a file, because its folder is sticky as /tmp is."""
    status = os.fstat(folder)
    if status.st_mode & stat.S_ISVTX and os.geteuid() not in (0, status.st_uid, os.fstat(old).st_uid):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def report_late_errors(descriptor: int) -> None:
    """Raise the errors that closing the file would report: network file systems and quotas have some."""
    os.close(os.dup(descriptor))


def copy_attributes(old: int, new: int) -> None:
    """Copy owner, group, permissions and extended attributes, access control lists among them, as far as permitted.

    Bits and attributes that grant the privileges of a program (set-user-ID, set-group-ID, file capabilities), and those
    that hold a checksum of the content, are not copied, because they do not apply to other content.
    """
    status = os.fstat(old)
    mode = status.st_mode & 0o777
    has_group = _copy_owner(status, new)
    if not has_group:  # the permissions of the group must not apply to another group
        mode &= 0o707 | (mode & 0o007) << 3
    _copy_extended_attributes(old, new, _NOT_COPIED if has_group else _NOT_COPIED | {_ACCESS_LIST})
    with suppress(PermissionError):
        os.fchmod(new, mode)


def _copy_owner(status: os.stat_result, new: int) -> bool:
    """Copy owner and group, or the group alone; return whether the new file has the group."""
    for owner in (status.st_uid, -1):
        with suppress(OSError):
            os.fchown(new, owner, status.st_gid)
            return True
    return os.fstat(new).st_gid == status.st_gid


def _copy_extended_attributes(old: int, new: int, not_copied: frozenset[str]) -> None:
    """Copy extended attributes; a new file may have inherited some from its folder, which are removed."""
    names = _extended_attributes(old) - not_copied
    for name in _extended_attributes(new) - names:
        with suppress(OSError):
            os.removexattr(new, name)
    for name in sorted(names):
        try:
            os.setxattr(new, name, os.getxattr(old, name))
        except OSError as error:
            if error.errno in _FULL:
                raise


def _extended_attributes(descriptor: int) -> frozenset[str]:
    try:
        return frozenset(os.listxattr(descriptor))
    except OSError:  # the file system has none
        return frozenset()


def is_regular(descriptor: int) -> bool:
    """Return whether a descriptor is that of a regular file."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _link_of(descriptor: int) -> str:
    return f"/proc/self/fd/{descriptor}"
