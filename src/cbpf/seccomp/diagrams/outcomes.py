"""The verdicts that filters have on sets of calls, each with a call that shows it."""

from collections.abc import Hashable, Iterator, Sequence

from ..._lazy import Lazy
from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Final, TypeAlias
from ..calls import SystemCall
from ..policies import Policy
from ..stacks import Stack
from .call_sets import CallSet, call_set
from .decision_diagram import LEAF, TRUE, DecisionDiagram, Node
from .record_bits import FIELDS, RECORD_BITS
from .regions import Region, regions_of
from .verdict_relations import RelationName

if TYPE_CHECKING:
    from ...proofs.terms import BoolTerm
    from .verdict_queries import VerdictQueries

Verdicts: TypeAlias = tuple[int | None, ...]
"""The verdict of each filter; None for one that is computed and depends on the call."""

IRRELEVANT: Final = None
"""The value of the leaves that have no outcome: there, the relation of the filters holds."""


class Outcome(NamedTuple):
    """The verdicts that filters have on calls.

    Args:
        calls: The calls, all of which have these verdicts unless *is_computed*.
        verdicts: The verdict of each filter.
        witness: One of the calls, with these verdicts.
        is_computed: Whether other ones of the calls may have other verdicts.
    """

    calls: CallSet
    verdicts: Verdicts
    witness: SystemCall
    is_computed: bool


def outcomes_of(
    diagram: DecisionDiagram,
    function: Node,
    filters: Sequence[Stack | Policy],
    functions: Sequence[Node],
    *,
    relation: RelationName | None = None,
    timeout: float | None,
) -> list[Outcome]:
    """Return the outcomes of one or two filters, which are disjoint sets of calls.

    *functions* are the verdicts of the filters. *function* is that of one filter, or pairs of the verdicts of two where
    these violate *relation*, and else IRRELEVANT. *timeout* is the time for all queries to the solver, in seconds from
    the first one; None: no limit.

    Raises `TooManySteps`, `Undecided` and `MissingLibrary`.
    """
    finder = _OutcomeFinder(diagram, filters, functions, relation, timeout)
    regions = regions_of(diagram, function, diagram.leaf(IRRELEVANT))
    return [outcome for region in regions for outcome in finder.outcomes(region)]


class _OutcomeFinder:
    def __init__(
        self,
        diagram: DecisionDiagram,
        filters: Sequence[Stack | Policy],
        functions: Sequence[Node],
        relation: RelationName | None,
        timeout: float | None,
    ) -> None:
        self._diagram = diagram
        self._filters = filters
        self._functions = functions
        self._relation = relation
        self._timeout = timeout

    def outcomes(self, region: Region) -> Iterator[Outcome]:
        """Yield the outcomes on the calls of a region."""
        diagram = self._diagram
        calls = call_set(region)
        nodes = diagram.reachable(region.rest)
        leaves: dict[Verdicts, Node] = {}
        for leaf in filter(diagram.is_leaf, nodes):
            value = diagram.leaf_value(leaf)
            if value is not IRRELEVANT:
                leaves[_known(value)] = leaf
        is_computed = len(nodes) > 1
        has_opaque = any(RECORD_BITS <= diagram.variables[node] < LEAF for node in nodes)
        earlier: list[BoolTerm] = []
        for known in sorted(leaves, key=_by_knowledge):
            if not has_opaque and None not in known:
                yield Outcome(calls, known, self._call(region, leaves[known]), is_computed)
                continue
            has_verdicts = self._has_verdicts(known)
            record = self._queries.find(region.sets, has_verdicts, *self._violation(known), *earlier)
            if record is not None:
                witness = SystemCall.from_bytes(record, byte_order=self._queries.byte_order)
                yield Outcome(calls, known, witness, is_computed=True)
            earlier.append(self._queries.terms.negate(has_verdicts))

    def _call(self, region: Region, leaf: Node) -> SystemCall:
        """Return the call with the smallest number of each set of a region, for which its function is a leaf."""
        true_variables = self._diagram.path(region.rest, leaf).union(
            *(self._diagram.path(numbers, TRUE) for numbers in region.sets)
        )
        architecture, number, *arguments, pointer = (field.value(true_variables) for field in FIELDS)
        return SystemCall(number, arguments, architecture=architecture, instruction_pointer=pointer)

    @Lazy
    def _queries(self) -> "VerdictQueries":
        from .verdict_queries import VerdictQueries

        return VerdictQueries(self._diagram, self._filters, self._functions, self._timeout)

    def _has_verdicts(self, known: Verdicts) -> "BoolTerm":
        """Return the condition that the filters have these verdicts."""
        numbers = [(index, number) for index, number in enumerate(known) if number is not None]
        return self._queries.terms.all(*(self._queries.has_verdict(index, number) for index, number in numbers))

    def _violation(self, known: Verdicts) -> "list[BoolTerm]":
        """Return the condition that the relation is violated, unless the verdicts are numbers that violate it."""
        if self._relation is None or None not in known:
            return []
        terms = zip(self._queries.verdicts, known, strict=True)
        left, right = (term if number is None else number for term, number in terms)
        return [self._queries.violates(self._relation, left, right)]


def _known(value: Hashable) -> Verdicts:
    """Return the verdicts of a leaf, with None for those that are computed."""
    verdicts = value if type(value) is tuple else (value,)
    return tuple([verdict if isinstance(verdict, int) else None for verdict in verdicts])


def _by_knowledge(known: Verdicts) -> tuple[int, ...]:
    """Return a key by which verdicts that are numbers come first, in ascending order."""
    return (known.count(None), *[verdict or 0 for verdict in known])
