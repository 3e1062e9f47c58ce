"""Expressions of libpcap's own tests: equal programs, errors of the right kind, and carets in the right place.

The vectors are not part of the repository; see `support.filter_vectors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, TypeVar

import pytest

import cbpf
from cbpf.expression.libpcap import NETMASK_UNKNOWN, Handle
from cbpf.packet.link_types import link_type
from support.equal_programs import compare, reads_unwritten_slot
from support.filter_vectors import (
    AcceptedRow,
    CaretRow,
    RejectedRow,
    accepted_rows,
    caret_rows,
    needs_vectors,
    rejected_rows,
)
from support.libpcap_comparison import our_result
from support.libpcap_differences import difference_of
from support.random_filters import Case
from support.resolver import TestResolver
from support.savefile_headers import file_header

pytestmark = needs_vectors

Row = TypeVar("Row")
NAMES = TestResolver()


def _failures(rows: Iterable[Row], check: Callable[[Row], str]) -> list[str]:
    """Return the results of a check, which is an empty text for a row that passes."""
    return [failure for row in rows if (failure := check(row))]


def _plain_rows() -> Iterator[AcceptedRow]:
    return (row for row in accepted_rows() if not row.loops and not row.is_live)


def _program_differs(row: AcceptedRow) -> str:
    """Compare with 1.10.6, or with 1.11 where only that one takes the expression; listed differences are left out."""
    if row.release == "1.10.6" and difference_of(row.case.text, row.case.handle):
        return ""
    result = our_result(*row.case, names=NAMES)
    if result.code is None:
        return f"{row.case}: rejected: {result.error}"
    counterexample = compare(result.code, row.code).counterexample
    if counterexample is None or reads_unwritten_slot(row.code):  # libpcap may measure a header too late
        return ""
    return f"{row.case}: {counterexample}"


def test_programs_are_those_of_libpcap() -> None:
    assert _failures(_plain_rows(), _program_differs) == []


def test_only_listed_expressions_differ_on_complete_packets() -> None:
    """Each expression of which 1.11 changed the meaning is either equal to 1.10.6, or listed by name."""
    changed = [row for row in accepted_rows() if row.changes == "full"]
    assert len(changed) > 20
    listed = [row for row in changed if difference_of(row.case.text, row.case.handle)]
    assert all(our_result(*row.case, names=NAMES).code is not None for row in listed)


def test_loops_are_unrolled() -> None:
    """`protochain` is a loop in libpcap; here it looks at the first headers, which a warning reports."""
    rows = [row for row in accepted_rows() if row.loops]
    assert rows
    for row in rows:
        with pytest.warns(cbpf.ExpressionWarning, match="headers"):
            program = cbpf.compile(row.case.text, frontend="cbpf", link_type=link_type(row.case.handle.dlt))
        assert cbpf.findings(program) == ()


MAX_LINK_TYPES: Final = 12
"""The number of link types for which the errors of a row are compared without the option --all."""


def _error_differs(row: RejectedRow, max_link_types: int = MAX_LINK_TYPES) -> str:
    for number in row.link_types[:: 1 + (len(row.link_types) - 1) // max_link_types]:
        handle = Handle(link_type(number).dlt, 262_144)
        if row.kind == "live":
            handle = handle._replace(file_header=file_header(handle, "<"))
        case = Case(row.text, handle, NETMASK_UNKNOWN)
        kinds = [problem.kind for problem in our_result(*case, names=NAMES).problems]
        is_listed = difference_of(row.text, handle) is not None
        is_rejected = not row.accepted_before or row.kind == "live" or (is_listed and row.kind != "rejects-all")
        if is_rejected and kinds[:1] != [row.kind]:
            return f"{case}: {kinds or 'accepted'}, expected {row.kind}"
        if not is_rejected and kinds:
            return f"{case}: {kinds}, expected a program"
    return ""


def test_errors_have_the_right_kind() -> None:
    assert _failures(rejected_rows(), _error_differs) == []


@pytest.mark.slow
def test_errors_have_the_right_kind_for_all_link_types() -> None:
    assert _failures(rejected_rows(), partial(_error_differs, max_link_types=1000)) == []


def test_expressions_that_reject_all_packets_compile_with_a_warning() -> None:
    rows = [row for row in rejected_rows() if row.kind == "rejects-all"]
    assert rows
    for row in rows:
        for number in row.link_types:
            with pytest.warns(cbpf.ExpressionWarning, match="rejects all packets"):
                assert [*cbpf.compile(row.text, frontend="cbpf", link_type=number)] == [(6, 0, 0, 0)]


def test_carets_are_in_the_marked_places() -> None:
    def misplaced(row: CaretRow) -> str:
        result = our_result(row.text, Handle(link_type(row.link_type).dlt, 262_144), NETMASK_UNKNOWN, names=NAMES)
        if not result.problems:
            return f"{row}: accepted"
        kind, offset = result.problems[0]
        in_mark = any(start <= offset < max(end, start + 1) for start, end in row.places)
        return "" if in_mark and kind == row.kind else f"{row}: {kind} at {offset}: {result.error}"

    assert _failures(caret_rows(), misplaced) == []
