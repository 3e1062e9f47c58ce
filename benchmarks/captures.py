"""The captures that topics share: made once, in the workspace, and read once, so that they lie in the page cache."""

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


def synthetic_captures(*numbers: int) -> list[Capture]:
    """Captures of so many packets each; raises `setting.LeftOut` where there is no room for all."""
    size = sum(numbers) * RECORD_SIZE
    missing = sum(number for number in numbers if not _path(number).exists()) * RECORD_SIZE
    require_room(WORKSPACE, missing)
    require_memory(size)
    return [_synthetic(number) for number in numbers]


def as_pcapng(capture: Capture) -> Capture:
    """The same packets in the other container."""
    require_room(WORKSPACE, capture.size)
    require_memory(2 * capture.size)
    path = Path(capture.path).with_suffix(".pcapng")
    output([CBPF, "filter", "-r", capture.path, "--pcapng", "-w", str(path), ""])
    return Capture(str(path), capture.packets, path.stat().st_size)


def read_through(capture: Capture) -> Capture:
    """Puts it into the page cache."""
    with Path(capture.path).open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass
    return capture


def packets_of(packets: Sequence[tuple[bytes, int]]) -> cbpf.Packets:
    """Packets, each with its wire length, as ranges of one buffer."""
    lengths = [len(data) for data, _ in packets]
    positions = accumulate(lengths[:-1], initial=0)
    wire_lengths = [wire_length for _, wire_length in packets]
    return cbpf.Packets(
        b"".join(data for data, _ in packets), positions=positions, lengths=lengths, wire_lengths=wire_lengths
    )


@cache
def _synthetic(number: int) -> Capture:
    path = _path(number)
    synthetic.write(path, number)
    return read_through(Capture(str(path), number, path.stat().st_size))


def _path(number: int) -> Path:
    return WORKSPACE / f"{number}.pcap"
