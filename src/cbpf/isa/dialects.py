"""The dialects: one instruction set, three sets of rules, as values.

A dialect says what a program may contain (the verifier reads that part) and how the few doubtful cases
behave (the semantics reads that part). It is frozen; `replace` makes a variant:

>>> SECCOMP.replace(byte_order="big").byte_order
'big'
"""

import sys
from typing import Annotated, Final, Literal, TypeAlias

from .._record import Record
from .._validators import flag, one_of, optional, text, within
from ..errors import FieldError
from .opcodes import OPCODE_BY_CODE, OPCODES, Action, Operand

FetchOrder: TypeAlias = Literal["big", "little"]


_positive: Final = within(1, 0x7FFF_FFFF, "a size")


def _known_opcodes(place: str, value: object) -> frozenset[int]:
    if isinstance(value, frozenset) and value <= OPCODE_BY_CODE.keys():
        return value
    raise FieldError(f"{place}: {value!r} is not a frozenset of codes of the instruction table")


class Dialect(Record):
    """What a program may contain, and what its doubtful cases mean.

    For the verifier:
      opcodes: the instruction codes that are allowed.
      longest: the most instructions a program may have; None: any number.
      wide_constant_shifts: a shift by a constant of 32 or more is allowed (and gives 0).
      scratch_written: a scratch slot must be written before it is read; else unwritten slots read 0.
      unknown_extensions: an absolute load at SKF_AD_OFF or above may be none of the 16 extensions (it rejects).
      longest_translated_jump: the farthest unconditional jump, in instructions of the kernel's translation.

    For the semantics:
      byte_order: of loads from the packet.
      shift_count: a shift by X of 32 or more takes the count "modulo" 32, or "saturates" to 0.
      wrapping_offsets: X + k is taken modulo 2**32; else it is an exact sum.
      header_windows: offsets of 2**31 and above reach the network and link headers as in Linux; else they
        lie outside every packet.
      record_size: the packet is a record of that many bytes, and its length a constant; None: any length.
    """

    name: Annotated[str, text]
    opcodes: Annotated[frozenset[int], _known_opcodes]
    longest: Annotated[int | None, optional(_positive)]
    wide_constant_shifts: Annotated[bool, flag]
    scratch_written: Annotated[bool, flag]
    unknown_extensions: Annotated[bool, flag]
    longest_translated_jump: Annotated[int | None, optional(_positive)]
    byte_order: Annotated[FetchOrder, one_of("big", "little")]
    shift_count: Annotated[Literal["modulo", "saturate"], one_of("modulo", "saturate")]
    wrapping_offsets: Annotated[bool, flag]
    header_windows: Annotated[bool, flag]
    record_size: Annotated[int | None, optional(_positive)]

    def __post_init__(self) -> None:
        if self.header_windows and not self.wrapping_offsets:
            raise FieldError("Dialect.header_windows: the windows are reached by offsets that wrap (wrapping_offsets)")

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"


_ALL: Final = frozenset(opcode.code for opcode in OPCODES)

# kernel/seccomp.c, seccomp_check_filter: no indirect, narrow or header-length load, and no modulo.
_SECCOMP: Final = frozenset(
    opcode.code
    for opcode in OPCODES
    if opcode.operand not in (Operand.INDIRECT, Operand.MEMORY_SHIFT)
    and opcode.action is not Action.MOD
    and not (opcode.operand is Operand.ABSOLUTE and opcode.size != 4)
)

PCAP: Final = Dialect(
    name="pcap",
    opcodes=_ALL,
    longest=None,
    wide_constant_shifts=True,
    scratch_written=False,
    unknown_extensions=True,
    longest_translated_jump=None,
    byte_order="big",
    shift_count="saturate",
    wrapping_offsets=False,
    header_windows=False,
    record_size=None,
)
"""libpcap's bpf_filter (bpf_filter.c), minus what makes it abort, hang, or is undefined in C."""

LINUX: Final = Dialect(
    name="linux",
    opcodes=_ALL,
    longest=4096,
    wide_constant_shifts=False,
    scratch_written=True,
    unknown_extensions=False,
    longest_translated_jump=0x7FFF,
    byte_order="big",
    shift_count="modulo",
    wrapping_offsets=True,
    header_windows=True,
    record_size=None,
)
"""A socket filter as Linux 6.18 checks and runs it on a 64-bit little-endian machine (net/core/filter.c)."""

SECCOMP: Final = LINUX.replace(
    name="seccomp",
    opcodes=_SECCOMP,
    longest_translated_jump=None,
    byte_order=sys.byteorder,
    wrapping_offsets=False,
    header_windows=False,
    record_size=64,
)
"""A system call filter (kernel/seccomp.c): the packet is struct seccomp_data, 64 bytes in this machine's order."""

DIALECTS: Final = {dialect.name: dialect for dialect in (PCAP, LINUX, SECCOMP)}
"""The dialects by name."""


def check_dialect(value: object) -> Dialect:
    """The value, which must be a Dialect; a name gets a hint."""
    if isinstance(value, Dialect):
        return value
    hint = f"; use cbpf.{value.upper()}" if isinstance(value, str) and value in DIALECTS else ""
    raise FieldError(f"dialect: {value!r} is not a Dialect{hint}")
