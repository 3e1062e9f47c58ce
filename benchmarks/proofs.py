"""The time of proofs: libpcap's unoptimised programs of tests/corpus against the results of its optimiser."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from statistics import median, quantiles
from time import perf_counter
from typing import Final, NamedTuple

from benchmarks.corpus import CORPUS, Filter
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting

import cbpf

_MAX_PACKET_LENGTH: Final = 262_144


class _Measured(NamedTuple):
    seconds: float
    filter: Filter


def proofs(setting: Setting) -> Iterator[Section]:
    """Measure proofs of equivalence, counterexamples, dead code, and test packets."""
    filters = CORPUS
    _compile(filters)
    rounds = setting.rounds(7)
    pairs = _measure(filters, _difference, rounds)
    equal = [pair for pair in pairs if _difference(pair.filter) is None]
    different = [pair for pair in pairs if pair not in equal]
    dead = _measure(filters, lambda filter: cbpf.dead(filter.program()), min(rounds, 3))
    cases = _measure(filters, lambda filter: cbpf.cases(filter.program()), min(rounds, 3))
    rows = [
        _row("`difference`: proof of equivalence", equal),
        _row("`difference`: shrunk counterexample", different),
        _row("`dead` of the unoptimised program", dead),
        _row("`cases` of the unoptimised program", cases),
    ]
    slowest = max(equal)
    note = (
        f"{len(filters)} expressions; the time includes verification, terms and solver (bitwuzla"
        f" {version('bitwuzla')}), but not compilation. Packets of up to {_MAX_PACKET_LENGTH:,} bytes. The slowest"
        f" proof: `{slowest.filter.expression}`, {len(slowest.filter.program())} instructions against"
        f" {len(slowest.filter.program('libpcap'))}."
    )
    goal = at_most("Proof of equivalence, median", 5, 1e3 * median(pair.seconds for pair in equal), "{:.1f} ms")
    yield Section("Proofs", ["case", "pairs", "median ms", "90th percentile, ms", "slowest, ms"], rows, note, [goal])


def _compile(filters: Sequence[Filter]) -> None:
    """Compile all programs, so that compilation is not measured."""
    for filter in filters:
        filter.program()
        filter.program("libpcap")


def _difference(filter: Filter) -> cbpf.Difference | None:
    return cbpf.difference(filter.program(), filter.program("libpcap"), longest=_MAX_PACKET_LENGTH)


def _measure(filters: Sequence[Filter], run: Callable[[Filter], object], rounds: int) -> list[_Measured]:
    """Return the median time of each filter over the rounds, in which the filters alternate."""
    times: list[list[float]] = [[] for _ in filters]
    for _ in range(rounds):
        for filter_times, filter in zip(times, filters, strict=True):
            started = perf_counter()
            run(filter)
            filter_times.append(perf_counter() - started)
    return [_Measured(median(filter_times), filter) for filter_times, filter in zip(times, filters, strict=True)]


def _row(name: str, measured: Sequence[_Measured]) -> list[str]:
    milliseconds = [1e3 * run.seconds for run in measured]
    tenth = quantiles(milliseconds, n=10)[-1]
    return [name, str(len(measured)), f"{median(milliseconds):.1f}", f"{tenth:.1f}", f"{max(milliseconds):.1f}"]
