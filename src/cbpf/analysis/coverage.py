"""Coverage of a program by packets: instructions, both outcomes of branches, and loads at the end of the packet."""

from .._named_tuple import NamedTuple
from .._typing import Literal, TypeAlias
from ..isa.opcodes import CONDITIONS, OPCODE_BY_CODE
from ..isa.program import Program
from ..packet.metadata import Metadata
from ..vm import VM

GoalKind: TypeAlias = Literal["instruction", "branch", "load"]


class CoverageGoal(NamedTuple):
    """An event that an execution may produce at an instruction.

    Args:
        kind: "instruction": the instruction is executed. "branch": its test has the outcome *holds*. "load": the packet
            ends directly after the bytes that the instruction loads (*holds*), or one byte earlier, so that the load
            fails (not *holds*).
        at: The index of the instruction.
        holds: The outcome of the event; True for "instruction".
    """

    kind: GoalKind
    at: int
    holds: bool = True

    def __str__(self) -> str:
        texts = {
            "instruction": ("never runs {}", "runs {}"),
            "branch": ("{} is false", "{} is true"),
            "load": ("{} lacks a byte", "{} just fits"),
        }
        return texts[self.kind][self.holds].format(self.at)


def all_goals(program: Program) -> frozenset[CoverageGoal]:
    """Return the goals for each instruction and for both outcomes of each branch."""
    goals = {CoverageGoal("instruction", index) for index in range(len(program))}
    for index, raw in enumerate(program):
        if OPCODE_BY_CODE[raw.op].action in CONDITIONS:
            goals |= {CoverageGoal("branch", index, True), CoverageGoal("branch", index, False)}
    return frozenset(goals)


class CoveredRun(NamedTuple):
    """The goals that one execution reached, and its verdict."""

    goals: frozenset[CoverageGoal]
    verdict: int


def observe(vm: VM, packet: bytes, wire_length: int | None = None, metadata: Metadata | None = None) -> CoveredRun:
    """Trace a program on one packet, and return the goals that the execution reaches."""
    goals = set()
    verdict = 0
    before = len(metadata.before) if metadata is not None and vm.dialect.header_windows else 0
    packet_end = before + len(packet)
    for step in vm.trace(packet, metadata=metadata, wire_length=wire_length):
        goals.add(CoverageGoal("instruction", step.index))
        if step.taken is not None:
            goals.add(CoverageGoal("branch", step.index, step.taken))
        if step.fetched is not None:
            load_end = step.fetched.position + step.fetched.size
            if load_end - packet_end in (0, 1):
                goals.add(CoverageGoal("load", step.index, load_end == packet_end))
        verdict = step.verdict or 0
    return CoveredRun(frozenset(goals), verdict)
