"""The abstract machine: a `Machine` whose words are abstract values, so that `execute` interprets a program abstractly.

Each instruction is executed by the semantics that the engines share. Its effect on the abstract state is therefore the
transfer function of the instruction, and a branch yields one refined state per outgoing edge. Jumps go forward only, so
one pass in program order sees all incoming edges of an instruction before the instruction itself.
"""

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from ..isa.dialects import Dialect, FetchOrder
from ..isa.enumerations import EXTENSION_WORDS, Extension
from ..isa.opcodes import SIGN_BIT, SIGNS, Action
from ..isa.semantics import HeaderKind
from .abstract_state import AbstractState, Comparison, PacketLoad, remember
from .abstract_value import Known, constant, interval, join, offset_name, refine, transfer

_MAX_NAME_LENGTH: Final = 60  # of the term of a register; a longer one is renamed after its program point: a@17
_NEGATED_SIGNS: Final = {Action.EQUAL: "!=", Action.GREATER_THAN: "<=", Action.GREATER_OR_EQUAL: "<"}


class FetchPosition(NamedTuple):
    """A position in memory: *offset* bytes after byte 0 of a header; the header "any" is unknown."""

    header: str
    offset: Known


AbstractWord: TypeAlias = Known | FetchPosition
AbstractTruth: TypeAlias = bool | Comparison


class OutgoingEdge(NamedTuple):
    """An edge from an instruction to instruction *target*.

    *outcome* is the outcome of its test, or None without a test. *state* is the state on the edge, or None if the edge
    is infeasible.
    """

    target: int
    outcome: bool | None
    state: AbstractState | None


class AbstractMachine:
    """A `Machine` over abstract values.

    Attributes:
        state: The state before the instruction, updated by its execution.
        index: The index of the instruction, set by the caller.
        edges: The outgoing edges, set by jump, branch and finish; None: execution continues at the next instruction.
        is_terminated: Whether every execution ends within the instruction, because its load or division always fails.
        condition: The text of the last comparison, and of its negation.
        loads: The packet loads executed so far.
    """

    def __init__(self, state: AbstractState, dialect: Dialect) -> None:
        self.state = state
        self.index = 0
        self.edges: list[OutgoingEdge] | None = None
        self.is_terminated = False
        self.condition = ("", "")
        self.loads: list[PacketLoad] = []
        self._header_windows = dialect.header_windows

    @property
    def a(self) -> AbstractWord:
        return self.state.a

    @a.setter
    def a(self, word: AbstractWord) -> None:
        self.state.a = self._with_short_name(word, "a")

    @property
    def x(self) -> AbstractWord:
        return self.state.x

    @x.setter
    def x(self, word: AbstractWord) -> None:
        self.state.x = self._with_short_name(word, "x")

    def _with_short_name(self, word: AbstractWord, register: str) -> Known:
        value = self._number(word)
        return value if len(value.name) <= _MAX_NAME_LENGTH else value.with_name(f"{register}@{self.index + 1}")

    def _number(self, word: AbstractWord) -> Known:
        """Return a word that is a number, as refined so far; registers never hold a `FetchPosition`."""
        assert isinstance(word, Known)
        return self.state.lookup(word)

    def word(self, value: int) -> AbstractWord:
        return constant(value)

    def arithmetic(self, action: Action, left: AbstractWord, right: AbstractWord) -> AbstractWord:
        if isinstance(left, FetchPosition):
            distance = self._number(right)  # the semantics only adds to a position
            return FetchPosition(left.header, transfer(action, left.offset, distance) if left.offset.high else distance)
        return transfer(action, self._number(left), self._number(right))

    def compare(self, action: Action, left: AbstractWord, right: AbstractWord) -> AbstractTruth:
        first, second = self._number(left), self._number(right)
        if action is Action.BITS_SET:
            bits = transfer(Action.AND, first, second)
            text = _without_parentheses(bits.name)
            self.condition = f"{text} != 0", f"{text} == 0"
            return self._decide(bits, Action.EQUAL, 0, False)
        self.condition = _condition_texts(first, action, second)
        if second.value is not None:
            return self._decide(first, action, second.value, True)
        if first.value is not None:
            swapped, expected = _SWAPPED_OPERANDS[action]
            return self._decide(second, swapped, first.value, expected)
        return self._compare_unknown(action, first, second)

    def _compare_unknown(self, action: Action, left: Known, right: Known) -> AbstractTruth:
        """Compare two words with several values each: by their names, their intervals, or an earlier comparison."""
        if left.name == right.name:
            return action is not Action.GREATER_THAN
        if action is not Action.EQUAL:
            is_strict = action is Action.GREATER_THAN
            if left.low >= right.high + is_strict:
                return True
            if left.high < right.low + is_strict:
                return False
        elif left.high < right.low or right.high < left.low:
            return False
        return self._named_condition(f"({left.name} {SIGNS[action]} {right.name})")

    def _named_condition(self, name: str) -> AbstractTruth:
        """Return a condition that is recorded under its name, as a word that is 1 or 0."""
        return self._decide(self.state.lookup(interval(name, 0, 1)), Action.EQUAL, 1, True)

    def _decide(self, subject: Known, action: Action, operand: int, expected: bool) -> AbstractTruth:
        """Return the outcome of a comparison if the state decides it, else the `Comparison`."""
        subject = self.state.lookup(subject)
        if refine(subject, action, operand, True) is None:
            return not expected
        if refine(subject, action, operand, False) is None:
            return expected
        return Comparison(subject, action, operand, expected)

    def select(self, truth: AbstractTruth, then: AbstractWord, otherwise: AbstractWord) -> AbstractWord:
        if isinstance(truth, bool):
            return then if truth else otherwise
        for word in (otherwise, then):
            if isinstance(word, FetchPosition):
                return FetchPosition("any", word.offset)
        if_true, if_false = self._number(then), self._number(otherwise)
        condition = f"{truth.subject.name} {SIGNS[truth.action]} {truth.operand:#x} is {truth.expected}"
        return join(f"({condition} ? {if_true.name} : {if_false.name})", if_true, if_false)

    def load_scratch(self, slot: int) -> AbstractWord:
        return self.state.scratch[slot]

    def store_scratch(self, slot: int, value: AbstractWord) -> None:
        self.state.scratch[slot] = self._number(value)

    def captured_length(self) -> AbstractWord:
        return self.state.captured

    def wire_length(self) -> AbstractWord:
        return interval("len")

    def header(self, header: HeaderKind) -> AbstractWord:
        return FetchPosition(header, constant(0))

    def fetch(self, base: AbstractWord, displacement: int, size: int, byte_order: FetchOrder) -> AbstractWord:
        if not isinstance(base, FetchPosition):
            base = FetchPosition("any" if self._header_windows and base.value is None else "packet", base)
        offset = self.state.lookup(base.offset)
        first, last = offset.low + displacement, offset.high + displacement
        is_fixed = offset.name == constant(offset.low).name
        position = str(first) if is_fixed else _position_text(offset.name, displacement)
        name = f"[{'' if base.header == 'packet' else base.header + ' '}{position}:{size}]"
        if first >= SIGN_BIT:
            self.is_terminated = True  # offsets of 2**31 and above are beyond every packet
            return interval(name)
        if base.header == "packet":
            captured = refine(self.state.captured, Action.GREATER_OR_EQUAL, first + size, True)
            self.state.captured = captured or self.state.captured
        bound = last if base.header != "any" and last < SIGN_BIT else None
        self.loads.append(PacketLoad(self.index, base.header, first, bound, size, None if is_fixed else position))
        remember(self.state.loads, name, None)
        return interval(name, 0, 256**size - 1)

    def lacks_device(self) -> AbstractTruth:
        return self._named_condition("no device")

    def extension(self, extension: Extension, a: AbstractWord, x: AbstractWord) -> AbstractWord:
        name = EXTENSION_WORDS[extension]
        if extension in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
            return interval(f"{name}({self._number(a).name}, {self._number(x).name})")
        return interval(f"{name}@{self.index}" if extension is Extension.RAND else name)

    def return_if(self, truth: AbstractTruth, verdict: AbstractWord) -> None:
        if isinstance(truth, Comparison):
            self.state.assume(truth, False)
        elif truth:
            self.is_terminated = True

    def finish(self, verdict: AbstractWord) -> None:
        self.edges = []

    def jump(self, target: int) -> None:
        self.edges = [OutgoingEdge(target, None, self.state)]

    def branch(self, truth: AbstractTruth, target_true: int, target_false: int) -> None:
        if target_true == target_false:
            self.jump(target_true)
        else:
            self.edges = [self._edge(truth, True, target_true), self._edge(truth, False, target_false)]

    def _edge(self, truth: AbstractTruth, outcome: bool, target: int) -> OutgoingEdge:
        """Return the edge for one outcome of a test, with the state that the outcome refines."""
        if isinstance(truth, bool):
            return OutgoingEdge(target, outcome, self.state if truth is outcome else None)
        state = self.state.copy()
        state.assume(truth, outcome)
        return OutgoingEdge(target, outcome, state)


# The comparison of the exchanged operands, and its expected outcome: k > x holds where x >= k fails.
_SWAPPED_OPERANDS: Final = {
    Action.EQUAL: (Action.EQUAL, True),
    Action.GREATER_THAN: (Action.GREATER_OR_EQUAL, False),
    Action.GREATER_OR_EQUAL: (Action.GREATER_THAN, False),
}


def _condition_texts(left: Known, action: Action, right: Known) -> tuple[str, str]:
    """Return the text of a comparison and of its negation."""
    first, second = _without_parentheses(left.name), _without_parentheses(right.name)
    return f"{first} {SIGNS[action]} {second}", f"{first} {_NEGATED_SIGNS[action]} {second}"


def _without_parentheses(name: str) -> str:
    """Return a name without the parentheses that enclose all of it."""
    return name[1:-1] if name.startswith("(") else name


def _position_text(name: str, displacement: int) -> str:
    return offset_name(name, displacement) if displacement else _without_parentheses(name)
