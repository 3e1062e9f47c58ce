"""The documentation site: its navigation, its build, and the completeness of its reference."""

import re
import tomllib
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

import pytest

import cbpf
from support.built_site import built_site
from support.generated import check_file
from support.project import PUBLIC_MODULES, PUBLIC_NAMES, ROOT

DOCS: Final = ROOT / "docs"
CONFIG: Final = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
LOADING_ATTRIBUTES: Final = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}
LOADING_RELATIONS: Final = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload", "manifest"}


class Page(HTMLParser):
    """A page of the site: its identifiers, its links, and the addresses that it loads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if tag == "a" and "href" in attributes:
            self.links.append(attributes["href"])
        if tag in LOADING_ATTRIBUTES and LOADING_ATTRIBUTES[tag] in attributes:
            self.loads.append(attributes[LOADING_ATTRIBUTES[tag]])
        if tag == "link" and LOADING_RELATIONS & set(attributes.get("rel", "").split()):
            self.loads.append(attributes["href"])


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_site(tmp_path_factory)


@pytest.fixture(scope="session")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in sorted(site.rglob("*.html"))}


def _navigation(entry: Any) -> Iterator[str]:
    """Yield the pages of an entry of the navigation: a path, or a title with an entry or a list of entries."""
    if isinstance(entry, str):
        yield entry
    else:
        for part in entry.values() if isinstance(entry, dict) else entry:
            yield from _navigation(part)


def test_the_navigation_lists_every_page_once() -> None:
    assert sorted(_navigation(CONFIG["nav"])) == sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def test_no_page_is_a_title_only() -> None:
    assert [path for path in DOCS.rglob("*.md") if len(path.read_text().split()) < 50] == []


def test_pictures_are_those_of_the_current_version() -> None:
    """`cbpf graph -e arp -w docs/assets/graph-arp.svg` draws the picture."""
    check_file(DOCS / "assets" / "graph-arp.svg", cbpf.graph(cbpf.compile("arp")).svg())


@pytest.mark.slow
def test_every_public_name_has_one_heading(pages: dict[Path, Page]) -> None:
    names = [
        match[1]
        for page in pages.values()
        for each in page.ids
        if (match := re.fullmatch(rf"cbpf\.((?:(?:{'|'.join(PUBLIC_MODULES)})\.)?\w+)", each))
    ]
    assert sorted(names) == sorted(PUBLIC_NAMES)


@pytest.mark.slow
def test_no_private_name_has_a_heading(pages: dict[Path, Page]) -> None:
    ids = [each for page in pages.values() for each in page.ids if each.startswith("cbpf.")]
    assert [each for each in ids if re.search(r"\._(?!_\w+__$)", each)] == []


@pytest.mark.slow
def test_no_cell_of_a_table_in_the_reference_is_empty(site: Path, pages: dict[Path, Page]) -> None:
    """The attributes, parameters and results of the API have types and texts, and members of enums have values."""
    rows = 0
    for path in (site / "reference" / "api").glob("*.html"):
        for row in re.findall(r'<tr class="doc-section-item">(.*?)</tr>', pages[path].text, re.DOTALL):
            texts = [re.sub(r"<[^>]+>|\s+", "", cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)]
            assert all(texts), (path.name, texts)
            rows += 1
    assert rows > 500


@pytest.mark.slow
def test_identifiers_are_unique_in_a_page(pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        ids = [each for each in page.ids if not each.startswith("__")]  # mkdocstrings repeats those of lines of code
        assert len(ids) == len(set(ids)), path


@pytest.mark.slow
def test_nothing_is_loaded_from_another_host(site: Path, pages: dict[Path, Page]) -> None:
    loads = [(path.name, address) for path, page in pages.items() for address in page.loads]
    assert len(loads) > len(pages)
    assert [each for each in loads if urlsplit(each[1]).scheme not in ("", "data") or urlsplit(each[1]).netloc] == []
    styles = [*site.rglob("*.css"), *pages]
    for path in styles:
        assert not re.search(r"""@import\s+(url\()?["']?(https?:)?//|url\(["']?(https?:)?//""", path.read_text()), path


@pytest.mark.slow
def test_no_page_has_a_diagram_that_needs_a_script(pages: dict[Path, Page]) -> None:
    assert [path for path, page in pages.items() if re.search(r'class="[^"]*\bmermaid\b', page.text)] == []


@pytest.mark.slow
def test_links_within_the_site_have_targets(site: Path, pages: dict[Path, Page]) -> None:
    dead = []
    for path, page in pages.items():
        for link in page.links if path.name != "404.html" else ():  # its links begin at the root of a server
            address = urlsplit(urljoin(path.as_uri(), link))
            target = Path(unquote(address.path))
            if address.scheme != "file" or target == site / "explorer" / "index.html":  # tests/explorer opens the page
                continue
            anchor = unquote(address.fragment)
            found = target.is_file() and (not anchor or target.suffix != ".html" or anchor in pages[target].ids)
            if not found:
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


@pytest.mark.slow
def test_the_search_index_lists_every_page(site: Path) -> None:
    index = (site / "search.json").read_text()
    for page in _navigation(CONFIG["nav"]):
        assert f'"{page.removesuffix(".md")}.html' in index, page
