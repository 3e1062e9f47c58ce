"""The table of opcodes, and the numbers of the BPF machine.

No other module contains the code of an opcode: an opcode is one row of `OPCODES`, which names the dialects that accept
it. A table elsewhere that needs an entry for each action or operand is compared with this one by a test.

Sources: linux/bpf_common.h, linux/filter.h, and McCanne and Jacobson, "The BSD Packet Filter" (1993).
"""

from .._enum import Enum, auto
from .._named_tuple import NamedTuple
from .._stdlib import MappingProxyType
from .._typing import Final, Literal, TypeAlias, get_args

WORD_MASK: Final = 0xFFFF_FFFF
SCRATCH_SLOTS: Final = 16

# In Linux, absolute loads at or above EXTENSION_OFFSET are extensions; the two windows below it address headers.
EXTENSION_OFFSET: Final = 0xFFFF_F000  # SKF_AD_OFF
NETWORK_OFFSET: Final = 0xFFF0_0000  # SKF_NET_OFF: bytes from the network header
LINK_OFFSET: Final = 0xFFE0_0000  # SKF_LL_OFF: bytes from the link-layer header
SIGN_BIT: Final = 0x8000_0000

OUT_OF_RANGE: Final = SIGN_BIT
"""A memory position outside every packet; so is every position up to 2**20, the size of a header window, after it."""


class Action(Enum):
    """The effect of an instruction."""

    __hash__ = object.__hash__  # each member is one object; Enum.__hash__ hashes the name, in slower Python code

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


ARITHMETIC_ACTIONS: Final = frozenset(
    {
        Action.ADD,
        Action.SUB,
        Action.MUL,
        Action.DIV,
        Action.MOD,
        Action.OR,
        Action.AND,
        Action.XOR,
        Action.SHIFT_LEFT,
        Action.SHIFT_RIGHT,
    }
)
"""The operations on A and a second operand."""
CONDITIONS: Final = frozenset({Action.EQUAL, Action.GREATER_THAN, Action.GREATER_OR_EQUAL, Action.BITS_SET})
"""The tests of the conditional jumps."""
JUMPS: Final = CONDITIONS | {Action.JUMP}
"""The conditional jumps and the unconditional one."""

# The operator between the two operands, as in C.
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
    """The second operand of an action, or the place that an action loads from or stores to."""

    __hash__ = object.__hash__  # see Action

    NONE = auto()
    K = auto()
    X = auto()
    A = auto()
    SCRATCH = auto()
    LENGTH = auto()
    ABSOLUTE = auto()
    INDIRECT = auto()
    MEMORY_SHIFT = auto()


DialectName: TypeAlias = Literal["pcap", "linux", "seccomp", "freebsd", "netbsd", "openbsd", "macos"]


class Opcode(NamedTuple):
    """One row of the table.

    Args:
        code: The 16-bit operation code.
        mnemonic: The name in assembly, which several operands share.
        action: The effect.
        operand: The operand of the action.
        dialects: The names of the dialects that accept the opcode.
        size: The width of a load from the packet, in bytes: 1, 2 or 4; 4 for every other opcode.
    """

    code: int
    mnemonic: str
    action: Action
    operand: Operand
    dialects: frozenset[DialectName]
    size: int = 4


_ALL: Final[frozenset[DialectName]] = frozenset(get_args(DialectName))
# kernel/seccomp.c, seccomp_check_filter: no indirect, narrow or header-length load, and no modulo.
_SOCKET: Final = _ALL - {"seccomp"}
_WITH_XOR: Final = _ALL - {"openbsd", "macos"}  # their bpf_filter.c has neither mod nor xor

OPCODES: Final = (
    Opcode(0x00, "ld", Action.LOAD_A, Operand.K, _ALL),
    Opcode(0x20, "ld", Action.LOAD_A, Operand.ABSOLUTE, _ALL),
    Opcode(0x28, "ldh", Action.LOAD_A, Operand.ABSOLUTE, _SOCKET, 2),
    Opcode(0x30, "ldb", Action.LOAD_A, Operand.ABSOLUTE, _SOCKET, 1),
    Opcode(0x40, "ld", Action.LOAD_A, Operand.INDIRECT, _SOCKET),
    Opcode(0x48, "ldh", Action.LOAD_A, Operand.INDIRECT, _SOCKET, 2),
    Opcode(0x50, "ldb", Action.LOAD_A, Operand.INDIRECT, _SOCKET, 1),
    Opcode(0x60, "ld", Action.LOAD_A, Operand.SCRATCH, _ALL),
    Opcode(0x80, "ld", Action.LOAD_A, Operand.LENGTH, _ALL),
    Opcode(0x01, "ldx", Action.LOAD_X, Operand.K, _ALL),
    Opcode(0x61, "ldx", Action.LOAD_X, Operand.SCRATCH, _ALL),
    Opcode(0x81, "ldx", Action.LOAD_X, Operand.LENGTH, _ALL),
    Opcode(0xB1, "ldx", Action.LOAD_X, Operand.MEMORY_SHIFT, _SOCKET, 1),
    Opcode(0x02, "st", Action.STORE_A, Operand.SCRATCH, _ALL),
    Opcode(0x03, "stx", Action.STORE_X, Operand.SCRATCH, _ALL),
    Opcode(0x04, "add", Action.ADD, Operand.K, _ALL),
    Opcode(0x0C, "add", Action.ADD, Operand.X, _ALL),
    Opcode(0x14, "sub", Action.SUB, Operand.K, _ALL),
    Opcode(0x1C, "sub", Action.SUB, Operand.X, _ALL),
    Opcode(0x24, "mul", Action.MUL, Operand.K, _ALL),
    Opcode(0x2C, "mul", Action.MUL, Operand.X, _ALL),
    Opcode(0x34, "div", Action.DIV, Operand.K, _ALL),
    Opcode(0x3C, "div", Action.DIV, Operand.X, _ALL),
    Opcode(0x44, "or", Action.OR, Operand.K, _ALL),
    Opcode(0x4C, "or", Action.OR, Operand.X, _ALL),
    Opcode(0x54, "and", Action.AND, Operand.K, _ALL),
    Opcode(0x5C, "and", Action.AND, Operand.X, _ALL),
    Opcode(0x64, "lsh", Action.SHIFT_LEFT, Operand.K, _ALL),
    Opcode(0x6C, "lsh", Action.SHIFT_LEFT, Operand.X, _ALL),
    Opcode(0x74, "rsh", Action.SHIFT_RIGHT, Operand.K, _ALL),
    Opcode(0x7C, "rsh", Action.SHIFT_RIGHT, Operand.X, _ALL),
    Opcode(0x84, "neg", Action.NEGATE, Operand.NONE, _ALL),
    Opcode(0x94, "mod", Action.MOD, Operand.K, _SOCKET & _WITH_XOR),
    Opcode(0x9C, "mod", Action.MOD, Operand.X, _SOCKET & _WITH_XOR),
    Opcode(0xA4, "xor", Action.XOR, Operand.K, _WITH_XOR),
    Opcode(0xAC, "xor", Action.XOR, Operand.X, _WITH_XOR),
    Opcode(0x05, "ja", Action.JUMP, Operand.K, _ALL),
    Opcode(0x15, "jeq", Action.EQUAL, Operand.K, _ALL),
    Opcode(0x1D, "jeq", Action.EQUAL, Operand.X, _ALL),
    Opcode(0x25, "jgt", Action.GREATER_THAN, Operand.K, _ALL),
    Opcode(0x2D, "jgt", Action.GREATER_THAN, Operand.X, _ALL),
    Opcode(0x35, "jge", Action.GREATER_OR_EQUAL, Operand.K, _ALL),
    Opcode(0x3D, "jge", Action.GREATER_OR_EQUAL, Operand.X, _ALL),
    Opcode(0x45, "jset", Action.BITS_SET, Operand.K, _ALL),
    Opcode(0x4D, "jset", Action.BITS_SET, Operand.X, _ALL),
    Opcode(0x06, "ret", Action.RETURN, Operand.K, _ALL),
    Opcode(0x16, "ret", Action.RETURN, Operand.A, _ALL),
    Opcode(0x07, "tax", Action.TAX, Operand.NONE, _ALL),
    Opcode(0x87, "txa", Action.TXA, Operand.NONE, _ALL),
)

OPCODE_BY_CODE: Final = MappingProxyType({opcode.code: opcode for opcode in OPCODES})
CODE_OF: Final = MappingProxyType({(row.action, row.operand, row.size): row.code for row in OPCODES})


def missing_case(opcode: Opcode, place: str) -> NotImplementedError:
    """Return the error for a row of the table that *place* does not handle: a mistake in this package."""
    row = f"opcode {opcode.code:#04x} ({opcode.action.name}, {opcode.operand.name})"
    return NotImplementedError(f"{row}: not handled by {place}; an opcode needs a case there")


_OPERANDS_WITHOUT_K: Final = frozenset({Operand.NONE, Operand.X, Operand.A, Operand.LENGTH})


def has_stray_bits(opcode: Opcode, jt: int, jf: int, k: int) -> bool:
    """Return whether a field that *opcode* never reads is not 0; dialects accept such bits, but assembly omits them."""
    if (jt or jf) and opcode.action not in CONDITIONS:
        return True
    return k != 0 and opcode.operand in _OPERANDS_WITHOUT_K
