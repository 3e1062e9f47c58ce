"""What topics found, as values; as Markdown; and as JSON, from which the document and its chart are made."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.timing import Row


class Goal(NamedTuple):
    """What was aimed at, and what came out."""

    what: str
    bound: str
    measured: str
    met: bool


class Chart(NamedTuple):
    """Bars, each with its name and its number; those of cbpf have a colour, and the first the strongest."""

    title: str
    unit: str
    bars: Sequence[tuple[str, float]]


class Section(NamedTuple):
    """One table."""

    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
    goals: Sequence[Goal] = ()
    chart: Chart | None = None

    def markdown(self, *, level: str = "##") -> str:
        marks = ["---" if name in ("who", "what", "how") else "---:" for name in self.heading]
        lines = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in (self.heading, marks, *self.rows)]
        goals = [f"- {_mark(one)} {one.what}: {one.measured} (goal: {one.bound})" for one in self.goals]
        parts = [f"{level} {self.title}", "\n".join(f"| {line} |" for line in lines), self.note, "\n".join(goals)]
        return "\n\n".join(part for part in parts if part)


class Finding(NamedTuple):
    """A topic's sections, and where they were found: machine, load of it at the start, scale of the sizes."""

    machine: str
    load: str
    scale: float
    sections: Sequence[Section]


Findings = Mapping[str, Finding]


def at_most(what: str, limit: float, measured: float, form: str) -> Goal:
    """A goal; *form* shows a number with its unit, as in "{:.0f} ms"."""
    return Goal(what, f"at most {form.format(limit)}", form.format(measured), measured <= limit)


def at_least(what: str, limit: float, measured: float, form: str) -> Goal:
    """See `at_most`."""
    return Goal(what, f"at least {form.format(limit)}", form.format(measured), measured >= limit)


def table(rows: Sequence[Row], columns: Mapping[str, Callable[[Row], str]]) -> tuple[list[str], list[list[str]]]:
    """Heading and lines: a contender each, with what the columns make of its row between its name and its way."""
    lines = [[row.contender.name, *(show(row) for show in columns.values()), row.contender.how] for row in rows]
    return ["who", *columns, "how"], lines


def document(findings: Findings) -> str:
    """docs/benchmarks.md."""
    goals = [goal for finding in findings.values() for section in finding.sections for goal in section.goals]
    machines = {_where(finding) for finding in findings.values()}
    parts = [_HEAD, *(f"Measured on {where}." for where in machines if len(machines) == 1)]
    if not findings:
        parts.append("Nothing has been measured yet.")
    if goals:
        lines = [f"| {one.what} | {one.bound} | {one.measured} | {_mark(one)} |" for one in goals]
        parts += ["## The goals", "\n".join(["| goal | bound | measured | |", "|---|---:|---:|:-:|", *lines])]
    for name, finding in findings.items():
        where = f" on {_where(finding)}" if len(machines) > 1 else ""
        source = f"`./dev bench {name}`{where}, load {finding.load} at its start."
        parts += [section.markdown() for section in finding.sections] + [source]
    return "\n\n".join(parts) + "\n"


def charts(findings: Findings) -> list[Chart]:
    """What docs/benchmarks.svg shows."""
    return [section.chart for finding in findings.values() for section in finding.sections if section.chart]


def _where(finding: Finding) -> str:
    small = "" if finding.scale == 1 else f"; sizes times {finding.scale:g}, so **only a trial, no figures to quote**"
    return finding.machine + small


def _mark(goal: Goal) -> str:
    return "met" if goal.met else "**missed**"


_HEAD = """\
# Benchmarks

Made by `./dev bench --write`; [benchmarks/README.md](../benchmarks/README.md) says how to repeat it. The contenders of
a table take turns, round after round; a figure is the median over the rounds, and a ratio the median of the ratios
inside a round. So ratios hold on a busy machine, while times are those of one machine at one hour. Contenders that
decide about packets first had to decide alike.

![Packets a second of cbpf, tcpdump and Python libraries; nanoseconds a packet of the bare filters](benchmarks.svg)"""


def to_json(findings: Findings) -> str:
    plain = {
        name: finding._asdict() | {"sections": [_plain(section) for section in finding.sections]}
        for name, finding in findings.items()
    }
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> dict[str, Finding]:
    return {
        name: Finding(**plain | {"sections": [_section(**one) for one in plain["sections"]]})
        for name, plain in json.loads(text).items()
    }


def _plain(section: Section) -> dict[str, Any]:
    chart = section.chart
    return section._asdict() | {
        "goals": [goal._asdict() for goal in section.goals],
        "chart": chart and chart._asdict(),
    }


def _section(*, goals: list[dict[str, Any]], chart: dict[str, Any] | None, **rest: Any) -> Section:
    return Section(**rest, goals=[Goal(**one) for one in goals], chart=Chart(**chart) if chart else None)
