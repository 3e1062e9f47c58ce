"""The examples of the documents run with the output that they show, and their links have targets."""

import json
import platform
import re
import shlex
import sys
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf.cli import commands
from support import examples, kernel_features
from support.command_line import CommandLine, require_library_of
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

```python title="numbers_of_the_page.py"
ANSWER = 42
```

```pycon
>>> from numbers_of_the_page import ANSWER
>>> ANSWER
42
```
"""


def test_examples_of_a_page_run_in_order(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    report = examples.run(page, tmp_path)
    assert report == (6, [], ["line 20: program-that-does-not-exist missing"])
    assert "numbers_of_the_page" not in sys.modules


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


def test_examples_without_a_feature_of_the_kernel_are_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def denied(*_: object) -> None:
        raise cbpf.SeccompError(1, "seccomp: denied")

    for name in ("kernel_decisions", "trace_command", "process_filters"):
        monkeypatch.setattr(kernel_features, name, denied)
    has_feature = kernel_features.has_kernel_feature.__wrapped__
    monkeypatch.setattr(examples, "has_kernel_feature", has_feature)
    names = sorted(kernel_features.KERNEL_FEATURES)
    page = tmp_path / "page.md"
    page.write_text("".join(f"<!-- requires: {name} -->\n```console\n$ exit 1\n```\n\n" for name in names))
    skipped = [f"line {3 + 5 * index}: {name} missing" for index, name in enumerate(names)]
    assert examples.run(page, tmp_path) == (0, [], skipped)


@pytest.mark.parametrize("text", ["```console\ncbpf --version\n```\n", "```pycon\n1 + 1\n```\n"])
def test_blocks_without_examples_fail(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert examples.run(page, tmp_path) == (0, ["page.md, line 2: the block has no example"], [])


def test_commands_do_not_depend_on_the_language_and_the_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in (("COLUMNS", "40"), ("LC_ALL", "de_DE"), ("TZ", "Asia/Tokyo")):
        monkeypatch.setenv(name, value)
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo $COLUMNS $LC_ALL $TZ\n80 C.UTF-8 UTC\n```\n")
    assert examples.run(page, tmp_path).failures == []


@pytest.mark.parametrize("name", ["BUILD_NUMBER", "CBPF_DEBUG", "CI", "FORCE_COLOR", "PYTEST_PLUGINS", "PY_COLORS"])
def test_commands_do_not_inherit_settings(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(name, "1")
    page = tmp_path / "page.md"
    page.write_text(f"```console\n$ echo ${{{name}-unset}}\nunset\n```\n")
    assert examples.run(page, tmp_path).failures == []


@pytest.mark.parametrize(("content", "failures"), [("new", 0), ("old", 1)])
def test_pictures_are_those_that_the_examples_write(content: str, failures: int, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ printf new > made.svg\n```\n![made](assets/made.svg)\n![other](assets/other.svg)\n")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "made.svg").write_text(content)
    assert len(examples.run(page, tmp_path).failures) == failures


README: Final = (ROOT / "README.md").read_text()
COMMANDS: Final = [
    line.split("  #")[0].rstrip()
    for line in README.partition("## Commands\n```sh\n")[2].partition("```")[0].splitlines()
]


def test_the_readme_shows_every_subcommand() -> None:
    assert {command.split()[1] for command in COMMANDS} == set(commands.command.names) - {"disasm"}
    assert "cbpf disasm" in README


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_readme_run(command: str, tmp_path: Path, cli: CommandLine, traffic: Path) -> None:
    require_library_of(command)
    if command.startswith(("cbpf explore", "cbpf docs")):
        pytest.skip("it serves until Ctrl-C; tests/explorer runs it")
    (tmp_path / "in.pcap").symlink_to(traffic)
    (tmp_path / "filter.asm").write_text("ldh [12]\njeq #0x806, accept\nret #0\naccept: ret #1\n")
    for name in ("program.c", "old.c"):
        (tmp_path / name).write_text(cbpf.render(cbpf.compile("tcp port 443"), format="c"))
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW"}]}
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    table = f'architectures = ["{platform.machine()}"]\n[[test]]\ncalls = ["read"]\naction = "allow"\n'
    (tmp_path / "calls.toml").write_text(table)
    result = cli(*shlex.split(command)[1:], cwd=tmp_path)
    assert (result.exit_code, result.stderr.count("error")) == (0, 0)


def test_the_readme_links_to_nothing_that_a_package_index_lacks() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", README)
    assert len(targets) >= 4
    assert all(target.startswith("https://") for target in targets), targets


GUIDES: Final = [path for folder in ("how-to", "migration") for path in sorted((ROOT / "docs" / folder).glob("*.md"))]


@pytest.mark.parametrize("document", GUIDES, ids=_name)
def test_guides_link_to_the_capture_that_they_use(document: Path) -> None:
    text = document.read_text()
    assert "traffic.pcap" not in text or "](../assets/traffic.pcap)" in text or "](../tutorial.md)" in text


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
