"""The generated parts of the API reference: tables of the public names with the first sentence of each.

CBPF_UPDATE=1 ./dev test -k reference writes them again.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

import griffe
import pytest

import cbpf
from support.generated import check_generated
from support.project import PUBLIC_NAMES, ROOT

API: Final = ROOT / "docs" / "reference" / "api"
PAGES: Final = {
    path: re.findall(r"^::: cbpf\.((?:(?:archive|arrow|linux|polars|seccomp)\.)?\w+)$", path.read_text(), re.MULTILINE)
    for path in sorted(API.glob("*.md"))
}
GENERATOR: Final = "tests/test_reference.py"


@cache
def _package() -> griffe.Module:
    package = griffe.load("cbpf", search_paths=[ROOT / "src"])
    assert isinstance(package, griffe.Module)
    return package


def _summary(name: str) -> str:
    """Return the first sentence of the description of a public name, which must exist."""
    docstring = _package()[name].final_target.docstring
    assert docstring, f"cbpf.{name} has no docstring"
    text = re.sub(r"\s+", " ", docstring.value.split("\n\n")[0]).replace("|", "\\|")
    return re.sub(r"`(\w+)`", lambda match: _link(match[1]) if match[1] in cbpf.__all__ else match[0], text)


def _link(name: str) -> str:
    return f"[`{name}`][cbpf.{name}]"


def _table(names: list[str]) -> str:
    rows = [f"| {_link(name)} | {_summary(name)} |" for name in names]
    return "\n".join(["| name | description |", "|---|---|", *rows])


def test_every_public_name_is_on_one_page() -> None:
    assert sorted(name for names in PAGES.values() for name in names) == sorted(PUBLIC_NAMES)


@pytest.mark.parametrize("page", [page for page, names in PAGES.items() if names], ids=lambda page: page.stem)
def test_pages_begin_with_a_table_of_their_names(page: Path) -> None:
    check_generated(page, _table(PAGES[page]), GENERATOR)


def test_the_index_lists_all_names() -> None:
    check_generated(API / "index.md", _table(sorted(PUBLIC_NAMES, key=str.casefold)), GENERATOR)
