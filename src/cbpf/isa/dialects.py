"""The dialects: sets of rules for one instruction set.

A dialect defines which programs the verifier accepts, and how the semantics resolves the cases in which the
implementations differ. It is immutable; `replace` makes a variant:

>>> SECCOMP.replace(byte_order="big").byte_order
'big'
"""

import sys

from .._record import Record
from .._stdlib import MappingProxyType
from .._typing import Annotated, Final, Literal, TypeAlias
from .._validators import flag, one_of, optional, text, within
from ..errors import FieldError
from .opcodes import OPCODE_BY_CODE, OPCODES, DialectName

FetchOrder: TypeAlias = Literal["big", "little"]
"""The byte order of loads from the packet."""

_positive: Final = within(1, 0x7FFF_FFFF, "a size")


def _defined_opcodes(path: str, value: object) -> frozenset[int]:
    if isinstance(value, frozenset) and value <= OPCODE_BY_CODE.keys():
        return value
    raise FieldError(f"{path}: {value!r} is not a frozenset of codes of the instruction table")


class Dialect(Record):
    """The rules for programs of one implementation, and the meaning of the cases in which implementations differ.

    `replace` makes a variant of a dialect, such as `SECCOMP.replace(byte_order="big")` for the filters of big-endian
    machines.

    Args:
        name: The name in messages.
        opcodes: The 16-bit instruction codes that a program may contain.
        longest: The maximum number of instructions of a program; None for no limit.
        wide_constant_shifts: Whether a shift by a constant of 32 or more is accepted (its result is 0).
        scratch_written: Whether every path must write a scratch slot before reading it; if False, an unwritten slot
            reads as 0.
        unknown_extensions: Whether an absolute load at SKF_AD_OFF or above that is not one of the 16 extensions is
            accepted (it is outside every packet, so the verdict is 0).
        longest_translated_jump: The maximum distance of an unconditional jump, in eBPF instructions of the kernel's
            translation; None for no limit.
        byte_order: The byte order of loads from the packet.
        shift_count: The meaning of a shift by X if X is 32 or more: "modulo" uses X modulo 32, "saturate" gives 0.
        wrapping_offsets: Whether the offset X + k of an indirect load is modulo 2**32; if False, it is exact.
        header_windows: Whether offsets of 2**31 and above address the network and link-layer headers, as in Linux;
            if False, they are outside every packet.
        record_size: The size in bytes of the record that a program reads in place of a packet; None for packets of any
            length. The verdicts of a dialect with a record size are seccomp actions.
        extensions: Whether the offsets of extensions load metadata; if False, they are outside every packet.
        largest_offset: The largest constant offset of a load from the packet; None for no limit.

    Raises:
        FieldError: A value is not valid for its field, or `header_windows` is set without `wrapping_offsets`.
    """

    name: Annotated[str, text]
    opcodes: Annotated[frozenset[int], _defined_opcodes]
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
    extensions: Annotated[bool, flag] = True
    largest_offset: Annotated[int | None, optional(_positive)] = None

    def __post_init__(self) -> None:
        if self.header_windows and not self.wrapping_offsets:
            raise FieldError(
                "Dialect.header_windows: True without wrapping_offsets; header windows require wrapping offsets"
            )

    def __repr__(self) -> str:
        return f"<Dialect {self.name}>"


def opcodes_of(dialect: DialectName) -> frozenset[int]:
    """Return the codes of the opcodes that a dialect accepts."""
    return frozenset(opcode.code for opcode in OPCODES if dialect in opcode.dialects)


PCAP: Final = Dialect(
    name="pcap",
    opcodes=opcodes_of("pcap"),
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
"""The dialect of libpcap (bpf_filter.c), without programs that make it abort or hang, or that are undefined in C."""

LINUX: Final = Dialect(
    name="linux",
    opcodes=opcodes_of("linux"),
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
"""The dialect of socket filters, as Linux 6.18 checks and runs them on a 64-bit little-endian machine (filter.c)."""

SECCOMP: Final = LINUX.replace(
    name="seccomp",
    opcodes=opcodes_of("seccomp"),
    longest_translated_jump=None,
    byte_order=sys.byteorder,
    wrapping_offsets=False,
    header_windows=False,
    record_size=64,
)
"""The dialect of system call filters (kernel/seccomp.c): a packet is struct seccomp_data, 64 bytes in native order."""

FREEBSD: Final = PCAP.replace(
    name="freebsd",
    opcodes=opcodes_of("freebsd"),
    longest=512,
    wide_constant_shifts=False,
    shift_count="modulo",
    extensions=False,
)
"""The dialect of FreeBSD's bpf(4) (sys/net/bpf_filter.c of 2023), as read from the source; it was not run there."""

NETBSD: Final = FREEBSD.replace(name="netbsd", opcodes=opcodes_of("netbsd"), scratch_written=True)
"""The dialect of NetBSD's bpf(4) (sys/net/bpf_filter.c of 2014), as read from the source; it was not run there."""

OPENBSD: Final = FREEBSD.replace(
    name="openbsd", opcodes=opcodes_of("openbsd"), wrapping_offsets=True, largest_offset=0x1F_FFFF
)
"""The dialect of OpenBSD's bpf(4) (sys/net/bpf_filter.c of 2020), as read from the source; it was not run there."""

MACOS: Final = FREEBSD.replace(name="macos", opcodes=opcodes_of("macos"), largest_offset=0x7_FFFF)
"""The dialect of macOS's bpf(4) (xnu, bsd/net/bpf_filter.c of 2021), as read from the source; it was not run there."""

_ALL: Final = (PCAP, LINUX, SECCOMP, FREEBSD, NETBSD, OPENBSD, MACOS)

DIALECTS: Final = MappingProxyType({dialect.name: dialect for dialect in _ALL})
"""The dialects by name: `DIALECTS["linux"]` is `LINUX`. The mapping is read-only."""


def check_dialect(value: object, path: str = "dialect") -> Dialect:
    """Return the value if it is a `Dialect`; raise `FieldError` otherwise, with a hint if it is the name of one."""
    if isinstance(value, Dialect):
        return value
    hint = f"; use cbpf.{value.upper()}" if isinstance(value, str) and value in DIALECTS else ""
    raise FieldError(f"{path}: {value!r} is not a Dialect{hint}")
