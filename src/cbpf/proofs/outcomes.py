"""Outcomes of programs on packets that have every byte that the programs load (extra `smt`).

A program that loads a missing byte rejects the packet, whatever it tests. The queries of this module leave such packets
aside: a program accepts a packet, or it returns 0 although it finds every byte.
"""

from collections.abc import Sequence

from ..errors import Undecided
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Program
from ..vm import VM
from .equivalence import Difference
from .machine import Execution, execute_symbolically
from .query import SPURIOUS_COUNTEREXAMPLE, Query
from .symbolic_packet import Model
from .terms import BoolTerm, Terms
from .verdicts import accepts_term


class Outcomes:
    """Queries about parts of a program, each of which is executed symbolically once.

    Args:
        program: The program; it contains all loads of its parts.
        dialect: Its dialect.
        timeout: The time for all queries, in seconds from now; None: no limit.
    """

    def __init__(self, program: Program, *, dialect: Dialect = PCAP, timeout: float | None) -> None:
        self._dialect = dialect
        self._query = _query(_vm(program, dialect), timeout=timeout)
        self._parts: dict[Program, tuple[VM, Execution]] = {}

    def can_coincide(self, outcomes: Sequence[tuple[Program, bool]]) -> bool:
        """Return whether a packet has all outcomes: each part with True accepts it, each other one returns 0.

        Raises `Undecided`.
        """
        model = self._query.solve(*(self._condition(part, accepts) for part, accepts in outcomes))
        if model is None:
            return False
        if any(bool(_verdict(self._parts[part][0], model)) is not accepts for part, accepts in outcomes):
            raise Undecided(SPURIOUS_COUNTEREXAMPLE)
        return True

    def _condition(self, part: Program, accepts: bool) -> BoolTerm:
        if part not in self._parts:
            vm = _vm(part, self._dialect)
            self._parts[part] = vm, execute_symbolically(vm.program, self._dialect, self._query.packet)
        return _outcome(self._query.terms, self._parts[part][1], accepts, self._dialect)


def accepted_by_one(
    narrow: Program,
    wide: Program,
    *,
    preferences: Sequence[Program] = (),
    dialect: Dialect = PCAP,
    timeout: float | None,
) -> Difference | None:
    """Return a small packet that the first program accepts and for which the second one returns 0, or None.

    The packet is accepted by the first of the *preferences* that allows one. None: there is a proof that no such packet
    exists. Raises the exceptions of `difference`.
    """
    vms = _vm(narrow, dialect), _vm(wide, dialect)
    query = _query(*vms, timeout=timeout)
    accepting, rejecting = query.executions
    differ = query.terms.all(
        _outcome(query.terms, accepting, True, dialect), _outcome(query.terms, rejecting, False, dialect)
    )
    if query.solve(differ) is None:
        return None
    for preference in (*preferences, None):
        also = () if preference is None else (_vm(preference, dialect),)
        executions = (execute_symbolically(vm.program, dialect, query.packet) for vm in also)
        conditions = (_outcome(query.terms, execution, True, dialect) for execution in executions)
        condition = query.terms.all(differ, *conditions)

        def confirm(model: Model, accepting: Sequence[VM] = (vms[0], *also)) -> bool:
            return all(_has_outcome(vm, True, model) for vm in accepting) and _has_outcome(vms[1], False, model)

        model = query.find(condition, confirm=confirm)
        if model is not None:
            return Difference(*model, *(_verdict(vm, model) for vm in vms))
    return None


def _vm(program: Program, dialect: Dialect) -> VM:
    return VM(program, engine="interpreter", dialect=dialect)


def _query(*vms: VM, timeout: float | None) -> Query:
    return Query(*vms, shortest=0, longest=65535, timeout=timeout)


def _outcome(terms: Terms, execution: Execution, accepts: bool, dialect: Dialect) -> BoolTerm:
    """Return the condition that a program ends with an outcome; an end at a missing byte is none."""
    verdicts = [(path, accepts_term(terms, dialect, verdict)) for path, verdict in execution.returned]
    return terms.any(*(terms.all(path, accepted if accepts else terms.negate(accepted)) for path, accepted in verdicts))


def _has_outcome(vm: VM, accepts: bool, model: Model) -> bool:
    """Return whether a run on a packet ends with an outcome."""
    if bool(_verdict(vm, model)) is not accepts:
        return False
    steps = vm.trace(model.packet, wire_length=model.wire_length, metadata=model.metadata)
    return accepts or all(step.fetched is None or step.fetched.value is not None for step in steps)


def _verdict(vm: VM, model: Model) -> int:
    return vm.evaluate(model.packet, metadata=model.metadata, wire_length=model.wire_length)
