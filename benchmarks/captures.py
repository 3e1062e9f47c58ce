"""The captures that topics share, made once in the workspace and read once into the page cache."""

from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks import synthetic
from benchmarks.processes import CBPF, WORKSPACE, output
from benchmarks.setting import require_memory, require_room, size_text

import cbpf

TRAFFIC: Final = Path(__file__).parents[1] / "examples" / "traffic.pcap"
RECORD_SIZE: Final = 620


class Capture(NamedTuple):
    """A file of packets."""

    path: str
    packets: int
    size: int

    def __str__(self) -> str:
        return f"{self.packets:,} packets, {size_text(self.size)}"


def synthetic_captures(*counts: int) -> list[Capture]:
    """Return a capture for each number of packets; raise `setting.Omitted` where there is no room for all."""
    size = sum(counts) * RECORD_SIZE
    missing = sum(count for count in counts if not _path(count).exists()) * RECORD_SIZE
    require_room(WORKSPACE, missing)
    require_memory(size)
    return [_synthetic(count) for count in counts]


def as_pcapng(capture: Capture) -> Capture:
    """Return a pcapng with the packets of a pcap."""
    require_room(WORKSPACE, capture.size)
    require_memory(2 * capture.size)
    path = Path(capture.path).with_suffix(".pcapng")
    output([CBPF, "filter", "-r", capture.path, "--pcapng", "-w", str(path), ""])
    return Capture(str(path), capture.packets, path.stat().st_size)


def read_through(capture: Capture) -> Capture:
    """Read a capture into the page cache, and return it."""
    with Path(capture.path).open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
    return capture


def packets_of(packets: Sequence[tuple[bytes, int]]) -> cbpf.Packets:
    """Return packets, given with their wire lengths, as ranges of one buffer."""
    lengths = [len(data) for data, _ in packets]
    positions = accumulate(lengths[:-1], initial=0)
    wire_lengths = [wire_length for _, wire_length in packets]
    return cbpf.Packets(
        b"".join(data for data, _ in packets), positions=positions, lengths=lengths, wire_lengths=wire_lengths
    )


@cache
def _synthetic(count: int) -> Capture:
    path = _path(count)
    synthetic.write(path, count)
    return read_through(Capture(str(path), count, path.stat().st_size))


def _path(count: int) -> Path:
    return WORKSPACE / f"{count}.pcap"
