"""Compressed output, chosen by the name of the file, compared with a pipe into the program that compresses."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.captures import Capture, synthetic_captures
from benchmarks.processes import CBPF, WORKSPACE, output, process, script
from benchmarks.report import Section, cost_table
from benchmarks.setting import Omitted, Setting, require_room, size_text
from benchmarks.timing import costs_of, require_agreement

_COUNT: Final = 700_000
_FILTER: Final = "tcp or udp"
_PROGRAMS: Final = {"gz": "gzip -2", "zst": "zstd -q -3", "lz4": "lz4 -q -1"}
"""The program for each suffix, at the level that is cbpf's default."""


def compressing(setting: Setting) -> Iterator[Section]:
    """Compare the time, the processor time and the size of compressed outputs."""
    if not shutil.which("tcpdump"):
        raise Omitted("it needs tcpdump")
    (capture,) = synthetic_captures(setting.scaled(_COUNT))
    require_room(WORKSPACE, 2 * capture.size)
    for kind, program in _PROGRAMS.items():
        if shutil.which(program.split()[0]):
            yield _section(kind, program, capture, setting.rounds(5))


def _section(kind: str, program: str, capture: Capture, rounds: int) -> Section:
    ours, theirs, mixed = (WORKSPACE / f"{name}.pcap.{kind}" for name in ("cbpf", "tcpdump", "pipe"))
    options, compress = f"-r {capture.path} -w - '{_FILTER}'", f"{program} -c"
    contenders = [
        process(f"cbpf, {kind}", [CBPF, "filter", "-q", "-r", capture.path, "-w", str(ours), _FILTER]),
        script("tcpdump, piped", f"tcpdump {options} | {compress} > {theirs}"),
        script("cbpf, piped", f"{CBPF} filter -q {options} | {compress} > {mixed}"),
    ]
    costs = costs_of(contenders, rounds=rounds)
    require_agreement({path.name: _packets(path) for path in (ours, theirs, mixed)})
    sizes = ", ".join(f"{name} {size_text(path.stat().st_size)}" for name, path in (("cbpf", ours), (program, theirs)))
    for path in (ours, theirs, mixed):
        path.unlink()
    note = f"{capture}; `{_FILTER}` accepts most packets. Size of the output: {sizes}."
    return Section(f"Compressed output: {kind}", *cost_table(contenders, costs), note)


def _packets(path: Path) -> int:
    return int(output([CBPF, "filter", "-q", "-r", str(path), "--count", ""]))
