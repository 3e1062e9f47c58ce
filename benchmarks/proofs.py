"""The time of proofs: libpcap's unoptimised programs of tests/corpus against the results of its optimiser."""

from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import Final, NamedTuple

from benchmarks.report import Section, at_most
from benchmarks.setting import Setting

import cbpf

_CORPUS: Final = Path(__file__).parents[1] / "tests" / "corpus" / "filters.txt"
_LONGEST: Final = 262_144


class _Filter(NamedTuple):
    expression: str
    plain: cbpf.Program
    optimized: cbpf.Program


class _Measured(NamedTuple):
    seconds: float
    filter: _Filter


def proofs(setting: Setting) -> Iterator[Section]:
    """Measure proofs of equivalence, counterexamples, dead code, and test packets."""
    filters = list(_filters())
    rounds = setting.rounds(7)
    pairs = _measure(filters, lambda one: cbpf.difference(one.plain, one.optimized, longest=_LONGEST), rounds)
    equal = [one for one in pairs if cbpf.equivalent(one.filter.plain, one.filter.optimized, longest=_LONGEST)]
    different = [one for one in pairs if one not in equal]
    dead = _measure(filters, lambda one: cbpf.dead(one.plain), min(rounds, 3))
    cases = _measure(filters, lambda one: cbpf.cases(one.plain), min(rounds, 3))
    rows = [
        _row("`difference`: proof of equivalence", equal),
        _row("`difference`: shrunk counterexample", different),
        _row("`dead` of the unoptimised program", dead),
        _row("`cases` of the unoptimised program", cases),
    ]
    slowest = max(equal)
    note = (
        f"{len(filters)} expressions; the time includes verification, terms and solver (bitwuzla"
        f" {version('bitwuzla')}), but not compilation. Packets of up to {_LONGEST:,} bytes. The slowest proof:"
        f" `{slowest.filter.expression}`, {len(slowest.filter.plain)} instructions against"
        f" {len(slowest.filter.optimized)}."
    )
    goal = at_most("Proof of equivalence, median", 5, 1e3 * median(one.seconds for one in equal), "{:.1f} ms")
    yield Section("Proofs", ["case", "pairs", "median ms", "90th percentile, ms", "slowest, ms"], rows, note, [goal])


def _filters() -> Iterator[_Filter]:
    for line in _CORPUS.read_text().splitlines():
        if line and not line.startswith("#"):
            link_type, expression = line.split("\t")
            plain = cbpf.compile(expression, link_type=link_type, optimizer=None)
            yield _Filter(expression, plain, cbpf.compile(expression, link_type=link_type, optimizer="libpcap"))


def _measure(filters: Sequence[_Filter], run: Callable[[_Filter], object], rounds: int) -> list[_Measured]:
    """Return the median time of each filter over the rounds, in which the filters alternate."""
    times: list[list[float]] = [[] for _ in filters]
    for _ in range(rounds):
        for own, one in zip(times, filters, strict=True):
            started = perf_counter()
            run(one)
            own.append(perf_counter() - started)
    return [_Measured(median(own), one) for own, one in zip(times, filters, strict=True)]


def _row(name: str, measured: Sequence[_Measured]) -> list[str]:
    milliseconds = [1e3 * one.seconds for one in measured]
    tenth = quantiles(milliseconds, n=10)[-1]
    return [name, str(len(measured)), f"{median(milliseconds):.1f}", f"{tenth:.1f}", f"{max(milliseconds):.1f}"]
