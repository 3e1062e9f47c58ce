"""The enumerations of typed instructions: registers, operations, comparisons and extensions.

They are members of `enum`, whose import and definitions take as long as a third of the modules that filter a small
capture; programs of raw instructions without extensions are run without this module.
"""

from enum import IntEnum
from types import MappingProxyType

from .._typing import Final
from .opcodes import EXTENSION_OFFSET, Opcode, Operand


class _NamedInt(IntEnum):
    """An int with a name; `repr` is Python source."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class Register(_NamedInt):
    """The two registers of the machine, each 32 bits wide."""

    A = 0
    """The accumulator: the operand and the result of arithmetic, and of most loads."""
    X = 1
    """The index register: the second operand of arithmetic, and the base of indirect loads."""


class ALUOp(_NamedInt):
    """The arithmetic and logic operations on unsigned 32-bit words; results are modulo 2**32."""

    ADD = 0x00
    """A + operand."""
    SUB = 0x10
    """A - operand."""
    MUL = 0x20
    """A * operand, the lower 32 bits."""
    DIV = 0x30
    """A // operand, unsigned; 0 as the divisor makes the program return 0."""
    OR = 0x40
    """A | operand."""
    AND = 0x50
    """A & operand."""
    SHIFT_LEFT = 0x60
    """A << operand; the dialects differ in shifts by 32 and more."""
    SHIFT_RIGHT = 0x70
    """A >> operand, with zeros from the left; the dialects differ in shifts by 32 and more."""
    MOD = 0x90
    """A % operand, unsigned; 0 as the divisor makes the program return 0. Seccomp does not have it."""
    XOR = 0xA0
    """A ^ operand."""


class JumpTest(_NamedInt):
    """The unsigned comparisons of A with a constant or with X.

    EQUAL, GREATER_THAN, GREATER_OR_EQUAL and BITS_SET are opcodes; each other comparison is assembled as its opposite
    with exchanged skips.
    """

    EQUAL = 0
    """A == operand."""
    NOT_EQUAL = 1
    """A != operand."""
    GREATER_THAN = 2
    """A > operand."""
    LESS_THAN = 3
    """A < operand."""
    GREATER_OR_EQUAL = 4
    """A >= operand."""
    LESS_OR_EQUAL = 5
    """A <= operand."""
    BITS_SET = 6
    """(A & operand) != 0: at least one of the bits is set."""
    BITS_NOT_SET = 7
    """(A & operand) == 0: none of the bits is set."""


_NEGATIVES: Final = {
    JumpTest.EQUAL: JumpTest.NOT_EQUAL,
    JumpTest.GREATER_THAN: JumpTest.LESS_OR_EQUAL,
    JumpTest.GREATER_OR_EQUAL: JumpTest.LESS_THAN,
    JumpTest.BITS_SET: JumpTest.BITS_NOT_SET,
}
OPPOSITES: Final = _NEGATIVES | {negative: positive for positive, negative in _NEGATIVES.items()}
"""Each comparison, with the one that holds exactly where it fails."""


class Extension(_NamedInt):
    """The packet metadata that Linux programs can load.

    A value is the distance of the load's offset from SKF_AD_OFF (linux/filter.h). LEN is not such a distance: it
    represents the opcode that loads the packet's length.
    """

    LEN = 1
    """`len`: the length of the packet on the wire, in bytes."""
    PROTO = 0
    """`proto`: the EtherType, `Metadata.protocol`."""
    TYPE = 4
    """`type`: the kind of receiver, `Metadata.packet_type`."""
    PAYLOAD_OFFSET = 52
    """`poff`: the offset of the payload after the headers that Linux knows, in bytes, `Metadata.payload_offset`."""
    INTERFACE_INDEX = 8
    """`ifidx`: the index of the network device, `Device.index`; without a device the program returns A."""
    NETLINK_ATTR = 12
    """`nla`: the offset of the first netlink attribute of type X, searched from offset A; 0 without one."""
    NETLINK_ATTR_NESTED = 16
    """`nlan`: the offset of the first attribute of type X in the netlink attribute at offset A; 0 without one."""
    MARK = 20
    """`mark`: the firewall mark, `Metadata.mark`."""
    QUEUE = 24
    """`queue`: the queue of the network device, `Metadata.queue`."""
    LINK_LAYER_TYPE = 28
    """`hatype`: the type of the network device, `Device.hardware_type`; without a device the program returns A."""
    RX_HASH = 32
    """`rxhash`: the flow hash, `Metadata.hash`."""
    CPU_ID = 36
    """`cpu`: the number of the CPU that runs the program, `Metadata.cpu`."""
    XOR_X = 40
    """`xor_x`: A ^ X; older than the opcode `xor x`."""
    VLAN_TAG = 44
    """`vlan_tci`: the tag control information of the removed VLAN tag, `VlanTag.tci`; 0 without a tag."""
    VLAN_TAG_PRESENT = 48
    """`vlan_avail`: 1 if a VLAN tag was removed from the packet, else 0."""
    VLAN_PROTO = 60
    """`vlan_tpid`: the EtherType of the removed VLAN tag, `VlanTag.tpid`; 0 without a tag."""
    RAND = 56
    """`rand`: a random 32-bit number, a new one at each load; see `Metadata.seed`."""


# The names of the extensions in assembly, as Go and bpf_asm write them.
EXTENSION_WORDS: Final = MappingProxyType(
    {
        Extension.LEN: "len",
        Extension.PROTO: "proto",
        Extension.TYPE: "type",
        Extension.PAYLOAD_OFFSET: "poff",
        Extension.INTERFACE_INDEX: "ifidx",
        Extension.NETLINK_ATTR: "nla",
        Extension.NETLINK_ATTR_NESTED: "nlan",
        Extension.MARK: "mark",
        Extension.QUEUE: "queue",
        Extension.LINK_LAYER_TYPE: "hatype",
        Extension.RX_HASH: "rxhash",
        Extension.CPU_ID: "cpu",
        Extension.XOR_X: "xor_x",
        Extension.VLAN_TAG: "vlan_tci",
        Extension.VLAN_TAG_PRESENT: "vlan_avail",
        Extension.VLAN_PROTO: "vlan_tpid",
        Extension.RAND: "rand",
    }
)

EXTENSION_NUMBERS: Final = frozenset(Extension) - {Extension.LEN}
"""The extensions that are loaded from SKF_AD_OFF plus their number."""

_BYTE_EXTENSIONS: Final = frozenset({Extension.VLAN_TAG, Extension.VLAN_TAG_PRESENT})


def extension_size(extension: Extension) -> int:
    """Return the size in bytes of the usual load of an extension; Linux ignores it.

    Packets that arrived before a live filter was set are filtered by libpcap's interpreter. It supports the extensions
    of the VLAN tag only, in loads of one byte.
    """
    return 1 if extension in _BYTE_EXTENSIONS else 4


def extension_of(opcode: Opcode, k: int) -> Extension | None:
    """Return the extension that Linux loads for an absolute load of offset *k*, of any width; None for other loads."""
    if opcode.operand is not Operand.ABSOLUTE or k < EXTENSION_OFFSET:
        return None
    distance = k - EXTENSION_OFFSET
    return Extension(distance) if distance in EXTENSION_NUMBERS else None
