"""The machine of the C target: words are C expressions of type uint32_t, and effects are statements.

Constants are folded, so that an expression has the form that a person would write: `4 * 1` is not computed at run time,
and an offset of 0 is not added. A byte of the packet has the type int after C's promotion, so a constant beside it is
unsigned.
"""

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Final, NoReturn
from ...analysis.register_machine import A, X
from ...isa.dialects import Dialect, FetchOrder
from ...isa.opcodes import CONDITIONS, OUT_OF_RANGE, SCRATCH_SLOTS, SIGN_BIT, SIGNS, WORD_MASK, Action
from ...isa.semantics import HeaderKind

if TYPE_CHECKING:
    from ...isa.enumerations import Extension

LOADS: Final[dict[tuple[int, FetchOrder], str]] = {
    (2, "big"): "load_16",
    (4, "big"): "load_32",
    (2, "little"): "load_16_little",
    (4, "little"): "load_32_little",
}
"""The helper functions that load several bytes."""

_HEXADECIMAL: Final = CONDITIONS | {Action.AND, Action.OR, Action.XOR}
_OPPOSITES: Final = {"==": "!=", "!=": "==", ">": "<=", "<=": ">", ">=": "<", "<": ">=", "&": "!&", "!&": "&"}
_TAUTOLOGIES: Final = ((">=", "0"), ("<=", f"{WORD_MASK:#x}"), ("!&", "0"))
_MAX_DECIMAL: Final = 9

VARIABLES: Final = (*(f"m{slot}" for slot in range(SCRATCH_SLOTS)), "a", "x")
"""The variables of the scratch slots, of A and of X, by the numbers of `register_machine`."""


class CWord(NamedTuple):
    """A word: a C expression.

    Args:
        text: The expression.
        is_atom: Whether it needs no parentheses beside an operator.
        is_byte: Whether its type is int after promotion: a byte of the packet.
        value: Its value, if it is a constant.
    """

    text: str
    is_atom: bool = True
    is_byte: bool = False
    value: int | None = None

    @property
    def operand(self) -> str:
        """The expression as an operand of an operator."""
        return self.text if self.is_atom else f"({self.text})"


class CCondition(NamedTuple):
    """A condition: the comparison of a C expression with another, or the test that some bits are set.

    Args:
        left: The left side.
        sign: The operator: ==, !=, >, >=, < or <=; & for a test of bits, !& for its opposite.
        right: The right side.
    """

    left: str
    sign: str
    right: str

    @property
    def text(self) -> str:
        """The condition as a C expression."""
        if self.sign == "!&":
            return f"!({self.left} & {self.right})"
        return f"{self.left} {self.sign} {self.right}"

    @property
    def is_true(self) -> bool:
        """Whether it always holds, which compilers warn of."""
        return (self.sign, self.right) in _TAUTOLOGIES

    @property
    def opposite(self) -> "CCondition":
        """The condition that holds exactly where this one does not."""
        return self._replace(sign=_OPPOSITES[self.sign])


class CMachine:
    """A `Machine` whose words are C expressions, and whose effects are statements.

    Attributes:
        statements: The statements of the current instruction, without indentation.
        checked: The number of bytes that the packet is known to have.
        returned: The verdict, if the instruction ends the run.
        targets: The targets of a jump; () if there are none, None before the end of the instruction.
        condition: The condition of a conditional jump.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._is_seccomp = dialect.record_size is not None
        self.begin(0, 0)

    def begin(self, checked: int, live: int) -> None:
        """Begin an instruction.

        Args:
            checked: The number of bytes that the packet is known to have.
            live: The bits of the scratch slots, of A and of X that are read after the instruction.
        """
        self.statements: list[str] = []
        self.checked = checked
        self._live = live
        self.returned: CWord | None = None
        self.targets: tuple[int, ...] | None = None
        self.condition = CCondition("", "==", "")

    def _assign(self, register: int, value: CWord) -> None:
        """Write an assignment, unless nothing reads the register afterwards."""
        name = VARIABLES[register]
        if self._live >> register & 1 and value.text != name and self.returned is None:
            self.statements.append(f"{name} = {value.text};")

    @property
    def a(self) -> CWord:
        return CWord(VARIABLES[A])

    @a.setter
    def a(self, value: CWord) -> None:
        self._assign(A, value)

    @property
    def x(self) -> CWord:
        return CWord(VARIABLES[X])

    @x.setter
    def x(self, value: CWord) -> None:
        self._assign(X, value)

    def word(self, value: int) -> CWord:
        return CWord(str(value) if value <= _MAX_DECIMAL else f"{value:#x}", value=value)

    def arithmetic(self, action: Action, left: CWord, right: CWord) -> CWord:
        if action is Action.ADD and left.value == 0:
            return right
        if action is Action.ADD and left.value == OUT_OF_RANGE:
            return left  # the position of a byte in a header window, which is outside of every packet
        if action in (Action.ADD, Action.SUB) and right.value == 0:
            return left
        return CWord(f"{left.operand} {SIGNS[action]} {self._operand(action, right, beside=left)}", is_atom=False)

    def _operand(self, action: Action, word: CWord, *, beside: CWord) -> str:
        if word.value is None:
            return word.operand
        return self._number(word.value, action) + ("u" if beside.is_byte else "")

    def _number(self, value: int, action: Action) -> str:
        """Return a constant: masks and numbers to compare with in hexadecimal, amounts in decimal."""
        if action in _HEXADECIMAL and value > _MAX_DECIMAL:
            return f"{value:#x}"
        return f"{value}" if value < SIGN_BIT else f"{value}u"

    def compare(self, action: Action, left: CWord, right: CWord) -> CCondition:
        if action is Action.BITS_SET:
            return CCondition(left.operand, "&", self._operand(action, right, beside=left))
        texts = [word.operand if word.value is None else self._number(word.value, action) for word in (left, right)]
        return CCondition(texts[0], SIGNS[action], texts[1])

    def select(self, condition: CCondition, then: CWord, otherwise: CWord) -> CWord:
        if then.value == OUT_OF_RANGE and condition == self.compare(
            Action.GREATER_OR_EQUAL, otherwise, self.word(SIGN_BIT)
        ):
            return otherwise  # an address that is outside of every packet already
        if OUT_OF_RANGE == then.value == otherwise.value:
            return then
        return CWord(f"{condition.text} ? {then.text} : {otherwise.text}", is_atom=False)

    def load_scratch(self, slot: int) -> CWord:
        return CWord(VARIABLES[slot])

    def store_scratch(self, slot: int, value: CWord) -> None:
        self._assign(slot, value)

    def captured_length(self) -> CWord:
        return CWord("captured")

    def wire_length(self) -> CWord:
        return CWord("(uint32_t)wire")

    def header(self, header: HeaderKind) -> CWord:
        return self.word(0 if header == "packet" else OUT_OF_RANGE)

    def fetch(self, base: CWord, displacement: int, size: int, byte_order: FetchOrder) -> CWord:
        if base.value is not None:
            return self._fetch_fixed(base.value + displacement, size, byte_order)
        start = base.operand if not displacement else f"{base.operand} + {displacement}"
        self.statements.append(f"if ({_wide_sum(base, displacement + size)} > captured)")
        self.statements.append("    return 0;")
        return self._bytes_at(start, size, byte_order)

    def _fetch_fixed(self, position: int, size: int, byte_order: FetchOrder) -> CWord:
        if position >= SIGN_BIT:
            self.finish(self.word(0))
            return self.word(0)
        end = position + size
        if end > self.checked:
            self.checked = end
            self.statements += [f"if (captured < {end})", "    return 0;"]
        return self._bytes_at(f"{position}", size, byte_order)

    def _bytes_at(self, position: str, size: int, byte_order: FetchOrder) -> CWord:
        if size == 1:
            return CWord(f"packet[{position}]", is_byte=True)
        helper = LOADS[size, byte_order]
        return CWord(f"{helper}(packet)" if position == "0" else f"{helper}(packet + {position})")

    def lacks_device(self) -> NoReturn:
        raise AssertionError("extensions are rejected before")

    def extension(self, extension: "Extension", a: CWord, x: CWord) -> NoReturn:
        raise AssertionError("extensions are rejected before")

    def return_if(self, condition: CCondition, verdict: CWord) -> None:
        self.statements += [f"if ({condition.text})", f"    return {verdict.text};"]

    def finish(self, verdict: CWord) -> None:
        if verdict.value is not None and not self._is_seccomp:
            verdict = CWord(self._number(verdict.value, Action.RETURN), value=verdict.value)
        self.returned, self.targets = verdict, ()

    def jump(self, target: int) -> None:
        self.targets = (target,)

    def branch(self, condition: CCondition, target_true: int, target_false: int) -> None:
        if condition.is_true:
            self.jump(target_true)
        elif condition.opposite.is_true:
            self.jump(target_false)
        else:
            self.condition, self.targets = condition, (target_true, target_false)


def _wide_sum(base: CWord, addend: int) -> str:
    """Return base + addend as an expression that cannot overflow."""
    assert addend <= WORD_MASK + 4
    return f"(uint64_t){base.operand} + {addend}"
