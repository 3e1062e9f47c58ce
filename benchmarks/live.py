"""Live captures of a flood on a pair of devices, next to tcpdump: packets received, and processor time for each.

The time of a process is counted from the line by which it reports that it captures to the end of the flood, so without
its start. Run as a script, it is a loop over `cbpf.sniff`, which ends with the number of packets.
"""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.processes import CBPF, PYTHON, WORKSPACE
from benchmarks.report import Section, at_least, at_most
from benchmarks.setting import Omitted, Setting
from benchmarks.veth import EAST, FRAME, Sender, enter_namespace

import cbpf

_COUNT: Final = 1_000_000
_SETTLING: Final = 0.5  # seconds after the flood, until all packets are read
_FILTER: Final = "udp"
_CAPTURED: Final = re.compile(r"([\d,]+) packets captured")


class _Receiver(NamedTuple):
    name: str
    command: list[str]
    how: str


class _Cost(NamedTuple):
    share: float
    """Of the packets sent."""
    seconds: float
    """Of processor time for each packet received."""


def live(setting: Setting) -> Iterator[Section]:
    """Compare programs that receive all packets of a flood."""
    if not shutil.which("tcpdump"):
        raise Omitted("needs tcpdump")
    enter_namespace()
    sender = Sender()
    count = setting.scaled(_COUNT)
    receivers = [
        _Receiver("tcpdump", _tcpdump(WORKSPACE / "tcpdump.pcap"), f"`tcpdump -i {EAST} -w FILE {_FILTER}`"),
        _Receiver(
            "cbpf capture",
            [CBPF, "capture", "-i", EAST, "-w", str(WORKSPACE / "cbpf.pcap"), _FILTER],
            f"`cbpf capture -i {EAST} -w FILE {_FILTER}`",
        ),
        _Receiver("cbpf.sniff", [PYTHON, "-m", "benchmarks.live"], f"`for packet in sniff({EAST!r}, {_FILTER!r})`"),
    ]
    rates: list[float] = []
    costs = [
        [_measured(receiver.command, sender, count, rates) for receiver in receivers] for _ in range(setting.rounds(9))
    ]
    yield _section(receivers, costs, count, median(rates))
    sender.close()


def _tcpdump(path: Path) -> list[str]:
    return ["tcpdump", "-Z", "root", "-n", "-i", EAST, "-w", str(path), _FILTER]


def _measured(command: list[str], sender: Sender, count: int, rates: list[float]) -> _Cost:
    """Return the cost of a process that receives a flood."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        while line and "on east" not in line:
            line = process.stderr.readline()
        before = _processor_seconds(process.pid)
        rates.append(sender.send(count))
        time.sleep(_SETTLING)
        seconds = _processor_seconds(process.pid) - before
        process.terminate()  # a background job ignores SIGINT, and so do the commands that it starts
        message = process.stderr.read()
    captured = _CAPTURED.search(message)
    if captured is None:
        raise Omitted(f"{command[0]}: {line}{message}")
    packets = int(captured[1].replace(",", ""))
    return _Cost(packets / count, seconds / max(packets, 1))


def _processor_seconds(pid: int) -> float:
    """Return the processor time of the threads of a process (proc(5), schedstat)."""
    paths = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(path.read_text().split()[0]) for path in paths) / 1e9


def _section(receivers: list[_Receiver], costs: list[list[_Cost]], count: int, rate: float) -> Section:
    rows, ratios, shares = [], [], []
    for index, receiver in enumerate(receivers):
        shares.append(median([cost[index].share for cost in costs]))
        ratios.append(median([cost[index].seconds / cost[0].seconds for cost in costs]))
        microseconds = 1e6 * median([cost[index].seconds for cost in costs])
        rows.append([receiver.name, f"{shares[-1]:.1%}", f"{microseconds:.2f}", f"{ratios[-1]:.2f}", receiver.how])
    goals = [
        at_least("`cbpf capture`: packets received, against tcpdump", 1.0, shares[1] / shares[0], "{:.3f} times"),
        at_most("`cbpf capture`: processor time for a packet, against tcpdump", 1.3, ratios[1], "{:.2f} times"),
        at_most("`cbpf.sniff`: processor time for a packet, against tcpdump", 2.5, ratios[2], "{:.2f} times"),
    ]
    heading = ["contender", "received", "us of processor time per packet", "relative", "how"]
    flood = f"{count:,} frames of {len(FRAME)} bytes, about {rate:,.0f} a second, over a veth pair"
    note = f"{flood}. Start-up is not counted."
    return Section("Live captures", heading, rows, note, goals)


def _loop() -> None:
    """Count the packets of a flood until SIGTERM."""
    count = 0
    with cbpf.sniff(EAST, _FILTER) as sniffer:
        signal.signal(signal.SIGTERM, lambda *_: sniffer.stop())
        print(f"capturing on {EAST}", file=sys.stderr, flush=True)
        for _ in sniffer:
            count += 1
    print(f"{count} packets captured", file=sys.stderr)


if __name__ == "__main__":
    _loop()
