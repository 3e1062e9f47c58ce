"""Text from files: one decoder for programs, lists of addresses and ports, and files of expressions.

A byte order mark selects UTF-16 or UTF-32; it is optional for UTF-8. All line ends become a line feed.
"""

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable

from .._typing import Final
from ..errors import Problem

# By byte order mark, the longest first: the mark of UTF-16 begins that of UTF-32 in little-endian order.
_ENCODINGS: Final = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32-be", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16-be", "UTF-16"),
    (b"", "utf-8", "UTF-8"),
)
_BYTE_ORDER_MARK: Final = "\ufeff"
_NO_BREAK_SPACES: Final = str.maketrans("\u00a0\u202f\u2007", "   ")

_CONSOLE_LINE: Final = re.compile(
    r"""^(?: Warning:\ assuming\ \w+
          | tcpdump:\ (?i:warning):\ [^\n]*
          | reading\ from\ file\ [^\n]*,\ link-type\ [^\n]*
          | (?:\S{0,80}[$%] | \S{1,80}@\S{0,80}[\#>] | \[\S{1,80}\ \S{1,80}\][$\#] )\ +(?:sudo\ +)?
            (?:tcpdump|cbpf|bpf_asm|bpf_dbg|seccomp-tools|scmp_bpf_disasm|strace|ss|iptables|tc|xxd|hexdump|od|cat)
            \ [^\n]*
          | ```\w* )[ \t]*$""",
    re.VERBOSE | re.MULTILINE,
)

_MAX_EXCERPT_LENGTH: Final = 100
_MAX_EXCERPT_BEFORE: Final = 60  # characters of the line before the problem


def has_byte_order_mark(data: bytes) -> bool:
    """Return whether *data* begins with a byte order mark of Unicode."""
    return any(mark and data.startswith(mark) for mark, _, _ in _ENCODINGS)


def decode_text(data: bytes, error: Callable[[str], Exception]) -> str:
    """Return the text of a file without its byte order mark, with a line feed at each line end.

    *error* makes the exception of a message; it is raised for bytes that are not text in the file's encoding, and for
    NUL characters.
    """
    mark, encoding, name = next(entry for entry in _ENCODINGS if data.startswith(entry[0]))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as cause:
        text = data[len(mark) :][: cause.start].decode(encoding)
        fact = f"byte 0x{data[len(mark) + cause.start]:02x} (offset {len(mark) + cause.start}) is not {name} text"
        raise error(f"{place(normal_text(text), len(normal_text(text)))}: {fact}") from None
    text = normal_text(text)
    if "\0" in text:
        raise error(f"{place(text, text.index(chr(0)))}: NUL character; the file is not {name} text")
    return text


def normal_text(text: str) -> str:
    """Return *text* without a byte order mark, with a line feed in place of each CR LF and each lone CR."""
    text = text.removeprefix(_BYTE_ORDER_MARK)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def original_offsets(text: str) -> list[int]:
    """Return the offset in *text* of each character of `normal_text`, and the length of *text* at the end."""
    start = len(text) - len(text.removeprefix(_BYTE_ORDER_MARK))
    inner = (offset for offset in range(start, len(text)) if text[offset - 1 : offset + 1] != "\r\n")
    return [*inner, len(text)]


def without_comments(text: str) -> str:
    """Return *text* with a space in place of each character of a comment, which is # and the rest of its line."""
    return re.sub("#[^\n]*", lambda comment: " " * len(comment[0]), text)


def without_surroundings(text: str) -> str:
    """Return *text* with spaces in place of the lines around a program that was copied from a terminal or a document.

    These are prompts with the command that printed the program, tcpdump's notices, and the fences of Markdown. Spaces
    also replace the no-break spaces of web pages.
    """
    text = text if text.isascii() else text.translate(_NO_BREAK_SPACES)
    return _CONSOLE_LINE.sub(lambda line: " " * len(line[0]), text)


def place(text: str, offset: int) -> str:
    """Return the line and the column of *offset*, both counted from 1, for an error message."""
    line_start = text.rfind("\n", 0, offset) + 1
    return f"line {text.count(chr(10), 0, offset) + 1}, column {offset - line_start + 1}"


class SourceText:
    """The text of a program, with the line and the column of each offset."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line(self, offset: int) -> int:
        """Return the line of *offset*, counted from 1."""
        return bisect_right(self._line_starts, offset)

    def problem(self, offset: int, message: str) -> Problem:
        """Return a problem at *offset*, with its line and column, both counted from 1, and an excerpt of the line."""
        line = self.line(offset)
        start = self._line_starts[line - 1]
        end = self._line_starts[line] - 1 if line < len(self._line_starts) else len(self.text)
        excerpt_start = max(start, offset - _MAX_EXCERPT_BEFORE)
        excerpt = self.text[excerpt_start : min(end, excerpt_start + _MAX_EXCERPT_LENGTH)]
        excerpt = excerpt.rstrip("\r").replace("\t", " ")
        excerpt = "".join(character if character.isprintable() else "\ufffd" for character in excerpt)
        return Problem(line, offset - start + 1, message, f"{excerpt}\n{' ' * (offset - excerpt_start)}^")
