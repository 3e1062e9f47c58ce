"""Program -> Program, with the same verdict on every packet, under the rules of a dialect.

A program becomes a diagram of decisions (`lifting`), the passes make the diagram smaller, and it becomes a program
again (`emission`). Each pass takes a diagram and its root, and gives another root; none changes what is there.
"""

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from .._options import Goal
from .._record import Record
from .._validators import flag, one_of
from ..errors import ProofFailed
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions, Program
from ..isa.verifier import findings, verify
from .codegen.emit import emit
from .ir.diagram import Diagram
from .ir.liveness import effects_of, longest_path
from .ir.value_numbering import TooLarge, ValueTable
from .lift import lift
from .passes.jump_threading import thread_jumps
from .passes.list_expansion import expand_lists
from .passes.switch_merging import group_tests, merge_switches
from .placeholders import AddressRanges, Placeholders

Pass: TypeAlias = Callable[[Diagram, int], int]

PASSES: Final[dict[str, Pass]] = {
    "jump threading": thread_jumps,
    "grouping of tests": group_tests,
    "merging of tests": merge_switches,
}
"""What is done over and over, in this order, until nothing changes."""

_ROUNDS: Final = 8
_check_goal: Final = one_of("size", "speed")


class Stage(Record):
    """The program as it would be after one pass of the optimiser."""

    name: str
    program: Program


def optimize(program: Instructions, *, dialect: Dialect = PCAP, goal: Goal = "size", prove: bool = False) -> Program:
    r"""A shorter program with the same verdict on every packet, however short, and whatever else is known of it.

      dialect: whose arithmetic is kept, and whose rules. A program may be longer than it takes; then the result may be
        too, and `verify` tells.
      goal: "size" never gives more instructions than it took. "speed" bounds how many are executed: of many tests on
        one value it makes a tree, which may be longer than a chain, but not longer than the dialect takes.
      prove: ask the solver (extra `smt`) whether both are equal on packets of up to 65,535 bytes. Raises `Undecided`
        if it cannot tell in time, and `ProofFailed` if they are not, which is an error of the optimiser.

    Where the program has no reasonable form (a sum that doubles itself thirty times), it stays as it is. Raises
    `VerificationError` for a program that the dialect refuses for another reason than its length.

    >>> from cbpf import parse
    >>> print(optimize(parse("ldh [12]\ntax\ntxa\njeq #0x800,0,2\nldh [12]\nret #1\nret #0")))
    (000) ldh      [12]
    (001) jeq      #0x800           jt 2	jf 3
    (002) ret      #1
    (003) ret      #0
    """
    value, rules = _prepared(program, dialect, goal)
    flag("optimize.prove", prove)
    try:
        diagram, root = lift(value, ValueTable(rules))
        found = emit(diagram, _last_root(diagram, root), goal)
    except TooLarge:
        return value
    if findings(found, dialect=rules) or not _is_better(found, value, rules, goal):
        return value
    if goal == "speed" and findings(found, dialect=dialect) and not findings(value, dialect=dialect):
        return optimize(value, dialect=dialect, prove=prove)
    if prove:
        _prove(value, found, rules)
    return found


def optimization_stages(program: Instructions, *, dialect: Dialect = PCAP, goal: Goal = "size") -> tuple[Stage, ...]:
    """What `optimize` does, one stage after the other: those that changed something. Empty: it cannot do anything."""
    value, rules = _prepared(program, dialect, goal)
    try:
        diagram, root = lift(value, ValueTable(rules))
        stages = [("value numbering, dead code, registers", root), *_roots(diagram, root)]
        return tuple(Stage(name, emit(diagram, one, goal)) for name, one in stages)
    except TooLarge:
        return ()


def with_lists(
    program: Instructions, placeholders: Placeholders, lists: AddressRanges, *, dialect: Dialect, goal: Goal
) -> Program:
    """The program that asks for lists where this one asks for placeholders, optimised.

    Raises `TooLarge` for a program that has no reasonable form, `NothingToList` for one that has no placeholders.
    """
    value, rules = _prepared(program, dialect, goal)
    diagram, root = lift(value, ValueTable(rules))
    root = expand_lists(diagram, root, placeholders, lists)
    return emit(diagram, _last_root(diagram, root), goal)


def _roots(diagram: Diagram, root: int) -> Iterator[tuple[str, int]]:
    """The root after each pass that changed something."""
    for _ in range(_ROUNDS):
        before = root
        for name, one in PASSES.items():
            changed = one(diagram, root)
            if changed != root:
                yield name, changed
            root = changed
        if root == before:
            return


def _last_root(diagram: Diagram, root: int) -> int:
    for _, changed in _roots(diagram, root):
        root = changed
    return root


def _prepared(program: Instructions, dialect: Dialect, goal: Goal) -> tuple[Program, Dialect]:
    """The program, and the dialect without its limits of length."""
    value = Program(program)
    rules = check_dialect(dialect).replace(longest=None, longest_translated_jump=None)
    _check_goal("optimize.goal", goal)
    verify(value, dialect=rules)
    return value, rules


def _is_better(found: Program, program: Program, dialect: Dialect, goal: Goal) -> bool:
    if goal == "size":
        return len(found) < len(program)
    paths = [longest_path(effects_of(tuple(one), dialect)) for one in (found, program)]
    return (paths[0], len(found)) < (paths[1], len(program))


def _prove(program: Program, found: Program, dialect: Dialect) -> None:
    from ..proofs.equivalence import difference

    refuted = difference(program, found, dialect=dialect)
    if refuted is not None:
        raise ProofFailed(f"the optimised program is not the one given: {refuted}", refuted)
