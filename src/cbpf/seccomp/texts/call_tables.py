"""Classes of calls as tables: a section for each architecture, and a row for each set of its calls.

The classes may be those of a filter, or the differences between two. A set of architectures that contains unknown ones
is one section, whose calls have the names of one architecture in it, or none.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.word_ranges import Ranges, complement, intersection, union
from ..calls import SystemCall
from ..names.actions import ACTION_WORDS, action_text
from ..names.architectures import ARCHITECTURES, Architecture
from ..rules import ALL_WORDS, ARCHITECTURE, NUMBER, Condition

_X32_NUMBERS: Final[Ranges] = ((0x4000_0000, 0x7FFF_FFFF),)
ALLOW: Final = action_text(ACTION_WORDS["allow"])
_WORDS: Final = {row.audit_arch: row for row in reversed(tuple(ARCHITECTURES.values()))}
"""The architecture of each AUDIT_ARCH; of two, the first one, which is not x32."""


class LabelledCalls(NamedTuple):
    """A class of calls with a label.

    Args:
        architectures: The architectures, as ranges of AUDIT_ARCH numbers.
        numbers: The numbers of the calls, as ranges.
        conditions: The conditions on the operands, all of which hold.
        label: The action as text, or the difference.
        is_computed: Whether arithmetic selects the calls among those that fulfil the conditions.
        witness: A call of the class.
    """

    architectures: Ranges
    numbers: Ranges
    conditions: tuple[Condition, ...]
    label: str
    is_computed: bool
    witness: SystemCall


class Case(NamedTuple):
    """A part of the calls of a row: those that fulfil conditions on the arguments, as in `LabelledCalls`.

    Args:
        conditions: The conditions on the arguments.
        label: The label.
        is_computed: Whether arithmetic selects the calls.
        witness: One of the calls; None if the known one is in another section, and arithmetic selects the calls.
    """

    conditions: tuple[Condition, ...]
    label: str
    is_computed: bool
    witness: SystemCall | None


class Row(NamedTuple):
    """Calls of a section, and the cases of their arguments.

    Args:
        numbers: The numbers of the calls.
        tests: More conditions on the numbers.
        cases: The cases.
    """

    numbers: Ranges
    tests: tuple[Condition, ...]
    cases: tuple[Case, ...]

    @property
    def label(self) -> str | None:
        """The label of all calls of the row; None if it depends on the arguments."""
        case, *others = self.cases
        return None if others or case.conditions or case.is_computed or self.tests else case.label


class Section(NamedTuple):
    """The rows of one architecture, or of a set of architectures.

    Args:
        architectures: The architectures, as ranges of AUDIT_ARCH numbers.
        tests: More conditions on the architecture.
        architecture: The architecture whose names the calls have; None if there is none.
        is_one: Whether the section is about this architecture only.
        numbers: The numbers of calls that the section is about: those of x32 have a section of their own.
        rows: The rows, without the calls that Linux never filters and for which the filter returns another label than
            "allow".
        unfiltered: Those calls.
    """

    architectures: Ranges
    tests: tuple[Condition, ...]
    architecture: Architecture | None
    is_one: bool
    numbers: Ranges
    rows: tuple[Row, ...]
    unfiltered: Ranges = ()


def sections(classes: Iterable[LabelledCalls], names: Architecture) -> list[Section]:
    """Return the sections of classes.

    Args:
        classes: The classes, in the order of `CallClass`: those with equal architectures have equal, or disjoint,
            numbers.
        names: The architecture whose names the calls of several architectures have, if it is one of them.

    Returns:
        The sections, those of one architecture first, in the order of `ARCHITECTURES`.
    """
    groups: dict[tuple[Ranges, tuple[Condition, ...]], list[LabelledCalls]] = {}
    for each in classes:
        groups.setdefault((each.architectures, _tests(each, ARCHITECTURE)), []).append(each)
    found = [
        section
        for (architectures, tests), members in groups.items()
        for section in _sections(architectures, tests, _rows(members), names)
    ]
    order = {row.name: index for index, row in enumerate(ARCHITECTURES.values())}
    return sorted(found, key=lambda section: (not section.is_one, _place(section, order)))


def _place(section: Section, order: dict[str, int]) -> int:
    return order[section.architecture.name] if section.is_one and section.architecture else section.architectures[0][0]


def _tests(calls: LabelledCalls, operand: int) -> tuple[Condition, ...]:
    return tuple([condition for condition in calls.conditions if condition.operand == operand])


def _rows(members: Iterable[LabelledCalls]) -> tuple[Row, ...]:
    cases: dict[tuple[Ranges, tuple[Condition, ...]], list[Case]] = {}
    for each in members:
        conditions = tuple([condition for condition in each.conditions if condition.operand < NUMBER])
        case = Case(conditions, each.label, each.is_computed, each.witness)
        cases.setdefault((each.numbers, _tests(each, NUMBER)), []).append(case)
    return tuple([Row(numbers, tests, tuple(found)) for (numbers, tests), found in cases.items()])


def _sections(
    architectures: Ranges, tests: tuple[Condition, ...], rows: tuple[Row, ...], names: Architecture
) -> Iterator[Section]:
    """Yield the sections of one set of architectures: one for each if it has known ones only."""
    known = [word for word in _WORDS if contains(architectures, word)]
    if tests or len(known) < sum(high - low + 1 for low, high in architectures):
        architecture = names if names.audit_arch in known and not tests else None
        yield Section(architectures, tests, architecture, False, ALL_WORDS, rows)
        return
    for architecture in ARCHITECTURES.values():
        if architecture.audit_arch in known:
            yield from _section(architecture, rows)


def _section(architecture: Architecture, rows: Iterable[Row]) -> Iterator[Section]:
    """Yield the section of an architecture, if it has calls in the rows."""
    numbers = number_space(architecture)
    unfiltered = tuple([(number, number) for number in architecture.unfiltered])
    blocked = union(pair for row in rows if row.label != ALLOW for pair in intersection(row.numbers, unfiltered))
    filtered = intersection(numbers, complement(blocked))
    inside = [(row, intersection(row.numbers, filtered)) for row in rows]
    present = tuple([_part(row, numbers_of_row, architecture) for row, numbers_of_row in inside if numbers_of_row])
    if present or blocked:
        yield Section(((architecture.audit_arch,) * 2,), (), architecture, True, numbers, present, blocked)


def _part(row: Row, numbers: Ranges, architecture: Architecture) -> Row:
    """Return some calls of a row, on one architecture."""
    cases = []
    for case in row.cases:
        is_fixed = case.is_computed or bool(row.tests)
        witness = case.witness and call_like(case.witness, numbers, architecture, is_fixed=is_fixed)
        cases.append(case._replace(witness=witness))
    return Row(numbers, row.tests, tuple(cases))


def call_like(
    witness: SystemCall, numbers: Ranges, architecture: Architecture, *, is_fixed: bool = False
) -> SystemCall | None:
    """Return a call with one of several numbers on an architecture, and the arguments of another one if it is not that.

    *is_fixed*: its arguments cannot be those of another call, so the result may be None.
    """
    if witness.audit_arch == architecture.audit_arch and contains(numbers, witness.number):
        return witness
    if is_fixed:
        return None
    pointer = witness.instruction_pointer
    return SystemCall(
        numbers[0][0], witness.arguments, architecture=architecture.audit_arch, instruction_pointer=pointer
    )


def number_space(architecture: Architecture) -> Ranges:
    """Return the numbers of calls that belong to an architecture, and not to another with the same AUDIT_ARCH."""
    if architecture.name == "x32":
        return _X32_NUMBERS
    return complement(_X32_NUMBERS) if architecture.audit_arch == ARCHITECTURES["x32"].audit_arch else ALL_WORDS


def contains(ranges: Ranges, word: int) -> bool:
    """Return whether a number is in ranges."""
    index = bisect_right(ranges, word, key=itemgetter(0)) - 1
    return index >= 0 and word <= ranges[index][1]
