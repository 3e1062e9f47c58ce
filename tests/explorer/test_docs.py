"""The documentation site of `cbpf docs`: its files, its policy, and the pages about topics."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest

from cbpf.cli.click_parser import group
from cbpf.explorer.page import Page
from cbpf.explorer.site import SAMPLES, Site
from cbpf.explorer.topics import find_topic, read_topics, similar_titles
from support.command_line import CommandLine
from support.explorer_commands import get, link, start
from support.project import is_installed

ITEMS = [
    ("index.html", "The toolkit", "Classic BPF is a language."),
    ("how-to/lists.html#filter", "Filter", "Give the lists to filter."),
    ("how-to/scripts.html", "Call cbpf from scripts", "wide-shift"),
    ("reference/api/archive.html#filter", "filter", "A function."),
    ("reference/commands/filter.html", "cbpf filter", "Copy the packets that a filter accepts."),
    ("reference/commands/archive-filter.html", "cbpf archive filter", "For objects."),
    ("reference/dialects.html#rules", "Rules for <code>programs</code>", "<p>The rule wide-shift: 31 &amp; more.</p>"),
    ("reference/lint.html#mixed-operators", "mixed-operators", "A rule."),
    ("reference/errors.html", "Error messages", "x: 'prot' is not a keyword"),
    ("glossary.html#verdict", "Verdict", "A number."),
    ("tutorial.html", "From a capture to a proof", "In ten minutes."),
]  # fmt: skip
INDEX = json.dumps({"items": [{"location": each[0], "title": each[1], "text": each[2]} for each in ITEMS]}).encode()
PAGE = '<!doctype html><script>one()</script><script src="a.js"></script><title>x</title>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a page without scripts, beside that of a small site."""
    page, site = tmp_path / "page", tmp_path / "site"
    (page / "panes").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html><title>page</title>")
    (page / "panes" / "one.js").write_text("1;")
    (site / "reference").mkdir(parents=True)
    for name in ("index.html", "reference/errors.html"):
        (site / name).write_text(PAGE)
    (site / "search.json").write_bytes(INDEX)
    (tmp_path / "secret.txt").write_text("secret")
    return page


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        ("filter", "reference/commands/filter.html"),
        ("cbpf filter", "reference/commands/filter.html"),
        ("Archive  FILTER", "reference/commands/archive-filter.html"),
        ("mixed-operators", "reference/lint.html#mixed-operators"),
        ("verdict", "glossary.html#verdict"),
        ("tutorial", "tutorial.html"),
        ("errors", "reference/errors.html"),
        ("programs", "reference/dialects.html#rules"),
        ("wide-shift", "reference/dialects.html#rules"),
        ("31 & more", "reference/dialects.html#rules"),
        ("'prot' is not a keyword", "reference/errors.html"),
        ("scripts", "how-to/scripts.html"),
        ("cbpf: x.asm: instruction 1: lsh #40: out of range; at most 31 [wide-shift]", "reference/dialects.html#rules"),
        ("a.txt: column 5: 'prot' is not a keyword; write tcp port", "reference/errors.html"),
    ],
)
def test_a_topic_is_a_title_a_page_or_words(wanted: str, location: str) -> None:
    topic = find_topic(read_topics(INDEX), wanted)
    assert topic is not None
    assert topic.location == location


@pytest.mark.parametrize("wanted", ["filt", "perators", "shift", "(", "tele"])
def test_parts_of_words_are_no_topic(wanted: str) -> None:
    assert find_topic(read_topics(INDEX), wanted) is None


def test_unknown_topics_have_similar_titles() -> None:
    assert similar_titles(read_topics(INDEX), "filtr")[0] == "cbpf filter"
    assert similar_titles(read_topics(INDEX), "mixed-operator") == ["mixed-operators"]
    assert similar_titles(read_topics(INDEX), "zzz") == []


def test_the_site_contains_the_page(folder: Path) -> None:
    site = Site(str(folder.parent / "site"), Page(str(folder), {"samples": SAMPLES}))
    index, page = site.file("index.html"), site.file("explorer/index.html")
    assert index is not None
    assert page is not None
    assert index.data == PAGE.encode()
    assert page.data == b"<!doctype html><title>page</title>"
    assert site.file("explorer/") == page
    served = site.file("explorer/served.json")
    assert served is not None
    assert json.loads(served.data) == {"samples": SAMPLES}
    names = ("explorer/../../secret.txt", "../secret.txt", "explorer", "explorer/capture", "reference", "/etc/passwd")
    assert [site.file(name) for name in names] == [None] * len(names)


def test_pages_run_their_own_scripts_only(folder: Path) -> None:
    site = Site(str(folder.parent / "site"), Page(str(folder), {}))
    pages = [site.file(name) for name in ("index.html", "search.json", "explorer/index.html")]
    policies = [dict(part.split(" ", 1) for part in page.policy.split("; ")) for page in pages if page is not None]
    digest = "'sha256-HR7iaask9daLMRRskMI++QeJtjWDOjyPA6lGzYGzKW4='"  # of one(), by openssl
    assert [policy["script-src"] for policy in policies] == [
        f"'self' {digest}",
        "'self'",
        "'self' 'wasm-unsafe-eval'",
    ]
    assert [policy["frame-ancestors"] for policy in policies] == ["'none'", "'none'", "'self'"]
    assert {policy["default-src"] for policy in policies} == {"'none'"}


@pytest.mark.parametrize(
    ("typed", "completed"), [("mix", ["mixed-operators"]), ("ver", ["verdict"]), ("Fil", ["filter"]), ("zzz", [])]
)
def test_topics_of_one_word_are_completed(
    typed: str, completed: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cbpf.explorer.page.site_folder", lambda: str(folder.parent / "site"))
    assert [item.value for item in _completions(typed)] == completed


@pytest.mark.skipif(is_installed("cbpf_explorer"), reason="cbpf-explorer is installed")
def test_without_the_documentation_nothing_is_completed() -> None:
    assert _completions("mix") == []


def _completions(typed: str) -> list[Any]:
    command = group.get_command(click.Context(group), "docs")
    assert command is not None
    context = click.Context(command)
    return command.params[0].shell_complete(context, typed)


def _end(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors


def test_the_command_serves_the_site_until_it_is_interrupted(folder: Path) -> None:
    process = start("docs", folder=folder)
    url = link(process)
    assert get(url)[2] == PAGE.encode()
    assert get(f"{url}reference/errors.html")[2] == PAGE.encode()
    status, headers, data = get(f"{url}explorer/panes/one.js")
    assert (status, headers["Content-Type"], data) == (200, "text/javascript; charset=utf-8", b"1;")
    facts = json.loads(get(f"{url}explorer/served.json")[2])
    assert facts == {
        "proofs": is_installed("bitwuzla"),
        "llvm": is_installed("llvmlite"),
        "state": {},
        "capture": None,
        "samples": SAMPLES,
    }
    assert get(f"{url}reference/none.html")[0] == 404
    status, errors = _end(process)
    assert (status, "Traceback" in errors) == (0, False)


def test_the_command_opens_the_page_of_a_topic(folder: Path) -> None:
    process = start("docs", "error", "messages", folder=folder)
    assert link(process).endswith("/reference/errors.html")
    assert _end(process)[1].startswith("cbpf: Error messages\n")


@pytest.mark.parametrize(
    ("topic", "advice"),
    [("mixed-operator", "did you mean 'mixed-operators'?"), ("zzz", "cbpf docs opens the contents")],
)
def test_unknown_topics_are_errors_before_the_server(topic: str, advice: str, folder: Path) -> None:
    process = start("docs", topic, folder=folder)
    assert process.communicate(timeout=30) == ("", f"cbpf: topic {topic!r} is unknown; {advice}\n")
    assert process.returncode == 2


def test_a_distribution_of_another_version_is_rejected(folder: Path) -> None:
    process = start("docs", folder=folder, version="0.0.1")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert errors.startswith("cbpf: the documentation is of version 0.0.1, cbpf of ")


def test_a_site_that_was_not_built_is_an_error(folder: Path) -> None:
    (folder.parent / "site" / "index.html").unlink()
    process = start("docs", folder=folder)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (
        2,
        "cbpf: the documentation has not been built; ./dev explorer builds it\n",
    )


@pytest.mark.skipif(is_installed("cbpf_explorer"), reason="cbpf-explorer is installed")
def test_the_command_says_how_to_install_the_documentation(cli: CommandLine) -> None:
    done = cli("docs", "--no-browser")
    assert (done.exit_code, done.stderr) == (
        2,
        "cbpf: the documentation is in a distribution of its own; install it: pip install 'cbpf-explorer==0.1.0'\n",
    )
