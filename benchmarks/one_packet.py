"""One packet, one verdict: how long a call takes."""

from functools import partial
from pathlib import Path
from typing import Final

import cypcap

import cbpf
from benchmarks.peers import Check, dpkt_check, scapy_check
from benchmarks.timing import Topic, calls, goal, require_agreement

TRAFFIC: Final = Path(__file__).parents[1] / "examples" / "traffic.pcap"
FILTER: Final = "ip and tcp port 80"


def one_packet(direction: str) -> Topic:
    """A packet to ("dst") or from ("src") port 80; libpcap's code tests the source port first."""
    packet = _first(f"ip and tcp {direction} port 80")
    program = cbpf.compile(FILTER)
    header = cypcap.Pkthdr(0.0, len(packet), len(packet))
    libpcap = cypcap.compile(1, 262_144, FILTER, False, cypcap.NETMASK_UNKNOWN)
    rivals: list[tuple[str, Check, int, str]] = [
        ("cbpf, python engine", cbpf.VM(program, engine="python").run, 20_000, "`VM.run`"),
        ("cbpf, interpreter", cbpf.VM(program, engine="interpreter").run, 250, "`VM.run`"),
        ("cypcap", partial(libpcap.offline_filter, header), 20_000, "`BpfProgram.offline_filter`, libpcap in C"),
        ("dpkt", dpkt_check(80, ipv6=False), 1_000, "`Ethernet(packet)`, then a check by hand"),
        ("scapy", scapy_check(80, ipv6=False), 50, "`Ether(packet)`, then a check by hand"),
    ]
    require_agreement({name: bool(check(packet)) for name, check, _, _ in rivals})
    columns = {
        "ns a call": lambda row: f"{row.seconds * 1e9:,.0f}",
        "ratio": lambda row: f"{row.ratio:.2f}",
        "goal": goal("500 ns", lambda row: row.seconds / 500e-9, "cbpf, python engine"),
    }
    return Topic(
        f"One packet, {direction} port 80",
        [calls(name, check, packet, how, times=times) for name, check, times, how in rivals],
        25,
        columns,
        f"`{FILTER}`, not optimised, on a packet of {len(packet)} bytes that it accepts; the Python loop is in it.",
    )


def _first(selection: str) -> bytes:
    """The first packet of the capture that a filter accepts."""
    run = cbpf.VM(cbpf.compile(selection)).run
    with cbpf.read_capture(TRAFFIC) as capture:
        return next(packet.data for packet in capture if run(packet.data))
