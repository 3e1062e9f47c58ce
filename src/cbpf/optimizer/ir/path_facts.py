"""What is known on a way through a diagram: where values lie, bits of packet bytes, requirements that were met."""

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from ...isa.alu import ARITHMETIC
from ...isa.opcodes import WORD_MASK, Action
from ...isa.word_ranges import Ranges, intersection, union
from .diagram import Diagram, Switch
from .requirements import NOTHING, Requirements, requirement_intersection, requirement_union
from .value_numbering import ByteLoad, Constant, Operation, operands

Byte: TypeAlias = tuple[int, int]
"""A byte of the packet: the base and the offset of its load."""
Bits: TypeAlias = tuple[int, int]
"""Which bits are known, and what they are."""

_MOST_RANGES: Final = 64
_BITWISE: Final = frozenset({Action.AND, Action.OR, Action.XOR, Action.SHIFT_LEFT, Action.SHIFT_RIGHT})


class PathFacts:
    """A value, like all here: what is learnt makes new facts."""

    __slots__ = ("bits", "checked", "domains")

    def __init__(self, domains: dict[int, Ranges], bits: dict[Byte, Bits], met: Requirements) -> None:
        self.domains = domains
        self.bits = bits
        self.checked = met

    def with_checked(self, required: Requirements) -> "PathFacts":
        """And what is required was met."""
        met = requirement_union(self.checked, required) or NOTHING
        return self if met is self.checked else PathFacts(self.domains, self.bits, met)

    def join(self, other: "PathFacts") -> "PathFacts":
        """What holds on both ways."""
        if other is self:
            return self
        domains = {}
        for value, ranges in self.domains.items():
            if value in other.domains:
                merged = union((*ranges, *other.domains[value]))
                if len(merged) <= _MOST_RANGES:
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
    """Draws conclusions from facts, and drops those that no test below a node asks for."""

    def __init__(self, diagram: Diagram, order: Iterable[int]) -> None:
        self._expressions = diagram.values
        self._leaves: dict[int, frozenset[Byte]] = {}
        self._last_test: dict[int, int] = {}
        self._last_start: dict[tuple[int, int], int] = {}
        self._last_byte: dict[Byte, int] = {}
        for number in order:  # downwards, so that the last one counts
            node = diagram.nodes[number]
            if isinstance(node, Switch):
                self._last_test[node.value] = number
                for start in node.starts:
                    self._last_start[node.value, start] = number
                for byte in self.leaves(node.value):
                    self._last_byte[byte] = number

    def leaves(self, value: int) -> frozenset[Byte]:
        """The bytes of the packet that a value is made of."""
        found = self._leaves.get(value)
        if found is None:
            node = self._expressions.nodes[value]
            if isinstance(node, ByteLoad):
                found = frozenset((node.base, node.offset + n) for n in range(node.size))
            else:
                found = frozenset().union(*map(self.leaves, operands(node)))
            self._leaves[value] = found
        return found

    def where(self, value: int, facts: PathFacts) -> Ranges:
        """Where a value can lie."""
        domain = facts.domains.get(value, ((0, self._expressions.most[value]),))
        if facts.bits and not facts.bits.keys().isdisjoint(self.leaves(value)):
            mask, known = self._known_bits(value, facts)
            free = self._expressions.bits[value] & ~mask
            domain = intersection(domain, ((known, known | free),))
        return domain

    def assume(self, value: int, ranges: Ranges, facts: PathFacts, node: int) -> PathFacts:
        """The facts at *node*, which comes next where *value* lies in *ranges*; they can be true together."""
        domains = {one: known for one, known in facts.domains.items() if self._last_test.get(one, node + 1) <= node}
        bits = {byte: known for byte, known in facts.bits.items() if self._last_byte[byte] <= node}
        if self._last_test.get(value, node + 1) <= node:
            domains[value] = self._relevant(value, ranges, node)
        low, high = ranges[0][0], ranges[-1][1]
        mask = WORD_MASK & ~((1 << (low ^ high).bit_length()) - 1)
        self._learn(value, mask, low & mask, bits, node)
        return PathFacts(domains, bits, facts.checked)

    def _relevant(self, value: int, ranges: Ranges, node: int) -> Ranges:
        """The ranges without the gaps that no test at or below *node* can see."""
        kept = [ranges[0]]
        for low, high in ranges[1:]:
            before = kept[-1][1]
            gap_matters = low - before > 3 or any(
                self._last_start.get((value, start), node + 1) <= node for start in range(before + 1, low + 1)
            )
            if gap_matters and len(kept) < _MOST_RANGES:
                kept.append((low, high))
            else:
                kept[-1] = kept[-1][0], high
        return tuple(kept)

    def _known_bits(self, value: int, facts: PathFacts) -> Bits:
        node = self._expressions.nodes[value]
        absent = WORD_MASK & ~self._expressions.bits[value]
        mask, known = 0, 0
        match node:
            case Constant(number):
                return WORD_MASK, number
            case ByteLoad():
                for byte, place in self._bytes_of(node):
                    byte_mask, bits = facts.bits.get(byte, (0, 0))
                    mask, known = mask | byte_mask << place, known | bits << place
            case Operation(action, left, right) if action in _BITWISE:
                mask, known = _combined(action, self._known_bits(left, facts), self._known_bits(right, facts))
        return mask | absent, known & ~absent

    def _learn(self, value: int, mask: int, known: int, bits: dict[Byte, Bits], node: int) -> None:
        """Notes what bits of *value* say of the bytes that it is made of."""
        expression = self._expressions.nodes[value]
        if isinstance(expression, ByteLoad):
            for byte, place in self._bytes_of(expression):
                byte_mask = mask >> place & 0xFF
                if byte_mask and self._last_byte.get(byte, node + 1) <= node:
                    before_mask, before = bits.get(byte, (0, 0))
                    bits[byte] = before_mask | byte_mask, before | known >> place & byte_mask
        elif isinstance(expression, Operation):
            c = self._expressions.number(expression.right)
            undone = None if c is None else _undone(expression.action, c, mask, known)
            if undone is not None:
                self._learn(expression.left, *undone, bits, node)

    def _bytes_of(self, load: ByteLoad) -> Iterator[tuple[Byte, int]]:
        """The bytes of a load, each with the number of its lowest bit in the value."""
        little = self._expressions.dialect.byte_order == "little"
        for n in range(load.size):
            yield (load.base, load.offset + n), 8 * (n if little else load.size - 1 - n)


def _undone(action: Action, c: int, mask: int, known: int) -> Bits | None:
    """What known bits of an operation with a constant say of its other operand."""
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


def _combined(action: Action, left: Bits, right: Bits) -> Bits:
    """The bits of an operation on two values of which some bits are known."""
    (left_mask, left_known), (right_mask, right_known) = left, right
    if action in (Action.SHIFT_LEFT, Action.SHIFT_RIGHT):
        if right_mask != WORD_MASK:
            return 0, 0
        filled = ARITHMETIC[action](WORD_MASK, right_known) ^ WORD_MASK  # what is shifted in is 0
        mask = ARITHMETIC[action](left_mask, right_known) | filled
        return mask & WORD_MASK, ARITHMETIC[action](left_known, right_known) & mask & WORD_MASK
    mask = left_mask & right_mask
    if action is Action.AND:  # a 0 on one side is enough
        mask |= left_mask & ~left_known | right_mask & ~right_known
    elif action is Action.OR:
        mask |= left_known | right_known
    return mask, ARITHMETIC[action](left_known, right_known) & mask


def ranges_of_arms(node: Switch, most: int) -> dict[int, Ranges]:
    """For each target of a switch, the numbers that lead there."""
    found: dict[int, list[tuple[int, int]]] = {}
    ends = [*(start - 1 for start in node.starts[1:]), most]
    for start, end, target in zip(node.starts, ends, node.targets, strict=True):
        found.setdefault(target, []).append((start, end))
    return {target: tuple(ranges) for target, ranges in found.items()}
