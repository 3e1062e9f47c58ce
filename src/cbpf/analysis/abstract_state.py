"""Abstract states: the facts that hold at a point of a program, mutable for the analysis and as the record `Facts`."""

from collections.abc import Iterable

from .._named_tuple import NamedTuple
from .._record import JsonRecord
from .._text import Readable, aligned, counted
from .._typing import Final
from ..isa.opcodes import SCRATCH_SLOTS, Action
from .abstract_value import Known, constant, interval, join, refine

_MAX_REMEMBERED: Final = 64  # refined words, and likewise loads; the oldest ones are discarded, so time stays linear


class Comparison(NamedTuple):
    """A condition of unknown outcome: true if (*subject* *action* *operand*) evaluates to *expected*."""

    subject: Known
    action: Action
    operand: int
    expected: bool


class PacketLoad(JsonRecord):
    """A load of packet bytes, with the range of offsets that it may read.

    Args:
        index: The index of the instruction.
        header: The origin of the offsets: "packet", or with header windows (Linux) "network" or "link"; "any" if it
            depends on the packet.
        first: The lowest offset from byte 0 of the header at which the load may begin.
        last: The highest such offset, or None if it has no known bound.
        size: The number of bytes loaded: 1, 2 or 4.
        base: The term from which an indirect load computes its offset; None if the offset is constant.
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


class Facts(JsonRecord, Readable):
    """The facts that hold in every execution on entry to an instruction.

    Args:
        a: The accumulator.
        x: The index register.
        scratch: The 16 scratch slots, M[0] to M[15].
        captured: A lower bound of the captured length in bytes: loads below this offset cannot fail.
        loads: The names of loads that were made on every path to the instruction, oldest first; at most 64.
        refinements: The words restricted by branches on every path to the instruction, whether or not a register still
            holds them; at most 64.
    """

    a: Known
    x: Known
    scratch: tuple[Known, ...]
    captured: int
    loads: tuple[str, ...]
    refinements: tuple[Known, ...]

    def __str__(self) -> str:
        slots = ((f"M[{slot}]", str(word)) for slot, word in enumerate(self.scratch) if word.value != 0)
        loads = ", ".join(self.loads) or "none"
        refinements = ", ".join(map(str, self.refinements)) or "none"
        captured = ("captured", f"at least {counted(self.captured, 'byte')}")
        rows = [("A", str(self.a)), ("X", str(self.x)), *slots, captured, ("loads", loads), ("refined", refinements)]
        return "\n".join(aligned(rows))


class AbstractState:
    """The abstract state of the machine at one point of a program."""

    def __init__(self) -> None:
        self.a = self.x = constant(0)
        self.scratch = [self.a] * SCRATCH_SLOTS
        self.refinements: dict[str, Known] = {}
        self.loads: dict[str, None] = {}
        self.captured = interval("captured")

    def copy(self) -> "AbstractState":
        """Return an independent copy."""
        other = AbstractState()
        other.a, other.x, other.scratch = self.a, self.x, self.scratch.copy()
        other.refinements, other.loads, other.captured = self.refinements.copy(), self.loads.copy(), self.captured
        return other

    def lookup(self, word: Known) -> Known:
        """Return a word as refined by the branches so far."""
        return self.captured if word.name == "captured" else self.refinements.get(word.name, word)

    def refine(self, word: Known) -> None:
        """Record a refined word under its name."""
        if word.name == "captured":
            self.captured = word
        else:
            remember(self.refinements, word.name, word)

    def assume(self, comparison: Comparison, outcome: bool) -> None:
        """Refine the subject of a comparison by its outcome."""
        subject = self.lookup(comparison.subject)
        refined = refine(subject, comparison.action, comparison.operand, outcome is comparison.expected)
        if refined is not None:
            self.refine(refined)

    def facts(self) -> Facts:
        """Return the state as an immutable record."""
        return Facts(
            self.lookup(self.a),
            self.lookup(self.x),
            tuple(map(self.lookup, self.scratch)),
            self.captured.low,
            tuple(self.loads),
            tuple(self.refinements.values()),
        )


def remember(memory: "dict[str, Known] | dict[str, None]", name: str, word: Known | None) -> None:
    """Make *name* the newest entry of a memory, and discard its oldest entry if it is full."""
    memory.pop(name, None)
    memory[name] = word  # type: ignore[assignment]
    if len(memory) > _MAX_REMEMBERED:
        del memory[next(iter(memory))]


def unknown_state(index: int) -> AbstractState:
    """Return the state on entry to instruction *index* if nothing is known: the top of the lattice."""
    state = AbstractState()
    state.a, state.x = interval(f"a@{index}"), interval(f"x@{index}")
    state.scratch = [interval(f"M[{slot}]@{index}") for slot in range(SCRATCH_SLOTS)]
    return state


def join_states(states: "Iterable[AbstractState]", index: int) -> AbstractState:
    """Return the state on entry to instruction *index*, the join of the states on its incoming edges."""
    first, *others = states
    state = first.copy()
    for other in others:
        state.a = _join_words(state, other, state.a, other.a, f"a@{index}")
        state.x = _join_words(state, other, state.x, other.x, f"x@{index}")
        for slot, (left, right) in enumerate(zip(state.scratch, other.scratch, strict=True)):
            if left is not right:
                state.scratch[slot] = _join_words(state, other, left, right, f"M[{slot}]@{index}")
        state.captured = join("captured", state.captured, other.captured)
        state.loads = {name: None for name in state.loads if name in other.loads}
        state.refinements = {
            name: join(name, word, other.refinements[name])
            for name, word in state.refinements.items()
            if name in other.refinements
        }
    return state


def _join_words(state: AbstractState, other: AbstractState, left: Known, right: Known, name: str) -> Known:
    """Join a word of two states; its name becomes *name* unless both words have the same name."""
    return join(left.name if left.name == right.name else name, state.lookup(left), other.lookup(right))
