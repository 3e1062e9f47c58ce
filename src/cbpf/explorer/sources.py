"""The source of a page: an expression or a program in any notation, with every error in its text."""

from __future__ import annotations

import re
import warnings

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Any, Final, Iterator, Mapping
from .names import PAGE_NAMES

MAX_TEXT: Final = 4_000_000  # characters of a program
_MAX_EXPRESSION: Final = 200_000  # characters
_WORD: Final = re.compile(r"[\w.:/-]+|\S")
_UNRECOGNIZED: Final = "not a program in a known notation"
_NO_INSTRUCTION: Final = "unknown instruction"


class BadRequest(ValueError):
    """The page sent a value that it should not send; the message has the field and the fact."""


class Settings(NamedTuple):
    """The settings of a source.

    Args:
        text: The text in the editor.
        link_type: The link type of the packets, for an expression.
        dialect: The dialect that verifies and runs the program.
        optimizes: Whether the program is optimised.
    """

    text: str
    link_type: str
    dialect: cbpf.Dialect
    optimizes: bool


class Subject(NamedTuple):
    """A source that was read.

    Args:
        notation: "expression" or "program".
        problems: Every error in the text, as JSON values with the offsets "start" and "end" in UTF-16 units, as in
            JavaScript; if there are none, the program is valid text.
        warnings: The messages of warnings.
        program: The program that runs; None if there are problems.
        mapped: The plain code of an expression with its clauses; None for a program.
    """

    notation: str
    problems: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()
    program: cbpf.Program | None = None
    mapped: cbpf.SourceMap | None = None


def settings(value: Any) -> Settings:
    """Return the settings of a JSON value: text, link_type, dialect and optimize.

    Raises:
        BadRequest: A value has another type, or is not known.
    """
    if not isinstance(value, Mapping):
        raise BadRequest("source: expected an object")
    text, link_type, dialect = (value.get(key, default) for key, default in _DEFAULTS)
    for name, given in (("text", text), ("link_type", link_type), ("dialect", dialect)):
        if not isinstance(given, str):
            raise BadRequest(f"source.{name}: expected text")
    if dialect not in cbpf.DIALECTS:
        raise BadRequest(f"source.dialect: unknown dialect; expected one of {', '.join(cbpf.DIALECTS)}")
    return Settings(text, link_type, cbpf.DIALECTS[dialect], value.get("optimize", True) is True)


_DEFAULTS: Final = (("text", ""), ("link_type", "EN10MB"), ("dialect", "pcap"))


def read(source: Settings) -> Subject:
    """Return the program of a source, or every error in its text."""
    if len(source.text) > MAX_TEXT:
        fact = f"the text has {len(source.text):,} characters; the page reads at most {MAX_TEXT:,}"
        return Subject("program", (problem(source.text, 0, 1, fact),))
    if not source.text.strip():
        return _expression(source)
    try:
        program = cbpf.parse(source.text)
    except cbpf.CbpfError as error:
        compiled = _expression(source)
        if not compiled.problems or _UNRECOGNIZED in str(error):
            return compiled
        problems = tuple(_program_problems(source.text, error))
        return (
            compiled
            if _is_rather_an_expression(source.text, error, len(compiled.problems))
            else Subject("program", problems)
        )
    return _program(source, program)


def _is_rather_an_expression(text: str, error: cbpf.CbpfError, mistakes: int) -> bool:
    """Return whether an invalid text is rather an expression, which has a number of mistakes.

    A line of an expression may look like an instruction, because `and` and `or` are instructions as well.
    """
    problems = error.problems if isinstance(error, cbpf.ProgramFormatError) else ()
    if not problems or not problems[0].message.startswith(_NO_INSTRUCTION):
        return False
    first_word = len(text) - len(text.lstrip())
    return offset(text, problems[0].line, problems[0].column) == first_word and len(problems) >= mistakes


def _program(source: Settings, program: cbpf.Program) -> Subject:
    rejected = cbpf.findings(program, dialect=source.dialect)
    if rejected:
        problems = (problem(source.text, 0, 0, str(finding), index=finding.index) for finding in rejected)
        return Subject("program", tuple(problems))
    if source.optimizes:
        program = cbpf.optimize(program, dialect=source.dialect)
    return Subject("program", (), (), program)


def _expression(source: Settings) -> Subject:
    if len(source.text) > _MAX_EXPRESSION:
        fact = f"the text has {len(source.text):,} characters; the page compiles at most {_MAX_EXPRESSION:,}"
        return Subject("expression", (problem(source.text, 0, 1, fact),))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            mapped = cbpf.source_map(source.text, link_type=source.link_type, names=PAGE_NAMES)
            program = cbpf.compile(
                source.text,
                link_type=source.link_type,
                dialect=source.dialect,
                optimizer="cbpf" if source.optimizes else None,
                names=PAGE_NAMES,
            )
        except cbpf.ExpressionError as error:
            return Subject("expression", tuple(_expression_problems(source.text, error)))
        except cbpf.CbpfError as error:
            return Subject("expression", (problem(source.text, 0, len(source.text), str(error)),))
    messages = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return Subject("expression", (), messages, program, mapped)


def _expression_problems(text: str, error: cbpf.ExpressionError) -> Iterator[dict[str, Any]]:
    for each in error.problems:
        start = offset(text, each.line, each.column)
        yield problem(text, start, _end_of_word(text, start), each.message, suggestion=error.suggestion)
    if not error.problems:
        yield problem(text, 0, len(text), str(error.args[0]), suggestion=error.suggestion)


def _program_problems(text: str, error: cbpf.CbpfError) -> Iterator[dict[str, Any]]:
    problems = error.problems if isinstance(error, cbpf.ProgramFormatError) else ()
    for each in problems:
        start = offset(text, each.line, each.column)
        yield problem(text, start, _end_of_word(text, start), each.message)
    if not problems:
        yield problem(text, 0, len(text), str(error))


def problem(
    text: str, start: int, end: int, message: str, *, suggestion: str = "", index: int | None = None
) -> dict[str, Any]:
    """Return an error as a JSON value; *index* is the instruction of a program that it concerns."""
    return {
        "start": utf16_offset(text, start),
        "end": utf16_offset(text, end),
        "message": message,
        "suggestion": suggestion,
        "index": index,
    }


def offset(text: str, line: int, column: int) -> int:
    """Return the offset of a line and a column, both from 1, at most the length of the text."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
        if start == 0:
            return len(text)
    return min(start + column - 1, len(text))


def utf16_offset(text: str, position: int) -> int:
    """Return an offset in the UTF-16 units of JavaScript."""
    if text.isascii():
        return min(position, len(text))
    return len(text[:position].encode("utf-16-le", "surrogatepass")) // 2


def _end_of_word(text: str, start: int) -> int:
    word = _WORD.match(text, start)
    return start if word is None else word.end()
