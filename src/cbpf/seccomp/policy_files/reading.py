"""Policy files as policies: the names of calls and the conditions of each rule, for each architecture."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..._typing import Final
from ...errors import FieldError, PolicyError
from ...isa.word_ranges import Ranges, complement, intersection, union
from ..names.actions import parse_action
from ..names.architectures import ARCHITECTURES, Architecture
from ..names.system_calls import call_names
from ..policies import Policy
from ..rules import ALL_WORDS, Rule
from ..texts.condition_text import parse_conditions
from .document import EVERY_CALL, OTHER_ARCHITECTURES, PolicyDocument, RuleEntry, read_document
from .fields import Call, check_call_names, without_groups

_X32_BIT: Final = 0x4000_0000
_NO_CALL: Final = 0xFFFF_FFFF
_X32_NUMBERS: Final[Ranges] = ((_X32_BIT, _NO_CALL - 1),)
_X86_64: Final = ARCHITECTURES["x86_64"].audit_arch


def read_policy(text: str, *, folder: str | os.PathLike[str] | None = None, source: str = "") -> Policy:
    """Return the policy of a policy file, which is written in TOML.

    The file has a `default` action, the `architectures` that its rules are about, and rules: `[[rule]]` with `calls`
    (names, numbers, ranges such as "400..450", groups such as "@mount", or "*" for every call), `if` (conditions as
    `parse_conditions` reads them) and `action`. The first rule that matches a call decides it. Other architectures have
    the action `other-architectures`, which is kill_process by default. `call_groups` has the groups of calls, and
    `[groups]` defines more; `include` is a list of files, whose rules follow those of the file itself.

    Args:
        text: The policy file.
        folder: The folder of the files that it includes; None: it must not include any.
        source: The name of the file, for messages.

    Returns:
        The policy.

    Raises:
        PolicyError: The file is invalid; the message has the place.
        MissingLibrary: It names system calls, and the library with the names is not installed.

    >>> policy = read_policy('''
    ... default = "errno(ENOSYS)"
    ... architectures = ["x86_64"]
    ... [[rule]]
    ... calls = ["socket"]
    ... if = "family = AF_ALG"
    ... action = "kill_process"
    ... [[rule]]
    ... calls = ["read", "write", "socket"]
    ... action = "allow"
    ... ''')
    >>> policy.action(0xC000003E, 41, [38]).name, policy.action(0xC000003E, 41, [2]).name
    ('KILL_PROCESS', 'ALLOW')
    """
    document = read_document(text, None if folder is None else Path(folder), source)
    prefix = f"{source}: " if source else ""
    if document.default is None:
        raise PolicyError(f'{prefix}default: missing; a policy has a default action, such as "errno(EPERM)"')
    if not document.architectures:
        raise PolicyError(f'{prefix}architectures: missing; a policy lists architectures, such as ["x86_64"]')
    byte_order = document.architectures[0].byte_order
    for each in document.architectures:
        if each.byte_order != byte_order:
            fact = f"{each.name} is {each.byte_order}-endian, {document.architectures[0].name} is {byte_order}-endian"
            raise PolicyError(f"{prefix}architectures: {fact}; a filter has one byte order")
    try:
        rules = [rule for entry in document.rules for rule in _rules(entry, document.architectures)]
    except FieldError as error:
        raise PolicyError(str(error)) from None
    return Policy((*rules, *_others(document)), document.default, byte_order)


def number_space(architecture: Architecture, listed: Sequence[Architecture]) -> Ranges:
    """Return the numbers of the calls of an architecture in a policy that lists several.

    x86_64 and x32 share their AUDIT_ARCH number. Numbers with bit 30 or 31 are those of x32, except for 0xffffffff,
    with which a tracer skips a call; without x86_64 in the policy, that number is one of x32 as well.
    """
    if architecture.name == "x32":
        is_alone = not any(each.name == "x86_64" for each in listed)
        return union([*_X32_NUMBERS, (_NO_CALL, _NO_CALL)]) if is_alone else _X32_NUMBERS
    return complement(_X32_NUMBERS) if architecture.audit_arch == _X86_64 else ALL_WORDS


def _others(document: PolicyDocument) -> Iterator[Rule]:
    """Yield the rules for architectures that a policy does not list."""
    verdict = parse_action(OTHER_ARCHITECTURES).verdict if document.other is None else document.other
    listed = union((each.audit_arch, each.audit_arch) for each in document.architectures)
    place = "other-architectures"
    yield Rule(complement(listed), ALL_WORDS, (), verdict, place)
    of_x86_64 = [
        number_space(each, document.architectures) for each in document.architectures if each.audit_arch == _X86_64
    ]
    numbers = complement(union(bounds for each in of_x86_64 for bounds in each))
    if of_x86_64 and numbers:
        yield Rule(((_X86_64, _X86_64),), numbers, (), verdict, place)


def _rules(entry: RuleEntry, listed: Sequence[Architecture]) -> Iterator[Rule]:
    """Yield the rules of a rule of a file: one for each architecture that has any of its calls."""
    selected = listed if entry.architectures is None else entry.architectures
    names = [call for call in entry.calls if isinstance(call, str) and call != EVERY_CALL]
    check_call_names(f"{entry.place}: calls", names, [each for each in selected if isinstance(each, Architecture)])
    entry = entry._replace(calls=without_groups(entry.calls))
    for each in selected:
        place = f"{entry.place}: if"
        if isinstance(each, Architecture):
            place += f": on {each.name}" * (len(selected) > 1)
            numbers = intersection(_numbers(entry.calls, each), number_space(each, listed))
            yield from _rule(place, entry, ((each.audit_arch, each.audit_arch),), numbers, each)
        else:
            yield from _rule(place, entry, (each,), _numbers(entry.calls, None), None)


def _rule(
    place: str, entry: RuleEntry, architectures: Ranges, numbers: Ranges, row: Architecture | None
) -> Iterator[Rule]:
    """Yield the rule for an architecture, unless it has none of the calls; messages about conditions have the place."""
    if not numbers:
        return
    names = [call for call in entry.calls if isinstance(call, str) and call in _known(row)]
    has_others = any(call == EVERY_CALL or not isinstance(call, str) for call in entry.calls)
    try:
        conditions = parse_conditions(entry.condition, () if has_others else names, row)
    except FieldError as error:
        raise FieldError(f"{place}: {error}") from None
    yield Rule(architectures, numbers, conditions, entry.verdict, entry.place)


def _numbers(calls: Sequence[Call], row: Architecture | None) -> Ranges:
    """Return the numbers of calls; names that the architecture does not have are left out."""
    known = _known(row)
    named = [(known[call], known[call]) for call in calls if isinstance(call, str) and call in known]
    ranges = [call for call in calls if not isinstance(call, str)]
    return ALL_WORDS if EVERY_CALL in calls else union([*named, *ranges])


def _known(row: Architecture | None) -> Mapping[str, int]:
    return {} if row is None else call_names(row)
