"""Filters for the own process, and for a command that it becomes or starts."""

import errno
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from ..._typing import Final, Literal
from ..._validators import flag, one_of
from ...errors import FieldError, SeccompError
from ...isa.dialects import SECCOMP
from ...isa.program import Instructions, Program
from ...isa.verifier import verify
from .kernel_calls import (
    FLAG_LOG,
    FLAG_TSYNC,
    has_no_new_privileges,
    install_program,
    set_no_new_privileges,
)

INSTALLATION_RULES: Final[Mapping[int, str]] = {
    errno.EACCES: "the kernel permits no filter; it needs no_new_privileges=True, or CAP_SYS_ADMIN",
    errno.ENOMEM: "the filters of a thread may have 32,768 instructions together, each with 4 more, as the kernel"
    " translates them; or the kernel has no memory",
    errno.EINVAL: "the kernel rejects the program, which satisfies all rules of Linux 6.18; this kernel may be older,"
    " or without CONFIG_SECCOMP_FILTER",
    errno.ENOSYS: "this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER",
    errno.EPERM: "a filter of this process denies the installation of another one",
}
_check_threads: Final = one_of("this", "all")


def install(
    program: Instructions,
    *,
    threads: Literal["this", "all"] = "this",
    log: bool = False,
    no_new_privileges: bool = True,
) -> None:
    """Put this process under a filter of system calls, which nobody can remove.

    The filter is for this thread, and for all threads and processes that it starts from now on. The program is verified
    first.

    Args:
        program: The program.
        threads: "this" (the default) for this thread; "all" for all threads of the process, which then have the same
            filters.
        log: Whether the kernel logs the calls that the filter does not allow; of these, the sysctl
            `kernel.seccomp.actions_logged` selects those with some actions.
        no_new_privileges: Whether to set no_new_privs for this thread first, which cannot be undone: programs that it
            executes get no further privileges. Without it, the kernel requires CAP_SYS_ADMIN.

    Raises:
        VerificationError: The dialect `SECCOMP` rejects the program; the exception holds all findings.
        SeccompError: The kernel rejects the filter, or a thread has filters that this one lacks. Nothing was installed,
            but no_new_privs is set.
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> allow = cbpf.Program([cbpf.RetConstant(0x7FFF_0000)])
    >>> cbpf.seccomp.install(allow, threads="some")
    Traceback (most recent call last):
    cbpf.errors.FieldError: install.threads: 'some' is not one of 'this', 'all'
    """
    everywhere = _check_threads("install.threads", threads) == "all"
    flags = (FLAG_TSYNC if everywhere else 0) | (FLAG_LOG if flag("install.log", log) else 0)
    value = Program(program)
    verify(value, dialect=SECCOMP)
    if flag("install.no_new_privileges", no_new_privileges):
        _set_no_new_privileges()
    try:
        other = install_program(value, flags)
    except OSError as error:
        raise _explained(error) from None
    if other:
        fact = f"thread {other} of process {os.getpid()} cannot follow: it has filters that this thread lacks"
        raise SeccompError(errno.ESRCH, f"seccomp: {fact}; install the first filter with threads='all'")


def execute(
    programs: Iterable[Instructions], command: Sequence[str], *, log: bool = False, no_new_privileges: bool = True
) -> None:
    """Replace this process by a command under filters of system calls; return only by an exception.

    The filters also decide about the call that starts the command, so they must allow `execve`.

    Args:
        programs: The filters, oldest first.
        command: The name of the command, which is looked for in PATH, and its arguments.
        log: As for `install`.
        no_new_privileges: As for `install`.

    Raises:
        VerificationError: The dialect `SECCOMP` rejects a program; nothing was installed.
        SeccompError: The kernel rejects a filter, or the filters deny `execve`.
        FileNotFoundError: The command does not exist; nothing was installed.
        PermissionError: It is not an executable file; nothing was installed.
        FieldError: An argument is invalid.
    """
    values = [Program(program) for program in programs]
    for value in values:
        verify(value, dialect=SECCOMP)
    if isinstance(command, str) or not command:
        raise FieldError(f"execute.command: {command!r} is not a list of a command and its arguments")
    path = command_path(command[0])
    with default_signals():
        for value in values:
            install(value, log=log, no_new_privileges=no_new_privileges)
        try:
            os.execv(path, list(command))
        except OSError as error:
            fact = f"{path} cannot be executed under the filters: {error.strerror}"
            raise SeccompError(error.errno, f"seccomp: {fact}; they must allow execve") from None


def command_path(name: str) -> str:
    """Return the path of a command, which is looked for in PATH; raise an error if it cannot be executed."""
    import shutil

    path = shutil.which(name)
    if path is None and os.path.dirname(name) and os.path.exists(name):
        raise PermissionError(errno.EACCES, "it is not executable", name)
    if path is None:
        raise FileNotFoundError(errno.ENOENT, "no such command", name)
    return path


@contextmanager
def default_signals() -> Iterator[None]:
    """Have the default actions for the signals that Python ignores: a command that is executed inherits ignored ones.

    Threads other than the main one cannot change them.
    """
    ignored = [number for number in (signal.SIGPIPE, signal.SIGXFSZ) if signal.getsignal(number) is signal.SIG_IGN]
    if threading.current_thread() is not threading.main_thread():
        ignored = []
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        for number in ignored:
            with suppress(OSError):  # the filters may deny it
                signal.signal(number, signal.SIG_IGN)


def _set_no_new_privileges() -> None:
    try:
        set_no_new_privileges()
    except OSError as error:
        raise SeccompError(error.errno, f"seccomp: no_new_privs cannot be set: {error.strerror}") from None


def _explained(error: OSError) -> SeccompError:
    """Return the error of an installation in words."""
    number = error.errno or 0
    rule = INSTALLATION_RULES.get(number, error.strerror)
    if number == errno.EACCES and has_no_new_privileges():
        rule = "the kernel permits no filter, although no_new_privs is set; a security module may forbid it"
    return SeccompError(number, f"seccomp: {rule}")
