"""Reachability in one program."""

from ..isa.dialects import PCAP, Dialect
from ..proofs import reachability as proofs
from ..proofs.reachability import DeadCode, Witness, WitnessVerdict
from .arguments import LinkTypeName, ProgramSource, as_program


def witness(
    program: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    verdict: WitnessVerdict | None = None,
    reaches: int | None = None,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> Witness | None:
    """Return a small packet with a given verdict or path, or None: there is a proof that no such packet exists.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        verdict: "accept" for a packet that is accepted, "reject" for one that is rejected, or the verdict as a number;
            None (the default): any verdict. `difference` defines when a verdict accepts.
        reaches: The index of an instruction that must run; None (the default): any path.
        dialect: The dialect that verifies and runs the program.
        shortest: The smallest captured length to consider, in bytes (0..16777215). A dialect of records (SECCOMP) has a
            fixed size instead.
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        The packet, or None if there is none.

    Raises:
        ExpressionError: An expression cannot be compiled.
        Undecided: There is neither a packet nor a proof within the timeout; see `difference`.
        VerificationError: The dialect rejects the program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> web = cbpf.compile("tcp port 80")
    >>> witness(web, verdict="accept").packet[-2:].hex()
    '0050'
    >>> witness(cbpf.compile("ip and ip6", optimizer=None), verdict="accept") is None
    True
    """
    return proofs.witness(
        as_program(program, link_type=link_type, dialect=dialect),
        verdict=verdict,
        reaches=reaches,
        dialect=dialect,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )


def dead(
    program: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 60,
) -> DeadCode:
    r"""Return the instructions and branches that no packet reaches.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect that verifies and runs the program.
        shortest: The smallest captured length to consider, in bytes (0..16777215). A dialect of records (SECCOMP) has a
            fixed size instead.
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for all queries, in seconds; None: no limit.

    Returns:
        The dead code; it is false if there is none.

    Raises:
        ExpressionError: An expression cannot be compiled.
        Undecided: The solver reached the timeout; see `difference`.
        VerificationError: The dialect rejects the program.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> dead(cbpf.parse("ldh [12]\njeq #0x800,0,2\njeq #0x806,0,1\nret #1\nret #0"))
    DeadCode(instructions=(3,), branches=((2, True),))
    """
    return proofs.dead(
        as_program(program, link_type=link_type, dialect=dialect),
        dialect=dialect,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )
