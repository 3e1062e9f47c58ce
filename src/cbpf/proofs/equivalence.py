"""Equivalence and implication of two programs: a proof for all packets, or a counterexample (extra `smt`)."""

from functools import partial

from .._record import JsonRecord
from .._text import Readable
from .._typing import Final
from .._validators import one_of
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..isa.verdicts import describe_verdict
from ..packet.metadata import Metadata
from ..packet.packet_text import packet_lines
from ..vm import VM
from .machine import concrete_execution
from .query import Query
from .symbolic_packet import Model
from .verdicts import Relation, Verdicts, violation

_check_relation: Final = one_of("equal", "implies")
_check_verdicts: Final = one_of("exact", "accept")


class Difference(JsonRecord, Readable):
    """A counterexample: a packet for which the verdicts of two programs violate the relation.

    `VM.evaluate` reproduces the verdicts with the packet, its wire length and its metadata. `str` returns the
    lines that `cbpf diff` prints.

    Args:
        packet: The captured bytes.
        wire_length: The length of the packet on the wire, in bytes.
        metadata: The metadata that extension loads read.
        left_verdict: The verdict of the first program, an unsigned 32-bit number.
        right_verdict: The verdict of the second program.
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    left_verdict: int
    right_verdict: int

    def describe(self, *, dialect: Dialect = PCAP) -> str:
        """Return the difference as text.

        Args:
            dialect: The dialect of the programs, which determines the meaning of their verdicts.

        Returns:
            The verdicts on the first line, then the packet.
        """
        left, right = (describe_verdict(each, dialect=dialect) for each in (self.left_verdict, self.right_verdict))
        packet = packet_lines(self.packet, self.wire_length, self.metadata, dialect)
        return "\n".join([f"left {left}, right {right}", *packet])

    def __str__(self) -> str:
        return self.describe()


def difference(
    left: Instructions,
    right: Instructions,
    *,
    dialect: Dialect = PCAP,
    relation: Relation = "equal",
    verdicts: Verdicts = "exact",
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> Difference | None:
    """Return a packet on which two programs disagree, or None: there is a proof that they agree on every packet."""
    _check_relation("relation", relation)
    _check_verdicts("verdicts", verdicts)
    check_dialect(dialect)
    vms = tuple(VM(program, engine="interpreter", dialect=dialect) for program in (left, right))
    query = Query(*vms, shortest=shortest, longest=longest, timeout=timeout)
    if vms[0].program == vms[1].program:
        return None
    violates = partial(violation, query.terms, dialect, relation, verdicts)

    def confirm(model: Model) -> bool:
        """Return whether the relation is violated when the programs run on a packet."""
        return violates(*(concrete_execution(_evaluate(vm, model)) for vm in vms)) is True

    model = query.find(violates(*query.executions), confirm=confirm)
    if model is None:
        return None
    return Difference(*model, *(_evaluate(vm, model) for vm in vms))


def equivalent(
    left: Instructions,
    right: Instructions,
    *,
    dialect: Dialect = PCAP,
    verdicts: Verdicts = "exact",
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> bool:
    """Return whether two programs agree on every packet."""
    counterexample = difference(
        left, right, dialect=dialect, verdicts=verdicts, shortest=shortest, longest=longest, timeout=timeout
    )
    return counterexample is None


def implies(
    left: Instructions,
    right: Instructions,
    *,
    dialect: Dialect = PCAP,
    verdicts: Verdicts = "accept",
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> bool:
    """Return whether one program accepts every packet that another program accepts."""
    counterexample = difference(
        left,
        right,
        dialect=dialect,
        relation="implies",
        verdicts=verdicts,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )
    return counterexample is None


def _evaluate(vm: VM, model: Model) -> int:
    return vm.evaluate(model.packet, metadata=model.metadata, wire_length=model.wire_length)
