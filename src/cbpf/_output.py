"""The one writer of files: each appears completely or not at all, and several appear together.

    with OutputFiles() as files:
        file = files.open("out.pcap")
        file.write(b"...")
        files.commit()

Regular files are replaced (`_replacement`). Devices, pipes and descriptors such as /dev/stdout cannot be, and are
written directly. Errors are `OSError` with the path of the target as their filename.
"""

import errno
import os
import sys

from ._replacement import Replacement, is_regular, report_late_errors
from ._signals import signal
from ._stdlib import contextmanager, suppress
from ._typing import Callable, Final, Iterable, Iterator, Protocol, Self

_MAX_LINKS: Final = 40  # symbolic links that Linux follows in one path
_DESCRIPTOR_FOLDER: Final = r"/proc/\d+(/task/\d+)?/fd"
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Undo = Callable[[], None] | None


class _Content(Protocol):
    """The file of a target, and how it gets its name."""

    descriptor: int

    def finish(self) -> None: ...
    def name_temporarily(self) -> None: ...
    def publish(self, *, undoable: bool) -> Undo: ...
    def discard(self) -> None: ...


class _Direct:
    """A device, pipe or descriptor: written data cannot be taken back."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def finish(self) -> None:
        report_late_errors(self.descriptor)

    def name_temporarily(self) -> None:
        pass

    def publish(self, *, undoable: bool) -> Undo:
        return lambda: None

    def discard(self) -> None:
        with suppress(OSError):
            os.close(self.descriptor)


class OutputFile:
    """A target that is being written."""

    def __init__(self, path: str, content: _Content) -> None:
        self.path = path
        self.content = content

    @property
    def descriptor(self) -> int:
        """The descriptor to which `write` writes."""
        return self.content.descriptor

    def write(self, data: bytes) -> None:
        """Write bytes."""
        with named_errors(self.path):
            write_all(self.content.descriptor, data)


class OutputFiles:
    """Targets that are written together; at the end of the block, those that were not committed are discarded."""

    def __init__(self) -> None:
        self._files: list[OutputFile] = []
        self._folders: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        with signals_deferred():
            for file in self._files:
                file.content.discard()
            for folder in self._folders.values():
                os.close(folder)
            self._files, self._folders = [], {}

    def open(self, path: str | os.PathLike[str], *, synchronised: bool = True) -> OutputFile:
        """Open a target.

        *synchronised*: its data are on the disk before it replaces another file, so that one of them is complete after
        a loss of power. A new file is not synchronised.

        Symbolic links are followed, dangling ones too. A file that the process may not write is an error, although the
        folder might permit its replacement.
        """
        name = os.fsdecode(path)
        with named_errors(name):
            resolved = _follow_links(name)
            if isinstance(resolved, int):
                return self._add(name, _Direct(os.dup(resolved)))
            old = _open_existing(resolved)
            if old is None or is_regular(old):
                return self._open_replacement(name, resolved, old, synchronised)
            return self._add(name, _Direct(old))

    def _open_replacement(self, name: str, path: str, old: int | None, synchronised: bool) -> OutputFile:
        folder, last = os.path.split(path)
        if last in ("", ".", ".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if folder not in self._folders:
            self._folders[folder] = os.open(folder or ".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        content = Replacement(self._folders[folder], last, old, synchronised=synchronised)
        file = self._add(name, content)  # before the file is created: a signal may arrive at any time
        try:
            content.create()
        except OSError as error:
            if old is None or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                raise
            fact = f"{error.strerror} to replace it by a file in its folder"
            raise OSError(error.errno, f"{fact}; -w - > FILE writes into the file itself") from None
        return file

    def _add(self, name: str, content: _Content) -> OutputFile:
        self._files.append(OutputFile(name, content))
        return self._files[-1]

    def commit(self, files: Iterable[OutputFile] | None = None) -> None:
        """Make the files appear, by default all of them.

        First all files are completed, then all are renamed, in the order in which they were opened. Signals are
        deferred until all have their names. If one cannot be renamed, the others are restored.
        """
        chosen = self._files if files is None else list(files)
        for file in chosen:
            with named_errors(file.path):
                file.content.finish()
        with signals_deferred():
            for file in chosen:
                with named_errors(file.path):
                    file.content.name_temporarily()
            _publish(chosen)


def _publish(files: list[OutputFile]) -> None:
    published: list[tuple[str, Undo]] = []
    try:
        for file in files:
            with named_errors(file.path):
                undo = file.content.publish(undoable=file is not files[-1])
            published.append((file.path, undo))
    except BaseException as error:
        remaining = [path for path, undo in reversed(published) if not _undone(undo)]
        if not remaining or not isinstance(error, OSError):
            raise
        fact = f"{error.strerror}; already replaced: {', '.join(map(display_name, reversed(remaining)))}"
        raise OSError(error.errno, fact, error.filename) from None


def _undone(undo: Undo) -> bool:
    """Restore the previous state of a target, if possible; return whether it was."""
    try:
        if undo is not None:
            undo()
    except OSError:
        return False
    return undo is not None


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Defer the signals that end a command until the end of the block."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:  # blocking may run the handler of a signal that has already arrived
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


@contextmanager
def named_errors(path: str) -> Iterator[None]:
    """Set the filename of errors of the operating system, a closed pipe excepted."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), path) from None
    except ValueError as error:  # a null character, or a lone surrogate
        raise OSError(errno.EINVAL, str(error), path) from None


def _follow_links(path: str) -> str | int:
    """Return the path that the symbolic links of the last component lead to, or a number for a descriptor's name."""
    for _ in range(_MAX_LINKS):
        folder, last = os.path.split(path)
        if last.isdecimal() and _is_descriptor_folder(folder):
            return int(last)
        try:
            link = os.readlink(path)
        except OSError:
            return path
        path = os.path.join(folder, link)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def linked_path(path: str) -> str | None:
    """Return the path of the file that a target with this path replaces; None for a descriptor's name."""
    with named_errors(path):
        resolved = _follow_links(path)
        return resolved if isinstance(resolved, str) else None


def _is_descriptor_folder(folder: str) -> bool:
    """Return whether a folder is /proc/self/fd or leads there, as /dev/fd does."""
    import re

    with suppress(OSError):
        real = os.path.realpath(folder or ".")
        own = {os.path.realpath(f"/proc/{name}/fd") for name in ("self", "thread-self")}
        return real in own and re.fullmatch(_DESCRIPTOR_FOLDER, real) is not None
    return False


def _open_existing(path: str) -> int | None:
    """Return a descriptor of an existing file, whose content is unchanged, or None if there is none."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        return None


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes; a descriptor that does not block is waited for."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            import select

            select.select([], [descriptor], [])


def display_name(path: str) -> str:
    """Return a path for messages, with escapes for unprintable characters."""
    return path if path.isprintable() else repr(path)


def write_file(target: str | os.PathLike[str], data: bytes) -> None:
    """Write a file that appears completely or not at all.

    An existing file is replaced when all data are written: its owner, group, permissions, extended attributes and
    access control lists are preserved as far as permitted, and after an error or a signal it is unchanged. Symbolic
    links are followed; other hard links keep the old content.

    Args:
        target: A path, or "-" for standard output. Devices, pipes and paths such as /dev/stdout are written directly.
        data: The bytes of the file.

    Raises:
        OSError: The file cannot be written; the attribute `filename` has the path. A file that the process has no
            permission to write is not replaced.
    """
    if target == "-":
        with named_errors("standard output"):
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        return
    with OutputFiles() as files:
        files.open(target).write(data)
        files.commit()
