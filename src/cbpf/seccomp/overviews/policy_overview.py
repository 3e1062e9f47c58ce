"""The policy of a filter as a table for people, and as data: each architecture, its calls, and their actions."""

from collections.abc import Sequence

from ..._record import Record, json_value
from ..._text import Readable
from ..._typing import Any
from ...isa.dialects import SECCOMP, Dialect
from ..classes import CallClass, call_classes
from ..diagrams.filter_functions import Filter, as_filter
from ..names.actions import possible_action_text
from ..names.architectures import Architecture, ArchitectureName
from ..rules import Condition
from ..texts.call_tables import Case, LabelledCalls, Row, Section, sections
from ..texts.call_texts import named_calls, names_for
from ..texts.condition_rendering import conditions_text
from ..texts.section_text import markdown, table


class Overview(Record, Readable):
    """The policy of a filter, for people and as data. `str` returns it as a table.

    Args:
        classes: The classes of calls that the filter treats alike.
        architecture: The architecture whose names the calls have that the filter permits or denies on several
            architectures, if it is one of them.
    """

    classes: tuple[CallClass, ...]
    architecture: Architecture

    def __str__(self) -> str:
        return "\n".join(table(self._sections(), is_complete=True))

    def markdown(self) -> str:
        """Return the tables in Markdown, for a document or a pull request.

        Returns:
            The tables, each with a heading, without a final newline.
        """
        return "\n".join(markdown(self._sections(), is_complete=True))

    def as_dict(self) -> dict[str, Any]:
        """Return the policy as values of JSON.

        Returns:
            A dictionary with the list "sections". Each section has "audit_arch", the ranges of its architectures,
            "architecture", the name of the one whose names the calls have, or None, "unfiltered", the names of calls
            that Linux does not filter although the filter denies them, and "calls": lists of "names", of ranges of
            "numbers", and of "cases". Each of them has conditions, as text ("if") and as data. A section, a number and
            a case together decide each call.
        """
        return {"sections": [section_dict(section) for section in self._sections()]}

    def _sections(self) -> list[Section]:
        return sections(map(labelled, self.classes), self.architecture)


def labelled(each: CallClass) -> LabelledCalls:
    """Return a class with its action as text."""
    label = possible_action_text(each.action)
    return LabelledCalls(each.architectures, each.numbers, each.conditions, label, each.is_computed, each.witness)


def section_dict(section: Section) -> dict[str, Any]:
    """Return a section as values of JSON."""
    return {
        "architecture": section.architecture.name if section.architecture else None,
        "audit_arch": json_value(section.architectures),
        **_conditions(section.tests),
        "unfiltered": list(named_calls(section.unfiltered, section.architecture).names),
        "calls": [_row_dict(row, section) for row in section.rows],
    }


def _row_dict(row: Row, section: Section) -> dict[str, Any]:
    return {
        "names": list(named_calls(row.numbers, section.architecture).names),
        "numbers": json_value(row.numbers),
        **_conditions(row.tests),
        "cases": [_case_dict(case) for case in row.cases],
    }


def _case_dict(case: Case) -> dict[str, Any]:
    return {
        **_conditions(case.conditions),
        "action": case.label,
        "computed": case.is_computed,
        "witness": None if case.witness is None else case.witness.as_dict(),
    }


def _conditions(conditions: Sequence[Condition]) -> dict[str, Any]:
    """Return conditions as text and as data; all calls fulfil an empty text and an empty list."""
    return {"if": conditions_text(conditions), "conditions": json_value(conditions)}


def overview(
    filter: Filter,
    *,
    dialect: Dialect = SECCOMP,
    architecture: ArchitectureName | None = None,
    timeout: float | None = 10,
) -> Overview:
    r"""Return the policy of a filter as a table for people, and as data.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture whose names the calls have where the filter does not distinguish architectures;
            None: that of this machine, if the filter has its byte order.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        The policy.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: As for `call_classes`.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> deny_socket = parse("ld [0]\njeq #41, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> print(overview(deny_socket, architecture="x86_64"))
    all architectures, with the names of x86_64
      errno(EPERM)  socket
      allow         all others
    """
    source = as_filter(filter, dialect)
    return Overview(call_classes(source, timeout=timeout), names_for(source.dialect.byte_order, architecture))
