"""Terms of the SMT solver bitwuzla, and its solver. No other module imports bitwuzla.

Values that do not depend on the packet are plain ints and bools, and are computed immediately. All other values are
terms over bit vectors. The solver represents equal terms by one object, even if they are from different programs.
"""

import time
from collections.abc import Hashable, Iterator, Sequence
from functools import cache, partial
from typing import Any, Final, TypeAlias

from ..errors import MissingLibrary, Undecided
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.opcodes import SIGN_BIT, WORD_MASK, Action

Term: TypeAlias = Any
"""A term of bitwuzla, which has no type annotations."""
WordTerm: TypeAlias = Any
"""A 32-bit word: an int from 0 to 2**32 - 1, or a term of a bit vector of 32 bits."""
BoolTerm: TypeAlias = Any
"""A condition: a bool, or a Boolean term."""

TIMED_OUT: Final = "solver timed out; increase the timeout"


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

_RIGHT_NEUTRAL_ZERO: Final = frozenset(
    {Action.ADD, Action.SUB, Action.OR, Action.XOR, Action.SHIFT_LEFT, Action.SHIFT_RIGHT}
)


def term_key(word: WordTerm) -> Hashable:
    """Return a key that is equal for equal words; bitwuzla's terms cannot be compared with ints."""
    return word if isinstance(word, int) else (word.id(),)


class Terms:
    """A builder of terms, which folds constants and neutral operands."""

    def __init__(self) -> None:
        library = _library()
        self._kinds = library.Kind
        self._manager = library.TermManager()
        self._make = self._manager.mk_term
        self._word_sort = self._manager.mk_bv_sort(32)
        kinds = library.Kind
        self._arithmetic = {action: getattr(kinds, name) for action, name in _ARITHMETIC_KINDS.items()}
        self._comparisons = {action: getattr(kinds, name) for action, name in _COMPARISON_KINDS.items()}

    # Variables

    def variable(self, name: str, width: int = 32) -> Term:
        """Return a new variable of *width* bits, zero-extended to a word."""
        return self.zero_extend(self._manager.mk_const(self._manager.mk_bv_sort(width), name), width)

    def byte_variable(self, name: str) -> Term:
        """Return a new variable of 8 bits."""
        return self._manager.mk_const(self._manager.mk_bv_sort(8), name)

    def bool_variable(self, name: str) -> Term:
        """Return a new Boolean variable."""
        return self._manager.mk_const(self._manager.mk_bool_sort(), name)

    def array_variable(self, name: str, width: int) -> Term:
        """Return a new array of numbers of *width* bits, which is indexed by words."""
        sort = self._manager.mk_array_sort(self._word_sort, self._manager.mk_bv_sort(width))
        return self._manager.mk_const(sort, name)

    def uninterpreted_function(self, name: str, arguments: int) -> Term:
        """Return a new function from words to a word; equal arguments give equal results."""
        sort = self._manager.mk_fun_sort([self._word_sort] * arguments, self._word_sort)
        return self._manager.mk_const(sort, name)

    def element(self, array: Term, index: WordTerm) -> Term:
        """Return the element of an array at *index*."""
        return self._make(self._kinds.ARRAY_SELECT, [array, self.as_term(index)])

    def apply(self, function: Term, *arguments: WordTerm) -> Term:
        """Return the result of an uninterpreted function."""
        return self._make(self._kinds.APPLY, [function, *map(self.as_term, arguments)])

    # Words

    def as_term(self, word: WordTerm) -> Term:
        """Return a word as a term; an int becomes a constant."""
        return self._manager.mk_bv_value(self._word_sort, word) if isinstance(word, int) else word

    def zero_extend(self, number: Term, width: int) -> Term:
        """Return a number of *width* bits as a word."""
        return number if width == 32 else self._make(self._kinds.BV_ZERO_EXTEND, [number], [32 - width])

    def concatenate(self, most_significant_first: Sequence[Term]) -> Term:
        """Return one to four bytes as a word."""
        count = len(most_significant_first)
        number = most_significant_first[0]
        if count > 1:
            number = self._make(self._kinds.BV_CONCAT, list(most_significant_first))
        return self.zero_extend(number, 8 * count)

    def arithmetic(self, action: Action, left: WordTerm, right: WordTerm) -> WordTerm:
        """Return the result of an operation; see `Machine.arithmetic`."""
        if isinstance(left, int) and isinstance(right, int):
            return ARITHMETIC[action](left, right) & WORD_MASK
        if isinstance(right, int) and right == 0 and action in _RIGHT_NEUTRAL_ZERO:
            return left
        return self._make(self._arithmetic[action], [self.as_term(left), self.as_term(right)])

    def compare(self, action: Action, left: WordTerm, right: WordTerm) -> BoolTerm:
        """Return the result of a comparison; see `Machine.compare`."""
        if isinstance(left, int) and isinstance(right, int):
            return COMPARISONS[action](left, right)
        if action is Action.BITS_SET:
            return self.negate(self.equal(self.arithmetic(Action.AND, left, right), 0))
        if action is Action.EQUAL:
            return self.equal(left, right)
        return self._make(self._comparisons[action], [self.as_term(left), self.as_term(right)])

    def equal(self, left: WordTerm, right: WordTerm) -> BoolTerm:
        """Return the condition left == right."""
        if term_key(left) == term_key(right):
            return True
        if isinstance(left, int) and isinstance(right, int):
            return False
        return self._make(self._kinds.EQUAL, [self.as_term(left), self.as_term(right)])

    def at_most(self, left: WordTerm, right: WordTerm) -> BoolTerm:
        """Return the condition left <= right, unsigned."""
        return self.compare(Action.GREATER_OR_EQUAL, right, left)

    def signed_at_most(self, left: WordTerm, right: WordTerm) -> BoolTerm:
        """Return the condition left <= right in two's complement."""
        if isinstance(left, int) and isinstance(right, int):
            return left ^ SIGN_BIT <= right ^ SIGN_BIT
        return self._make(self._kinds.BV_SLE, [self.as_term(left), self.as_term(right)])

    def select(self, condition: BoolTerm, then: WordTerm, otherwise: WordTerm) -> WordTerm:
        """Return *then* if the condition holds, else *otherwise*; see `Machine.select`."""
        if isinstance(condition, bool):
            return then if condition else otherwise
        if term_key(then) == term_key(otherwise):
            return then
        return self._make(self._kinds.ITE, [condition, self.as_term(then), self.as_term(otherwise)])

    # Conditions

    def negate(self, condition: BoolTerm) -> BoolTerm:
        """Return the negation of a condition."""
        return not condition if isinstance(condition, bool) else self._make(self._kinds.NOT, [condition])

    def all(self, *conditions: BoolTerm) -> BoolTerm:
        """Return the conjunction of conditions."""
        return self._combine(self._kinds.AND, conditions, neutral=True)

    def any(self, *conditions: BoolTerm) -> BoolTerm:
        """Return the disjunction of conditions."""
        return self._combine(self._kinds.OR, conditions, neutral=False)

    def differ(self, left: BoolTerm, right: BoolTerm) -> BoolTerm:
        """Return the exclusive disjunction of two conditions."""
        if isinstance(left, bool):
            return self.negate(right) if left else right
        if isinstance(right, bool):
            return self.negate(left) if right else left
        return False if left == right else self._make(self._kinds.XOR, [left, right])

    def _combine(self, kind: Any, conditions: Sequence[BoolTerm], *, neutral: bool) -> BoolTerm:
        terms = []
        for condition in conditions:
            if not isinstance(condition, bool):
                terms.append(condition)
            elif condition is not neutral:
                return condition
        if len(terms) > 1:
            return self._make(kind, terms)
        return terms[0] if terms else neutral

    def solver(self, deadline: float) -> "Solver":
        """Return a solver for conditions of this builder, until *deadline* (time.monotonic(), in seconds)."""
        return Solver(self._manager, deadline)


class Solver:
    """An incremental solver with a deadline: it finds a model of the constraints, or proves that there is none."""

    def __init__(self, manager: Any, deadline: float) -> None:
        library = _library()
        options = library.Options()
        options.set(library.Option.PRODUCE_MODELS, True)
        self._satisfiable, self._unknown = library.Result.SAT, library.Result.UNKNOWN
        self._solver = library.Bitwuzla(manager, options)
        self._deadline = deadline
        self._interruption: BaseException | None = None
        terminator = self._terminator()
        next(terminator)
        self._solver.configure_terminator(partial(next, terminator))

    def add_constraints(self, *conditions: BoolTerm) -> None:
        """Require conditions in all later queries."""
        for condition in conditions:
            if condition is not True:
                self._solver.assert_formula(condition if condition is not False else self._solver.term_mgr().mk_false())

    def is_satisfiable(self, *conditions: BoolTerm) -> bool:
        """Return whether a model of the constraints satisfies *conditions*; `word_value` and `bool_value` read it.

        Raises `Undecided` after the deadline.
        """
        if any(condition is False for condition in conditions):
            return False
        if time.monotonic() > self._deadline:
            raise Undecided(TIMED_OUT)
        result = self._solver.check_sat(*(condition for condition in conditions if condition is not True))
        if self._interruption is not None:
            raise self._interruption
        if result == self._unknown:
            raise Undecided(TIMED_OUT)
        return bool(result == self._satisfiable)

    def word_value(self, word: WordTerm) -> int:
        """Return the value of a word or a byte in the model."""
        return word if isinstance(word, int) else int(self._solver.get_value(word).value(10))

    def bool_value(self, condition: BoolTerm) -> bool:
        """Return the value of a condition in the model."""
        return condition if isinstance(condition, bool) else bool(self._solver.get_value(condition).value())

    def _terminator(self) -> Iterator[bool]:
        """Yield whether the solver must stop. The solver polls, and ignores exceptions of the callback (Ctrl-C).

        A generator catches every exception: it continues inside the `try`, whereas a function can be interrupted
        before its first line.
        """
        while True:
            try:
                while True:
                    yield self._interruption is not None or time.monotonic() > self._deadline
            except GeneratorExit:
                return
            except BaseException as error:
                self._interruption = error
