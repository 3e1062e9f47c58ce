"""Paired timing."""

from collections.abc import Callable, Sequence
from itertools import repeat
from statistics import median
from time import perf_counter
from typing import NamedTuple


class Contender(NamedTuple):
    """One way to do a job: *run* does it on *units* packets, instructions or whatever is counted.

    before: what is done in front of each run, outside the time.
    """

    name: str
    run: Callable[[], object]
    how: str
    units: int = 1
    before: Callable[[], object] | None = None


class Row(NamedTuple):
    """What a contender took: medians over all rounds, in seconds a unit.

    more, ratio: against the first contender of the same round.
    """

    contender: Contender
    seconds: float
    more: float
    ratio: float


def paired(contenders: Sequence[Contender], *, rounds: int) -> list[Row]:
    """The contenders' rows, each in its place."""
    times = rounds_of(contenders, rounds=rounds)
    return [
        Row(
            contender,
            median(one_round[index] for one_round in times),
            median(one_round[index] - one_round[0] for one_round in times),
            median(one_round[index] / one_round[0] for one_round in times),
        )
        for index, contender in enumerate(contenders)
    ]


def rounds_of(contenders: Sequence[Contender], *, rounds: int) -> list[list[float]]:
    """Runs all once to warm up, then all in turn, round after round: what disturbs one disturbs its neighbours.

    Gives the seconds a unit of each contender in each round.
    """
    for contender in contenders:
        _seconds_a_unit(contender)
    return [[_seconds_a_unit(contender) for contender in contenders] for _ in range(rounds)]


def _seconds_a_unit(contender: Contender) -> float:
    if contender.before is not None:
        contender.before()
    started = perf_counter()
    contender.run()
    return (perf_counter() - started) / contender.units


def calls(name: str, function: Callable[[bytes], object], packet: bytes, how: str, *, times: int) -> Contender:
    """A contender that calls *function* on one packet so many times; the cost of the loop is in the figure."""

    def run() -> None:
        for one in repeat(packet, times):
            function(one)

    return Contender(name, run, how, times)


def require_agreement(answers: dict[str, int]) -> None:
    """Stops the benchmark if the contenders do not do the same job."""
    if len(set(answers.values())) != 1:
        raise SystemExit(f"the contenders do not decide alike: {answers}")
