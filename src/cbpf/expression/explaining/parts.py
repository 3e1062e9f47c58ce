"""The parts of an expression: its clauses, and the `and`, `or` and `not` that combine them."""

from ..._named_tuple import NamedTuple
from ..._typing import Final, Literal, TypeAlias
from ..address_lists import Expression
from ..formatting import text_of
from ..generator.identifier_runs import Part as Node
from ..generator.identifier_runs import Run, parts
from ..lexer import tokens
from ..spelling import identifier_text, link_word, qualifiers_text
from ..syntax_tree import And, Condition, Not, Or, Span

PartKind: TypeAlias = Literal["clause", "and", "or", "not"]
"""A clause is a part of the text without `and`, `or` and `not`, or a long list of identifiers."""

_KINDS: Final[dict[type, PartKind]] = {And: "and", Or: "or", Not: "not"}


class Part(NamedTuple):
    """A part of an expression.

    Args:
        kind: The kind.
        span: Its place in the text.
        text: The canonical text of a clause; of others, the operator.
        depth: The number of parts around it.
        children: The indices of its operands; none of a clause.
    """

    kind: PartKind
    span: Span
    text: str
    depth: int
    children: tuple[int, ...]


def parts_of(text: str, tree: Condition | None) -> tuple[Part, ...]:
    """Return the parts of an expression; each precedes its operands, which are in the order of the text."""
    link = link_word(tokens(text))
    found: list[tuple[Node, int, list[int]]] = []
    pending: list[tuple[Node, int, list[int] | None]] = [] if tree is None else [(tree, 0, None)]
    while pending:
        node, depth, siblings = pending.pop()
        if siblings is not None:
            siblings.append(len(found))
        children: list[int] = []
        found.append((node, depth, children))
        pending += [(operand, depth + 1, children) for operand in reversed(_operands(node))]
    return tuple(_part(node, depth, tuple(children), link) for node, depth, children in found)


def with_lists(found: tuple[Part, ...], expression: Expression) -> tuple[Part, ...]:
    """Return the parts of an expression with a clause before them for the addresses and for the ports of its lists."""
    hosts, hosts6, ports = expression.lists
    counts = {"host": len(hosts) + len(hosts6), "port": len(ports)}
    words = "" if expression.direction == "src or dst" else f"{expression.direction} "
    texts = [f"{words}{kind} (a list of {count:,} range{'s' * (count > 1)})" for kind, count in counts.items() if count]
    here = Span(0, 0)
    if not texts or (len(texts) == 1 and not found):
        return found or tuple(Part("clause", here, text, 0, ()) for text in texts)
    first = len(texts) + 1
    clauses = [Part("clause", here, text, 1, ()) for text in texts]
    moved = [
        part._replace(depth=part.depth + 1, children=tuple(child + first for child in part.children)) for part in found
    ]
    return Part("and", here, "and", 0, tuple(range(1, first + bool(found)))), *clauses, *moved


def _operands(node: Node) -> list[Node]:
    if isinstance(node, And | Or):
        return list(parts(node.operands, is_conjunction=isinstance(node, And)))
    return [node.operand] if isinstance(node, Not) else []


def _part(node: Node, depth: int, children: tuple[int, ...], link: str) -> Part:
    kind = _KINDS.get(type(node), "clause")
    if kind != "clause":
        return Part(kind, node.span, kind, depth, children)
    text = _run_text(node, link) if isinstance(node, Run) else text_of(node, link=link)
    return Part(kind, node.span, text, depth, ())


def _run_text(run: Run, link: str) -> str:
    """Return the text of a long list: its first identifier, its last one, and their number."""
    first, last = (identifier_text(match.identifier, match.mask) for match in (run.matches[0], run.matches[-1]))
    words = qualifiers_text(run.matches[0].qualifiers, link)
    text = f"{words} ({first} or ... or {last}: {len(run.matches):,} identifiers)"
    return f"not {text}" if run.is_negated else text
