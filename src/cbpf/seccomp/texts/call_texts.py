"""Sets of calls and architectures, and the cases of their arguments, as text for people."""

from collections.abc import Collection, Iterable

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.dialects import FetchOrder
from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, complement, intersection
from ..calls import SystemCall
from ..diagrams.bit_vectors import WORD_BITS
from ..kernel.kernel_calls import native_architecture
from ..names.architectures import ARCHITECTURES, Architecture, ArchitectureName, architecture
from ..names.arguments import arguments_of
from ..names.system_calls import call_names
from ..rules import ALL_WORDS, INSTRUCTION_POINTER
from .call_tables import Case, Section, contains
from .condition_rendering import conditions_text

_MAX_DECIMAL: Final = 0xFFFF
_MAX_DECIMAL_ARGUMENT: Final = 1024
_MAX_LENGTH: Final = 60


def names_for(byte_order: FetchOrder, chosen: ArchitectureName | None) -> Architecture:
    """Return the architecture whose names calls of several architectures have.

    Args:
        byte_order: The byte order of the filter.
        chosen: The architecture that the user has chosen; None: that of this machine, if it has the byte order.
    """
    if chosen is not None:
        return architecture(chosen)
    native = native_architecture()
    candidates = ARCHITECTURES.values() if native is None else (native, *ARCHITECTURES.values())
    return next(row for row in candidates if row.byte_order == byte_order)


class NamedCalls(NamedTuple):
    """The calls of some numbers.

    Args:
        names: The names of those that have one, sorted.
        unnamed: The ranges of the other numbers.
    """

    names: tuple[str, ...]
    unnamed: Ranges


def named_calls(numbers: Ranges, architecture: Architecture | None) -> NamedCalls:
    """Return the calls of some numbers, with the names of an architecture, or without names."""
    if architecture is None:
        return NamedCalls((), numbers)
    inside = {name: number for name, number in call_names(architecture).items() if contains(numbers, number)}
    points = tuple([(number, number) for number in sorted(set(inside.values()))])
    return NamedCalls(tuple(sorted(inside)), intersection(numbers, complement(points)))


def numbers_text(ranges: Ranges, space: Ranges = ((0, WORD_MASK),)) -> str:
    """Return ranges of numbers as text.

    Args:
        ranges: The ranges.
        space: All numbers that there are; a last range up to their end is "N and above".

    >>> numbers_text(((3, 5), (9, 9), (462, 0xFFFFFFFF)))
    '3 to 5, 9, 462 and above'
    """
    if ranges == space:
        return "all"
    texts = [_number(low) if low == high else f"{_number(low)} to {_number(high)}" for low, high in ranges]
    for index, (low, _) in enumerate(ranges):
        if ranges[index:] == intersection(space, ((low, WORD_MASK),)):
            return ", ".join([*texts[:index], f"{_number(low)} and above"])
    return ", ".join(texts)


def _number(number: int) -> str:
    return str(number) if number <= _MAX_DECIMAL else f"{number:#x}"


def architectures_text(section: Section, *, is_complete: bool) -> str:
    """Return the title of a section; *is_complete* is whether other sections have all other architectures."""
    if section.is_one and section.architecture is not None:
        return section.architecture.name
    if section.tests:
        return f"architectures with {conditions_text(section.tests)}"
    size = sum(high - low + 1 for low, high in section.architectures)
    if size <= WORD_MASK // 2:
        return f"architecture {numbers_text(section.architectures)}"
    names = ""
    if section.architecture and any(row.numbers != ALL_WORDS for row in section.rows):
        names = f", with the names of {section.architecture.name}"
    if section.architectures == ALL_WORDS:
        return f"all architectures{names}"
    if is_complete:
        return f"other architectures{names}"
    others = [row.name for row in ARCHITECTURES.values() if not contains(section.architectures, row.audit_arch)]
    return f"all architectures but {', '.join(others)}{names}"


def case_texts(
    cases: Collection[Case],
    call: str | None,
    architecture: Architecture | None,
    *,
    is_complete: bool,
    halves: Collection[int] = (),
) -> list[str]:
    """Return the cases of the arguments of a call as lines of text.

    Args:
        cases: The cases.
        call: The name of the call, if it has one.
        architecture: The architecture, if it is known.
        is_complete: Whether each call has one of the cases: those with the longest conditions are then "else". If not,
            each case is shown with a call.
        halves: The arguments of which the lower half is the whole argument, as `halved_operands` returns them.

    Returns:
        The lines, such as "allow if flags & CLONE_NEWUSER = 0" and "else errno(EPERM)".
    """
    lines: dict[str, list[str]] = {}
    for case in cases:
        shows_witness = not is_complete and bool(case.conditions or case.is_computed)
        condition = conditions_text(case.conditions, call, architecture, halves=halves)
        lines.setdefault(case.label, []).append(_case_line(case, condition, shows_witness=shows_witness))
    others = max(lines, key=lambda label: sum(map(len, lines[label])))
    if is_complete and len(lines) > 1 and not any(case.is_computed for case in cases):
        del lines[others]
        return _joined([*(line for found in lines.values() for line in found), f"else {others}"])
    return [line for found in lines.values() for line in found]


def _joined(lines: list[str]) -> list[str]:
    """Return two short lines as one."""
    text = ", ".join(lines)
    return [text] if len(lines) == 2 and len(text) <= _MAX_LENGTH else lines


def _case_line(case: Case, condition: str, *, shows_witness: bool) -> str:
    example = f", such as {witness_text(case.witness)}" if shows_witness and case.witness else ""
    if case.is_computed:  # the result of arithmetic on several words is not a condition on one of them
        return f"{case.label} for some calls{condition and f' with {condition}'}{example}"
    return f"{case.label}{condition and f' if {condition}'}{example}"


def call_text(call: str, arguments: tuple[int, ...], architecture: Architecture | None) -> str:
    """Return a call as C code, with the arguments that it has, or all up to the last one that is not 0.

    >>> call_text("socket", (38, 0x80005, 0, 0, 0, 0), ARCHITECTURES["x86_64"])
    'socket(38, 0x80005, 0)'
    """
    known = len(arguments_of(call, architecture)) if architecture else 0
    used = max((index for index, value in enumerate(arguments, 1) if value), default=0)
    return f"{call}({', '.join(map(_argument, arguments[: max(known, used)]))})"


def example_text(call: SystemCall) -> str:
    """Return a call with its arguments, and its architecture.

    >>> example_text(SystemCall("socket", (38, 0x80005), architecture="i386"))
    'socket(38, 0x80005, 0) on i386'
    """
    place = call.architecture.name if call.architecture else f"architecture {call.audit_arch:#x}"
    return f"{witness_text(call)} on {place}"


def witness_text(call: SystemCall) -> str:
    """Return a call with its arguments, as C code if it has a name.

    >>> witness_text(SystemCall("socket", (38,))), witness_text(SystemCall(9999)), witness_text(SystemCall(9999, (1,)))
    ('socket(38, 0, 0)', 'number 9999', 'number 9999 with arguments (1)')
    """
    if call.name is not None:
        return call_text(call.name, call.arguments, call.architecture)
    arguments = call_text("", call.arguments, None)
    return f"number {_number(call.number)}" + (f" with arguments {arguments}" if any(call.arguments) else "")


def halved_operands(cases: Iterable[Case], architecture: Architecture | None) -> frozenset[int]:
    """Return the arguments of which cases test the lower half, which is the whole argument on this architecture.

    A filter reads 64 bits of each argument, also where registers have 32. Without an architecture, there are none.
    """
    if architecture is None or architecture.register_bits > WORD_BITS:
        return frozenset()
    tested: dict[int, set[int]] = {}
    for case in cases:
        for condition in case.conditions:
            tested.setdefault(condition.operand, set()).update(test.mask for test in condition.alternatives)
    return frozenset(
        operand
        for operand, masks in tested.items()
        if operand < INSTRUCTION_POINTER and WORD_MASK in masks and max(masks) <= WORD_MASK
    )


def _argument(value: int) -> str:
    return str(value) if value < _MAX_DECIMAL_ARGUMENT else f"{value:#x}"
