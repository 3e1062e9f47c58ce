"""The filters of a running process, read by ptrace."""

import errno
import os
import time
from contextlib import suppress

from ..._typing import Final
from ..._validators import within
from ...errors import SeccompError
from ...isa.program import Program
from . import ptrace

_MAX_THREAD: Final = 0x3FFF_FFFF
_STOP_SECONDS: Final = 5
_POLL_SECONDS: Final = 0.001
_CAPABILITY: Final = "reading filters needs CAP_SYS_ADMIN in the initial user namespace, and a process without filters"
_FILTER_MODE: Final = "2"
_MODES: Final = {
    "0": "it has no filter",
    "1": "it is in strict mode, which permits read, write, exit and sigreturn only, and has no filter",
}


def process_filters(process: int) -> tuple[Program, ...]:
    """Return the filters of a running process, which stops for a moment.

    Args:
        process: The number of the process, or of one of its threads, which can have filters of their own.

    Returns:
        The filters as they were installed, oldest first; the kernel runs all of them for each call.

    Raises:
        SeccompError: The process does not exist or has no filter, or this process must not read its filters: that
            needs CAP_SYS_ADMIN, and that the process is neither this one nor traced by another one.
        FieldError: *process* is not the number of a process.

    >>> process_filters(0x3FFF_FFFF)
    Traceback (most recent call last):
    cbpf.errors.SeccompError: process 1073741823: it does not exist
    """
    thread = within(1, _MAX_THREAD, "the number of a process")("process_filters.process", process)
    mode = _status(thread).get("Seccomp")
    if mode is None:
        reason = "this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER"
        raise SeccompError(errno.ENOSYS, f"process {thread}: {reason}")
    if (fact := _MODES.get(mode)) is not None:
        others = [each for each in _threads(thread) if _mode(each) == _FILTER_MODE]
        hint = f", but its thread {others[0]} has; read the filters of that number" if others else ""
        raise SeccompError(errno.EINVAL, f"process {thread}: {fact}{hint}")
    try:
        ptrace.attach(thread)
    except OSError as error:
        raise _not_attached(thread, error) from None
    injected = 0
    try:
        injected = _stopped(thread)
        return _filters(thread)
    finally:
        _detach(thread, injected)


def thread_filters(process: int) -> dict[int, tuple[Program, ...]]:
    """Return the filters of each thread of a running process; each of them stops for a moment.

    Linux has filters by thread: those that a thread installs are its own, and those of the threads that it starts
    afterwards, unless it installs them for all threads.

    Args:
        process: The number of the process, or of one of its threads.

    Returns:
        For the number of each thread its filters, oldest first; () for a thread without filters. The first one is the
        main thread, whose number is that of the process. Threads that end meanwhile are left out.

    Raises:
        SeccompError: As for `process_filters`, except that the process may have no filter.
        FieldError: *process* is not the number of a process.

    >>> thread_filters(0x3FFF_FFFF)
    Traceback (most recent call last):
    cbpf.errors.SeccompError: process 1073741823: it does not exist
    """
    first = within(1, _MAX_THREAD, "the number of a process")("thread_filters.process", process)
    _status(first)
    found: dict[int, tuple[Program, ...]] = {}
    for thread in _threads(first):
        try:
            found[thread] = process_filters(thread) if _mode(thread) == _FILTER_MODE else ()
        except SeccompError as error:
            if error.errno != errno.ESRCH:
                raise
    return found


def _threads(thread: int) -> list[int]:
    """Return the numbers of all threads of the process of a thread, first the main thread; [] if it has ended."""
    try:
        return sorted(map(int, os.listdir(f"/proc/{thread}/task")))
    except (FileNotFoundError, ProcessLookupError):
        return []


def _mode(thread: int) -> str:
    """Return the mode of seccomp of a thread; "" if it has ended."""
    try:
        return _status(thread).get("Seccomp", "")
    except SeccompError:
        return ""


def _status(thread: int) -> dict[str, str]:
    """Return the fields of /proc/THREAD/status."""
    try:
        with open(f"/proc/{thread}/status") as stream:
            return {name: value.strip() for name, _, value in (line.partition(":") for line in stream)}
    except (FileNotFoundError, ProcessLookupError):
        raise SeccompError(errno.ESRCH, f"process {thread}: it does not exist") from None


def _not_attached(thread: int, error: OSError) -> SeccompError:
    """Return the error of a process that cannot be traced, in words."""
    status = _status(thread)
    tracer = status.get("TracerPid", "0")
    if error.errno != errno.EPERM:
        fact = error.strerror
    elif int(status.get("Tgid", 0)) == os.getpid():
        fact = "it is this process, which cannot trace itself; run the command in another one"
    elif tracer != "0":
        fact = f"process {tracer} traces it already"
    else:
        fact = f"this process must not trace it; {_CAPABILITY}"
    return SeccompError(error.errno or 0, f"process {thread}: {fact}")


def _stopped(thread: int) -> int:
    """Stop a thread; return the signal that it was about to receive, 0 for none."""
    ptrace.stop(thread)
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        found, status = os.waitpid(thread, ptrace.ALL_CHILDREN | os.WNOHANG)
        if found and not os.WIFSTOPPED(status):
            raise SeccompError(errno.ESRCH, f"process {thread}: it ended before its filters were read")
        if found:
            return 0 if status >> 16 == ptrace.EVENT_STOP else os.WSTOPSIG(status)
        if time.monotonic() > deadline:
            raise SeccompError(errno.EAGAIN, f"process {thread}: it did not stop within {_STOP_SECONDS} seconds")
        time.sleep(_POLL_SECONDS)


def _filters(thread: int) -> tuple[Program, ...]:
    """Return the filters of a stopped thread, oldest first."""
    programs: list[Program] = []
    while True:
        try:
            programs.append(ptrace.installed_program(thread, len(programs)))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return tuple(programs)
            raise SeccompError(error.errno or 0, f"process {thread}: {_reason(error)}") from None


def _reason(error: OSError) -> str:
    """Return the reason why the kernel does not return a filter."""
    match error.errno:
        case errno.EACCES:
            return f"its filters cannot be read; {_CAPABILITY} of its own"
        case errno.EINVAL | errno.EIO:
            return "this kernel returns no filters; it needs CONFIG_CHECKPOINT_RESTORE"
        case errno.ESRCH:
            return "it ended before its filters were read"
        case _:
            return str(error.strerror)


def _detach(thread: int, injected: int) -> None:
    """End the tracing of a thread, which continues and receives a signal."""
    with suppress(OSError):  # it has ended, or did not stop: the kernel detaches it with the end of this process
        ptrace.request(ptrace.DETACH, thread, None, injected)
