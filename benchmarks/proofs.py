"""How long proofs take: libpcap's plain programs of tests/corpus against what its optimiser makes of them."""

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
    """Equal pairs, pairs that differ, dead code, and test packets."""
    filters = list(_filters())
    rounds = setting.rounds(7)
    pairs = _measure(filters, lambda one: cbpf.difference(one.plain, one.optimized, longest=_LONGEST), rounds)
    equal = [one for one in pairs if cbpf.equivalent(one.filter.plain, one.filter.optimized, longest=_LONGEST)]
    different = [one for one in pairs if one not in equal]
    dead = _measure(filters, lambda one: cbpf.dead(one.plain), min(rounds, 3))
    cases = _measure(filters, lambda one: cbpf.cases(one.plain), min(rounds, 3))
    rows = [
        _row("`difference`: a proof that they are equal", equal),
        _row("`difference`: a packet, made small, on which they differ", different),
        _row("`dead` of the plain program", dead),
        _row("`cases` of the plain program", cases),
    ]
    slowest = max(equal)
    note = (
        f"{len(filters)} expressions; verification, terms and solver (bitwuzla {version('bitwuzla')}) are in the time,"
        f" compilation is not. Packets of up to {_LONGEST:,} bytes. The slowest proof:"
        f" `{slowest.filter.expression}`, {len(slowest.filter.plain)} instructions against"
        f" {len(slowest.filter.optimized)}."
    )
    goal = at_most(
        "Proof that two programs are equal, median", 5, 1e3 * median(one.seconds for one in equal), "{:.1f} ms"
    )
    yield Section("Proofs", ["what", "pairs", "median ms", "nine in ten, ms", "slowest, ms"], rows, note, [goal])


def _filters() -> Iterator[_Filter]:
    for line in _CORPUS.read_text().splitlines():
        if line and not line.startswith("#"):
            link_type, expression = line.split("\t")
            plain = cbpf.compile(expression, link_type=link_type, optimizer=None)
            yield _Filter(expression, plain, cbpf.compile(expression, link_type=link_type, optimizer="libpcap"))


def _measure(filters: Sequence[_Filter], run: Callable[[_Filter], object], rounds: int) -> list[_Measured]:
    """The median of each filter over the rounds; the filters take turns."""
    times: list[list[float]] = [[] for _ in filters]
    for _ in range(rounds):
        for own, one in zip(times, filters, strict=True):
            started = perf_counter()
            run(one)
            own.append(perf_counter() - started)
    return [_Measured(median(own), one) for own, one in zip(times, filters, strict=True)]


def _row(what: str, measured: Sequence[_Measured]) -> list[str]:
    milliseconds = [1e3 * one.seconds for one in measured]
    tenth = quantiles(milliseconds, n=10)[-1]
    return [what, str(len(measured)), f"{median(milliseconds):.1f}", f"{tenth:.1f}", f"{max(milliseconds):.1f}"]
