"""What holds at a place of a program: as a state, which the analysis works on, and as a value, `Facts`."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from .._record import Value
from ..isa.opcodes import SCRATCH_SLOTS, Action
from .abstract_value import Known, between, constant, either, restricted

_MOST_REMEMBERED: Final = 64  # words of which branches told something, and loads; the oldest are forgotten


class Test(NamedTuple):
    """A truth that is not known: whether the comparison of *subject* with *number* gives *holds*."""

    subject: Known
    comparison: Action
    number: int
    holds: bool


class PacketLoad(Value):
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
        header = "" if self.header == "packet" else f"{self.header} header "
        if self.base is not None:
            reach = "anywhere" if self.last is None else f"within {self.first}..{self.last + self.size - 1}"
            return f"{header}[{self.base}:{self.size}] {reach}"
        return f"{header}{self.first}" + (f"..{self.first + self.size - 1}" if self.size > 1 else "")


class Facts(Value):
    """What holds whenever a run comes to an instruction.

    a, x, scratch: the registers and the 16 slots.
    captured: so many bytes of the packet are surely there: a load within them cannot fail.
    loads: the names of loads that every way here has made, the older ones first.
    told: what the branches on every way here have told of words, whether a register still has them or not.
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
            remember(self.told, known.name, known)

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


def remember(memory: "dict[str, Known] | dict[str, None]", name: str, known: Known | None) -> None:
    """Puts a name last; the first one goes where there are too many."""
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
