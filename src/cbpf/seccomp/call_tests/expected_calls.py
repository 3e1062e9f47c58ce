"""Tables of system calls and the actions that a filter should have for them, written in TOML.

architectures = ["x86_64", "i386"]

[[test]]
calls = ["socket"]
arguments = { family = ["AF_ALG", "AF_PACKET"] }
action = "errno(EPERM)"

[[test]]
calls = ["read", 435, "440..442"]
action = "allow"
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

from ..._record import Record
from ..._typing import Annotated, Any, Final, TypeAlias
from ..._validators import instance_of, text
from ...errors import FieldError, PolicyError
from ...isa.verdicts import SeccompAction
from ..calls import SystemCall
from ..document_fields import hint, list_of, shortened, table_of
from ..names.architectures import Architecture
from ..names.system_calls import call_name, call_names
from ..policy_files.fields import (
    Bounds,
    Call,
    action_field,
    architecture_field,
    architecture_or_range,
    call_field,
    check_call_names,
    numbered_tables,
    toml_document,
    without_groups,
)
from ..rules import INSTRUCTION_POINTER, tuple_of
from ..texts.condition_text import operands_of, parse_number

KEYS: Final = ("architectures", "test")
TEST_KEYS: Final = ("calls", "architectures", "arguments", "action", "comment")

_ARGUMENTS: Final = 6
_MAX_CALLS: Final = 65_536
_REGISTER_BITS: Final = 64

_Values: TypeAlias = Mapping[int, tuple[int, ...]]
"""The values of each argument, or of the instruction pointer, that has some."""


class CallTest(Record):
    """System calls, and the action that a filter should have for each of them.

    Args:
        calls: The system calls, at least one.
        action: The action with its data.
        place: The position in a table, for messages.

    Raises:
        FieldError: A field is not valid.

    >>> CallTest((SystemCall(101),), SeccompAction(0x50001)).action.name
    'ERRNO'
    """

    calls: Annotated[tuple[SystemCall, ...], tuple_of(SystemCall, at_least=1)]
    action: Annotated[SeccompAction, instance_of(SeccompAction)]
    place: Annotated[str, text] = ""


def read_call_table(text: str, *, source: str = "") -> tuple[CallTest, ...]:
    """Return the tests of a table of system calls, which is written in TOML.

    Each `[[test]]` has `calls` (names, numbers, ranges such as "440..442", groups such as "@mount" of `call_groups`),
    `action` (the expected one, as `parse_action` reads it), and optionally `arguments` and `architectures`; without the
    latter, those of the table are used. `arguments` is a list of values by position, or a table of values by the name
    of the argument, arg0 to arg5 or instruction_pointer; the others are 0. A value is a number, a text such as
    "CLONE_NEWUSER|CLONE_NEWPID", or a list of several: every combination is then a call of the test. A negative number
    is two's complement of the size of a register.

    Args:
        text: The table.
        source: The name of the file, for messages.

    Returns:
        The tests in order. A name is a call on those of the architectures that have it.

    Raises:
        PolicyError: The table is invalid; the message has the place.
        MissingLibrary: It names system calls, and the library with the names is not installed.

    >>> (test,) = read_call_table('''
    ... architectures = ["x86_64", "i386"]
    ... [[test]]
    ... calls = ["socket"]
    ... arguments = { family = ["AF_ALG", 17] }
    ... action = "errno(EPERM)"
    ... ''')
    >>> [(call.architecture.name, call.arguments[0]) for call in test.calls], test.place
    ([('x86_64', 38), ('x86_64', 17), ('i386', 38), ('i386', 17)], 'test 1 (line 3)')
    """
    document = toml_document(text, source)
    prefix = f"{source}: " if source else ""
    try:
        table_of(source or "table", document, KEYS)
        listed = list_of(f"{prefix}architectures", document.get("architectures"), architecture_field)
        entries = list_of(f"{prefix}test", document.get("test"), lambda path, value: value)
        if not entries:
            raise FieldError(f"{prefix}test: missing; a table has at least one [[test]]")
        return tuple(_test(place, entry, listed) for place, entry in numbered_tables(text, "test", prefix, entries))
    except FieldError as error:
        raise PolicyError(str(error)) from None


def _test(place: str, value: object, listed: Sequence[Architecture]) -> CallTest:
    """Return a test; *listed* are the architectures of the table."""
    entry = table_of(place, value, TEST_KEYS)
    members = [call for _, call in list_of(f"{place}: calls", entry.get("calls"), call_field)]
    if not members:
        raise FieldError(f'{place}: calls: missing; a test has at least one call, such as ["read", 435]')
    architectures: Sequence[Architecture | Bounds] = listed
    if "architectures" in entry:
        architectures = list_of(f"{place}: architectures", entry["architectures"], architecture_or_range)
    if not architectures:
        raise FieldError(f'{place}: architectures: missing; a test or its table lists some, such as ["x86_64"]')
    names = [call for call in members if isinstance(call, str)]
    check_call_names(f"{place}: calls", names, [each for each in architectures if isinstance(each, Architecture)])
    members = list(without_groups(members))
    action = SeccompAction(action_field(f"{place}: action", entry.get("action")))
    arguments = entry.get("arguments", [])
    if _size(architectures) * _size(members) * _combinations(arguments) > _MAX_CALLS:
        raise FieldError(f"{place}: more than {_MAX_CALLS:,} calls; cbpf seccomp show has all calls of a filter")
    calls = tuple(_calls(place, architectures, members, arguments))
    if not calls:
        raise FieldError(f"{place}: calls: none of the architectures has a call of the groups")
    return CallTest(calls, action, place)


def _size(items: Sequence[object]) -> int:
    """Return the number of architectures or calls of a list: of a range, all numbers."""
    return sum(item[1] - item[0] + 1 if isinstance(item, tuple) else 1 for item in items)


def _combinations(arguments: object) -> int:
    """Return the number of combinations of the values of arguments."""
    values = arguments.values() if isinstance(arguments, dict) else arguments if isinstance(arguments, list) else ()
    return prod(len(value) if isinstance(value, list) else 1 for value in values)


def _calls(
    place: str, architectures: Sequence[Architecture | Bounds], members: Sequence[Call], arguments: object
) -> Iterator[SystemCall]:
    """Yield the calls of a test: on each architecture, each number with each combination of the arguments."""
    for row, audit_arch in _rows(architectures):
        for number in _numbers(members, row):
            name = None if row is None else call_name(row, number)
            values = _values(f"{place}: arguments", arguments, name, row)
            for combination in product(*values.values()):
                operands = dict(zip(values, combination, strict=True))
                yield _call(place, number, row or audit_arch, operands)


def _rows(architectures: Sequence[Architecture | Bounds]) -> Iterator[tuple[Architecture | None, int]]:
    """Yield each architecture, None for one without a name, and its AUDIT_ARCH number."""
    for each in architectures:
        if isinstance(each, Architecture):
            yield each, each.audit_arch
        else:
            yield from ((None, audit_arch) for audit_arch in range(each[0], each[1] + 1))


def _numbers(members: Sequence[Call], row: Architecture | None) -> Iterator[int]:
    """Yield the numbers of calls on an architecture, without names that it does not have."""
    known = {} if row is None else call_names(row)
    for member in members:
        if not isinstance(member, str):
            yield from range(member[0], member[1] + 1)
        elif member in known:
            yield known[member]


def _call(place: str, number: int, architecture: Architecture | int, operands: Mapping[int, int]) -> SystemCall:
    arguments = [operands.get(index, 0) for index in range(_ARGUMENTS)]
    pointer = operands.get(INSTRUCTION_POINTER, 0)
    try:
        return SystemCall(number, arguments, architecture=architecture, instruction_pointer=pointer)
    except FieldError as error:
        raise FieldError(f"{place}: calls: {str(error).removeprefix('SystemCall.call: ')}") from None


# -- arguments --------------------------------------------------------------------------------------------------------


def _values(path: str, value: Any, call: str | None, row: Architecture | None) -> _Values:
    """Return the values of the arguments of a call, which are a list by position, or a table by name."""
    if isinstance(value, list):
        if len(value) > _ARGUMENTS:
            raise FieldError(f"{path}: {len(value)} values; a system call has at most {_ARGUMENTS} arguments")
        return {index: _alternatives(f"{path}[{index}]", each, row) for index, each in enumerate(value)}
    if not isinstance(value, dict):
        raise FieldError(f"{path}: {shortened(value)} is neither a list of values nor a table of names and values")
    known = operands_of([] if call is None else [call], row)
    operands = {name: operand for name, operand in known.items() if operand <= INSTRUCTION_POINTER}
    values: dict[int, tuple[int, ...]] = {}
    for name, each in value.items():
        if name not in operands:
            raise FieldError(f"{path}: {name!r} is not an argument of {call or 'the call'}{hint(name, operands)}")
        if operands[name] in values:
            raise FieldError(f"{path}: {name!r} is argument {operands[name]}, which has a value already")
        values[operands[name]] = _alternatives(f"{path}.{name}", each, row)
    return values


def _alternatives(path: str, value: object, row: Architecture | None) -> tuple[int, ...]:
    """Return the values of one argument."""
    if not isinstance(value, list):
        return (_number(path, value, row),)
    if not value:
        raise FieldError(f"{path}: an empty list; an argument has at least one value")
    return tuple(_number(f"{path}[{index}]", each, row) for index, each in enumerate(value))


def _number(path: str, value: object, row: Architecture | None) -> int:
    """Return the number of an argument, unsigned with the bits of a register."""
    bits = _REGISTER_BITS if row is None else row.register_bits
    if isinstance(value, str):
        try:
            number = parse_number(value, row)
        except FieldError as error:
            raise FieldError(f"{path}: {shortened(value)}: {error}") from None
    elif type(value) is int:
        number = value
    else:
        raise FieldError(f"{path}: {shortened(value)} is not a number or the name of a constant")
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise FieldError(
            f"{path}: {number:#x} exceeds {bits} bits, the size of a register{f' of {row.name}' if row else ''}"
        )
    return number % (1 << bits)
