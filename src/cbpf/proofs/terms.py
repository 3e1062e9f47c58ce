"""Words and truths as terms of bitwuzla, the only module that imports it; and its solver.

What is known is a plain int or bool, and is computed at once; a term is what depends on the packet. Equal terms are the
same object to the solver, in whatever program they stand.
"""

import time
from collections.abc import Hashable, Iterator, Sequence
from functools import cache, partial
from typing import Any, Final, TypeAlias

from ..errors import MissingLibrary, Undecided
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.opcodes import SIGN_BIT, WORD_MASK, Action

Term: TypeAlias = Any
"""A term of bitwuzla, which has no types."""
WordTerm: TypeAlias = Any
"""An int from 0 to 2**32 - 1, or a term of 32 bits."""
TruthTerm: TypeAlias = Any
"""A bool, or a Boolean term."""

OUT_OF_TIME: Final = "no answer within the time that was given; allow more with timeout"


@cache
def _library() -> Any:
    try:
        import bitwuzla
    except ImportError:
        raise MissingLibrary("proofs need bitwuzla: pip install 'cbpf[smt]'") from None
    return bitwuzla


_ARITHMETIC_KINDS: Final = {
    Action.ADD: "BV_ADD",
    Action.SUB: "BV_SUB",
    Action.MUL: "BV_MUL",
    Action.DIV: "BV_UDIV",
    Action.MOD: "BV_UREM",
    Action.OR: "BV_OR",
    Action.AND: "BV_AND",
    Action.XOR: "BV_XOR",
    Action.SHIFT_LEFT: "BV_SHL",
    Action.SHIFT_RIGHT: "BV_SHR",
}
_COMPARISON_KINDS: Final = {Action.EQUAL: "EQUAL", Action.GREATER_THAN: "BV_UGT", Action.GREATER_OR_EQUAL: "BV_UGE"}

_UNCHANGED_BY_ZERO: Final = frozenset(
    {Action.ADD, Action.SUB, Action.OR, Action.XOR, Action.SHIFT_LEFT, Action.SHIFT_RIGHT}
)


def key(word: WordTerm) -> Hashable:
    """What two words have in common if they are the same; bitwuzla's terms cannot be compared with numbers."""
    return word if isinstance(word, int) else (word.id(),)


class Terms:
    """Builds terms."""

    def __init__(self) -> None:
        library = _library()
        self._kinds = library.Kind
        self._manager = library.TermManager()
        self._make = self._manager.mk_term
        self._word = self._manager.mk_bv_sort(32)
        kinds = library.Kind
        self._arithmetic = {action: getattr(kinds, name) for action, name in _ARITHMETIC_KINDS.items()}
        self._comparisons = {action: getattr(kinds, name) for action, name in _COMPARISON_KINDS.items()}

    # Variables

    def unknown(self, name: str, width: int = 32) -> Term:
        """A number of *width* bits, of which nothing is known, as a word."""
        return self.widened(self._manager.mk_const(self._manager.mk_bv_sort(width), name), width)

    def unknown_byte(self, name: str) -> Term:
        """A byte of which nothing is known."""
        return self._manager.mk_const(self._manager.mk_bv_sort(8), name)

    def unknown_truth(self, name: str) -> Term:
        """A truth of which nothing is known."""
        return self._manager.mk_const(self._manager.mk_bool_sort(), name)

    def unknown_array(self, name: str, width: int) -> Term:
        """Numbers of *width* bits, one for each word."""
        sort = self._manager.mk_array_sort(self._word, self._manager.mk_bv_sort(width))
        return self._manager.mk_const(sort, name)

    def unknown_function(self, name: str, arguments: int) -> Term:
        """A function of words to a word, of which nothing is known."""
        sort = self._manager.mk_fun_sort([self._word] * arguments, self._word)
        return self._manager.mk_const(sort, name)

    def element(self, array: Term, index: WordTerm) -> Term:
        """The number that an array has for *index*."""
        return self._make(self._kinds.ARRAY_SELECT, [array, self.term(index)])

    def value_of(self, function: Term, *arguments: WordTerm) -> Term:
        """The word that a function gives."""
        return self._make(self._kinds.APPLY, [function, *map(self.term, arguments)])

    # Words

    def term(self, word: WordTerm) -> Term:
        """The word as a term."""
        return self._manager.mk_bv_value(self._word, word) if isinstance(word, int) else word

    def widened(self, number: Term, width: int) -> Term:
        """A number of *width* bits as a word."""
        return number if width == 32 else self._make(self._kinds.BV_ZERO_EXTEND, [number], [32 - width])

    def joined(self, most_significant_first: Sequence[Term]) -> Term:
        """One to four bytes as a word."""
        count = len(most_significant_first)
        number = most_significant_first[0]
        if count > 1:
            number = self._make(self._kinds.BV_CONCAT, list(most_significant_first))
        return self.widened(number, 8 * count)

    def arithmetic(self, action: Action, left: WordTerm, right: WordTerm) -> WordTerm:
        """See `Machine.arithmetic`."""
        if isinstance(left, int) and isinstance(right, int):
            return ARITHMETIC[action](left, right) & WORD_MASK
        if isinstance(right, int) and right == 0 and action in _UNCHANGED_BY_ZERO:
            return left
        return self._make(self._arithmetic[action], [self.term(left), self.term(right)])

    def compare(self, action: Action, left: WordTerm, right: WordTerm) -> TruthTerm:
        """See `Machine.compare`."""
        if isinstance(left, int) and isinstance(right, int):
            return COMPARISONS[action](left, right)
        if action is Action.BITS_SET:
            return self.opposite(self.equal(self.arithmetic(Action.AND, left, right), 0))
        if action is Action.EQUAL:
            return self.equal(left, right)
        return self._make(self._comparisons[action], [self.term(left), self.term(right)])

    def equal(self, left: WordTerm, right: WordTerm) -> TruthTerm:
        """Whether two words are the same."""
        if key(left) == key(right):
            return True
        if isinstance(left, int) and isinstance(right, int):
            return False
        return self._make(self._kinds.EQUAL, [self.term(left), self.term(right)])

    def at_most(self, left: WordTerm, right: WordTerm) -> TruthTerm:
        """Whether left <= right, unsigned."""
        return self.compare(Action.GREATER_OR_EQUAL, right, left)

    def signed_at_most(self, left: WordTerm, right: WordTerm) -> TruthTerm:
        """Whether left <= right, both read as two's complement."""
        if isinstance(left, int) and isinstance(right, int):
            return left ^ SIGN_BIT <= right ^ SIGN_BIT
        return self._make(self._kinds.BV_SLE, [self.term(left), self.term(right)])

    def select(self, truth: TruthTerm, then: WordTerm, otherwise: WordTerm) -> WordTerm:
        """See `Machine.select`."""
        if isinstance(truth, bool):
            return then if truth else otherwise
        if key(then) == key(otherwise):
            return then
        return self._make(self._kinds.ITE, [truth, self.term(then), self.term(otherwise)])

    # Truths

    def opposite(self, truth: TruthTerm) -> TruthTerm:
        """Whether it does not hold."""
        return not truth if isinstance(truth, bool) else self._make(self._kinds.NOT, [truth])

    def all(self, *truths: TruthTerm) -> TruthTerm:
        """Whether each holds."""
        return self._combined(self._kinds.AND, truths, neutral=True)

    def any(self, *truths: TruthTerm) -> TruthTerm:
        """Whether one of them holds."""
        return self._combined(self._kinds.OR, truths, neutral=False)

    def differ(self, left: TruthTerm, right: TruthTerm) -> TruthTerm:
        """Whether just one of the two holds."""
        if isinstance(left, bool):
            return self.opposite(right) if left else right
        if isinstance(right, bool):
            return self.opposite(left) if right else left
        return False if left == right else self._make(self._kinds.XOR, [left, right])

    def _combined(self, kind: Any, truths: Sequence[TruthTerm], *, neutral: bool) -> TruthTerm:
        terms = []
        for truth in truths:
            if not isinstance(truth, bool):
                terms.append(truth)
            elif truth is not neutral:
                return truth
        if len(terms) > 1:
            return self._make(kind, terms)
        return terms[0] if terms else neutral

    def solver(self, deadline: float) -> "Solver":
        """A solver for truths of these terms, until *deadline* (time.monotonic, in seconds)."""
        return Solver(self._manager, deadline)


class Solver:
    """Finds values for the unknowns, or finds that there are none."""

    def __init__(self, manager: Any, deadline: float) -> None:
        library = _library()
        options = library.Options()
        options.set(library.Option.PRODUCE_MODELS, True)
        self._satisfied, self._unknown = library.Result.SAT, library.Result.UNKNOWN
        self._solver = library.Bitwuzla(manager, options)
        self._deadline = deadline
        self._interruption: BaseException | None = None
        watch = self._watch()
        next(watch)
        self._solver.configure_terminator(partial(next, watch))

    def require(self, *truths: TruthTerm) -> None:
        """From here on all of them hold."""
        for truth in truths:
            if truth is not True:
                self._solver.assert_formula(truth if truth is not False else self._solver.term_mgr().mk_false())

    def finds(self, *truths: TruthTerm) -> bool:
        """Whether what is required and *truths* can hold together; then `number` and `holds` give the values.

        Raises `Undecided` when the time is over.
        """
        if any(truth is False for truth in truths):
            return False
        if time.monotonic() > self._deadline:
            raise Undecided(OUT_OF_TIME)
        result = self._solver.check_sat(*(truth for truth in truths if truth is not True))
        if self._interruption is not None:
            raise self._interruption
        if result == self._unknown:
            raise Undecided(OUT_OF_TIME)
        return bool(result == self._satisfied)

    def number(self, word: WordTerm) -> int:
        """The value of a word or a byte."""
        return word if isinstance(word, int) else int(self._solver.get_value(word).value(10))

    def holds(self, truth: TruthTerm) -> bool:
        """The value of a truth."""
        return truth if isinstance(truth, bool) else bool(self._solver.get_value(truth).value())

    def _watch(self) -> Iterator[bool]:
        """Whether to stop: the solver asks now and then, and would swallow what is raised then, as by Ctrl-C.

        A function can be interrupted before its first line. This goes on inside the `try`, wherever that comes.
        """
        while True:
            try:
                while True:
                    yield self._interruption is not None or time.monotonic() > self._deadline
            except GeneratorExit:
                return
            except BaseException as error:
                self._interruption = error
