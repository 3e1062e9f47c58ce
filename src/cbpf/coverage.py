"""What runs of a program reach: instructions, both sides of branches, and loads at the end of the packet."""

from typing import Literal, NamedTuple, TypeAlias

from .metadata import Metadata
from .vm import VM

GoalKind: TypeAlias = Literal["instruction", "branch", "load"]


class Goal(NamedTuple):
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


class Run(NamedTuple):
    """What one run reached, and its verdict."""

    goals: frozenset[Goal]
    verdict: int


def observe(machine: VM, packet: bytes, wire_length: int | None = None, metadata: Metadata | None = None) -> Run:
    """Runs a program on a packet, step by step."""
    goals = set()
    verdict = 0
    front = len(metadata.before) if metadata is not None and machine.dialect.header_windows else 0
    end = front + len(packet)
    for step in machine.trace(packet, metadata=metadata, wire_length=wire_length):
        goals.add(Goal("instruction", step.index))
        if step.taken is not None:
            goals.add(Goal("branch", step.index, step.taken))
        if step.fetched is not None:
            behind = step.fetched.position + step.fetched.size
            if behind - end in (0, 1):
                goals.add(Goal("load", step.index, behind == end))
        verdict = step.verdict or 0
    return Run(frozenset(goals), verdict)
