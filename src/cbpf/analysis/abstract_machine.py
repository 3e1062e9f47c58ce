"""The known-values machine: words are what is known of them, so running the semantics over a program tells what holds.

Jumps only go forward, so one pass in order of the instructions meets every way to each of them.
"""

from typing import Final, NamedTuple, TypeAlias

from ..isa.dialects import Dialect, FetchOrder
from ..isa.opcodes import EXTENSION_WORDS, SIGN_BIT, SIGNS, Action, Extension
from ..isa.semantics import HeaderKind
from .abstract_state import AbstractState, Comparison, PacketLoad, remember
from .abstract_value import Known, constant, interval, join, offset_name, refine, transfer

_LONGEST_NAME: Final = 60  # of a register; a longer term is called by where it stands: a@17
_OPPOSITES: Final = {Action.EQUAL: "!=", Action.GREATER_THAN: "<=", Action.GREATER_OR_EQUAL: "<"}


class FetchPosition(NamedTuple):
    """A word that is a position in memory: *offset* bytes behind a header's byte 0; "any": which one, is not known."""

    header: str
    offset: Known


AbstractWord: TypeAlias = Known | FetchPosition
AbstractTruth: TypeAlias = bool | Comparison


class OutgoingEdge(NamedTuple):
    """A way out of an instruction: where to, for which outcome of its test, and in which state; None: never."""

    target: int
    outcome: bool | None
    state: AbstractState | None


class AbstractMachine:
    """A `Machine` whose words are what is known of them.

    *ways* are set by jump, branch and finish. *is_over* is set where every run ends, in the middle of an instruction.
    """

    def __init__(self, state: AbstractState, dialect: Dialect) -> None:
        self.state = state
        self.index = 0
        self.ways: list[OutgoingEdge] | None = None
        self.is_over = False
        self.condition = ("", "")  # the last comparison in words, and its opposite
        self.loads: list[PacketLoad] = []
        self._windows = dialect.header_windows

    @property
    def a(self) -> AbstractWord:
        return self.state.a

    @a.setter
    def a(self, word: AbstractWord) -> None:
        self.state.a = self._short(word, "a")

    @property
    def x(self) -> AbstractWord:
        return self.state.x

    @x.setter
    def x(self, word: AbstractWord) -> None:
        self.state.x = self._short(word, "x")

    def _short(self, word: AbstractWord, register: str) -> Known:
        known = self._known(word)
        return known if len(known.name) <= _LONGEST_NAME else known.named(f"{register}@{self.index + 1}")

    def _known(self, word: AbstractWord) -> Known:
        """A number; no program computes with a position."""
        assert isinstance(word, Known)
        return self.state.lookup(word)

    def word(self, value: int) -> AbstractWord:
        return constant(value)

    def arithmetic(self, action: Action, left: AbstractWord, right: AbstractWord) -> AbstractWord:
        if isinstance(left, FetchPosition):
            added = self._known(right)  # semantics only ever adds to a position
            return FetchPosition(left.header, transfer(action, left.offset, added) if left.offset.high else added)
        return transfer(action, self._known(left), self._known(right))

    def compare(self, action: Action, left: AbstractWord, right: AbstractWord) -> AbstractTruth:
        one, other = self._known(left), self._known(right)
        if action is Action.BITS_SET:
            bits = transfer(Action.AND, one, other)
            self.condition = f"{_bare(bits.name)} != 0", f"{_bare(bits.name)} == 0"
            return self._test(bits, Action.EQUAL, 0, False)
        self.condition = _in_words(one, action, other)
        if other.value is not None:
            return self._test(one, action, other.value, True)
        if one.value is not None:
            comparison, holds = _EXCHANGED[action]
            return self._test(other, comparison, one.value, holds)
        return self._compare_unknown(action, one, other)

    def _compare_unknown(self, action: Action, one: Known, other: Known) -> AbstractTruth:
        """Both may be several numbers: their difference is only told by the range, or by an earlier comparison."""
        if one.name == other.name:
            return action is not Action.GREATER_THAN
        if action is not Action.EQUAL:
            is_strict = action is Action.GREATER_THAN
            if one.low >= other.high + is_strict:
                return True
            if one.high < other.low + is_strict:
                return False
        elif one.high < other.low or other.high < one.low:
            return False
        return self._claim(f"({one.name} {SIGNS[action]} {other.name})")

    def _claim(self, name: str) -> AbstractTruth:
        """Something that holds or not, remembered as a word that is 1 or 0."""
        return self._test(self.state.lookup(interval(name, 0, 1)), Action.EQUAL, 1, True)

    def _test(self, subject: Known, comparison: Action, number: int, holds: bool) -> AbstractTruth:
        subject = self.state.lookup(subject)
        if refine(subject, comparison, number, True) is None:
            return not holds
        if refine(subject, comparison, number, False) is None:
            return holds
        return Comparison(subject, comparison, number, holds)

    def select(self, truth: AbstractTruth, then: AbstractWord, otherwise: AbstractWord) -> AbstractWord:
        if isinstance(truth, bool):
            return then if truth else otherwise
        for word in (otherwise, then):
            if isinstance(word, FetchPosition):
                return FetchPosition("any", word.offset)
        one, other = self._known(then), self._known(otherwise)
        asked = f"{truth.subject.name} {SIGNS[truth.comparison]} {truth.number:#x}"
        return join(f"({asked} is {truth.holds} ? {one.name} : {other.name})", one, other)

    def load_scratch(self, slot: int) -> AbstractWord:
        return self.state.scratch[slot]

    def store_scratch(self, slot: int, value: AbstractWord) -> None:
        self.state.scratch[slot] = self._known(value)

    def captured_length(self) -> AbstractWord:
        return self.state.captured

    def wire_length(self) -> AbstractWord:
        return interval("len")

    def header(self, header: HeaderKind) -> AbstractWord:
        return FetchPosition(header, constant(0))

    def fetch(self, base: AbstractWord, displacement: int, size: int, byte_order: FetchOrder) -> AbstractWord:
        if not isinstance(base, FetchPosition):
            base = FetchPosition("any" if self._windows and base.value is None else "packet", base)
        offset = self.state.lookup(base.offset)
        first, last = offset.low + displacement, offset.high + displacement
        is_fixed = offset.name == constant(offset.low).name
        position = str(first) if is_fixed else _sum(offset.name, displacement)
        name = f"[{'' if base.header == 'packet' else base.header + ' '}{position}:{size}]"
        if first >= SIGN_BIT:
            self.is_over = True  # no packet has that byte
            return interval(name)
        if base.header == "packet":
            there = refine(self.state.captured, Action.GREATER_OR_EQUAL, first + size, True)
            self.state.captured = there or self.state.captured
        bound = last if base.header != "any" and last < SIGN_BIT else None
        self.loads.append(PacketLoad(self.index, base.header, first, bound, size, None if is_fixed else position))
        remember(self.state.loads, name, None)
        return interval(name, 0, 256**size - 1)

    def lacks_device(self) -> AbstractTruth:
        return self._claim("no device")

    def extension(self, extension: Extension, a: AbstractWord, x: AbstractWord) -> AbstractWord:
        name = EXTENSION_WORDS[extension]
        if extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
            return interval(f"{name}({self._known(a).name}, {self._known(x).name})")
        return interval(f"{name}@{self.index}" if extension is Extension.RAND else name)

    def return_if(self, truth: AbstractTruth, verdict: AbstractWord) -> None:
        if isinstance(truth, Comparison):
            self.state.assume(truth, False)
        elif truth:
            self.is_over = True

    def finish(self, verdict: AbstractWord) -> None:
        self.ways = []

    def jump(self, target: int) -> None:
        self.ways = [OutgoingEdge(target, None, self.state)]

    def branch(self, truth: AbstractTruth, target_true: int, target_false: int) -> None:
        if target_true == target_false:
            self.jump(target_true)
        else:
            self.ways = [self._way(truth, True, target_true), self._way(truth, False, target_false)]

    def _way(self, truth: AbstractTruth, outcome: bool, target: int) -> OutgoingEdge:
        if isinstance(truth, bool):
            return OutgoingEdge(target, outcome, self.state if truth is outcome else None)
        state = self.state.copy()
        state.assume(truth, outcome)
        return OutgoingEdge(target, outcome, state)


# A comparison with its sides exchanged: k > x where x >= k fails.
_EXCHANGED: Final = {
    Action.EQUAL: (Action.EQUAL, True),
    Action.GREATER_THAN: (Action.GREATER_OR_EQUAL, False),
    Action.GREATER_OR_EQUAL: (Action.GREATER_THAN, False),
}


def _in_words(left: Known, action: Action, right: Known) -> tuple[str, str]:
    """A comparison and its opposite."""
    one, other = _bare(left.name), _bare(right.name)
    return f"{one} {SIGNS[action]} {other}", f"{one} {_OPPOSITES[action]} {other}"


def _bare(name: str) -> str:
    """A name without the brackets around all of it."""
    return name[1:-1] if name.startswith("(") else name


def _sum(name: str, displacement: int) -> str:
    return offset_name(name, displacement) if displacement else _bare(name)
