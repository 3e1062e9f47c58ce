"""Check the project's prose: docstrings, comments, messages and documents in plain technical English.

Run `python -m support.prose [PATH...]` in the folder `tests` to list the violations in these files, or in all files.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from support import notebooks
from support.project import ROOT


class Rule(NamedTuple):
    """A pattern that prose must not contain, and the words to use instead."""

    pattern: re.Pattern[str]
    advice: str


def _rule(pattern: str, advice: str) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE), advice)


_COUNTED: Final = (
    r"(bytes?|numbers?|entry|rows?|words?|labels?|times?|ns|address|finding|module|file|opcode|subcommand|one)"
)
_COUNTER: Final = r"(line|instruction|packet|row|node|opcode|run|second|filter|module|subcommand|gigabyte|file|route)"

RULES: Final = (
    _rule(r"(?<!there )\b(is|are|was|were) no\b(?! (longer|more|fewer|less|larger|shorter|greater)\b)", "is not a"),
    _rule(r"\bbehind\b", "after"),
    _rule(r"\bin front\b", "before"),
    _rule(r"\b(stands?|stood|standing)\b", "is, appears, is located, represents"),
    _rule(r"\b(lies?|lay|lying)\b", "is, is located"),
    _rule(r"(?<!either )\bways?\b", "path, edge, successor, predecessor, method"),
    _rule(r"\b(tells?|told|telling)\b", "report, indicate, record, distinguish"),
    _rule(r"\b(asks?|asked|asking)\b", "test, require, query, load, request"),
    _rule(r"\b(says?|said|saying)\b", "report, state, indicate"),
    _rule(r"\bwhat\b(?![^.!?]*\?)", "a noun: the inputs, the result, the bytes, ..."),
    _rule(r"\bwhoever\b", "a noun: the caller, a process"),
    _rule(r"\bcut (short|off)\b|\b(is|are|was|were|being) cut\b", "truncated"),
    _rule(r"\bkept\b|\bkeeps? (a |the )?(packets?|records?)\b", "accepted, retained, cached"),
    _rule(r"\brefus(e|es|ed|ing|al|als)\b", "reject, rejection, not supported"),
    _rule(r"\bspoil(s|t|ed)?\b", "corrupt"),
    _rule(r"\bwhole (records?|packets?|instructions?|blocks?)\b", "complete"),
    _rule(r"\b(is|are|was|were) wrong\b|\bwrong (inside|there|here)\b", "corrupt, invalid, incorrect"),
    _rule(r"\bso many\b", "this many, the number of"),
    _rule(r"\bbut for\b", "except"),
    _rule(r"\banew\b", "again"),
    _rule(r"\b(go|goes|went|going) on\b", "continue"),
    _rule(r"\bfor ever\b", "forever, indefinitely"),
    _rule(rf"\b{_COUNTED} an? {_COUNTER}\b", "per"),
    _rule(r"\bnowhere\b|\bsomewhere\b", "a place that is named"),
    _rule(r"\btruths?\b", "condition, boolean, correctness"),
    _rule(r"\bthe same (of|for|with|as above|for the)\b", "a sentence that does not need the one before it"),
    _rule(r"^\s*(the same|see above|itself|likewise|ditto)\b", "a sentence that does not need the one before it"),
)


class Passage(NamedTuple):
    """A piece of prose, and the line on which it begins."""

    line: int
    text: str


class Violation(NamedTuple):
    """A passage that breaks a rule."""

    path: Path
    line: int
    excerpt: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.excerpt!r} -> {self.advice}"


def checked_files() -> list[Path]:
    """Return the files whose prose is checked."""
    folders = ("src", "tests", "benchmarks", "documentation", "examples")
    code = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(
        [
            *code,
            *ROOT.glob("*.md"),
            *(ROOT / "docs").rglob("*.md"),
            *(ROOT / "benchmarks").glob("*.md"),
            *(ROOT / "src").rglob("*.md"),
            *(ROOT / "examples").glob("*.ipynb"),
        ]
    )


def violations(path: Path) -> Iterator[Violation]:
    """Yield the violations in a file."""
    if path == Path(__file__):
        return
    for line, passage in _passages(path):
        for rule in RULES:
            for match in rule.pattern.finditer(passage):
                start = passage.rfind("\n", 0, match.start()) + 1
                excerpt = passage[max(start, match.start() - 30) : match.end() + 20].split("\n")[0]
                yield Violation(path, line + passage.count("\n", 0, match.start()), excerpt, rule.advice)


def _passages(path: Path) -> Iterator[Passage]:
    """Return the prose of a module, a notebook or a document."""
    if path.suffix == ".py":
        return _python_passages(path.read_text(), messages="src" in path.parts)
    if path.suffix == ".ipynb":
        cells = notebooks.markdown(notebooks.read(path))
        return (Passage(1, passage.text) for cell in cells for passage in _document_passages(cell))
    return _document_passages(path.read_text())


_CODE: Final = re.compile(r"^ *(>>>|\.\.\.) .*$|``?[^`]+``?|\*[^*\s]+\*", re.MULTILINE)


def _prose(text: str) -> str:
    """Return text with its code, examples and quoted names blanked; line breaks remain."""
    return _CODE.sub(lambda match: re.sub(r"[^\n]", "_", match[0]), text)


_STRING_OR_COMMENT: Final = re.compile(
    r"""(?P<quotes>\"\"\"|'''|"|')(?:\\.|.)*?(?P=quotes)|\#[\# ]*(?P<comment>[^\n]*)""", re.DOTALL
)


def _python_passages(text: str, *, messages: bool) -> Iterator[Passage]:
    """Yield the docstrings and comments of a module and, if *messages*, its other strings of several words."""
    nodes = list(ast.walk(ast.parse(text)))
    strings = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_documentation = id(node) in strings
            if is_documentation or (messages and " " in node.value.strip()):
                yield Passage(node.lineno, _prose(node.value))
    for match in _STRING_OR_COMMENT.finditer(text):
        if match["comment"]:
            yield Passage(text.count("\n", 0, match.start()) + 1, _prose(match["comment"]))


def _document_passages(text: str) -> Iterator[Passage]:
    """Yield a document without its fenced code blocks."""
    blank = re.sub(r"^```.*?^```", lambda match: re.sub(r"[^\n]", " ", match[0]), text, flags=re.MULTILINE | re.DOTALL)
    yield Passage(1, _prose(blank))


def main() -> int:
    """Print the violations in the files given, or in all; return the exit code."""
    paths = [Path(argument).resolve() for argument in sys.argv[1:]]
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.py")))]
    all_violations = [violation for file in files or checked_files() for violation in violations(file)]
    print("\n".join(map(str, all_violations)))
    return bool(all_violations)


if __name__ == "__main__":
    sys.exit(main())
