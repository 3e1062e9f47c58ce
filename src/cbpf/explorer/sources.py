"""The source of a page: an expression or a program in any notation, with every error in its text."""

from __future__ import annotations

import re
from itertools import islice

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Any, Callable, Final, Iterator, Mapping, Sequence, get_args
from .caught import caught_warnings
from .names import PAGE_NAMES
from .offsets import Offsets

MAX_TEXT: Final = 4_000_000  # characters of a program
_MAX_EXPRESSION: Final = 200_000  # characters
_MAX_PROBLEMS: Final = 500  # of one source
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
        snaplen: The verdict on accepted packets, for an expression.
        netmask: The netmask of the network, for an expression; None: unknown.
        goal: The goal of the optimiser.
        live: Whether the source is for a live Linux packet socket: an expression is compiled for it, and packets are
            presented as the socket receives them.
    """

    text: str
    link_type: str
    dialect: cbpf.Dialect
    optimizes: bool
    snaplen: int = cbpf.DEFAULT_SNAPLEN
    netmask: str | None = None
    goal: cbpf.Goal = "size"
    live: bool = False


class Subject(NamedTuple):
    """A source that was read.

    Args:
        notation: "expression" or "program".
        problems: The errors in the text, at most 500, as JSON values with the offsets "start" and "end" in UTF-16
            units, as in JavaScript; if there are none, the program is valid text.
        warnings: The messages of warnings.
        program: The program that runs; None if there are problems.
        mapped: The plain code of an expression with its clauses; None for a program.
        written: The program of the text itself, before the optimiser; of an expression its plain code.
        more: The number of errors beyond those of *problems*.
    """

    notation: str
    problems: tuple[dict[str, Any], ...]
    warnings: tuple[str, ...] = ()
    program: cbpf.Program | None = None
    mapped: cbpf.SourceMap | None = None
    written: cbpf.Program | None = None
    more: int = 0


def settings(value: Any) -> Settings:
    """Return the settings of a JSON value.

    Its keys are text, link_type, dialect, optimize, snaplen (0: the default), netmask (empty: unknown), goal and live;
    each may be absent.

    Raises:
        BadRequest: A value has another type, or is not known.
    """
    if not isinstance(value, Mapping):
        raise BadRequest("source: expected an object")
    given = {name: value.get(name, default) for name, default in _DEFAULTS.items()}
    for name, default in _DEFAULTS.items():
        if type(given[name]) is not type(default):
            raise BadRequest(f"source.{name}: expected {_TYPES[type(default)]}")
    _require_choice("dialect", given["dialect"], tuple(cbpf.DIALECTS))
    _require_choice("goal", given["goal"], _GOALS)
    if not 0 <= given["snaplen"] < 1 << 32:
        raise BadRequest(f"source.snaplen: {given['snaplen']} is not a length in bytes, from 0 to {(1 << 32) - 1}")
    return Settings(
        given["text"],
        given["link_type"],
        cbpf.DIALECTS[given["dialect"]],
        given["optimize"],
        given["snaplen"] or cbpf.DEFAULT_SNAPLEN,
        given["netmask"] or None,
        given["goal"],
        given["live"],
    )


_GOALS: Final = get_args(cbpf.Goal)
_DEFAULTS: Final[dict[str, Any]] = {
    "text": "",
    "link_type": "EN10MB",
    "dialect": "pcap",
    "optimize": True,
    "snaplen": 0,
    "netmask": "",
    "goal": "size",
    "live": False,
}
_TYPES: Final[dict[type, str]] = {str: "text", bool: "true or false", int: "a whole number"}


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise BadRequest(f"source.{name}: unknown {name}; expected one of {', '.join(choices)}")


def read(source: Settings) -> Subject:
    """Return the program of a source, or every error in its text."""
    if len(source.text) > MAX_TEXT:
        fact = f"the text has {len(source.text):,} characters; the page reads at most {MAX_TEXT:,}"
        return Subject("program", (problem(Offsets(source.text), 0, 1, fact),))
    if not source.text.strip():
        return _expression(source)
    try:
        program = cbpf.parse(source.text)
    except cbpf.CbpfError as error:
        compiled = _expression(source)
        if not compiled.problems or _UNRECOGNIZED in str(error):
            return compiled
        if _is_rather_an_expression(source.text, error, len(compiled.problems) + compiled.more):
            return compiled
        return _invalid_program(source.text, error)
    return _program(source, program)


def runnable(
    request: Mapping[str, Any], key: str = "source", read: Callable[[Settings], Subject] = read
) -> tuple[Subject, Settings, cbpf.Program]:
    """Return the source of a request, its settings, and its program.

    Args:
        request: A JSON object.
        key: The key of the source in it.
        read: The function that reads the source, such as one with a cache.

    Raises:
        BadRequest: The request has no such source, or its text has errors.
    """
    source = settings(request.get(key))
    subject = read(source)
    if subject.program is None:
        raise BadRequest("the source has errors")
    return subject, source, subject.program


def _is_rather_an_expression(text: str, error: cbpf.CbpfError, mistakes: int) -> bool:
    """Return whether an invalid text is rather an expression, which has a number of mistakes.

    A line of an expression may look like an instruction, because `and` and `or` are instructions as well.
    """
    problems = error.problems if isinstance(error, cbpf.ProgramFormatError) else ()
    if not problems or not problems[0].message.startswith(_NO_INSTRUCTION):
        return False
    first_word = len(text) - len(text.lstrip())
    return Offsets(text).of(problems[0].line, problems[0].column) == first_word and len(problems) >= mistakes


def _program(source: Settings, program: cbpf.Program) -> Subject:
    rejected = cbpf.findings(program, dialect=source.dialect)
    if rejected:
        places, offsets = Places(source.text), Offsets(source.text)
        shown = rejected[:_MAX_PROBLEMS]
        problems = (problem(offsets, *places.of(each.index), str(each), index=each.index) for each in shown)
        return Subject("program", tuple(problems), more=len(rejected) - len(shown))
    optimized = cbpf.optimize(program, dialect=source.dialect, goal=source.goal) if source.optimizes else program
    return Subject("program", (), (), optimized, None, program)


class Places:
    """The places of the instructions of a program in its text.

    Args:
        text: The text of a program.
    """

    def __init__(self, text: str) -> None:
        self._spans = cbpf.instruction_spans(text)

    def of(self, first: int | None, last: int | None = None) -> tuple[int, int]:
        """Return the offsets of an instruction, or of a range of instructions; 0 and 0 if they are not known."""
        if first is None or not self._spans:
            return 0, 0
        return self._spans[first].start, self._spans[first if last is None else last].end


def _expression(source: Settings) -> Subject:
    offsets = Offsets(source.text)
    if len(source.text) > _MAX_EXPRESSION:
        fact = f"the text has {len(source.text):,} characters; the page compiles at most {_MAX_EXPRESSION:,}"
        return Subject("expression", (problem(offsets, 0, 1, fact),))
    with caught_warnings() as caught:
        try:
            mapped = _mapped(source)
            program = cbpf.compile(
                source.text,
                link_type=source.link_type,
                snaplen=source.snaplen,
                netmask=source.netmask,
                optimizer="cbpf" if source.optimizes else None,
                dialect=source.dialect,
                goal=source.goal,
                names=PAGE_NAMES,
                live=source.live,
            )
            cbpf.verify(program, dialect=source.dialect)
        except cbpf.ExpressionError as error:
            return _invalid_expression(source.text, error)
        except cbpf.VerificationError as error:
            problems = tuple(islice(_clause_problems(source, mapped, offsets), _MAX_PROBLEMS))
            return Subject("expression", problems or (problem(offsets, 0, len(source.text), str(error)),))
        except cbpf.FieldError as error:  # of a setting; its message begins with the function and the argument
            message = str(error).removeprefix("compile.").removeprefix("source_map.")
            return Subject("expression", (problem(offsets, 0, 0, message),))
        except cbpf.CbpfError as error:
            return Subject("expression", (problem(offsets, 0, len(source.text), str(error)),))
    messages = tuple(dict.fromkeys(str(warning.message) for warning in caught))
    return Subject("expression", (), messages, program, mapped, mapped.program)


def _clause_problems(source: Settings, mapped: cbpf.SourceMap, offsets: Offsets) -> Iterator[dict[str, Any]]:
    """Yield the findings of the verifier about the plain code of an expression: of each clause, one for each rule."""
    clause_of = {index: clause.span for clause in mapped.clauses for index in clause.instructions}
    groups: dict[tuple[cbpf.Span | None, str], list[cbpf.Finding]] = {}
    for finding in cbpf.findings(mapped.program, dialect=source.dialect):
        span = None if finding.index is None else clause_of.get(finding.index)
        groups.setdefault((span, finding.identifier), []).append(finding)
    for (span, _), (first, *others) in groups.items():
        more = f" (and {len(others)} more of this part)" if others else ""
        yield problem(offsets, *(span or (0, len(source.text))), f"{first}{more}", index=first.index)


def _mapped(source: Settings) -> cbpf.SourceMap:
    """Return the plain code of an expression with its clauses."""
    return cbpf.source_map(
        source.text,
        link_type=source.link_type,
        snaplen=source.snaplen,
        netmask=source.netmask,
        names=PAGE_NAMES,
        live=source.live,
    )


def _invalid_expression(text: str, error: cbpf.ExpressionError) -> Subject:
    """Return the errors in the text of an expression."""
    found, suggestion = error.problems, error.suggestion
    if not found:
        whole = problem(Offsets(text), 0, len(text), str(error.args[0]), suggestion=suggestion)
        return Subject("expression", (whole,))
    return _shown("expression", text, found, suggestion)


def _invalid_program(text: str, error: cbpf.CbpfError) -> Subject:
    """Return the errors in the text of a program."""
    found = error.problems if isinstance(error, cbpf.ProgramFormatError) else ()
    if not found:
        return Subject("program", (problem(Offsets(text), 0, len(text), str(error)),))
    return _shown("program", text, found)


def _shown(notation: str, text: str, found: Sequence[cbpf.Problem], suggestion: str = "") -> Subject:
    """Return the first errors in a text, and the number of the others."""
    offsets = Offsets(text)
    problems = []
    for each in found[:_MAX_PROBLEMS]:
        start = offsets.of(each.line, each.column)
        problems.append(problem(offsets, start, _end_of_word(text, start), each.message, suggestion=suggestion))
    return Subject(notation, tuple(problems), more=len(found) - len(problems))


def problem(
    offsets: Offsets, start: int, end: int, message: str, *, suggestion: str = "", index: int | None = None
) -> dict[str, Any]:
    """Return an error as a JSON value; *index* is the instruction of a program that it concerns."""
    return {**offsets.span(start, end), "message": message, "suggestion": suggestion, "index": index}


def _end_of_word(text: str, start: int) -> int:
    word = _WORD.match(text, start)
    return start if word is None else word.end()
