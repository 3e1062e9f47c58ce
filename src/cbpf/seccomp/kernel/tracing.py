"""The filters that a command and its processes install, seen by ptrace without privileges.

Each thread stops at the entry and at the exit of each system call. At the entry of a call that installs a filter, the
filter is read from the memory of the thread; if the call succeeds, the filter is recorded.
"""

import os
import signal
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Event, Thread, Timer

from ..._named_tuple import NamedTuple
from ..._record import Record
from ..._typing import Final
from ..._validators import optional, seconds
from ...errors import FieldError, ProgramFormatError, SeccompError
from ...isa.program import INSTRUCTION_SIZE, Program
from ..names.architectures import Architecture, architecture_of
from . import ptrace
from .installing import command_path, default_signals
from .kernel_calls import (
    FLAG_NEW_LISTENER,
    FLAG_TSYNC,
    PR_SET_SECCOMP,
    SECCOMP_MODE_FILTER,
    SECCOMP_SET_MODE_FILTER,
    install_numbers,
)

_OPTIONS: Final = ptrace.OPTION_SYSCALL_STOPS | ptrace.OPTION_FOLLOW | ptrace.OPTION_EXEC | ptrace.OPTION_KILL_AT_EXIT
_SYSCALL_STOP: Final = signal.SIGTRAP | 0x80
_STOPPING_SIGNALS: Final = frozenset({signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU})


class InstalledFilter(Record):
    """A filter that a thread of a traced command has installed.

    Args:
        program: The filter.
        thread: The number of the thread; that of the process for its first thread.
        name: The name of the thread, which is that of the executed file unless the program has changed it.
        architecture: The name of the architecture of the thread's system call: the filter has its byte order.
        older: The indices, in the result, of the filters that the thread had before, oldest first.
        all_threads: Whether the filter is for all threads of the process.
    """

    program: Program
    thread: int
    name: str
    architecture: str
    older: tuple[int, ...]
    all_threads: bool


class CommandTrace(Record):
    """The filters that a command installed.

    Args:
        filters: The filters in the order of their installation.
        exit_code: The exit code of the command, or the negative number of the signal that ended it.
        final: For each different stack that a thread had at its end, the indices of its filters, oldest first.
    """

    filters: tuple[InstalledFilter, ...]
    exit_code: int
    final: tuple[tuple[int, ...], ...]

    def stacks(self) -> tuple[tuple[Program, ...], ...]:
        """Return the stacks of filters that threads of the command had at their end, without repetitions.

        Returns:
            The filters of each stack, oldest first, in the order in which the threads ended.
        """
        programs = (tuple(self.filters[index].program for index in stack) for stack in self.final)
        return tuple(dict.fromkeys(programs))


def trace_command(command: Sequence[str], *, timeout: float | None = None) -> CommandTrace:
    """Run a command, and return the filters that it and its processes install.

    This needs no privileges. All processes that the command starts are traced, and run several times slower; programs
    with set-user-ID do not get their privileges. The function returns when all of them have ended. If it is
    interrupted, they are killed.

    Args:
        command: The name of the command, which is looked for in PATH, and its arguments. It has the standard input and
            outputs of this process.
        timeout: The time in seconds after which all processes of the command are killed; None for no limit.

    Returns:
        The filters, and the exit code of the command.

    Raises:
        FileNotFoundError: The command does not exist.
        PermissionError: It is not an executable file.
        SeccompError: The command cannot be executed, or this process must not trace it.
        FieldError: An argument is invalid.

    >>> trace_command(["true"]).exit_code
    0
    """
    if isinstance(command, str) or not command:
        raise FieldError(f"trace_command.command: {command!r} is not a list of a command and its arguments")
    limit = optional(seconds)("trace_command.timeout", timeout)
    tracer = _Tracer(command_path(command[0]), command)
    # Only the thread that traces can wait for its threads without waiting for other children of this process.
    thread = Thread(target=tracer.run, name="cbpf-tracer")
    timer = Timer(limit, tracer.kill) if limit is not None else None
    try:
        thread.start()
        if timer:
            timer.start()
        tracer.ended.wait()  # and not thread.join(), which returns at once after it was interrupted
    finally:  # also if it is interrupted
        if timer:
            timer.cancel()
        tracer.kill()
        if thread.ident is not None:
            tracer.ended.wait()
    if tracer.error:
        raise tracer.error
    return CommandTrace(tuple(tracer.filters), tracer.exit_code, tuple(filter(None, dict.fromkeys(tracer.final))))


class _Call(NamedTuple):
    """A system call that would install a filter.

    Args:
        row: The architecture of the call.
        flags: Its flags, SECCOMP_FILTER_FLAG_*; 0 for prctl.
        program: The filter.
    """

    row: Architecture
    flags: int
    program: Program


class _Tracer:
    """The traced threads of a command, and the filters that they have installed."""

    def __init__(self, path: str, command: Sequence[str]) -> None:
        self._path, self._command = path, list(command)
        self.filters: list[InstalledFilter] = []
        self.final: list[tuple[int, ...]] = []
        self.exit_code = 0
        self.ended = Event()
        self.error: Exception | None = None
        self._main = 0
        self._stacks: dict[int, tuple[int, ...]] = {}  # by thread: the indices of its filters
        self._calls: dict[int, _Call] = {}  # by thread: the installation that it has entered
        self._early: set[int] = set()  # new threads that stopped before the thread that started them
        self._is_killed = False

    def kill(self) -> None:
        """Kill all traced processes."""
        self._is_killed = True
        for thread in [*self._stacks, *self._early]:
            with suppress(ProcessLookupError):
                os.kill(thread, signal.SIGKILL)

    def run(self) -> None:
        """Start the command and trace it to the end of its last process."""
        try:
            self._start()
            self._wait()
        except Exception as error:
            self.error = error
            self.kill()
            with suppress(ChildProcessError):  # until no thread is left
                while True:
                    os.waitpid(-1, ptrace.ALL_CHILDREN | ptrace.OF_THIS_THREAD)
        finally:
            self.ended.set()

    def _start(self) -> None:
        """Start the command; it begins when it is traced."""
        ready, release = os.pipe()
        failed, report = os.pipe()
        self._main = _fork()
        if self._main == 0:
            os.close(release)
            os.read(ready, 1)
            try:
                with default_signals():
                    os.execv(self._path, self._command)
            except OSError as error:
                os.write(report, struct.pack("i", error.errno or 0))
            finally:
                os._exit(127)
        os.close(report)
        os.close(ready)
        self._failed = failed
        self._stacks[self._main] = ()
        try:
            ptrace.attach(self._main, _OPTIONS)
            ptrace.stop(self._main)
        except OSError as error:
            os.kill(self._main, signal.SIGKILL)
            os.waitpid(self._main, 0)
            fact = f"this process must not trace it: {error.strerror}"
            raise SeccompError(error.errno or 0, f"{self._path}: {fact}") from None
        finally:
            os.close(release)

    def _wait(self) -> None:
        """Handle stops until no thread is left."""
        while True:
            try:
                thread, status = os.waitpid(-1, ptrace.ALL_CHILDREN | ptrace.OF_THIS_THREAD)
            except ChildProcessError:
                break
            if os.WIFSTOPPED(status):
                self._handle(thread, os.WSTOPSIG(status), status >> 16)
            else:
                self.final.append(self._stacks.pop(thread, ()))
                if thread == self._main:
                    self.exit_code = os.waitstatus_to_exitcode(status)
        with open(self._failed, "rb") as stream:
            if data := stream.read():
                number = struct.unpack("i", data)[0]
                raise SeccompError(number, f"{self._path}: it cannot be executed: {os.strerror(number)}")

    def _handle(self, thread: int, signal_number: int, event: int) -> None:
        """Handle the stop of a thread, and let it continue."""
        injected, request = 0, ptrace.SYSCALL
        with suppress(ProcessLookupError):  # the thread was killed meanwhile, which the next wait reports
            if self._is_killed:
                return os.kill(thread, signal.SIGKILL)
            if signal_number == _SYSCALL_STOP:
                self._syscall(thread)
            elif event in ptrace.EVENTS_OF_NEW_THREADS:
                self._started(ptrace.event_message(thread), self._stacks[thread])
            elif event == ptrace.EVENT_EXEC:
                self._stacks[thread] = self._stacks.pop(ptrace.event_message(thread))
            elif event == ptrace.EVENT_STOP and signal_number in _STOPPING_SIGNALS:
                request = ptrace.LISTEN
            elif event == ptrace.EVENT_STOP and thread not in self._stacks:
                self._early.add(thread)
                return None
            elif not event:
                injected = signal_number
            ptrace.request(request, thread, None, injected)

    def _started(self, thread: int, stack: tuple[int, ...]) -> None:
        """Record a new thread, which has the filters of the one that started it."""
        self._stacks[thread] = stack
        if thread in self._early:
            self._early.remove(thread)
            ptrace.request(ptrace.SYSCALL, thread)

    def _syscall(self, thread: int) -> None:
        """Record the filter of a call that has installed one."""
        match ptrace.syscall_stop(thread):
            case ptrace.SyscallEntry() as entry:
                if call := _installation(thread, entry):
                    self._calls[thread] = call
            case ptrace.SyscallExit() as exit_:
                call = self._calls.pop(thread, None)
                if call and _succeeded(call, exit_):
                    self._record(thread, call)

    def _record(self, thread: int, call: _Call) -> None:
        older, everywhere = self._stacks[thread], bool(call.flags & FLAG_TSYNC)
        found = InstalledFilter(call.program, thread, _thread_name(thread), call.row.name, older, everywhere)
        self.filters.append(found)
        for each in [thread, *(_threads(thread) if everywhere else ())]:
            self._stacks[each] = (*older, len(self.filters) - 1)


def _fork() -> int:
    with warnings.catch_warnings():
        # Python warns of forks in processes with threads; the child only executes a file.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _installation(thread: int, entry: ptrace.SyscallEntry) -> _Call | None:
    """Return the installation that a thread enters; None for another call."""
    row = architecture_of(entry.audit_arch, entry.number)
    if row is None:
        return None
    numbers, (first, second, third, *_) = install_numbers(row), entry.arguments
    if entry.number == numbers.seccomp and first == SECCOMP_SET_MODE_FILTER:
        flags = second
    elif entry.number == numbers.prctl and (first, second) == (PR_SET_SECCOMP, SECCOMP_MODE_FILTER):
        flags = 0
    else:
        return None
    program = _program(thread, row, third)
    return _Call(row, flags, program) if program else None


def _program(thread: int, row: Architecture, address: int) -> Program | None:
    """Return the program of a struct sock_fprog in the memory of a thread; None if it is not there."""
    mark = "<" if row.byte_order == "little" else ">"
    layout = struct.Struct(f"{mark}H6xQ" if row.bits == 64 else f"{mark}H2xI")
    try:
        length, pointer = layout.unpack(ptrace.read_memory(thread, address, layout.size))
        size = INSTRUCTION_SIZE * length
        return Program.from_bytes(ptrace.read_memory(thread, pointer, size), byte_order=row.byte_order)
    except (OSError, OverflowError, struct.error, ProgramFormatError):
        return None  # the kernel cannot read it either


def _succeeded(call: _Call, exit_: ptrace.SyscallExit) -> bool:
    """Return whether a call has installed its filter: with FLAG_TSYNC, it may return the number of a thread instead."""
    is_descriptor = bool(call.flags & FLAG_NEW_LISTENER)
    return not exit_.failed and (exit_.result == 0 or is_descriptor)


def _thread_name(thread: int) -> str:
    with open(f"/proc/{thread}/comm") as stream:
        return stream.read().rstrip("\n")


def _threads(thread: int) -> Iterator[int]:
    """Yield the numbers of all threads of the process of a thread."""
    return map(int, os.listdir(f"/proc/{thread}/task"))
