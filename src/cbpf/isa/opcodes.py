"""The instruction set: the one table of opcodes, and the numbers of the machine.

No other module contains an opcode. Sources: linux/bpf_common.h, linux/filter.h, and McCanne and Jacobson,
"The BSD Packet Filter" (1993).
"""

from enum import Enum, IntEnum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

WORD_MASK: Final = 0xFFFF_FFFF
SCRATCH_SLOTS: Final = 16

# Absolute loads from here on are extensions, in Linux; below lie two windows on the packet's headers.
EXTENSION_OFFSET: Final = 0xFFFF_F000  # SKF_AD_OFF
NETWORK_OFFSET: Final = 0xFFF0_0000  # SKF_NET_OFF: counted from the network header
LINK_OFFSET: Final = 0xFFE0_0000  # SKF_LL_OFF: counted from the link header
SIGN_BIT: Final = 0x8000_0000

OUT_OF_RANGE: Final = SIGN_BIT
"""A position in memory that is outside every packet, and more than 2**20 bytes before the end of the address space."""


class _Number(IntEnum):
    """An int with a name; its repr is Python source."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class Register(_Number):
    """The two registers of the machine, each 32 bits wide."""

    A = 0
    X = 1


class ALUOp(_Number):
    """The arithmetic and logic operations, all modulo 2**32."""

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30
    OR = 0x40
    AND = 0x50
    SHIFT_LEFT = 0x60
    SHIFT_RIGHT = 0x70
    MOD = 0x90
    XOR = 0xA0


class JumpTest(_Number):
    """The comparisons of A with a constant or with X; all are unsigned.

    The machine has four of them; the others are the same instructions with their skips exchanged.
    """

    EQUAL = 0
    NOT_EQUAL = 1
    GREATER_THAN = 2
    LESS_THAN = 3
    GREATER_OR_EQUAL = 4
    LESS_OR_EQUAL = 5
    BITS_SET = 6
    BITS_NOT_SET = 7


class Extension(_Number):
    """What Linux tells about a packet beside its bytes: the distance from SKF_AD_OFF (linux/filter.h).

    LEN is no such distance: it stands for the instruction that loads the packet's length.
    """

    LEN = 1
    PROTO = 0
    TYPE = 4
    PAYLOAD_OFFSET = 52
    INTERFACE_INDEX = 8
    NETLINK_ATTR = 12
    NETLINK_ATTR_NESTED = 16
    MARK = 20
    QUEUE = 24
    LINK_LAYER_TYPE = 28
    RX_HASH = 32
    CPU_ID = 36
    XOR_X = 40
    VLAN_TAG = 44
    VLAN_TAG_PRESENT = 48
    VLAN_PROTO = 60
    RAND = 56


# The assemblers' words for the extensions, as Go and bpf_asm write them.
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


class Action(Enum):
    """What an instruction does."""

    __hash__ = object.__hash__  # members are single objects; Enum would hash their names, in Python

    LOAD_A = auto()
    LOAD_X = auto()
    STORE_A = auto()
    STORE_X = auto()
    ADD = auto()
    SUB = auto()
    MUL = auto()
    DIV = auto()
    OR = auto()
    AND = auto()
    SHIFT_LEFT = auto()
    SHIFT_RIGHT = auto()
    MOD = auto()
    XOR = auto()
    NEGATE = auto()
    JUMP = auto()
    EQUAL = auto()
    GREATER_THAN = auto()
    GREATER_OR_EQUAL = auto()
    BITS_SET = auto()
    RETURN = auto()
    TAX = auto()
    TXA = auto()


CONDITIONS: Final = frozenset({Action.EQUAL, Action.GREATER_THAN, Action.GREATER_OR_EQUAL, Action.BITS_SET})
JUMPS: Final = CONDITIONS | {Action.JUMP}
"""The conditional jumps and the unconditional one."""

# What stands between the two operands, as in C.
SIGNS: Final = MappingProxyType(
    {
        Action.ADD: "+",
        Action.SUB: "-",
        Action.MUL: "*",
        Action.DIV: "/",
        Action.MOD: "%",
        Action.OR: "|",
        Action.AND: "&",
        Action.XOR: "^",
        Action.SHIFT_LEFT: "<<",
        Action.SHIFT_RIGHT: ">>",
        Action.EQUAL: "==",
        Action.GREATER_THAN: ">",
        Action.GREATER_OR_EQUAL: ">=",
        Action.BITS_SET: "&",
    }
)


class Operand(Enum):
    """What an action works on."""

    __hash__ = object.__hash__

    NONE = auto()
    K = auto()
    X = auto()
    A = auto()
    SCRATCH = auto()
    LENGTH = auto()
    ABSOLUTE = auto()
    INDIRECT = auto()
    MEMORY_SHIFT = auto()


class Opcode(NamedTuple):
    """One row of the table; *size* is the width of a load from the packet, in bytes."""

    code: int
    mnemonic: str
    action: Action
    operand: Operand
    size: int = 4


OPCODES: Final = (
    Opcode(0x00, "ld", Action.LOAD_A, Operand.K),
    Opcode(0x20, "ld", Action.LOAD_A, Operand.ABSOLUTE, 4),
    Opcode(0x28, "ldh", Action.LOAD_A, Operand.ABSOLUTE, 2),
    Opcode(0x30, "ldb", Action.LOAD_A, Operand.ABSOLUTE, 1),
    Opcode(0x40, "ld", Action.LOAD_A, Operand.INDIRECT, 4),
    Opcode(0x48, "ldh", Action.LOAD_A, Operand.INDIRECT, 2),
    Opcode(0x50, "ldb", Action.LOAD_A, Operand.INDIRECT, 1),
    Opcode(0x60, "ld", Action.LOAD_A, Operand.SCRATCH),
    Opcode(0x80, "ld", Action.LOAD_A, Operand.LENGTH),
    Opcode(0x01, "ldx", Action.LOAD_X, Operand.K),
    Opcode(0x61, "ldx", Action.LOAD_X, Operand.SCRATCH),
    Opcode(0x81, "ldx", Action.LOAD_X, Operand.LENGTH),
    Opcode(0xB1, "ldx", Action.LOAD_X, Operand.MEMORY_SHIFT, 1),
    Opcode(0x02, "st", Action.STORE_A, Operand.SCRATCH),
    Opcode(0x03, "stx", Action.STORE_X, Operand.SCRATCH),
    Opcode(0x04, "add", Action.ADD, Operand.K),
    Opcode(0x0C, "add", Action.ADD, Operand.X),
    Opcode(0x14, "sub", Action.SUB, Operand.K),
    Opcode(0x1C, "sub", Action.SUB, Operand.X),
    Opcode(0x24, "mul", Action.MUL, Operand.K),
    Opcode(0x2C, "mul", Action.MUL, Operand.X),
    Opcode(0x34, "div", Action.DIV, Operand.K),
    Opcode(0x3C, "div", Action.DIV, Operand.X),
    Opcode(0x44, "or", Action.OR, Operand.K),
    Opcode(0x4C, "or", Action.OR, Operand.X),
    Opcode(0x54, "and", Action.AND, Operand.K),
    Opcode(0x5C, "and", Action.AND, Operand.X),
    Opcode(0x64, "lsh", Action.SHIFT_LEFT, Operand.K),
    Opcode(0x6C, "lsh", Action.SHIFT_LEFT, Operand.X),
    Opcode(0x74, "rsh", Action.SHIFT_RIGHT, Operand.K),
    Opcode(0x7C, "rsh", Action.SHIFT_RIGHT, Operand.X),
    Opcode(0x84, "neg", Action.NEGATE, Operand.NONE),
    Opcode(0x94, "mod", Action.MOD, Operand.K),
    Opcode(0x9C, "mod", Action.MOD, Operand.X),
    Opcode(0xA4, "xor", Action.XOR, Operand.K),
    Opcode(0xAC, "xor", Action.XOR, Operand.X),
    Opcode(0x05, "ja", Action.JUMP, Operand.K),
    Opcode(0x15, "jeq", Action.EQUAL, Operand.K),
    Opcode(0x1D, "jeq", Action.EQUAL, Operand.X),
    Opcode(0x25, "jgt", Action.GREATER_THAN, Operand.K),
    Opcode(0x2D, "jgt", Action.GREATER_THAN, Operand.X),
    Opcode(0x35, "jge", Action.GREATER_OR_EQUAL, Operand.K),
    Opcode(0x3D, "jge", Action.GREATER_OR_EQUAL, Operand.X),
    Opcode(0x45, "jset", Action.BITS_SET, Operand.K),
    Opcode(0x4D, "jset", Action.BITS_SET, Operand.X),
    Opcode(0x06, "ret", Action.RETURN, Operand.K),
    Opcode(0x16, "ret", Action.RETURN, Operand.A),
    Opcode(0x07, "tax", Action.TAX, Operand.NONE),
    Opcode(0x87, "txa", Action.TXA, Operand.NONE),
)

OPCODE_BY_CODE: Final = MappingProxyType({opcode.code: opcode for opcode in OPCODES})
CODE_OF: Final = MappingProxyType({opcode[2:]: opcode.code for opcode in OPCODES})  # (action, operand, size)


def extension_of(opcode: Opcode, k: int) -> Extension | None:
    """The extension that an absolute load of offset *k* stands for in Linux, at any width; None: it is a load."""
    if opcode.operand is not Operand.ABSOLUTE or k < EXTENSION_OFFSET:
        return None
    number = k - EXTENSION_OFFSET
    return Extension(number) if number in EXTENSION_NUMBERS else None


EXTENSION_NUMBERS: Final = frozenset(Extension) - {Extension.LEN}


_WITHOUT_K: Final = frozenset({Operand.NONE, Operand.X, Operand.A, Operand.LENGTH})


def has_stray_bits(opcode: Opcode, jt: int, jf: int, k: int) -> bool:
    """The instruction carries a field that *opcode* never reads: legal everywhere, but no notation shows it."""
    if (jt or jf) and opcode.action not in CONDITIONS:
        return True
    return k != 0 and opcode.operand in _WITHOUT_K
