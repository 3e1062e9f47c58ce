"""Equivalence and implication of two programs."""

from ..isa.dialects import PCAP, Dialect
from ..proofs import equivalence as proofs
from ..proofs.equivalence import Difference
from ..proofs.verdicts import Relation, Verdicts
from .arguments import LinkTypeName, ProgramSource, as_programs


def difference(
    left: ProgramSource,
    right: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
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
        left: The first program: instructions or a filter expression.
        right: The second program: instructions or a filter expression.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
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
        ExpressionError: An expression cannot be compiled.
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
    return proofs.difference(
        *as_programs(left, right, link_type=link_type, dialect=dialect),
        dialect=dialect,
        relation=relation,
        verdicts=verdicts,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )


def equivalent(
    left: ProgramSource,
    right: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    verdicts: Verdicts = "exact",
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> bool:
    """Return whether two programs agree on every packet.

    Args:
        left: The first program: instructions or a filter expression.
        right: The second program: instructions or a filter expression.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect that verifies and runs both programs.
        verdicts: "exact" (the default) compares all 32 bits of the verdicts, "accept" only whether they accept the
            packet.
        shortest: The smallest captured length to consider, in bytes (0..16777215).
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        True if there is a proof that they agree, False if there is a counterexample.

    Raises:
        ExpressionError: An expression cannot be compiled.
        Undecided: There is neither within the timeout; see `difference`.
        VerificationError: The dialect rejects a program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> equivalent(cbpf.compile("ip or arp"), cbpf.compile("arp or ip"))
    True
    """
    return proofs.equivalent(
        *as_programs(left, right, link_type=link_type, dialect=dialect),
        dialect=dialect,
        verdicts=verdicts,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )


def implies(
    left: ProgramSource,
    right: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    verdicts: Verdicts = "accept",
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> bool:
    """Return whether one program accepts every packet that another program accepts.

    Args:
        left: The program that accepts fewer packets: instructions or a filter expression.
        right: The program that accepts more packets: instructions or a filter expression.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect that verifies and runs both programs.
        verdicts: "accept" (the default) compares only whether they accept the packet, "exact" requires that right
            returns left's verdict wherever left accepts.
        shortest: The smallest captured length to consider, in bytes (0..16777215).
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        True if there is a proof of the implication, False if there is a counterexample.

    Raises:
        ExpressionError: An expression cannot be compiled.
        Undecided: There is neither within the timeout; see `difference`.
        VerificationError: The dialect rejects a program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> implies(cbpf.compile("tcp port 80"), cbpf.compile("tcp"))
    True
    """
    return proofs.implies(
        *as_programs(left, right, link_type=link_type, dialect=dialect),
        dialect=dialect,
        verdicts=verdicts,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )
