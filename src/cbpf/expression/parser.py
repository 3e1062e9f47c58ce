"""The parser of filter expressions: the language of libpcap's grammar, without recursion and in linear time.

The stack of this recursive descent is a list of frames, so nesting is limited by memory only. A frame is an unfinished
construct that waits for one operand; its role states which operands are possible there. Parentheses may enclose a
condition, identifiers, arithmetic or a number, and only later tokens decide between them; an operand therefore has a
category, which the frame that receives it may narrow.
"""

from .._typing import Final, TypeAlias
from .frames import (
    AFTER_NOT,
    CONDITIONS,
    EXPECTED,
    FIRST,
    IDS,
    IN_PARENTHESES,
    VALUES,
    ArgumentFrame,
    BinaryFrame,
    Category,
    Frame,
    GroupFrame,
    HeadFrame,
    LoadFrame,
    NegateFrame,
    NotFrame,
    Operand,
    Role,
)
from .lexer import Token, tokens
from .primitives import (
    EXPECTED_CONDITION,
    SyntaxProblem,
    TokenReader,
    expected_identifier,
    read_identifier,
    read_primitive,
    read_qualifiers,
    starts_qualifiers,
)
from .syntax_tree import (
    Arithmetic,
    Binary,
    Condition,
    Length,
    Load,
    Match,
    Negate,
    Not,
    Number,
    Primitive,
    Qualifiers,
    Relation,
    Span,
)
from .vocabulary import NUMBERED

PRECEDENCE: Final = {"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": None, "^": None}
"""`%` and `^` have no precedence: their right operand extends as far as possible, their left one is a single value."""

_RELATIONS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_JUNCTIONS: Final = frozenset({"and", "or"})


_Step: TypeAlias = Operand | None


class _Parser:
    def __init__(self, reader: TokenReader) -> None:
        self._reader = reader
        self._stack: list[Frame] = [GroupFrame(None, Role.CONDITION, Role.CONDITION, None)]

    def parse(self) -> "Condition":
        operand: _Step = None
        while self._stack:
            operand = self._begin(self._stack[-1]) if operand is None else self._continue(self._stack[-1], operand)
        assert operand is not None
        return operand.node  # type: ignore[return-value]

    # Without an operand: read one, or begin a construct and return None

    def _begin(self, frame: Frame) -> _Step:
        role, token = frame.child, self._reader.peek()
        word = self._reader.keyword
        if word == "(":
            self._reader.next()
            self._stack.append(GroupFrame(token, role, IN_PARENTHESES[role], frame.qualifiers))
            return None
        if token.kind == "number":
            return Operand(Category.NUMBER, self._reader.next(), Span(token.start, token.end))
        if word == "not" and role in AFTER_NOT:
            self._reader.next()
            self._stack.append(NotFrame(token.start, role, AFTER_NOT[role], frame.qualifiers))
            return None
        if role in VALUES and (word in ("len", "-") or token.kind == "protocol"):
            return self._begin_value(frame, token)
        if role in IDS and token.kind in ("name", "ipv4", "ipv6", "mac", "arcnet"):
            match = read_identifier(self._reader, frame.qualifiers)
            return Operand(Category.ID, match, match.span, match.qualifiers)
        if role in CONDITIONS:
            return self._begin_condition(frame, token, "")
        if role in (Role.ID, Role.FIRST_ID) and frame.qualifiers is not None:
            raise self._reader.problem(expected_identifier(frame.qualifiers), frame.qualifiers)
        raise self._reader.problem(EXPECTED[role])

    def _begin_value(self, frame: Frame, token: Token) -> _Step:
        """Begin arithmetic, or a condition that begins with a protocol."""
        self._reader.next()
        if token.word == "len":
            span = Span(token.start, token.end)
            return Operand(Category.ARITHMETIC, Length(span), span)
        if token.word == "-":
            self._stack.append(NegateFrame(token.start, frame.child, Role.ARITHMETIC, None))
            return None
        if self._reader.peek() and self._reader.keyword == "[":
            self._reader.next()
            load = LoadFrame(token.start, frame.child, Role.ARITHMETIC, None)
            load.protocol = token.word
            self._stack.append(load)
            return None
        if frame.child is Role.ARITHMETIC:
            raise self._reader.problem("'['")
        return self._begin_condition(frame, token, token.word)

    def _begin_condition(self, frame: Frame, token: Token, protocol: str) -> _Step:
        """Begin a condition: qualifiers, or any other primitive."""
        reader = self._reader
        reader.peek()
        if starts_qualifiers(reader.keyword):
            qualifiers = read_qualifiers(reader, protocol or None)
            self._stack.append(HeadFrame(token.start, frame.child, Role.ID, qualifiers))
            return None
        if reader.keyword in NUMBERED and not protocol:
            keyword = reader.next()
            if reader.peek().kind == "number" or reader.keyword == "(":
                argument = ArgumentFrame(token.start, frame.child, Role.NUMBER, None)
                argument.keyword = keyword
                self._stack.append(argument)
                return None
            span = Span(keyword.start, keyword.end)
            return Operand(Category.CONDITION, Primitive(keyword.word, None, (), span), span)
        node = read_primitive(reader, token, protocol)
        return Operand(Category.CONDITION, node, node.span)

    # With an operand: give it to the construct that waits for it, or begin a longer operand

    def _continue(self, frame: Frame, operand: Operand) -> _Step:
        self._reader.peek()
        word = self._reader.keyword
        if operand.category in (Category.NUMBER, Category.ARITHMETIC):
            if word in PRECEDENCE and frame.child in VALUES and _shifts(frame, word):
                self._begin_operation(frame, operand, word)
                return None
            if word in _RELATIONS and frame.child in CONDITIONS:
                self._begin_operation(frame, operand, word)
                return None
            if isinstance(frame, NegateFrame | BinaryFrame):
                return self._end_operation(frame, operand)
            if isinstance(frame, LoadFrame):
                return self._end_load(frame, operand)
            if isinstance(frame, ArgumentFrame):
                return self._end_argument(frame, operand)
            if isinstance(frame, GroupFrame) and frame.opening and not frame.operands and word == ")":
                return self._close(frame, operand.category, operand.node, None)
            operand = self._as_identifier(frame, operand, word)
        if isinstance(frame, GroupFrame):
            return self._continue_group(frame, operand, word)
        self._stack.pop()
        span = Span(frame.start, operand.span.end)
        if isinstance(frame, HeadFrame):
            node = operand.node.replace(span=span) if isinstance(operand.node, Match) else operand.node
            return Operand(Category.CONDITION, node, span, operand.qualifiers)
        return operand._replace(node=Not(operand.node, span), span=span)  # type: ignore[arg-type]

    def _begin_operation(self, frame: Frame, operand: Operand, operator: str) -> None:
        self._reader.next()
        self._stack.append(BinaryFrame(operand, operator, frame))

    def _end_operation(self, frame: NegateFrame | BinaryFrame, operand: Operand) -> Operand:
        self._stack.pop()
        span, value = Span(frame.start, operand.span.end), _value(operand)
        if isinstance(frame, NegateFrame):
            return Operand(Category.ARITHMETIC, Negate(value, span), span)
        if frame.operator in _RELATIONS:
            return Operand(Category.CONDITION, Relation(frame.operator, _value(frame.left), value, span), span)
        return Operand(Category.ARITHMETIC, Binary(frame.operator, _value(frame.left), value, span), span)

    def _end_load(self, frame: LoadFrame, operand: Operand) -> Operand:
        size = 1
        if self._reader.keyword == ":":
            self._reader.next()
            size = self._reader.expect_kind("number", expected="the size in bytes: 1, 2 or 4").value
            closing = self._reader.expect("]", expected="']'")
        else:
            closing = self._reader.expect("]", expected="']', ':' or an operator")
        self._stack.pop()
        span = Span(frame.start, closing.end)
        return Operand(Category.ARITHMETIC, Load(frame.protocol, _value(operand), size, span), span)

    def _end_argument(self, frame: ArgumentFrame, operand: Operand) -> Operand:
        self._stack.pop()
        assert isinstance(operand.node, Token)
        span = Span(frame.start, operand.span.end)
        return Operand(Category.CONDITION, Primitive(frame.keyword.word, None, (operand.node,), span), span)

    def _as_identifier(self, frame: Frame, operand: Operand, word: str) -> Operand:
        """Return a number as an identifier, if it may be one here."""
        is_number = operand.category is Category.NUMBER
        if not is_number or frame.child not in IDS or (frame.child in FIRST and word not in _JUNCTIONS):
            closing = " or ')'" if isinstance(frame, GroupFrame) and frame.opening and not frame.operands else ""
            if frame.child in CONDITIONS:
                raise self._reader.problem(f"an operator or a comparison such as '!= 0'{closing}", after_value=True)
            raise self._reader.problem(f"an operator{closing}" if frame.child is Role.ARITHMETIC else "')'")
        assert isinstance(operand.node, Token)
        if frame.qualifiers is None:
            raise SyntaxProblem(operand.node, EXPECTED_CONDITION)
        match = Match(frame.qualifiers, operand.node, None, operand.span)
        return Operand(Category.ID, match, operand.span, frame.qualifiers)

    def _continue_group(self, group: GroupFrame, operand: Operand, word: str) -> _Step:
        if word in _JUNCTIONS:
            self._reader.next()
            group.join(word, operand)
            return None
        if word == ")" and group.opening:
            node = group.close(operand)
            category = Category.ID if group.is_list else Category.CONDITION
            return self._close(group, category, node, operand.qualifiers if group.is_list else group.before)
        if self._reader.peek().kind == "end" and not group.opening:
            self._stack.pop()
            return operand._replace(node=group.close(operand))
        closing = "')'" if group.opening else "the end"
        raise self._reader.problem(f"'and', 'or' or {closing}", opening=group.opening)

    def _close(
        self,
        group: GroupFrame,
        category: Category,
        node: "Condition | Arithmetic | Token",
        qualifiers: Qualifiers | None,
    ) -> Operand:
        """Read the closing parenthesis, and return the group as an operand."""
        self._stack.pop()
        return Operand(category, node, Span(group.start, self._reader.next().end), qualifiers)


def _shifts(frame: Frame, operator: str) -> bool:
    """Return whether an operator belongs to the right operand of a frame, and not to the complete operation."""
    if not isinstance(frame, NegateFrame | BinaryFrame):
        return True
    precedence = PRECEDENCE[operator]
    if isinstance(frame, NegateFrame):
        return precedence is None
    if frame.operator in _RELATIONS:
        return True
    own = PRECEDENCE[frame.operator]
    return precedence is None or own is None or precedence > own


def _value(operand: Operand) -> "Arithmetic":
    """Return the node of an operand of arithmetic."""
    if isinstance(operand.node, Token):
        return Number(operand.node.value, Span(operand.node.start, operand.node.end), operand.node.text)
    return operand.node  # type: ignore[return-value]


def parse(text: str) -> "Condition | None":
    """Return the syntax tree of an expression; None if it is empty, which accepts every packet.

    Raises `SyntaxProblem`, which is not an error of cbpf: `diagnosis` explains it.
    """
    reader = TokenReader(tokens(text))
    return None if reader.peek().kind == "end" else _Parser(reader).parse()
