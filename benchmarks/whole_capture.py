"""The main job: a filter over a large capture, by whole processes."""

import shutil
from pathlib import Path
from typing import Final

import cbpf
from benchmarks import peers
from benchmarks.one_packet import TRAFFIC
from benchmarks.processes import CBPF, PYTHON, WORKSPACE, output, process
from benchmarks.timing import Topic, require_agreement

PORT: Final = 443
FILTER: Final = f"tcp port {PORT}"
COPIES: Final = 310  # of a capture of a third of a megabyte
SCAPY_COPIES: Final = 30


def whole_capture() -> Topic:
    """Every contender's process, from its start to its end."""
    large, packets = _repeat_traffic("large.pcap", COPIES)
    small, fewer = _repeat_traffic("small.pcap", SCAPY_COPIES)
    counts = {peer: int(output(_loop(peer, small))) for peer in peers.LOOPS}
    require_agreement(counts | {"cbpf": int(output([CBPF, "filter", "-r", small, "--count", FILTER]))})
    tcpdump = shutil.which("tcpdump")
    arguments = ["-r", large, "-w", "/dev/null", FILTER]
    contenders = [
        process("cbpf", [CBPF, "filter", *arguments], units=packets),
        *([process("tcpdump", [tcpdump, "-O", *arguments], units=packets)] if tcpdump else []),
        process("cypcap, loop in Python", _loop("cypcap", large), units=packets),
        process("dpkt, loop in Python", _loop("dpkt", large), units=packets),
        process("scapy, loop in Python", _loop("scapy", small), units=fewer),
    ]
    columns = {
        "packets a second": lambda row: f"{1 / row.seconds:,.0f}",
        "times as long": lambda row: f"{row.ratio:.2f}",
    }
    note = (
        f"{packets:,} packets, {Path(large).stat().st_size / 1e6:.0f} MB, in the page cache; scapy read {fewer:,}"
        " of them. Everyone's start-up is in it."
    )
    return Topic("A whole capture", contenders, 5, columns, note)


def _repeat_traffic(name: str, copies: int) -> tuple[str, int]:
    """Writes a capture of so many copies; its path, and the number of its packets."""
    data = TRAFFIC.read_bytes()
    path = WORKSPACE / name
    with path.open("wb") as file:
        file.write(data[:24])
        for _ in range(copies):
            file.write(data[24:])
    return str(path), copies * cbpf.filter_capture(TRAFFIC, None, "").packets_seen


def _loop(peer: str, path: str) -> list[str]:
    return [PYTHON, peers.__file__, peer, path, str(PORT)]
