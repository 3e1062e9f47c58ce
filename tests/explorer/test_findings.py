"""The findings that the explorer page shows beside a source, and their places."""

import json
import re
from typing import Any

import pytest

import cbpf
from cbpf.explorer.answers import Answers
from support.command_line import CommandLine
from support.page_answers import ask
from support.project import ROOT

SLOT = "ldh [12]\njeq #1, 0, 1\nldx #1\nld M[3]\nst M[77]\nret a"


def _findings(text: str, **settings: Any) -> list[tuple[str, str]]:
    """Return the rule of each finding of the analysis, and the text at its place."""
    found = ask("lint", text, settings=settings)["findings"]
    return [(each["identifier"], text[each["start"] : each["end"]]) for each in found if "last" in each]


@pytest.mark.parametrize(
    "notation", ["asm", "tcpdump", "dbg", "c", "decimal", "comma", "hex", "json", "python", "go", "table"]
)
def test_findings_of_the_verifier_are_at_their_instruction(notation: str, cli: CommandLine, tmp_path: Any) -> None:
    program = cbpf.parse(SLOT)
    text = cbpf.render(program, notation)
    spans = cbpf.instruction_spans(text, format=notation)
    problems = ask("check", text, settings={"dialect": "linux"})["problems"]
    path = tmp_path / "program"
    path.write_text(text)
    command = json.loads(cli("verify", "--json", "--dialect", "linux", str(path)).stdout)["findings"]
    assert [problem["index"] for problem in problems] == [finding["index"] for finding in command] == [3, 4]
    assert [(problem["start"], problem["end"]) for problem in problems] == [spans[3], spans[4]]
    assert all(finding["fact"] in problem["message"] for problem, finding in zip(problems, command, strict=True))


def test_findings_of_the_verifier_about_an_expression_are_at_their_clause() -> None:
    text = "tcp port 80 or arp"
    problems = ask("check", text, settings={"dialect": "seccomp"})["problems"]
    places = [text[problem["start"] : problem["end"]] for problem in problems]
    assert list(dict.fromkeys(places)) == ["tcp port 80", "arp"]
    assert "(and 10 more of this part)" in problems[0]["message"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ldh [12]\nret a", []),
        ("ret #1\nret #2\nret #3", [("unreachable", "ret #2\nret #3")]),
        ("ld [300000]\nret a", [("load-out-of-bounds", "ld [300000]")]),
        ("ld [262140]\nret a", []),
        ("add #1\nret a", [("unset-read", "add #1")]),
        ("ld M[3]\nret a", [("unset-read", "ld M[3]")]),
        (
            "ldh [12]\nld #1\njeq #1, 0, 1\nret #1\nret #0",
            [("constant-test", "jeq #1, 0, 1"), ("infeasible", "ret #0")],
        ),
    ],
)
def test_findings_of_the_analysis_are_at_their_instructions(text: str, expected: list[tuple[str, str]]) -> None:
    assert _findings(text) == expected


def test_unreached_code_is_that_of_the_command(cli: CommandLine, tmp_path: Any) -> None:
    text = "ldh [12]\njeq #5, 0, 2\njeq #5, 1, 0\nret #1\nret #0\nret #7"
    path = tmp_path / "program"
    path.write_text(text)
    stats = json.loads(cli("stats", "--json", str(path)).stdout)
    found = ask("lint", text)["findings"]
    for identifier in ("unreachable", "infeasible"):
        indices = [
            index
            for each in found
            if each["identifier"] == identifier
            for index in range(each["index"], each["last"] + 1)
        ]
        assert indices == stats[identifier], identifier
        assert indices


def test_the_optimiser_does_not_hide_findings() -> None:
    text = "ret #1\nret #2"
    assert _findings(text, optimize=True) == _findings(text, optimize=False) == [("unreachable", "ret #2")]


def test_a_clause_that_another_one_decides_is_found_without_a_solver() -> None:
    found = ask("lint", "ip and arp")["findings"]
    assert [each["fact"] for each in found if each.get("last")] == [
        "'arp' has one outcome: [12:2] != 0x806 holds for each packet that reaches it"
    ]


def test_findings_of_expressions_have_places_in_the_text() -> None:
    for text in ("tcp port 80 or udp", "ip and arp", "not (vlan and ip)", "len > 5 and len < 3", "\u00e9"):
        for each in ask("lint", text).get("findings", ()):
            assert 0 <= each["start"] < each["end"] <= len(text)


def test_the_findings_of_the_analysis_are_documented() -> None:
    code = (ROOT / "src" / "cbpf" / "explorer" / "analysis.py").read_text()
    page = (ROOT / "docs" / "how-to" / "explore-in-a-browser.md").read_text()
    assert set(re.findall(r'_finding\(\s*"([\w-]+)"', code)) == set(
        re.findall(r"^\| `([\w-]+)` \|", page, re.MULTILINE)
    )


def test_many_errors_are_counted() -> None:
    answer = ask("check", "\n".join(["ret a", "ldq [0]"] * 2_000))
    assert (len(answer["problems"]), answer["more"]) == (500, 1_500)
    answer = ask("lint", "ld #1\n" + "jeq #1, 0, 1\nld #1\n" * 600 + "ret #0")
    assert (len(answer["findings"]), answer["more"]) == (500, 100)


def test_a_new_text_has_new_places() -> None:
    page = Answers()
    for blanks in ("", "  ", "\n\n"):
        (problem,) = ask("check", f"{blanks}st M[77]\nret a", page=page)["problems"]
        assert problem["start"] == len(blanks)
