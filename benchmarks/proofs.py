"""The time of proofs: unoptimised programs against optimised ones, for tests/corpus and for many link types."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.metadata import version
from statistics import median, quantiles
from time import perf_counter
from typing import Final, NamedTuple

from benchmarks.corpus import CORPUS, Filter
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting

import cbpf
from cbpf.packet.link_types import link_types

_MAX_PACKET_LENGTH: Final = 262_144
_LINK_TYPES: Final = (
    *("EN10MB", "LINUX_SLL", "RAW", "NULL", "JUNIPER_MFR", "JUNIPER_ETHER"),
    *("IEEE802_11", "PPI", "IEEE802_11_RADIO", "PRISM_HEADER", "IEEE802_11_RADIO_AVS"),
)
"""The first one is the reference; the last five have headers whose length is computed."""
_EXPRESSIONS: Final = (
    "tcp port 80",
    "host 10.0.0.1",
    "port 80 or port 443",
    "tcp portrange 80-90 and net 10.0.0.0/8",
    "ip6 host 2001:db8::1",
)
_WITH_A_GOAL: Final = ("PPI", "IEEE802_11_RADIO")
_TIMEOUT: Final = 10  # seconds


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
    yield _by_link_type(setting.rounds(7))
    yield _all_link_types(setting)


class _Pair(NamedTuple):
    """An unoptimised program, and the result of cbpf's optimiser."""

    plain: cbpf.Program
    optimized: cbpf.Program

    def prove(self) -> None:
        if cbpf.difference(self.plain, self.optimized, timeout=_TIMEOUT) is not None:
            raise AssertionError("the optimised program differs")


def _pair(expression: str, link_type: str) -> _Pair:
    plain = cbpf.compile(expression, link_type=link_type, optimizer=None)
    return _Pair(plain, cbpf.optimize(plain))


def _by_link_type(rounds: int) -> Section:
    """Measure the proof of each expression for each link type, and its ratio to that for the first link type."""
    pairs = {(name, text): _pair(text, name) for name in _LINK_TYPES for text in _EXPRESSIONS}
    times: dict[tuple[str, str], list[float]] = {key: [] for key in pairs}
    for _ in range(rounds):
        for key, pair in pairs.items():
            started = perf_counter()
            pair.prove()
            times[key].append(perf_counter() - started)

    def ratio(name: str, text: str) -> float:
        reference = times[_LINK_TYPES[0], text]
        return median(mine / other for mine, other in zip(times[name, text], reference, strict=True))

    def cell(name: str, text: str) -> str:
        if pairs[name, text].plain == pairs[name, text].optimized:
            return "identical"
        return f"{1e3 * median(times[name, text]):.1f} ms, {ratio(name, text):.1f}"

    rows = [[name, *(cell(name, text) for text in _EXPRESSIONS)] for name in _LINK_TYPES]
    note = (
        "Unoptimised against optimised by cbpf: the time of the proof, and its ratio to the proof for"
        f" {_LINK_TYPES[0]} in the same round. A program that the optimiser returns unchanged needs no proof."
    )
    goals = [
        at_most(f"Proof of `{_EXPRESSIONS[0]}` for {name}, against EN10MB", 3, ratio(name, _EXPRESSIONS[0]), "{:.1f}")
        for name in _WITH_A_GOAL
    ]
    return Section("Proofs by link type", ["case", *(f"`{text}`" for text in _EXPRESSIONS)], rows, note, goals)


def _all_link_types(setting: Setting) -> Section:
    """Prove the optimised programs of all expressions of the corpus for all link types, and count those undecided."""
    texts = list(dict.fromkeys(filter.expression for filter in CORPUS))
    names = [row.name for row in link_types()]
    pairs: dict[_Pair, str] = {}
    for name in names[: setting.scaled(len(names))]:
        for text in texts:
            with suppress(cbpf.CbpfError):  # many expressions are invalid for many link types
                pairs.setdefault(_pair(text, name), f"{name}: {text}")
    times, undecided = [], 0
    for pair, name in pairs.items():
        started = perf_counter()
        try:
            pair.prove()
        except cbpf.Undecided:
            undecided += 1
        times.append((perf_counter() - started, name))
    slowest, name = max(times)
    milliseconds = [1e3 * seconds for seconds, _ in times]
    row = [
        "unoptimised, optimised by cbpf",
        f"{len(pairs):,}",
        str(undecided),
        f"{median(milliseconds):.1f}",
        f"{1e3 * slowest:.0f}",
    ]
    note = (
        f"All link types of which libpcap compiles any of the {len(texts)} expressions of the corpus; equal pairs are"
        f" counted once. Undecided after {_TIMEOUT} seconds. The slowest proof: `{name}`."
    )
    goal = at_most(f"Proofs undecided after {_TIMEOUT} seconds, all link types", 0, undecided, "{:.0f}")
    heading = ["case", "pairs", "undecided", "median ms", "slowest, ms"]
    return Section("Proofs for all link types", heading, [row], note, [goal])


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
