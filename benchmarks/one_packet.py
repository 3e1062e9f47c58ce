"""The time of a call with one packet."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import cypcap
from benchmarks.captures import TRAFFIC
from benchmarks.peers import Check, dpkt_check, scapy_check
from benchmarks.report import Section, at_most, table
from benchmarks.setting import Setting
from benchmarks.timing import calls, paired, require_agreement

import cbpf

FILTER: Final = "ip and tcp port 80"

_COLUMNS: Final = {
    "ns per call": lambda row: f"{row.seconds * 1e9:,.0f}",
    "ratio": lambda row: f"{row.ratio:.2f}",
}


def one_packet(setting: Setting) -> Iterator[Section]:
    """Measure a packet to and one from port 80; libpcap's code tests the source port first."""
    for direction in ("dst", "src"):
        yield _one_packet(direction, setting)


def _one_packet(direction: str, setting: Setting) -> Section:
    packet = _first(f"ip and tcp {direction} port 80")
    program = cbpf.compile(FILTER, optimizer=None)
    header = cypcap.Pkthdr(0.0, len(packet), len(packet))
    libpcap = cypcap.compile(1, 262_144, FILTER, False, cypcap.NETMASK_UNKNOWN)
    checks: list[tuple[str, Check, int, str]] = [
        ("cbpf, llvm engine", cbpf.VM(program, engine="llvm").run, 100_000, "`VM.run`, a builtin of machine code"),
        ("cbpf, llvm by ctypes", cbpf.VM(program, engine="llvm").evaluate, 2_000, "`VM.evaluate`"),
        ("cbpf, python engine", cbpf.VM(program, engine="python").run, 20_000, "`VM.run`"),
        ("cbpf, interpreter", cbpf.VM(program, engine="interpreter").run, 250, "`VM.run`"),
        ("cypcap", partial(libpcap.offline_filter, header), 20_000, "`BpfProgram.offline_filter`, libpcap in C"),
        ("dpkt", dpkt_check(80, ipv6=False), 1_000, "`Ethernet(packet)`, then a check by hand"),
        ("scapy", scapy_check(80, ipv6=False), 50, "`Ether(packet)`, then a check by hand"),
        ("nothing", bool, 100_000, "`bool(packet)`: the loop, and a call of a builtin type"),
        ("length", len, 100_000, "`len(packet)`: the loop, and a call of a builtin function"),
    ]
    require_agreement({name: bool(check(packet)) for name, check, _, _ in checks})
    contenders = [calls(name, check, packet, how, times=setting.scaled(times)) for name, check, times, how in checks]
    rows = paired(contenders, rounds=setting.rounds(25))
    title = f"One packet per call, {direction} port 80"
    note = (
        f"`{FILTER}`, not optimised, on an accepted packet of {len(packet)} bytes; the figures include the Python loop."
    )
    goals = [
        at_most(f"{title}: llvm engine", 70, rows[0].seconds * 1e9, "{:.0f} ns"),
        at_most(f"{title}: llvm engine against `len`", 1.25, 1 / rows[-1].ratio, "{:.2f} times"),
        at_most(f"{title}: python engine", 500, rows[2].seconds * 1e9, "{:.0f} ns"),
    ]
    return Section(title, *table(rows, _COLUMNS), note, goals)


def _first(selection: str) -> bytes:
    """Return the first packet of the capture that a filter accepts."""
    run = cbpf.VM(cbpf.compile(selection, optimizer=None)).run
    with cbpf.read_capture(TRAFFIC) as capture:
        return next(packet.data for packet in capture if run(packet.data))
