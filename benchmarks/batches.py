"""The time of a call with many packets."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Final

from benchmarks import synthetic
from benchmarks.captures import packets_of
from benchmarks.report import Section, table
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired, require_agreement
from benchmarks.whole import FILTER

import cbpf

_COUNT: Final = 100_000

_COLUMNS: Final = {
    "ns per packet": lambda row: f"{row.seconds * 1e9:,.1f}",
    "ratio": lambda row: f"{row.ratio:.2f}",
}


def batches(setting: Setting) -> Iterator[Section]:
    """Measure `VM.verdicts` on a list of bytes and on ranges of one buffer."""
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
    yield Section("Many packets per call", *table(rows, _COLUMNS), note)
