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
from ..isa.semantics import Header, begin, execute
from .netlink import search
from .symbolic_packet import Unknowns
from .terms import Terms, Truth, Word, key


class _Meeting:
    """A word that has another value on each of several ways, as (value, conditions of the ways that bring it)."""

    __slots__ = ("term", "ways")

    def __init__(self, ways: "list[tuple[_Later, list[Truth]]]") -> None:
        self.ways = ways
        self.term: Word = None


_Later: TypeAlias = "Word | _Meeting"


def _term(value: _Later) -> Word:
    return value.term if isinstance(value, _Meeting) else value


class _State(NamedTuple):
    """What holds on a way: its condition, its words (A, X, draws so far, scratch), bytes that are surely there."""

    condition: Truth
    words: tuple[_Later, ...]
    length: int


_A, _X, _DRAWS, _SCRATCH = 0, 1, 2, 3
_START: Final = _State(True, (0,) * (_SCRATCH + SCRATCH_SLOTS), 0)


class Branch(NamedTuple):
    """When a conditional jump goes either way."""

    taken: Truth
    not_taken: Truth


class Load(NamedTuple):
    """When a load from the packet is tried, and where: its last byte is the one before base + distance."""

    tried: Truth
    base: Word
    distance: int


class Outcome(NamedTuple):
    """What a program does with any packet.

    returned: (condition, verdict) of each way to end but a load from where there are no bytes, whose verdict is 0;
    they exclude one another. reached: for each instruction, whether it runs. branches, loads: by the instruction.
    """

    returned: list[tuple[Truth, Word]]
    reached: list[Truth]
    branches: dict[int, Branch]
    loads: dict[int, Load]


def returns(verdict: int) -> Outcome:
    """The outcome of a program that returned *verdict*."""
    return Outcome([(True, verdict)], [], {}, {})


class _Ended(Exception):
    """No packet goes on from here."""


class TermMachine:
    """A `Machine` whose words and truths are those of `Terms`."""

    def __init__(self, unknowns: Unknowns, dialect: Dialect, length: int) -> None:
        self._terms: Terms = unknowns.terms
        self._unknowns = unknowns
        self._windows = dialect.header_windows
        self.arriving: list[list[_State]] = [[] for _ in range(length)]
        self.returned: list[tuple[Truth, Word]] = []
        self.has_ended = False
        self.index = 0
        self.branches: dict[int, Branch] = {}
        self.loads: dict[int, Load] = {}
        self._enter(_START)

    # Ways

    def _enter(self, state: _State) -> None:
        self.condition = state.condition
        self._words = list(state.words)
        self._length = state.length
        self.has_ended = False

    def _state(self, condition: Truth) -> _State:
        return _State(condition, tuple(self._words), self._length)

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

    def _meet(self, ways: Sequence[_State]) -> _State:
        condition = self._terms.any(*(way.condition for way in ways))
        first = ways[0].words
        if all(way.words is first for way in ways):
            words = first
        else:
            words = tuple(self._one_of(ways, place) for place in range(len(first)))
        return _State(condition, words, min(way.length for way in ways))

    def _one_of(self, ways: Sequence[_State], place: int) -> _Later:
        values: dict[Hashable, tuple[_Later, list[Truth]]] = {}
        for way in ways:
            value = way.words[place]
            same = value if isinstance(value, _Meeting) else key(value)
            values.setdefault(same, (value, []))[1].append(way.condition)
        if len(values) == 1:
            return ways[0].words[place]
        return _Meeting(list(values.values()))

    def _read(self, place: int) -> Word:
        value = self._words[place]
        if isinstance(value, _Meeting):
            value = self._words[place] = self._chosen(value)
        return value

    def _chosen(self, meeting: _Meeting) -> Word:
        """The term of a meeting, after those that it needs: without recursion, as they may be thousands."""
        pending = [meeting]
        while pending:
            last = pending[-1]
            needed = [value for value, _ in last.ways if isinstance(value, _Meeting) and value.term is None]
            if needed:
                pending += needed
            elif pending.pop().term is None:
                last.term = self._choice([(_term(value), conditions) for value, conditions in last.ways])
        return meeting.term

    def _choice(self, ways: list[tuple[Word, list[Truth]]]) -> Word:
        """The value of the way that is gone; one of them surely is."""
        word = ways[-1][0]
        for value, conditions in reversed(ways[:-1]):
            word = self._terms.select(self._terms.any(*conditions), value, word)
        return word

    def _narrow(self, truth: Truth) -> None:
        """Goes on only where *truth* holds."""
        self.condition = self._terms.all(self.condition, truth)
        if self.condition is False:
            raise _Ended

    # The Machine

    @property
    def a(self) -> Word:
        return self._read(_A)

    @a.setter
    def a(self, value: Word) -> None:
        self._words[_A] = value

    @property
    def x(self) -> Word:
        return self._read(_X)

    @x.setter
    def x(self, value: Word) -> None:
        self._words[_X] = value

    def word(self, value: int) -> Word:
        return value

    def arithmetic(self, action: Action, left: Word, right: Word) -> Word:
        return self._terms.arithmetic(action, left, right)

    def compare(self, action: Action, left: Word, right: Word) -> Truth:
        return self._terms.compare(action, left, right)

    def select(self, truth: Truth, then: Word, otherwise: Word) -> Word:
        return self._terms.select(truth, then, otherwise)

    def load_scratch(self, slot: int) -> Word:
        return self._read(_SCRATCH + slot)

    def store_scratch(self, slot: int, value: Word) -> None:
        self._words[_SCRATCH + slot] = value

    def captured_length(self) -> Word:
        return self._unknowns.captured

    def wire_length(self) -> Word:
        return self._unknowns.wire_length()

    def header(self, header: Header) -> Word:
        return self._unknowns.header(header) if self._windows else 0

    def fetch(self, base: Word, displacement: int, size: int, byte_order: FetchOrder) -> Word:
        self.loads[self.index] = Load(self.condition, base, displacement + size)
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

    def _require_inside(self, position: Word, size: int) -> None:
        """The packet, or what is before it, has *size* bytes at a position that may be negative."""
        terms = self._terms
        first = terms.arithmetic(Action.SUB, 0, self._unknowns.bytes_before())
        self._narrow(terms.signed_at_most(first, position))
        self._narrow(terms.signed_at_most(position, terms.arithmetic(Action.SUB, self._unknowns.captured, size)))

    def lacks_device(self) -> Truth:
        return self._unknowns.lacks_device()

    def extension(self, extension: Extension, a: Word, x: Word) -> Word:
        if extension is Extension.RAND:
            self._words[_DRAWS] = self._terms.arithmetic(Action.ADD, self._read(_DRAWS), 1)
            return self._unknowns.draw(self._words[_DRAWS])
        if extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
            return search(self._unknowns, extension, a, x)
        return self._unknowns.number(extension)

    def return_if(self, truth: Truth, verdict: Word) -> None:
        self._return(self._terms.all(self.condition, truth), verdict)
        self._narrow(self._terms.opposite(truth))

    def finish(self, verdict: Word) -> None:
        self._return(self.condition, verdict)
        self.has_ended = True

    def _return(self, condition: Truth, verdict: Word) -> None:
        if condition is not False:
            self.returned.append((condition, verdict))

    def jump(self, target: int) -> None:
        self.arriving[target].append(self._state(self.condition))
        self.has_ended = True

    def branch(self, truth: Truth, target_true: int, target_false: int) -> None:
        terms = self._terms
        ways = Branch(terms.all(self.condition, truth), terms.all(self.condition, terms.opposite(truth)))
        self.branches[self.index] = ways
        if target_true == target_false:
            self.jump(target_true)
            return
        for condition, target in zip(ways, (target_true, target_false), strict=True):
            if condition is not False:
                self.arriving[target].append(self._state(condition))
        self.has_ended = True


def outcome(program: Program, dialect: Dialect, unknowns: Unknowns) -> Outcome:
    """What a program that *dialect* accepts does with the packet of *unknowns*."""
    machine = TermMachine(unknowns, dialect, len(program))
    reached: list[Truth] = []
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
    return Outcome(machine.returned, reached, machine.branches, machine.loads)
