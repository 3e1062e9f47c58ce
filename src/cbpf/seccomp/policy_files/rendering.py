"""Filters as policy files: the classes of calls of a filter, as rules with the names of calls."""

from collections.abc import Iterable, Iterator, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ...errors import Undecided
from ...isa.dialects import SECCOMP, Dialect
from ...isa.verdicts import SeccompAction
from ...isa.word_ranges import Ranges, complement, intersection, union
from ..classes import CallClass, call_classes
from ..diagrams.filter_functions import Filter
from ..names.actions import action_text
from ..names.architectures import ARCHITECTURES, Architecture
from ..names.system_calls import call_names
from ..rules import ALL_WORDS, Condition
from ..texts.call_texts import example_text
from ..texts.condition_rendering import conditions_text
from .document import EVERY_CALL, wrapped_list
from .reading import number_space

_MAX_DECIMAL: Final = 0xFFFF

Call: TypeAlias = str | tuple[int, int]
"""A call of a rule: its name, or a range of numbers without names."""

Place: TypeAlias = Architecture | tuple[int, int]
"""An architecture of a rule: a row, or a range of AUDIT_ARCH numbers."""

_KILL_PROCESS: Final = 0x8000_0000


class _Effect(NamedTuple):
    """The part of a rule that calls share: the conditions, as records and as text, and the verdict."""

    conditions: tuple[Condition, ...]
    text: str
    verdict: int


_Key: TypeAlias = tuple[_Effect, tuple[Place, ...]]
"""The key of a rule: its effect and its architectures."""


class _Selection(NamedTuple):
    """The architectures that a policy file lists, and its two default actions.

    Args:
        rows: The architectures.
        elsewhere: The AUDIT_ARCH numbers for which rules name numbers instead.
        default: The verdict for the architectures that are listed.
        other: The verdict for the others.
    """

    rows: tuple[Architecture, ...]
    elsewhere: Ranges
    default: int
    other: int


def policy_text(filter: Filter, *, dialect: Dialect = SECCOMP, timeout: float | None = 10) -> str:
    r"""Return a filter as a policy file, which `read_policy` reads, and which decides every call as the filter does.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        The policy file, in TOML.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: The filter decides calls by arithmetic that has no short description, or tests too many combinations
            of bits.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> text = "ld [4]\njeq #0xc000003e, 0, 4\nld [0]\njeq #41, 1\njeq #59, 0, 1\nret #0x50001\nret #0x7fff0000"
    >>> print(policy_text(parse(text), dialect=ARCHITECTURES["x86_64"].dialect))
    default = "allow"
    architectures = ["x86_64"]
    other-architectures = "allow"
    <BLANKLINE>
    [[rule]]
    calls = ["execve", "socket"]
    action = "errno(EPERM)"
    <BLANKLINE>
    """
    classes = call_classes(filter, dialect=dialect, timeout=timeout)
    for each in classes:
        if each.is_computed or each.action is None:
            fact = f"the filter decides calls such as {example_text(each.witness)} by arithmetic"
            raise Undecided(f"{fact}; a rule of a policy compares operands with numbers, and has one action", None)
    selection = _selection(classes, dialect)
    parts = [_head(selection)]
    for (effect, places), calls in sorted(_rules(classes, selection).items(), key=_order):
        parts.append(_rule(effect, places, calls))
    return "\n".join(parts)


# -- the keys of the file ---------------------------------------------------------------------------------------------


def _selection(classes: Sequence[CallClass], dialect: Dialect) -> _Selection:
    """Choose the architectures and the two default actions so that few rules are left."""
    words = {low for each in classes for low, high in each.architectures if low == high}
    known = [row for row in ARCHITECTURES.values() if row.byte_order == dialect.byte_order]
    named = [row for row in known if row.audit_arch in words]
    outside = complement(union((row.audit_arch, row.audit_arch) for row in named))
    other = _most_frequent([(each, outside, ALL_WORDS) for each in classes])
    if not named:  # the filter does not test the architecture
        return _Selection((known[0],), ALL_WORDS, other, other)
    rows = tuple(row for row in named if not _is_uniform(classes, row, other)) or tuple(named)
    spaces = [(((row.audit_arch, row.audit_arch),), number_space(row, rows)) for row in rows]
    default = _most_frequent([(each, *space) for each in classes for space in spaces])
    elsewhere = complement(union((row.audit_arch, row.audit_arch) for row in rows))
    return _Selection(rows, elsewhere, default, other)


def _is_uniform(classes: Sequence[CallClass], row: Architecture, verdict: int) -> bool:
    """Return whether all calls of an architecture have a verdict."""
    space = number_space(row, (row, ARCHITECTURES["x86_64"]))
    return all(
        each.action is not None and each.action.verdict == verdict
        for each in classes
        if _has(each.architectures, row.audit_arch) and intersection(each.numbers, space)
    )


def _most_frequent(parts: Iterable[tuple[CallClass, Ranges, Ranges]]) -> int:
    """Return the verdict of the most calls, of those of some architectures and numbers and without conditions."""
    counts = {_KILL_PROCESS: 0}
    for each, architectures, numbers in parts:
        if each.action is not None and not each.conditions:
            count = _size(intersection(each.architectures, architectures)) * _size(intersection(each.numbers, numbers))
            counts[each.action.verdict] = counts.get(each.action.verdict, 0) + count
    return max(counts, key=lambda verdict: counts[verdict])


def _size(ranges: Ranges) -> int:
    return sum(high - low + 1 for low, high in ranges)


def _has(ranges: Ranges, word: int) -> bool:
    return any(low <= word <= high for low, high in ranges)


# -- rules ------------------------------------------------------------------------------------------------------------


def _rules(classes: Sequence[CallClass], selection: _Selection) -> dict[_Key, list[Call]]:
    """Return the calls of each rule, by their effect and architectures; none: all that are listed."""
    places: dict[tuple[_Effect, Call], list[Place]] = {}
    for each in classes:
        for place, call, effect in _calls(each, selection):
            places.setdefault((effect, call), []).append(place)
    rules: dict[_Key, list[Call]] = {}
    for (effect, call), of_call in places.items():
        has_call = [row for row in selection.rows if not isinstance(call, str) or call in call_names(row)]
        key: tuple[Place, ...] = () if set(of_call) == set(has_call) else tuple(dict.fromkeys(of_call))
        rules.setdefault((effect, key), []).append(call)
    return rules


def _calls(each: CallClass, selection: _Selection) -> Iterator[tuple[Place, Call, _Effect]]:
    """Yield the calls of a class for which the default action of the file is another one."""
    assert each.action is not None
    verdict = each.action.verdict
    for row in selection.rows if selection.elsewhere != ALL_WORDS else ():
        space = number_space(row, selection.rows)
        numbers = intersection(each.numbers, space)
        if not numbers or not _has(each.architectures, row.audit_arch):
            continue
        if verdict != selection.default:
            for call in _named(numbers, space, row):
                name = call if isinstance(call, str) and call != EVERY_CALL else None
                yield row, call, _Effect(each.conditions, conditions_text(each.conditions, name, row), verdict)
    if verdict != selection.other:
        effect = _Effect(each.conditions, conditions_text(each.conditions), verdict)
        calls: Sequence[Call] = [EVERY_CALL] if each.numbers == ALL_WORDS else each.numbers
        for bounds in intersection(each.architectures, selection.elsewhere):
            for call in calls:
                yield bounds, call, effect


def _named(numbers: Ranges, space: Ranges, row: Architecture) -> Iterator[Call]:
    """Yield the names of numbers, and the ranges of those without a name."""
    if numbers == space:
        yield EVERY_CALL
        return
    known = call_names(row)
    yield from (name for name, number in known.items() if _has(numbers, number))
    yield from intersection(numbers, complement(union((number, number) for number in known.values())))


# -- text -------------------------------------------------------------------------------------------------------------


def _order(rule: tuple[_Key, list[Call]]) -> tuple[object, ...]:
    """Return the key of the order of rules: those without conditions first, then by the greatest verdict."""
    (effect, places), calls = rule
    return bool(effect.conditions), -effect.verdict, effect.text, [_place(each) for each in places], str(calls[0])


def _head(selection: _Selection) -> str:
    names = ", ".join(_quoted(row.name) for row in selection.rows)
    return (
        f'default = "{_action(selection.default)}"\n'
        f"architectures = [{names}]\n"
        f'other-architectures = "{_action(selection.other)}"\n'
    )


def _rule(effect: _Effect, places: Sequence[Place], calls: Sequence[Call]) -> str:
    names = sorted(call for call in calls if isinstance(call, str))
    ranges = sorted(call for call in calls if not isinstance(call, str))
    lines = ["[[rule]]", f"calls = {wrapped_list([*map(_quoted, names), *map(_range, ranges)])}"]
    if places:
        lines.append(f"architectures = {wrapped_list([_place(each) for each in places])}")
    if effect.text:
        lines.append(f'if = "{effect.text}"')
    return "\n".join([*lines, f'action = "{_action(effect.verdict)}"\n'])


def _place(place: Place) -> str:
    return _quoted(place.name) if isinstance(place, Architecture) else _range(place)


def _range(bounds: tuple[int, int]) -> str:
    low, high = map(_number, bounds)
    return low if low == high else f'"{low}..{high}"'


def _quoted(text: str) -> str:
    return f'"{text}"'


def _number(number: int) -> str:
    return str(number) if number <= _MAX_DECIMAL else f"{number:#x}"


def _action(verdict: int) -> str:
    return action_text(SeccompAction(verdict))
