"""Execution profiles: how often each instruction of a program is executed on given packets, and each branch taken."""

from .._record import JsonRecord
from .._typing import Any
from ..errors import FieldError
from ..isa.opcodes import OPCODE_BY_CODE, Action
from .cfg import Edge
from .flow import Flow


class ExecutionCounts(JsonRecord):
    """Exact counts of the executions of a program on a series of packets; `execution_counts` returns them.

    Args:
        packets: The number of packets.
        accepted: The number of packets that the program accepted; with a seccomp dialect, of system calls that run.
        executed: For each instruction, the number of times it was executed, failed loads included.
        taken: For each instruction, the number of times its test held; 0 if it has no test or both targets are equal.
        maximum: The greatest number of instructions executed for one packet; 0 without packets.
    """

    packets: int
    accepted: int
    executed: tuple[int, ...]
    taken: tuple[int, ...]
    maximum: int

    @property
    def mean(self) -> float:
        """The mean number of instructions executed per packet; 0 without packets."""
        return sum(self.executed) / self.packets if self.packets else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as a dictionary.

        Returns:
            Each field by its name, and "mean".
        """
        return super().as_dict() | {"mean": self.mean}


def check_counts(counts: ExecutionCounts, flow: Flow) -> None:
    """Raise `FieldError` unless *counts* are `ExecutionCounts` of as many instructions as the program of *flow* has."""
    if not isinstance(counts, ExecutionCounts):
        raise FieldError(f"counts: expected ExecutionCounts, got {counts!r}; use execution_counts(program, packets)")
    if len(counts.executed) != len(flow.program):
        raise FieldError(
            f"counts: those of a program with {len(counts.executed)} instructions; this one has {len(flow.program)}"
        )


def edge_counts(flow: Flow, counts: ExecutionCounts) -> dict[tuple[int, int], int]:
    """Return the number of times that each edge was taken, by the numbers of its source and target blocks."""
    counts_by_edge: dict[tuple[int, int], int] = {}
    fall_through: list[Edge] = []
    entered = [0] * len(flow.blocks)
    for edge in (edge for block in flow.blocks for edge in block.edges):
        last = flow.blocks[edge.source].stop - 1
        if edge.outcome is None and _may_end_early(flow, last):
            fall_through.append(edge)
            continue
        true_count = counts.executed[last] if edge.outcome is None else counts.taken[last]
        count = counts.executed[last] - true_count if edge.outcome is False else true_count
        counts_by_edge[edge.source, edge.target] = count
        entered[edge.target] += count
    for edge in fall_through:  # at most one per target, from the preceding instruction: the remaining executions
        start = flow.blocks[edge.target].start
        counts_by_edge[edge.source, edge.target] = counts.executed[start] - entered[edge.target]
    return counts_by_edge


def _may_end_early(flow: Flow, index: int) -> bool:
    """Return whether an execution may end at an instruction other than a `ret`: a failed load, a division by 0."""
    action = OPCODE_BY_CODE[flow.program[index].op].action
    return action in (Action.LOAD_A, Action.LOAD_X, Action.DIV, Action.MOD)
