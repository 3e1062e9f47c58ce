"""The answers of Python in the browser: those of this Python, and one for every random source."""

import json
import re
from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.explorer.answers import Answers
from support.browser import Opener, missing_browser
from support.command_line import TRAFFIC
from support.corpus_filters import CORPUS, Filter
from support.random_expressions import expression as random_expression
from support.random_programs import any_kind

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
QUESTIONS = ("check", "program", "graph", "passes", "code", "lint", "trace")


def test_answers_in_the_browser_are_those_of_this_python(opened: Opener) -> None:
    """For each filter of the corpus."""
    packet = {"hex": next(iter(cbpf.read_capture(TRAFFIC))).data.hex()}
    questions: list[tuple[str, dict[str, Any]]] = [
        (question, {"source": _source(filter), "packet": packet, "notation": "function"})
        for filter in CORPUS
        for question in QUESTIONS
    ]
    here = Answers()
    for (question, request), answer in zip(questions, opened().ask(questions), strict=True):
        expected = json.loads(here.answer(question, json.dumps(request)))
        if question == "lint":  # the page has no solver
            expected, answer = _without_proofs(expected), _without_proofs(answer)
        elif question == "graph":  # sums of floats differ in the last digit since Python 3.12
            expected["svg"], answer["svg"] = (re.sub(r"[\d.]+", "0", each["svg"]) for each in (expected, answer))
        assert answer == expected, (question, request["source"])


def _source(filter: Filter) -> dict[str, Any]:
    return {"text": filter.expression, "link_type": filter.link_type}


_PROOFS = {"suggestion", "is_equivalent", "packet", "wire_length", "verdict", "suggestion_verdict", "metadata"}


def _without_proofs(answer: Any) -> set[str]:
    """Return the findings that do not depend on a solver, as text, without the facts that a solver adds."""
    return {
        json.dumps({key: value for key, value in finding.items() if key not in _PROOFS})
        for finding in answer.get("findings", ())
        if finding["severity"] == "note"
    }


def test_random_sources_have_answers_in_the_browser(opened: Opener) -> None:
    """10,000 programs and expressions."""
    choose = Random(19)
    questions: list[tuple[str, dict[str, Any]]] = []
    for number in range(10_000):
        if number % 2:
            rows = any_kind(choose)
            text = "\n".join([str(len(rows)), *(" ".join(map(str, row)) for row in rows)])
        else:
            text = random_expression(choose)
        request = {"source": {"text": text}, "packet": {"hex": "00" * 60}, "notation": "function"}
        questions.append((choose.choice(QUESTIONS), request))
    answers = opened().ask(questions)
    assert all(isinstance(answer, dict) for answer in answers)
    assert sum("error" not in answer for answer in answers) > 5_000
