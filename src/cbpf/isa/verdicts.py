"""The meaning of verdicts: whether they accept, and the actions of seccomp filters.

A verdict is the unsigned 32-bit number that a program returns. A packet filter rejects with 0 and accepts with any
other number, which is the number of bytes to deliver. The verdict of a seccomp filter is an action in the upper
16 bits and its data in the lower 16 bits (linux/seccomp.h).
"""

from types import MappingProxyType

from .._named_tuple import NamedTuple
from .._typing import Final
from .dialects import PCAP, Dialect

ACTION_MASK: Final = 0xFFFF_0000  # SECCOMP_RET_ACTION_FULL
DATA_MASK: Final = 0x0000_FFFF  # SECCOMP_RET_DATA


class SeccompAction(NamedTuple):
    """An action of a seccomp filter.

    Args:
        value: The number, SECCOMP_RET_* of linux/seccomp.h; the lower 16 bits are 0.
        name: The kernel's name without SECCOMP_RET_.
        accepts: Whether the kernel runs the system call without the decision of another process.
    """

    value: int
    name: str
    accepts: bool


# In the kernel's order of precedence: of several filters, the first of their actions in this order is taken.
_ACTIONS: Final = (
    SeccompAction(0x8000_0000, "KILL_PROCESS", accepts=False),
    SeccompAction(0x0000_0000, "KILL_THREAD", accepts=False),
    SeccompAction(0x0003_0000, "TRAP", accepts=False),
    SeccompAction(0x0005_0000, "ERRNO", accepts=False),
    SeccompAction(0x7FC0_0000, "USER_NOTIF", accepts=False),
    SeccompAction(0x7FF0_0000, "TRACE", accepts=False),
    SeccompAction(0x7FFC_0000, "LOG", accepts=True),
    SeccompAction(0x7FFF_0000, "ALLOW", accepts=True),
)

SECCOMP_ACTIONS: Final = MappingProxyType({action.value: action for action in _ACTIONS})
"""The actions of seccomp by number."""

ACCEPTING_ACTIONS: Final = frozenset(action.value for action in _ACTIONS if action.accepts)
"""The numbers of the actions that run the system call."""


def seccomp_action(verdict: int) -> SeccompAction:
    """Return the action of a seccomp verdict; the kernel treats an undefined action as KILL_PROCESS."""
    value = verdict & ACTION_MASK
    return SECCOMP_ACTIONS.get(value) or SeccompAction(value, "undefined action, KILL_PROCESS", accepts=False)


def accepts(verdict: int, dialect: Dialect) -> bool:
    """Return whether a verdict accepts the packet or, in a seccomp dialect, runs the system call."""
    return verdict != 0 if dialect.record_size is None else verdict & ACTION_MASK in ACCEPTING_ACTIONS


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
    data = verdict & DATA_MASK
    return f"{seccomp_action(verdict).name}{f' {data}' if data else ''} (verdict {verdict:#010x})"
