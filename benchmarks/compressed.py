"""Compressed captures and pipes, compared with the decompressing library alone and with a pipe into tcpdump."""

import gzip
import shutil
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import decompress
from benchmarks.captures import Capture, read_through, synthetic_captures
from benchmarks.processes import CBPF, PYTHON, process, script
from benchmarks.report import Goal, Section, at_most, cost_table
from benchmarks.setting import Omitted, Setting, size_text
from benchmarks.timing import Cost, costs_of, first_to
from benchmarks.whole import FILTER

_COUNT: Final = 1_000_000
_OUTPUT: Final = f"-w /dev/null '{FILTER}'"


class _Compression(NamedTuple):
    """How a capture is compressed and decompressed, and the bounds on cbpf's time relative to a pipe into tcpdump."""

    compress: Callable[[bytes], bytes]
    reader: str
    wall: float
    cpu: float


def compressed(setting: Setting) -> Iterator[Section]:
    """Compare the time and the processor time of filtering compressed captures, and of filtering a pipe."""
    if not shutil.which("tcpdump"):
        raise Omitted("it needs tcpdump")
    (plain,) = synthetic_captures(setting.scaled(_COUNT))
    for kind, compression in _COMPRESSIONS.items():
        capture = _compressed(plain, kind, compression)
        if capture is not None and shutil.which(compression.reader.split()[0]):
            yield _section(kind, compression, plain, capture, setting.rounds(7))
            Path(capture.path).unlink()
    contenders = [
        script("cbpf", f"cat {plain.path} | {CBPF} filter -r - {_OUTPUT}"),
        script("tcpdump", f"cat {plain.path} | tcpdump -r - {_OUTPUT}"),
    ]
    costs = costs_of(contenders, rounds=setting.rounds(7))
    goals = [at_most("A pipe, against tcpdump: processor time", 0.8, first_to(costs, 1, 1), "{:.2f} times")]
    yield Section("Captures from a pipe", *cost_table(contenders, costs), f"{plain}.", goals)


def _section(kind: str, compression: _Compression, plain: Capture, capture: Capture, rounds: int) -> Section:
    contenders = [
        process(f"cbpf, {kind}", [CBPF, "filter", "-r", capture.path, "-w", "/dev/null", FILTER]),
        process("the library alone", [PYTHON, decompress.__file__, capture.path]),
        script("piped into tcpdump", f"{compression.reader} {capture.path} | tcpdump -r - {_OUTPUT}"),
        script("piped into cbpf", f"{compression.reader} {capture.path} | {CBPF} filter -r - {_OUTPUT}"),
        process("cbpf, not compressed", [CBPF, "filter", "-r", plain.path, "-w", "/dev/null", FILTER]),
    ]
    costs = costs_of(contenders, rounds=rounds)
    goals = [
        at_most(f"{kind}, against the library alone: time", 1.1, first_to(costs, 1, 0), "{:.2f} times"),
        *_goals(f"{kind}, against a pipe into tcpdump", compression, costs),
    ]
    note = f"{plain}; {kind} {size_text(capture.size)}. Complete processes, output to /dev/null."
    return Section(f"Compressed captures: {kind}", *cost_table(contenders, costs), note, goals)


def _goals(subject: str, compression: _Compression, costs: Sequence[Sequence[Cost]]) -> Iterator[Goal]:
    yield at_most(f"{subject}: time", compression.wall, first_to(costs, 2, 0), "{:.2f} times")
    yield at_most(f"{subject}: processor time", compression.cpu, first_to(costs, 2, 1), "{:.2f} times")


def _compressed(capture: Capture, kind: str, compression: _Compression) -> Capture | None:
    """Return a compressed copy, or None if the library is not installed."""
    path = Path(f"{capture.path}.{kind}")
    try:
        path.write_bytes(compression.compress(Path(capture.path).read_bytes()))
    except ImportError:
        return None
    return read_through(Capture(str(path), capture.packets, path.stat().st_size))


def _zstd(data: bytes) -> bytes:
    try:
        zstd = import_module("compression.zstd")
    except ImportError:
        zstd = import_module("backports.zstd")
    compressed: bytes = zstd.compress(data, 3)
    return compressed


def _lz4(data: bytes) -> bytes:
    compressed: bytes = import_module("lz4.frame").compress(data)
    return compressed


_COMPRESSIONS: Final = {
    "gz": _Compression(lambda data: gzip.compress(data, 1), "gzip -dc", 0.45, 0.45),
    "zst": _Compression(_zstd, "zstd -dc", 1.05, 0.8),
    "lz4": _Compression(_lz4, "lz4 -dc", 1.1, 1.1),
}
