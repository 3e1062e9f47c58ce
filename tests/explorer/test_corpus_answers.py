"""The answers of the explorer page for each filter of the corpus: the values that the commands print with --json."""

import json
from typing import Any

import pytest

from cbpf.explorer.answers import Answers
from support.command_line import PACKETS, TRAFFIC, CommandLine
from support.corpus_filters import CORPUS, Filter

pytestmark = pytest.mark.slow
NUMBER = 6
"""The packet of the traces."""


@pytest.fixture(scope="module")
def answers() -> Answers:
    """The answers of a page with a capture."""
    page = Answers()
    with open(TRAFFIC, "rb") as file:
        page.open_capture(file.read(), "traffic.pcap")
    return page


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_answers_are_those_of_the_commands(filter: Filter, answers: Answers, cli: CommandLine) -> None:
    text, link_type = filter.expression, filter.link_type

    def ask(question: str, **request: Any) -> Any:
        source = {"text": text, "link_type": link_type}
        return json.loads(answers.answer(question, json.dumps({"source": source, **request})))

    def printed(*arguments: str) -> list[Any]:
        return [json.loads(line) for line in cli(*arguments).stdout.splitlines()]

    options = ("-y", link_type, "-e", text)
    graph, *_ = printed("graph", "--json", *options)
    assert graph.items() <= ask("graph").items()
    findings = printed("lint", "--json", "--all", "-y", link_type, text)
    findings = [finding for finding in findings if finding["severity"] != "undecided"]
    assert _subset(ask("lint")["findings"], findings) == findings
    if link_type != "EN10MB":
        return
    trace = ask("trace", packet={"number": NUMBER})
    (steps,) = printed("trace", "--json", "-n", str(NUMBER), "-e", text, TRAFFIC)
    assert steps.items() <= trace.items()
    (why,) = printed("why", "--json", "-n", str(NUMBER), "-r", TRAFFIC, text)
    assert {**trace["why"], "change": None, "unknown": ""} == {**why, "change": None, "unknown": ""}
    verdicts = [packet["verdict"] for packet in printed("run", "--json", "-e", text, TRAFFIC)]
    assert ask("verdicts")["verdicts"] == verdicts[: len(PACKETS)]


def _subset(findings: list[dict[str, Any]], expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return findings with only the keys of the expected ones."""
    return [{key: found[key] for key in each} for found, each in zip(findings, expected, strict=True)]
