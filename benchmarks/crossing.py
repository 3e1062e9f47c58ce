"""The number of packets from which machine code repays its start: the constants of the engine "auto"."""

from collections.abc import Iterator
from math import inf, isfinite
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks import first_verdicts
from benchmarks.captures import synthetic_captures
from benchmarks.processes import CBPF, COLD_CACHE, PYTHON, WARM_CACHE, clear_cold_cache, cold, output, process
from benchmarks.report import Section
from benchmarks.setting import Setting
from benchmarks.timing import rounds_of
from benchmarks.whole import FILTER

from cbpf.capture.native.choice import MIN_NATIVE_SIZE
from cbpf.vm import MIN_NATIVE_BATCH

_COUNTS: Final = (2_000, 200_000)
"""Two counts of packets, between which an engine's time is assumed to be linear."""

_STATES: Final = (
    ("list of bytes, first filter of a process", "list", "cold", COLD_CACHE),
    ("list of bytes, a later filter", "list", "warm", COLD_CACHE),
    ("`Packets`, first filter of a process", "ranges", "cold", COLD_CACHE),
    ("`Packets`, code cached by an earlier process", "ranges", "cold", WARM_CACHE),
    ("`Packets`, a later filter", "ranges", "warm", COLD_CACHE),
)


class _Lines(NamedTuple):
    """Two lines, python's first: intercepts in seconds, slopes in seconds per packet, intersection in packets."""

    starts: tuple[float, float]
    slopes: tuple[float, float]
    crossing: float


def crossing(setting: Setting) -> Iterator[Section]:
    """Measure the break-even points of `verdicts` and of `cbpf filter`."""
    yield _of_verdicts(setting)
    yield _of_captures(setting)


def _of_verdicts(setting: Setting) -> Section:
    rows = []
    few, many = _COUNTS[0], max(_COUNTS[0] + 1, setting.scaled(_COUNTS[1]))
    for name, kind, state, cache in _STATES:
        jobs = [(engine, count) for engine in ("python", "llvm") for count in (few, many)]
        rounds = [
            [_seconds([engine, kind, str(count), state], cache) for engine, count in jobs]
            for _ in range(1 + setting.rounds(9))
        ]
        rows.append([name, *_cells(_lines(rounds[1:], few, many), "{:,.0f}")])
    note = (
        f"`VM(program, engine=...).verdicts(packets)` with `{FILTER}`, in separate processes; linear"
        f' between {few:,} and {many:,} packets. `verdicts` of the engine "auto" selects llvm from'
        f" {MIN_NATIVE_BATCH:,} packets on."
    )
    return Section("Break-even of llvm and python: verdicts", [*_HEADING, "crossing, packets"], rows, note)


def _of_captures(setting: Setting) -> Section:
    captures = synthetic_captures(*map(setting.scaled, _COUNTS))
    few, many = (capture.packets for capture in captures)
    megabytes_per_packet = captures[1].size / many / 1e6
    rows = []
    for name, start in (("code cached by an earlier run", process), ("first run", cold)):
        contenders = [
            make(engine, [CBPF, "filter", "--engine", engine, "-r", capture.path, "-w", "/dev/null", FILTER])
            for engine, make in (("python", process), ("llvm", start))
            for capture in captures
        ]
        lines = _lines(rounds_of(contenders, rounds=setting.rounds(15)), few, many)
        rows.append([name, *_cells(lines._replace(crossing=lines.crossing * megabytes_per_packet), "{:.1f}")])
    note = (
        f"`cbpf filter --engine ... -w /dev/null '{FILTER}'`, whole processes on captures of {few:,} and {many:,}"
        f' packets. The engine "auto" selects llvm from {MIN_NATIVE_SIZE / 1e6:.0f} MB on.'
    )
    return Section("Break-even of llvm and python: captures", [*_HEADING, "crossing, MB"], rows, note)


_HEADING: Final = ["case", "python: start, ms", "ns per packet", "llvm: start, ms", "ns per packet"]


def _seconds(arguments: list[str], cache: Path) -> float:
    if cache is COLD_CACHE:
        clear_cold_cache()
    return float(output([PYTHON, first_verdicts.__file__, *arguments], cache=cache))


def _lines(rounds: list[list[float]], few: int, many: int) -> _Lines:
    """Return the median lines of rounds: python with few and many packets, llvm with few and many."""
    slopes = [[(times[side + 1] - times[side]) / (many - few) for side in (0, 2)] for times in rounds]
    starts = [
        [times[side] - few * slope[side // 2] for side in (0, 2)] for times, slope in zip(rounds, slopes, strict=True)
    ]
    crossings = [
        (start[1] - start[0]) / (slope[0] - slope[1]) if slope[0] > slope[1] else inf
        for start, slope in zip(starts, slopes, strict=True)
    ]
    python, llvm = zip(*starts, strict=True), zip(*slopes, strict=True)
    (a, b), (c, d) = map(median, python), map(median, llvm)
    return _Lines((a, b), (c, d), median(crossings))


def _cells(lines: _Lines, form: str) -> list[str]:
    cells = []
    for start, slope in zip(lines.starts, lines.slopes, strict=True):
        cells += [f"{start * 1e3:.1f}", f"{slope * 1e9:,.1f}"]
    return [*cells, form.format(lines.crossing) if isfinite(lines.crossing) else "never"]
