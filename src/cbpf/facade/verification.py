"""The verifier."""

from ..errors import Finding
from ..isa import verifier
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource, as_program


def findings(
    program: ProgramSource, *, link_type: LinkTypeName = "EN10MB", dialect: Dialect = PCAP
) -> tuple[Finding, ...]:
    """Check a program, and return every reason why a dialect rejects it.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect whose rules apply.

    Returns:
        The findings in order of position; an empty tuple if the dialect accepts the program.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: An item is not an instruction, or *dialect* is not a `Dialect`.

    >>> from cbpf import LINUX, LoadScratch, RetA, Register
    >>> for finding in findings([LoadScratch(Register.A, 3), RetA()], dialect=LINUX):
    ...     print(finding)
    instruction 0: M[3] may be read before it is written; every path must initialise a scratch slot before \
reading it [scratch-unwritten]
    """
    return verifier.findings(as_program(program, link_type=link_type, dialect=dialect), dialect=dialect)


def verify(program: ProgramSource, *, link_type: LinkTypeName = "EN10MB", dialect: Dialect = PCAP) -> None:
    """Check a program, and raise an error if a dialect rejects it.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect whose rules apply.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: An item is not an instruction, or *dialect* is not a `Dialect`.
        VerificationError: The dialect rejects the program; the error holds all findings.

    >>> from cbpf import LINUX, RetConstant
    >>> verify([RetConstant(0)], dialect=LINUX)
    >>> verify([], dialect=LINUX)
    Traceback (most recent call last):
        ...
    cbpf.errors.VerificationError: program: has no instructions; a program has at least one [empty]
    """
    verifier.verify(as_program(program, link_type=link_type, dialect=dialect), dialect=dialect)
