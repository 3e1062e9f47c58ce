"""Policy files in their canonical form, with all comments: by the library tomlkit."""

import re
from collections.abc import Iterable

from ..._typing import Any, Final
from ...errors import FieldError, MissingLibrary
from ..names.actions import action_text, parse_action
from ..names.architectures import architecture
from ..texts.condition_text import normal_spaces
from .document import read_document, wrapped_list

_REMEDY: Final = "policies are formatted by tomlkit: pip install 'cbpf[seccomp]'"
_COMMENT: Final = re.compile(r"#[^\"']*$", re.MULTILINE)
_ACTIONS: Final = ("default", "other-architectures")


def format_policy(text: str, *, source: str = "") -> str:
    r"""Return a policy file in its canonical form: with the same comments, rules and meaning.

    Actions and architectures get the names that `read_policy` documents, such as "errno(EPERM)" for "ERRNO". Conditions
    get one space between words, and lists of calls lines of 100 columns. Lists with comments stay as they are.

    Args:
        text: The policy file. Files that it includes are not read.
        source: The name of the file, for messages.

    Returns:
        The policy file.

    Raises:
        PolicyError: The file is invalid; the message has the place.
        MissingLibrary: The library tomlkit is not installed.

    >>> print(format_policy('default="ERRNO"  # as Docker does\narchitectures = ["amd64"]'))
    default="errno(EPERM)"  # as Docker does
    architectures = ["x86_64"]
    """
    try:
        import tomlkit
    except ImportError:
        raise MissingLibrary(_REMEDY) from None
    _check(text, source)
    document = tomlkit.parse(text)
    for key in _ACTIONS:
        if key in document:
            document[key] = _action(document[key])
    _replace_list(document, "architectures", _architectures)
    for name in document.get("groups", {}):
        _replace_list(document["groups"], name, list)
    for rule in document.get("rule", ()):
        if "action" in rule:
            rule["action"] = _action(rule["action"])
        if "if" in rule:
            rule["if"] = normal_spaces(rule["if"])
        _replace_list(rule, "architectures", _architectures)
        _replace_list(rule, "calls", list)
    return tomlkit.dumps(document)


def _check(text: str, source: str) -> None:
    """Raise `PolicyError` if the text is not a policy file; the files that it includes are left out."""
    read_document(text, None, source, without_includes=True)


def _action(text: str) -> str:
    return action_text(parse_action(text))


def _architectures(items: Iterable[Any]) -> list[Any]:
    """Return architectures by their usual names; numbers and ranges stay."""

    def usual(item: Any) -> Any:
        try:
            return architecture(item).name
        except FieldError:
            return item

    return [usual(item) for item in items]


def _replace_list(table: Any, key: str, change: Any) -> None:
    """Write a list of a table again, unless it has comments or is not a list."""
    import tomlkit

    value: Any = table.get(key)
    is_list = isinstance(value, list)
    if not is_list or _COMMENT.search(value.as_string()):
        return
    items = [tomlkit.item(item).as_string() for item in change(value.unwrap())]
    table[key] = tomlkit.parse(f"list = {wrapped_list(items)}")["list"]
