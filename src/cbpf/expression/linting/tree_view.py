"""The syntax tree of one expression as the rules see it: its nodes in the order of the text, and their parents."""

from collections.abc import Callable, Iterator, Mapping

from ..._typing import TypeVar
from ..formatting import text_of
from ..lexer import tokens
from ..parser import parse
from ..spelling import link_word
from ..syntax_tree import And, Arithmetic, Binary, Condition, Load, Match, Negate, Not, Or, Relation, Span

_Node = TypeVar("_Node")
_Result = TypeVar("_Result")
_MAX_QUOTED = 50  # characters


class TreeView:
    """An expression with its syntax tree.

    Args:
        text: The expression.
        tree: Its syntax tree.
        dlt: The link type, as the DLT_ number of libpcap.
        is_live: Whether the packets are those of a live Linux socket, whose VLAN tags are metadata.
    """

    def __init__(self, text: str, tree: Condition, dlt: int, *, is_live: bool = False) -> None:
        self.text = text
        self.tree = tree
        self.dlt = dlt
        self.is_live = is_live
        self.parents: dict[int, And | Or | Not] = {}
        self.conditions: tuple[Condition, ...] = tuple(self._walk())
        """All conditions; each precedes its operands."""
        self._link = link_word(tokens(text))

    def _walk(self) -> Iterator[Condition]:
        pending = [self.tree]
        while pending:
            node = pending.pop()
            yield node
            for operand in reversed(operands(node)):
                self.parents[id(operand)] = node  # type: ignore[assignment]
                pending.append(operand)

    def every(self, kind: type[_Node]) -> Iterator[_Node]:
        """Yield the conditions of a class."""
        return (node for node in self.conditions if isinstance(node, kind))

    def quote(self, node: "Condition | Arithmetic") -> str:
        """Return a node for a message: its canonical text in quotes, shortened."""
        text = text_of(node, link=self._link)
        return f"'{text}'" if len(text) <= _MAX_QUOTED else f"'{text[:_MAX_QUOTED]}...'"

    def text_of(self, tree: "Condition | Arithmetic") -> str:
        """Return the canonical text of a tree."""
        return text_of(tree, link=self._link)

    def text_with(self, replacements: "Mapping[int, Condition]") -> str:
        """Return the text of the tree after the replacement of some conditions, given by their `id`."""
        return self.text_of(replaced(self.tree, replacements))

    def edited(self, *edits: tuple[Span, str]) -> str:
        """Return the text after the replacement of some spans, which do not overlap."""
        text = self.text
        for span, replacement in sorted(edits, reverse=True):
            text = text[: span.start] + replacement + text[span.end :]
        return text


def condition(text: str) -> Condition:
    """Return the syntax tree of a text that is not empty."""
    tree = parse(text)
    assert tree is not None
    return tree


def operands(node: Condition) -> tuple[Condition, ...]:
    """Return the conditions that a condition consists of."""
    if isinstance(node, And | Or):
        return node.operands
    return (node.operand,) if isinstance(node, Not) else ()


def leaves(tree: Condition) -> Iterator[Condition]:
    """Yield the conditions of a tree that do not consist of others, in the order of the text."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if not operands(node):
            yield node
        pending.extend(reversed(operands(node)))


def with_operands(node: Condition, new: "list[Condition]") -> Condition:
    """Return a condition with other operands; those of its own operator become its operands."""
    if isinstance(node, Not):
        return node.replace(operand=new[0])
    if len(new) == 1:
        return new[0]
    flat = [inner for operand in new for inner in (operands(operand) if type(operand) is type(node) else (operand,))]
    return node.replace(operands=tuple(flat))


def fold(
    root: _Node, children: "Callable[[_Node], tuple[_Node, ...]]", combine: "Callable[[_Node, list[_Result]], _Result]"
) -> _Result:
    """Return the result of a tree: *combine* takes each node with the results of its children."""
    results: list[_Result] = []
    pending = [(root, False)]
    while pending:
        node, is_complete = pending.pop()
        inner = children(node)
        if inner and not is_complete:
            pending.append((node, True))
            pending.extend((child, False) for child in reversed(inner))
            continue
        first = len(results) - len(inner)
        results[first:] = [combine(node, results[first:])]
    return results[0]


def replaced(tree: Condition, replacements: "Mapping[int, Condition]") -> Condition:
    """Return a tree after the replacement of some conditions, given by their `id`; the others remain as they are."""

    def rebuilt(node: Condition, new: list[Condition]) -> Condition:
        if id(node) in replacements:
            return replacements[id(node)]
        unchanged = all(one is other for one, other in zip(new, operands(node), strict=True))
        return node if unchanged else with_operands(node, new)

    return fold(tree, operands, rebuilt)


def values(node: "Relation | Arithmetic") -> "Iterator[Arithmetic]":
    """Yield all values in a relation, or those in a value and itself; each precedes its operands."""
    pending: list[Arithmetic] = [node.right, node.left] if isinstance(node, Relation) else [node]
    while pending:
        value = pending.pop()
        yield value
        pending.extend(reversed(inner_values(value)))


def inner_values(value: "Arithmetic") -> "tuple[Arithmetic, ...]":
    """Return the values that a value consists of."""
    if isinstance(value, Binary):
        return value.left, value.right
    if isinstance(value, Negate):
        return (value.operand,)
    return (value.offset,) if isinstance(value, Load) else ()


def loads(node: "Relation | Arithmetic") -> Iterator[Load]:
    """Yield all loads in a relation or a value."""
    return (value for value in values(node) if isinstance(value, Load))


def is_bare(node: Condition) -> bool:
    """Return whether a condition is an identifier whose qualifiers are carried over from an earlier one."""
    return isinstance(node, Match) and node.span.start == node.identifier.start
