"""The generator: a syntax tree to a condition, from left to right, without recursion."""

from collections.abc import Mapping, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING
from ...isa.word_ranges import Ranges
from ..address_lists import HostRanges
from ..names import Lookups
from ..problems import ExpressionProblem, ExpressionProblems
from ..syntax_tree import And, Match, Not, Or, Primitive, Protocol, Relation, Span
from ..syntax_tree import Condition as Node
from ..target import Target
from .conditions import Condition, all_of, any_of, clause, negation
from .context import SHORTEST_RUN, Context, Warned
from .identifiers import match
from .link_layers import is_supported
from .network_protocols import protocol_is
from .prologue import prologue

if TYPE_CHECKING:
    from .identifier_runs import Part

# Modules that few expressions need are imported at their first use.


class Lists(NamedTuple):
    """Lists of addresses and ports that a packet must match as well.

    Args:
        addresses: The addresses.
        ports: The ports.
        direction: The addresses and ports that must be in the lists: "src or dst", "src and dst", "src" or "dst".
    """

    addresses: HostRanges
    ports: Ranges
    direction: str


class Generated(NamedTuple):
    """The condition of an expression.

    Args:
        condition: The condition, with the measurements that it refers to.
        measurements: The measurements alone, a condition that is true for packets of the link type.
        parts: The condition of each part of the text, by its span.
        warnings: The warnings about the program.
        lists: The conditions of the lists, which come before those of the text.
    """

    condition: Condition
    measurements: Condition
    parts: Mapping[Span, Condition]
    warnings: tuple[Warned, ...]
    lists: tuple[Condition, ...]


def generate(
    tree: Node | None,
    target: Target,
    names: Lookups,
    *,
    lists: Lists | None = None,
    forced: Mapping[Span, bool] | None = None,
) -> Generated:
    """Return the condition of an expression.

    Args:
        tree: The syntax tree; None accepts every packet.
        target: The packets.
        names: The names.
        lists: Lists that the packets must match as well.
        forced: Outcomes of parts of the text, by their spans; these parts still change the positions of headers.

    Returns:
        The condition.

    Raises:
        ExpressionProblems: All problems of the expression.
    """
    generator = _Generator(Context(target, names), forced or {})
    return generator.generate(tree, lists)


class _Joint(NamedTuple):
    """A node whose operands are generated before it; *arity* is their number."""

    node: And | Or | Not
    arity: int


class _Generator:
    def __init__(self, context: Context, forced: Mapping[Span, bool]) -> None:
        self._context = context
        self._forced = forced
        self._parts: dict[Span, Condition] = {}
        self._problems: list[ExpressionProblem] = []

    def generate(self, tree: Node | None, lists: Lists | None) -> Generated:
        context = self._context
        if tree is not None and not is_supported(context.target.dlt):
            fact = f"link type {context.link_type_name} has no filter expressions"
            rule = "only the empty one is possible, which accepts every packet"
            raise ExpressionProblems((ExpressionProblem(tree.span, "link-type", fact, rule),))
        of_lists = () if lists is None else tuple(self._lists(lists))
        wanted = of_lists if tree is None else (*of_lists, self._tree(tree))
        if self._problems:
            raise ExpressionProblems(tuple(self._problems))
        measurements = True if tree is None and not wanted else prologue(context)
        condition = all_of((measurements, *wanted))
        return Generated(condition, measurements, self._parts, tuple(context.warnings), of_lists)

    def _lists(self, lists: Lists) -> list[Condition]:
        from .sets import address_set, port_set

        try:
            conditions = []
            if lists.addresses.ipv4 or lists.addresses.ipv6:
                conditions.append(address_set(self._context, None, lists.direction, lists.addresses))
            if lists.ports:
                conditions.append(port_set(self._context, None, lists.direction, lists.ports))
        except ExpressionProblem as problem:
            self._problems.append(problem)
        return conditions

    def _tree(self, root: Node) -> Condition:
        results: list[Condition] = []
        stack: list[Part | _Joint] = [root]
        while stack:
            item = stack.pop()
            if isinstance(item, _Joint):
                results[-item.arity :] = [self._joint(item.node, results[-item.arity :])]
            elif isinstance(item, Not):
                stack += (_Joint(item, 1), item.operand)
            elif isinstance(item, And | Or):
                operands = self._operands(item)
                stack.append(_Joint(item, len(operands)))
                stack += reversed(operands)
            else:
                results.append(self._leaf(item))
        return results.pop()

    def _operands(self, node: And | Or) -> "Sequence[Part]":
        """Return the operands of a node, with long runs of identifiers as one part each."""
        if len(node.operands) < SHORTEST_RUN:
            return node.operands
        from .identifier_runs import parts

        return list(parts(node.operands, is_conjunction=isinstance(node, And)))

    def _joint(self, node: And | Or | Not, operands: list[Condition]) -> Condition:
        if isinstance(node, Not):
            condition = negation(operands[0])
        else:
            condition = all_of(operands) if isinstance(node, And) else any_of(operands)
        return self._remembered(node.span, condition)

    def _leaf(self, leaf: "Part") -> Condition:
        """Return the condition of a leaf of the tree; of one that cannot be compiled, `False`, as others may follow."""
        context = self._context
        context.span = leaf.span
        try:
            condition = self._condition(leaf)
        except ExpressionProblem as problem:
            self._problems.append(problem)
            condition = False
        except ExpressionProblems as found:
            self._problems += found.problems
            condition = False
        return self._remembered(leaf.span, clause(condition, leaf.span))

    def _condition(self, leaf: "Part") -> Condition:
        context = self._context
        if isinstance(leaf, Match):
            return match(context, leaf)
        if isinstance(leaf, Protocol):
            return protocol_is(context, leaf.name)
        if isinstance(leaf, Relation):
            from .relations import relation

            return relation(context, leaf)
        if isinstance(leaf, Primitive):
            from .primitives import primitive

            return primitive(context, leaf)
        from .identifier_runs import Run, run_condition

        assert isinstance(leaf, Run)
        condition = run_condition(context, leaf)
        return negation(condition) if leaf.is_negated else condition

    def _remembered(self, span: Span, condition: Condition) -> Condition:
        condition = self._forced.get(span, condition)
        self._parts[span] = condition
        return condition
