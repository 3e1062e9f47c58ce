"""Every example of the documents runs, and says what it shows."""

import doctest
import re
from pathlib import Path

import pytest

from support.project import ROOT

DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
EXAMPLES = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _examples(document: Path) -> str:
    return "\n".join(EXAMPLES.findall(document.read_text()))


@pytest.mark.parametrize("document", [one for one in DOCUMENTS if _examples(one)], ids=lambda path: path.name)
def test_examples_run(document: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(_examples(document), {}, document.name, str(document), 0)
    result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test)
    assert result.failed == 0
    assert result.attempted > 0


def test_the_readme_has_examples() -> None:
    assert len(EXAMPLES.findall((ROOT / "README.md").read_text())) == 6


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target
