"""Counting the executions of a program, by Python and by machine code."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from .._lazy import Lazy
from .._typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from ..capture.packets import Packet, PacketColumns
from ..capture.reader import CaptureReader
from ..engines.base import RunFunction, llvm_is_installed
from ..engines.interpreter import Interpreter
from ..engines.python import compile_to_counting_python
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Instructions, Program
from ..isa.verdicts import accepts
from ..isa.verifier import verify
from ..packet.af_packet import SocketView
from ..packet.batch import Packets, as_batch
from ..packet.packet_bytes import as_packet
from ..packet.skb import SocketBuffer
from ..vm import MAX_PYTHON_INSTRUCTIONS, MIN_NATIVE_BATCH, check_engine
from .profile import ExecutionCounts

if TYPE_CHECKING:
    from .._options import EngineName
    from ..engines.llvm.counting import CountingEngine

Arguments: TypeAlias = tuple[Any, int | None, SocketBuffer | None]
"""The arguments of a `RunFunction`."""


class _Counts(Protocol):
    """The counts of some runs, in the terms of `ExecutionCounts`."""

    @property
    def runs(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def executed(self) -> Sequence[int]: ...
    @property
    def taken(self) -> Sequence[int]: ...
    @property
    def maximum(self) -> int: ...


class _PythonCounts:
    """The counts of runs in Python."""

    def __init__(self, program: Program, dialect: Dialect, engine: "EngineName") -> None:
        self.executed = [0] * len(program)
        self.taken = [0] * len(program)
        self.runs = self.accepted = self.maximum = self._total = 0
        self._dialect = dialect
        is_long = engine == "auto" and len(program) > MAX_PYTHON_INSTRUCTIONS
        compile_counting = _counting_interpreter if is_long or engine == "interpreter" else compile_to_counting_python
        self._run = compile_counting(program, dialect, self.executed, self.taken)

    def evaluate(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        """Run the program on a packet; see `RunFunction`."""
        verdict = self._run(packet, wire_length, buffer)
        self.runs += 1
        self.accepted += accepts(verdict, self._dialect)
        before, self._total = self._total, sum(self.executed)
        self.maximum = max(self.maximum, self._total - before)
        return verdict


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


class ExecutionCounter:
    """Counts the executions of each instruction of a program, over any number of calls.

    Args:
        program: The program, which *dialect* must accept.
        dialect: The dialect.
        engine: The engine that runs it. With "auto", it is machine code for large batches and for the columns of a
            scan, and Python otherwise.
    """

    def __init__(self, program: Program, dialect: Dialect, engine: "EngineName") -> None:
        self._program = program
        self._dialect = dialect
        self._engine = engine
        self._counts: list[_Counts] = []

    @Lazy
    def _python(self) -> _PythonCounts:
        counts = _PythonCounts(self._program, self._dialect, self._engine)
        self._counts.append(counts)
        return counts

    @Lazy
    def _native(self) -> "CountingEngine":
        from ..engines.llvm.counting import CountingEngine

        counts = CountingEngine(self._program, self._dialect)
        self._counts.append(counts)
        return counts

    def is_native(self, packets: int) -> bool:
        """Return whether machine code is to run on a batch with this number of packets."""
        if self._engine == "auto":
            return packets >= MIN_NATIVE_BATCH and llvm_is_installed()
        return self._engine == "llvm"

    def count_runs(self, runs: Iterable[Arguments]) -> None:
        """Run the program on packets one by one."""
        evaluate = self._native.evaluate if self._engine == "llvm" else self._python.evaluate
        for arguments in runs:
            evaluate(*arguments)

    def count_batch(self, packets: Packets) -> None:
        """Run machine code on a batch."""
        self._native.verdicts(packets)

    def count_columns(
        self, columns: PacketColumns, link_types: Mapping[int, str | None], interface_count: int
    ) -> set[int]:
        """Run machine code on packets in columns, as far as they come from a scan and there is code for them.

        *link_types* has the interfaces whose packets are to be counted, of *interface_count* in the capture, each with
        the name of the link type for the view of a live socket, or None. Return the interfaces that were counted.
        """
        counted: set[int] = set()
        if columns.native is None or self._engine not in ("auto", "llvm"):
            return counted
        from ..capture.native.column_matching import match_columns, selections

        engine = self._native
        codes = {interface: engine.native_columns(link_type) for interface, link_type in link_types.items()}
        verdicts = array("I", bytes(4 * len(columns.starts)))
        for code, selected in selections(codes, interface_count):
            if code is not None and match_columns(code, engine.context(), columns, selected, verdicts):
                counted |= {interface for interface in codes if selected[interface]}
        return counted

    def counts(self) -> ExecutionCounts:
        """Return the counts of all calls."""
        zeros, counts = [0] * len(self._program), self._counts
        return ExecutionCounts(
            packets=sum(part.runs for part in counts),
            accepted=sum(part.accepted for part in counts),
            executed=tuple(map(sum, zip(zeros, *(part.executed for part in counts), strict=True))),
            taken=tuple(map(sum, zip(zeros, *(part.taken for part in counts), strict=True))),
            maximum=max((part.maximum for part in counts), default=0),
        )


def execution_counts(
    program: Instructions, packets: Any, *, dialect: Dialect = PCAP, engine: "EngineName" = "auto"
) -> ExecutionCounts:
    """Run a program on packets, and count the executions of each instruction."""
    check_engine("execution_counts.engine", engine)
    value = Program(program)
    verify(value, dialect=dialect)
    counter = ExecutionCounter(value, dialect, engine)
    if isinstance(packets, CaptureReader):
        _count_capture(counter, packets)
        return counter.counts()
    batch = as_batch(packets)
    if isinstance(batch, Packets) and counter.is_native(len(batch)):
        counter.count_batch(batch)
    else:
        counter.count_runs(_runs(batch, dialect))
    return counter.counts()


def _count_capture(counter: ExecutionCounter, reader: CaptureReader) -> None:
    with closing(reader.remaining_inputs()) as results:
        for columns in results:
            interface_count = len(reader.container.interfaces)
            counted = counter.count_columns(columns, dict.fromkeys(range(interface_count)), interface_count)
            if not counted:
                counter.count_runs((data, wire_length, None) for data, wire_length, _ in columns.inputs())


def _runs(packets: Any, dialect: Dialect) -> Iterator[Arguments]:
    """Yield the arguments of the run function for each packet."""
    if isinstance(packets, Packets):
        yield from ((data, length, None) for data, length in zip(packets, packets.wire_lengths, strict=True))
        return
    for packet in packets:
        if isinstance(packet, Packet):
            yield packet.data, packet.wire_length, None
        elif isinstance(packet, SocketView):
            buffer = SocketBuffer(as_packet(packet.data), packet.metadata, header_windows=dialect.header_windows)
            yield packet.data, packet.wire_length, buffer
        else:
            yield packet, None, None
