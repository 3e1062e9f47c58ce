"""The answers of the page: functions from JSON values to JSON values, without a browser and without a server.

The web worker calls `Answers.answer`. Each question has a name and a JSON object; its "source" has the text of
the editor, the link type, the dialect, and whether the optimiser runs.
"""

from __future__ import annotations

import json

import cbpf

from .._typing import Any, Callable, Final, Mapping
from .comparison import compare_pane
from .lint import lint_pane
from .packets import (
    LoadedCapture,
    capture_pane,
    change_pane,
    execution_counts,
    one_packet,
    trace_pane,
    verdicts_pane,
)
from .programs import NOTATIONS, TARGETS, code_pane, graph_pane, passes_pane, program_pane
from .sources import BadRequest, Settings, Subject, read, runnable, settings

_MAX_CACHED: Final = 4  # sources


class Answers:
    """The answers to the questions of one page.

    It holds the capture that the page has opened, and the last sources that it has read.
    """

    def __init__(self) -> None:
        self._capture: LoadedCapture | None = None
        self._subjects: dict[Settings, Subject] = {}

    def open_capture(self, data: bytes, name: str) -> str:
        """Read a capture, from then on the capture of the page, and return its packets as JSON."""
        self._capture = None
        try:
            self._capture = LoadedCapture(data, name)
        except cbpf.CbpfError as error:
            return json.dumps({"error": str(error)})
        return json.dumps(capture_pane(self._capture))

    def answer(self, question: str, request: str) -> str:
        """Return the answer to a question.

        Args:
            question: The name of the question, a key of `QUESTIONS`.
            request: A JSON object.

        Returns:
            A JSON object; with the only key "error" if the question has no answer, and the reason in one line.
        """
        try:
            return json.dumps(QUESTIONS[question](self, json.loads(request)))
        except (cbpf.CbpfError, BadRequest) as error:
            return json.dumps({"error": str(error)})
        except RecursionError:
            return json.dumps({"error": "the text is nested too deeply for the page"})

    def _read(self, source: Settings) -> Subject:
        """Return the program of a source, or every error in its text, from the cache if it is there."""
        subject = self._subjects.get(source)
        if subject is None:
            subject = read(source)
            while len(self._subjects) >= _MAX_CACHED:
                del self._subjects[next(iter(self._subjects))]
            self._subjects[source] = subject
        return subject

    def _runnable(self, request: Mapping[str, Any], key: str = "source") -> tuple[Subject, Settings, cbpf.Program]:
        return runnable(request, key, self._read)

    def check(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the notation of a source and every error in its text, at most 500."""
        subject = self._read(settings(request.get("source")))
        return {
            "notation": subject.notation,
            "problems": list(subject.problems),
            "more": subject.more,
            "warnings": list(subject.warnings),
            "size": None if subject.program is None else len(subject.program),
        }

    def lint(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the findings of the linter and of the analysis."""
        subject, source, _ = self._runnable(request)
        return lint_pane(subject, source)

    def program(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the listing of a program, with the clauses of its expression."""
        return program_pane(*self._runnable(request))

    def graph(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the control-flow graph, with the counts of the capture if there is one."""
        subject, source, program = self._runnable(request)
        counts = None
        if self._capture is not None and request.get("heat"):
            counts = execution_counts(self._capture, subject, source)
        return graph_pane(subject, source, program, counts)

    def passes(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the stages of the optimiser."""
        return passes_pane(*self._runnable(request))

    def code(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return a program in another notation."""
        _, source, program = self._runnable(request)
        notation = request.get("notation")
        if notation not in (*TARGETS, *NOTATIONS):
            raise BadRequest(f"notation: expected {', '.join((*TARGETS, *NOTATIONS))}")
        return code_pane(program, source, notation)

    def trace(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the steps of a program on a packet, and the outcomes of the clauses of an expression."""
        subject, source, program = self._runnable(request)
        return trace_pane(one_packet(request.get("packet"), self._capture), program, subject, source)

    def change(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the smallest change of a packet that inverts the verdict of an expression."""
        subject, source, _ = self._runnable(request)
        return change_pane(one_packet(request.get("packet"), self._capture), subject, source)

    def verdicts(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the verdicts on the packets of the capture."""
        subject, source, _ = self._runnable(request)
        if self._capture is None:
            raise BadRequest("no capture is open")
        return verdicts_pane(self._capture, subject, source)

    def compare(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return two programs side by side, with the packets of the capture on which they differ."""
        return compare_pane(self._runnable(request), self._runnable(request, "other"), self._capture)

    def version(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Return the version of the package."""
        return {"version": cbpf.__version__}


QUESTIONS: Final[dict[str, Callable[[Answers, Mapping[str, Any]], dict[str, Any]]]] = {
    function.__name__: function
    for function in (
        Answers.check,
        Answers.lint,
        Answers.program,
        Answers.graph,
        Answers.passes,
        Answers.code,
        Answers.trace,
        Answers.change,
        Answers.verdicts,
        Answers.compare,
        Answers.version,
    )
}
"""The questions by name."""
