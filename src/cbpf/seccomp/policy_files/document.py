"""Policy files as data: TOML with a default action, architectures, and rules.

default = "errno(EPERM)"
architectures = ["x86_64", "i386"]
other-architectures = "kill_process"
include = ["base.toml"]

[groups]
files = ["openat", "close"]

[[rule]]
calls = ["read", "write", "@files", 435, "440..442"]
if = "fd = 1"
action = "allow"
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill

from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ...errors import FieldError, PolicyError
from ..document_fields import list_of, table_of, text_of
from ..names.architectures import Architecture
from ..names.grouped_calls import call_groups
from .fields import (
    Bounds,
    Call,
    action_field,
    architecture_field,
    architecture_or_range,
    call_field,
    group_hint,
    numbered_tables,
    toml_document,
)

KEYS: Final = ("default", "architectures", "other-architectures", "include", "groups", "rule")
RULE_KEYS: Final = ("calls", "architectures", "if", "action", "comment")
EVERY_CALL: Final = "*"
OTHER_ARCHITECTURES: Final = "kill_process"
"""The action for architectures that a policy file does not list, unless it states another one."""

_WIDTH: Final = 100


class RuleEntry(NamedTuple):
    """A rule of a policy file.

    Args:
        place: The file and the position in it, for messages.
        calls: The calls, with the groups of the file replaced by their members; other groups are those of
            `call_groups`. `EVERY_CALL` is every number.
        architectures: The architectures: rows, or ranges of AUDIT_ARCH numbers; None for those of the policy.
        condition: The text of `if`; empty if there is none.
        verdict: The action with its data.
    """

    place: str
    calls: tuple[Call, ...]
    architectures: tuple[Architecture | Bounds, ...] | None
    condition: str
    verdict: int


class PolicyDocument(NamedTuple):
    """A policy file with the files that it includes: their rules follow its own, and its own keys override theirs."""

    default: int | None
    architectures: tuple[Architecture, ...]
    other: int | None
    rules: tuple[RuleEntry, ...]


def read_document(text: str, folder: Path | None, source: str, *, without_includes: bool = False) -> PolicyDocument:
    """Return the content of a policy file.

    Files that it includes are in *folder*; None: it must not include any. *without_includes*: they are left out, and so
    are the members of groups that they may define.
    """
    return _Reader(without_includes).read(text, folder, source, ())


class _Reader:
    """The reader of a policy file and of those that it includes, which share their groups."""

    def __init__(self, without_includes: bool) -> None:
        self._without_includes = without_includes
        self._groups: dict[str, tuple[tuple[str, Call], ...]] = {}

    def read(self, text: str, folder: Path | None, source: str, outer: tuple[Path, ...]) -> PolicyDocument:
        document = toml_document(text, source)
        prefix = f"{source}: " if source else ""
        try:
            table_of(f"{prefix}policy", document, KEYS)
            names = list_of(f"{prefix}include", document.get("include"), text_of)
        except FieldError as error:
            raise PolicyError(str(error).replace(f"{prefix}policy: ", prefix, 1)) from None
        included = [
            self._included(name, folder, f"{prefix}include", outer) for name in names if not self._without_includes
        ]
        try:
            groups = table_of(f"{prefix}groups", document.get("groups", {}), (), strict=False)
            for name, members in groups.items():
                self._groups[name] = list_of(f"{prefix}groups.{name}", members, call_field)
            own = PolicyDocument(
                _optional(f"{prefix}default", document.get("default"), action_field),
                list_of(f"{prefix}architectures", document.get("architectures"), architecture_field),
                _optional(f"{prefix}other-architectures", document.get("other-architectures"), action_field),
                tuple(self._rules(document, text, prefix)),
            )
        except FieldError as error:
            raise PolicyError(str(error)) from None
        return _combined([own, *included])

    def _included(self, name: str, folder: Path | None, place: str, outer: tuple[Path, ...]) -> PolicyDocument:
        if folder is None:
            raise PolicyError(f"{place}: {name!r} cannot be included; a policy without a folder includes no files")
        path = (folder / name).resolve()
        if path in outer:
            raise PolicyError(f"{place}: {name!r} includes itself")
        try:
            text = path.read_text()
        except OSError as error:
            raise PolicyError(f"{place}: {name!r} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise PolicyError(f"{place}: {name!r} is not a text in UTF-8") from None
        return self.read(text, path.parent, name, (*outer, path))

    def _rules(self, document: Mapping[str, Any], text: str, prefix: str) -> Iterator[RuleEntry]:
        entries = list_of(f"{prefix}rule", document.get("rule"), lambda path, value: value)
        for place, entry in numbered_tables(text, "rule", prefix, entries):
            yield self._rule(place, entry)

    def _rule(self, place: str, value: object) -> RuleEntry:
        entry = table_of(place, value, RULE_KEYS)
        if "calls" not in entry:
            raise FieldError(f'{place}: calls: missing; a rule has a list of calls, or "{EVERY_CALL}" for all')
        calls = [EVERY_CALL] if entry["calls"] == EVERY_CALL else entry["calls"]
        members = list_of(f"{place}: calls", calls, call_field)
        if not members:
            raise FieldError(f'{place}: calls: an empty list; a rule has at least one call, or "{EVERY_CALL}" for all')
        listed = entry.get("architectures")
        return RuleEntry(
            place,
            tuple(self._calls(members, ())),
            None if listed is None else list_of(f"{place}: architectures", listed, architecture_or_range),
            text_of(f"{place}: if", entry["if"]) if "if" in entry else "",
            action_field(f"{place}: action", entry.get("action")),
        )

    def _calls(self, members: tuple[tuple[str, Call], ...], outer: tuple[str, ...]) -> Iterator[Call]:
        """Yield the calls of a list, with the members of groups that the file defines."""
        for path, item in members:
            name = item[1:] if isinstance(item, str) and item.startswith("@") else None
            if name is None or (name not in self._groups and item in call_groups()):
                yield item
            elif name in outer:
                raise FieldError(f"{path}: group {item!r} contains itself")
            elif name in self._groups:
                yield from self._calls(self._groups[name], (*outer, name))
            elif not self._without_includes:
                own = [f"@{group}" for group in self._groups]
                raise FieldError(f"{path}: unknown group {item!r}{group_hint(str(item), own)}")


def _combined(documents: list[PolicyDocument]) -> PolicyDocument:
    """Return several documents as one: of each key the first value, and the rules in order."""
    return PolicyDocument(
        next((each.default for each in documents if each.default is not None), None),
        next((each.architectures for each in documents if each.architectures), ()),
        next((each.other for each in documents if each.other is not None), None),
        tuple(rule for each in documents for rule in each.rules),
    )


def _optional(path: str, value: object, check: Callable[[str, object], int]) -> int | None:
    return None if value is None else check(path, value)


def wrapped_list(items: Sequence[str]) -> str:
    """Return a list in TOML, on several lines if it is long; the items are TOML already."""
    text = ", ".join(items)
    if len(text) <= _WIDTH:
        return f"[{text}]"
    return f"[\n{fill(text, _WIDTH, initial_indent='    ', subsequent_indent='    ', break_on_hyphens=False)},\n]"
