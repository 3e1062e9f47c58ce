"""Words of 32 bits as vectors of Boolean functions, and the operations of the instruction set on them.

A word is a tuple of 32 nodes of a decision diagram, the most significant bit first. Equal words are equal tuples. The
operations are the circuits of hardware: ripple-carry addition, shift and add, restoring division, a barrel shifter.

>>> diagram = DecisionDiagram()
>>> x = tuple(diagram.variable(bit) for bit in range(32))
>>> doubled = arithmetic(diagram, Action.ADD, x, x)
>>> doubled == arithmetic(diagram, Action.SHIFT_LEFT, x, constant(1))
True
>>> compare(diagram, Action.GREATER_OR_EQUAL, x, constant(0)) == TRUE
True
"""

from collections.abc import Callable, Sequence

from ..._typing import Final, TypeAlias
from ...isa.opcodes import Action
from .decision_diagram import FALSE, TRUE, DecisionDiagram, Node

WORD_BITS: Final = 32

Word: TypeAlias = tuple[Node, ...]
"""The bits of a word as Boolean functions, the most significant one first."""


def constant(value: int, bits: int = WORD_BITS) -> Word:
    """Return a number as a word."""
    return tuple([TRUE if value >> bit & 1 else FALSE for bit in range(bits - 1, -1, -1)])


ZERO: Final = constant(0)


def constant_of(word: Word) -> int | None:
    """Return the number of a constant word, else None."""
    value = 0
    for bit in word:
        if bit > TRUE:
            return None
        value = value << 1 | bit
    return value


def select(diagram: DecisionDiagram, condition: Node, then: Word, otherwise: Word) -> Word:
    """Return the word that is *then* where the condition holds, and else *otherwise*."""
    if then == otherwise:
        return then
    return tuple([diagram.choose(condition, *bits) for bits in zip(then, otherwise, strict=True)])


def arithmetic(diagram: DecisionDiagram, action: Action, left: Word, right: Word) -> Word:
    """Return left <action> right modulo 2**32, for a divisor other than 0 and a shift count below 32."""
    match action:
        case Action.AND:
            return _each_bit(diagram, left, right, lambda bit: (bit, FALSE))
        case Action.OR:
            return _each_bit(diagram, left, right, lambda bit: (TRUE, bit))
        case Action.XOR:
            return _each_bit(diagram, left, right, lambda bit: (diagram.negate(bit), bit))
        case Action.ADD:
            return _sum(diagram, left, right, FALSE)
        case Action.SUB:
            return _sum(diagram, left, _complement(diagram, right), TRUE)
        case Action.MUL:
            return _product(diagram, left, right)
        case Action.DIV:
            return _quotient_and_remainder(diagram, left, right)[0]
        case Action.MOD:
            return _quotient_and_remainder(diagram, left, right)[1]
        case Action.SHIFT_LEFT | Action.SHIFT_RIGHT:
            return _shifted(diagram, action, left, right)
    raise NotImplementedError(f"seccomp.diagrams.bit_vectors: no circuit for {action.name}")


def compare(diagram: DecisionDiagram, action: Action, left: Word, right: Word) -> Node:
    """Return the condition left <action> right, for unsigned words."""
    match action:
        case Action.EQUAL:
            return _relation(diagram, left, right, if_equal=TRUE, if_greater=FALSE)
        case Action.GREATER_THAN:
            return _relation(diagram, left, right, if_equal=FALSE, if_greater=TRUE)
        case Action.GREATER_OR_EQUAL:
            return _relation(diagram, left, right, if_equal=TRUE, if_greater=TRUE)
        case Action.BITS_SET:
            common = arithmetic(diagram, Action.AND, left, right)
            return diagram.negate(_relation(diagram, common, ZERO, if_equal=TRUE, if_greater=FALSE))
    raise NotImplementedError(f"seccomp.diagrams.bit_vectors: no circuit for {action.name}")


def _relation(diagram: DecisionDiagram, left: Word, right: Word, *, if_equal: Node, if_greater: Node) -> Node:
    """Compare from the least significant bit on: a more significant bit that differs overrides the bits after it."""
    choose = diagram.choose
    result = if_equal
    for bit, other in zip(reversed(left), reversed(right), strict=True):
        if other == TRUE:
            result = choose(bit, result, FALSE)
        elif other == FALSE:
            result = choose(bit, if_greater, result)
        else:
            result = choose(bit, choose(other, result, if_greater), choose(other, FALSE, result))
    return result


def _each_bit(diagram: DecisionDiagram, left: Word, right: Word, cases: Callable[[Node], tuple[Node, Node]]) -> Word:
    """Return a word whose bits are choices by the bits of *left* between the two *cases* of a bit of *right*."""
    return tuple([diagram.choose(bit, *cases(other)) for bit, other in zip(left, right, strict=True)])


def _complement(diagram: DecisionDiagram, word: Word) -> Word:
    return tuple([diagram.negate(bit) for bit in word])


def _sum(diagram: DecisionDiagram, left: Word, right: Word, carry: Node) -> Word:
    bits = []
    for x, y in zip(reversed(left), reversed(right), strict=True):
        differ = diagram.choose(x, diagram.negate(y), y)
        bits.append(diagram.choose(differ, diagram.negate(carry), carry))
        carry = diagram.choose(differ, carry, x)
    return tuple(reversed(bits))


def _product(diagram: DecisionDiagram, left: Word, right: Word) -> Word:
    if constant_of(left) is not None:
        left, right = right, left
    total = constant(0, len(left))
    for bit in right:
        total = _sum(diagram, (*total[1:], FALSE), tuple([diagram.both(bit, other) for other in left]), FALSE)
    return total


def _quotient_and_remainder(diagram: DecisionDiagram, left: Word, right: Word) -> tuple[Word, Word]:
    """Divide as by hand, bit by bit; while the remainder is compared, it has one bit more than the divisor."""
    zeros = next((index for index, bit in enumerate(right) if bit != FALSE), len(right))
    divisor = (FALSE, *right[zeros:])
    inverse = _complement(diagram, divisor)
    remainder = constant(0, len(divisor))
    quotient = []
    for bit in left:
        remainder = (*remainder[1:], bit)
        fits = _relation(diagram, remainder, divisor, if_equal=TRUE, if_greater=TRUE)
        remainder = select(diagram, fits, _sum(diagram, remainder, inverse, TRUE), remainder)
        quotient.append(fits)
    return tuple(quotient), (FALSE,) * zeros + remainder[1:]


def _shifted(diagram: DecisionDiagram, action: Action, word: Word, count: Word) -> Word:
    for position, bit in enumerate(reversed(count[-5:])):
        zeros = (FALSE,) * (1 << position)
        moved = (*word[len(zeros) :], *zeros) if action is Action.SHIFT_LEFT else (*zeros, *word[: -len(zeros)])
        word = select(diagram, bit, moved, word)
    return word


def in_ranges(diagram: DecisionDiagram, word: Word, ranges: Sequence[tuple[int, int]]) -> Node:
    """Return the condition that a word is in one of several ranges."""
    result = FALSE
    for low, high in ranges:
        first, last = constant(low, len(word)), constant(high, len(word))
        at_least = _relation(diagram, word, first, if_equal=TRUE, if_greater=TRUE)
        at_most = _relation(diagram, last, word, if_equal=TRUE, if_greater=TRUE)
        result = diagram.either(result, diagram.both(at_least, at_most))
    return result
