"""A script that prints the seconds of the first `verdicts` call of a new VM.

Arguments: the engine; `list` or `ranges`; the number of packets; `cold`, or `warm` (another filter ran before).
"""

import sys
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import cbpf

TRAFFIC = Path(__file__).parents[1] / "examples" / "traffic.pcap"


def main(engine: Any, kind: str, count: int, state: str) -> None:
    with cbpf.read_capture(TRAFFIC) as capture:
        data = [packet.data for packet in capture]
    packets: Any = list(islice(cycle(data), count))
    if kind == "ranges":
        joined, lengths = b"".join(data), list(map(len, data))
        ends = [sum(lengths[: index + 1]) for index in range(len(lengths))]
        starts = [end - length for end, length in zip(ends, lengths, strict=True)]
        columns = {"positions": islice(cycle(starts), count), "lengths": islice(cycle(lengths), count)}
        packets = cbpf.Packets(joined, **columns)
    program = cbpf.compile("tcp port 443")
    if state == "warm":
        cbpf.VM(cbpf.compile("udp port 53"), engine=engine).verdicts(packets[:1])
    started = perf_counter()
    cbpf.VM(program, engine=engine).verdicts(packets)
    print(perf_counter() - started)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
