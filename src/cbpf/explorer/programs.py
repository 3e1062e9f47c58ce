"""The panes that show a program: its listing with clauses, its graph, the passes of the optimiser, other notations."""

from __future__ import annotations

import cbpf

from .._typing import Any, Final, Iterator
from ..reporting.documents import graph_document
from .caught import caught_warnings
from .comparison import changed_lines
from .offsets import Offsets
from .sources import Settings, Subject

_MAX_DRAWN: Final = 1_000  # instructions of a graph
_MAX_OPTIMIZED: Final = 5_000  # instructions whose passes are shown
NOTATIONS: Final = ("c", "decimal", "tcpdump", "asm", "iptables", "tc", "python", "go", "json", "hex")
"""The formats of `cbpf.render` that the page offers."""
TARGETS: Final[dict[str, cbpf.TextTarget]] = {"function": "c", "llvm": "llvm"}
"""The targets of `cbpf.emit` that need no compiler, by their names on the page."""


def program_pane(subject: Subject, source: Settings, program: cbpf.Program) -> dict[str, Any]:
    """Return the listing of a program, and the plain code of an expression with its clauses."""
    flow = _flow(program, source.dialect)
    pane: dict[str, Any] = {
        "lines": _lines(program, source.dialect),
        "clause": None,
        "shortest": flow.shortest,
        "longest": flow.longest,
        "unreachable": [*flow.unreachable, *flow.infeasible],
        "loads": [{"index": load.index, "text": str(load)} for load in flow.loads],
        "clauses": [],
        "plain": None,
    }
    if subject.mapped is not None:
        plain = subject.mapped.program
        clauses, clause_of = _clauses(subject.mapped, source.text)
        pane["clauses"] = clauses
        if tuple(plain) == tuple(program):
            pane["clause"] = clause_of
        else:
            pane["plain"] = {"lines": _lines(plain, source.dialect), "clause": clause_of}
    return pane


def _lines(program: cbpf.Program, dialect: cbpf.Dialect) -> list[str]:
    """Return the listing without the numbers of the instructions."""
    return [line.split(" ", 1)[1].expandtabs(8) for line in cbpf.listing(program, dialect=dialect).splitlines()]


def _clauses(mapped: cbpf.SourceMap, text: str) -> tuple[list[dict[str, Any]], list[int | None]]:
    """Return the clauses with their offsets in UTF-16 units, and the number of the clause of each instruction."""
    clause_of: list[int | None] = [None] * len(mapped.program)
    clauses, offsets = [], Offsets(text)
    for number, clause in enumerate(mapped.clauses):
        for index in clause.instructions:
            clause_of[index] = number
        parts = {"text": clause.text, "instructions": list(clause.instructions)}
        clauses.append({**offsets.span(*clause.span), **parts})
    return clauses, clause_of


def graph_pane(
    subject: Subject, source: Settings, program: cbpf.Program, counts: cbpf.ExecutionCounts | None = None
) -> dict[str, Any]:
    """Return the document of `cbpf graph`, and the drawing under "svg"; None and a message if it would be too large."""
    if len(program) > _MAX_DRAWN:
        fact = f"the program has {len(program):,} instructions; the page draws at most {_MAX_DRAWN:,}"
        return {"svg": None, "blocks": [], "message": f"{fact}; cbpf graph draws any program"}
    graph = cbpf.graph(program, dialect=source.dialect, counts=counts)
    mapped = None if source.optimizes else subject.mapped
    return graph_document(graph, dialect=source.dialect, mapped=mapped) | {"svg": graph.svg(), "message": ""}


def passes_pane(subject: Subject, source: Settings, program: cbpf.Program) -> dict[str, Any]:
    """Return the program after each stage of the optimiser that changed it, from the plain code or the text on."""
    plain = program if subject.written is None else subject.written
    if len(plain) > _MAX_OPTIMIZED:
        fact = f"the program has {len(plain):,} instructions; the page shows the passes of at most {_MAX_OPTIMIZED:,}"
        return {"stages": [], "message": fact}
    stages = [("plain code", plain)]
    found = cbpf.optimization_stages(plain, dialect=source.dialect, goal=source.goal)
    stages += [(stage.name, stage.program) for stage in found]
    return {"stages": list(_stages(stages, source.dialect)), "message": ""}


def _stages(stages: list[tuple[str, cbpf.Program]], dialect: cbpf.Dialect) -> Iterator[dict[str, Any]]:
    before = _lines(stages[0][1], dialect)
    for name, program in stages:
        lines = _lines(program, dialect)
        yield {
            "name": name, "size": len(program), "change": len(program) - len(before),
            "longest": _flow(program, dialect).longest, "changes": changed_lines(before, lines),
        }  # fmt: skip
        before = lines


def code_pane(program: cbpf.Program, source: Settings, notation: str) -> dict[str, Any]:
    """Return a program for a target of `TARGETS`, or in a notation of `NOTATIONS`."""
    with caught_warnings() as caught:
        try:
            if notation in TARGETS:
                text = cbpf.emit(program, target=TARGETS[notation], dialect=source.dialect)
            else:
                text = cbpf.render(program, notation)
        except cbpf.CbpfError as error:
            return {"text": "", "message": str(error)}
    return {"text": text, "message": "; ".join(str(warning.message) for warning in caught)}


def _flow(program: cbpf.Program, dialect: cbpf.Dialect) -> cbpf.Flow:
    """Return the flow of a program, which may be longer than the dialect accepts."""
    return cbpf.Flow(program, dialect=dialect.replace(longest=None, longest_translated_jump=None))
