"""The machine whose words are terms: a whole program becomes conditions on the packet.

Jumps go forward, so each instruction is executed once, for all packets that reach it together. Where several ways meet,
a register that differs becomes a choice between its values; it is built when the register is read, and so never for one
that is dead.
"""

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple, TypeAlias

from ..isa.dialects import Dialect, FetchOrder
from ..isa.opcodes import SCRATCH_SLOTS, Action, Extension
from ..isa.program import Program
from ..isa.semantics import HeaderKind, begin, execute
from .netlink import search
from .symbolic_packet import SymbolicPacket
from .terms import Terms, TruthTerm, WordTerm, key


class _Join:
    """A word that has another value on each of several ways, as (value, conditions of the ways that bring it)."""

    __slots__ = ("term", "ways")

    def __init__(self, ways: "list[tuple[_Later, list[TruthTerm]]]") -> None:
        self.ways = ways
        self.term: WordTerm = None


_Later: TypeAlias = "WordTerm | _Join"


def _term(value: _Later) -> WordTerm:
    return value.term if isinstance(value, _Join) else value


class _PathState(NamedTuple):
    """What holds on a way: its condition, its words (A, X, draws so far, scratch), bytes that are surely there."""

    condition: TruthTerm
    words: tuple[_Later, ...]
    length: int


_A, _X, _DRAWS, _SCRATCH = 0, 1, 2, 3
_START: Final = _PathState(True, (0,) * (_SCRATCH + SCRATCH_SLOTS), 0)


class BranchConditions(NamedTuple):
    """When a conditional jump goes either way."""

    taken: TruthTerm
    not_taken: TruthTerm


class LoadAttempt(NamedTuple):
    """When a load from the packet is tried, and where: its last byte is the one before base + distance."""

    tried: TruthTerm
    base: WordTerm
    distance: int


class Execution(NamedTuple):
    """What a program does with any packet.

    returned: (condition, verdict) of each way to end but a load from where there are no bytes, whose verdict is 0;
    they exclude one another. reached: for each instruction, whether it runs. branches, loads: by the instruction.
    """

    returned: list[tuple[TruthTerm, WordTerm]]
    reached: list[TruthTerm]
    branches: dict[int, BranchConditions]
    loads: dict[int, LoadAttempt]


def returns(verdict: int) -> Execution:
    """The outcome of a program that returned *verdict*."""
    return Execution([(True, verdict)], [], {}, {})


class _Ended(Exception):
    """No packet goes on from here."""


class TermMachine:
    """A `Machine` whose words and truths are those of `Terms`."""

    def __init__(self, unknowns: SymbolicPacket, dialect: Dialect, length: int) -> None:
        self._terms: Terms = unknowns.terms
        self._unknowns = unknowns
        self._windows = dialect.header_windows
        self.arriving: list[list[_PathState]] = [[] for _ in range(length)]
        self.returned: list[tuple[TruthTerm, WordTerm]] = []
        self.has_ended = False
        self.index = 0
        self.branches: dict[int, BranchConditions] = {}
        self.loads: dict[int, LoadAttempt] = {}
        self._enter(_START)

    # Ways

    def _enter(self, state: _PathState) -> None:
        self.condition = state.condition
        self._words = list(state.words)
        self._length = state.length
        self.has_ended = False

    def _state(self, condition: TruthTerm) -> _PathState:
        return _PathState(condition, tuple(self._words), self._length)

    def arrive(self, index: int) -> bool:
        """Goes on at *index* with all ways that lead there; False: there are none."""
        ways = self.arriving[index]
        if not self.has_ended and self.condition is not False:
            ways.append(self._state(self.condition))
        self.index = index
        if not ways:
            self.has_ended = True
            return False
        self._enter(ways[0] if len(ways) == 1 else self._meet(ways))
        self.arriving[index] = []
        return True

    def _meet(self, ways: Sequence[_PathState]) -> _PathState:
        condition = self._terms.any(*(way.condition for way in ways))
        first = ways[0].words
        if all(way.words is first for way in ways):
            words = first
        else:
            words = tuple(self._one_of(ways, place) for place in range(len(first)))
        return _PathState(condition, words, min(way.length for way in ways))

    def _one_of(self, ways: Sequence[_PathState], place: int) -> _Later:
        values: dict[Hashable, tuple[_Later, list[TruthTerm]]] = {}
        for way in ways:
            value = way.words[place]
            same = value if isinstance(value, _Join) else key(value)
            values.setdefault(same, (value, []))[1].append(way.condition)
        if len(values) == 1:
            return ways[0].words[place]
        return _Join(list(values.values()))

    def _read(self, place: int) -> WordTerm:
        value = self._words[place]
        if isinstance(value, _Join):
            value = self._words[place] = self._chosen(value)
        return value

    def _chosen(self, meeting: _Join) -> WordTerm:
        """The term of a meeting, after those that it needs: without recursion, as they may be thousands."""
        pending = [meeting]
        while pending:
            last = pending[-1]
            needed = [value for value, _ in last.ways if isinstance(value, _Join) and value.term is None]
            if needed:
                pending += needed
            elif pending.pop().term is None:
                last.term = self._choice([(_term(value), conditions) for value, conditions in last.ways])
        return meeting.term

    def _choice(self, ways: list[tuple[WordTerm, list[TruthTerm]]]) -> WordTerm:
        """The value of the way that is gone; one of them surely is."""
        word = ways[-1][0]
        for value, conditions in reversed(ways[:-1]):
            word = self._terms.select(self._terms.any(*conditions), value, word)
        return word

    def _narrow(self, truth: TruthTerm) -> None:
        """Goes on only where *truth* holds."""
        self.condition = self._terms.all(self.condition, truth)
        if self.condition is False:
            raise _Ended

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

    def compare(self, action: Action, left: WordTerm, right: WordTerm) -> TruthTerm:
        return self._terms.compare(action, left, right)

    def select(self, truth: TruthTerm, then: WordTerm, otherwise: WordTerm) -> WordTerm:
        return self._terms.select(truth, then, otherwise)

    def load_scratch(self, slot: int) -> WordTerm:
        return self._read(_SCRATCH + slot)

    def store_scratch(self, slot: int, value: WordTerm) -> None:
        self._words[_SCRATCH + slot] = value

    def captured_length(self) -> WordTerm:
        return self._unknowns.captured

    def wire_length(self) -> WordTerm:
        return self._unknowns.wire_length()

    def header(self, header: HeaderKind) -> WordTerm:
        return self._unknowns.header(header) if self._windows else 0

    def fetch(self, base: WordTerm, displacement: int, size: int, byte_order: FetchOrder) -> WordTerm:
        self.loads[self.index] = LoadAttempt(self.condition, base, displacement + size)
        if isinstance(base, int):
            self._require_bytes(base + displacement + size)
            return self._unknowns.load(base + displacement, size, byte_order)
        position = self._terms.arithmetic(Action.ADD, base, displacement)
        if self._windows:
            self._require_inside(position, size)
        else:
            self._require_bytes(displacement + size)
            room = self._terms.arithmetic(Action.SUB, self._unknowns.captured, displacement + size)
            self._narrow(self._terms.at_most(base, room))
        return self._unknowns.load(position, size, byte_order)

    def _require_bytes(self, count: int) -> None:
        """The packet has so many bytes."""
        if count > self._unknowns.longest:
            raise _Ended
        if count > max(self._length, self._unknowns.shortest):
            self._narrow(self._terms.at_most(count, self._unknowns.captured))
            self._length = count

    def _require_inside(self, position: WordTerm, size: int) -> None:
        """The packet, or what is before it, has *size* bytes at a position that may be negative."""
        terms = self._terms
        first = terms.arithmetic(Action.SUB, 0, self._unknowns.bytes_before())
        self._narrow(terms.signed_at_most(first, position))
        self._narrow(terms.signed_at_most(position, terms.arithmetic(Action.SUB, self._unknowns.captured, size)))

    def lacks_device(self) -> TruthTerm:
        return self._unknowns.lacks_device()

    def extension(self, extension: Extension, a: WordTerm, x: WordTerm) -> WordTerm:
        if extension is Extension.RAND:
            self._words[_DRAWS] = self._terms.arithmetic(Action.ADD, self._read(_DRAWS), 1)
            return self._unknowns.draw(self._words[_DRAWS])
        if extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
            return search(self._unknowns, extension, a, x)
        return self._unknowns.number(extension)

    def return_if(self, truth: TruthTerm, verdict: WordTerm) -> None:
        self._return(self._terms.all(self.condition, truth), verdict)
        self._narrow(self._terms.opposite(truth))

    def finish(self, verdict: WordTerm) -> None:
        self._return(self.condition, verdict)
        self.has_ended = True

    def _return(self, condition: TruthTerm, verdict: WordTerm) -> None:
        if condition is not False:
            self.returned.append((condition, verdict))

    def jump(self, target: int) -> None:
        self.arriving[target].append(self._state(self.condition))
        self.has_ended = True

    def branch(self, truth: TruthTerm, target_true: int, target_false: int) -> None:
        terms = self._terms
        ways = BranchConditions(terms.all(self.condition, truth), terms.all(self.condition, terms.opposite(truth)))
        self.branches[self.index] = ways
        if target_true == target_false:
            self.jump(target_true)
            return
        for condition, target in zip(ways, (target_true, target_false), strict=True):
            if condition is not False:
                self.arriving[target].append(self._state(condition))
        self.has_ended = True


def symbolic_execution(program: Program, dialect: Dialect, unknowns: SymbolicPacket) -> Execution:
    """What a program that *dialect* accepts does with the packet of *unknowns*."""
    machine = TermMachine(unknowns, dialect, len(program))
    reached: list[TruthTerm] = []
    try:
        begin(machine, dialect)
    except _Ended:
        machine.has_ended = True
    for index, raw in enumerate(program):
        if not machine.arrive(index):
            reached.append(False)
            continue
        reached.append(machine.condition)
        try:
            execute(machine, raw, index, dialect)
        except _Ended:
            machine.has_ended = True
    return Execution(machine.returned, reached, machine.branches, machine.loads)
