"""The results of commands as dictionaries that can be converted to JSON; docs/reference/json.md describes their keys.

The results of `graph`, `lint` and `stats` are those of public objects: `Graph.as_dict` and others.
"""

from __future__ import annotations

from itertools import islice

import cbpf

from .._typing import Any, Final, Literal, Sequence, TypeAlias
from .optimization_report import OptimizationReport, program_rows

Relation: TypeAlias = Literal["equal", "implies"]
Verdicts: TypeAlias = Literal["exact", "accept"]

ANSWERS: Final[dict[tuple[Relation, bool], str]] = {
    ("equal", True): "equal",
    ("equal", False): "different",
    ("implies", True): "implied",
    ("implies", False): "not implied",
}
"""The answers of `cbpf diff`, by the relation and whether it holds."""


def verify_document(
    program: cbpf.Program, findings: Sequence[cbpf.Finding], *, name: str, dialect: cbpf.Dialect
) -> dict[str, Any]:
    """Return the result of `cbpf verify`: a program, and the reasons for which the dialect rejects it."""
    return {
        "name": name,
        "dialect": dialect.name,
        "accepted": not findings,
        "program": program_rows(program),
        "findings": [finding.as_dict() for finding in findings],
    }


def trace_document(
    program: cbpf.Program | None,
    packet: bytes,
    *,
    number: int,
    link_type: str,
    wire_length: int,
    metadata: cbpf.Metadata | None,
    dialect: cbpf.Dialect,
    max_steps: int | None = None,
) -> dict[str, Any]:
    """Return the result of `cbpf trace`: the steps of a program on a packet, at most *max_steps*, and the verdict.

    Without a program, an expression does not fit the link type of the packet, and the verdict is 0.
    """
    steps: Sequence[cbpf.Step] = ()
    verdict = 0  # also of a record that is too short for the first instruction, which has no steps
    if program is not None:
        vm = cbpf.VM(program, dialect=dialect, engine="interpreter")
        steps = tuple(islice(vm.trace(packet, metadata=metadata, wire_length=wire_length), max_steps))
        verdict = vm.evaluate(packet, metadata=metadata, wire_length=wire_length)
    return {
        "number": number,
        "link_type": link_type,
        "dialect": dialect.name,
        "packet": packet.hex(),
        "wire_length": wire_length,
        "metadata": (metadata or cbpf.Metadata()).as_dict(),
        "program": program_rows(program),
        "steps": [step.as_dict() for step in steps],
        "verdict": verdict,
        "meaning": cbpf.describe_verdict(verdict, dialect=dialect),
    }


def diff_document(
    names: Sequence[str],
    programs: Sequence[cbpf.Program],
    difference: cbpf.Difference | None,
    *,
    dialect: cbpf.Dialect,
    relation: Relation,
    verdicts: Verdicts,
    shortest: int,
    longest: int,
) -> dict[str, Any]:
    """Return the result of `cbpf diff`: the answer about two programs, and with a counterexample both traces.

    The lengths of the packets are None in a dialect with records, which have one size.
    """
    has_records = dialect.record_size is not None
    left, right = (_side(*side, difference, dialect) for side in zip(names, programs, strict=True))
    return {
        "answer": ANSWERS[relation, difference is None],
        "relation": relation,
        "verdicts": verdicts,
        "dialect": dialect.name,
        "shortest": None if has_records else shortest,
        "longest": None if has_records else longest,
        "left": left,
        "right": right,
        "difference": None if difference is None else difference.as_dict(),
    }


def _side(
    name: str, program: cbpf.Program, difference: cbpf.Difference | None, dialect: cbpf.Dialect
) -> dict[str, Any]:
    """Return one of two programs, with its steps on the packet of their difference."""
    steps = None
    if difference is not None:
        vm = cbpf.VM(program, dialect=dialect, engine="interpreter")
        packet, wire_length, metadata = difference.packet, difference.wire_length, difference.metadata
        steps = [step.as_dict() for step in vm.trace(packet, metadata=metadata, wire_length=wire_length)]
    return {"name": name, "program": program_rows(program), "steps": steps}


def explain_document(
    expression: str, *, link_type: str, dialect: cbpf.Dialect, goal: cbpf.Goal, timeout: float | None
) -> dict[str, Any]:
    """Return the result of `cbpf explain`: the program after each pass of the optimiser, and the proofs."""
    report = OptimizationReport(expression, link_type=link_type, dialect=dialect, goal=goal, timeout=timeout)
    return report.as_dict()


def graph_document(graph: cbpf.Graph, *, dialect: cbpf.Dialect, mapped: cbpf.SourceMap | None) -> dict[str, Any]:
    """Return the result of `cbpf graph`: blocks, edges and counts, and the clauses of plain code."""
    clauses = None if mapped is None else [clause.as_dict() for clause in mapped.clauses]
    return {"dialect": dialect.name, "clauses": clauses} | graph.as_dict()


def why_document(why: cbpf.VerdictExplanation, *, number: int, link_type: str) -> dict[str, Any]:
    """Return the result of `cbpf why`: the reasons for the verdict on a packet of a capture."""
    return {"number": number, "link_type": link_type} | why.as_dict()
