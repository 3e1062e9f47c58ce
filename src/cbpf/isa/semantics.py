"""The semantics of each action, defined once in terms of a small abstract `Machine`.

A machine chooses the type of its words: ints (an interpreter), source text or compiler values (a compiler), terms of a
solver (a proof). Executing a fixed program on words that are not ints is compilation. Therefore an `if` in this module
may depend on the instruction or the dialect, but never on a word: decisions about words go through `select`, `branch`
and `return_if`.

Sources: Linux net/core/filter.c, libpcap bpf_filter.c. Where these differ, the `Dialect` decides.
"""

from .._typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, TypeVar, assert_never
from .dialects import Dialect, FetchOrder
from .opcodes import (
    EXTENSION_OFFSET,
    LINK_OFFSET,
    NETWORK_OFFSET,
    OPCODE_BY_CODE,
    OUT_OF_RANGE,
    SIGN_BIT,
    Action,
    Opcode,
    Operand,
    missing_case,
)
from .raw_instruction import RawInstruction

if TYPE_CHECKING:
    from .enumerations import Extension

Word = TypeVar("Word")
Condition = TypeVar("Condition")
HeaderKind: TypeAlias = Literal["packet", "network", "link"]


class Machine(Protocol[Word, Condition]):
    """The operations of a machine. Words are unsigned 32-bit numbers; registers and scratch slots are initially 0."""

    a: Word
    x: Word

    def word(self, value: int, /) -> Word:
        """Return a constant word."""
        ...

    def arithmetic(self, action: Action, left: Word, right: Word, /) -> Word:
        """Compute left <action> right, modulo 2**32; a divisor is never 0, and a shift count is always below 32."""
        ...

    def compare(self, action: Action, left: Word, right: Word, /) -> Condition:
        """Compare two words as unsigned numbers; BITS_SET compares left & right with 0, and holds if they differ."""
        ...

    def select(self, condition: Condition, then: Word, otherwise: Word, /) -> Word:
        """Return *then* if the condition holds, else *otherwise*."""
        ...

    def load_scratch(self, slot: int, /) -> Word:
        """Return M[slot]."""
        ...

    def store_scratch(self, slot: int, value: Word, /) -> None:
        """Set M[slot]."""
        ...

    def captured_length(self) -> Word:
        """Return the number of captured bytes of the packet."""
        ...

    def wire_length(self) -> Word:
        """Return the original length of the packet, in bytes."""
        ...

    def header(self, header: HeaderKind, /) -> Word:
        """Return the memory position of byte 0 of a header or of the packet; OUT_OF_RANGE if it does not exist.

        Without header windows, the packet starts at position 0.
        """
        ...

    def fetch(self, base: Word, displacement: int, size: int, byte_order: FetchOrder, /) -> Word:
        """Load *size* bytes at the exact sum base + displacement; if one is missing, end the run with verdict 0."""
        ...

    def lacks_device(self) -> Condition:
        """Return whether the packet has no network device."""
        ...

    def extension(self, extension: "Extension", a: Word, x: Word, /) -> Word:
        """Return metadata of the packet; `SocketBuffer.extension` defines the values."""
        ...

    def return_if(self, condition: Condition, verdict: Word, /) -> None:
        """End the run with a verdict if the condition holds."""
        ...

    def finish(self, verdict: Word, /) -> None:
        """End the run with a verdict."""
        ...

    def jump(self, target: int, /) -> None:
        """Continue at instruction *target*."""
        ...

    def branch(self, condition: Condition, target_true: int, target_false: int, /) -> None:
        """Continue at *target_true* if the condition holds, else at *target_false*."""
        ...


def begin(m: Machine[Word, Condition], dialect: Dialect) -> None:
    """Start a run: if the dialect has a record size, and the packet is shorter, the verdict is 0."""
    if dialect.record_size is not None:
        too_short = m.compare(Action.GREATER_THAN, m.word(dialect.record_size), m.captured_length())
        m.return_if(too_short, m.word(0))


def execute(m: Machine[Word, Condition], raw: RawInstruction, index: int, dialect: Dialect) -> None:
    """Execute the instruction at *index* of a program that *dialect* accepts.

    The run continues at index + 1, unless the instruction calls `jump`, `branch` or `finish`.
    """
    opcode = OPCODE_BY_CODE[raw.op]
    following = index + 1
    match opcode.action:
        case Action.LOAD_A:
            m.a = _load(m, opcode, raw.k, dialect)
        case Action.LOAD_X:
            m.x = _load(m, opcode, raw.k, dialect)
        case Action.EQUAL | Action.GREATER_THAN | Action.GREATER_OR_EQUAL | Action.BITS_SET:
            condition = m.compare(opcode.action, m.a, _value(m, opcode, raw.k))
            m.branch(condition, following + raw.jt, following + raw.jf)
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


def _value(m: Machine[Word, Condition], opcode: Opcode, k: int) -> Word:
    """Return the operand of an instruction that takes a constant or a register."""
    match opcode.operand:
        case Operand.K:
            return m.word(k)
        case Operand.X:
            return m.x
        case Operand.A:
            return m.a
    raise missing_case(opcode, "isa.semantics")


def _shift(m: Machine[Word, Condition], opcode: Opcode, k: int, dialect: Dialect) -> Word:
    """Shift A; the dialect defines the result of a shift by X if X is 32 or more."""
    if opcode.operand is Operand.K:
        return m.arithmetic(opcode.action, m.a, m.word(k)) if k < 32 else m.word(0)
    shifted = m.arithmetic(opcode.action, m.a, m.arithmetic(Action.AND, m.x, m.word(31)))
    if dialect.shift_count == "modulo":
        return shifted
    return m.select(m.compare(Action.GREATER_THAN, m.x, m.word(31)), m.word(0), shifted)


def _load(m: Machine[Word, Condition], opcode: Opcode, k: int, dialect: Dialect) -> Word:
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
        case Operand.ABSOLUTE:
            if k >= EXTENSION_OFFSET and dialect.extensions:
                from .enumerations import extension_of

                extension = extension_of(opcode, k)
                if extension is not None:
                    return _extension(m, extension)
            return _fetch_absolute(m, k, opcode.size, dialect)
    raise missing_case(opcode, "isa.semantics")


def _extension(m: Machine[Word, Condition], extension: "Extension") -> Word:
    from .enumerations import Extension

    if extension is Extension.XOR_X:
        return m.arithmetic(Action.XOR, m.a, m.x)
    if extension in (Extension.INTERFACE_INDEX, Extension.LINK_LAYER_TYPE):
        # If the packet has no device, Linux ends the program with A as the verdict.
        m.return_if(m.lacks_device(), m.a)
    return m.extension(extension, m.a, m.x)


def _fetch_absolute(m: Machine[Word, Condition], k: int, size: int, dialect: Dialect) -> Word:
    if k < SIGN_BIT:
        return m.fetch(m.header("packet"), k, size, dialect.byte_order)
    if not dialect.header_windows or k < LINK_OFFSET:
        return m.fetch(m.word(OUT_OF_RANGE), 0, size, dialect.byte_order)
    if k < NETWORK_OFFSET:
        return m.fetch(m.header("link"), k - LINK_OFFSET, size, dialect.byte_order)
    return m.fetch(m.header("network"), k - NETWORK_OFFSET, size, dialect.byte_order)


def _fetch_indirect(m: Machine[Word, Condition], k: int, size: int, dialect: Dialect) -> Word:
    if not dialect.wrapping_offsets:
        return m.fetch(m.x, k, size, dialect.byte_order)
    address = m.arithmetic(Action.ADD, m.x, m.word(k))
    if not dialect.header_windows:
        return m.fetch(address, 0, size, dialect.byte_order)
    return m.fetch(_locate(m, address), 0, size, dialect.byte_order)


def _locate(m: Machine[Word, Condition], address: Word) -> Word:
    """Return the memory position of a 32-bit address; the header windows of Linux are in its upper half."""

    def at_least(bound: int) -> Condition:
        return m.compare(Action.GREATER_OR_EQUAL, address, m.word(bound))

    def in_window(header: HeaderKind, offset: int) -> Word:
        return m.arithmetic(Action.ADD, m.header(header), m.arithmetic(Action.SUB, address, m.word(offset)))

    link_or_none = m.select(at_least(LINK_OFFSET), in_window("link", LINK_OFFSET), m.word(OUT_OF_RANGE))
    upper = m.select(at_least(NETWORK_OFFSET), in_window("network", NETWORK_OFFSET), link_or_none)
    return m.select(at_least(SIGN_BIT), upper, m.arithmetic(Action.ADD, m.header("packet"), address))
