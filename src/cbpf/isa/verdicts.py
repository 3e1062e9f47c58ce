"""The meaning of verdicts: whether they accept, and the actions of seccomp filters.

A verdict is the unsigned 32-bit number that a program returns. A packet filter rejects with 0 and accepts with any
other number, which is the number of bytes to deliver. The verdict of a seccomp filter is an action in the upper
16 bits and its data in the lower 16 bits (linux/seccomp.h).
"""

from types import MappingProxyType

from .._record import Record
from .._typing import Final
from .._validators import Word
from .dialects import PCAP, Dialect

ACTION_MASK: Final = 0xFFFF_0000  # SECCOMP_RET_ACTION_FULL
DATA_MASK: Final = 0x0000_FFFF  # SECCOMP_RET_DATA

# In the kernel's order of precedence: of several filters, the first of their actions in this order is taken.
_NAMES: Final = {
    0x8000_0000: "KILL_PROCESS",
    0x0000_0000: "KILL_THREAD",
    0x0003_0000: "TRAP",
    0x0005_0000: "ERRNO",
    0x7FC0_0000: "USER_NOTIF",
    0x7FF0_0000: "TRACE",
    0x7FFC_0000: "LOG",
    0x7FFF_0000: "ALLOW",
}

ACCEPTING_ACTIONS: Final = frozenset({0x7FFC_0000, 0x7FFF_0000})
"""The numbers of the actions that run the system call."""


class SeccompAction(Record):
    """The verdict of a seccomp filter on a system call: an action and its data.

    Args:
        verdict: The unsigned 32-bit number that the filter returned: SECCOMP_RET_* of linux/seccomp.h in the upper
            16 bits, data in the lower ones.

    Raises:
        FieldError: *verdict* is not an unsigned 32-bit number.

    >>> action = SeccompAction(0x0005_0001)
    >>> action.name, action.data, action.runs
    ('ERRNO', 1, False)
    >>> SeccompAction(0x1234_0000).name
    '0x12340000'
    """

    verdict: Word

    @property
    def value(self) -> int:
        """The number of the action: the verdict with 0 as its data."""
        return self.verdict & ACTION_MASK

    @property
    def data(self) -> int:
        """The lower 16 bits: the errno of ERRNO, the si_errno of TRAP, the event message of TRACE."""
        return self.verdict & DATA_MASK

    @property
    def is_known(self) -> bool:
        """Whether Linux defines the action; it treats all others as KILL_PROCESS."""
        return self.value in _NAMES

    @property
    def name(self) -> str:
        """The kernel's name without SECCOMP_RET_, or the number of an undefined action in hexadecimal."""
        return _NAMES.get(self.value) or f"{self.value:#010x}"

    @property
    def precedence(self) -> int:
        """The signed number of the action: of the actions of several filters, the kernel takes the smallest one."""
        return self.value - (self.value >> 31 << 32)

    @property
    def runs(self) -> bool:
        """Whether the kernel runs the system call without the decision of another process."""
        return self.value in ACCEPTING_ACTIONS


SECCOMP_ACTIONS: Final = MappingProxyType({value: SeccompAction(value) for value in _NAMES})
"""The actions of seccomp by number, in the kernel's order of precedence."""


def accepts(verdict: int, dialect: Dialect) -> bool:
    """Return whether a verdict accepts the packet or, in a seccomp dialect, runs the system call."""
    return verdict != 0 if dialect.record_size is None else verdict & ACTION_MASK in ACCEPTING_ACTIONS


def action_in_words(action: SeccompAction) -> str:
    """Return the name of an action with its data, unless that is 0; the kernel treats an undefined one as a kill."""
    name = action.name if action.is_known else "undefined action, KILL_PROCESS"
    return f"{name} {action.data}" if action.data else name


def describe_verdict(verdict: int, *, dialect: Dialect = PCAP) -> str:
    """Describe a verdict in words, with its number.

    Args:
        verdict: The unsigned 32-bit number that a program returned.
        dialect: The dialect of the program. One with a record size is a seccomp dialect: the result is then the
            kernel's name of the action and its data, unless that is 0.

    Returns:
        A phrase such as "accepts the packet (verdict 262144)".

    >>> from cbpf import SECCOMP
    >>> describe_verdict(0), describe_verdict(0x50001, dialect=SECCOMP)
    ('rejects the packet (verdict 0)', 'ERRNO 1 (verdict 0x00050001)')
    """
    if dialect.record_size is None:
        return f"{'accepts' if verdict else 'rejects'} the packet (verdict {verdict})"
    return f"{action_in_words(SeccompAction(verdict))} (verdict {verdict:#010x})"
