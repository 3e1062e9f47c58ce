"""Loops over the packets of a capture in Python, and summaries: next to cypcap and capinfos."""

import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks.captures import as_pcapng, read_through, synthetic_captures
from benchmarks.processes import CBPF, process
from benchmarks.report import Section, at_least, at_most, table
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired

import cbpf

_COUNT: Final = 700_000
_FILTER: Final = "tcp or udp"


def iterating(setting: Setting) -> Iterator[Section]:
    """Compare loops over the packets that a filter accepts, and summaries of a capture."""
    (pcap,) = synthetic_captures(setting.scaled(_COUNT))
    loops = [Contender("cbpf", lambda: cbpf_loop(pcap.path), "`read_capture(path, filter=...)`", pcap.packets)]
    if find_spec("cypcap"):
        how = "`offline_filter` on each packet"
        loops.append(Contender("cypcap", lambda: cypcap_loop(pcap.path), how, pcap.packets))
    rows = paired(loops, rounds=setting.rounds(9))
    columns = {
        "packets per second": lambda row: f"{1 / row.seconds:,.0f}",
        "relative time": lambda row: f"{row.ratio:.2f}",
    }
    goals = [at_least("Loop over matches: against cypcap's loop", 1.5, row.ratio, "{:.1f} times") for row in rows[1:]]
    note = f"{pcap}; the filter `{_FILTER}` accepts most packets."
    yield Section("Loops over matching packets", *table(rows, columns), note, goals)

    pcapng = read_through(as_pcapng(pcap))
    contenders = [process("cbpf info", [CBPF, "info", pcapng.path], units=pcapng.packets)]
    if capinfos := shutil.which("capinfos"):
        contenders.append(process("capinfos", [capinfos, pcapng.path], units=pcapng.packets))
        contenders.append(process("capinfos without hashes", [capinfos, "-cdsuae", pcapng.path], units=pcapng.packets))
    rows = paired(contenders, rounds=setting.rounds(9))
    goals = [
        at_most(f"`cbpf info`: against {row.contender.name}", 0.5, 1 / row.ratio, "{:.2f} times") for row in rows[1:]
    ]
    note = f"{pcapng}. Complete processes, capture in the page cache; without wireshark-common only the first line."
    Path(pcapng.path).unlink()
    yield Section("Summaries", *table(rows, columns), note, goals)


def cbpf_loop(path: str) -> int:
    """Count the packets that the filter accepts."""
    count = 0
    for _ in cbpf.read_capture(path, filter=_FILTER, engine="llvm"):
        count += 1
    return count


def cypcap_loop(path: str) -> int:
    """Count the packets that the filter accepts."""
    import cypcap

    count = 0
    with cypcap.open_offline(path) as capture:
        program = capture.compile(_FILTER, True, 0xFFFF_FFFF)
        for header, data in capture:
            if program.offline_filter(header, data):
                count += 1
    return count
