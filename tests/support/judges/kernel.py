"""The live Linux kernel as a judge of classic BPF programs: what it accepts, delivers and returns.

A program is a sequence of `(code, jt, jf, k)`. Nothing here knows cbpf, and nothing but `available` and
`seccomp_available` may be called where those give a reason.

Socket filters are attached to one end of an AF_UNIX datagram pair, which needs no privilege. To the program
a datagram is a packet without link header, whose network header is byte 0, and without device: loading
`ifidx` or `hatype` ends the run with the value A. One pair serves all calls of a process: call from one
thread only. A program that loads the extensions `cpu` or `rand` has no verdict to ask for: each of the
several runs behind `verdict` may give another.

Seccomp filters run in a forked child, which makes no system call once the filter is in, except the one that
is asked about; so a filter may forbid all others.
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
LONGEST: Final = 4096
ONE_PAST_WORD: Final = 1 << 32

_INSTRUCTION: Final = struct.Struct("HBBI")
_FILTER: Final = struct.Struct("HP")


def sock_fprog(program: Program) -> tuple[bytes, array[int]]:
    """The kernel's `struct sock_fprog`, and the instructions it points to: keep them while it is used."""
    code = array("B", b"".join(starmap(_INSTRUCTION.pack, program)))
    return _FILTER.pack(len(program), code.buffer_info()[0]), code


# -- socket filters ------------------------------------------------------------


@cache
def _pair() -> tuple[socket.socket, socket.socket, bytearray]:
    """A sender, a receiver that never waits, and room for a datagram."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    return sender, receiver, bytearray(1 << 16)


def _discard_pair() -> None:
    """Close the pair, if there is one; the next call makes another."""
    if _pair.cache_info().currsize:
        sender, receiver, _ = _pair()
        sender.close()
        receiver.close()
        _pair.cache_clear()


atexit.register(_discard_pair)
# A forked worker must not read from the pair of its parent.
os.register_at_fork(after_in_child=_discard_pair)


def _attach(program: Program) -> None:
    """Attach *program* to the receiver; OSError when the kernel refuses."""
    described, _code = sock_fprog(program)
    _pair()[1].setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)


def _detach() -> None:
    """Take the filter off and free the memory charged for it: the next attach finds a fresh socket."""
    _pair()[1].setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)


def _transmit(packet: bytes) -> int | None:
    """Send *packet* to the receiver: the number of bytes that arrive, None if nothing does."""
    sender, receiver, room = _pair()
    try:
        sender.send(packet)
        return receiver.recv_into(room)
    except BlockingIOError:
        return None
    except BaseException:  # interrupted in between: what was sent must not be taken for the next packet
        _discard_pair()
        raise


@cache
def available() -> str | None:
    """None if this kernel can judge socket filters, else why not, in one sentence."""
    if sys.platform != "linux":
        return f"socket filters need Linux, and this is {sys.platform}."
    try:
        seen = [delivered([(RETURN_K, 0, 0, k)], b"packet") for k in (0, 3, 9)]
    except OSError as error:
        return f"The kernel refuses a socket filter: {error}."
    return None if seen == [None, 3, 6] else f"The kernel does not obey socket filters: {seen}."


def attach_errno(program: Program) -> int:
    """0 if a fresh AF_UNIX datagram socket takes *program* as its filter, else the errno.

    Raises `struct.error` for what `struct sock_filter` cannot hold, and for more than 65535 instructions.
    """
    try:
        _attach(program)
    except OSError as error:
        return error.errno or -1
    _detach()
    return 0


def delivered(program: Program, packet: bytes) -> int | None:
    """How many bytes of *packet* get past *program*; None if it is dropped.

    It is dropped if the verdict is 0 or the run aborts. An empty packet gives 0 or None. Raises OSError if
    the kernel refuses the program.
    """
    _attach(program)
    seen = _transmit(packet)
    _detach()
    return seen


def verdict(program: Program, packet: bytes) -> int:
    """The unsigned 32-bit value that *program* returns for *packet*; 0 also if the run aborted.

    Raises OSError if the kernel refuses the program, ValueError if it is too long to be instrumented.
    """
    return verdict_through(lambda changed: delivered(changed, packet), program, len(packet))


def outcome(program: Program, packet: bytes) -> int | None:
    """As `verdict`, but None if the run ended early with 0.

    That is after a load past the end, a division by 0, or a device load while A is 0.
    """
    value = verdict(program, packet)
    if value:
        return value
    # A RET stays a RET: the program keeps its length, and the checker sees the same scratch accesses.
    reached = [(RETURN_K, 0, 0, 1) if row[0] in (RETURN_K, RETURN_A) else row for row in program]
    return None if delivered(reached, packet) is None else 0


Delivery = Callable[[Program], int | None]
"""Runs a program on one packet, the same for every call: how many bytes get past it, None if it is dropped."""


def verdict_through(deliver: Delivery, program: Program, size: int, *, floor: int = 0, has_device: bool = False) -> int:
    """The unsigned 32-bit value that *program* returns for a packet of *size* bytes that *deliver* counts.

    *floor* more bytes always come along, uncounted: a socket may refuse to cut them off. *has_device* says
    whether the packet comes from a network device. Raises what `verdict` raises.

    The value is read one digit an attach: a packet of n bytes shows a digit of base n + 1, by how much of it
    arrives, or by being dropped.
    """
    seen = deliver(program)
    if seen is None:
        return 0
    if 0 < seen < size:
        return seen + floor
    base = max(2, size + 1)
    value, scale = 0, 1
    while scale < ONE_PAST_WORD:
        value += scale * _digit(deliver, program, scale, base, floor, has_device)
        scale *= base
    return value


def _digit(deliver: Delivery, program: Program, scale: int, base: int, floor: int, has_device: bool) -> int:
    """value // scale % base, where value is what *program* returns: how many bytes arrive of that many + floor."""
    epilogue = [(0x34, 0, 0, scale), (0x94, 0, 0, base), (0x04, 0, 0, floor), (RETURN_A, 0, 0, 0)]
    changed = _redirected(program, lambda k: k // scale % base + floor, epilogue, has_device=has_device)
    try:
        seen = deliver(changed)
    except OSError as error:
        raise ValueError(f"cannot read the verdict of {len(program)} instructions: {error}") from error
    if seen is None:
        return 0
    return seen if floor else max(1, seen)  # max: an empty packet shows 1 by arriving at all


def _returns_a(row: Instruction, has_device: bool) -> bool:
    """Whether this instruction ends the run with A: `ret a`, and a load of what a missing device knows."""
    return row[0] == RETURN_A or (not has_device and row[0] in LOAD_ABSOLUTE and row[3] in DEVICE_EXTENSIONS)


def _redirected(
    program: Program, constant: Callable[[int], int], epilogue: Program, *, has_device: bool = False
) -> list[Instruction]:
    """*program* with each `ret #k` returning `constant(k)`, and each end with A going on to *epilogue*.

    Every instruction keeps its place, so no conditional jump grows; a `ja` reaches any distance that the
    kernel's limits on translated size let exist. The scratch rule can only become milder: a RET hands the
    set of written slots on to the next instruction, the `ja` in its place hands on the full set, and the
    epilogue reads none. So what was accepted stays accepted; whether it was must be asked of the original.
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
    if len(changed) > LONGEST:
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
_UNHEARD, _REFUSED, _INSTALLED, _RETURNED, _TRAPPED = range(5)


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
    """The C library, called without giving up the GIL: that could be a system call."""
    return ctypes.PyDLL(None, use_errno=True)


def _forked(task: Callable[[mmap.mmap], None], size: int = mmap.PAGESIZE) -> tuple[bytes, int]:
    """What *task* wrote to the memory it was given, run in a child that ends with it; and the wait status."""
    shared = mmap.mmap(-1, size)
    with warnings.catch_warnings():
        # Python warns of forks beside threads; the child takes no lock that a thread could hold.
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
    """Let an unprivileged child install filters, and die of them without leaving a core or a traceback."""
    library = _library()
    library.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)


def _install(described: bytes) -> int:
    """Install the filter that a `struct sock_fprog` describes, for this thread: 0 or the errno."""
    failed = _library().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, described, 0, 0)
    return ctypes.get_errno() if failed else 0


def _die() -> None:
    """End this process without a system call, which its filter may forbid: by a bad memory access."""
    ctypes.memset(0, 0, 1)


def _observe(program: Program, number: int | None, arguments: Sequence[int]) -> tuple[int, int]:
    """The last thing that a child under *program* reported, and its number (errno, trap data)."""
    described, _code = sock_fprog(program)
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
        refusal = _install(described)
        report(_REFUSED if refusal else _INSTALLED, refusal)
        if number is not None and not refusal:
            failed = _library().syscall(*words) == -1
            report(_RETURNED, ctypes.get_errno() if failed else 0)
        _die()

    memory, status = _forked(task)
    event, detail = _REPORT.unpack_from(memory)
    fate = signal.SIGSYS if event == _INSTALLED and number is not None else signal.SIGSEGV
    if event == _UNHEARD or not os.WIFSIGNALED(status) or os.WTERMSIG(status) != fate:
        raise RuntimeError(f"the child under observation failed, wait status {status}")
    return event, detail


@cache
def seccomp_available() -> str | None:
    """None if this kernel can judge seccomp filters, else why not, in one sentence."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return f"seccomp is judged on 64-bit Linux, and this is {sys.platform}."
    try:
        refusal = seccomp_errno([(RETURN_K, 0, 0, ACTION_ALLOW)])
        seen = refusal or seccomp_verdict([(RETURN_K, 0, 0, ACTION_ERRNO | 99)], 1000, ())
    except (OSError, RuntimeError) as error:
        return f"A child cannot be put under seccomp: {error}."
    if refusal:
        return f"The kernel refuses a seccomp filter: {os.strerror(refusal)}."
    return None if seen == ("errno", 99) else f"The kernel does not obey seccomp filters: {seen}."


def seccomp_errno(program: Program) -> int:
    """0 if a child can install *program*, under no_new_privs, else the errno. It really is installed."""
    event, detail = _observe(program, None, ())
    return detail if event == _REFUSED else 0


def seccomp_errnos(programs: Sequence[Program]) -> list[int]:
    """`seccomp_errno` of each program, asked by one child: a hundred times faster.

    The child asks for a listener with each filter, and may open no file. The kernel checks and translates
    the filter, then fails with EMFILE, and installs nothing. Kernels before 5.0 have no listeners and are
    asked slowly.
    """
    answers = _ask_for_listeners([[(RETURN_K, 0, 0, ACTION_ALLOW)], *programs])
    if answers[0] != errno.EMFILE:
        return [seccomp_errno(program) for program in programs]
    return [0 if answer == errno.EMFILE else answer for answer in answers[1:]]


def _ask_for_listeners(programs: Sequence[Program]) -> tuple[int, ...]:
    """The errno that a child without files gets for each program that it installs with a listener."""
    filters = [sock_fprog(program) for program in programs]
    number = SECCOMP_SYSTEM_CALL.get(platform.machine(), -1)

    def task(shared: mmap.mmap) -> None:
        _prepare_child()
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        answers = []
        for described, _code in filters:
            flags = SECCOMP_FILTER_FLAG_NEW_LISTENER
            _library().syscall(number, SECCOMP_SET_MODE_FILTER, flags, described)
            answers.append(ctypes.get_errno())
        shared[:] = array("i", answers).tobytes()
        os._exit(0)

    memory, status = _forked(task, size=4 * len(programs))
    if status:
        raise RuntimeError(f"the child that asks about seccomp filters failed, wait status {status}")
    return tuple(array("i", memory))


def seccomp_verdict(program: Program, number: int, arguments: Sequence[int]) -> tuple[str, int] | tuple[str]:
    """What a child under *program* sees when it makes the system call *number*, which must be an unused one.

    - `("errno", n)`: the call failed with n; n = 0: it seemed to succeed
    - `("trap", data)`: SIGSYS came, with data in si_errno
    - `("kill",)`: the thread or the process was killed
    - `("allow",)`: the call went through, and the kernel did not know it

    TRACE and USER_NOTIF, with nobody to ask, are `("errno", ENOSYS)`. Up to six *arguments*, signed or
    unsigned 64-bit; what is missing is unpredictable. Raises OSError if the kernel refuses the program.
    """
    event, detail = _observe(program, number, arguments)
    if event == _REFUSED:
        raise OSError(detail, os.strerror(detail))
    if event == _INSTALLED:
        return ("kill",)
    if event == _TRAPPED:
        return ("trap", detail)
    # ENOSYS has several causes: only the value that the program returned tells them apart.
    if detail == errno.ENOSYS and _allows(seccomp_value(program, number, arguments)):
        return ("allow",)
    return ("errno", detail)


def _allows(value: int) -> bool:
    """Whether the action in a seccomp program's *value* lets the call through."""
    return value & ACTION_MASK in (ACTION_LOG, ACTION_ALLOW)


def seccomp_value(program: Program, number: int, arguments: Sequence[int]) -> int:
    """The unsigned 32-bit value that *program* returns for this system call; 0 also for a division by 0.

    Read from three children, 12 bits each as an errno. Raises OSError if the kernel refuses the program,
    ValueError if it is too long to be instrumented.
    """
    if refusal := seccomp_errno(program):
        raise OSError(refusal, os.strerror(refusal))
    return sum(_seccomp_digit(program, number, arguments, shift) << shift for shift in (0, 12, 24))


def _seccomp_digit(program: Program, number: int, arguments: Sequence[int], shift: int) -> int:
    """value >> shift & 0xfff, where value is what *program* returns; aborts give 0."""
    epilogue = [(0x74, 0, 0, shift), (0x54, 0, 0, 0xFFF), (0x44, 0, 0, ACTION_ERRNO), (RETURN_A, 0, 0, 0)]
    changed = _redirected(program, lambda k: ACTION_ERRNO | k >> shift & 0xFFF, epilogue)
    event, detail = _observe(changed, number, arguments)
    if event == _REFUSED:
        raise ValueError(f"cannot read the value of {len(program)} instructions: {os.strerror(detail)}")
    return detail if event == _RETURNED else 0
