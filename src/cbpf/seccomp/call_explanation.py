"""The action of a filter for one system call, on each architecture, and the instructions that lead to it."""

from collections.abc import Iterator
from itertools import groupby

from .._record import Record
from .._suggestions import suggestion
from .._text import Readable, counted
from .._typing import TYPE_CHECKING, Final
from ..errors import FieldError, MissingLibrary
from ..isa.dialects import SECCOMP, Dialect, FetchOrder
from ..isa.opcodes import OPCODE_BY_CODE, Action
from ..vm import VM
from .actions import action_text
from .architectures import ARCHITECTURES, Architecture, ArchitectureName
from .call_tables import ALLOW, Case, contains, number_space
from .call_texts import call_text, case_texts
from .calls import SystemCall
from .classes import CallClass
from .filter_functions import Filter, as_filter
from .policy_overview import Overview, labelled, overview
from .program_listing import ProgramListing
from .rules import ARCHITECTURE, NUMBER, Condition
from .section_text import Line, aligned_lines
from .stacks import Stack
from .system_calls import NAMES_REMEDY, call_name, call_names, names_available

if TYPE_CHECKING:
    from ..engines.interpreter import Step

_MAX_FAILED_TESTS: Final = 3
"""The number of consecutive tests for other numbers that a trace lists one by one."""


class CallExplanation(Record, Readable):
    """The actions of a filter for one system call. `str` returns them as text.

    Args:
        actions: The lines of a table: the actions on each architecture.
        traces: A text for each action on one architecture: a call that has it, and the instructions that decide it.
    """

    actions: tuple[str, ...]
    traces: tuple[str, ...]

    def __str__(self) -> str:
        return "\n\n".join(["\n".join(self.actions), *self.traces])


def explain_call(
    filter: Filter,
    call: str | int,
    *,
    dialect: Dialect = SECCOMP,
    architecture: ArchitectureName | None = None,
    timeout: float | None = 10,
) -> CallExplanation:
    r"""Explain the actions of a filter for a system call.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`, which has no traces.
        call: The name or the number of the call.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture of the traces; None: that of this machine, if the filter has its byte order.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        The explanation.

    Raises:
        FieldError: An argument is invalid, or no architecture has such a call.
        MissingLibrary: *call* is a name, and names are not available; or the solver is needed, and is not installed.
        Undecided: As for `call_classes`.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> program = parse("ld [0]\njeq #41, 0, allow\nld [16]\njne #38, allow\nret #0x50001\nallow: ret #0x7fff0000")
    >>> print(explain_call(program, "socket", architecture="x86_64").traces[1])
    x86_64 socket(38, 0, 0): errno(EPERM)
      (000) ld       [0]                                  number
      (001) jeq      #0x29            jt 2 jf 5           number = 41 (socket)
      (002) ld       [16]                                 family.low
      (003) jeq      #0x26            jt 4 jf 5           family.low = 38
      (004) ret      #0x50001                             errno(EPERM)
    """
    source = as_filter(filter, dialect)
    found = overview(source, architecture=architecture, timeout=timeout)
    numbers = _numbers(call, found.architecture.byte_order)
    names: dict[tuple[str, ...], list[str]] = {}
    for row, number in numbers.items():
        names.setdefault(_actions(found, row, number), []).append(row.name)
    lines = [Line(", ".join(rows), texts) for texts, rows in names.items()]
    traces: tuple[str, ...] = ()
    if isinstance(source, Stack) and found.architecture in numbers:
        traces = tuple(_traces(source, found, numbers[found.architecture]))
    return CallExplanation((_title(call), *aligned_lines(lines)), traces)


def _title(call: str | int) -> str:
    return call if isinstance(call, str) else f"number {call}"


def _numbers(call: str | int, byte_order: FetchOrder) -> dict[Architecture, int]:
    """Return the number of a call on each architecture of a byte order that has it."""
    rows = [row for row in ARCHITECTURES.values() if row.byte_order == byte_order]
    if isinstance(call, int):
        return {row: call for row in rows if contains(number_space(row), call)}
    if not names_available():
        raise MissingLibrary(NAMES_REMEDY)
    numbers = {row: call_names(row)[call] for row in rows if call in call_names(row)}
    if not numbers:
        known = dict.fromkeys(name for row in rows for name in call_names(row))
        raise FieldError(f"call: no architecture has a system call {call!r}{suggestion(call, known)}")
    return numbers


def _actions(found: Overview, architecture: Architecture, number: int) -> tuple[str, ...]:
    """Return the actions for a call on an architecture as lines."""
    cases = []
    for each in _classes(found, architecture, number):
        conditions = tuple([condition for condition in each.conditions if condition.operand < NUMBER])
        cases.append(Case(conditions, labelled(each).label, each.is_computed))
    texts = case_texts(cases, call_name(architecture, number), architecture, is_complete=True)
    if number in architecture.unfiltered and texts != [ALLOW]:
        texts.append("but Linux never filters it")
    return tuple(texts)


def _classes(found: Overview, architecture: Architecture, number: int) -> Iterator[CallClass]:
    """Yield the classes with calls of a number on an architecture."""
    for each in found.classes:
        is_there = contains(each.architectures, architecture.audit_arch) and contains(each.numbers, number)
        if is_there and all(_holds(condition, architecture, number) for condition in each.conditions):
            yield each


def _holds(condition: Condition, architecture: Architecture, number: int) -> bool:
    """Return whether a condition on the number or the architecture holds; True for one on an argument."""
    values = {NUMBER: number, ARCHITECTURE: architecture.audit_arch}
    return condition.operand not in values or condition.holds(values[condition.operand])


def _traces(stack: Stack, found: Overview, number: int) -> Iterator[str]:
    """Yield the text of a trace for each action of a call on the architecture of the overview."""
    shown = set()
    for each in _classes(found, found.architecture, number):
        if each.action not in shown:
            shown.add(each.action)
            yield _trace(stack, _member(each, found.architecture, number), found.architecture)


def _member(each: CallClass, architecture: Architecture, number: int) -> SystemCall:
    """Return a call of a class on an architecture: the conditions on its operands do not depend on the number."""
    if each.is_computed:
        return each.witness
    witness = each.witness
    pointer = witness.instruction_pointer
    return SystemCall(number, witness.arguments, architecture=architecture.audit_arch, instruction_pointer=pointer)


def _trace(stack: Stack, call: SystemCall, names: Architecture) -> str:
    decision = stack.evaluate(call)
    program = stack.programs[decision.index]
    place = f", by filter {decision.index + 1} of {len(stack)}" if len(stack) > 1 else ""
    listing = ProgramListing(program, dialect=stack.dialect, names=names)
    machine = VM(program, dialect=stack.dialect, engine="interpreter")
    lines = _lines(listing, list(machine.trace(call.to_bytes(stack.dialect.byte_order))))
    text = call_text(call.name or str(call.number), call.arguments, call.architecture)
    return "\n  ".join([f"{names.name} {text}: {action_text(decision.action)}{place}", *lines])


def _lines(listing: ProgramListing, steps: "list[Step]") -> Iterator[str]:
    """Yield the lines of the steps of a run; many tests for other numbers in a row become one line."""
    for is_failed, group in groupby(steps, key=_is_failed_test):
        indices = [step.index for step in group]
        if is_failed and len(indices) > _MAX_FAILED_TESTS:
            yield f"({indices[0]:03}) to ({indices[-1]:03}): {counted(len(indices), 'test')} for other numbers"
        else:
            yield from map(listing.line, indices)


def _is_failed_test(step: "Step") -> bool:
    return step.taken is False and OPCODE_BY_CODE[step.instruction.op].action is Action.EQUAL
