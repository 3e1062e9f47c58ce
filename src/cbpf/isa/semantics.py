"""THE MEANING: what each action does, written once over a small `Machine`.

An engine decides what a word is: an int, source text, a value of a compiler, a term of a solver. Running
`execute` over anything but ints, with the program fixed, is compilation. Therefore Python's `if` may look
here at the instruction or the dialect, never at a word: choices about words go through `select`, `branch`
and `return_if`.

Sources: Linux net/core/filter.c, libpcap bpf_filter.c; what they leave open is settled by `Dialect`.
"""

from typing import Literal, Protocol, TypeAlias, TypeVar, assert_never

from .dialects import Dialect, FetchOrder
from .instructions import RawInstruction
from .opcodes import (
    LINK_OFFSET,
    NETWORK_OFFSET,
    OPCODE_BY_CODE,
    OUT_OF_RANGE,
    SIGN_BIT,
    Action,
    Extension,
    Opcode,
    Operand,
    extension_of,
)

Word = TypeVar("Word")
Truth = TypeVar("Truth")
HeaderKind: TypeAlias = Literal["packet", "network", "link"]


class Machine(Protocol[Word, Truth]):
    """What an engine provides. Words are unsigned 32-bit numbers; registers and scratch begin as 0."""

    a: Word
    x: Word

    def word(self, value: int, /) -> Word:
        """The constant *value*."""
        ...

    def arithmetic(self, action: Action, left: Word, right: Word, /) -> Word:
        """Left <action> right modulo 2**32. A divisor is never 0, a shift count always below 32."""
        ...

    def compare(self, action: Action, left: Word, right: Word, /) -> Truth:
        """An unsigned comparison, or for BITS_SET whether left & right is not 0."""
        ...

    def select(self, truth: Truth, then: Word, otherwise: Word, /) -> Word:
        """*then* where *truth* holds, else *otherwise*."""
        ...

    def load_scratch(self, slot: int, /) -> Word:
        """M[slot]."""
        ...

    def store_scratch(self, slot: int, value: Word, /) -> None:
        """M[slot] = value."""
        ...

    def captured_length(self) -> Word:
        """How many bytes of the packet are here."""
        ...

    def wire_length(self) -> Word:
        """How many bytes the packet had."""
        ...

    def header(self, header: HeaderKind, /) -> Word:
        """The position in memory of a header's byte 0, or OUT_OF_RANGE; of the packet's without header windows: 0."""
        ...

    def fetch(self, base: Word, displacement: int, size: int, byte_order: FetchOrder, /) -> Word:
        """The *size* bytes of memory at base + displacement, an exact sum; if one is missing the verdict is 0."""
        ...

    def lacks_device(self) -> Truth:
        """Whether the packet belongs to no network device."""
        ...

    def extension(self, extension: Extension, a: Word, x: Word, /) -> Word:
        """What the kernel knows of the packet: `SocketBuffer.extension`."""
        ...

    def return_if(self, truth: Truth, verdict: Word, /) -> None:
        """Ends the run with *verdict* where *truth* holds."""
        ...

    def finish(self, verdict: Word, /) -> None:
        """Ends the run with *verdict*."""
        ...

    def jump(self, target: int, /) -> None:
        """Goes on at instruction *target*."""
        ...

    def branch(self, truth: Truth, target_true: int, target_false: int, /) -> None:
        """Goes on at one of two instructions."""
        ...


def begin(m: Machine[Word, Truth], dialect: Dialect) -> None:
    """What happens before the first instruction: a record that is too short gets verdict 0."""
    if dialect.record_size is not None:
        too_short = m.compare(Action.GREATER_THAN, m.word(dialect.record_size), m.captured_length())
        m.return_if(too_short, m.word(0))


def execute(m: Machine[Word, Truth], raw: RawInstruction, index: int, dialect: Dialect) -> None:
    """One instruction, which stands at *index* of a program that *dialect* accepts.

    Where it neither jumps, branches nor finishes, the run goes on at index + 1.
    """
    opcode = OPCODE_BY_CODE[raw.op]
    following = index + 1
    match opcode.action:
        case Action.LOAD_A:
            m.a = _load(m, opcode, raw.k, dialect)
        case Action.LOAD_X:
            m.x = _load(m, opcode, raw.k, dialect)
        case Action.EQUAL | Action.GREATER_THAN | Action.GREATER_OR_EQUAL | Action.BITS_SET:
            truth = m.compare(opcode.action, m.a, _value(m, opcode, raw.k))
            m.branch(truth, following + raw.jt, following + raw.jf)
        case Action.RETURN:
            m.finish(_value(m, opcode, raw.k))
        case Action.STORE_A:
            m.store_scratch(raw.k, m.a)
        case Action.STORE_X:
            m.store_scratch(raw.k, m.x)
        case Action.ADD | Action.SUB | Action.MUL | Action.OR | Action.AND | Action.XOR:
            m.a = m.arithmetic(opcode.action, m.a, _value(m, opcode, raw.k))
        case Action.DIV | Action.MOD:
            divisor = _value(m, opcode, raw.k)
            if opcode.operand is Operand.X:
                m.return_if(m.compare(Action.EQUAL, divisor, m.word(0)), m.word(0))
            m.a = m.arithmetic(opcode.action, m.a, divisor)
        case Action.SHIFT_LEFT | Action.SHIFT_RIGHT:
            m.a = _shift(m, opcode, raw.k, dialect)
        case Action.NEGATE:
            m.a = m.arithmetic(Action.SUB, m.word(0), m.a)
        case Action.JUMP:
            m.jump(following + raw.k)
        case Action.TAX:
            m.x = m.a
        case Action.TXA:
            m.a = m.x
        case _:
            assert_never(opcode.action)


def _value(m: Machine[Word, Truth], opcode: Opcode, k: int) -> Word:
    """The operand of an instruction that takes a constant or a register."""
    if opcode.operand is Operand.K:
        return m.word(k)
    return m.x if opcode.operand is Operand.X else m.a


def _shift(m: Machine[Word, Truth], opcode: Opcode, k: int, dialect: Dialect) -> Word:
    """Counts of 32 and more take the count modulo 32 or give 0, as the dialect says."""
    if opcode.operand is Operand.K:
        return m.arithmetic(opcode.action, m.a, m.word(k)) if k < 32 else m.word(0)
    shifted = m.arithmetic(opcode.action, m.a, m.arithmetic(Action.AND, m.x, m.word(31)))
    if dialect.shift_count == "modulo":
        return shifted
    return m.select(m.compare(Action.GREATER_THAN, m.x, m.word(31)), m.word(0), shifted)


def _load(m: Machine[Word, Truth], opcode: Opcode, k: int, dialect: Dialect) -> Word:
    match opcode.operand:
        case Operand.K:
            return m.word(k)
        case Operand.SCRATCH:
            return m.load_scratch(k)
        case Operand.LENGTH:
            return m.wire_length() if dialect.record_size is None else m.word(dialect.record_size)
        case Operand.MEMORY_SHIFT:
            low_half = m.arithmetic(Action.AND, _fetch_absolute(m, k, 1, dialect), m.word(15))
            return m.arithmetic(Action.SHIFT_LEFT, low_half, m.word(2))
        case Operand.INDIRECT:
            return _fetch_indirect(m, k, opcode.size, dialect)
        case _:
            extension = extension_of(opcode, k)
            if extension is not None:
                return _extension(m, extension)
            return _fetch_absolute(m, k, opcode.size, dialect)


def _extension(m: Machine[Word, Truth], extension: Extension) -> Word:
    if extension is Extension.XOR_X:
        return m.arithmetic(Action.XOR, m.a, m.x)
    if extension in (Extension.INTERFACE_INDEX, Extension.LINK_LAYER_TYPE):
        # Without a device Linux leaves the program here, with A as it stands.
        m.return_if(m.lacks_device(), m.a)
    return m.extension(extension, m.a, m.x)


def _fetch_absolute(m: Machine[Word, Truth], k: int, size: int, dialect: Dialect) -> Word:
    if k < SIGN_BIT:
        return m.fetch(m.header("packet"), k, size, dialect.byte_order)
    if not dialect.header_windows or k < LINK_OFFSET:
        return m.fetch(m.word(OUT_OF_RANGE), 0, size, dialect.byte_order)
    if k < NETWORK_OFFSET:
        return m.fetch(m.header("link"), k - LINK_OFFSET, size, dialect.byte_order)
    return m.fetch(m.header("network"), k - NETWORK_OFFSET, size, dialect.byte_order)


def _fetch_indirect(m: Machine[Word, Truth], k: int, size: int, dialect: Dialect) -> Word:
    if not dialect.wrapping_offsets:
        return m.fetch(m.x, k, size, dialect.byte_order)
    address = m.arithmetic(Action.ADD, m.x, m.word(k))
    return m.fetch(_locate(m, address), 0, size, dialect.byte_order)


def _locate(m: Machine[Word, Truth], address: Word) -> Word:
    """The position in memory of a 32-bit address, the upper half of which holds Linux's header windows."""

    def at_least(bound: int) -> Truth:
        return m.compare(Action.GREATER_OR_EQUAL, address, m.word(bound))

    def in_window(header: HeaderKind, offset: int) -> Word:
        return m.arithmetic(Action.ADD, m.header(header), m.arithmetic(Action.SUB, address, m.word(offset)))

    link_or_none = m.select(at_least(LINK_OFFSET), in_window("link", LINK_OFFSET), m.word(OUT_OF_RANGE))
    upper = m.select(at_least(NETWORK_OFFSET), in_window("network", NETWORK_OFFSET), link_or_none)
    return m.select(at_least(SIGN_BIT), upper, m.arithmetic(Action.ADD, m.header("packet"), address))
