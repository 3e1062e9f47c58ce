"""Operations on words whose results have no small decision diagram.

Every function has one diagram for an order of the variables, and some have no small one: the product of two words in
any order, and their equality if the bits of one word come before those of the other. The result of such an operation is
an opaque word: new variables after those of the record, the same ones for equal operations.
"""

from collections.abc import Callable

from ..._typing import Final, TypeAlias
from ...isa.opcodes import Action
from .bit_vectors import WORD_BITS, Word, arithmetic, compare
from .decision_diagram import DecisionDiagram, Node, TooManySteps
from .record_bits import RECORD_BITS

_FRACTION_OF_STEPS: Final = 1 / 32
"""The part of the remaining steps that one operation may take."""

_Circuit: TypeAlias = Callable[[DecisionDiagram, Action, Word, Word], Word]


class OpaqueWords:
    """The operations of programs, each computed once, and the opaque words among their results.

    The programs of a stack, and those that are compared, share them: they have many tests in common.

    Args:
        diagram: The diagram of the words.
    """

    def __init__(self, diagram: DecisionDiagram) -> None:
        self._diagram = diagram
        self._results: dict[tuple[Action, Word, Word], Word] = {}
        self._next_variable = RECORD_BITS

    def arithmetic(self, action: Action, left: Word, right: Word) -> Word:
        """Return the result of `bit_vectors.arithmetic`, or an opaque word."""
        return self._result(action, left, right, arithmetic, WORD_BITS)

    def compare(self, action: Action, left: Word, right: Word) -> Node:
        """Return the result of `bit_vectors.compare`, or an opaque variable."""
        return self._result(action, left, right, _comparison, 1)[0]

    def _result(self, action: Action, left: Word, right: Word, circuit: _Circuit, bits: int) -> Word:
        operation = action, left, right
        result = self._results.get(operation)
        if result is None:
            try:
                with self._diagram.limited(_FRACTION_OF_STEPS):
                    result = circuit(self._diagram, action, left, right)
            except TooManySteps:
                variables = range(self._next_variable, self._next_variable + bits)
                self._next_variable += bits
                result = tuple(map(self._diagram.variable, variables))
            self._results[operation] = result
        return result


def _comparison(diagram: DecisionDiagram, action: Action, left: Word, right: Word) -> Word:
    return (compare(diagram, action, left, right),)
