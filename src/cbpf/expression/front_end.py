"""The front end: the text of an expression to plain instructions, which no optimiser has changed.

`libpcap_front_end` has the same task, for comparisons.
"""

from collections.abc import Mapping

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from ..errors import ExpressionError
from ..isa.instructions import RetConstant
from ..isa.raw_instruction import RawInstruction
from ..isa.word_ranges import NO_SETS, SetTest
from .address_lists import Expression, HostRanges
from .generator.assembler import assemble
from .generator.generate import Generated, Lists, generate
from .names import Lookups
from .parser import parse
from .primitives import SyntaxProblem
from .problems import ExpressionProblem, ExpressionProblems
from .syntax_tree import Span
from .target import Target

RawInstructions: TypeAlias = tuple[RawInstruction, ...]

REJECT_ALL: Final[RawInstructions] = (RetConstant(0).assemble(),)
"""The program of an expression that rejects every packet."""


class Code(NamedTuple):
    """The plain code of an expression.

    Args:
        instructions: The instructions; a jump at an index in *sets* represents a test of a set.
        spans: The part of the text to which each instruction belongs, or None.
        sets: The sets, by index.
        warnings: The warnings about the code, each one line.
        socket_warnings: The warnings about the code as the filter of a live socket.
    """

    instructions: RawInstructions
    spans: tuple[Span | None, ...] = ()
    sets: Mapping[int, SetTest] = NO_SETS
    warnings: tuple[str, ...] = ()
    socket_warnings: tuple[str, ...] = ()


def plain_code(expression: Expression, target: Target, names: Lookups, *, keep_sets: bool = False) -> Code:
    """Return the plain code of an expression.

    With *keep_sets*, a long list is one jump, for the optimiser; otherwise it becomes comparisons.

    Raises `ExpressionError`; if the problem is the link type of the packets, `LinkTypeError`.
    """
    generated = generated_condition(expression, target, names)
    assembly = assemble(generated.condition, target.snaplen, keep_sets=keep_sets)
    general, of_sockets = (
        tuple(warning.fact for warning in generated.warnings if warning.concerns_sockets is concerns_sockets)
        for concerns_sockets in (False, True)
    )
    return Code(assembly.instructions, assembly.spans, assembly.sets, general, of_sockets)


def generated_condition(expression: Expression, target: Target, names: Lookups) -> Generated:
    """Return the condition of an expression; raises as `plain_code` does."""
    text = expression.text
    check_characters(text)
    try:
        return generate(parse(text), target, names, lists=_lists(expression))
    except SyntaxProblem as problem:
        found: tuple[SyntaxProblem | ExpressionProblem, ...] = (problem,)
    except ExpressionProblems as problems:
        found = problems.problems
    from .diagnosis.explain import diagnose
    from .diagnosis.judge import Judge

    raise diagnose(text, found, Judge(target, names))


def _lists(expression: Expression) -> Lists | None:
    hosts, hosts6, ports = expression.lists
    if not (hosts or hosts6 or ports):
        return None
    return Lists(HostRanges(hosts, hosts6), ports, expression.direction)


def check_characters(text: str) -> None:
    """Raise `ExpressionError` for text with a character that no file or argument can contain."""
    if "\0" in text:
        raise error_at(text, text.index("\0"), "NUL character")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        fact = f"lone surrogate {text[error.start]!r}; the text must be encodable as UTF-8"
        raise error_at(text, error.start, fact) from None


def error_at(text: str, offset: int, fact: str) -> ExpressionError:
    """Return an error with a place in the text."""
    from ..formats.text_input import SourceText

    return ExpressionError(fact, expression=text, problems=(SourceText(text).problem(offset, fact),))
