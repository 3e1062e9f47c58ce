"""The tables of docs/reference/json.md as a schema, and the check of JSON values against it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

from support.project import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "json.md"
_SECTION: Final = re.compile(
    r"^### (?P<name>.+)\n\n(?:[^|#`\n].*\n+)*\| key \| type \| meaning \|\n.*\n(?P<rows>(?:\|.*\n)+)", re.MULTILINE
)
_ROW: Final = re.compile(r"\| `(?P<key>[\w ]+)` \| (?P<type>[^|]+) \| [^|]+ \|")
_LINK: Final = re.compile(r"\[([^]]+)\]\(#([-\w]+)\)")
_SCALARS: Final[dict[str, Any]] = {"text": str, "boolean": bool, "hex": str, "any": str | int | float | None}
_OPTIONAL: Final = ", optional"

Table = dict[str, str]


@cache
def tables() -> dict[str, Table]:
    """Return the type of each key, by the heading of the table."""
    found: dict[str, Table] = {}
    for section in _SECTION.finditer(PAGE.read_text()):
        rows = [_ROW.fullmatch(line) for line in section["rows"].splitlines()]
        found[section["name"]] = {row["key"]: row["type"] for row in rows if row}
        assert None not in rows, section["name"]
    return found


@cache
def tables_of_commands() -> dict[str, str]:
    """Return the heading of the table of each command, to which the list of commands has a link."""
    headings = {link_target(name): name for name in tables()}
    rows = re.findall(r"^\| \[`cbpf ([^`]+)`\]\(#([-\w]+)\)", PAGE.read_text(), re.MULTILINE)
    return {command: headings[target] for command, target in rows}


def link_target(heading: str) -> str:
    """Return the target of links to a heading."""
    return heading.lower().replace(" ", "-")


def linked_tables(table: str) -> set[str]:
    """Return the headings of a table and of the tables of its objects, to any depth."""
    found, open_ends = {table}, [table]
    while open_ends:
        types = " ".join(tables()[open_ends.pop()].values())
        linked = {_table_of(target) for _, target in _LINK.findall(types)}
        open_ends += linked - found
        found |= linked
    return found


def _table_of(target: str) -> str:
    (table,) = [name for name in tables() if link_target(name) == target]
    return table


def alternatives(table: str) -> Iterator[tuple[str, str, str]]:
    """Yield (table, key, type) for each key of a table; twice if it may be null, or be missing."""
    for key, type_text in tables()[table].items():
        for part in type_text.removesuffix(_OPTIONAL).split(" or "):
            yield table, key, part
        if type_text.endswith(_OPTIONAL):
            yield table, key, "missing"


def mismatches(value: Any, table: str, seen: set[tuple[str, str, str]], path: str = "$") -> Iterator[str]:
    """Yield the differences of a JSON object from its table; add the alternatives that occur to *seen*."""
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    types = tables()[table]
    yield from (f"{path}.{key} is not documented" for key in value.keys() - types)
    for key, type_text in types.items():
        if key not in value:
            seen.add((table, key, "missing"))
            if not type_text.endswith(_OPTIONAL):
                yield f"{path}.{key} is missing"
            continue
        plain = type_text.removesuffix(_OPTIONAL)
        can_be_null = plain.endswith(" or null")
        if value[key] is None and can_be_null:
            seen.add((table, key, "null"))
            continue
        plain = plain.removesuffix(" or null")
        seen.add((table, key, plain))
        yield from _value_mismatches(value[key], plain, seen, f"{path}.{key}")


def _value_mismatches(value: Any, type_text: str, seen: set[tuple[str, str, str]], path: str) -> Iterator[str]:
    prefix, _, item = type_text.partition(" of ")
    link = _LINK.fullmatch(type_text)
    if prefix in ("list", "map") and item:
        if not isinstance(value, {"list": list, "map": dict}[prefix]):
            yield f"{path}: {value!r} is not a {prefix}"
            return
        for index, part in value.items() if prefix == "map" else enumerate(value):
            yield from _value_mismatches(part, item, seen, f"{path}[{index}]")
    elif link:
        yield from mismatches(value, _table_of(link[2]), seen, path)
    elif type_text == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"{path}: {value!r} is not a number"
    elif not isinstance(value, _SCALARS[type_text]):
        yield f"{path}: {value!r} is not {type_text}"
    elif type_text == "hex" and not re.fullmatch("(?:[0-9a-f]{2})*", value):
        yield f"{path}: {value!r} is not hexadecimal"
