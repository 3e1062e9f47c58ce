"""The documentation site: its navigation, its build, and the completeness of its reference."""

import tomllib
from collections.abc import Iterator
from typing import Any, Final

from support.project import ROOT

DOCS: Final = ROOT / "docs"
CONFIG: Final = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]


def _pages(entry: Any) -> Iterator[str]:
    """Yield the pages of an entry of the navigation: a path, or a title with an entry or a list of entries."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from _pages(part)


def test_the_navigation_lists_every_page_once() -> None:
    assert sorted(_pages(CONFIG["nav"])) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
