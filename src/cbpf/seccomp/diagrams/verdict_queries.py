"""Queries about regions in which opaque words or a computed verdict decide, with an SMT solver (extra `smt`).

`proofs` executes the programs without opaque words, and a region becomes a condition on the bits of the record.
"""

from collections.abc import Iterable, Sequence

from ..._typing import Final
from ...errors import Undecided
from ...isa.opcodes import SIGN_BIT, Action
from ...isa.verdicts import ACTION_MASK
from ...proofs.query import Query
from ...proofs.terms import BoolTerm, Terms, WordTerm
from ...proofs.verdicts import accepts_term, verdict_term
from ...vm import VM
from ..policies import Policy
from ..stacks import Stack
from .decision_diagram import FALSE, TRUE, DecisionDiagram, Node
from .record_bits import first_variable
from .verdict_relations import VIOLATIONS, RelationName

_RECORD_SIZE: Final = 64


class VerdictQueries:
    """Queries about the verdicts of filters on the records of a region.

    Args:
        diagram: The diagram of the regions.
        filters: The filters. At least one is a stack, and all stacks have one dialect.
        functions: The verdict of each filter as a function of the record.
        timeout: The time for all queries, in seconds from now; None: no limit.

    Attributes:
        terms: The builder of the terms.
        byte_order: The byte order of the records.
        verdicts: The verdict of each filter as a term; None for a policy.

    Raises:
        MissingLibrary: The library bitwuzla is not installed.
        Undecided: The stacks have different dialects.
    """

    def __init__(
        self,
        diagram: DecisionDiagram,
        filters: Sequence[Stack | Policy],
        functions: Sequence[Node],
        timeout: float | None,
    ) -> None:
        stacks = [filter_ for filter_ in filters if isinstance(filter_, Stack)]
        dialect = stacks[0].dialect
        if any(stack.dialect != dialect for stack in stacks):
            raise Undecided("arithmetic decides a verdict, and the filters are for machines of different byte orders")
        vms = [VM(program, engine="interpreter", dialect=dialect) for stack in stacks for program in stack.programs]
        self._diagram = diagram
        self._functions = functions
        self._query = Query(*vms, shortest=_RECORD_SIZE, longest=_RECORD_SIZE, timeout=timeout)
        self.terms = self._query.terms
        self.byte_order = dialect.byte_order
        self._conditions: dict[Node, BoolTerm] = {FALSE: False, TRUE: True}
        self._offsets = {first_variable(offset, self.byte_order): offset for offset in range(0, _RECORD_SIZE, 4)}
        executions = iter([verdict_term(self.terms, execution) for execution in self._query.executions])
        self.verdicts = [
            _kernels_choice(self.terms, [next(executions) for _ in filter_.programs])
            if isinstance(filter_, Stack)
            else None
            for filter_ in filters
        ]

    def has_verdict(self, index: int, number: int) -> BoolTerm:
        """Return the condition that a filter, by its index, has a verdict."""
        verdict = self.verdicts[index]
        if verdict is not None:
            return self.terms.equal(verdict, number)
        return self._condition(self._diagram.where(self._functions[index], self._diagram.leaf(number)))

    def violates(self, relation: RelationName, left: WordTerm, right: WordTerm) -> BoolTerm:
        """Return the condition that two verdicts violate a relation: `verdict_relations.is_violated` as a term."""
        terms = self.terms
        facts = [terms.negate(terms.equal(left, right))]
        facts += [accepts_term(terms, self._query.dialect, verdict) for verdict in (left, right)]
        rows = [zip(facts, row, strict=True) for row in sorted(VIOLATIONS[relation])]
        return terms.any(*(terms.all(*(fact if holds else terms.negate(fact) for fact, holds in row)) for row in rows))

    def find(self, sets: Iterable[Node], *conditions: BoolTerm) -> bytes | None:
        """Return a record in sets of numbers that satisfies conditions; None: there is none. Raises `Undecided`."""
        model = self._query.solve(*map(self._condition, sets), *conditions)
        return None if model is None else model.packet

    def _condition(self, function: Node) -> BoolTerm:
        """Return a Boolean function of the record as a term."""
        diagram, terms, results = self._diagram, self.terms, self._conditions
        for node in reversed(diagram.reachable(function)):
            if node not in results:
                bit = self._bit(diagram.variables[node])
                when_set = terms.all(bit, results[diagram.high[node]])
                when_clear = terms.all(terms.negate(bit), results[diagram.low[node]])
                results[node] = terms.any(when_set, when_clear)
        return results[function]

    def _bit(self, variable: int) -> BoolTerm:
        first = variable & ~31
        word = self._query.packet.load(self._offsets[first], 4, self.byte_order)
        return self.terms.compare(Action.BITS_SET, word, SIGN_BIT >> variable - first)


def _kernels_choice(terms: Terms, verdicts: Sequence[WordTerm]) -> WordTerm:
    """Return the verdict with the smallest action, of equal ones the last: `Stack.evaluate` as a term."""
    chosen, *others = verdicts
    for verdict in others:
        action, other = (terms.arithmetic(Action.AND, word, ACTION_MASK) for word in (verdict, chosen))
        chosen = terms.select(terms.signed_at_most(action, other), verdict, chosen)
    return chosen
