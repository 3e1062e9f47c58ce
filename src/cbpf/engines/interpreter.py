"""The reference engine and the tracer: words are Python integers, conditions are bools.

`IntegerMachine` performs each operation of the semantics immediately, on integers below 2**32. The interpreter executes
one instruction after the other; the tracer records the machine after each of them.
"""

from collections.abc import Iterator
from contextlib import suppress

from .._record import JsonRecord
from .._text import Readable
from .._typing import Any
from ..isa.alu import ARITHMETIC, COMPARISONS
from ..isa.dialects import PCAP, Dialect, FetchOrder
from ..isa.enumerations import Extension
from ..isa.opcodes import SCRATCH_SLOTS, WORD_MASK, Action
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from ..isa.semantics import HeaderKind, begin, execute
from ..packet.metadata import Metadata
from ..packet.packet_bytes import as_packet
from ..packet.skb import SocketBuffer


class Fetched(JsonRecord):
    """A load from the packet.

    Args:
        position: The offset in bytes of the first byte loaded. Under a dialect with header windows it is counted from
            the start of `Metadata.before`, which precedes the packet; otherwise from the start of the packet.
        size: The number of bytes loaded: 1, 2 or 4.
        value: The number loaded; None if a byte is missing, which ends the run with verdict 0.
    """

    position: int
    size: int
    value: int | None

    def __str__(self) -> str:
        place = f"byte {self.position}" if self.size == 1 else f"bytes {self.position}..{self.position + self.size - 1}"
        return f"{place}: {'past the end' if self.value is None else f'0x{self.value:0{2 * self.size}x}'}"


class Step(JsonRecord, Readable):
    """One executed instruction, and the state of the machine after it.

    `str` returns the line that `cbpf trace` prints.

    Args:
        index: The index of the instruction in the program.
        instruction: The raw instruction.
        a: The register A after the instruction, 0 to 2**32 - 1.
        x: The register X after the instruction, 0 to 2**32 - 1.
        scratch: The 16 scratch slots after the instruction.
        fetched: The load from the packet, if the instruction made one.
        taken: Whether the test of a conditional jump held, so that jt determined the next instruction; None for other
            instructions. Go's syntax shows the opposite test if jt is 0 (`jneq` for a `jeq`).
        next_index: The index of the next instruction; None if the run ended.
        verdict: The verdict with which the run ended, 0 to 2**32 - 1; None if it continues.
    """

    index: int
    instruction: RawInstruction
    a: int
    x: int
    scratch: tuple[int, ...]
    fetched: Fetched | None
    taken: bool | None
    next_index: int | None
    verdict: int | None

    def describe(self, *, dialect: Dialect = PCAP) -> str:
        """Return the step as a line: instruction, registers, loaded bytes, jump target.

        Args:
            dialect: The dialect of the program; in one with records, the verdict of a `ret` is hexadecimal.

        Returns:
            The line, without a newline.
        """
        from ..isa.listing import listing_line

        line = listing_line(self.instruction, self.index, dialect=dialect)
        return f"{line:46}  A={self.a:#010x} X={self.x:#010x}  {'; '.join(self._events())}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """Return the step as a dictionary that can be converted to JSON.

        Returns:
            The fields by name, and "text": the instruction in Go's syntax.
        """
        return super().as_dict() | {"text": str(self.instruction)}

    def __str__(self) -> str:
        return self.describe()

    def _events(self) -> Iterator[str]:
        if self.fetched is not None:
            yield str(self.fetched)
        if self.taken is not None:
            yield f"{'true' if self.taken else 'false'}, to {self.next_index}"


class _Finished(Exception):
    """The run has ended, possibly in the middle of an instruction."""


class IntegerMachine:
    """A `Machine` whose words are integers and whose conditions are bools."""

    def __init__(self, buffer: SocketBuffer, wire_length: int) -> None:
        self.a = 0
        self.x = 0
        self.scratch = [0] * SCRATCH_SLOTS
        self.next_index = 0
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

    def select(self, condition: bool, then: int, otherwise: int) -> int:
        return then if condition else otherwise

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

    def return_if(self, condition: bool, verdict: int) -> None:
        if condition:
            self.finish(verdict)
            raise _Finished

    def finish(self, verdict: int) -> None:
        self.verdict = verdict

    def jump(self, target: int) -> None:
        self.next_index = target

    def branch(self, condition: bool, target_true: int, target_false: int) -> None:
        self.taken = condition
        self.next_index = target_true if condition else target_false


class Interpreter:
    """An interpreter of one program, which its dialect must accept."""

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._raw = tuple(program)
        self._dialect = dialect

    def run(self, packet: Any, wire_length: int | None = None, buffer: SocketBuffer | None = None, /) -> int:
        """Return the verdict on a packet; see `RunFunction`."""
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
        """Yield the steps of a run; none if the packet is shorter than the dialect's record."""
        machine = self._machine(packet, wire_length, buffer)
        with suppress(_Finished):
            begin(machine, self._dialect)
        while machine.verdict is None:
            index = machine.next_index
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
        """Execute one instruction."""
        index = machine.next_index
        machine.next_index = index + 1
        execute(machine, self._raw[index], index, self._dialect)


def _as_step(index: int, instruction: RawInstruction, machine: IntegerMachine) -> Step:
    """Return the step of an instruction that the machine has just executed."""
    return Step(
        index,
        instruction,
        machine.a,
        machine.x,
        tuple(machine.scratch),
        machine.fetched,
        machine.taken,
        machine.next_index if machine.verdict is None else None,
        machine.verdict,
    )
