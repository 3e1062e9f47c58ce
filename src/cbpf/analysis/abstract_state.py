"""What holds at a place of a program: as a state, which the analysis works on, and as a value, `Facts`."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from .._record import Record
from ..isa.opcodes import SCRATCH_SLOTS, Action
from .abstract_value import Known, constant, interval, join, refine

_MOST_REMEMBERED: Final = 64  # words of which branches told something, and loads; the oldest are forgotten


class Comparison(NamedTuple):
    """A truth that is not known: whether the comparison of *subject* with *number* gives *holds*."""

    subject: Known
    comparison: Action
    number: int
    holds: bool


class PacketLoad(Record):
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


class Facts(Record):
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
    refinements: tuple[Known, ...]


class AbstractState:
    """The machine as far as it is known, at one place of a program."""

    def __init__(self) -> None:
        self.a = self.x = constant(0)
        self.scratch = [self.a] * SCRATCH_SLOTS
        self.refinements: dict[str, Known] = {}
        self.loads: dict[str, None] = {}
        self.captured = interval("captured")

    def copy(self) -> "AbstractState":
        """Another one that is the same now."""
        other = AbstractState()
        other.a, other.x, other.scratch = self.a, self.x, self.scratch.copy()
        other.refinements, other.loads, other.captured = self.refinements.copy(), self.loads.copy(), self.captured
        return other

    def lookup(self, word: Known) -> Known:
        """The word with what branches have told of it."""
        return self.captured if word.name == "captured" else self.refinements.get(word.name, word)

    def refine(self, known: Known) -> None:
        """Takes note of a word."""
        if known.name == "captured":
            self.captured = known
        else:
            remember(self.refinements, known.name, known)

    def assume(self, test: Comparison, truth: bool) -> None:
        """What is known where a test turns out so."""
        outcome = refine(self.lookup(test.subject), test.comparison, test.number, truth is test.holds)
        if outcome is not None:
            self.refine(outcome)

    def facts(self) -> Facts:
        """A value that says the same."""
        return Facts(
            self.lookup(self.a),
            self.lookup(self.x),
            tuple(map(self.lookup, self.scratch)),
            self.captured.low,
            tuple(self.loads),
            tuple(self.refinements.values()),
        )


def remember(memory: "dict[str, Known] | dict[str, None]", name: str, known: Known | None) -> None:
    """Puts a name last; the first one goes where there are too many."""
    memory.pop(name, None)
    memory[name] = known  # type: ignore[assignment]
    if len(memory) > _MOST_REMEMBERED:
        del memory[next(iter(memory))]


def unknown_state(index: int) -> AbstractState:
    """The state at an instruction of which nothing is known."""
    state = AbstractState()
    state.a, state.x = interval(f"a@{index}"), interval(f"x@{index}")
    state.scratch = [interval(f"M[{slot}]@{index}") for slot in range(SCRATCH_SLOTS)]
    return state


def join_states(states: "Iterable[AbstractState]", index: int) -> AbstractState:
    """What holds at instruction *index*, to which runs come in any of these states."""
    first, *others = states
    state = first.copy()
    for other in others:
        state.a = _met(state, other, state.a, other.a, f"a@{index}")
        state.x = _met(state, other, state.x, other.x, f"x@{index}")
        for slot, (left, right) in enumerate(zip(state.scratch, other.scratch, strict=True)):
            if left is not right:
                state.scratch[slot] = _met(state, other, left, right, f"M[{slot}]@{index}")
        state.captured = join("captured", state.captured, other.captured)
        state.loads = {name: None for name in state.loads if name in other.loads}
        state.refinements = {
            name: join(name, known, other.refinements[name])
            for name, known in state.refinements.items()
            if name in other.refinements
        }
    return state


def _met(state: AbstractState, other: AbstractState, left: Known, right: Known, name: str) -> Known:
    """One word of two states; it keeps its name where both have the same."""
    return join(left.name if left.name == right.name else name, state.lookup(left), other.lookup(right))
