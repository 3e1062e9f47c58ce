"""ptrace(2): the requests with which one process reads the filters and system calls of another.

Functions of this module raise OSError as the kernel does. All requests for a thread come from the thread that attached
it.

Sources: linux/ptrace.h, ptrace(2).
"""

import ctypes
import os
import struct
from functools import cache

from ..._c_library import c_library, checked
from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ...isa.program import INSTRUCTION_SIZE, Program

SYSCALL: Final = 24
"""Continue until the next entry or exit of a system call."""
DETACH: Final = 17
LISTEN: Final = 0x4208
"""Leave the thread stopped, as the signal that stopped it demands."""
_CONTINUE: Final = 7
_GET_EVENT_MESSAGE: Final = 0x4201
_SEIZE: Final = 0x4206
_INTERRUPT: Final = 0x4207
_SECCOMP_GET_FILTER: Final = 0x420C
_GET_SYSCALL_INFO: Final = 0x420E

OPTION_SYSCALL_STOPS: Final = 1  # PTRACE_O_TRACESYSGOOD
OPTION_FOLLOW: Final = 2 | 4 | 8  # PTRACE_O_TRACEFORK, TRACEVFORK, TRACECLONE
OPTION_EXEC: Final = 16
OPTION_KILL_AT_EXIT: Final = 0x10_0000
EVENTS_OF_NEW_THREADS: Final = frozenset({1, 2, 3})  # PTRACE_EVENT_FORK, VFORK, CLONE
EVENT_EXEC: Final = 4
EVENT_STOP: Final = 128

ALL_CHILDREN: Final = 0x4000_0000  # __WALL
OF_THIS_THREAD: Final = 0x2000_0000  # __WNOTHREAD

_ENTRY, _EXIT = 1, 2
_INFO: Final = struct.Struct("B3xIQQ7Q")  # struct ptrace_syscall_info at an entry
_EXIT_RESULT: Final = struct.Struct("qB")  # its last part at an exit
_EXIT_OFFSET: Final = 24


class SyscallEntry(NamedTuple):
    """The entry of a thread into a system call.

    Args:
        audit_arch: AUDIT_ARCH of its architecture.
        number: The number of the call.
        arguments: The six arguments.
    """

    audit_arch: int
    number: int
    arguments: tuple[int, ...]


class SyscallExit(NamedTuple):
    """The exit of a thread from a system call.

    Args:
        result: The result, a negative errno if the call failed.
        failed: Whether the call failed.
    """

    result: int
    failed: bool


@cache
def _function() -> Any:
    """Return ptrace of the C library, with the types of its arguments."""
    function = c_library().ptrace
    function.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    function.restype = ctypes.c_long
    return function


def request(number: int, thread: int, address: int | None = None, data: Any = None) -> int:
    """Make a request for a thread; return its result."""
    return checked(_function()(number, thread, address, data))


def attach(thread: int, options: int = 0) -> None:
    """Begin to trace a thread, without stopping it."""
    request(_SEIZE, thread, None, options)


def stop(thread: int) -> None:
    """Demand that a traced thread stops; `waitpid` reports the stop."""
    request(_INTERRUPT, thread)


def event_message(thread: int) -> int:
    """Return the message of the event at which a thread has stopped: the number of a thread."""
    message = ctypes.c_ulong()
    request(_GET_EVENT_MESSAGE, thread, None, ctypes.addressof(message))
    return message.value


def installed_program(thread: int, index: int) -> Program:
    """Return a filter of a stopped thread; index 0 is the oldest."""
    length = request(_SECCOMP_GET_FILTER, thread, index)
    code = ctypes.create_string_buffer(INSTRUCTION_SIZE * length)
    request(_SECCOMP_GET_FILTER, thread, index, ctypes.addressof(code))
    return Program.from_bytes(code.raw)


def syscall_stop(thread: int) -> SyscallEntry | SyscallExit | None:
    """Return the call that a thread, which has stopped for a system call, enters or leaves."""
    info = ctypes.create_string_buffer(_INFO.size)
    request(_GET_SYSCALL_INFO, thread, _INFO.size, ctypes.addressof(info))
    operation, audit_arch, _pointer, _stack, number, *arguments = _INFO.unpack(info.raw)
    if operation == _ENTRY:
        return SyscallEntry(audit_arch, number, tuple(arguments))
    if operation == _EXIT:
        result, failed = _EXIT_RESULT.unpack_from(info.raw, _EXIT_OFFSET)
        return SyscallExit(result, bool(failed))
    return None


def read_memory(thread: int, address: int, size: int) -> bytes:
    """Return bytes of the memory of a traced thread; fewer if they end."""
    descriptor = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(descriptor, size, address)
    finally:
        os.close(descriptor)
