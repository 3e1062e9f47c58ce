"""The reference engine: words are ints, one instruction at a time; and the tracer."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from .._record import Record
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.dialects import Dialect, FetchOrder
from ..isa.instructions import RawInstruction
from ..isa.opcodes import SCRATCH_SLOTS, WORD_MASK, Action, Extension
from ..isa.program import Program
from ..isa.semantics import HeaderKind, begin, execute
from ..packet.batch import as_packet
from ..packet.metadata import Metadata
from ..packet.skb import SocketBuffer


class Fetched(Record):
    """A load from the packet: *size* bytes at *position* of the bytes before the packet and the packet.

    *value* is None where bytes are missing: then the run ends with verdict 0.
    """

    position: int
    size: int
    value: int | None


class Step(Record):
    """One executed instruction, and the machine after it.

    index, instruction: which; a, x, scratch: the registers and the 16 slots after it.
    fetched: what it loaded from the packet, if it did.
    taken: for a conditional jump, whether its test held.
    following: the index of the next instruction; None: the run ended here with `verdict`.
    """

    index: int
    instruction: RawInstruction
    a: int
    x: int
    scratch: tuple[int, ...]
    fetched: Fetched | None
    taken: bool | None
    following: int | None
    verdict: int | None


class _Finished(Exception):
    """The run has ended, perhaps in the middle of an instruction."""


class IntegerMachine:
    """A `Machine` whose words are ints and whose truths are bools."""

    def __init__(self, buffer: SocketBuffer, wire_length: int) -> None:
        self.a = 0
        self.x = 0
        self.scratch = [0] * SCRATCH_SLOTS
        self.following = 0
        self.verdict: int | None = None
        self.fetched: Fetched | None = None
        self.taken: bool | None = None
        self._buffer = buffer
        self._wire_length = wire_length

    def word(self, value: int) -> int:
        return value

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        return ARITHMETIC[action](left, right) & WORD_MASK

    def compare(self, action: Action, left: int, right: int) -> bool:
        return COMPARISONS[action](left, right)

    def select(self, truth: bool, then: int, otherwise: int) -> int:
        return then if truth else otherwise

    def load_scratch(self, slot: int) -> int:
        return self.scratch[slot]

    def store_scratch(self, slot: int, value: int) -> None:
        self.scratch[slot] = value

    def captured_length(self) -> int:
        return len(self._buffer.data)

    def wire_length(self) -> int:
        return self._wire_length

    def header(self, header: HeaderKind) -> int:
        position: int = getattr(self._buffer, header)
        return position

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        position = base + displacement
        data = self._buffer.memory[position : position + size]
        value = int.from_bytes(data, byte_order) if len(data) == size else None
        self.fetched = Fetched(position, size, value)
        if value is None:
            self.finish(0)
            raise _Finished
        return value

    def lacks_device(self) -> bool:
        return self._buffer.lacks_device()

    def extension(self, extension: Extension, a: int, x: int) -> int:
        return self._buffer.extension(extension, a, x)

    def return_if(self, truth: bool, verdict: int) -> None:
        if truth:
            self.finish(verdict)
            raise _Finished

    def finish(self, verdict: int) -> None:
        self.verdict = verdict

    def jump(self, target: int) -> None:
        self.following = target

    def branch(self, truth: bool, target_true: int, target_false: int) -> None:
        self.taken = truth
        self.following = target_true if truth else target_false


class Interpreter:
    """Runs and traces one program that its dialect accepts."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._raw = tuple(program)
        self._dialect = dialect

    def run(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        """See `Run`."""
        machine = self._machine(packet, wire_length, buffer)
        with suppress(_Finished):
            begin(machine, self._dialect)
            while machine.verdict is None:
                self._step(machine)
        assert machine.verdict is not None
        return machine.verdict

    def trace(
        self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /
    ) -> Iterator[Step]:
        """Every step of a run; none if a record is too short to begin."""
        machine = self._machine(packet, wire_length, buffer)
        with suppress(_Finished):
            begin(machine, self._dialect)
        while machine.verdict is None:
            index = machine.following
            machine.fetched = machine.taken = None
            with suppress(_Finished):
                self._step(machine)
            yield _as_step(index, self._raw[index], machine)

    def _machine(self, packet: Any, wire_length: int | None, buffer: SocketBuffer | None) -> IntegerMachine:
        if buffer is None:
            windows = self._dialect.header_windows
            buffer = SocketBuffer(as_packet(packet), Metadata(), header_windows=windows)
        return IntegerMachine(buffer, len(buffer.data) if wire_length is None else wire_length)

    def _step(self, machine: IntegerMachine) -> None:
        """Executes one instruction."""
        index = machine.following
        machine.following = index + 1
        execute(machine, self._raw[index], index, self._dialect)


def _as_step(index: int, instruction: RawInstruction, machine: IntegerMachine) -> Step:
    """The machine as it stands after an instruction."""
    return Step(
        index,
        instruction,
        machine.a,
        machine.x,
        tuple(machine.scratch),
        machine.fetched,
        machine.taken,
        machine.following if machine.verdict is None else None,
        machine.verdict,
    )
