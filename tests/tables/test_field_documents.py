"""The generated tables of docs/reference/header-columns.md; CBPF_UPDATE=1 ./dev test -k field_documents writes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cbpf.tables.fields import FIELD_NAMES, field_programs
from cbpf.tables.fields.columns import FIELDS
from cbpf.tables.fields.links import LINKS, MAX_TAGS
from cbpf.tables.fields.programs import MAX_EXTENSIONS
from support.generated import check_generated
from support.project import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "header-columns.md"
GENERATOR: Final = "tests/tables/test_field_documents.py"
TYPES: Final = {"binary6": "6 bytes", "binary16": "16 bytes"}


def test_the_reference_lists_all_columns_and_link_types() -> None:
    check_generated(PAGE, f"{columns()}\n\n## By link type\n{limits()}\n\n{link_types()}", GENERATOR)


def columns() -> str:
    rows = [(f"`{row.name}`", TYPES.get(row.type, row.type), row.meaning, row.absent) for row in FIELDS.values()]
    return table(("column", "type", "value", "null if"), rows)


def limits() -> str:
    return (
        f"The programs skip up to {MAX_TAGS} VLAN tags and follow up to {MAX_EXTENSIONS} extension headers of IPv6.\n"
        "After more tags, `eth_type` is the type of the next tag, and the columns of IP are null. After more extension"
        " headers,\n`protocol` is null, and so are the columns of its header."
    )


def link_types() -> str:
    rows = []
    for name, headers in LINKS.items():
        missing = [f"`{column}`" for column in FIELD_NAMES if field_programs(column, name) is None]
        rows.append((name, "VLAN tags, PPPoE" if headers.tags else "none", ", ".join(missing) or "none"))
    return table(("link type", "headers that are skipped", "columns that it lacks"), rows)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    names = [*head]
    return "\n".join([f"| {' | '.join(names)} |", "|---" * len(names) + "|", *lines])
