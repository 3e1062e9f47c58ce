"""The known-values machine: words are what is known of them, so running the semantics over a program tells what holds.

Jumps only go forward, so one pass in order of the instructions meets every way to each of them.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from .dialects import Dialect, FetchOrder
from .isa import EXTENSION_WORDS, SCRATCH_SLOTS, SIGN_BIT, Action, Extension
from .knowledge import SIGNS, Known, between, computed, constant, either, restricted
from .semantics import Header
from .values import Value

_MOST_REMEMBERED: Final = 64  # words of which branches told something, and loads; the oldest are forgotten
_LONGEST_NAME: Final = 60  # of a register; a longer term is called by where it stands: a@17
_OPPOSITES: Final = {Action.EQUAL: "!=", Action.GREATER_THAN: "<=", Action.GREATER_OR_EQUAL: "<"}


class Place(NamedTuple):
    """A word that is a position in memory: *offset* bytes behind a header's byte 0; "any": which one, is not known."""

    header: str
    offset: Known


Word: TypeAlias = Known | Place


class Test(NamedTuple):
    """A truth that is not known: whether the comparison of *subject* with *number* gives *holds*."""

    subject: Known
    comparison: Action
    number: int
    holds: bool


Truth: TypeAlias = bool | Test


class Read(Value):
    """A load from the packet: instruction *index* reads *size* bytes, the first of them at *first* to *last*.

    Offsets count from byte 0 of *header*: "packet", or Linux's "network" and "link"; "any" is one of these three, which
    depends on the packet. *last* is None where nothing bounds it. *base* is the word that the offset is made of in an
    indirect load, else None.
    """

    index: int
    header: str
    first: int
    last: int | None
    size: int
    base: str | None

    def __str__(self) -> str:
        header = "" if self.header == "packet" else f"{self.header} header, "
        if self.base is not None:
            reach = "anywhere" if self.last is None else f"within {self.first}..{self.last + self.size - 1}"
            return f"{header}[{self.base}:{self.size}], {reach}"
        return f"{header}{self.first}" + (f"..{self.first + self.size - 1}" if self.size > 1 else "")


class Facts(Value):
    """What holds whenever a run comes to an instruction.

    a, x, scratch: the registers and the 16 slots.
    captured: so many bytes of the packet are surely there: a load within them cannot fail.
    loads: the names of loads that every way here has made, the older ones first.
    told: what the branches on every way here have told of words, beside a and x.
    """

    a: Known
    x: Known
    scratch: tuple[Known, ...]
    captured: int
    loads: tuple[str, ...]
    told: tuple[Known, ...]


class State:
    """The machine as far as it is known, at one place of a program."""

    def __init__(self) -> None:
        self.a = self.x = constant(0)
        self.scratch = [self.a] * SCRATCH_SLOTS
        self.told: dict[str, Known] = {}
        self.loads: dict[str, None] = {}
        self.captured = between("captured")

    def copy(self) -> "State":
        """Another one that is the same now."""
        other = State()
        other.a, other.x, other.scratch = self.a, self.x, self.scratch.copy()
        other.told, other.loads, other.captured = self.told.copy(), self.loads.copy(), self.captured
        return other

    def now(self, word: Known) -> Known:
        """The word with what branches have told of it."""
        return self.captured if word.name == "captured" else self.told.get(word.name, word)

    def tell(self, known: Known) -> None:
        """Takes note of a word."""
        if known.name == "captured":
            self.captured = known
        else:
            _remember(self.told, known.name, known)

    def assume(self, test: Test, truth: bool) -> None:
        """What is known where a test turns out so."""
        outcome = restricted(self.now(test.subject), test.comparison, test.number, truth is test.holds)
        if outcome is not None:
            self.tell(outcome)

    def facts(self) -> Facts:
        """A value that says the same."""
        return Facts(
            self.now(self.a),
            self.now(self.x),
            tuple(map(self.now, self.scratch)),
            self.captured.low,
            tuple(self.loads),
            tuple(self.told.values()),
        )


def _remember(memory: "dict[str, Known] | dict[str, None]", name: str, known: Known | None) -> None:
    memory.pop(name, None)
    memory[name] = known  # type: ignore[assignment]
    if len(memory) > _MOST_REMEMBERED:
        del memory[next(iter(memory))]


def nothing_known(index: int) -> State:
    """The state at an instruction of which nothing is known."""
    state = State()
    state.a, state.x = between(f"a@{index}"), between(f"x@{index}")
    state.scratch = [between(f"M[{slot}]@{index}") for slot in range(SCRATCH_SLOTS)]
    return state


def met(states: "Iterable[State]", index: int) -> State:
    """What holds at instruction *index*, to which runs come in any of these states."""
    first, *others = states
    state = first.copy()
    for other in others:
        state.a = _met(state, other, state.a, other.a, f"a@{index}")
        state.x = _met(state, other, state.x, other.x, f"x@{index}")
        for slot, (left, right) in enumerate(zip(state.scratch, other.scratch, strict=True)):
            if left is not right:
                state.scratch[slot] = _met(state, other, left, right, f"M[{slot}]@{index}")
        state.captured = either("captured", state.captured, other.captured)
        state.loads = {name: None for name in state.loads if name in other.loads}
        state.told = {
            name: either(name, known, other.told[name]) for name, known in state.told.items() if name in other.told
        }
    return state


def _met(state: State, other: State, left: Known, right: Known, name: str) -> Known:
    """One word of two states; it keeps its name where both have the same."""
    return either(left.name if left.name == right.name else name, state.now(left), other.now(right))


class Way(NamedTuple):
    """A way out of an instruction: where to, for which outcome of its test, and in which state; None: never."""

    target: int
    outcome: bool | None
    state: State | None


class KnowledgeMachine:
    """A `Machine` whose words are what is known of them.

    *ways* are set by jump, branch and finish. *is_over* is set where every run ends, in the middle of an instruction.
    """

    def __init__(self, state: State, dialect: Dialect) -> None:
        self.state = state
        self.index = 0
        self.ways: list[Way] | None = None
        self.is_over = False
        self.condition = ("", "")  # the last comparison in words, and its opposite
        self.reads: list[Read] = []
        self._windows = dialect.header_windows

    @property
    def a(self) -> Word:
        return self.state.a

    @a.setter
    def a(self, word: Word) -> None:
        self.state.a = self._short(word, "a")

    @property
    def x(self) -> Word:
        return self.state.x

    @x.setter
    def x(self, word: Word) -> None:
        self.state.x = self._short(word, "x")

    def _short(self, word: Word, register: str) -> Known:
        known = self._known(word)
        return known if len(known.name) <= _LONGEST_NAME else known.named(f"{register}@{self.index + 1}")

    def _known(self, word: Word) -> Known:
        """A number; no program computes with a position."""
        assert isinstance(word, Known)
        return self.state.now(word)

    def word(self, value: int) -> Word:
        return constant(value)

    def arithmetic(self, action: Action, left: Word, right: Word) -> Word:
        if isinstance(left, Place):
            added = self._known(right)  # semantics only ever adds to a position
            return Place(left.header, computed(action, left.offset, added) if left.offset.high else added)
        return computed(action, self._known(left), self._known(right))

    def compare(self, action: Action, left: Word, right: Word) -> Truth:
        one, other = self._known(left), self._known(right)
        if action is Action.BITS_SET:
            bits = computed(Action.AND, one, other)
            self.condition = f"{_bare(bits.name)} != 0", f"{_bare(bits.name)} == 0"
            return self._test(bits, Action.EQUAL, 0, False)
        self.condition = _in_words(one, action, other)
        if other.value is not None:
            return self._test(one, action, other.value, True)
        if one.value is not None:
            comparison, holds = _EXCHANGED[action]
            return self._test(other, comparison, one.value, holds)
        return self._compare_unknown(action, one, other)

    def _compare_unknown(self, action: Action, one: Known, other: Known) -> Truth:
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

    def _claim(self, name: str) -> Truth:
        """Something that holds or not, remembered as a word that is 1 or 0."""
        return self._test(self.state.now(between(name, 0, 1)), Action.EQUAL, 1, True)

    def _test(self, subject: Known, comparison: Action, number: int, holds: bool) -> Truth:
        subject = self.state.now(subject)
        if restricted(subject, comparison, number, True) is None:
            return not holds
        if restricted(subject, comparison, number, False) is None:
            return holds
        return Test(subject, comparison, number, holds)

    def select(self, truth: Truth, then: Word, otherwise: Word) -> Word:
        if isinstance(truth, bool):
            return then if truth else otherwise
        for word in (otherwise, then):
            if isinstance(word, Place):
                return Place("any", word.offset)
        one, other = self._known(then), self._known(otherwise)
        asked = f"{truth.subject.name} {SIGNS[truth.comparison]} {truth.number:#x}"
        return either(f"({asked} is {truth.holds} ? {one.name} : {other.name})", one, other)

    def load_scratch(self, slot: int) -> Word:
        return self.state.scratch[slot]

    def store_scratch(self, slot: int, value: Word) -> None:
        self.state.scratch[slot] = self._known(value)

    def captured_length(self) -> Word:
        return self.state.captured

    def wire_length(self) -> Word:
        return between("len")

    def header(self, header: Header) -> Word:
        return Place(header, constant(0))

    def fetch(self, base: Word, displacement: int, size: int, byte_order: FetchOrder) -> Word:
        if not isinstance(base, Place):
            base = Place("any" if self._windows and base.value is None else "packet", base)
        offset = self.state.now(base.offset)
        first, last = offset.low + displacement, offset.high + displacement
        is_fixed = offset.name == constant(offset.low).name
        position = str(first) if is_fixed else _sum(offset.name, displacement)
        name = f"[{'' if base.header == 'packet' else base.header + ' '}{position}:{size}]"
        if first >= SIGN_BIT:
            self.is_over = True  # no packet has that byte
            return between(name)
        if base.header == "packet":
            there = restricted(self.state.captured, Action.GREATER_OR_EQUAL, first + size, True)
            self.state.captured = there or self.state.captured
        bound = last if base.header != "any" and last < SIGN_BIT else None
        self.reads.append(Read(self.index, base.header, first, bound, size, None if is_fixed else position))
        _remember(self.state.loads, name, None)
        return between(name, 0, 256**size - 1)

    def lacks_device(self) -> Truth:
        return self._claim("no device")

    def extension(self, extension: Extension, a: Word, x: Word) -> Word:
        name = EXTENSION_WORDS[extension]
        if extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
            return between(f"{name}({self._known(a).name}, {self._known(x).name})")
        return between(f"{name}@{self.index}" if extension is Extension.RAND else name)

    def return_if(self, truth: Truth, verdict: Word) -> None:
        if isinstance(truth, Test):
            self.state.assume(truth, False)
        elif truth:
            self.is_over = True

    def finish(self, verdict: Word) -> None:
        self.ways = []

    def jump(self, target: int) -> None:
        self.ways = [Way(target, None, self.state)]

    def branch(self, truth: Truth, target_true: int, target_false: int) -> None:
        if target_true == target_false:
            self.jump(target_true)
        else:
            self.ways = [self._way(truth, True, target_true), self._way(truth, False, target_false)]

    def _way(self, truth: Truth, outcome: bool, target: int) -> Way:
        if isinstance(truth, bool):
            return Way(target, outcome, self.state if truth is outcome else None)
        state = self.state.copy()
        state.assume(truth, outcome)
        return Way(target, outcome, state)


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
    return f"{name} + {displacement}" if displacement else _bare(name)
