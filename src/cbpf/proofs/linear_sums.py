"""Linear sums: a normal form of words, which identifies equal positions that two programs compute differently.

A word is the sum of a constant and of atoms, each multiplied by a number, modulo 2**32. An atom is a word that is not
such a sum: a load, a product, a choice. Words with equal sums are equal for every packet. All rules are identities of
arithmetic; `tests/proofs/test_terms.py` compares them with the arithmetic of ints.
"""

from .._named_tuple import NamedTuple
from .._typing import Final
from ..isa.opcodes import WORD_MASK, Action

_MAX_ATOMS: Final = 16
"""The largest sum; a word with more atoms is an atom itself."""


class Atom(NamedTuple):
    """A word that is not a sum.

    Args:
        number: Its number, which identifies it.
        bits: The bits that may be 1.
    """

    number: int
    bits: int


class LinearSum(NamedTuple):
    """The sum of *constant* and of the product of each atom and its factor, modulo 2**32.

    Args:
        products: Atoms in ascending order, with their factors from 1 to 2**32 - 1.
        constant: An unsigned 32-bit number.
    """

    products: tuple[tuple[Atom, int], ...]
    constant: int

    def maximum(self) -> int:
        """Return an upper bound of the exact sum, which is not reduced modulo 2**32."""
        return sum(atom.bits * factor for atom, factor in self.products) + self.constant

    def possible_bits(self) -> int:
        """Return the bits of the word that may be 1."""
        bits = self.constant
        for atom, factor in self.products:
            shifted = atom.bits * factor & WORD_MASK
            if factor & (factor - 1) or bits & shifted:
                return _mask(self.maximum())
            bits |= shifted
        return bits


def linear_sum(action: Action, left: LinearSum, right: LinearSum) -> LinearSum | None:
    """Return the sum that equals left <action> right, or None if there is none."""
    match action:
        case Action.ADD:
            return _plus(left, right, 1)
        case Action.SUB:
            return _plus(left, right, WORD_MASK)
        case Action.SHIFT_LEFT if not right.products:
            return _plus(_ZERO, left, 1 << right.constant)
        case Action.MUL if not right.products:
            return _plus(_ZERO, left, right.constant)
        case Action.MUL if not left.products:
            return _plus(_ZERO, right, left.constant)
        case Action.OR | Action.XOR if not left.possible_bits() & right.possible_bits():
            return _plus(left, right, 1)
        case Action.AND if not right.products and not left.possible_bits() & ~right.constant:
            return left
        case Action.AND if right == _ZERO:
            return _ZERO
        case Action.SHIFT_RIGHT if not right.products:
            return _divided(left, 1 << right.constant)
    return None


_ZERO: Final = LinearSum((), 0)


def _plus(left: LinearSum, right: LinearSum, factor: int) -> LinearSum | None:
    """Return left + right * factor, or None if it has too many atoms."""
    factors = dict(left.products)
    for atom, old_factor in right.products:
        new_factor = factors.get(atom, 0) + old_factor * factor & WORD_MASK
        if new_factor:
            factors[atom] = new_factor
        else:
            factors.pop(atom, None)
    if len(factors) > _MAX_ATOMS:
        return None
    return LinearSum(tuple(sorted(factors.items())), left.constant + right.constant * factor & WORD_MASK)


def _divided(word: LinearSum, divisor: int) -> LinearSum | None:
    """Return the quotient by a power of two, or None if there is a remainder or the sum may exceed a word."""
    factors = [factor for _, factor in word.products]
    if word.maximum() > WORD_MASK or any(number % divisor for number in (word.constant, *factors)):
        return None
    return LinearSum(tuple((atom, factor // divisor) for atom, factor in word.products), word.constant // divisor)


def possible_bits(action: Action, left: int, right: int) -> int:
    """Return the bits that may be 1 in left <action> right, from the bits that may be 1 in *left* and in *right*."""
    match action:
        case Action.AND:
            return left & right
        case Action.OR | Action.XOR:
            return left | right
        case Action.ADD:
            return _mask(left + right)
        case Action.MUL:
            return _mask(left * right)
        case Action.DIV:
            return _mask(left)
        case Action.MOD:
            return _mask(min(left, right))
    return WORD_MASK


def _mask(maximum: int) -> int:
    """Return the bits of the numbers from 0 to *maximum*, which are all bits if *maximum* is not a word."""
    return (1 << maximum.bit_length()) - 1 & WORD_MASK if maximum <= WORD_MASK else WORD_MASK
