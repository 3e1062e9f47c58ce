"""Measurements as values, as Markdown, and as JSON, from which the documents and the chart are made."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from benchmarks.timing import Contender, Cost, Row, first_to


class Goal(NamedTuple):
    """A bound on a figure, and the figure measured."""

    subject: str
    bound: str
    measured: str
    met: bool


class Chart(NamedTuple):
    """Bars with names and values; those of cbpf are coloured, the first most strongly."""

    title: str
    unit: str
    bars: Sequence[tuple[str, float]]


class Section(NamedTuple):
    """One table with its note, goals and chart."""

    title: str
    heading: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str
    goals: Sequence[Goal] = ()
    chart: Chart | None = None

    def markdown(self, *, with_goals: bool = True) -> str:
        marks = ["---" if name in ("contender", "case", "how") else "---:" for name in self.heading]
        lines = [" | ".join(map(_cell, line)) for line in (self.heading, marks, *self.rows)]
        goals = [f"- {_mark(goal)} {goal.subject}: {goal.measured} (goal: {goal.bound})" for goal in self.goals]
        parts = [f"## {self.title}", "\n".join(f"| {line} |" for line in lines), self.note]
        if with_goals:
            parts.append("\n".join(goals))
        return "\n\n".join(part for part in parts if part)


def _cell(text: str) -> str:
    """Return the text of a cell of a table, in which a bar would begin the next cell, also in code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", text).replace("|", "&#124;") if "|" in text else text


class TopicResult(NamedTuple):
    """A topic's sections, with the machine, its load at the start, and the scale of the sizes."""

    machine: str
    load: str
    scale: float
    sections: Sequence[Section]


Results = Mapping[str, TopicResult]


def at_most(subject: str, limit: float, measured: float, form: str) -> Goal:
    """Return a goal with an upper bound; *form* formats a number with its unit, as in "{:.0f} ms"."""
    return Goal(subject, f"at most {form.format(limit)}", form.format(measured), measured <= limit)


def at_least(subject: str, limit: float, measured: float, form: str) -> Goal:
    """Return a goal with a lower bound; *form* formats a number with its unit, as in "{:.1f} times"."""
    return Goal(subject, f"at least {form.format(limit)}", form.format(measured), measured >= limit)


def table(rows: Sequence[Row], columns: Mapping[str, Callable[[Row], str]]) -> tuple[list[str], list[list[str]]]:
    """Return the heading and one line per contender: its name, its columns, and its command."""
    lines = [[row.contender.name, *(show(row) for show in columns.values()), row.contender.how] for row in rows]
    return ["contender", *columns, "how"], lines


def cost_table(contenders: Sequence[Contender], costs: Sequence[Sequence[Cost]]) -> tuple[list[str], list[list[str]]]:
    """Return the heading and one line per contender: its times, and those of the first one (cbpf) relative to it."""
    lines = [
        [
            contender.name,
            *(f"{median(round_costs[index][kind] for round_costs in costs) * 1e3:,.0f}" for kind in (0, 1)),
            *(f"{first_to(costs, index, kind):.2f} times" for kind in (0, 1)),
            contender.how,
        ]
        for index, contender in enumerate(contenders)
    ]
    return ["contender", "ms", "processor ms", "cbpf's time", "cbpf's processor time", "how"], lines


def document(results: Results) -> str:
    """Return the text of docs/benchmarks.md."""
    machines = {_machine_and_scale(result) for result in results.values()}
    parts = [_HEAD, *(f"Measured on {machine}." for machine in machines if len(machines) == 1)]
    if not results:
        parts.append("Nothing has been measured yet.")
    for name, result in results.items():
        machine = f" on {_machine_and_scale(result)}" if len(machines) > 1 else ""
        source = f"`./dev bench {name}`{machine}, load {result.load} at its start."
        parts += [section.markdown(with_goals=False) for section in result.sections] + [source]
    return "\n\n".join(parts) + "\n"


def goals_document(results: Results) -> str:
    """Return the text of benchmarks/GOALS.md: each goal with the last measurement."""
    goals = [goal for result in results.values() for section in result.sections for goal in section.goals]
    lines = [f"| {goal.subject} | {goal.bound} | {goal.measured} | {_mark(goal)} |" for goal in goals]
    return "\n".join([_GOALS_HEAD, "| goal | bound | measured | |", "|---|---:|---:|:-:|", *lines]) + "\n"


def charts(results: Results) -> list[Chart]:
    """Return the charts of docs/benchmarks.svg."""
    return [section.chart for result in results.values() for section in result.sections if section.chart]


def _machine_and_scale(result: TopicResult) -> str:
    trial = "" if result.scale == 1 else f"; sizes times {result.scale:g}: **only a trial, do not quote these figures**"
    return result.machine + trial


def _mark(goal: Goal) -> str:
    return "met" if goal.met else "**missed**"


_HEAD = """\
# Benchmarks

Written by `./dev bench --write`; `benchmarks/README.md` describes how to repeat it. The
contenders of a table alternate, round after round; a figure is the median over the rounds, and a ratio is the median of
the ratios within a round. Ratios are therefore valid on a busy machine, while times belong to one machine at one hour.
Contenders that filter packets were first required to accept the same packets.

![Packets per second of cbpf, tcpdump and Python libraries; nanoseconds per packet of the filters](benchmarks.svg)"""

_GOALS_HEAD = """\
# Goals of the benchmarks

The bounds that the project has set itself, with the last measurement. Written by `./dev bench --write`; the figures are
in [docs/benchmarks.md](../docs/benchmarks.md).
"""


def to_json(results: Results) -> str:
    """Return the results as JSON text."""
    plain = {
        name: result._asdict() | {"sections": [_plain(section) for section in result.sections]}
        for name, result in results.items()
    }
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def from_json(text: str) -> dict[str, TopicResult]:
    """Return the results of the text that `to_json` wrote."""
    return {
        name: TopicResult(**plain | {"sections": [_section(**section) for section in plain["sections"]]})
        for name, plain in json.loads(text).items()
    }


def _plain(section: Section) -> dict[str, Any]:
    chart = section.chart
    return section._asdict() | {
        "goals": [goal._asdict() for goal in section.goals],
        "chart": chart and chart._asdict(),
    }


def _section(*, goals: list[dict[str, Any]], chart: dict[str, Any] | None, **rest: Any) -> Section:
    return Section(**rest, goals=[Goal(**goal) for goal in goals], chart=Chart(**chart) if chart else None)
