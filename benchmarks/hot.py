"""The time of filters alone, on packets in the processor's cache, next to libpcap's `bpf_filter` in a loop in C."""

import ctypes
import shutil
import struct
import subprocess
import warnings
from array import array
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import geometric_mean
from typing import Any, Final, NamedTuple

from benchmarks import synthetic
from benchmarks.captures import TRAFFIC, packets_of
from benchmarks.corpus import ETHERNET
from benchmarks.processes import WORKSPACE
from benchmarks.report import Chart, Section, at_least
from benchmarks.setting import Omitted, Setting
from benchmarks.timing import Contender, paired

import cbpf
from cbpf.engines.llvm.context import default_context

_LIBRARIES: Final = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")

_SYNTHETIC: Final = 3_000
_MINROWS: Final = 10_000  # per call; packets repeat, so that the cost of the call from Python is negligible
MIN_SAMPLE: Final = 100_000  # rows per timed run

ROW: Final = struct.Struct("=QII")
"""Address, captured length, wire length: a row of `engines.llvm.entry_points.match`."""


class _Result(NamedTuple):
    """The times of a filter in nanoseconds per packet, and the ratios of libpcap's times to cbpf's."""

    expression: str
    ours: float
    libpcap: float
    optimised: float
    ratio: float
    optimised_ratio: float


def hot(setting: Setting) -> Iterator[Section]:
    """Measure the Ethernet expressions of the corpus on recorded and on synthetic packets."""
    library = Libpcap()
    with cbpf.read_capture(TRAFFIC) as capture:
        recorded = packets_of([(packet.data, packet.wire_length) for packet in capture])
    generated = packets_of([(data, len(data)) for data in synthetic.packets(setting.scaled(_SYNTHETIC))])
    for title, packets in (("the shipped capture", recorded), ("synthetic packets", generated)):
        yield _section(title, packets, _race(packets, library, setting))


class Libpcap:
    """The system's libpcap, and a loop around its `bpf_filter`."""

    def __init__(self) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise Omitted("it needs a C compiler, cc")
        self._library = _system_libpcap()
        self._library.pcap_lib_version.restype = ctypes.c_char_p
        self.version = self._library.pcap_lib_version().decode().partition(" (")[0]
        path = str(WORKSPACE / "hot.so")
        source = str(Path(__file__).with_name("hot.c"))
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", path, source], check=True)
        self._loop = ctypes.CDLL(path).loop
        self._loop.restype = None
        self._loop.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)

    def filter(self, program: cbpf.Program, rows: int, count: int, verdicts: int) -> partial[Any]:
        """Return the call that runs a program over rows."""
        address = ctypes.cast(self._library.bpf_filter, ctypes.c_void_p)
        return partial(self._loop, address, bytes(program), rows, count, verdicts)


def _system_libpcap() -> ctypes.CDLL:
    for name in _LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    raise Omitted("it needs the system's libpcap")


def _race(packets: cbpf.Packets, library: Libpcap, setting: Setting) -> list[_Result]:
    buffer = ctypes.create_string_buffer(bytes(packets.buffer), len(packets.buffer))
    rows = rows_of(packets, ctypes.addressof(buffer)) * -(-_MINROWS // len(packets))
    count = len(rows) // ROW.size
    address = ctypes.addressof(ctypes.c_char.from_buffer(rows))
    times = setting.scaled(-(-MIN_SAMPLE // count))
    context = default_context()
    ours, theirs, optimised = (array("I", bytes(4 * count)) for _ in range(3))
    results = []
    for expression in ETHERNET:
        program, smaller = compiled(expression)
        native = cbpf.VM(program, engine="llvm").native_match
        runs = [
            partial(native, address, count, ours.buffer_info()[0], ctypes.byref(context)),
            library.filter(program, address, count, theirs.buffer_info()[0]),
            library.filter(smaller, address, count, optimised.buffer_info()[0]),
        ]
        contenders = [Contender("", partial(repeat, run, times), "", times * count) for run in runs]
        our, their, small = paired(contenders, rounds=setting.rounds(15))
        if ours != theirs:
            raise SystemExit(f"cbpf and libpcap return different verdicts: {expression}")
        ours_ns, theirs_ns, small_ns = (row.seconds * 1e9 for row in (our, their, small))
        results.append(_Result(expression, ours_ns, theirs_ns, small_ns, their.ratio, small.ratio))
    return results


def rows_of(packets: cbpf.Packets, address: int) -> bytearray:
    """Return the rows that both loops read, for packets of a buffer at *address*."""
    columns = zip(packets.positions, packets.lengths, packets.wire_lengths, strict=True)
    return bytearray().join(ROW.pack(address + position, *lengths) for position, *lengths in columns)


def compiled(expression: str) -> tuple[cbpf.Program, cbpf.Program]:
    """Return the unoptimised program of an expression, and the result of libpcap's optimiser."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cbpf.ExpressionWarning)
        return cbpf.compile(expression, optimizer=None), cbpf.compile(
            expression, optimizer="libpcap", frontend="libpcap"
        )


def repeat(run: partial[Any], times: int) -> None:
    """Call *run* several times: a timed run is long enough for the clock, and for the processor's branch predictor."""
    for _ in range(times):
        run()


def _section(title: str, packets: cbpf.Packets, results: list[_Result]) -> Section:
    by_ratio = sorted(results, key=lambda result: result.ratio)
    mean = _Result("all: geometric mean", *(geometric_mean(column) for column in list(zip(*results, strict=True))[1:]))
    middle = by_ratio[len(by_ratio) // 2]
    ends = [("smallest", by_ratio[0]), ("median", middle), ("largest", by_ratio[-1])]
    chosen = [mean, *(result._replace(expression=f"{name} ratio: `{result.expression}`") for name, result in ends)]
    chosen += [
        result._replace(expression=f"`{result.expression}`")
        for result in results
        if result.expression == "tcp port 443"
    ]
    lines = [
        [
            result.expression,
            *(f"{ns:.1f}" for ns in (result.ours, result.libpcap, result.optimised)),
            *(f"{ratio:.1f}" for ratio in (result.ratio, result.optimised_ratio)),
        ]
        for result in chosen
    ]
    heading = ["case", "cbpf, ns", "libpcap, ns", "libpcap optimised, ns", "ratio", "ratio, optimised"]
    note = (
        f"The {len(results)} Ethernet expressions of `tests/corpus/filters.txt` over {len(packets):,} packets, ns per"
        ' packet. cbpf: the machine code of `VM(program, engine="llvm")`. libpcap: `bpf_filter` in a loop in C'
        " (`hot.c`, `cc -O2`) on the same program, and on the result of libpcap's optimiser. All read the same prepared"
        " array of addresses and lengths and write an array of verdicts; the verdicts for the same program are equal."
    )
    goal = at_least(f"Hot packets, {title}: geometric mean against `bpf_filter`", 8, mean.ratio, "{:.3g} times")
    bars = [("cbpf, llvm engine", mean.ours), ("libpcap, optimised", mean.optimised), ("libpcap", mean.libpcap)]
    chart_title = f"The filter alone, packets in the processor's cache: {title}"
    chart = Chart(
        chart_title, f"nanoseconds per packet, geometric mean of {len(results)} filters; less is better", bars
    )
    return Section(f"Hot packets: {title}", heading, lines, note, [goal], chart)
