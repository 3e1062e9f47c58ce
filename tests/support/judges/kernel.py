"""The live Linux kernel as a reference for classic BPF programs: acceptance, delivered bytes, and verdicts.

A program is a sequence of `(code, jt, jf, k)`. This module uses nothing of cbpf. If `available` or
`seccomp_available` returns a reason, no other function for that kind of filter may be called.

Socket filters are attached to one end of an AF_UNIX datagram pair, which needs no privilege. For the program,
a datagram is a packet without a link-layer header and without a device, with the network header at byte 0; loading
`ifidx` or `hatype` ends the run with A as the verdict. All calls of a process share one pair, so only one thread may
call these functions. The verdict of a program that loads `cpu` or `rand` cannot be read: `verdict` runs the program
several times, and each run may return another value.

Seccomp filters run in a forked child. After it installed the filter, the child makes no system call except the one
under test, so the filter may deny all others.
"""

from __future__ import annotations

import atexit
import ctypes
import errno
import mmap
import os
import platform
import resource
import signal
import socket
import struct
import sys
import warnings
from array import array
from collections.abc import Callable, Sequence
from functools import cache
from itertools import starmap
from typing import Final

Instruction = tuple[int, int, int, int]
Program = Sequence[Instruction]

SO_ATTACH_FILTER: Final = 26
SO_DETACH_FILTER: Final = 27
JA: Final = 0x05
RETURN_K: Final = 0x06
RETURN_A: Final = 0x16
LOAD_ABSOLUTE: Final = (0x20, 0x28, 0x30)
DEVICE_EXTENSIONS: Final = (0xFFFFF008, 0xFFFFF01C)  # ifidx, hatype
MAX_LENGTH: Final = 4096
ONE_PAST_WORD: Final = 1 << 32

_INSTRUCTION: Final = struct.Struct("HBBI")
_FILTER: Final = struct.Struct("HP")


def sock_fprog(program: Program) -> tuple[bytes, array[int]]:
    """Return a `struct sock_fprog`, and the array that it points to, which must outlive it."""
    code = array("B", b"".join(starmap(_INSTRUCTION.pack, program)))
    return _FILTER.pack(len(program), code.buffer_info()[0]), code


# -- socket filters ------------------------------------------------------------


@cache
def _pair() -> tuple[socket.socket, socket.socket, bytearray]:
    """Return a sender, a non-blocking receiver, and a buffer for a datagram."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    return sender, receiver, bytearray(1 << 16)


def _discard_pair() -> None:
    """Close the pair, if it exists; the next call creates another."""
    if _pair.cache_info().currsize:
        sender, receiver, _ = _pair()
        sender.close()
        receiver.close()
        _pair.cache_clear()


atexit.register(_discard_pair)
# A forked worker must not read from the pair of its parent.
os.register_at_fork(after_in_child=_discard_pair)


def _attach(program: Program) -> None:
    """Attach *program* to the receiver; raise OSError if the kernel rejects it."""
    fprog, _code = sock_fprog(program)
    _pair()[1].setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)


def _detach() -> None:
    """Detach the filter, which frees the socket memory that it used."""
    _pair()[1].setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def _transmit(packet: bytes) -> int | None:
    """Send *packet* to the receiver; return the number of bytes received, None if the filter rejects it."""
    sender, receiver, buffer = _pair()
    try:
        sender.send(packet)
        return receiver.recv_into(buffer)
    except BlockingIOError:
        return None
    except BaseException:  # interrupted: the sent packet must not be received as the next one
        _discard_pair()
        raise


@cache
def available() -> str | None:
    """Return None if this kernel can run socket filters, else the reason in one sentence."""
    if sys.platform != "linux":
        return f"socket filters need Linux, and this is {sys.platform}."
    try:
        received = [delivered([(RETURN_K, 0, 0, k)], b"packet") for k in (0, 3, 9)]
    except OSError as error:
        return f"The kernel rejects a socket filter: {error}."
    return None if received == [None, 3, 6] else f"The kernel does not apply socket filters: {received}."


def attach_errno(program: Program) -> int:
    """Return 0 if a new AF_UNIX datagram socket accepts *program* as its filter, else the errno.

    Raise `struct.error` for a number that does not fit `struct sock_filter`, and for more than 65535 instructions.
    """
    try:
        _attach(program)
    except OSError as error:
        return error.errno or -1
    _detach()
    return 0


def delivered(program: Program, packet: bytes) -> int | None:
    """Return the number of bytes of *packet* that *program* lets pass; None if it rejects the packet.

    It rejects if the verdict is 0 or the run aborts. The result for an empty packet is 0 or None. Raise OSError if the
    kernel rejects the program.
    """
    _attach(program)
    received = _transmit(packet)
    _detach()
    return received


def verdict(program: Program, packet: bytes) -> int:
    """Return the unsigned 32-bit verdict of *program* on *packet*; 0 also if the run aborted.

    Raise OSError if the kernel rejects the program, ValueError if it is too long to be instrumented.
    """
    return verdict_through(lambda changed: delivered(changed, packet), program, len(packet))


def outcome(program: Program, packet: bytes) -> int | None:
    """Return the verdict of *program* on *packet*, or None if the run ended early with 0.

    A run ends early after a load past the end, a division by 0, or a load from a missing device while A is 0.
    """
    value = verdict(program, packet)
    if value:
        return value
    # Each RET remains a RET: the program keeps its length, and the checker sees the same scratch accesses.
    reached = [(RETURN_K, 0, 0, 1) if row[0] in (RETURN_K, RETURN_A) else row for row in program]
    return None if delivered(reached, packet) is None else 0


Delivery = Callable[[Program], int | None]
"""A function that runs a program on a fixed packet; returns the number of delivered bytes, None for a rejection."""


def verdict_through(deliver: Delivery, program: Program, size: int, *, floor: int = 0, has_device: bool = False) -> int:
    """Return the unsigned 32-bit verdict of *program* on a packet of *size* bytes, which *deliver* sends.

    *floor* is the number of further bytes that a socket always delivers, and *deliver* does not count. *has_device* is
    whether the packet has a network device. Raise OSError and ValueError as `verdict` does.

    Each attach reads one digit of the value: a packet of n bytes encodes a digit of base n + 1 as the number of bytes
    received, or as a rejection.
    """
    received = deliver(program)
    if received is None:
        return 0
    if 0 < received < size:
        return received + floor
    base = max(2, size + 1)
    value, scale = 0, 1
    while scale < ONE_PAST_WORD:
        value += scale * _digit(deliver, program, scale, base, floor, has_device)
        scale *= base
    return value


def _digit(deliver: Delivery, program: Program, scale: int, base: int, floor: int, has_device: bool) -> int:
    """Return verdict // scale % base: the program is changed to deliver that many bytes and *floor* more."""
    epilogue = [(0x34, 0, 0, scale), (0x94, 0, 0, base), (0x04, 0, 0, floor), (RETURN_A, 0, 0, 0)]
    changed = _redirected(program, lambda k: k // scale % base + floor, epilogue, has_device=has_device)
    try:
        received = deliver(changed)
    except OSError as error:
        raise ValueError(f"cannot read the verdict of {len(program)} instructions: {error}") from error
    if received is None:
        return 0
    return received if floor else max(1, received)  # an empty packet that arrives encodes 1


def _returns_a(row: Instruction, has_device: bool) -> bool:
    """Return whether an instruction ends the run with A: `ret a`, or a load from a missing device."""
    return row[0] == RETURN_A or (not has_device and row[0] in LOAD_ABSOLUTE and row[3] in DEVICE_EXTENSIONS)


def _redirected(
    program: Program, constant: Callable[[int], int], epilogue: Program, *, has_device: bool = False
) -> list[Instruction]:
    """Return *program* with `constant(k)` for k in each `ret #k`, and *epilogue* after each end with A.

    Every instruction keeps its index, so no conditional jump grows; a `ja` reaches any distance within the kernel's
    limits on translated size. The scratch rule can only become weaker: a RET passes its set of written slots on to the
    next instruction, the `ja` that replaces it passes the full set on, and the epilogue reads no slot. So the kernel
    accepts the result if it accepts the original, but not conversely.
    """
    end = len(program)
    changed: list[Instruction] = []
    for index, row in enumerate(program):
        if row[0] == RETURN_K:
            row = (RETURN_K, 0, 0, constant(row[3]))
        elif _returns_a(row, has_device):
            row = (JA, 0, 0, end - index - 1)
        changed.append(row)
    if any(_returns_a(row, has_device) for row in program):
        changed += epilogue
    if len(changed) > MAX_LENGTH:
        raise ValueError(f"cannot read the verdict of {end} instructions: no room for {len(epilogue)} more")
    return changed


# -- seccomp -------------------------------------------------------------------

PR_SET_DUMPABLE: Final = 4
PR_SET_SECCOMP: Final = 22
PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_MODE_FILTER: Final = 2
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_NEW_LISTENER: Final = 8
SECCOMP_SYSTEM_CALL: Final = {"x86_64": 317, "aarch64": 277, "riscv64": 277}

ACTION_ERRNO: Final = 0x00050000
ACTION_LOG: Final = 0x7FFC0000
ACTION_ALLOW: Final = 0x7FFF0000
ACTION_MASK: Final = 0xFFFF0000

_REPORT: Final = struct.Struct("ii")
_SILENT, _REJECTED, _INSTALLED, _RETURNED, _TRAPPED = range(5)


class _SignalAction(ctypes.Structure):
    """`struct sigaction` of the C libraries on 64-bit Linux."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ubyte * 128),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


_SA_SIGINFO: Final = 4
_HANDLER: Final = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.c_void_p)


@cache
def _library() -> ctypes.PyDLL:
    """Return the C library, called without releasing the GIL, since a release could make a system call."""
    return ctypes.PyDLL(None, use_errno=True)


def _forked(task: Callable[[mmap.mmap], None], size: int = mmap.PAGESIZE) -> tuple[bytes, int]:
    """Run *task* in a child process; return the contents of the shared memory that it wrote to, and the wait status."""
    shared = mmap.mmap(-1, size)
    with warnings.catch_warnings():
        # Python warns of forks in processes with threads; the child takes no lock that a thread could hold.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            task(shared)
        finally:
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    return bytes(shared), status


def _prepare_child() -> None:
    """Allow an unprivileged child to install filters, and to be killed by them without a core dump or a traceback."""
    library = _library()
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)


def _install(fprog: bytes) -> int:
    """Install the filter of a `struct sock_fprog` for this thread; return 0 or the errno."""
    failed = _library().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, fprog, 0, 0)
    return ctypes.get_errno() if failed else 0


def _die() -> None:
    """End this process by an invalid memory access, since its filter may deny every system call."""
    ctypes.memset(0, 0, 1)


def _observe(program: Program, number: int | None, arguments: Sequence[int]) -> tuple[int, int]:
    """Return the last event that a child under *program* reported, and its detail (errno or trap data)."""
    fprog, _code = sock_fprog(program)
    words = [ctypes.c_long(word) for word in (number or 0, *arguments)]

    def task(shared: mmap.mmap) -> None:
        def report(event: int, detail: int) -> None:
            shared[: _REPORT.size] = _REPORT.pack(event, detail)

        def trapped(_signal: int, information: ctypes._Pointer[ctypes.c_int], _context: int) -> None:
            report(_TRAPPED, information[1])  # si_errno
            _die()

        _prepare_child()
        handler = _HANDLER(trapped)
        action = _SignalAction(handler=ctypes.cast(handler, ctypes.c_void_p).value, flags=_SA_SIGINFO)
        _library().sigaction(int(signal.SIGSYS), ctypes.byref(action), None)
        error = _install(fprog)
        report(_REJECTED if error else _INSTALLED, error)
        if number is not None and not error:
            failed = _library().syscall(*words) == -1
            report(_RETURNED, ctypes.get_errno() if failed else 0)
        _die()

    memory, status = _forked(task)
    event, detail = _REPORT.unpack_from(memory)
    expected_signal = signal.SIGSYS if event == _INSTALLED and number is not None else signal.SIGSEGV
    if event == _SILENT or not os.WIFSIGNALED(status) or os.WTERMSIG(status) != expected_signal:
        raise RuntimeError(f"the child under observation failed, wait status {status}")
    return event, detail


@cache
def seccomp_available() -> str | None:
    """Return None if this kernel can run seccomp filters, else the reason in one sentence."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return f"seccomp tests need 64-bit Linux, and this is {sys.platform}."
    try:
        error_number = seccomp_errno([(RETURN_K, 0, 0, ACTION_ALLOW)])
        effect = error_number or seccomp_verdict([(RETURN_K, 0, 0, ACTION_ERRNO | 99)], 1000, ())
    except (OSError, RuntimeError) as error:
        return f"A child cannot be put under seccomp: {error}."
    if error_number:
        return f"The kernel rejects a seccomp filter: {os.strerror(error_number)}."
    return None if effect == ("errno", 99) else f"The kernel does not apply seccomp filters: {effect}."


def seccomp_errno(program: Program) -> int:
    """Install *program* in a child with no_new_privs; return 0 or the errno."""
    event, detail = _observe(program, None, ())
    return detail if event == _REJECTED else 0


def seccomp_errnos(programs: Sequence[Program]) -> list[int]:
    """Return `seccomp_errno` of each program, from one child: a hundred times faster than one child per program.

    The child requests a listener with each filter, with a limit of 0 open files. The kernel checks and translates the
    filter, then fails with EMFILE, and installs nothing. Kernels before 5.0 have no listeners; for them, each program
    gets its own child.
    """
    errors = _listener_errnos([[(RETURN_K, 0, 0, ACTION_ALLOW)], *programs])
    if errors[0] != errno.EMFILE:
        return [seccomp_errno(program) for program in programs]
    return [0 if error == errno.EMFILE else error for error in errors[1:]]


def _listener_errnos(programs: Sequence[Program]) -> tuple[int, ...]:
    """Return the errno of each program that a child without file descriptors installs with a listener."""
    filters = [sock_fprog(program) for program in programs]
    number = SECCOMP_SYSTEM_CALL.get(platform.machine(), -1)

    def task(shared: mmap.mmap) -> None:
        _prepare_child()
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        errors = []
        for fprog, _code in filters:
            flags = SECCOMP_FILTER_FLAG_NEW_LISTENER
            _library().syscall(number, SECCOMP_SET_MODE_FILTER, flags, fprog)
            errors.append(ctypes.get_errno())
        shared[:] = array("i", errors).tobytes()
        os._exit(0)

    memory, status = _forked(task, size=4 * len(programs))
    if status:
        raise RuntimeError(f"the child that installs seccomp filters failed, wait status {status}")
    return tuple(array("i", memory))


def seccomp_verdict(program: Program, number: int, arguments: Sequence[int]) -> tuple[str, int] | tuple[str]:
    """Return the effect of the system call *number*, which must be undefined, in a child under *program*.

    - `("errno", n)`: the call failed with errno n; if n is 0, it appeared to succeed
    - `("trap", data)`: SIGSYS arrived, with data in si_errno
    - `("kill",)`: the thread or the process was killed
    - `("allow",)`: the call reached the kernel, which does not define it

    TRACE and USER_NOTIF, without a tracer or a listener, are `("errno", ENOSYS)`. *arguments* are up to six signed or
    unsigned 64-bit numbers; missing ones are unpredictable. Raise OSError if the kernel rejects the program.
    """
    event, detail = _observe(program, number, arguments)
    if event == _REJECTED:
        raise OSError(detail, os.strerror(detail))
    if event == _INSTALLED:
        return ("kill",)
    if event == _TRAPPED:
        return ("trap", detail)
    # ENOSYS has several causes, which only the returned value of the program distinguishes.
    if detail == errno.ENOSYS and _allows(seccomp_value(program, number, arguments)):
        return ("allow",)
    return ("errno", detail)


def _allows(value: int) -> bool:
    """Return whether the action in the returned value of a seccomp program runs the call."""
    return value & ACTION_MASK in (ACTION_LOG, ACTION_ALLOW)


def seccomp_value(program: Program, number: int, arguments: Sequence[int]) -> int:
    """Return the unsigned 32-bit value that *program* returns for a system call; 0 also for a division by 0.

    Each of three children reads 12 bits of the value as an errno. Raise OSError if the kernel rejects the program,
    ValueError if it is too long to be instrumented.
    """
    if error := seccomp_errno(program):
        raise OSError(error, os.strerror(error))
    return sum(_seccomp_digit(program, number, arguments, shift) << shift for shift in (0, 12, 24))


def _seccomp_digit(program: Program, number: int, arguments: Sequence[int], shift: int) -> int:
    """Return value >> shift & 0xfff for the returned value of *program*; 0 if the run aborts."""
    epilogue = [(0x74, 0, 0, shift), (0x54, 0, 0, 0xFFF), (0x44, 0, 0, ACTION_ERRNO), (RETURN_A, 0, 0, 0)]
    changed = _redirected(program, lambda k: ACTION_ERRNO | k >> shift & 0xFFF, epilogue)
    event, detail = _observe(changed, number, arguments)
    if event == _REJECTED:
        raise ValueError(f"cannot read the value of {len(program)} instructions: {os.strerror(detail)}")
    return detail if event == _RETURNED else 0
