"""Equivalence and implication of two programs: a proof for all packets, or a counterexample (extra `smt`)."""

from functools import partial
from typing import Final

from .._record import Record
from .._validators import one_of
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..packet.metadata import Metadata
from ..vm import VM
from .machine import concrete_execution
from .query import Query
from .symbolic_packet import Model
from .verdicts import Relation, Verdicts, violation

_check_relation: Final = one_of("equal", "implies")
_check_verdicts: Final = one_of("exact", "accept")


class Difference(Record):
    """A counterexample: a packet for which the verdicts of two programs violate the relation.

    `VM.evaluate` reproduces the verdicts with the packet, its wire length and its metadata.

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
    """Return a packet on which two programs disagree, or None: there is a proof that they agree on every packet.

    The proof covers every value that `Metadata` can hold, every header position in LINUX, every `poff`, and every
    random number; draw i of `rand` is equal in both programs. A counterexample is shrunk, and was run on both programs.

    Args:
        left: The first program, as typed or raw instructions.
        right: The second program.
        dialect: The dialect that verifies and runs both programs.
        relation: "equal" (the default), or "implies": right accepts every packet that left accepts.
        verdicts: "exact" (the default): all 32 bits of the verdict count. "accept": only whether the packet is
            accepted. With "implies", "exact" requires that right returns left's verdict wherever left accepts. A
            verdict accepts a packet if it is not 0, and a system call (SECCOMP) if its action is SECCOMP_RET_ALLOW or
            SECCOMP_RET_LOG.
        shortest: The smallest captured length to consider, in bytes (0..16777215). The wire length is any 32-bit number
            that is not smaller than the captured length. A dialect of records (SECCOMP) has a fixed size instead.
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        The counterexample, or None if there is none.

    Raises:
        Undecided: The solver reached the timeout, or the counterexample depends on netlink attributes that are not
            modelled. A missing answer is never reported as equality.
        VerificationError: The dialect rejects a program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> counterexample = difference(cbpf.compile("ip"), cbpf.compile("ip6"))
    >>> counterexample.packet.hex(), counterexample.left_verdict, counterexample.right_verdict
    ('00000000000000000000000086dd', 0, 262144)
    """
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
    """Return whether two programs agree on every packet.

    Args:
        left: The first program, as typed or raw instructions.
        right: The second program.
        dialect: The dialect that verifies and runs both programs.
        verdicts: "exact" (the default) compares all 32 bits of the verdicts, "accept" only whether they accept the
            packet.
        shortest: The smallest captured length to consider, in bytes (0..16777215).
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        True if there is a proof that they agree, False if there is a counterexample.

    Raises:
        Undecided: There is neither within the timeout; see `difference`.
        VerificationError: The dialect rejects a program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> equivalent(cbpf.compile("ip or arp"), cbpf.compile("arp or ip"))
    True
    """
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
    """Return whether one program accepts every packet that another program accepts.

    Args:
        left: The program that accepts fewer packets, as typed or raw instructions.
        right: The program that accepts more packets.
        dialect: The dialect that verifies and runs both programs.
        verdicts: "accept" (the default) compares only whether they accept the packet, "exact" requires that right
            returns left's verdict wherever left accepts.
        shortest: The smallest captured length to consider, in bytes (0..16777215).
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        True if there is a proof of the implication, False if there is a counterexample.

    Raises:
        Undecided: There is neither within the timeout; see `difference`.
        VerificationError: The dialect rejects a program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> implies(cbpf.compile("tcp port 80"), cbpf.compile("tcp"))
    True
    """
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
