"""Expressions: what a register holds, as a function of the packet. Equal ones are one number.

A packet cannot change, hence a load is a pure expression; what it requires stands beside it (`requirements`). The table
here gives each expression a number and its bounds; `arithmetic` and `comparisons` make them, simplified.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

from ...isa.dialects import Dialect
from ...isa.opcodes import SIGN_BIT, WORD_MASK, Action, Extension
from ...isa.semantics import HeaderKind
from ...isa.word_ranges import Ranges
from .requirements import NOTHING, PACKET, Requirements, reachable_key, requirement_union


class Constant(NamedTuple):
    """A number."""

    number: int


class ByteLoad(NamedTuple):
    """The *size* bytes at base + offset of the packet, an exact sum; base is an expression or PACKET for none."""

    base: int
    offset: int
    size: int


class WindowLoad(NamedTuple):
    """The *size* bytes of memory at position + displacement, which may go through Linux's header windows."""

    position: int
    displacement: int
    size: int


class Length(NamedTuple):
    """The wire length."""


class HeaderPosition(NamedTuple):
    """The position in memory of a header's byte 0."""

    header: HeaderKind


class ExtensionValue(NamedTuple):
    """What the kernel knows of the packet, where that depends on nothing else."""

    extension: Extension


class Search(NamedTuple):
    """A netlink attribute, searched for with A and X."""

    extension: Extension
    a: int
    x: int


class Drawn(NamedTuple):
    """A random number, by the number of its draw, from 0."""

    draw: int


class Selection(NamedTuple):
    """One of two, by whether a value lies in ranges."""

    value: int
    ranges: Ranges
    then: int
    otherwise: int


class Operation(NamedTuple):
    """An operation modulo 2**32, or a relation, which is 1 or 0."""

    action: Action
    left: int
    right: int


Definition: TypeAlias = (
    Constant | ByteLoad | WindowLoad | Length | HeaderPosition | ExtensionValue | Search | Drawn | Selection | Operation
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
"""The greatest values of the extensions that have fewer than 32 bits (`Metadata`)."""

_LARGEST: Final = 2_000


class TooLarge(Exception):
    """The program has no reasonable form here; it stays as it is."""


class ValueTable:
    """The table. An expression is an index into its lists.

    nodes: what it is. most: its greatest value. bits: the bits that may be 1. requirements: what computing it requires
    of the packet. size: about how many instructions that takes. shifts: what A and X held where a selection was made,
    as it is for shifts by X.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.nodes: list[Definition] = []
        self.most: list[int] = []
        self.bits: list[int] = []
        self.requirements: list[Requirements] = []
        self.size: list[int] = []
        self.shifts: dict[int, tuple[int, int]] = {}
        self._numbers: dict[tuple[type, Definition], int] = {}
        self.zero = self.constant(0)

    # -- making -------------------------------------------------------------------------------------------------

    def add(
        self, node: Definition, most: int = WORD_MASK, bits: int | None = None, requirements: Requirements = NOTHING
    ) -> int:
        """The number of an expression. Raises `TooLarge` where it has become too long to compute."""
        key = (type(node), node)
        found = self._numbers.get(key)
        if found is not None:
            return found
        size = 1
        for operand in operands(node):
            requirements = requirement_union(requirements, self.requirements[operand]) or NOTHING
            size += self.size[operand]
        if size > _LARGEST:
            raise TooLarge
        number = self._numbers[key] = len(self.nodes)
        mask = (1 << most.bit_length()) - 1
        bits = mask if bits is None else bits & mask
        self.nodes.append(node)
        self.most.append(min(most, bits))
        self.bits.append(bits)
        self.requirements.append(requirements)
        self.size.append(size)
        return number

    def constant(self, number: int) -> int:
        """See `Constant`."""
        return self.add(Constant(number), number, number)

    def length(self) -> int:
        """See `Length`."""
        return self.add(Length())

    def header(self, header: HeaderKind) -> int:
        """See `HeaderPosition`."""
        return self.add(HeaderPosition(header), SIGN_BIT - 1 if header == "packet" else WORD_MASK)

    def known(self, extension: Extension) -> int:
        """See `Known`."""
        return self.add(ExtensionValue(extension), EXTENSION_BOUNDS.get(extension, WORD_MASK))

    def load(self, base: int, offset: int, size: int) -> int:
        """The bytes at base + offset of the packet; base may be PACKET."""
        requirements = NOTHING if self.dialect.record_size is not None else {base: offset + size}
        return self.add(ByteLoad(base, offset, size), (1 << 8 * size) - 1, requirements=requirements)

    def fetch(self, position: int, displacement: int, size: int) -> int | None:
        """The bytes of memory at a position plus a displacement, an exact sum; None: no packet reaches so far."""
        base, offset = self._from_packet(position, displacement)
        if base is None:
            return self._window(position, displacement, size)
        return self.load(base, offset, size) if offset + size <= SIGN_BIT else None

    def _from_packet(self, position: int, displacement: int) -> tuple[int | None, int]:
        """Position and displacement as base and offset from packet byte 0; base None: it may lie elsewhere."""
        if self.dialect.header_windows:
            packet = self.header("packet")
            if position == packet:
                return PACKET, displacement
            address = self.added_to(position, packet)
            if address is None:
                return None, 0
            position = address
        number = self.number(position)
        if number is not None:
            return PACKET, number + displacement
        inner, added = self.terms(position)
        if self.most[inner] + added <= WORD_MASK and added + displacement <= WORD_MASK:
            return inner, added + displacement
        return position, displacement

    def _window(self, position: int, displacement: int, size: int) -> int | None:
        number = self.number(position)
        if number is not None and number + displacement >= SIGN_BIT:
            return None
        inner, added = self.terms(position)
        if isinstance(self.nodes[inner], HeaderPosition):
            position, displacement = inner, displacement + added
        window = self.add(WindowLoad(position, displacement, size), (1 << 8 * size) - 1)
        self.requirements[window] = requirement_union(self.requirements[window], {reachable_key(window): 1}) or NOTHING
        return window

    # -- asking -------------------------------------------------------------------------------------------------

    def number(self, expression: int) -> int | None:
        """The number that a constant is."""
        node = self.nodes[expression]
        return node.number if isinstance(node, Constant) else None

    def with_constant(self, expression: int, action: Action) -> tuple[int, int] | None:
        """Of an operation on y and a constant: y and the constant."""
        node = self.nodes[expression]
        if isinstance(node, Operation) and node.action is action:
            number = self.number(node.right)
            if number is not None:
                return node.left, number
        return None

    def terms(self, expression: int) -> tuple[int, int]:
        """Of y + constant: y and the constant; else the expression and 0."""
        return self.with_constant(expression, Action.ADD) or (expression, 0)

    def added_to(self, expression: int, term: int) -> int | None:
        """Of a sum with *term*: the other term."""
        node = self.nodes[expression]
        if isinstance(node, Operation) and node.action is Action.ADD and term in (node.left, node.right):
            return node.right if node.left == term else node.left
        return None


def operands(node: Definition) -> Sequence[int]:
    """The expressions that this one is made of."""
    match node:
        case Operation(_, left, right):
            return left, right
        case ByteLoad(base, _, _):
            return () if base == PACKET else (base,)
        case WindowLoad(position, _, _):
            return (position,)
        case Search(_, a, x):
            return a, x
        case Selection(value, _, then, otherwise):
            return value, then, otherwise
    return ()
