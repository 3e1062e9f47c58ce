"""Test packets that cover a program."""

from ..isa.dialects import PCAP, Dialect
from ..proofs import cases as proofs
from ..proofs.cases import Case
from .arguments import LinkTypeName, ProgramSource, as_program


def cases(
    program: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 60,
) -> tuple[Case, ...]:
    """Return few packets that together reach everything in a program that any packet reaches.

    They reach every instruction and both outcomes of every branch. For each load from the packet, one packet ends
    directly after the loaded bytes, and another one is a byte shorter. The verdicts are those of the program, whether
    they are intended or not.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect that verifies and runs the program.
        shortest: The smallest captured length to consider, in bytes (0..16777215). A dialect of records (SECCOMP) has a
            fixed size instead.
        longest: The greatest captured length to consider, in bytes (0..16777215).
        timeout: The time for all queries, in seconds; None: no limit.

    Returns:
        The packets, the shortest one first. `str` of the tuple returns the lines that `cbpf cases` prints.

    Raises:
        ExpressionError: An expression cannot be compiled.
        VerificationError: The dialect rejects the program.
        Undecided: The solver reached the timeout.
        MissingLibrary: bitwuzla is not installed (extra `smt`).
        FieldError: An argument is invalid.

    >>> import cbpf
    >>> for case in cases(cbpf.compile("arp")):
    ...     print(len(case.packet), case.verdict, ", ".join(case.reasons))
    13 0 runs 0, 0 lacks a byte
    14 0 runs 1, 3, 0 just fits, 1 is false
    14 262144 runs 2, 1 is true
    """
    return proofs.cases(
        as_program(program, link_type=link_type, dialect=dialect),
        dialect=dialect,
        shortest=shortest,
        longest=longest,
        timeout=timeout,
    )
