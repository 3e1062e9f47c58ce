"""The optimiser."""

from .._typing import TYPE_CHECKING
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Program
from ..optimizer import pipeline
from ..optimizer.pipeline import Stage
from .arguments import LinkTypeName, ProgramSource, as_program

if TYPE_CHECKING:
    from .._options import Goal


def optimize(
    program: ProgramSource,
    *,
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    goal: "Goal" = "size",
    prove: bool = False,
    timeout: float | None = 30,
) -> Program:
    r"""Return a shorter or faster program with the same verdict on every packet, of any length and with any metadata.

    A program is returned unchanged if its decision diagram would be too large, as for a sum that doubles forty times.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect whose arithmetic the result preserves and whose rules it satisfies. A program may be
            longer than the dialect allows; the result may then be too long as well, which `verify` reports.
        goal: "size" (the default) never returns more instructions than it was given. "speed" reduces the number of
            instructions on the longest path: it replaces many tests of one value by a binary search, which may have
            more instructions than a chain of tests, but not more than the dialect allows.
        prove: Prove with an SMT solver (extra `smt`) that both programs are equal on packets of up to 65,535 bytes.
        timeout: The time for the proof, in seconds; None: no limit.

    Returns:
        The optimised program.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: An argument is invalid.
        VerificationError: The dialect rejects the program for another reason than its length.
        Undecided: There is no answer within the timeout; see `difference` (only with *prove*).
        ProofFailed: The programs are not equal, which is an error of the optimiser (only with *prove*).

    >>> from cbpf import parse
    >>> print(optimize(parse("ldh [12]\ntax\ntxa\njeq #0x800,0,2\nldh [12]\nret #1\nret #0")))
    (000) ldh      [12]
    (001) jeq      #0x800           jt 2	jf 3
    (002) ret      #1
    (003) ret      #0
    """
    return pipeline.optimize(
        as_program(program, link_type=link_type, dialect=dialect, optimizer=None),
        dialect=dialect,
        goal=goal,
        prove=prove,
        timeout=timeout,
    )


def optimization_stages(
    program: ProgramSource, *, link_type: LinkTypeName = "EN10MB", dialect: Dialect = PCAP, goal: "Goal" = "size"
) -> tuple[Stage, ...]:
    r"""Return the program after each stage of `optimize` that changed it.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect whose arithmetic the optimiser preserves.
        goal: "size" (the default) or "speed"; see `optimize`.

    Returns:
        The stages in order. Empty if the decision diagram of the program would be too large.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: An argument is invalid.
        VerificationError: The dialect rejects the program for another reason than its length.

    >>> from cbpf import parse
    >>> for stage in optimization_stages(parse("ldh [12]\ntax\ntxa\njeq #1,0,1\nret #1\nret #0")):
    ...     print(len(stage.program), stage.name)
    4 value numbering, dead code, registers
    """
    return pipeline.optimization_stages(
        as_program(program, link_type=link_type, dialect=dialect, optimizer=None), dialect=dialect, goal=goal
    )
