"""Symbolic execution: a `Machine` whose words are terms, which turns a program into conditions on the packet.

All jumps are forward, so each instruction is executed once, for all paths that reach it. At a join, a register with
different values on the incoming edges becomes a choice between these values. The choice is built when the register is
first read, and therefore never for a dead register.
"""

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, TypeAlias

from ..isa.dialects import Dialect, FetchOrder
from ..isa.opcodes import SCRATCH_SLOTS, Action, Extension
from ..isa.program import Program
from ..isa.semantics import HeaderKind, begin, execute
from .netlink import find_attribute
from .symbolic_packet import SymbolicPacket
from .terms import BoolTerm, Terms, WordTerm, term_key


class _Join:
    """A word with different values on several incoming edges; its term is built when it is first read.

    Args:
        incoming: Each value, with the path conditions of the edges that provide it.
    """

    __slots__ = ("incoming", "term")

    def __init__(self, incoming: "list[tuple[_LazyWord, list[BoolTerm]]]") -> None:
        self.incoming = incoming
        self.term: WordTerm = None


_LazyWord: TypeAlias = "WordTerm | _Join"


def _term(value: _LazyWord) -> WordTerm:
    return value.term if isinstance(value, _Join) else value


class _PathState(NamedTuple):
    """The state on an edge.

    Args:
        condition: The path condition.
        words: A, X, the number of draws, and the scratch slots.
        min_captured: A lower bound of the captured length, in bytes.
    """

    condition: BoolTerm
    words: tuple[_LazyWord, ...]
    min_captured: int


_A, _X, _DRAWS, _SCRATCH = 0, 1, 2, 3
_START: Final = _PathState(True, (0,) * (_SCRATCH + SCRATCH_SLOTS), 0)


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
    loads: dict[int, LoadAttempt]


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
        length: The number of instructions.

    Attributes:
        condition: The path condition of the current instruction.
        has_ended: Whether no packet continues from the current instruction to the next one.
        index: The index of the current instruction.
        returned: See `Execution`.
        branches: See `Execution`.
        loads: See `Execution`.
    """

    def __init__(self, packet: SymbolicPacket, dialect: Dialect, length: int) -> None:
        self._terms: Terms = packet.terms
        self._packet = packet
        self._windows = dialect.header_windows
        self._incoming: list[list[_PathState]] = [[] for _ in range(length)]
        self.returned: list[tuple[BoolTerm, WordTerm]] = []
        self.has_ended = False
        self.index = 0
        self.branches: dict[int, BranchConditions] = {}
        self.loads: dict[int, LoadAttempt] = {}
        self._resume(_START)

    # Paths

    def _resume(self, state: _PathState) -> None:
        self.condition = state.condition
        self._words = list(state.words)
        self._min_captured = state.min_captured
        self.has_ended = False

    def _state(self, condition: BoolTerm) -> _PathState:
        return _PathState(condition, tuple(self._words), self._min_captured)

    def enter(self, index: int) -> bool:
        """Enter instruction *index*, joining all incoming states; return False if it is unreachable."""
        states = self._incoming[index]
        if not self.has_ended and self.condition is not False:
            states.append(self._state(self.condition))
        self.index = index
        if not states:
            self.has_ended = True
            return False
        self._resume(states[0] if len(states) == 1 else self._join(states))
        self._incoming[index] = []
        return True

    def _join(self, states: Sequence[_PathState]) -> _PathState:
        condition = self._terms.any(*(state.condition for state in states))
        first = states[0].words
        if all(state.words is first for state in states):
            words = first
        else:
            words = tuple(self._join_word(states, register) for register in range(len(first)))
        return _PathState(condition, words, min(state.min_captured for state in states))

    def _join_word(self, states: Sequence[_PathState], register: int) -> _LazyWord:
        values: dict[Hashable, tuple[_LazyWord, list[BoolTerm]]] = {}
        for state in states:
            value = state.words[register]
            key = value if isinstance(value, _Join) else term_key(value)
            values.setdefault(key, (value, []))[1].append(state.condition)
        if len(values) == 1:
            return states[0].words[register]
        return _Join(list(values.values()))

    def _read(self, register: int) -> WordTerm:
        value = self._words[register]
        if isinstance(value, _Join):
            value = self._words[register] = self._build(value)
        return value

    def _build(self, join: _Join) -> WordTerm:
        """Return the term of a join, after building the joins that it depends on.

        It is iterative, since a program may have thousands of joins.
        """
        pending = [join]
        while pending:
            last = pending[-1]
            unbuilt = [value for value, _ in last.incoming if isinstance(value, _Join) and value.term is None]
            if unbuilt:
                pending += unbuilt
            elif pending.pop().term is None:
                last.term = self._choose([(_term(value), conditions) for value, conditions in last.incoming])
        return join.term

    def _choose(self, incoming: list[tuple[WordTerm, list[BoolTerm]]]) -> WordTerm:
        """Return the value whose path condition holds; one of them does, so the last one needs no test."""
        word = incoming[-1][0]
        for value, conditions in reversed(incoming[:-1]):
            word = self._terms.select(self._terms.any(*conditions), value, word)
        return word

    def _assume(self, condition: BoolTerm) -> None:
        """Add *condition* to the path condition."""
        self.condition = self._terms.all(self.condition, condition)
        if self.condition is False:
            raise _PathEnded

    # The Machine

    @property
    def a(self) -> WordTerm:
        return self._read(_A)

    @a.setter
    def a(self, value: WordTerm) -> None:
        self._words[_A] = value

    @property
    def x(self) -> WordTerm:
        return self._read(_X)

    @x.setter
    def x(self, value: WordTerm) -> None:
        self._words[_X] = value

    def word(self, value: int) -> WordTerm:
        return value

    def arithmetic(self, action: Action, left: WordTerm, right: WordTerm) -> WordTerm:
        return self._terms.arithmetic(action, left, right)

    def compare(self, action: Action, left: WordTerm, right: WordTerm) -> BoolTerm:
        return self._terms.compare(action, left, right)

    def select(self, condition: BoolTerm, then: WordTerm, otherwise: WordTerm) -> WordTerm:
        return self._terms.select(condition, then, otherwise)

    def load_scratch(self, slot: int) -> WordTerm:
        return self._read(_SCRATCH + slot)

    def store_scratch(self, slot: int, value: WordTerm) -> None:
        self._words[_SCRATCH + slot] = value

    def captured_length(self) -> WordTerm:
        return self._packet.captured

    def wire_length(self) -> WordTerm:
        return self._packet.wire_length()

    def header(self, header: HeaderKind) -> WordTerm:
        return self._packet.header(header) if self._windows else 0

    def fetch(self, base: WordTerm, displacement: int, size: int, byte_order: FetchOrder) -> WordTerm:
        self.loads[self.index] = LoadAttempt(self.condition, base, displacement + size)
        if isinstance(base, int):
            self._require_bytes(base + displacement + size)
            return self._packet.load(base + displacement, size, byte_order)
        position = self._terms.arithmetic(Action.ADD, base, displacement)
        if self._windows:
            self._require_window(position, size)
        else:
            self._require_bytes(displacement + size)
            max_base = self._terms.arithmetic(Action.SUB, self._packet.captured, displacement + size)
            self._assume(self._terms.at_most(base, max_base))
        return self._packet.load(position, size, byte_order)

    def _require_bytes(self, count: int) -> None:
        """Assume that at least *count* bytes of the packet are captured."""
        if count > self._packet.longest:
            raise _PathEnded
        if count > max(self._min_captured, self._packet.shortest):
            self._assume(self._terms.at_most(count, self._packet.captured))
            self._min_captured = count

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
        self.branches[self.index] = edges
        if target_true == target_false:
            self.jump(target_true)
            return
        for path_condition, target in zip(edges, (target_true, target_false), strict=True):
            if path_condition is not False:
                self._incoming[target].append(self._state(path_condition))
        self.has_ended = True


def execute_symbolically(program: Program, dialect: Dialect, packet: SymbolicPacket) -> Execution:
    """Execute a program that *dialect* accepts on a symbolic packet."""
    machine = TermMachine(packet, dialect, len(program))
    reached: list[BoolTerm] = []
    try:
        begin(machine, dialect)
    except _PathEnded:
        machine.has_ended = True
    for index, raw in enumerate(program):
        if not machine.enter(index):
            reached.append(False)
            continue
        reached.append(machine.condition)
        try:
            execute(machine, raw, index, dialect)
        except _PathEnded:
            machine.has_ended = True
    return Execution(machine.returned, reached, machine.branches, machine.loads)
