"""The action of a filter for one system call, on each architecture, and the instructions that lead to it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from ..._record import Record
from ..._suggestions import suggestion
from ..._text import Readable, counted
from ..._typing import TYPE_CHECKING, Final
from ...errors import FieldError, MissingLibrary
from ...isa.dialects import SECCOMP, Dialect, FetchOrder
from ...isa.opcodes import OPCODE_BY_CODE, WORD_MASK, Action
from ...vm import VM
from ..calls import SystemCall
from ..classes import CallClass, call_classes
from ..diagrams.filter_functions import Filter, as_filter
from ..names.actions import action_text
from ..names.architectures import ARCHITECTURES, Architecture, ArchitectureName
from ..names.system_calls import NAMES_REMEDY, call_name, call_names, names_available
from ..policies import Policy
from ..rules import ARCHITECTURE, NUMBER, Condition
from ..stacks import Stack
from ..texts.call_tables import ALLOW, Case, contains, number_space
from ..texts.call_texts import case_texts, halved_operands, witness_text
from ..texts.section_text import Line, aligned_lines
from .policy_overview import Overview, labelled, overview
from .program_listing import ProgramListing

if TYPE_CHECKING:
    from ...engines.interpreter import Step

_MAX_FAILED_TESTS: Final = 3
"""The number of consecutive tests for other numbers that a trace lists one by one."""


class CallExplanation(Record, Readable):
    """The actions of a filter for one system call. `str` returns them as text.

    Args:
        actions: The lines of a table: the actions on each architecture.
        traces: A text for each action on one architecture, or for each rule of a policy: a call that has it, the filter
            or the rule that decides, and the instructions.
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
    names: Sequence[str] = (),
    timeout: float | None = 10,
) -> CallExplanation:
    r"""Explain the actions of a filter for a system call.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`, whose traces are those of its program.
        call: The name or the number of the call.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture of the traces; None: that of this machine, if the filter has its byte order.
        names: The names of the programs of a stack; without them, they have numbers.
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
      (003) jeq      #0x26            jt 4 jf 5           family.low = 38 (AF_ALG)
      (004) ret      #0x50001                             errno(EPERM)
    """
    source = as_filter(filter, dialect)
    found = overview(source, architecture=architecture, timeout=timeout)
    numbers = _numbers(call, found.architecture.byte_order)
    rows_of_texts: dict[tuple[str, ...], list[str]] = {}
    for row, number in numbers.items():
        rows_of_texts.setdefault(_actions(found, row, number), []).append(row.name)
    lines = [Line(", ".join(rows), texts) for texts, rows in rows_of_texts.items()]
    traces: tuple[str, ...] = ()
    if found.architecture in numbers:
        traces = tuple(_traces(source, found, numbers[found.architecture], names))
    return CallExplanation((_title(call), *aligned_lines(lines)), traces)


def _title(call: str | int) -> str:
    return call if isinstance(call, str) else f"number {call}"


def _numbers(call: str | int, byte_order: FetchOrder) -> dict[Architecture, int]:
    """Return the number of a call on each architecture of a byte order that has it."""
    rows = [row for row in ARCHITECTURES.values() if row.byte_order == byte_order]
    if isinstance(call, int):
        if not 0 <= call <= WORD_MASK:
            raise FieldError(f"call: {call} is out of range (0..{WORD_MASK})")
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
    for each in _classes(found.classes, architecture, number):
        conditions = tuple([condition for condition in each.conditions if condition.operand < NUMBER])
        cases.append(Case(conditions, labelled(each).label, each.is_computed, each.witness))
    halves = halved_operands(cases, architecture)
    texts = case_texts(cases, call_name(architecture, number), architecture, is_complete=True, halves=halves)
    if number in architecture.unfiltered and texts != [ALLOW]:
        texts.append("but Linux never filters it")
    return tuple(texts)


def _classes(classes: Iterable[CallClass], architecture: Architecture, number: int) -> Iterator[CallClass]:
    """Yield the classes with calls of a number on an architecture."""
    for each in classes:
        is_there = contains(each.architectures, architecture.audit_arch) and contains(each.numbers, number)
        if is_there and all(_holds(condition, architecture, number) for condition in each.conditions):
            yield each


def _holds(condition: Condition, architecture: Architecture, number: int) -> bool:
    """Return whether a condition on the number or the architecture holds; True for one on an argument."""
    values = {NUMBER: number, ARCHITECTURE: architecture.audit_arch}
    return condition.operand not in values or condition.holds(values[condition.operand])


def _traces(source: Stack | Policy, found: Overview, number: int, names: Sequence[str]) -> Iterator[str]:
    """Yield the text of a trace for each decision about a call on the architecture of the overview."""
    if isinstance(source, Policy):
        stack = Stack([source.program()], dialect=source.dialect)
        for place, call in _calls_by_rule(source, found.architecture, number):
            yield _trace(stack, call, f", by {place}", found.architecture)
        return
    shown = set()
    for each in _classes(found.classes, found.architecture, number):
        call = _member(each, found.architecture, number)
        decision = source.evaluate(call)
        if decision not in shown:
            shown.add(decision)
            name = f"{names[decision.index]}, " if decision.index < len(names) else ""
            place = f", by {name}filter {decision.index + 1} of {len(source)}" if len(source) > 1 else ""
            yield _trace(source, call, place, found.architecture)


def _calls_by_rule(policy: Policy, architecture: Architecture, number: int) -> Iterator[tuple[str, SystemCall]]:
    """Yield the place of each rule that decides about a call, in order, and an example that it decides about.

    Of a policy whose verdicts are the indices of its rules, each class of calls is decided by one rule.
    """
    rules = [
        rule.replace(verdict=index)
        for index, rule in enumerate(policy.rules)
        if contains(rule.architectures, architecture.audit_arch) and contains(rule.numbers, number)
    ]
    by_index = Policy(tuple(rules), len(policy.rules), policy.byte_order)
    examples: dict[int, SystemCall] = {}
    for each in _classes(call_classes(by_index), architecture, number):
        assert each.action is not None, "rules have no computed verdicts"
        examples.setdefault(each.action.verdict, _member(each, architecture, number))
    places = [rule.place or f"rule {index}" for index, rule in enumerate(policy.rules, 1)]
    yield from (((*places, "the default action")[index], examples[index]) for index in sorted(examples))


def _member(each: CallClass, architecture: Architecture, number: int) -> SystemCall:
    """Return a call of a class on an architecture: the conditions on its operands do not depend on the number."""
    if each.is_computed:
        return each.witness
    witness = each.witness
    pointer = witness.instruction_pointer
    return SystemCall(number, witness.arguments, architecture=architecture.audit_arch, instruction_pointer=pointer)


def _trace(stack: Stack, call: SystemCall, place: str, names: Architecture) -> str:
    decision = stack.evaluate(call)
    program = stack.programs[decision.index]
    listing = ProgramListing(program, dialect=stack.dialect, names=names)
    machine = VM(program, dialect=stack.dialect, engine="interpreter")
    lines = _lines(listing, list(machine.trace(call.to_bytes(stack.dialect.byte_order))))
    return "\n  ".join([f"{names.name} {witness_text(call)}: {action_text(decision.action)}{place}", *lines])


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
