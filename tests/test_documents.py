"""The examples of the documents run with the output that they show, and their links have targets."""

import doctest
import re
from pathlib import Path

import pytest

from support.project import ROOT

FOLDERS = ("docs", "src", "tests", "benchmarks")
DOCUMENTS = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md")))]
EXAMPLES = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _examples(document: Path) -> str:
    return "\n".join(EXAMPLES.findall(document.read_text()))


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if _examples(path)], ids=_name)
def test_examples_run(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(_examples(document), {}, document.name, str(document), 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0
    assert result.attempted > 0


def test_the_readme_has_six_examples() -> None:
    assert len(EXAMPLES.findall((ROOT / "README.md").read_text())) == 6


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_have_targets(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_referenced_tests_exist(document: Path) -> None:
    """A promise of docs/faults.md names the tests that hold it."""
    for path, name in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", document.read_text()):
        assert (ROOT / path).exists(), path
        assert not name or re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_each_promise_names_its_tests() -> None:
    rows = re.findall(r"^\| (?!---|Promise)(.+) \| (.+) \|$", (ROOT / "docs" / "faults.md").read_text(), re.MULTILINE)
    assert len(rows) > 30
    for promise, tests in rows:
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(<br>`tests/[\w/]+\.py::test_\w+`)*", tests), promise
