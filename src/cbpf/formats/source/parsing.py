"""Source code with a list of instructions: its program, the places of its instructions, and its notation."""

import re

from ..._span import Span
from ..._typing import Callable, Final, Iterator, TypeVar
from ...errors import FieldError, ProgramFormatError
from ...isa.program import Program
from ...isa.raw_instruction import RawInstruction
from ..text_input import SourceText
from .preprocessor import Preprocessor
from .reader import Reader
from .tokens import Token, tokenize
from .values import SourceError

_NUMBER: Final = r"\s*+(0[xX][0-9a-fA-F]{1,8}|0|[1-9][0-9]{0,9})\s*+"
_PLAIN_ROW: Final = re.compile(rf"\s*+\{{{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\}}\s*+,?\s*+", re.ASCII)
# Instructions as Go prints them with %+v and %v.
_PRINTED: Final = re.compile(r"\{(?:Op|Code):\d+ Jt:\d+ Jf:\d+ K:\d+\}|\{\d{1,5} \d{1,3} \d{1,3} \d{1,10}\}", re.ASCII)
_MAX_NAME: Final = 256  # characters
_Result = TypeVar("_Result")

# The languages by the words and marks that only their source code has; C if there are none.
_LANGUAGES: Final = (
    ("strace's output", re.compile(r"\bfilter=\[|^[a-z]\w{1,20}\([^\n]{0,99}\{len=", re.MULTILINE)),
    (
        "Go source code",
        re.compile(r"\bbpf\.[A-Z]|\[\][\w.]++\{|\b(?:unix|syscall)\.[A-Z]|\{(?:Op|Code):|^package ", re.M),
    ),
    ("Rust source code", re.compile(r"::|\b(?:let|fn|const [A-Z_]++:)\s|\w!\s*+[\[(]|\bcode:|\b(?:u8|u16|u32)\b")),
    ("JSON", re.compile(r"\A\s*+(?:\[\s*+[\[{\"\d\]]|\{\s*+\")")),
    ("Python source code", re.compile(r"^[ \t]*+(?:\(|(?:def|import|from) )|\bstruct\.pack\b|\[\s*+\(", re.MULTILINE)),
)


def language(text: str) -> str:
    """Return the notation of a text, for messages."""
    return next((name for name, pattern in _LANGUAGES if pattern.search(text)), "C source code")


def parse_source(text: str) -> Program:
    """Parse the instructions in source code, JSON or strace's output; raise `ProgramFormatError` with the place."""
    rows = _plain_rows(text)
    if rows is not None:
        return Program(rows)
    try:
        instructions = _with_list(text, Reader.read)
    except SourceError as error:
        source, notation = SourceText(text), language(text)
        errors = [error, *error.others]
        problems = [source.problem(each.offset, f"{each} (read as {notation})") for each in errors]
        raise ProgramFormatError(problems) from None
    return Program(instructions)


def source_spans(text: str) -> list[Span]:
    """Return the places of the instructions in source code; of those of a macro, the place of its name."""
    rows = [match.span() for match in _plain_matches(text)]
    if rows and rows[-1][1] == len(text):
        return [_without_blanks(text, *row) for row in rows]
    return [_source_span(text, *tokens) for tokens in _with_list(text, Reader.places)]


def _without_blanks(text: str, start: int, end: int) -> Span:
    """Return a part of a text without the blanks around it, and without the comma after it."""
    row = text[start:end].rstrip().removesuffix(",").rstrip()
    return Span(start + len(row) - len(row.lstrip()), start + len(row))


def _source_span(text: str, first: Token, last: Token) -> Span:
    """Return the place of an instruction; the tokens of a macro are at the place of its name."""
    if text.startswith(last.text, last.offset):
        return Span(first.offset, last.offset + len(last.text))
    name = tokenize(text[first.offset : first.offset + _MAX_NAME])
    return Span(first.offset, first.offset + len(name[0].text) if name else first.offset)


def _plain_matches(text: str) -> Iterator[re.Match[str]]:
    """Yield the rows of numbers with which a text begins."""
    position = 0
    while match := _PLAIN_ROW.match(text, position):
        yield match
        position = match.end()


def _plain_rows(text: str) -> list[RawInstruction] | None:
    """Return the instructions of a text that is only rows of numbers, as of tcpdump -dd; None for any other text.

    It is many times faster than the reader for all source code.
    """
    rows, position = [], 0
    for match in _plain_matches(text):
        rows.append(tuple(int(field, 0) for field in match.groups()))
        position = match.end()
    if not rows or position != len(text):
        return None
    try:
        return [RawInstruction(*row) for row in rows]
    except FieldError:
        return None


def _with_list(text: str, read: "Callable[[Reader], list[_Result]]") -> "list[_Result]":
    """Return the result of *read* for the list of instructions in a text."""
    tokens = tokenize(_PRINTED.sub(lambda match: match[0].replace(" ", ","), text))
    attributes = [token for token in tokens if token.kind == "attribute" and "cfg" in token.text]
    preprocessor = Preprocessor([token for token in tokens if token.kind != "attribute"])
    uncertain = [*preprocessor.uncertain, *((token.offset, token.offset) for token in attributes)]
    reader = Reader(preprocessor.tokens, uncertain)
    if reader.lists:
        return read(reader)
    for name, macros in preprocessor.macros.items():
        if name not in preprocessor.used and macros[-1].parameters is None and len(macros[-1].body) > 4:
            candidate = Reader(preprocessor.expand(macros[-1].body), uncertain)
            if candidate.lists and reader.lists:
                raise SourceError(macros[-1].offset, "the file has more than one list of instructions; keep one")
            reader = candidate if candidate.lists else reader
    return read(reader)
