"""Symbolic execution: a `Machine` whose words are terms, which turns a program into conditions on the packet.

All jumps are forward, so one walk over the program executes each instruction for all paths that reach it, in the few
states that `path_states` distinguishes.
"""

from collections.abc import Container, Sequence
from contextlib import suppress

from .._named_tuple import NamedTuple
from .._typing import Final
from ..analysis.register_machine import A, X
from ..isa.dialects import Dialect, FetchOrder
from ..isa.enumerations import Extension
from ..isa.opcodes import JUMPS, OPCODE_BY_CODE, SCRATCH_SLOTS, SIGN_BIT, Action
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from ..isa.semantics import HeaderKind, begin, execute
from .netlink import find_attribute
from .path_registers import path_registers
from .path_states import LazyWord, PathState, built, merge_states
from .symbolic_packet import SymbolicPacket
from .terms import BoolTerm, Terms, WordTerm, term_key

_DRAWS: Final = SCRATCH_SLOTS + 2
"""The number of the register that counts the draws of random numbers."""


class BranchConditions(NamedTuple):
    """The path conditions of the two edges of a conditional jump."""

    taken: BoolTerm
    not_taken: BoolTerm


class LoadAttempt(NamedTuple):
    """The path condition of a load from the packet, and its end: base + end is the position after its last byte."""

    condition: BoolTerm
    base: WordTerm
    end: int


class Execution(NamedTuple):
    """The result of the symbolic execution of a program.

    Args:
        returned: The path condition and the verdict of each `ret` and of each other end of a run. Loads that exceed
            the packet are omitted: they end a run with verdict 0. The conditions are mutually exclusive.
        reached: The path condition of each instruction.
        branches: The conditions of each conditional jump, by the index of the instruction.
        loads: Each load from the packet, by the index of the instruction.
    """

    returned: list[tuple[BoolTerm, WordTerm]]
    reached: list[BoolTerm]
    branches: dict[int, BranchConditions]
    loads: dict[int, list[LoadAttempt]]


def concrete_execution(verdict: int) -> Execution:
    """Return the execution of a run that returned *verdict*."""
    return Execution([(True, verdict)], [], {}, {})


class _PathEnded(Exception):
    """The path condition is false: no packet continues on this path."""


class TermMachine:
    """A `Machine` whose words and conditions are terms.

    Args:
        packet: The symbolic packet that the program reads.
        dialect: The dialect that runs the program.
        program: The program.

    Attributes:
        condition: The path condition of the current instruction.
        has_ended: Whether no packet continues from the current instruction to the next one.
        index: The index of the current instruction.
        returned: See `Execution`.
        branches: The conditions of each conditional jump, for each state in which it is reached.
        loads: See `Execution`.
    """

    def __init__(self, packet: SymbolicPacket, dialect: Dialect, program: Sequence[RawInstruction]) -> None:
        self._terms: Terms = packet.terms
        self._packet = packet
        self._windows = dialect.header_windows
        self._incoming: list[list[PathState]] = [[] for _ in program]
        self.returned: list[tuple[BoolTerm, WordTerm]] = []
        self.branches: list[list[BranchConditions]] = [[] for _ in program]
        self.loads: dict[int, list[LoadAttempt]] = {}
        self.resume(0, PathState(True, (0,) * (_DRAWS + 1), {}))

    # Paths

    def incoming(self, index: int) -> list[PathState]:
        """Return the states on the edges to instruction *index*, and forget them."""
        states, self._incoming[index] = self._incoming[index], []
        return states

    def resume(self, index: int, state: PathState) -> None:
        """Continue at instruction *index* in a state."""
        self.index = index
        self.condition = state.condition
        self._words: list[LazyWord] = list(state.words)
        self._captured = state.captured
        self.has_ended = False

    def _state(self, condition: BoolTerm) -> PathState:
        return PathState(condition, tuple(self._words), self._captured)

    def _read(self, register: int) -> WordTerm:
        word = self._words[register] = built(self._terms, self._words[register])
        return word

    def _assume(self, condition: BoolTerm) -> None:
        """Add *condition* to the path condition."""
        self.condition = self._terms.all(self.condition, condition)
        if self.condition is False:
            raise _PathEnded

    # The Machine

    @property
    def a(self) -> WordTerm:
        return self._read(A)

    @a.setter
    def a(self, value: WordTerm) -> None:
        self._words[A] = value

    @property
    def x(self) -> WordTerm:
        return self._read(X)

    @x.setter
    def x(self, value: WordTerm) -> None:
        self._words[X] = value

    def word(self, value: int) -> WordTerm:
        return value

    def arithmetic(self, action: Action, left: WordTerm, right: WordTerm) -> WordTerm:
        return self._terms.arithmetic(action, left, right)

    def compare(self, action: Action, left: WordTerm, right: WordTerm) -> BoolTerm:
        return self._terms.compare(action, left, right)

    def select(self, condition: BoolTerm, then: WordTerm, otherwise: WordTerm) -> WordTerm:
        return self._terms.select(condition, then, otherwise)

    def load_scratch(self, slot: int) -> WordTerm:
        return self._read(slot)

    def store_scratch(self, slot: int, value: WordTerm) -> None:
        self._words[slot] = value

    def captured_length(self) -> WordTerm:
        return self._packet.captured

    def wire_length(self) -> WordTerm:
        return self._packet.wire_length()

    def header(self, header: HeaderKind) -> WordTerm:
        return self._packet.header(header) if self._windows else 0

    def fetch(self, base: WordTerm, displacement: int, size: int, byte_order: FetchOrder) -> WordTerm:
        attempt = LoadAttempt(self.condition, base, displacement + size)
        self.loads.setdefault(self.index, []).append(attempt)
        if isinstance(base, int):
            self._require_bytes(base + displacement + size)
            return self._packet.load(base + displacement, size, byte_order)
        start, distance = self._terms.split(base)
        if self._windows and not self._terms.is_below(start, SIGN_BIT):
            self._require_window(self._terms.arithmetic(Action.ADD, base, displacement), size)
        else:
            self._require_bytes_after(start, distance + displacement + size)
        return self._packet.load(self._terms.arithmetic(Action.ADD, base, displacement), size, byte_order)

    def _require_bytes(self, count: int) -> None:
        """Assume that at least *count* bytes of the packet are captured."""
        if count > self._packet.longest:
            raise _PathEnded
        if count > max(self._captured.get(0, 0), self._packet.shortest):
            self._assume(self._terms.at_most(count, self._packet.captured))
            self._captured = {**self._captured, 0: count}

    def _require_bytes_after(self, start: WordTerm, count: int) -> None:
        """Assume that at least *count* bytes from position *start* on are captured."""
        if count > self._packet.longest:
            raise _PathEnded
        key = term_key(start)
        if count <= self._captured.get(key, 0):
            return
        if key not in self._captured and not self._terms.is_below(start, SIGN_BIT):
            self._assume(self._terms.at_most(start, self._packet.captured))
        available = self._terms.arithmetic(Action.SUB, self._packet.captured, start)
        self._assume(self._terms.signed_at_most(count, available))
        self._captured = {**self._captured, key: count}

    def _require_window(self, position: WordTerm, size: int) -> None:
        """Assume that *size* bytes at *position* are within the packet and the bytes before it (negative positions)."""
        terms = self._terms
        first = terms.arithmetic(Action.SUB, 0, self._packet.bytes_before())
        self._assume(terms.signed_at_most(first, position))
        self._assume(terms.signed_at_most(position, terms.arithmetic(Action.SUB, self._packet.captured, size)))

    def lacks_device(self) -> BoolTerm:
        return self._packet.lacks_device()

    def extension(self, extension: Extension, a: WordTerm, x: WordTerm) -> WordTerm:
        if extension is Extension.RAND:
            self._words[_DRAWS] = self._terms.arithmetic(Action.ADD, self._read(_DRAWS), 1)
            return self._packet.random_number(self._words[_DRAWS])
        if extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
            return find_attribute(self._packet, extension, a, x)
        return self._packet.extension_value(extension)

    def return_if(self, condition: BoolTerm, verdict: WordTerm) -> None:
        self._return(self._terms.all(self.condition, condition), verdict)
        self._assume(self._terms.negate(condition))

    def finish(self, verdict: WordTerm) -> None:
        self._return(self.condition, verdict)
        self.has_ended = True

    def _return(self, condition: BoolTerm, verdict: WordTerm) -> None:
        if condition is not False:
            self.returned.append((condition, verdict))

    def jump(self, target: int) -> None:
        self._incoming[target].append(self._state(self.condition))
        self.has_ended = True

    def branch(self, condition: BoolTerm, target_true: int, target_false: int) -> None:
        terms = self._terms
        edges = BranchConditions(
            terms.all(self.condition, condition), terms.all(self.condition, terms.negate(condition))
        )
        self.branches[self.index].append(edges)
        if target_true == target_false:
            self.jump(target_true)
            return
        for path_condition, target in zip(edges, (target_true, target_false), strict=True):
            if path_condition is not False:
                self._incoming[target].append(self._state(path_condition))
        self.has_ended = True


def execute_symbolically(program: Program, dialect: Dialect, packet: SymbolicPacket) -> Execution:
    """Execute a program that *dialect* accepts on a symbolic packet."""
    instructions = tuple(program)
    terms = packet.terms
    machine = TermMachine(packet, dialect, instructions)
    with suppress(_PathEnded):
        begin(machine, dialect)
        machine.jump(0)
    registers = path_registers(instructions, dialect)
    targets = {target for index, raw in enumerate(instructions) for target in _jump_targets(raw, index)}
    reached: list[list[BoolTerm]] = [[] for _ in instructions]
    for index in range(len(instructions)):
        for state in merge_states(terms, machine.incoming(index), registers[index]):
            terms.limits.check()
            machine.resume(index, state)
            with suppress(_PathEnded):
                _execute_block(machine, instructions, dialect, targets, reached)
    branches = {
        index: BranchConditions(*(terms.any(*conditions) for conditions in zip(*edges, strict=True)))
        for index, edges in enumerate(machine.branches)
        if edges
    }
    return Execution(machine.returned, [terms.any(*conditions) for conditions in reached], branches, machine.loads)


def _jump_targets(raw: RawInstruction, index: int) -> tuple[int, ...]:
    return raw.successors(index) if OPCODE_BY_CODE[raw.op].action in JUMPS else ()


def _execute_block(
    machine: TermMachine,
    program: Sequence[RawInstruction],
    dialect: Dialect,
    targets: Container[int],
    reached: list[list[BoolTerm]],
) -> None:
    """Execute instructions up to a jump, a `ret` or the target of a jump."""
    while True:
        index = machine.index
        reached[index].append(machine.condition)
        execute(machine, program[index], index, dialect)
        if machine.has_ended:
            return
        machine.index = index + 1
        if index + 1 in targets:
            machine.jump(index + 1)
            return
