"""Facts that hold on a path through a diagram: ranges of values, bits of packet bytes, and checked requirements.

These facts are about numbered values and hold on edges of a diagram; `analysis.abstract_state` holds facts about
registers at the instructions of a program.
"""

from collections.abc import Iterable, Iterator

from ..._typing import Final, TypeAlias
from ...isa.alu import ARITHMETIC
from ...isa.opcodes import WORD_MASK, Action
from ...isa.word_ranges import Ranges, intersection, union
from .diagram import Diagram, NodeId, Switch
from .requirements import NOTHING, Requirements, ValueId, requirement_intersection, requirement_union
from .value_numbering import ByteLoad, Constant, Operation, operands

PacketByte: TypeAlias = tuple[ValueId, int]
"""A byte of the packet: the base and the offset of its load."""

KnownBits: TypeAlias = tuple[int, int]
"""A mask of the known bits, and their values (0 outside the mask)."""

_MAX_RANGES: Final = 64
_MAX_SOURCE_BYTES: Final = 64
_MAX_DEPTH: Final = 16
_BITWISE: Final = frozenset({Action.AND, Action.OR, Action.XOR, Action.SHIFT_LEFT, Action.SHIFT_RIGHT})


class PathFacts:
    """The facts that hold on a path; immutable.

    Args:
        domains: The ranges of each value that was tested.
        bits: The known bits of each packet byte.
        checked: The requirements that were met.
    """

    __slots__ = ("bits", "checked", "domains")

    def __init__(
        self, domains: dict[ValueId, Ranges], bits: dict[PacketByte, KnownBits], checked: Requirements
    ) -> None:
        self.domains = domains
        self.bits = bits
        self.checked = checked

    def with_checked(self, required: Requirements) -> "PathFacts":
        """Return these facts with *required* added to the checked requirements."""
        checked = requirement_union(self.checked, required) or NOTHING
        return self if checked is self.checked else PathFacts(self.domains, self.bits, checked)

    def join(self, other: "PathFacts") -> "PathFacts":
        """Return the facts that hold on both paths."""
        if other is self:
            return self
        domains = {}
        for value, ranges in self.domains.items():
            others = other.domains.get(value)
            if others is not None:
                merged = ranges if ranges == others else union((*ranges, *others))
                if len(merged) <= _MAX_RANGES:
                    domains[value] = merged
        bits = {}
        for byte, (mask, known) in self.bits.items():
            if byte in other.bits:
                other_mask, other_known = other.bits[byte]
                mask &= other_mask & ~(known ^ other_known)
                if mask:
                    bits[byte] = mask, known & mask
        return PathFacts(domains, bits, requirement_intersection(self.checked, other.checked) or NOTHING)


NO_FACTS: Final = PathFacts({}, {}, NOTHING)


class Reasoner:
    """The inference rules for facts; it drops facts that no test at or below a node can use.

    Args:
        diagram: The diagram whose paths the facts describe.
        order: The nodes of the diagram in topological order.
    """

    def __init__(self, diagram: Diagram, order: Iterable[NodeId]) -> None:
        self._table = diagram.values
        self._source_bytes: dict[ValueId, frozenset[PacketByte]] = {}
        self._last_test: dict[ValueId, NodeId] = {}
        self._last_start: dict[tuple[ValueId, int], NodeId] = {}
        self._last_byte: dict[PacketByte, NodeId] = {}
        self._last_facts = NO_FACTS
        self._last_ranges: dict[ValueId, Ranges] = {}
        self._last_bits: dict[tuple[ValueId, int], KnownBits] = {}
        for node_id in order:  # descending, so that the last test of each value remains
            node = diagram.nodes[node_id]
            if isinstance(node, Switch):
                self._last_test[node.value] = node_id
                for start in node.starts:
                    self._last_start[node.value, start] = node_id
                for byte in self.source_bytes(node.value):
                    self._last_byte[byte] = node_id

    def source_bytes(self, value: ValueId) -> frozenset[PacketByte]:
        """Return the packet bytes from which a value is computed; none if there are more than 64."""
        cached = self._source_bytes.get(value)
        return self._find_source_bytes(value) if cached is None else cached

    def _find_source_bytes(self, value: ValueId) -> frozenset[PacketByte]:
        pending = [value]
        while pending:
            definition = self._table.definitions[pending[-1]]
            missing = [operand for operand in operands(definition) if operand not in self._source_bytes]
            if missing and not isinstance(definition, ByteLoad):
                pending += missing
                continue
            if isinstance(definition, ByteLoad):
                found = frozenset((definition.base, definition.offset + n) for n in range(definition.size))
            else:
                found = frozenset().union(*(self._source_bytes[operand] for operand in operands(definition)))
            self._source_bytes[pending.pop()] = found if len(found) <= _MAX_SOURCE_BYTES else frozenset()
        return self._source_bytes[value]

    def possible_ranges(self, value: ValueId, facts: PathFacts) -> Ranges:
        """Return ranges that contain the value on every run for which the facts hold."""
        if facts is not self._last_facts:
            self._last_facts, self._last_ranges, self._last_bits = facts, {}, {}
        if value in self._last_ranges:
            return self._last_ranges[value]
        domain = facts.domains.get(value, ((0, self._table.upper[value]),))
        if facts.bits and not facts.bits.keys().isdisjoint(self.source_bytes(value)):
            mask, known = self._known_bits(value, facts, _MAX_DEPTH)
            free = self._table.possible_bits[value] & ~mask
            domain = intersection(domain, ((known, known | free),))
        self._last_ranges[value] = domain
        return domain

    def assume(self, value: ValueId, ranges: Ranges, facts: PathFacts, node_id: NodeId) -> PathFacts:
        """Return the facts at *node_id*, which is reached if *value* is in *ranges*; *ranges* must not be empty."""
        domains = {
            other: domain
            for other, domain in facts.domains.items()
            if self._last_test.get(other, node_id + 1) <= node_id
        }
        bits = {byte: known for byte, known in facts.bits.items() if self._last_byte[byte] <= node_id}
        if self._last_test.get(value, node_id + 1) <= node_id:
            domains[value] = self._relevant(value, ranges, node_id)
        low, high = ranges[0][0], ranges[-1][1]
        mask = WORD_MASK & ~((1 << (low ^ high).bit_length()) - 1)
        self._learn_bits(value, mask, low & mask, bits, node_id)
        return PathFacts(domains, bits, facts.checked)

    def _relevant(self, value: ValueId, ranges: Ranges, node_id: NodeId) -> Ranges:
        """Return the ranges in a shorter form: at most 64, without small gaps that no test can notice.

        A gap of at most two values is closed if no test at or below *node_id* has a boundary in it.
        """
        merged = [ranges[0]]
        for low, high in ranges[1:]:
            before = merged[-1][1]
            gap_matters = low - before > 3 or any(
                self._last_start.get((value, start), node_id + 1) <= node_id for start in range(before + 1, low + 1)
            )
            if gap_matters and len(merged) < _MAX_RANGES:
                merged.append((low, high))
            else:
                merged[-1] = merged[-1][0], high
        return tuple(merged)

    def _known_bits(self, value: ValueId, facts: PathFacts, depth: int) -> KnownBits:
        """Return the bits of a value that the facts imply; bits of operands below *depth* levels count as unknown."""
        definition = self._table.definitions[value]
        absent = WORD_MASK & ~self._table.possible_bits[value]
        mask, known = 0, 0
        match definition:
            case Constant(word):
                return WORD_MASK, word
            case ByteLoad():
                for byte, shift in self._bytes_of(definition):
                    byte_mask, bits = facts.bits.get(byte, (0, 0))
                    mask, known = mask | byte_mask << shift, known | bits << shift
            case Operation(action, left, right) if action in _BITWISE and depth > 0:
                if (value, depth) not in self._last_bits:
                    bits_of = (self._known_bits(operand, facts, depth - 1) for operand in (left, right))
                    self._last_bits[value, depth] = _combine_bits(action, *bits_of)
                mask, known = self._last_bits[value, depth]
        return mask | absent, known & ~absent

    def _learn_bits(
        self, value: ValueId, mask: int, known: int, bits: dict[PacketByte, KnownBits], node_id: NodeId
    ) -> None:
        """Add to *bits* the packet bits that known bits of *value* imply."""
        definition = self._table.definitions[value]
        while isinstance(definition, Operation):
            c = self._table.constant_of(definition.right)
            operand_bits = None if c is None else _operand_bits(definition.action, c, mask, known)
            if operand_bits is None:
                return
            mask, known = operand_bits
            definition = self._table.definitions[definition.left]
        if isinstance(definition, ByteLoad):
            for byte, shift in self._bytes_of(definition):
                byte_mask = mask >> shift & 0xFF
                if byte_mask and self._last_byte.get(byte, node_id + 1) <= node_id:
                    before_mask, before = bits.get(byte, (0, 0))
                    bits[byte] = before_mask | byte_mask, before | known >> shift & byte_mask

    def _bytes_of(self, load: ByteLoad) -> Iterator[tuple[PacketByte, int]]:
        """Yield the bytes of a load, each with the position of its lowest bit in the loaded value."""
        is_little_endian = self._table.dialect.byte_order == "little"
        for n in range(load.size):
            yield (load.base, load.offset + n), 8 * (n if is_little_endian else load.size - 1 - n)


def _operand_bits(action: Action, c: int, mask: int, known: int) -> KnownBits | None:
    """Return the known bits of y, given known bits of `y <action> c`; None for actions that are not bitwise."""
    match action:
        case Action.AND:
            return mask & c, known & c
        case Action.OR:
            return mask & ~c, known & ~c
        case Action.XOR:
            return mask, (known ^ c) & mask
        case Action.SHIFT_LEFT:
            return mask >> c, known >> c
        case Action.SHIFT_RIGHT:
            return mask << c & WORD_MASK, known << c & WORD_MASK
    return None


def _combine_bits(action: Action, left: KnownBits, right: KnownBits) -> KnownBits:
    """Return the known bits of an operation, given known bits of its operands."""
    (left_mask, left_known), (right_mask, right_known) = left, right
    if action in (Action.SHIFT_LEFT, Action.SHIFT_RIGHT):
        if right_mask != WORD_MASK:
            return 0, 0
        filled = ARITHMETIC[action](WORD_MASK, right_known) ^ WORD_MASK  # shifts insert zeros
        mask = ARITHMETIC[action](left_mask, right_known) | filled
        return mask & WORD_MASK, ARITHMETIC[action](left_known, right_known) & mask & WORD_MASK
    mask = left_mask & right_mask
    if action is Action.AND:  # a known 0 in one operand is sufficient
        mask |= left_mask & ~left_known | right_mask & ~right_known
    elif action is Action.OR:  # a known 1 is sufficient
        mask |= left_known | right_known
    return mask, ARITHMETIC[action](left_known, right_known) & mask
