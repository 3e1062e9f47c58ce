"""Paired timing: contenders alternate, round after round, and are compared within a round."""

import resource
from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import NamedTuple


class Contender(NamedTuple):
    """A job to time: *run* processes *units* packets or instructions; *before* precedes it, outside the time."""

    name: str
    run: Callable[[], object]
    how: str
    units: int = 1
    before: Callable[[], object] | None = None


class Cost(NamedTuple):
    """The time of one run per unit, in seconds: the duration, and that of all processors (child processes included)."""

    seconds: float
    cpu_seconds: float


class Row(NamedTuple):
    """A contender's medians over all rounds, in seconds per unit.

    *more* and *ratio* compare it with the first contender of the same round.
    """

    contender: Contender
    seconds: float
    more: float
    ratio: float


def paired(contenders: Sequence[Contender], *, rounds: int) -> list[Row]:
    """Return the row of each contender, in their order."""
    times = rounds_of(contenders, rounds=rounds)
    return [
        Row(
            contender,
            median(round_times[index] for round_times in times),
            median(round_times[index] - round_times[0] for round_times in times),
            median(round_times[index] / round_times[0] for round_times in times),
        )
        for index, contender in enumerate(contenders)
    ]


def rounds_of(contenders: Sequence[Contender], *, rounds: int) -> list[list[float]]:
    """Return the seconds per unit of each contender in each round."""
    return [[cost.seconds for cost in costs] for costs in costs_of(contenders, rounds=rounds)]


def costs_of(contenders: Sequence[Contender], *, rounds: int) -> list[list[Cost]]:
    """Return the cost of each contender in each round.

    All run once to warm up and then alternate, so that a disturbance of the machine affects neighbouring runs alike.
    """
    for contender in contenders:
        _cost(contender)
    return [[_cost(contender) for contender in contenders] for _ in range(rounds)]


def first_to(costs: Sequence[Sequence[Cost]], index: int, kind: int) -> float:
    """Return the median ratio of the first contender to another: of the time (0) or the processor time (1)."""
    return median(round_costs[0][kind] / round_costs[index][kind] for round_costs in costs)


def _cost(contender: Contender) -> Cost:
    if contender.before is not None:
        contender.before()
    started, cpu_before = perf_counter(), _cpu_seconds()
    contender.run()
    return Cost((perf_counter() - started) / contender.units, (_cpu_seconds() - cpu_before) / contender.units)


def _cpu_seconds() -> float:
    """Return the time that all processors have spent on this process and on its finished child processes."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def calls(name: str, function: Callable[[bytes], object], packet: bytes, how: str, *, times: int) -> Contender:
    """Return a contender that calls *function* on one packet *times* times; the figure includes the loop."""

    def run() -> None:
        for repeated in repeat(packet, times):
            function(repeated)

    return Contender(name, run, how, times)


def require_agreement(answers: Mapping[str, int | str]) -> None:
    """Stop the benchmark if the contenders' answers differ."""
    if len(set(answers.values())) != 1:
        raise SystemExit(f"the answers of the contenders differ: {answers}")
