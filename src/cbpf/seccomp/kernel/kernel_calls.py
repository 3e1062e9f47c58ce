"""The system calls that put a process under a filter, and that report which actions a kernel supports.

Functions of this module raise OSError as the kernel does.

Sources: linux/seccomp.h, linux/prctl.h, kernel/seccomp.c.
"""

import ctypes
import os
import sys

from ..._c_library import c_library, checked, sock_fprog
from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.program import Program
from ..names.architectures import ARCHITECTURES, Architecture

PR_SET_SECCOMP: Final = 22
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
SECCOMP_MODE_FILTER: Final = 2
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_GET_ACTION_AVAIL: Final = 2
FLAG_TSYNC: Final = 1
FLAG_LOG: Final = 2
FLAG_NEW_LISTENER: Final = 8
FLAG_TSYNC_ESRCH: Final = 16


class InstallNumbers(NamedTuple):
    """The numbers of the two system calls that install a filter.

    Args:
        seccomp: The number of `seccomp`.
        prctl: The number of `prctl`.
    """

    seccomp: int
    prctl: int


_GENERIC: Final = InstallNumbers(277, 167)
_NUMBERS: Final = {
    "x86_64": InstallNumbers(317, 157),
    "x32": InstallNumbers(0x4000_0000 + 317, 0x4000_0000 + 157),
    "i386": InstallNumbers(354, 172),
    "aarch64": _GENERIC,
    "arm": InstallNumbers(383, 172),
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
    **dict.fromkeys(("s390x", "s390"), InstallNumbers(348, 172)),
    **dict.fromkeys(("ppc64le", "ppc64", "ppc"), InstallNumbers(358, 171)),
    **dict.fromkeys(("mips", "mipsel"), InstallNumbers(4352, 4192)),
    **dict.fromkeys(("mips64", "mipsel64"), InstallNumbers(5312, 5153)),
    **dict.fromkeys(("mips64n32", "mipsel64n32"), InstallNumbers(6316, 6153)),
}
_MACHINES: Final = {"mips": "mips", "mips64": "mips64", "ppc": "ppc", "armv7l": "arm", "armv8l": "arm"}


def install_numbers(architecture: Architecture) -> InstallNumbers:
    """Return the numbers of the system calls that install a filter, in an architecture."""
    return _NUMBERS[architecture.name]


def native_architecture() -> Architecture | None:
    """Return the architecture of the system calls of this process; None if it is not in the table."""
    machine = os.uname().machine
    if machine.startswith("mips") and sys.byteorder == "little":
        machine = machine.replace("mips", "mipsel", 1)
    if sys.maxsize < 1 << 32:  # a process of 32 bits, perhaps on a kernel of 64
        machine = {"x86_64": "i386", "i686": "i386", "aarch64": "arm"}.get(machine, machine)
    return ARCHITECTURES.get(_MACHINES.get(machine, machine))


def set_no_new_privileges() -> None:
    """Set no_new_privs for this thread: a program that it executes gets no privileges, as by set-user-ID."""
    checked(c_library().prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))


def has_no_new_privileges() -> bool:
    """Return whether no_new_privs is set for this thread."""
    return bool(checked(c_library().prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)))


def install_program(program: Program, flags: int = 0) -> int:
    """Install a filter for this thread, and for all others with FLAG_TSYNC.

    Returns:
        0, or with FLAG_TSYNC the number of a thread that has other filters; then nothing was installed.
    """
    argument, _code = sock_fprog(bytes(program))
    if not flags:
        return checked(c_library().prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(argument), 0, 0))
    return _seccomp(SECCOMP_SET_MODE_FILTER, flags, ctypes.byref(argument))


def knows_action(value: int) -> bool:
    """Return whether this kernel supports an action, which is a verdict without data."""
    action = ctypes.c_uint(value)
    try:
        _seccomp(SECCOMP_GET_ACTION_AVAIL, 0, ctypes.byref(action))
    except OSError:
        return False
    return True


def _seccomp(operation: int, flags: int, argument: object) -> int:
    """Call seccomp(2), for which the C library has no function."""
    native = native_architecture()
    if native is None:
        import errno

        raise OSError(errno.ENOSYS, f"the number of seccomp(2) on {os.uname().machine} is unknown")
    number = install_numbers(native).seccomp
    return checked(c_library().syscall(ctypes.c_long(number), operation, flags, argument))
