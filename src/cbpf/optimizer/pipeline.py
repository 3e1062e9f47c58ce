"""The optimiser's pipeline: a program to an equivalent program, through a decision diagram.

1. `lift` converts the program to a diagram of tests on numbered values; moves and dead code vanish.
2. The `PASSES` run in order, until none of them changes the diagram. A pass takes a diagram and its root and returns
   the root of an equivalent diagram; existing nodes never change.
3. The `FINAL_PASSES` run once; the result of each is used if it leads to a better program.
4. `codegen.emit` converts the diagram to instructions.

No step is trusted: `proofs.equivalence.difference` can prove that a result is equivalent to its input.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from .._record import JsonRecord
from .._typing import TYPE_CHECKING, Final, TypeAlias
from .._validators import flag, one_of, optional, seconds
from ..analysis.register_effects import effects_of
from ..errors import ProofFailed
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions, Program
from ..isa.raw_instruction import RawInstruction
from ..isa.verifier import findings, verify
from ..isa.word_ranges import SetTest
from .codegen.emit import emit
from .ir.diagram import Diagram, NodeId
from .ir.liveness import longest_path
from .ir.value_numbering import TooLarge, ValueTable
from .lift import lift
from .passes.jump_threading import thread_jumps
from .passes.masked_tests import mask_tests
from .passes.switch_merging import group_tests, merge_switches
from .passes.test_sharing import share_tests

if TYPE_CHECKING:
    from .._options import Goal

Code: TypeAlias = tuple[RawInstruction, ...]
Pass: TypeAlias = Callable[[Diagram, NodeId], NodeId]

PASSES: Final[dict[str, Pass]] = {
    "jump threading": thread_jumps,  # an edge to a test with a known outcome goes to that outcome's target
    "test grouping": group_tests,  # the tests of one value in a chain become adjacent, and one
    "switch merging": merge_switches,  # a switch contains its successors that test the same value
}
"""The passes by name, in the order of their execution."""

FINAL_PASSES: Final[dict[str, Pass]] = {
    "test sharing": share_tests,  # similar tests become one, although this takes longer paths
    "masked tests": mask_tests,  # a switch tests masked values
}
"""The passes that run once after `PASSES`. A result is used if it leads to a better program."""

_MAX_ROUNDS: Final = 8
_check_goal: Final = one_of("size", "speed")
_check_timeout: Final = optional(seconds)


class Stage(JsonRecord):
    """The program after a stage of the optimiser.

    Args:
        name: The name of the stage: that of a pass, or of the conversion to a decision diagram.
        program: The program that would result if the optimiser ended here.
    """

    name: str
    program: Program


def optimize(
    program: Instructions,
    *,
    dialect: Dialect = PCAP,
    goal: "Goal" = "size",
    prove: bool = False,
    timeout: float | None = 30,
) -> Program:
    """Return a shorter or faster program with the same verdict on every packet, of any length and with any metadata."""
    source, rules = _verified(program, dialect, goal)
    flag("optimize.prove", prove)
    _check_timeout("optimize.timeout", timeout)
    optimized = improve(source, dialect=dialect, goal=goal)
    if optimized is None:
        return source
    if prove:
        _prove(source, optimized, rules, timeout)
    return optimized


def improve(source: Sequence[RawInstruction], *, dialect: Dialect, goal: "Goal") -> Program | None:
    """Return a better program with the same verdicts, which is verified; None if the optimiser finds none.

    *source* satisfies the rules of the dialect, except for its limits of length: the caller has verified that.
    """
    rules = _without_length_limits(dialect)
    try:
        diagram, root = lift(source, ValueTable(rules))
        instructions = _best_code(diagram, root, goal)
    except TooLarge:
        return None
    if _cost(instructions, rules, goal) >= _cost(source, rules, goal):
        return None
    optimized = Program(instructions)
    if not findings(optimized, dialect=dialect):
        return optimized
    if findings(optimized, dialect=rules):
        return None
    if goal == "speed" and not findings(Program(source), dialect=dialect):
        return improve(source, dialect=dialect, goal="size")  # a chain may be short enough
    return optimized


def optimization_stages(program: Instructions, *, dialect: Dialect = PCAP, goal: "Goal" = "size") -> tuple[Stage, ...]:
    """Return the program after each stage of `optimize` that changed it."""
    source, rules = _verified(program, dialect, goal)
    try:
        diagram, root = lift(source, ValueTable(rules))
        stages = [("value numbering, dead code, registers", root), *_roots(diagram, root)]
        code = [(name, emit(diagram, stage_root, goal)) for name, stage_root in stages]
        code += _improvements(diagram, stages[-1][1], code[-1][1], goal)
        return tuple(Stage(name, Program(instructions)) for name, instructions in code)
    except TooLarge:
        return ()


def with_sets(
    source: Sequence[RawInstruction], sets: Mapping[int, SetTest], *, dialect: Dialect, goal: "Goal"
) -> Program:
    """Return the optimised program of instructions some of whose jumps represent tests of sets.

    *source* satisfies the rules of the dialect. The result is verified, except for its length.

    Raises `TooLarge` if the program has no diagram of reasonable size, and `VerificationError` if the dialect rejects
    the result.
    """
    rules = _without_length_limits(dialect)
    return from_diagram(*lift(source, ValueTable(rules), sets), goal)


def from_diagram(diagram: Diagram, root: NodeId, goal: "Goal") -> Program:
    """Return the optimised program of a diagram, verified for the dialect of its values, except for its length.

    Raises `TooLarge` if the code of a value is too long, and `VerificationError` if the dialect rejects the result.
    """
    program = Program(_best_code(diagram, root, goal))
    verify(program, dialect=_without_length_limits(diagram.values.dialect))
    return program


def _roots(diagram: Diagram, root: NodeId) -> Iterator[tuple[str, NodeId]]:
    """Yield the name of each pass that changed the diagram, and the root after it."""
    for _ in range(_MAX_ROUNDS):
        root_before_round = root
        for name, run_pass in PASSES.items():
            new_root = run_pass(diagram, root)
            if new_root != root:
                yield name, new_root
            root = new_root
        if root == root_before_round:
            return


def _best_code(diagram: Diagram, root: NodeId, goal: "Goal") -> Code:
    for _, new_root in _roots(diagram, root):
        root = new_root
    code = emit(diagram, root, goal)
    for _, better in _improvements(diagram, root, code, goal):
        code = better
    return code


def _improvements(diagram: Diagram, root: NodeId, code: Code, goal: "Goal") -> Iterator[tuple[str, Code]]:
    """Yield the name of each of the `FINAL_PASSES` that leads to a better program than *code*, and that program."""
    for name, run_pass in FINAL_PASSES.items():
        new_root = run_pass(diagram, root)
        if new_root == root:
            continue
        new_code = emit(diagram, new_root, goal)
        if _cost(new_code, diagram.values.dialect, goal) < _cost(code, diagram.values.dialect, goal):
            root, code = new_root, new_code
            yield name, code


def _verified(program: Instructions, dialect: Dialect, goal: "Goal") -> tuple[Program, Dialect]:
    """Return the program, verified, and the dialect without its limits of length."""
    source = Program(program)
    rules = _without_length_limits(check_dialect(dialect))
    _check_goal("optimize.goal", goal)
    verify(source, dialect=rules)
    return source, rules


def _without_length_limits(dialect: Dialect) -> Dialect:
    return dialect.replace(longest=None, longest_translated_jump=None)


def _cost(code: Sequence[RawInstruction], dialect: Dialect, goal: "Goal") -> tuple[int, int]:
    """Return the cost to reduce: the longest path (only for "speed"), then the number of instructions."""
    return 0 if goal == "size" else longest_path(effects_of(code, dialect)), len(code)


def _prove(program: Program, optimized: Program, dialect: Dialect, timeout: float | None) -> None:
    from ..proofs.equivalence import difference

    counterexample = difference(program, optimized, dialect=dialect, timeout=timeout)
    if counterexample is not None:
        fact = "optimiser bug: the optimised program is not equivalent to the input"
        raise ProofFailed(f"{fact}: {counterexample}", counterexample)
