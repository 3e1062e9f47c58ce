"""The rules of the entries of a profile: the meaning that runc and libseccomp give them.

The entries for one system call have this order, as in libseccomp: an entry without conditions decides alone; of the
others, those with a comparison of a later argument come first, then `EQ`, `NE` and `MASKED_EQ`, then greater values
(for `LT` and `LE`: smaller ones). On architectures of 32 bits, x32 and n32 among them, the lower words of the arguments
are compared. Where an architecture has the calls `socketcall` or `ipc`, an entry for a call that they also make is an
entry for them too, without its comparison of argument 0.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Final
from ...isa.opcodes import WORD_MASK
from ...isa.word_ranges import Ranges, complement, union
from ..names.architectures import ARCHITECTURES, Architecture
from ..names.multiplexers import IPC_CALLS, SOCKET_CALLS
from ..names.system_calls import call_names
from ..rules import ALL_WORDS, OPERAND_MASK, Condition, MaskedRanges, Rule
from .format import Comparison, ProfileRule
from .layers import Omission

BAD_ARCHITECTURE: Final = 0x0000_0000
"""The verdict for architectures that a profile does not list: KILL_THREAD."""

_ENOSYS: Final = 0x0005_0026
_ALLOWING: Final = (0x7FFF_0000, 0x7FFC_0000, 0x7FF0_0000)  # the default actions for which runc adds no ENOSYS
_X32_BIT: Final = 0x4000_0000
_NO_CALL: Final = 0xFFFF_FFFF
_PRIORITY: Final = {"EQ": 0, "NE": 0, "MASKED_EQ": 0, "LE": 1, "LT": 1, "GE": 2, "GT": 2}


class ResolvedProfile(NamedTuple):
    """A profile without its layers: the entries that are used on one machine.

    Args:
        default: The default action with its data.
        architectures: The architectures, the first is that of the machine.
        rules: The entries whose action is not the default.
        named: The names of the calls of these and of the other entries.
        omissions: The parts of the profile that are not used.
    """

    default: int
    architectures: tuple[Architecture, ...]
    rules: tuple[ProfileRule, ...]
    named: frozenset[str]
    omissions: tuple[Omission, ...]


class _Entry(NamedTuple):
    """An entry of a profile, for one number on one architecture."""

    comparisons: tuple[Comparison, ...]
    verdict: int
    place: str


class _Decision(NamedTuple):
    """The rule that an entry becomes, without its calls."""

    conditions: tuple[Condition, ...]
    verdict: int
    place: str


def rules_of_profile(resolved: ResolvedProfile, enosys: bool) -> Iterator[Rule]:
    """Yield the rules of a profile; *enosys*: with those that runc adds for numbers beyond the profile."""
    if enosys and resolved.default & 0xFFFF_0000 not in _ALLOWING:
        yield from _beyond_the_profile(resolved)
    yield from _unlisted_architectures(resolved.architectures)
    for each in resolved.architectures:
        yield from _rules_of(each, _entries_by_number(each, resolved.rules))


def unknown_names(resolved: ResolvedProfile) -> Iterator[Omission]:
    """Yield the names that are not system calls of the listed architectures."""
    known = {name for each in resolved.architectures for name in call_names(each)}
    multiplexed = (("socketcall", SOCKET_CALLS), ("ipc", IPC_CALLS))
    known |= {name for multiplexer, calls in multiplexed if multiplexer in known for name in calls}
    anywhere = {name for each in ARCHITECTURES.values() for name in call_names(each)}
    listed = ", ".join(each.name for each in resolved.architectures)
    for rule in resolved.rules:
        absent = tuple(name for name in rule.names if name not in known and name in anywhere)
        if absent:
            yield Omission(rule.place, absent, f"not a system call of {listed}")
        for name in rule.names:
            if name not in known and name not in anywhere:
                yield Omission(rule.place, (name,), f"unknown system call{suggestion(name, anywhere)}")


def _unlisted_architectures(architectures: Sequence[Architecture]) -> Iterator[Rule]:
    """Yield the rules for architectures that a profile does not list, and for one half of the numbers of x86-64."""
    listed = union((each.audit_arch, each.audit_arch) for each in architectures)
    place = "architectures"
    yield Rule(complement(listed), ALL_WORDS, (), BAD_ARCHITECTURE, place)
    names = {each.name for each in architectures}
    x86_64 = ARCHITECTURES["x86_64"].audit_arch
    if "x86_64" in names and "x32" not in names:
        yield Rule(((x86_64, x86_64),), ((_X32_BIT, _NO_CALL - 1),), (), BAD_ARCHITECTURE, place)
    elif "x32" in names and "x86_64" not in names:
        yield Rule(((x86_64, x86_64),), ((0, _X32_BIT - 1),), (), BAD_ARCHITECTURE, place)


def _beyond_the_profile(resolved: ResolvedProfile) -> Iterator[Rule]:
    """Yield the rules of runc that give ENOSYS to numbers above the highest one of a profile."""
    for each in resolved.architectures:
        known = call_names(each)
        numbers = [known[name] for name in resolved.named if name in known]
        if not numbers:
            continue
        last = max(numbers)
        if each.audit_arch == ARCHITECTURES["x86_64"].audit_arch:  # runc compares numbers with equal x32 bits
            base = each.number_base
            beyond: Ranges = ((last + 1, base | (_X32_BIT - 1)), (base | 1 << 31, base | 1 << 31 | (_X32_BIT - 1)))
        else:
            beyond = ((last + 1, WORD_MASK),)
        if each.name in ("s390", "s390x"):
            beyond = ((0, 0), *beyond)
        yield Rule(((each.audit_arch, each.audit_arch),), beyond, (), _ENOSYS, "ENOSYS for numbers beyond the profile")


def _entries_by_number(architecture: Architecture, rules: Sequence[ProfileRule]) -> Mapping[int, list[_Entry]]:
    """Return the entries for each number of an architecture, in the order of the profile."""
    known = call_names(architecture)
    entries: dict[int, list[_Entry]] = {}
    for rule in rules:
        for comparisons in alternatives(rule.comparisons):
            for name in rule.names:
                if name in known:
                    entries.setdefault(known[name], []).append(_Entry(comparisons, rule.verdict, rule.place))
                for multiplexer, calls in (("socketcall", SOCKET_CALLS), ("ipc", IPC_CALLS)):
                    if name in calls and multiplexer in known:
                        number = Comparison(0, "EQ", calls[name], OPERAND_MASK)
                        others = tuple(each for each in comparisons if each.argument != 0)
                        entries.setdefault(known[multiplexer], []).append(
                            _Entry((number, *others), rule.verdict, rule.place)
                        )
    return entries


def alternatives(comparisons: tuple[Comparison, ...]) -> tuple[tuple[Comparison, ...], ...]:
    """Return the entry's comparisons as runc adds them: each alone if two of them compare the same argument."""
    indices = {each.argument for each in comparisons}
    return (comparisons,) if len(indices) == len(comparisons) else tuple((each,) for each in comparisons)


def _rules_of(architecture: Architecture, entries: Mapping[int, Sequence[_Entry]]) -> Iterator[Rule]:
    """Yield the rules of an architecture; numbers with the same entries share their rules."""
    groups: dict[tuple[_Decision, ...], list[int]] = {}
    for number, listed in entries.items():
        decided = tuple(_decided(_decisions(listed, architecture)))
        groups.setdefault(decided, []).append(number)
    for decided, numbers in groups.items():
        ranges = union((number, number) for number in numbers)
        for each in decided:
            yield Rule(((architecture.audit_arch, architecture.audit_arch),), ranges, *each)


def _decisions(entries: Sequence[_Entry], architecture: Architecture) -> list[_Decision]:
    """Return the conditions and verdicts of entries, in libseccomp's order."""
    ordered = sorted(entries, key=lambda entry: tuple(_position(each) for each in _by_argument(entry)))
    return [
        _Decision(
            tuple(
                condition
                for each in _by_argument(entry)
                if (condition := _condition(each, architecture.bits)) is not None
            ),
            entry.verdict,
            entry.place,
        )
        for entry in ordered
    ]


def _decided(decisions: Sequence[_Decision]) -> Iterable[_Decision]:
    """Return the decisions that calls can have: the first one without conditions alone, else each once."""
    unconditional = next((each for each in decisions if not each.conditions), None)
    if unconditional is not None:
        return [unconditional]
    distinct: dict[tuple[tuple[Condition, ...], int], _Decision] = {}
    for each in decisions:
        distinct.setdefault((each.conditions, each.verdict), each)
    return distinct.values()


def _by_argument(entry: _Entry) -> list[Comparison]:
    return sorted(entry.comparisons, key=lambda each: each.argument)


def _position(comparison: Comparison) -> tuple[int, int, int]:
    """Return the key that puts entries into libseccomp's order."""
    is_below = comparison.operator in ("LT", "LE")
    return -comparison.argument, _PRIORITY[comparison.operator], comparison.value if is_below else -comparison.value


def _condition(comparison: Comparison, bits: int) -> Condition | None:
    """Return the condition of a comparison in the lower *bits* of an argument; None if it always holds."""
    upper = 2**bits - 1
    mask, value = comparison.mask & upper, comparison.value & comparison.mask & upper
    if mask == 0:
        return None
    bounds = {
        "EQ": (value, value),
        "MASKED_EQ": (value, value),
        "LT": (0, value - 1),
        "LE": (0, value),
        "GE": (value, upper),
        "GT": (value + 1, upper),
        "NE": (value, value),
    }[comparison.operator]
    ranges: Ranges = (bounds,) if bounds[0] <= bounds[1] else ()
    if comparison.operator == "NE":
        ranges = complement(ranges, upper)
    return Condition(comparison.argument, (MaskedRanges(mask, ranges),))
