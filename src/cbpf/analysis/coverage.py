"""What runs of a program reach: instructions, both sides of branches, and loads at the end of the packet."""

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from ..isa.opcodes import CONDITIONS, OPCODE_BY_CODE
from ..isa.program import Program
from ..packet.metadata import Metadata
from ..vm import VM

GoalKind: TypeAlias = Literal["instruction", "branch", "load"]


class CoverageGoal(NamedTuple):
    """Something that a run may reach at an instruction.

    "instruction": it runs. "branch": its test holds or does not, as `holds` says. "load": the packet ends just behind
    the bytes that it loads, or one byte too soon.
    """

    kind: GoalKind
    at: int
    holds: bool = True

    def __str__(self) -> str:
        texts = {
            "instruction": ("{} is never reached", "{} runs"),
            "branch": ("{} is false", "{} is true"),
            "load": ("{} lacks a byte", "{} just fits"),
        }
        return texts[self.kind][self.holds].format(self.at)


def all_goals(program: Program) -> frozenset[CoverageGoal]:
    """Every instruction and every side of a branch."""
    goals = {CoverageGoal("instruction", index) for index in range(len(program))}
    for index, raw in enumerate(program):
        if OPCODE_BY_CODE[raw.op].action in CONDITIONS:
            goals |= {CoverageGoal("branch", index, True), CoverageGoal("branch", index, False)}
    return frozenset(goals)


class CoveredRun(NamedTuple):
    """What one run reached, and its verdict."""

    goals: frozenset[CoverageGoal]
    verdict: int


def observe(machine: VM, packet: bytes, wire_length: int | None = None, metadata: Metadata | None = None) -> CoveredRun:
    """Runs a program on a packet, step by step."""
    goals = set()
    verdict = 0
    front = len(metadata.before) if metadata is not None and machine.dialect.header_windows else 0
    end = front + len(packet)
    for step in machine.trace(packet, metadata=metadata, wire_length=wire_length):
        goals.add(CoverageGoal("instruction", step.index))
        if step.taken is not None:
            goals.add(CoverageGoal("branch", step.index, step.taken))
        if step.fetched is not None:
            behind = step.fetched.position + step.fetched.size
            if behind - end in (0, 1):
                goals.add(CoverageGoal("load", step.index, behind == end))
        verdict = step.verdict or 0
    return CoveredRun(frozenset(goals), verdict)


def format_ranges(numbers: Iterable[int]) -> str:
    """Numbers, with neighbours drawn together: "1, 4..7"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}..{last}" for first, last in runs)
