"""Sections of calls as aligned tables for terminals, and as tables of Markdown."""

import re
from collections.abc import Collection, Iterator, Sequence
from textwrap import TextWrapper

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.word_ranges import Ranges, complement, intersection, union
from ..names.system_calls import call_names, names_available
from .call_tables import Row, Section, contains
from .call_texts import architectures_text, case_texts, halved_operands, named_calls, numbers_text
from .condition_rendering import conditions_text

_WIDTH: Final = 80
_OTHERS: Final = "all others"
_MANY_CALLS: Final = 30
"""The number of calls of a row above which their arguments have no names."""
_MAX_SUBJECT: Final = 32
_MANY_NUMBERS: Final = 64
"""The number of calls without a name that new calls are expected to be among."""


class _Wrapper(TextWrapper):
    """Breaks lines at spaces, except after a relation and in parentheses, and after the | of flags."""

    wordsep_simple_re = re.compile(r"((?<![=<>&]) +(?![^()]*\))|(?<=\|))")


def _wrapper(first: str, margin: str) -> TextWrapper:
    return _Wrapper(_WIDTH, first, margin, break_long_words=False, break_on_hyphens=False)


class Line(NamedTuple):
    """A subject, such as an action or a call, with the lines of text about it."""

    subject: str
    texts: tuple[str, ...]


class Content(NamedTuple):
    """The content of a section: an entry for each label, and one for each call whose label depends on its arguments."""

    labels: tuple[Line, ...]
    calls: tuple[Line, ...]
    notes: tuple[Line, ...]


def table(found: list[Section], *, is_complete: bool) -> list[str]:
    """Return sections as the lines of a table; those with equal content are shown once.

    Args:
        found: The sections.
        is_complete: Whether the rows of each section contain all calls.
    """
    lines: list[str] = []
    for titles, content in _merged(found, is_complete):
        lines += ["", ", ".join(titles)] if lines else [", ".join(titles)]
        lines += aligned_lines([*content.labels, *content.calls, *content.notes])
    return lines


def aligned_lines(found: Sequence[Line]) -> list[str]:
    """Return lines with the texts in a column, wrapped to the width of a terminal."""
    width = max((len(line.subject) for line in found if len(line.subject) <= _MAX_SUBJECT), default=_MAX_SUBJECT)
    return [text for line in found for text in _wrapped(line, width)]


def markdown(found: list[Section], *, is_complete: bool) -> list[str]:
    """Return sections as lines of Markdown, with a table for each; those with equal content are shown once."""
    lines: list[str] = []
    for titles, content in _merged(found, is_complete):
        lines += ["", f"### {', '.join(titles)}", "", "| action or call | |", "|---|---|"]
        lines += [f"| {line.subject} | {_cell(line)} |" for part in content for line in part]
    return lines[1:]


def _cell(line: Line) -> str:
    return "<br>".join(text.replace("<", "&lt;").replace("|", "\\|") for text in line.texts)


def _wrapped(line: Line, width: int) -> Iterator[str]:
    margin = " " * (width + 4)
    first = f"  {line.subject:{width}}  "
    if len(line.subject) > width:
        yield from _wrapper("  ", "  ").wrap(line.subject)
        first = margin
    for text in line.texts:
        yield from _wrapper(first, margin).wrap(text)
        first = margin


def _merged(found: list[Section], is_complete: bool) -> Iterator[tuple[list[str], Content]]:
    """Yield the contents of sections, each with the titles of all sections that have it.

    Tests of the lower halves of arguments stay where a section of an architecture of 64 bits has the same content.
    """
    halves = [_halves(section) for section in found]
    contents = [_content(section, is_complete, [()] * len(section.rows)) for section in found]
    of_64_bits = {content for content, of_rows in zip(contents, halves, strict=True) if not any(of_rows)}
    titles: dict[Content, list[str]] = {}
    for section, exact, of_rows in zip(found, contents, halves, strict=True):
        is_exact = exact in of_64_bits or not any(of_rows)
        content = exact if is_exact else _content(section, is_complete, of_rows)
        titles.setdefault(content, []).append(architectures_text(section, is_complete=is_complete))
    for content, names in titles.items():
        yield names, content


def _halves(section: Section) -> list[frozenset[int]]:
    """Return the arguments of each row of which the lower half is the whole argument."""
    architecture = section.architecture if section.is_one else None
    return [halved_operands(row.cases, architecture) for row in section.rows]


def _content(section: Section, is_complete: bool, halves: Sequence[Collection[int]]) -> Content:
    """Return the content of a section; *halves* are the arguments of each row whose lower halves have no mask."""
    by_label: dict[str, list[Ranges]] = {}
    for row in section.rows:
        if row.label is not None:
            by_label.setdefault(row.label, []).append(row.numbers)
    numbers = {label: union(pair for ranges in found for pair in ranges) for label, found in by_label.items()}
    new_call = _new_call(section) if is_complete else None
    labels = {label: _label_text(ranges, section, numbers, new_call) for label, ranges in numbers.items()}
    last = sorted(labels, key=lambda label: labels[label].startswith(_OTHERS))
    return Content(
        tuple([Line(label, (labels[label],)) for label in last]),
        tuple(_case_lines(section, new_call, is_complete, halves)),
        tuple(_notes(section, halves)),
    )


def _notes(section: Section, halves: Sequence[Collection[int]]) -> Iterator[Line]:
    if section.unfiltered:
        is_single = sum(high - low + 1 for low, high in section.unfiltered) == 1
        text = f"{_listed(section.unfiltered, section)}: Linux never filters {'it' if is_single else 'them'}"
        yield Line("(not filtered)", (text,))
    if any(halves):
        yield Line("(32 bits)", ("arguments have 32 bits here: the lower half of the 64 bits that a filter reads",))


def _new_call(section: Section) -> int:
    """Return a number that new calls will have: one of many in a row above all names; without names, the greatest."""
    names = call_names(section.architecture) if section.architecture else {}
    if not names:
        return section.numbers[-1][1]
    first = max(names.values()) + 1
    ranges = [(max(low, first), high) for row in section.rows for low, high in row.numbers if high >= first]
    return min((low for low, high in ranges if high - low >= _MANY_NUMBERS), default=first)


def _label_text(ranges: Ranges, section: Section, numbers: dict[str, Ranges], new_call: int | None) -> str:
    """Return the calls of a label; those of new calls are "all others", with names unless these are the most ones."""
    if new_call is None or not contains(ranges, new_call) or ranges == section.numbers:
        return _calls_text(ranges, section, is_complete=new_call is not None)
    counts = [len(named_calls(other, section.architecture).names) for other in numbers.values()]
    names = named_calls(ranges, section.architecture).names
    return f"{_OTHERS}: {', '.join(names)}" if 0 < len(names) <= sum(counts) // 2 else _OTHERS


def _calls_text(ranges: Ranges, section: Section, *, is_complete: bool) -> str:
    """Return calls of a section; unless the others are shown as well, they are named instead where this is shorter."""
    if ranges == section.numbers:
        return "all calls"
    text = _listed(ranges, section)
    if is_complete:
        return text
    others = f"all calls but {_listed(intersection(section.numbers, complement(ranges)), section)}"
    return min(text, others, key=len)


def _shortest(ranges: Ranges, section: Section) -> str:
    """Return many calls as names, or as numbers where this is shorter."""
    text = _calls_text(ranges, section, is_complete=False)
    return min(text, f"numbers {numbers_text(ranges, section.numbers)}", key=len)


def _listed(ranges: Ranges, section: Section) -> str:
    """Return the names of calls, and the numbers of those without a name."""
    architecture = section.architecture
    names, unnamed = named_calls(ranges, architecture)
    if not unnamed:
        return ", ".join(names)
    if architecture and names_available() and unnamed == named_calls(section.numbers, architecture).unnamed:
        return ", ".join([*names, "all numbers without a name"])
    return ", ".join([*names, numbers_text(unnamed, section.numbers)])


def _case_lines(
    section: Section, new_call: int | None, is_complete: bool, halves: Sequence[Collection[int]]
) -> list[Line]:
    """Return a line for each call whose label depends on its arguments; calls with equal texts share one."""
    subjects: dict[tuple[str, ...], list[str]] = {}
    for row, of_row in zip(section.rows, halves, strict=True):
        if row.label is None:
            for subject, name in _subjects(row, section, new_call):
                texts = case_texts(row.cases, name, section.architecture, is_complete=is_complete, halves=of_row)
                subjects.setdefault(tuple(texts), []).append(subject)
    return sorted(Line(", ".join(names), texts) for texts, names in subjects.items())


def _subjects(row: Row, section: Section, new_call: int | None) -> Iterator[tuple[str, str | None]]:
    """Yield the calls of a row: the text of each, and its name if it has one."""
    calls = named_calls(row.numbers, section.architecture)
    if row.tests:
        yield f"{_calls_text(row.numbers, section, is_complete=True)} with {conditions_text(row.tests)}", None
    elif row.numbers == section.numbers or len(calls.names) > _MANY_CALLS:
        is_rest = new_call is not None and contains(row.numbers, new_call) and row.numbers != section.numbers
        yield _OTHERS if is_rest else _shortest(row.numbers, section), None
    else:
        yield from ((name, name) for name in calls.names)
        if calls.unnamed:
            yield _listed(calls.unnamed, section), None
