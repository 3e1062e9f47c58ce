"""The optimiser: Program -> Program, with the same verdict on every packet."""

from collections.abc import Callable
from typing import Final, TypeAlias

from ..dialects import PCAP, Dialect
from ..program import Instructions, Program
from ..verifier import findings, verify
from .diagram import Diagram
from .emission import emit
from .expressions import Expressions, TooLarge
from .grouping import group_tests, merge_switches
from .lifting import lift
from .planning import Goal
from .jump_threading import thread_jumps

Pass: TypeAlias = Callable[[Diagram, int], int]

PASSES: Final[tuple[Pass, ...]] = (thread_jumps, group_tests, merge_switches)
_ROUNDS: Final = 8


def optimize(program: Instructions, *, dialect: Dialect = PCAP, goal: Goal = "size") -> Program:
    value = Program(program)
    verify(value, dialect=dialect.replace(longest=None))
    try:
        found = _optimized(value, dialect, goal)
    except TooLarge:
        return value
    if goal == "size" and len(found) >= len(value):
        return value
    return value if findings(found, dialect=dialect.replace(longest=None)) else found


def _optimized(program: Program, dialect: Dialect, goal: Goal) -> Program:
    diagram, root = lift(program, Expressions(dialect))
    for _ in range(_ROUNDS):
        before = root
        for one in PASSES:
            root = one(diagram, root)
        if root == before:
            break
    return emit(diagram, root, goal)
