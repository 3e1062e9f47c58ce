"""What a verdict means: whether it keeps the packet, or lets the system call run."""

from typing import Final

from .dialects import Dialect

ACTION_MASK: Final = 0xFFFF_0000  # SECCOMP_RET_ACTION_FULL
LETS_RUN: Final = (0x7FFF_0000, 0x7FFC_0000)  # SECCOMP_RET_ALLOW, SECCOMP_RET_LOG


def accepts(verdict: int, dialect: Dialect) -> bool:
    """Whether a verdict keeps the packet: it is not 0; with a dialect of records, its action lets the call run."""
    return verdict != 0 if dialect.record_size is None else verdict & ACTION_MASK in LETS_RUN
