"""The stack of the parser: unfinished constructs, the operands that they wait for, and complete operands."""

from .._enum import Enum, auto
from .._named_tuple import NamedTuple
from .._typing import Final
from .lexer import Token
from .primitives import EXPECTED_ARITHMETIC, EXPECTED_CONDITION, EXPECTED_NUMBER
from .syntax_tree import And, Arithmetic, Condition, Or, Qualifiers, Span


class Role(Enum):
    """The operands that are possible at a place."""

    CONDITION = auto()
    CONDITION_OR_ID = auto()
    FIRST_CONDITION_OR_ID = auto()  # in parentheses after `and` or `or`
    ID = auto()
    FIRST_ID = auto()  # in parentheses after qualifiers
    ARITHMETIC = auto()
    NUMBER = auto()


IN_PARENTHESES: Final = {
    Role.CONDITION: Role.CONDITION,
    Role.CONDITION_OR_ID: Role.FIRST_CONDITION_OR_ID,
    Role.FIRST_CONDITION_OR_ID: Role.CONDITION,
    Role.ID: Role.FIRST_ID,
    Role.FIRST_ID: Role.NUMBER,
    Role.ARITHMETIC: Role.ARITHMETIC,
    Role.NUMBER: Role.NUMBER,
}
AFTER_NOT: Final = {
    Role.CONDITION: Role.CONDITION,
    Role.CONDITION_OR_ID: Role.CONDITION_OR_ID,
    Role.FIRST_CONDITION_OR_ID: Role.CONDITION_OR_ID,
    Role.ID: Role.ID,
    Role.FIRST_ID: Role.ID,
}
CONDITIONS: Final = frozenset({Role.CONDITION, Role.CONDITION_OR_ID, Role.FIRST_CONDITION_OR_ID})
IDS: Final = frozenset({Role.CONDITION_OR_ID, Role.FIRST_CONDITION_OR_ID, Role.ID, Role.FIRST_ID})
FIRST: Final = frozenset({Role.FIRST_CONDITION_OR_ID, Role.FIRST_ID})
VALUES: Final = CONDITIONS | {Role.ARITHMETIC}
EXPECTED: Final = {
    **dict.fromkeys(CONDITIONS, EXPECTED_CONDITION),
    Role.ARITHMETIC: EXPECTED_ARITHMETIC,
    Role.NUMBER: EXPECTED_NUMBER,
}


class Category(Enum):
    """The kind of a complete operand."""

    NUMBER = auto()  # perhaps in parentheses; still an identifier or a value
    ARITHMETIC = auto()
    CONDITION = auto()
    ID = auto()


class Operand(NamedTuple):
    """A complete operand; its span includes parentheses, that of its node does not.

    Args:
        category: The category.
        node: The node; the token of a number.
        span: The span.
        qualifiers: The qualifiers of an identifier after the next `and` or `or`.
    """

    category: Category
    node: "Condition | Arithmetic | Token"
    span: Span
    qualifiers: Qualifiers | None = None


class Frame:
    """The beginning of a construct that waits for the operand *child*, whose identifiers have *qualifiers*."""

    __slots__ = ("child", "qualifiers", "role", "start")

    def __init__(self, start: int, role: Role, child: Role, qualifiers: Qualifiers | None) -> None:
        self.start = start
        self.role = role
        self.child = child
        self.qualifiers = qualifiers


class GroupFrame(Frame):
    """The text, or parentheses: operands joined by `and` and `or`, identifiers, or one value."""

    __slots__ = ("before", "is_list", "opening", "operands", "operator")

    def __init__(self, opening: Token | None, role: Role, child: Role, qualifiers: Qualifiers | None) -> None:
        super().__init__(opening.start if opening else 0, role, child, qualifiers)
        self.opening = opening
        self.before = qualifiers  # valid again after the parentheses
        self.is_list = False
        self.operator = ""
        self.operands: list[Operand] = []

    def join(self, operator: str, operand: Operand) -> None:
        """Add an operand and the operator after it."""
        if not self.operands:
            self.is_list = operand.category is Category.ID
        self._add(operand)
        if self.operator not in ("", operator):
            self.operands = [Operand(operand.category, self._node(), self._span())]
        self.operator = operator
        self.qualifiers = operand.qualifiers
        self.child = Role.ID if self.is_list else Role.CONDITION_OR_ID

    def close(self, operand: Operand) -> "Condition":
        """Add the last operand, and return the node of the group."""
        if not self.operands:
            self.is_list = operand.category is Category.ID
        self._add(operand)
        return self._node()

    def _add(self, operand: Operand) -> None:
        self.operands.append(operand)

    def _span(self) -> Span:
        return Span(self.operands[0].span.start, self.operands[-1].span.end)

    def _node(self) -> "Condition":
        nodes: tuple[Condition, ...] = tuple(operand.node for operand in self.operands)  # type: ignore[misc]
        if len(nodes) == 1:
            return nodes[0]
        return And(nodes, self._span()) if self.operator == "and" else Or(nodes, self._span())


class NotFrame(Frame):
    """A negation."""

    __slots__ = ()


class HeadFrame(Frame):
    """Qualifiers before an identifier."""

    __slots__ = ()


class ArgumentFrame(Frame):
    """A keyword before a number, which may be in parentheses."""

    __slots__ = ("keyword",)
    keyword: Token


class NegateFrame(Frame):
    """A unary minus."""

    __slots__ = ()


class LoadFrame(Frame):
    """A protocol and an opening bracket."""

    __slots__ = ("protocol",)
    protocol: str


class BinaryFrame(Frame):
    """The left operand and the operator of an operation or a comparison."""

    __slots__ = ("left", "operator")

    def __init__(self, left: Operand, operator: str, frame: Frame) -> None:
        super().__init__(left.span.start, frame.child, Role.ARITHMETIC, frame.qualifiers)
        self.left = left
        self.operator = operator
