"""How often each instruction of a program is executed on given packets, and which way its tests go."""

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

from .._record import Record
from ..capture.reader import Packet
from ..engines.base import RunFunction
from ..engines.interpreter import Interpreter
from ..engines.python import compile_to_counting_python
from ..errors import FieldError
from ..isa.dialects import PCAP, Dialect
from ..isa.opcodes import OPCODE_BY_CODE, Action
from ..isa.program import Instructions, Program
from ..isa.verifier import verify
from ..packet.af_packet import SocketView
from ..packet.batch import Packets, as_batch, as_packet
from ..packet.skb import SocketBuffer
from .cfg import Edge
from .flow import Flow

_LONGEST_IN_PYTHON: Final = 20_000  # instructions; beyond, compiling costs too much time and memory


class ExecutionCounts(Record):
    """What a program did on packets, all of it exact.

    packets: how many there were. kept: how many of them had a verdict other than 0.
    executed: for each instruction, how often it was executed, loads that found no byte included.
    taken: for each instruction, how often its test held; 0 for what is no test, or leads to one place either way.
    most: the most instructions that one packet took.
    """

    packets: int
    accepted: int
    executed: tuple[int, ...]
    taken: tuple[int, ...]
    most: int

    @property
    def mean(self) -> float:
        """Instructions a packet; 0 without packets."""
        return sum(self.executed) / self.packets if self.packets else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Every field by its name, and the mean."""
        return {name: getattr(self, name) for name in self.__match_args__} | {"mean": self.mean}


def execution_counts(program: Instructions, packets: Any, *, dialect: Dialect = PCAP) -> ExecutionCounts:
    r"""Runs *program* on every packet, and counts.

    *packets* is whatever `Packets.of` takes, or an iterable of `Packet`, a capture reader say, of which the wire
    lengths count, or of `SocketView`, of which the metadata count too. It takes a few times as long as the python
    engine. Raises `VerificationError` if *dialect* refuses the program, `PacketError` for what is no packet.

    >>> from cbpf import parse
    >>> execution_counts(parse("ldb [0]\njeq #1,0,1\nret #1\nret #0"), [b"\1", b"\2", b""])
    ExecutionCounts(packets=3, kept=1, executed=(3, 2, 1, 1), taken=(0, 1, 0, 0), most=3)
    """
    value = Program(program)
    verify(value, dialect=dialect)
    executed, taken = [0] * len(value), [0] * len(value)
    make = compile_to_counting_python if len(value) <= _LONGEST_IN_PYTHON else _tracing
    run = make(value, dialect, executed, taken)
    count = kept = most = total = 0
    for arguments in _runs(packets, dialect):
        kept += run(*arguments) != 0
        before, total = total, sum(executed)
        most = max(most, total - before)
        count += 1
    return ExecutionCounts(count, kept, tuple(executed), tuple(taken), most)


def _tracing(program: Program, dialect: Dialect, executed: list[int], taken: list[int]) -> RunFunction:
    """What `compile_to_counting_python` gives, without compiling: slow."""
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
    """The arguments of the run on each packet."""
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
    """Raises `FieldError` for counts of another program, as far as their number tells."""
    if not isinstance(counts, ExecutionCounts):
        raise FieldError(f"counts: {counts!r} is no ExecutionCounts; execution_counts(program, packets) gives them")
    if len(counts.executed) != len(flow.program):
        raise FieldError(f"counts: of {len(counts.executed)} instructions; the program has {len(flow.program)}")


def edge_counts(flow: Flow, counts: ExecutionCounts) -> dict[tuple[int, int], int]:
    """How often each edge was taken, by the numbers of its blocks."""
    taken: dict[tuple[int, int], int] = {}
    falling: list[Edge] = []
    arriving = [0] * len(flow.blocks)
    for edge in (edge for block in flow.blocks for edge in block.edges):
        last = flow.blocks[edge.source].stop - 1
        if edge.outcome is None and _may_end_early(flow, last):
            falling.append(edge)
            continue
        times = counts.executed[last] if edge.outcome is None else counts.taken[last]
        count = counts.executed[last] - times if edge.outcome is False else times
        taken[edge.source, edge.target] = count
        arriving[edge.target] += count
    for edge in falling:  # at most one to each block, from the instruction in front of it
        start = flow.blocks[edge.target].start
        taken[edge.source, edge.target] = counts.executed[start] - arriving[edge.target]
    return taken


def _may_end_early(flow: Flow, index: int) -> bool:
    """Whether a run may leave the program at an instruction that neither jumps nor returns."""
    action = OPCODE_BY_CODE[flow.program[index].op].action
    return action in (Action.LOAD_A, Action.LOAD_X, Action.DIV, Action.MOD)
