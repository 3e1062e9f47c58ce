"""Seccomp profiles of containers as data: the JSON of OCI runtimes, with the additions of Docker and Podman.

A profile of OCI has `defaultAction`, `architectures` and `syscalls`. Docker and Podman add `archMap`, and to each entry
of `syscalls` the conditions `includes` and `excludes`, which are resolved before the runtime reads the profile
(`profile_layers`).
"""

import json
from collections.abc import Mapping
from errno import errorcode
from types import MappingProxyType

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Any, Final
from ...errors import FieldError, PolicyError
from ..document_fields import hint, list_of, number_of, table_of, text_of
from ..names.actions import MAX_ERRNO, errno_number
from ..names.architectures import Architecture, architecture

_ERRNO: Final = 0x0005_0000
_TRACE: Final = 0x7FF0_0000
_EPERM: Final = 1

ACTIONS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "SCMP_ACT_KILL": 0x0000_0000,
        "SCMP_ACT_KILL_THREAD": 0x0000_0000,
        "SCMP_ACT_KILL_PROCESS": 0x8000_0000,
        "SCMP_ACT_TRAP": 0x0003_0000,
        "SCMP_ACT_ERRNO": _ERRNO,
        "SCMP_ACT_TRACE": _TRACE,
        "SCMP_ACT_ALLOW": 0x7FFF_0000,
        "SCMP_ACT_LOG": 0x7FFC_0000,
        "SCMP_ACT_NOTIFY": 0x7FC0_0000,
    }
)
"""The actions of profiles; ERRNO and TRACE have data, which is EPERM where a profile has none."""

OPERATORS: Final = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
"""The operators of profiles, without SCMP_CMP_."""

_OPERATOR_PREFIX: Final = "SCMP_CMP_"
_PROFILE_KEYS: Final = (
    *("defaultAction", "defaultErrnoRet", "defaultErrno", "architectures", "archMap", "flags", "listenerPath"),
    *("listenerMetadata", "syscalls"),
)
_RULE_KEYS: Final = ("names", "name", "action", "errnoRet", "errno", "args", "includes", "excludes", "comment")
_ARGUMENT_KEYS: Final = ("index", "value", "valueTwo", "op")
_LAYER_KEYS: Final = ("arches", "caps", "minKernel")
_MAX_NUMBER: Final = 2**64 - 1


class Comparison(NamedTuple):
    """A comparison of an argument: `(argument & mask) <operator> value`, over 64 bits.

    Args:
        argument: The index of the argument, 0 to 5.
        operator: One of `OPERATORS`.
        value: The number that it is compared with.
        mask: The bits that are compared; all, except for MASKED_EQ.
    """

    argument: int
    operator: str
    value: int
    mask: int


class Layer(NamedTuple):
    """The conditions of `includes` or `excludes`: architectures, capabilities, and the least version of the kernel."""

    architectures: tuple[Architecture, ...]
    capabilities: tuple[str, ...]
    kernel: tuple[int, int] | None


class ProfileRule(NamedTuple):
    """An entry of `syscalls`.

    Args:
        place: The position in the profile, such as "syscalls[3]".
        names: The names of the calls.
        verdict: The action with its data.
        comparisons: The entries of `args`.
        includes: The conditions under which the entry is used.
        excludes: The conditions under which it is not.
    """

    place: str
    names: tuple[str, ...]
    verdict: int
    comparisons: tuple[Comparison, ...]
    includes: Layer
    excludes: Layer


class Profile(NamedTuple):
    """A profile.

    Args:
        default: The default action with its data.
        architectures: The entries of `architectures`.
        architecture_map: The entries of `archMap`: an architecture and its other ones.
        rules: The entries of `syscalls`.
        ignored: The parts that are not about the program, each with the reason.
    """

    default: int
    architectures: tuple[Architecture, ...]
    architecture_map: tuple[tuple[Architecture, tuple[Architecture, ...]], ...]
    rules: tuple[ProfileRule, ...]
    ignored: tuple[tuple[str, str], ...]


def parse_profile(text: str, source: str = "") -> Profile:
    """Return the profile of a JSON text; messages about it begin with *source*.

    >>> profile = parse_profile('{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": []}')
    >>> hex(profile.default)
    '0x50001'
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        fact = error.msg.removesuffix(" starting at")
        raise PolicyError(_message(source, f"{place}: {fact}; a profile is a JSON object")) from None
    except (RecursionError, ValueError) as error:
        raise PolicyError(_message(source, f"{error}; a profile is a JSON object")) from None
    try:
        return _profile(table_of("profile", document, _PROFILE_KEYS, strict=False))
    except FieldError as error:
        raise PolicyError(_message(source, str(error))) from None


def _message(source: str, text: str) -> str:
    return ": ".join(filter(None, [source, text]))


# -- the parts of a profile -------------------------------------------------------------------------------------------


def _profile(document: Mapping[str, Any]) -> Profile:
    if "defaultAction" not in document:
        raise FieldError(f"defaultAction: missing; a profile has one of {', '.join(ACTIONS)}")
    if document.get("architectures") and document.get("archMap"):
        raise FieldError("architectures: given beside archMap; a profile has one of them")
    ignored = [(key, f"unknown key{suggestion(key, _PROFILE_KEYS)}") for key in document if key not in _PROFILE_KEYS]
    ignored += [
        (key, "an option of the installation, not of the program")
        for key in ("flags", "listenerPath", "listenerMetadata")
        if document.get(key)
    ]
    errno = _errno("default", document, "defaultErrnoRet", "defaultErrno")
    return Profile(
        default=_verdict("defaultAction", document["defaultAction"], errno),
        architectures=list_of("architectures", document.get("architectures"), _architecture),
        architecture_map=list_of("archMap", document.get("archMap"), _map_entry),
        rules=list_of("syscalls", document.get("syscalls"), lambda path, value: _rule(path, value, ignored)),
        ignored=tuple(ignored),
    )


def _map_entry(path: str, value: object) -> tuple[Architecture, tuple[Architecture, ...]]:
    entry = table_of(path, value, ("architecture", "subArchitectures"))
    main = _architecture(f"{path}.architecture", entry.get("architecture"))
    return main, list_of(f"{path}.subArchitectures", entry.get("subArchitectures"), _architecture)


def _rule(path: str, value: object, ignored: list[tuple[str, str]]) -> ProfileRule:
    entry = table_of(path, value, _RULE_KEYS, strict=False)
    ignored += [
        (f"{path}.{key}", f"unknown key{suggestion(key, _RULE_KEYS)}") for key in entry if key not in _RULE_KEYS
    ]
    names = list_of(f"{path}.names", entry.get("names"), text_of)
    if entry.get("name"):
        if names:
            raise FieldError(f"{path}.name: given beside names; an entry has one of them")
        names = (text_of(f"{path}.name", entry["name"]),)
    if not names:
        raise FieldError(f"{path}.names: missing; an entry names at least one system call")
    return ProfileRule(
        path,
        names,
        _verdict(f"{path}.action", entry.get("action"), _errno(path, entry, "errnoRet", "errno")),
        list_of(f"{path}.args", entry.get("args"), _comparison),
        _layer(f"{path}.includes", entry.get("includes")),
        _layer(f"{path}.excludes", entry.get("excludes")),
    )


def _comparison(path: str, value: object) -> Comparison:
    entry = table_of(path, value, _ARGUMENT_KEYS)
    index = number_of(f"{path}.index", entry.get("index"), 5)
    number = number_of(f"{path}.value", entry.get("value", 0), _MAX_NUMBER)
    second = number_of(f"{path}.valueTwo", entry.get("valueTwo", 0), _MAX_NUMBER)
    word = text_of(f"{path}.op", entry.get("op"))
    operator = word.removeprefix(_OPERATOR_PREFIX)
    if operator not in OPERATORS or not word.startswith(_OPERATOR_PREFIX):
        known = [_OPERATOR_PREFIX + each for each in OPERATORS]
        raise FieldError(f"{path}.op: {word!r} is not an operator{hint(word, known)}")
    if operator == "MASKED_EQ":
        return Comparison(index, operator, second, number)
    return Comparison(index, operator, number, _MAX_NUMBER)


def _layer(path: str, value: object) -> Layer:
    entry = table_of(path, value if value is not None else {}, _LAYER_KEYS)
    return Layer(
        list_of(f"{path}.arches", entry.get("arches"), _architecture),
        list_of(f"{path}.caps", entry.get("caps"), text_of),
        kernel_version(f"{path}.minKernel", entry["minKernel"]) if entry.get("minKernel") else None,
    )


def kernel_version(path: str, value: object) -> tuple[int, int]:
    """Return the two numbers of a kernel version such as "4.8"; the rest is ignored, as in "6.1.0-13-amd64".

    >>> kernel_version("version", "6.1.0-13-amd64")
    (6, 1)
    """
    major, _, rest = value.partition(".") if isinstance(value, str) else ("", "", "")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    if not (major.isascii() and major.isdigit() and digits and rest[:digits].isascii()):
        raise FieldError(f"{path}: {value!r} is not a kernel version; it begins with two numbers, as in '4.8'")
    return int(major), int(rest[:digits])


# -- values -----------------------------------------------------------------------------------------------------------


def _verdict(path: str, value: object, errno: int | None) -> int:
    word = text_of(path, value)
    if word not in ACTIONS:
        raise FieldError(f"{path}: {word!r} is not an action{hint(word, ACTIONS)}")
    action = ACTIONS[word]
    return action | (_EPERM if errno is None else errno) if action in (_ERRNO, _TRACE) else action


def _errno(path: str, entry: Mapping[str, Any], number_key: str, name_key: str) -> int | None:
    """Return the data of an action: of Podman's name if there is one, else of the number, else None."""
    name = entry.get(name_key)
    if name:
        known = errno_number(text_of(f"{path}.{name_key}", name))
        if known is None:
            nearest = suggestion(str(name).upper(), errorcode.values()) or ", such as EPERM"
            raise FieldError(f"{path}.{name_key}: {name!r} is not the name of an error{nearest}")
        return known
    number = entry.get(number_key)
    return None if number is None else number_of(f"{path}.{number_key}", number, MAX_ERRNO)


def _architecture(path: str, value: object) -> Architecture:
    try:
        return architecture(text_of(path, value))
    except FieldError as error:
        raise FieldError(f"{path}: {str(error).removeprefix('architecture: ')}") from None
