"""Reachability in one program: a packet that reaches an instruction or a verdict, and dead code (extra `smt`)."""

from .._record import JsonRecord
from .._text import Readable
from .._typing import Literal, TypeAlias
from .._validators import check_word, within
from ..analysis.coverage import CoverageGoal, observe
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..isa.verdicts import describe_verdict
from ..packet.metadata import Metadata
from ..packet.packet_text import packet_lines
from ..vm import VM
from .coverage_goals import covering_runs, goal_conditions
from .machine import Execution, concrete_execution
from .query import Query
from .symbolic_packet import Model
from .terms import BoolTerm
from .verdicts import accepting_condition, verdict_term

WitnessVerdict: TypeAlias = Literal["accept", "reject"] | int
"""The verdict of a packet to find: one that accepts, one that rejects, or an exact number."""


class Witness(JsonRecord, Readable):
    """A packet and its verdict; `VM.evaluate` reproduces the verdict with the packet, its wire length and its metadata.

    Args:
        packet: The captured bytes.
        wire_length: The length of the packet on the wire, in bytes.
        metadata: The metadata that extension loads read.
        verdict: The verdict of the program, an unsigned 32-bit number.
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    verdict: int

    def describe(self, *, dialect: Dialect = PCAP) -> str:
        """Return the packet and its verdict as text.

        Args:
            dialect: The dialect of the program, which determines the meaning of its verdict.

        Returns:
            The verdict on the first line, then the packet.
        """
        packet = packet_lines(self.packet, self.wire_length, self.metadata, dialect)
        return "\n".join([describe_verdict(self.verdict, dialect=dialect), *packet])

    def __str__(self) -> str:
        return self.describe()


class DeadCode(JsonRecord):
    """The instructions and branches of a program that no packet reaches. It is false if there are none.

    Args:
        instructions: The indices of instructions that never run.
        branches: (index, result) of conditional jumps that run, but whose test never has this result.
    """

    instructions: tuple[int, ...]
    branches: tuple[tuple[int, bool], ...]

    def __bool__(self) -> bool:
        return bool(self.instructions or self.branches)


def witness(
    program: Instructions,
    *,
    verdict: WitnessVerdict | None = None,
    reaches: int | None = None,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> Witness | None:
    """Return a small packet with a given verdict or path, or None: there is a proof that no such packet exists."""
    vm = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    if reaches is not None:
        reaches = within(0, len(vm.program) - 1, "an instruction of the program")("reaches", reaches)
    if verdict not in (None, "accept", "reject"):
        verdict = check_word("verdict", verdict)
    query = Query(vm, shortest=shortest, longest=longest, timeout=timeout)
    (execution,) = query.executions
    path_condition = True if reaches is None else execution.reached[reaches]
    condition = query.terms.all(path_condition, _verdict_condition(query, verdict, execution))

    def confirm(model: Model) -> bool:
        run = observe(vm, *model)
        reached = reaches is None or CoverageGoal("instruction", reaches) in run.goals
        return reached and _verdict_condition(query, verdict, concrete_execution(run.verdict)) is True

    model = query.find(condition, confirm=confirm)
    return None if model is None else Witness(*model, observe(vm, *model).verdict)


def _verdict_condition(query: Query, verdict: WitnessVerdict | None, execution: Execution) -> BoolTerm:
    """Return the condition that an execution has the given verdict."""
    if verdict is None:
        return True
    if isinstance(verdict, int):
        return query.terms.equal(verdict_term(query.terms, execution), verdict)
    accepts = accepting_condition(query.terms, query.dialect, execution)
    return accepts if verdict == "accept" else query.terms.negate(accepts)


def dead(
    program: Instructions,
    *,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 60,
) -> DeadCode:
    """Return the instructions and branches that no packet reaches."""
    vm = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    query = Query(vm, shortest=shortest, longest=longest, timeout=timeout)
    goals = {goal: condition for goal, condition in goal_conditions(query).items() if goal.kind != "load"}
    unreached = set(goals)
    for reached in covering_runs(query, vm, goals):
        unreached -= reached
    instructions = tuple(goal.at for goal in goals if goal.kind == "instruction" and goal in unreached)
    branches = tuple(
        (goal.at, goal.holds)
        for goal in goals
        if goal.kind == "branch" and goal in unreached and goal.at not in instructions
    )
    return DeadCode(instructions, branches)
