"""The questions that the server of `cbpf explore` answers, because they need libraries that a browser does not have."""

from __future__ import annotations

from functools import partial

import cbpf

from .._typing import Any, Callable, Final, Mapping, TypeAlias
from .emission import EMISSIONS, emit
from .proofs import PROOFS
from .sources import BadRequest

Question: TypeAlias = "Callable[[Mapping[str, Any]], dict[str, Any]]"

SERVER_QUESTIONS: Final[dict[str, dict[str, Question]]] = {
    "proofs": PROOFS,
    "emit": {target: partial(emit, target) for target in EMISSIONS},
}
"""The questions by the folder and the name in their path."""


def answer(folder: str, question: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a question.

    Args:
        folder: A key of `SERVER_QUESTIONS`.
        question: The name of the question in it.
        request: The sources, as for `Answers.answer`.

    Returns:
        A JSON object; with the only key "error" if the question has no answer, and the reason in one line.
    """
    try:
        return SERVER_QUESTIONS[folder][question](request)
    except (cbpf.CbpfError, BadRequest) as error:
        return {"error": str(error)}
    except RecursionError:
        return {"error": "the text is nested too deeply for the page"}
