"""The examples of the documents run with the output that they show, and their links have targets."""

import re
from pathlib import Path

import pytest

from support import examples
from support.project import ROOT

FOLDERS = ("docs", "src", "tests", "benchmarks")
DOCUMENTS = [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.md")))]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", [path for path in DOCUMENTS if examples.blocks(path.read_text())], ids=_name)
def test_examples_run(document: Path, tmp_path: Path) -> None:
    report = examples.run(document, tmp_path)
    assert not report.failures, "\n\n".join(report.failures)
    assert report.attempted > 0 or report.skipped
    if report.skipped:
        pytest.skip("; ".join(report.skipped))


PAGE = """\
```text title="names.txt"
alpha
```
- item

  ```console
  $ cat names.txt && \\
  echo more
  alpha
  more
  $ cat <<'END' && exit 3
  x
  END
  x
  [exit 3]
  ```

<!-- requires: program-that-does-not-exist -->
```console
$ exit 1
```

```pycon
>>> word = open("names.txt").read()
```

```pycon
>>> word
'al...'
```
"""


def test_examples_of_a_page_run_in_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    report = examples.run(page, tmp_path)
    assert report == (4, [], ["line 20: program-that-does-not-exist missing"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  more\n", "  less\n", "page.md, line 7: cat names.txt"),
        ("[exit 3]", "[exit 4]", "page.md, line 11: cat <<'END'"),
        ("'al...'", "'be...'", "line 28"),
    ],
)
def test_other_outputs_and_exit_codes_fail(old: str, new: str, message: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.replace(old, new))
    (failure,) = examples.run(page, tmp_path).failures
    assert message in failure


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_have_targets(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_referenced_tests_exist(document: Path) -> None:
    """A promise of docs/reference/faults.md names the tests that hold it."""
    for path, name in re.findall(r"\b(tests/[\w/]+\.py)(?:::(\w+))?", document.read_text()):
        assert (ROOT / path).exists(), path
        assert not name or re.search(rf"^def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_each_promise_names_its_tests() -> None:
    rows = re.findall(
        r"^\| (?!---|Promise)(.+) \| (.+) \|$", (ROOT / "docs" / "reference" / "faults.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 30
    for promise, tests in rows:
        assert re.fullmatch(r"`tests/[\w/]+\.py::test_\w+`(<br>`tests/[\w/]+\.py::test_\w+`)*", tests), promise
