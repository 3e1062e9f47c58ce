"""Execution profiles: how often each instruction of a program is executed on given packets, and each branch taken."""

from collections.abc import Iterator

from .._record import Record
from .._typing import Any, Final, TypeAlias
from ..capture.packets import Packet
from ..engines.base import RunFunction
from ..engines.interpreter import Interpreter
from ..engines.python import compile_to_counting_python
from ..errors import FieldError
from ..isa.dialects import PCAP, Dialect
from ..isa.opcodes import OPCODE_BY_CODE, Action
from ..isa.program import Instructions, Program
from ..isa.verdicts import accepts
from ..isa.verifier import verify
from ..packet.af_packet import SocketView
from ..packet.batch import Packets, as_batch
from ..packet.packet_bytes import as_packet
from ..packet.skb import SocketBuffer
from .cfg import Edge
from .flow import Flow

_MAX_COMPILED_LENGTH: Final = 20_000  # instructions; compiling longer programs takes too much time and memory


class ExecutionCounts(Record):
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
        return {name: getattr(self, name) for name in self.__match_args__} | {"mean": self.mean}


def execution_counts(program: Instructions, packets: Any, *, dialect: Dialect = PCAP) -> ExecutionCounts:
    """Run a program on packets, and count the executions of each instruction."""
    value = Program(program)
    verify(value, dialect=dialect)
    executed, taken = [0] * len(value), [0] * len(value)
    compile_counting = compile_to_counting_python if len(value) <= _MAX_COMPILED_LENGTH else _counting_interpreter
    run = compile_counting(value, dialect, executed, taken)
    count = accepted = maximum = total = 0
    for arguments in _runs(packets, dialect):
        accepted += accepts(run(*arguments), dialect)
        before, total = total, sum(executed)
        maximum = max(maximum, total - before)
        count += 1
    return ExecutionCounts(count, accepted, tuple(executed), tuple(taken), maximum)


def _counting_interpreter(program: Program, dialect: Dialect, executed: list[int], taken: list[int]) -> RunFunction:
    """Return a run function that counts like that of `compile_to_counting_python`: slower, but without compilation."""
    trace = Interpreter(program, dialect).trace

    def run(packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        verdict = 0
        for step in trace(packet, wire_length, buffer):
            executed[step.index] += 1
            if step.taken and step.instruction.jt != step.instruction.jf:
                taken[step.index] += 1
            verdict = step.verdict or 0
        return verdict

    return run


_Arguments: TypeAlias = tuple[Any, int | None, SocketBuffer | None]


def _runs(packets: Any, dialect: Dialect) -> Iterator[_Arguments]:
    """Yield the arguments of the run function for each packet."""
    batch = as_batch(packets)
    if isinstance(batch, Packets):
        yield from ((data, length, None) for data, length in zip(batch, batch.wire_lengths, strict=True))
        return
    for packet in batch:
        if isinstance(packet, Packet):
            yield packet.data, packet.wire_length, None
        elif isinstance(packet, SocketView):
            buffer = SocketBuffer(as_packet(packet.data), packet.metadata, header_windows=dialect.header_windows)
            yield packet.data, packet.wire_length, buffer
        else:
            yield packet, None, None


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
