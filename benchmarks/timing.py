"""Paired timing, and tables of what it found."""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import NamedTuple


class Contender(NamedTuple):
    """One way to do a job: *run* does it on *units* packets, instructions or whatever is counted."""

    name: str
    run: Callable[[], object]
    how: str
    units: int = 1


class Row(NamedTuple):
    """What a contender took: medians over all rounds, in seconds a unit.

    more, ratio: against the first contender of the same round.
    """

    contender: Contender
    seconds: float
    more: float
    ratio: float


class Topic(NamedTuple):
    """Contenders, and how their rows are shown: a column's heading, and what stands in it."""

    title: str
    contenders: Sequence[Contender]
    rounds: int
    columns: Mapping[str, Callable[[Row], str]]
    note: str

    def table(self) -> str:
        """Times the contenders; the table as Markdown."""
        rows = paired(self.contenders, rounds=self.rounds)
        body = [(row.contender.name, *(show(row) for show in self.columns.values()), row.contender.how) for row in rows]
        cells = [("who", *self.columns, "what"), ("---", *["---:"] * len(self.columns), "---"), *body]
        return "\n".join([f"## {self.title}\n", *(f"| {' | '.join(line)} |" for line in cells), "", self.note])


def paired(contenders: Sequence[Contender], *, rounds: int) -> list[Row]:
    """Runs all once to warm up, then all in turn, round after round: what disturbs one disturbs its neighbours."""
    for contender in contenders:
        contender.run()
    times = [[_seconds_a_unit(contender) for contender in contenders] for _ in range(rounds)]
    return [
        Row(
            contender,
            median(one_round[index] for one_round in times),
            median(one_round[index] - one_round[0] for one_round in times),
            median(one_round[index] / one_round[0] for one_round in times),
        )
        for index, contender in enumerate(contenders)
    ]


def _seconds_a_unit(contender: Contender) -> float:
    started = perf_counter()
    contender.run()
    return (perf_counter() - started) / contender.units


def calls(name: str, function: Callable[[bytes], object], packet: bytes, how: str, *, times: int) -> Contender:
    """A contender that calls *function* on one packet so many times; the cost of the loop is in the figure."""

    def run() -> None:
        for one in repeat(packet, times):
            function(one)

    return Contender(name, run, how, times)


def goal(text: str, share: Callable[[Row], float], *names: str) -> Callable[[Row], str]:
    """A column with the goal of these contenders, and how much of it was used."""
    return lambda row: f"{text} ({share(row):.0%} used)" if row.contender.name in names else ""


def require_agreement(answers: dict[str, int]) -> None:
    """Stops the benchmark if the contenders do not do the same job."""
    if len(set(answers.values())) != 1:
        raise SystemExit(f"the contenders do not decide alike: {answers}")
