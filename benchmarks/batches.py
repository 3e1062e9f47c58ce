"""The time of a call with many packets, and the fixed cost of a call."""

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import cycle, islice
from statistics import geometric_mean
from typing import Any, Final, NamedTuple

from benchmarks import synthetic
from benchmarks.captures import TRAFFIC, packets_of
from benchmarks.corpus import ETHERNET
from benchmarks.hot import MIN_SAMPLE, Libpcap, compiled, repeat, rows_of
from benchmarks.report import Section, at_least, at_most, table
from benchmarks.setting import Setting
from benchmarks.timing import Contender, calls, paired, require_agreement
from benchmarks.whole import FILTER

import cbpf
from cbpf.packet.buffers import address_of

_COUNT: Final = 100_000
_SHORT_COUNT: Final = 8_000
_SHORT: Final = 96  # bytes of a packet
_FIXED_GOAL: Final = 100

_COLUMNS: Final = {
    "ns per packet": lambda row: f"{row.seconds * 1e9:,.1f}",
    "ratio": lambda row: f"{row.ratio:.2f}",
}


def batches(setting: Setting) -> Iterator[Section]:
    """Measure `VM.verdicts` on many packets, on one, and on short packets next to libpcap."""
    yield _many(setting)
    yield _one(setting)
    with cbpf.read_capture(TRAFFIC) as capture:
        recorded = [packet.data for packet in capture]
    for title, data in (("the shipped capture", recorded), ("synthetic packets", synthetic.packets(_SHORT_COUNT))):
        yield _short(title, data, setting)


def _many(setting: Setting) -> Section:
    """Measure a list of bytes and ranges of one buffer."""
    packets = list(islice(cycle(synthetic.packets(setting.scaled(synthetic.BLOCK))), setting.scaled(_COUNT)))
    ranges = packets_of([(packet, len(packet)) for packet in packets])
    program = cbpf.compile(FILTER)
    native, python = cbpf.VM(program, engine="llvm"), cbpf.VM(program, engine="python")
    require_agreement(
        {"llvm": sum(map(bool, native.verdicts(ranges))), "python": sum(map(bool, python.verdicts(packets)))}
    )
    runs = [
        ("cbpf, llvm engine, ranges", lambda: native.verdicts(ranges), "`verdicts(packets)`, `Packets` of one buffer"),
        ("cbpf, llvm engine, list", lambda: native.verdicts(packets), "`verdicts(packets)`, a list of bytes"),
        ("cbpf, llvm engine, one by one", lambda: list(map(native.run, packets)), "`list(map(VM.run, packets))`"),
        ("cbpf, python engine, ranges", lambda: python.verdicts(ranges), "`verdicts(packets)`"),
        ("cbpf, python engine, list", lambda: python.verdicts(packets), "`verdicts(packets)`"),
    ]
    contenders = [Contender(name, run, how, len(packets)) for name, run, how in runs]
    rows = paired(contenders, rounds=setting.rounds(9))
    note = f"`{FILTER}` on {len(packets):,} packets, {len(set(packets)):,} of them distinct."
    return Section("Many packets per call", *table(rows, _COLUMNS), note)


def _one(setting: Setting) -> Section:
    """Measure batches of one packet: the fixed cost of a call."""
    (packet,) = synthetic.packets(1)
    sources: list[tuple[str, Any, str]] = [
        ("list of bytes", [packet], "`[packet]`"),
        ("ranges", packets_of([(packet, len(packet))]), "`Packets`"),
    ]
    program = cbpf.compile(FILTER)
    contenders = [calls("length", len, packet, "`len(packet)`: the loop, and a call of a builtin", times=100_000)]
    contenders += [
        calls(f"cbpf, {engine} engine, {form}", cbpf.VM(program, engine=engine).verdicts, source, how, times=2_000)
        for engine in ("llvm", "python")
        for form, source, how in sources
    ]
    rows = paired(contenders, rounds=setting.rounds(25))
    goals = [
        at_most(f"A batch of one packet, {form}: against `len`", _FIXED_GOAL, row.ratio, "{:.0f} times")
        for (form, _, _), row in zip(sources, rows[1:3], strict=True)
    ]
    note = f"`{FILTER}` on one packet of {len(packet)} bytes; the figures include the Python loop."
    return Section("One packet per batch", *table(rows, _COLUMNS), note, goals)


class _Ratio(NamedTuple):
    """The times of an expression in nanoseconds per packet, and the ratio of libpcap's time to cbpf's."""

    expression: str
    ours: float
    libpcap: float
    ratio: float


def _short(title: str, data: Sequence[bytes], setting: Setting) -> Section:
    """Measure short packets next to libpcap's `bpf_filter` in a loop in C; the call from Python is included."""
    short = [packet[:_SHORT].ljust(_SHORT, b"\0") for packet in islice(cycle(data), setting.scaled(_SHORT_COUNT))]
    packets = packets_of([(packet, _SHORT) for packet in short])
    results = sorted(_ratios(packets, Libpcap(), setting), key=lambda result: result.ratio)
    mean = geometric_mean(result.ratio for result in results)
    chosen = [results[0], results[len(results) // 2], results[-1]]
    chosen += [result for result in results if result.expression == FILTER]
    lines = [["all: geometric mean", "", "", f"{mean:.1f}"]]
    lines += [[f"`{row.expression}`", f"{row.ours:.1f}", f"{row.libpcap:.1f}", f"{row.ratio:.1f}"] for row in chosen]
    note = (
        f"The {len(results)} Ethernet expressions of `tests/corpus/filters.txt` over {len(packets):,} packets,"
        f" truncated or extended to {_SHORT} bytes; {len(set(short)):,} of them are distinct. cbpf:"
        ' `VM(program, engine="llvm").verdicts(packets)`, with the call from Python and the new array. libpcap:'
        " `bpf_filter` in a loop in C, as in `hot`. The verdicts are equal. Below the mean: the smallest, the median"
        f" and the largest ratio, and `{FILTER}`."
    )
    goal = at_least(f"Short packets, {title}, with the call: against `bpf_filter`", 8, mean, "{:.3g} times")
    heading = ["case", "cbpf, ns", "libpcap, ns", "ratio"]
    return Section(f"Short packets in one call: {title}", heading, lines, note, [goal])


def _ratios(packets: cbpf.Packets, library: Libpcap, setting: Setting) -> Iterator[_Ratio]:
    count = len(packets)
    times = setting.scaled(-(-MIN_SAMPLE // count))
    verdicts = array("I", bytes(4 * count))
    with address_of(packets.buffer) as memory:
        rows = rows_of(packets, memory)
        address = ctypes.addressof(ctypes.c_char.from_buffer(rows))
        for expression in ETHERNET:
            program, _ = compiled(expression)
            run = partial(cbpf.VM(program, engine="llvm").verdicts, packets)
            loop = library.filter(program, address, count, verdicts.buffer_info()[0])
            contenders = [Contender("", partial(repeat, job, times), "", times * count) for job in (run, loop)]
            ours, theirs = paired(contenders, rounds=setting.rounds(15))
            if run() != verdicts:
                raise SystemExit(f"cbpf and libpcap return different verdicts: {expression}")
            yield _Ratio(expression, ours.seconds * 1e9, theirs.seconds * 1e9, theirs.ratio)
