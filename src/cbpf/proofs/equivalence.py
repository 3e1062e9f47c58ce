"""Whether two programs agree on every packet: a proof, or a packet on which they do not (extra `smt`)."""

from functools import partial
from typing import Final

from .._record import Record
from .._validators import one_of
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..packet.metadata import Metadata
from ..vm import VM
from .machine import returns
from .query import Query
from .symbolic_packet import Model
from .verdicts import Relation, Verdicts, violated

_check_relation: Final = one_of("equal", "implies")
_check_verdicts: Final = one_of("exact", "keep")


class Difference(Record):
    """A packet on which two programs disagree; `VM.evaluate` gives the two verdicts, with these bytes and metadata.

    packet: its bytes as they were captured; wire_length: the length that it had; metadata: what is known beside.
    left_verdict, right_verdict: what the programs return.
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    left_verdict: int
    right_verdict: int


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
    """A packet on which the programs disagree, or None: there is a proof that they agree on every packet.

      relation: "equal"; or "implies": what left keeps, right keeps too.
      verdicts: "exact": all 32 bits of the verdict count; "keep": only whether the packet is kept. With "implies",
        "exact" asks that right gives left's verdict wherever left keeps. A verdict keeps if it is not 0; of a system
        call (a dialect of records), if its action lets the call run: SECCOMP_RET_ALLOW or SECCOMP_RET_LOG.
      shortest, longest: of a packet's captured bytes. Its length on the wire is any 32-bit number that is not smaller.
        A dialect of records has its own size in place of them.
      timeout: in seconds; None: no limit.

    Metadata, and header positions in LINUX, are any that `Metadata` can hold; `poff` is any number; draw i of `rand` is
    the same in both programs. The packet is small, and was run on both programs.

    Raises `Undecided` when the time is over: no answer is never taken for equality. `VerificationError` for a program
    that the dialect refuses, `MissingLibrary` without bitwuzla.

    >>> import cbpf
    >>> found = difference(cbpf.compile("ip"), cbpf.compile("ip6"))
    >>> found.packet.hex(), found.left_verdict, found.right_verdict
    ('00000000000000000000000086dd', 0, 262144)
    """
    _check_relation("relation", relation)
    _check_verdicts("verdicts", verdicts)
    check_dialect(dialect)
    machines = tuple(VM(program, engine="interpreter", dialect=dialect) for program in (left, right))
    question = Query(*machines, shortest=shortest, longest=longest, timeout=timeout)
    if machines[0].program == machines[1].program:
        return None
    violates = partial(violated, question.terms, dialect, relation, verdicts)

    def shows(sample: Model) -> bool:
        """Whether the programs really disagree on a packet."""
        return violates(*(returns(_evaluate(machine, sample)) for machine in machines)) is True

    sample = question.find(shows, condition=violates(*question.outcomes))
    if sample is None:
        return None
    return Difference(*sample, *(_evaluate(machine, sample) for machine in machines))


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
    """Whether the programs agree on every packet; arguments and errors are those of `difference`."""
    found = difference(
        left, right, dialect=dialect, verdicts=verdicts, shortest=shortest, longest=longest, timeout=timeout
    )
    return found is None


def implies(
    left: Instructions,
    right: Instructions,
    *,
    dialect: Dialect = PCAP,
    verdicts: Verdicts = "keep",
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> bool:
    """Whether right keeps every packet that left keeps; arguments and errors are those of `difference`.

    >>> import cbpf
    >>> implies(cbpf.compile("tcp port 80"), cbpf.compile("tcp"))
    True
    """
    found = difference(
        left,
        right,
        dialect=dialect,
        relation="implies",
        verdicts=verdicts,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )
    return found is None


def _evaluate(machine: VM, sample: Model) -> int:
    return machine.evaluate(sample.packet, metadata=sample.metadata, wire_length=sample.wire_length)
