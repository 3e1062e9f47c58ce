"""Terms of the SMT solver bitwuzla, and its solver. No other module imports bitwuzla.

Values that do not depend on the packet are plain ints and bools, and are computed immediately. All other values are
terms over bit vectors. The solver represents equal terms by one object, even if they are from different programs.
"""

from collections.abc import Hashable, Iterator, Sequence
from functools import cache, partial

from .._typing import Any, Final, TypeAlias
from ..errors import MissingLibrary, Undecided
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.opcodes import SIGN_BIT, WORD_MASK, Action
from .limits import Limits
from .linear_sums import Atom, LinearSum, linear_sum, possible_bits

Term: TypeAlias = Any
"""A term of bitwuzla, which has no type annotations."""
WordTerm: TypeAlias = Any
"""A 32-bit word: an int from 0 to 2**32 - 1, or a term of a bit vector of 32 bits."""
BoolTerm: TypeAlias = Any
"""A condition: a bool, or a Boolean term."""

_OPTIONS: Final = {
    "PRODUCE_MODELS": True,
    # The terms of two programs are shared already; normalising the sums of the formula takes half of the time.
    "PP_NORMALIZE": False,
    # Products and quotients of words are bit-blasted only as far as needed. Otherwise the solver may take seconds for
    # many of them before it polls for the deadline.
    "ABSTRACTION": True,
    "ABSTRACTION_BV_SIZE": 32,
}


@cache
def _library() -> Any:
    try:
        import bitwuzla
    except ModuleNotFoundError:
        raise MissingLibrary("proofs need bitwuzla: pip install 'cbpf[smt]'") from None
    except (ImportError, OSError) as error:
        raise MissingLibrary(f"proofs cannot use the installed bitwuzla ({error}): pip install 'cbpf[smt]'") from None
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


def term_key(word: WordTerm) -> Hashable:
    """Return a key that is equal for equal words; bitwuzla's terms cannot be compared with ints."""
    return word if isinstance(word, int) else (word.id(),)


class Terms:
    """A builder of terms, which folds constants and neutral operands.

    Args:
        limits: The limits of the query.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        library = _library()
        self._kinds = library.Kind
        self._manager = library.TermManager()
        self._word_sort = self._manager.mk_bv_sort(32)
        kinds = library.Kind
        self._arithmetic = {action: getattr(kinds, name) for action, name in _ARITHMETIC_KINDS.items()}
        self._comparisons = {action: getattr(kinds, name) for action, name in _COMPARISON_KINDS.items()}
        self._sums: dict[int, LinearSum] = {}
        self._words: dict[LinearSum, Term] = {}
        self._results: dict[Hashable, WordTerm] = {}

    def _make(self, kind: Any, operands: list[Term], *indices: list[int]) -> Term:
        self.limits.count_term()
        return self._manager.mk_term(kind, operands, *indices)

    # Variables

    def variable(self, name: str, width: int = 32) -> Term:
        """Return a new variable of *width* bits, zero-extended to a word."""
        variable = self._manager.mk_const(self._manager.mk_bv_sort(width), name)
        return self._atom(self.zero_extend(variable, width), (1 << width) - 1)

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
        return self._atom(self.zero_extend(number, 8 * count), (1 << 8 * count) - 1)

    def arithmetic(self, action: Action, left: WordTerm, right: WordTerm) -> WordTerm:
        """Return the result of an operation; see `Machine.arithmetic`."""
        if isinstance(left, int) and isinstance(right, int):
            return ARITHMETIC[action](left, right) & WORD_MASK
        key = action, term_key(left), term_key(right)
        word = self._results.get(key)
        if word is None:
            word = self._results[key] = self._new_result(*self._simplest(action, left, right))
        return word

    def _new_result(self, action: Action, left: WordTerm, right: WordTerm) -> WordTerm:
        sums = self.sum_of(left), self.sum_of(right)
        result = linear_sum(action, *sums)
        if result is not None:
            return self._word(action, left, right, result)
        operands = [self.as_term(left), self.as_term(right)]
        left_bits, right_bits = (word.possible_bits() for word in sums)
        if action is Action.SHIFT_RIGHT and isinstance(right, int):
            bits = left_bits >> right
        else:
            bits = possible_bits(action, left_bits, right_bits)
        return self._atom(self._make(self._arithmetic[action], operands), bits)

    def _simplest(self, action: Action, left: WordTerm, right: WordTerm) -> tuple[Action, WordTerm, WordTerm]:
        """Return an equal operation, the same one for all spellings of a mask, a quotient or a remainder.

        A mask has no bits that the word cannot have, and its lowest bit is 1: x & 0x3c is ((x >> 2) & 15) << 2.
        """
        if action is Action.AND and isinstance(left, int):
            left, right = right, left
        if not isinstance(right, int):
            return action, left, right
        if action is Action.DIV and right & (right - 1) == 0:
            return Action.SHIFT_RIGHT, left, right.bit_length() - 1
        if action is Action.MOD and right & (right - 1) == 0:
            action, right = Action.AND, right - 1
        if action is Action.AND:
            mask = right & self.sum_of(left).possible_bits()
            zeros = (mask & -mask).bit_length() - 1
            if zeros > 0:
                shifted = self.arithmetic(Action.SHIFT_RIGHT, left, zeros)
                return Action.SHIFT_LEFT, self.arithmetic(Action.AND, shifted, mask >> zeros), zeros
            return Action.AND, left, mask
        return action, left, right

    def _word(self, action: Action, left: WordTerm, right: WordTerm, result: LinearSum) -> WordTerm:
        """Return left <action> right: the first term that was made for its sum."""
        if not result.products:
            return result.constant
        word = self._words.get(result)
        if word is None:
            word = self._words[result] = self._make(self._arithmetic[action], [self.as_term(left), self.as_term(right)])
            self._sums.setdefault(word.id(), result)
        return word

    def _atom(self, term: Term, bits: int = WORD_MASK) -> Term:
        """Return a new word that is not a sum."""
        if term.id() not in self._sums:
            word = self._sums[term.id()] = LinearSum(((Atom(term.id(), bits), 1),), 0)
            self._words[word] = term
        return term

    def sum_of(self, word: WordTerm) -> LinearSum:
        """Return the normal form of a word."""
        if isinstance(word, int):
            return LinearSum((), word)
        known = self._sums.get(word.id())
        return known if known is not None else self._sums[self._atom(word).id()]

    def split(self, word: WordTerm) -> tuple[WordTerm, int]:
        """Return a word and a distance, with the exact sum *word*; the distance is 0 if the sum may reach 2**31."""
        form = self.sum_of(word)
        if form.maximum() >= SIGN_BIT:
            return word, 0
        return self.arithmetic(Action.SUB, word, form.constant), form.constant

    def is_below(self, word: WordTerm, bound: int) -> bool:
        """Return whether a word is certainly below *bound*."""
        return self.sum_of(word).maximum() < bound

    def compare(self, action: Action, left: WordTerm, right: WordTerm) -> BoolTerm:
        """Return the result of a comparison; see `Machine.compare`."""
        if isinstance(left, int) and isinstance(right, int):
            return COMPARISONS[action](left, right)
        if action is Action.BITS_SET:
            return self.negate(self.equal(self.arithmetic(Action.AND, left, right), 0))
        if action is Action.EQUAL:
            return self.equal(left, right)
        if isinstance(right, int) and self.is_below(left, right + (action is Action.GREATER_THAN)):
            return False
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
        bits = self.sum_of(then).possible_bits() | self.sum_of(otherwise).possible_bits()
        return self._atom(self._make(self._kinds.ITE, [condition, self.as_term(then), self.as_term(otherwise)]), bits)

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

    def solver(self) -> "Solver":
        """Return a solver for conditions of this builder."""
        return Solver(self._manager, self.limits)


class Solver:
    """An incremental solver with limits: it finds a model of the constraints, or proves that there is none."""

    def __init__(self, manager: Any, limits: Limits) -> None:
        library = _library()
        options = library.Options()
        for name, value in _OPTIONS.items():
            options.set(getattr(library.Option, name), value)
        self._satisfiable, self._unknown = library.Result.SAT, library.Result.UNKNOWN
        self._solver = library.Bitwuzla(manager, options)
        self._limits = limits
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

        Raises `Undecided` if a limit is exceeded.
        """
        if any(condition is False for condition in conditions):
            return False
        self._limits.check()
        result = self._solver.check_sat(*(condition for condition in conditions if condition is not True))
        if self._interruption is not None:
            raise self._interruption
        if result == self._unknown:
            self._limits.check()
            raise Undecided("the solver stopped without an answer")
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
                    yield self._interruption is not None or self._limits.is_exceeded()
            except GeneratorExit:
                return
            except BaseException as error:
                self._interruption = error
