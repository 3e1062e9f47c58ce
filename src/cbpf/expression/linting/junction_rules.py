"""Rules for the structure of an expression: `and`, `or`, `not`, and identifiers without qualifiers of their own.

The compiler reads `and` and `or` from left to right, and an identifier without qualifiers as a test of its own. Readers
see other structures: `and` before `or`, and a list of identifiers as one test, which `not` negates as a whole.
"""

from collections.abc import Iterator

from ..._named_tuple import NamedTuple
from ..._typing import TypeAlias
from ..syntax_tree import And, Condition, Match, Not, Number, Or, Protocol, Relation, Span
from .findings import Draft
from .tree_view import TreeView, is_bare, with_operands

_Junction: TypeAlias = type[And | Or]


class _Element(NamedTuple):
    """An operand of a sequence without parentheses.

    Args:
        operator: The operator before it; that after it for the first one.
        operand: The operand.
        list_operators: The operators between the identifiers of a list; empty for any other operand.
    """

    operator: _Junction
    operand: Condition
    list_operators: frozenset[_Junction] = frozenset()


def mixed_operators(view: TreeView) -> Iterator[Draft]:
    """Find sequences of `and` and `or` without parentheses that have another structure for many readers."""
    for node, sequence in _sequences(view):
        elements = _with_lists(sequence)
        if _is_ambiguous(elements):
            yield Draft(
                node.span,
                f"'and' and 'or' are read from left to right here, as {view.quote(node)}",
                "they have the same precedence; write parentheses",
                suggestion=view.text_with({id(node): _by_precedence(elements)}),
            )


def _is_ambiguous(elements: list[_Element]) -> bool:
    """Return whether precedence or lists give a sequence another structure than the order of the text."""
    operators = [element.operator for element in elements[1:]]
    has_later_and = And in operators[operators.index(Or) :] if Or in operators else False
    return has_later_and or any(element.list_operators - {element.operator} for element in elements[1:])


def negated_lists(view: TreeView) -> Iterator[Draft]:
    """Find `not` before several identifiers of which it negates only the first."""
    for node, sequence in _sequences(view):
        for index, operand in enumerate(element.operand for element in sequence):
            if not (isinstance(operand, Not) and isinstance(operand.operand, Match)):
                continue
            others = list(_continuation(operand.operand, sequence[index + 1 :]))
            if others:
                negated = Not(with_operands(Or((), operand.span), [operand.operand, *others]), operand.span)
                rest = [*sequence[:index], _Element(sequence[index].operator, negated)]
                rest += sequence[index + 1 + len(others) :]
                yield Draft(
                    Span(operand.span.start, others[-1].span.end),
                    f"'not' negates {view.quote(operand.operand)} only, and not {view.quote(others[0])}",
                    "'not' applies to the next test or parenthesis",
                    tuple(other.span for other in others),
                    view.text_with({id(node): _from_left(rest)}),
                )


def unequal_alternatives(view: TreeView) -> Iterator[Draft]:
    """Find alternatives that exclude different values of one field, of which each packet satisfies one."""
    for node in view.every(Or):
        groups: dict[object, list[Condition]] = {}
        for operand in node.operands:
            groups.setdefault(_excluded_field(view, operand), []).append(operand)
        groups.pop(None, None)
        for first, *others in groups.values():
            if others and len({view.text_of(operand) for operand in (first, *others)}) > 1:
                joined = with_operands(And((), first.span), [first, *others])
                rest = [operand for operand in node.operands if not any(operand is one for one in (first, *others))]
                yield Draft(
                    first.span,
                    f"every packet, or nearly every one, satisfies {view.quote(first)} or {view.quote(others[0])}",
                    "write 'and' to exclude several values",
                    tuple(operand.span for operand in others),
                    view.text_with({id(node): with_operands(Or((), node.span), [joined, *rest])}),
                )


def _excluded_field(view: TreeView, operand: Condition) -> object:
    """Return the field of which a condition excludes one value, or None."""
    match operand:
        case Relation("!=", left, Number()):
            return view.text_of(left)
        case Not(Match(qualifiers)):
            return qualifiers
        case Not(Protocol()):
            return Protocol
    return None


def _continuation(first: Match, elements: list[_Element]) -> Iterator[Condition]:
    """Yield the identifiers after a negated one that read as its alternatives."""
    for operator, operand, _ in elements:
        is_alternative = operator is Or and isinstance(operand, Match) and operand.qualifiers == first.qualifiers
        if not (is_bare(operand) or is_alternative):
            return
        yield operand


def _sequences(view: TreeView) -> Iterator[tuple[And | Or, list[_Element]]]:
    """Yield each longest sequence of operands without parentheses, with the condition that consists of it."""
    continued: set[int] = set()
    for node in view.conditions:
        if isinstance(node, And | Or) and id(node) not in continued:
            yield node, _sequence(node, continued)


def _sequence(node: "And | Or", continued: set[int]) -> list[_Element]:
    """Return the operands of a sequence, and add the junctions in it to *continued*."""
    elements: list[_Element] = []
    current: Condition = node
    while isinstance(current, And | Or) and current.span.start == node.span.start:
        continued.add(id(current))
        first, *others = current.operands
        elements += [_Element(type(current), operand) for operand in reversed(others)]
        current = first
    return [_Element(elements[-1].operator, current), *reversed(elements)]


def _with_lists(sequence: list[_Element]) -> list[_Element]:
    """Return a sequence in which identifiers without qualifiers are one operand with the identifier before them."""
    result: list[_Element] = []
    for element in sequence:
        if result and is_bare(element.operand) and not isinstance(result[-1].operand, Not):
            first, operators = result.pop(), {element.operator}
            joined = with_operands(element.operator((), element.operand.span), [first.operand, element.operand])
            result.append(_Element(first.operator, joined, first.list_operators | operators))
        else:
            result.append(element)
    return result


def _by_precedence(elements: list[_Element]) -> Condition:
    """Return the condition of a sequence in which `and` has a higher precedence than `or`."""
    alternatives: list[list[Condition]] = [[]]
    for index, element in enumerate(elements):
        if index and element.operator is Or:
            alternatives.append([])
        alternatives[-1].append(element.operand)
    span = Span(0, 0)
    return with_operands(Or((), span), [with_operands(And((), span), terms) for terms in alternatives])


def _from_left(elements: list[_Element]) -> Condition:
    """Return the condition of a sequence as the compiler reads it."""
    result = elements[0].operand
    for element in elements[1:]:
        result = with_operands(element.operator((), element.operand.span), [result, element.operand])
    return result
