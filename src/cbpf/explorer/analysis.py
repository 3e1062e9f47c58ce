"""The findings of the analysis about a program that its dialect accepts: code and loads that have no effect."""

from __future__ import annotations

import cbpf

from .._typing import Any, Final, Iterator, Sequence
from .offsets import Offsets
from .sources import Places, Settings, Subject

_LARGEST: Final = 262_144  # bytes of a packet: libpcap's maximum snapshot length
_MAX_ANALYZED: Final = 10_000  # instructions


def analysis_pane(subject: Subject, source: Settings) -> list[dict[str, Any]]:
    """Return the findings of the analysis, with the offsets "start" and "end" in UTF-16 units.

    Those about an expression concern clauses, and those about a program instructions: "index" is the first one, and
    "last" the last one.
    """
    program = subject.written
    if program is None or len(program) > _MAX_ANALYZED:
        return []
    flow = cbpf.Flow(program, dialect=source.dialect.replace(longest=None, longest_translated_jump=None))
    if subject.mapped is not None:
        return list(_clause_findings(flow, subject.mapped, source.text))
    findings = sorted(_program_findings(flow), key=lambda finding: int(finding["index"]))
    if not findings:
        return []
    places, offsets = Places(source.text), Offsets(source.text)
    return [finding | offsets.span(*places.of(finding["index"], finding["last"])) for finding in findings]


def _finding(
    identifier: str, first: int, last: int, fact: str, rule: str, *, severity: str = "warning"
) -> dict[str, Any]:
    return {
        "identifier": identifier, "severity": severity, "index": first, "last": last, "fact": fact, "rule": rule,
    }  # fmt: skip


# -- Programs


def _program_findings(flow: cbpf.Flow) -> Iterator[dict[str, Any]]:
    for first, last in _ranges(flow.unreachable):
        fact = f"no instruction leads to {_named(first, last)}"
        yield _finding(
            "unreachable", first, last, fact, "remove unused code, or correct the jump that should lead there"
        )
    for first, last in _ranges(flow.infeasible):
        fact = f"no packet reaches {_named(first, last)}"
        yield _finding("infeasible", first, last, fact, "a test or a load on each path there always fails")
    for index, condition in _constant_tests(flow):
        fact = f"instruction {index} has one outcome: {condition} holds for each packet that reaches it"
        yield _finding("constant-test", index, index, fact, "the other branch is never taken", severity="note")
    for load in flow.loads:
        if load.header == "packet" and load.first + load.size > _LARGEST:
            fact = f"instruction {load.index} loads byte {load.first + load.size - 1:,}, which no packet has"
            rule = f"packets have at most {_LARGEST:,} bytes, so each run ends here with verdict 0"
            yield _finding("load-out-of-bounds", load.index, load.index, fact, rule)
    for index, name in flow.unset_reads:
        rule = "its value is 0 then" + ("; Linux rejects such a program" if name.startswith("M") else "")
        yield _finding("unset-read", index, index, f"instruction {index} may read {name} before it is set", rule)


def _constant_tests(flow: cbpf.Flow) -> Iterator[tuple[int, str]]:
    """Yield the index of each test that executions reach with one outcome, and the condition that always holds."""
    for block in flow.blocks:
        taken = [edge for edge in block.edges if edge.is_feasible]
        if len(block.edges) == 2 and len(taken) == 1:
            yield block.stop - 1, taken[0].condition


def _ranges(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of consecutive numbers."""
    first = last = None
    for index in indices:
        if first is None or last is None:
            first = last = index
        elif index == last + 1:
            last = index
        else:
            yield first, last
            first = last = index
    if first is not None and last is not None:
        yield first, last


def _named(first: int, last: int) -> str:
    return f"instruction {first}" if first == last else f"instructions {first} to {last}"


# -- Expressions


def _clause_findings(flow: cbpf.Flow, mapped: cbpf.SourceMap, text: str) -> Iterator[dict[str, Any]]:
    """Yield a finding for each clause that no packet reaches, and for each of one test that has one outcome."""
    dead = {*flow.unreachable, *flow.infeasible}
    constant = dict(_constant_tests(flow))
    tests = {block.stop - 1 for block in flow.blocks if block.is_feasible and len(block.edges) == 2}
    offsets = Offsets(text)
    for clause in mapped.clauses:
        place = offsets.span(*clause.span)
        indices = clause.instructions
        own_tests = [index for index in indices if index in tests]
        if indices and dead.issuperset(indices):
            fact = f"no packet reaches '{clause.text}'"
            yield _finding("infeasible", indices[0], indices[-1], fact, "the clauses before it decide first") | place
        elif len(own_tests) == 1 and own_tests[0] in constant:
            fact = f"'{clause.text}' has one outcome: {constant[own_tests[0]]} holds for each packet that reaches it"
            rule = "the clauses before it decide it"
            yield _finding("constant-test", own_tests[0], own_tests[0], fact, rule) | place
