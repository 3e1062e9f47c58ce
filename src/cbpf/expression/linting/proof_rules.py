"""Rules that compare programs: clauses that are never true, always true, or implied by others.

The outcome of a clause matters for a packet only if all other operands of each `and` around it are true, and those of
each `or` around it are false. If no such packet satisfies it, or if all of them do, the filter is equal without it.
"""

from collections import deque
from collections.abc import Iterator

from ..._named_tuple import NamedTuple
from ...errors import Undecided
from ..generator.identifier_runs import Part, Run, parts
from ..syntax_tree import And, Condition, Match, Not, Or, Primitive, Protocol
from .clauses import Clauses, Literal
from .findings import Draft
from .offset_rules import TUNNELS
from .tree_view import TreeView, leaves, with_operands
from .tree_view import operands as operands_of


class Proved(NamedTuple):
    """The result of a rule of this module.

    Args:
        identifier: The identifier of the rule.
        draft: The finding.
    """

    identifier: str
    draft: Draft


class _Redundant(NamedTuple):
    """An operand of a junction whose outcome never matters, and the smallest reason."""

    junction: And | Or
    operand: Part
    reason: list[Literal]


def compared_clauses(view: TreeView, clauses: Clauses) -> Iterator[Proved]:
    """Find the clauses that no packet needs. Ends early where an answer is missing, which `clauses` records."""
    names = {node.name for node in view.every(Primitive)}
    has_tunnel = not names.isdisjoint(TUNNELS)
    if has_tunnel and view.is_live:
        return  # Linux rejects the plain code, which may read a slot of scratch memory that it has not written
    has_offsets = has_tunnel or (view.is_live and "vlan" in names)  # in scratch memory, for the parts after it
    try:
        if clauses.excludes([Literal(view.tree, True)]):
            yield _rejects_all(view, [view.tree] if has_offsets else _conflict(view.tree, clauses))
        elif clauses.excludes([Literal(view.tree, False)]):
            yield Proved(
                "accepts-all", Draft(view.tree.span, "the filter accepts every packet", "an empty filter does as well")
            )
        elif not has_offsets:
            for redundant in _redundant(view.tree, clauses):
                yield _proved(view, clauses, redundant)
    except Undecided:
        return


def _redundant(tree: Condition, clauses: Clauses) -> Iterator[_Redundant]:
    """Yield operands whose outcome never matters, of several that imply each other the last ones."""
    pending: deque[tuple[Part, list[Literal]]] = deque([(tree, [])])
    while pending:
        node, context = pending.popleft()
        if isinstance(node, Not):
            pending.append((node.operand, context))
        if not isinstance(node, And | Or):
            continue
        is_conjunction = isinstance(node, And)
        operands = list(parts(node.operands, is_conjunction=is_conjunction))
        for operand in reversed(operands):
            others = [Literal(other, is_conjunction) for other in operands if other is not operand]
            literals = sorted([*context, *others], key=lambda literal: literal.holds)
            fixed = Literal(operand, not is_conjunction)
            if clauses.excludes([*literals, fixed]):
                operands = [other for other in operands if other is not operand]
                yield _Redundant(node, operand, clauses.reason(literals, fixed))
        for operand in operands:
            others = [Literal(other, is_conjunction) for other in operands if other is not operand]
            pending.append((operand, [*context, *others]))


# Findings


def _rejects_all(view: TreeView, conflict: list[Part]) -> Proved:
    if len(conflict) == 1:
        fact, rule = f"{_quote(view, conflict[0])} is true for no packet", "the filter rejects every packet"
    else:
        fact, rule = f"{_enumeration(view, conflict)} are never true together", "the filter rejects every packet"
    first, *others = (part.span for part in conflict)
    suggestion = _as_alternatives(view, conflict)
    return Proved("rejects-all", Draft(first, fact, rule, tuple(others), suggestion, is_certain=True))


def _conflict(node: Part, clauses: Clauses) -> list[Part]:
    """Return the smallest operands of one `and` that exclude each other; *node*, which is never true, contains them."""
    while isinstance(node, And):
        literals = [Literal(part, True) for part in parts(node.operands, is_conjunction=True)]
        conflict = [literal.part for literal in clauses.reason(literals)]
        if len(conflict) > 1:
            return conflict
        node = conflict[0]
    return [node]


def _as_alternatives(view: TreeView, conflict: list[Part]) -> str:
    """Return the text with `or` between values of one field that exclude each other, such as two protocols or ports."""
    nodes: list[Condition] = [node for node in conflict if isinstance(node, Protocol | Match)]
    kinds = {node.qualifiers if isinstance(node, Match) else None for node in nodes}
    junctions = {id(view.parents[id(node)]): view.parents[id(node)] for node in nodes if id(node) in view.parents}
    if len(nodes) < max(len(conflict), 2) or len(kinds) > 1 or len(junctions) != 1:
        return ""
    (junction,) = junctions.values()
    rest = [operand for operand in operands_of(junction) if not any(operand is node for node in nodes)]
    alternatives = with_operands(Or((), junction.span), nodes)
    return view.text_with({id(junction): with_operands(And((), junction.span), [alternatives, *rest])})


def _proved(view: TreeView, clauses: Clauses, redundant: _Redundant) -> Proved:
    junction, operand, reason = redundant
    name = _quote(view, operand)
    draft = Draft(
        operand.span,
        "",
        f"without {name}, the filter accepts the same packets",
        tuple(literal.part.span for literal in reason),
        _without(view, junction, operand),
        is_equal=True,
    )
    if isinstance(junction, And):
        if isinstance(operand, Not) and not reason:
            inner = _conflict(operand.operand, clauses)
            return Proved("never-true", _with_conflict(view, draft, inner))
        if not reason:
            return Proved("always-true", draft._replace(fact=f"{name} is true for every packet"))
        identifier = "redundant-protocol" if _names_protocols(operand) else "redundant"
        return Proved(identifier, draft._replace(fact=f"{_outcomes(view, reason)} implies {name}"))
    if not reason:
        return Proved("never-true", _with_conflict(view, draft, _conflict(operand, clauses)))
    if all(literal.holds for literal in reason):
        fact = f"{name} is never true together with {_enumeration(view, [literal.part for literal in reason])}"
        return Proved("never-true", draft._replace(fact=fact))
    wider = [literal.part for literal in reason if not literal.holds]
    condition = [Literal(literal.part, True) for literal in reason if literal.holds]
    place = f" if {_outcomes(view, condition)} is true" if condition else ""
    return Proved("redundant", draft._replace(fact=f"{name} implies {_enumeration(view, wider, 'or')}{place}"))


def _names_protocols(part: Part) -> bool:
    """Return whether a part consists of the names or numbers of protocols only."""
    return not isinstance(part, Run) and all(
        isinstance(leaf, Protocol) or (isinstance(leaf, Match) and leaf.qualifiers.kind == "proto")
        for leaf in leaves(part)
    )


def _with_conflict(view: TreeView, draft: Draft, conflict: list[Part]) -> Draft:
    """Return the finding that a clause is never true, whose reason are parts of it."""
    first, *others = (part.span for part in conflict)
    if others:
        fact = f"{_enumeration(view, conflict)} are never true together"
    else:
        fact = f"{_quote(view, conflict[0])} is true for no packet"
    return draft._replace(span=first, fact=fact, related=tuple(others))


def _without(view: TreeView, junction: And | Or, operand: Part) -> str:
    """Return the text without an operand of a junction; empty for a run of identifiers."""
    if isinstance(operand, Run):
        return ""
    others = [other for other in junction.operands if other is not operand]
    return view.text_with({id(junction): with_operands(junction, others)})


# Texts


def _quote(view: TreeView, part: Part) -> str:
    return f"the list of {len(part.matches)} identifiers" if isinstance(part, Run) else view.quote(part)


def _outcomes(view: TreeView, literals: list[Literal]) -> str:
    return " and ".join(
        _quote(view, literal.part) if literal.holds else f"not {_quote(view, literal.part)}" for literal in literals
    )


def _enumeration(view: TreeView, nodes: list[Part], word: str = "and") -> str:
    *names, last = (_quote(view, node) for node in nodes)
    return f"{', '.join(names)} {word} {last}" if names else last
