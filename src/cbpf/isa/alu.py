"""Arithmetic and comparisons of words that are ints; the results are exact, not yet modulo 2**32."""

import operator
from collections.abc import Callable

from .._typing import Final
from .opcodes import Action

ARITHMETIC: Final[dict[Action, Callable[[int, int], int]]] = {
    Action.ADD: operator.add,
    Action.SUB: operator.sub,
    Action.MUL: operator.mul,
    Action.DIV: operator.floordiv,
    Action.MOD: operator.mod,
    Action.OR: operator.or_,
    Action.AND: operator.and_,
    Action.XOR: operator.xor,
    Action.SHIFT_LEFT: operator.lshift,
    Action.SHIFT_RIGHT: operator.rshift,
}

COMPARISONS: Final[dict[Action, Callable[[int, int], bool]]] = {
    Action.EQUAL: operator.eq,
    Action.GREATER_THAN: operator.gt,
    Action.GREATER_OR_EQUAL: operator.ge,
    Action.BITS_SET: lambda left, right: left & right != 0,
}
