"""Value numbering: each register content as a function of the packet, with one number per distinct function.

A packet does not change during a run, so a load is a pure function; the bytes that it needs are recorded beside it
(`requirements`). The `ValueTable` assigns each value its number and bounds. `simplify` and `range_tests` add values in
simplified form, so that equal computations share a number:

>>> from cbpf.isa.dialects import PCAP
>>> from cbpf.optimizer.ir.requirements import PACKET
>>> table = ValueTable(PCAP)
>>> halfword = table.load(PACKET, 12, 2)  # ldh [12]
>>> halfword == table.load(PACKET, 12, 2)
True
>>> table.definitions[halfword], hex(table.upper[halfword]), table.requirements[halfword]
(ByteLoad(base=-1, offset=12, size=2), '0xffff', {-1: 14})
"""

from collections.abc import Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ...isa.dialects import Dialect
from ...isa.enumerations import Extension
from ...isa.opcodes import SIGN_BIT, WORD_MASK, Action
from ...isa.semantics import HeaderKind
from ...isa.word_ranges import Ranges
from .requirements import NOTHING, PACKET, Requirements, ValueId, requirement_union, window_key


class Constant(NamedTuple):
    """A constant word."""

    word: int


class ByteLoad(NamedTuple):
    """The *size* bytes of the packet at base + offset, an exact sum; the base is a value, or PACKET for 0."""

    base: ValueId
    offset: int
    size: int


class WindowLoad(NamedTuple):
    """The *size* bytes of memory at position + displacement, which may be in one of Linux's header windows."""

    position: ValueId
    displacement: int
    size: int


class WireLength(NamedTuple):
    """The wire length of the packet."""


class HeaderPosition(NamedTuple):
    """The memory position of the first byte of a header."""

    header: HeaderKind


class ExtensionValue(NamedTuple):
    """The result of an extension load that depends on nothing but the packet's metadata."""

    extension: Extension


class NetlinkSearch(NamedTuple):
    """The result of a search for a netlink attribute, which depends on A and X."""

    extension: Extension
    a: ValueId
    x: ValueId


class RandomNumber(NamedTuple):
    """A random number, identified by the index of its draw in the run, from 0."""

    draw: int


class Selection(NamedTuple):
    """One of two values: *then* if *value* is in *ranges*, else *otherwise*."""

    value: ValueId
    ranges: Ranges
    then: ValueId
    otherwise: ValueId


class Operation(NamedTuple):
    """An arithmetic operation modulo 2**32, or a relation (EQUAL or GREATER_THAN), which is 1 or 0."""

    action: Action
    left: ValueId
    right: ValueId


Definition: TypeAlias = (
    Constant
    | ByteLoad
    | WindowLoad
    | WireLength
    | HeaderPosition
    | ExtensionValue
    | NetlinkSearch
    | RandomNumber
    | Selection
    | Operation
)

EXTENSION_BOUNDS: Final = {
    Extension.PROTO: 0xFFFF,
    Extension.TYPE: 7,
    Extension.QUEUE: 0xFFFF,
    Extension.LINK_LAYER_TYPE: 0xFFFF,
    Extension.VLAN_TAG: 0xFFFF,
    Extension.VLAN_TAG_PRESENT: 1,
    Extension.VLAN_PROTO: 0xFFFF,
}
"""The upper bounds of the extensions that have fewer than 32 bits (fields of `Metadata`)."""

_MAX_SIZE: Final = 2_000  # of one value, in operations


class TooLarge(Exception):
    """The program exceeds a limit of the optimiser, which then returns it unchanged."""


class ValueTable:
    """The numbered values of a program; a `ValueId` indexes each of its lists.

    Args:
        dialect: The dialect whose semantics the values have.

    Attributes:
        definitions: How each value is computed.
        upper: The upper bound of each value.
        possible_bits: The bits of each value that may be 1.
        requirements: The requirements of computing each value.
        sizes: The approximate number of instructions that compute each value.
        shift_operands: For a selection that implements a shift by X: the values of A and X.
        zero: The constant 0.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.definitions: list[Definition] = []
        self.upper: list[int] = []
        self.possible_bits: list[int] = []
        self.requirements: list[Requirements] = []
        self.sizes: list[int] = []
        self.shift_operands: dict[ValueId, tuple[ValueId, ValueId]] = {}
        self._ids: dict[tuple[type, Definition], ValueId] = {}
        self.zero = self.constant(0)

    # -- construction -------------------------------------------------------------------------------------------

    def add(
        self,
        definition: Definition,
        upper: int = WORD_MASK,
        bits: int | None = None,
        requirements: Requirements = NOTHING,
    ) -> ValueId:
        """Return the number of a value; raise `TooLarge` if it takes more than 2,000 operations to compute."""
        key = (type(definition), definition)
        existing = self._ids.get(key)
        if existing is not None:
            return existing
        size = 1
        for operand in operands(definition):
            requirements = requirement_union(requirements, self.requirements[operand]) or NOTHING
            size += self.sizes[operand]
        if size > _MAX_SIZE:
            raise TooLarge
        value = self._ids[key] = len(self.definitions)
        mask = (1 << upper.bit_length()) - 1
        bits = mask if bits is None else bits & mask
        self.definitions.append(definition)
        self.upper.append(min(upper, bits))
        self.possible_bits.append(bits)
        self.requirements.append(requirements)
        self.sizes.append(size)
        return value

    def constant(self, word: int) -> ValueId:
        """Return the value of a constant."""
        return self.add(Constant(word), word, word)

    def wire_length(self) -> ValueId:
        """Return the value of the packet's wire length."""
        return self.add(WireLength())

    def header(self, header: HeaderKind) -> ValueId:
        """Return the value of a header's memory position."""
        return self.add(HeaderPosition(header), SIGN_BIT - 1 if header == "packet" else WORD_MASK)

    def extension(self, extension: Extension) -> ValueId:
        """Return the value of an extension load that depends on nothing but metadata."""
        return self.add(ExtensionValue(extension), EXTENSION_BOUNDS.get(extension, WORD_MASK))

    def load(self, base: ValueId, offset: int, size: int) -> ValueId:
        """Return the value of *size* packet bytes at base + offset; the base may be PACKET."""
        requirements = NOTHING if self.dialect.record_size is not None else {base: offset + size}
        return self.add(ByteLoad(base, offset, size), (1 << 8 * size) - 1, requirements=requirements)

    def fetch(self, position: ValueId, displacement: int, size: int) -> ValueId | None:
        """Return the value of *size* bytes of memory at position + displacement; None if no packet reaches that far."""
        base, offset = self._packet_offset(position, displacement)
        if base is None:
            return self._window(position, displacement, size)
        return self.load(base, offset, size) if offset + size <= SIGN_BIT else None

    def _packet_offset(self, position: ValueId, displacement: int) -> tuple[ValueId | None, int]:
        """Convert a memory position to a base and an offset from packet byte 0, whose sum does not wrap.

        The base is None if the position may be outside of the packet, in one of Linux's header windows.
        """
        if self.dialect.header_windows:
            packet = self.header("packet")
            if position == packet:
                return PACKET, displacement
            address = self.other_term(position, packet)
            if address is None:
                return None, 0
            position = address
        constant = self.constant_of(position)
        if constant is not None:
            return PACKET, constant + displacement
        inner, addend = self.split_sum(position)
        if self.upper[inner] + addend <= WORD_MASK and addend + displacement <= WORD_MASK:
            return inner, addend + displacement
        return position, displacement

    def _window(self, position: ValueId, displacement: int, size: int) -> ValueId | None:
        constant = self.constant_of(position)
        if constant is not None and constant + displacement >= SIGN_BIT:
            return None
        inner, addend = self.split_sum(position)
        if isinstance(self.definitions[inner], HeaderPosition):
            position, displacement = inner, displacement + addend
        window = self.add(WindowLoad(position, displacement, size), (1 << 8 * size) - 1)
        self.requirements[window] = requirement_union(self.requirements[window], {window_key(window): 1}) or NOTHING
        return window

    # -- inspection ---------------------------------------------------------------------------------------------

    def constant_of(self, value: ValueId) -> int | None:
        """Return the word of a constant, or None for any other value."""
        definition = self.definitions[value]
        return definition.word if isinstance(definition, Constant) else None

    def split_constant(self, value: ValueId, action: Action) -> tuple[ValueId, int] | None:
        """Return (y, c) if the value is `y <action> c` with a constant c, else None."""
        definition = self.definitions[value]
        if isinstance(definition, Operation) and definition.action is action:
            constant = self.constant_of(definition.right)
            if constant is not None:
                return definition.left, constant
        return None

    def split_sum(self, value: ValueId) -> tuple[ValueId, int]:
        """Return (y, c) if the value is y + c with a constant c, else (value, 0)."""
        return self.split_constant(value, Action.ADD) or (value, 0)

    def other_term(self, value: ValueId, term: ValueId) -> ValueId | None:
        """Return the other term if the value is a sum with *term*, else None."""
        definition = self.definitions[value]
        if isinstance(definition, Operation) and definition.action is Action.ADD:
            if definition.left == term:
                return definition.right
            if definition.right == term:
                return definition.left
        return None


def operands(definition: Definition) -> Sequence[ValueId]:
    """Return the values that a definition refers to."""
    match definition:
        case Operation(_, left, right):
            return left, right
        case ByteLoad(base, _, _):
            return () if base == PACKET else (base,)
        case WindowLoad(position, _, _):
            return (position,)
        case NetlinkSearch(_, a, x):
            return a, x
        case Selection(value, _, then, otherwise):
            return value, then, otherwise
    return ()
