"""Packets as lines of text and as JSON, compared with `tcpdump -n`."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import cbpf
from cbpf.reporting.dissection import Dissection
from cbpf.reporting.packet_line import TIMES, PacketPrinter, date_text, seconds_text
from support.real_captures import parameters_of, real_captures

MACS = "020000000002 020000000001"
IPV4 = "4500 0000 0001 0000 40{:02x} 0000 c0000201 c0000202"
IPV6 = "60000000 {:04x} {:02x} 40 20010db8000000000000000000000001 20010db8000000000000000000000002"
TCP = "01bb 1388 00000001 00000002 5018 0400 0000 0000"


def line(text: str, link_type: str = "EN10MB", wire_length: int | None = None) -> str:
    """Return the line of a packet in hexadecimal, without its time."""
    data = bytes.fromhex(text)
    interface = cbpf.Interface(cbpf.link_type(link_type), 262_144, "<")
    packet = cbpf.Packet(1, 0, len(data) if wire_length is None else wire_length, data, 0)
    return PacketPrinter().text(packet, interface).removeprefix("00:00:00.000000 ")


ENDS = "192.0.2.1 > 192.0.2.2"
SEGMENT = "TCP [P.], seq 1, ack 2, win 1024, length 3"


@pytest.mark.parametrize(
    ("link_type", "packet", "expected"),
    [
        ("EN10MB", f"{MACS} 0800 {IPV4.format(6)} {TCP} 414243", f"IP 192.0.2.1.443 > 192.0.2.2.5000: {SEGMENT}"),
        ("RAW", f"{IPV4.format(6)} {TCP} 414243", f"IP 192.0.2.1.443 > 192.0.2.2.5000: {SEGMENT}"),
        ("NULL", f"02000000 {IPV4.format(47)} 01", f"IP {ENDS}: GRE, length 1"),
        ("PPP", f"ff030021 {IPV4.format(200)}", f"IP {ENDS}: ip-proto-200, length 0"),
        ("LINUX_SLL", f"0000 0001 0006 020000000001 0000 0800 {IPV4.format(2)}", f"IP {ENDS}: IGMP, length 0"),
        ("LINUX_SLL2", f"0800 {'00' * 18} {IPV4.format(89)}", f"IP {ENDS}: OSPF, length 0"),
        ("EN10MB", f"{MACS} 8100 2005 88a8 0006 0800 {IPV4.format(2)}", f"vlan 5, vlan 6, IP {ENDS}: IGMP, length 0"),
        ("EN10MB", f"{MACS} 8864 1100 0001 0016 0021 {IPV4.format(2)}", f"IP {ENDS}: IGMP, length 0"),
        ("EN10MB", f"{MACS} 8847 00064000 00007140 {IPV4.format(2)}", f"mpls 100, mpls 7, IP {ENDS}: IGMP, length 0"),
        ("EN10MB", f"{MACS} 88cc 0207", "ethertype 0x88cc, length 2"),
        ("EN10MB", f"{MACS} 0026 424203", "LLC, length 3"),
        ("USER0", "0102", "USER0, length 2"),
        ("RAW", "1234", "IP version 1, length 2"),
        (
            "RAW",
            f"{IPV6.format(24, 0)} 2c00 0000 0000 0000 1100 0000 0000 0001 0035 0035 0008 0000",
            "IP6 2001:db8::1.53 > 2001:db8::2.53: UDP, length 0",
        ),
        (
            "RAW",
            f"{IPV6.format(9, 44)} 1100 05a9 0000 0001 ff",
            "IP6 2001:db8::1 > 2001:db8::2: UDP fragment at byte 1448, length 1",
        ),
        (
            "RAW",
            f"{IPV4.format(17).replace('0001 0000', '0001 0064')} 01",
            f"IP {ENDS}: UDP fragment at byte 800, length 1",
        ),
        ("RAW", f"{IPV4.format(1)} 0303 0000 0000 0000", f"IP {ENDS}: ICMP unreachable, code 3, length 8"),
    ],
)
def test_line(link_type: str, packet: str, expected: str) -> None:
    assert line(packet, link_type) == expected


def test_missing_bytes_are_marked_at_every_length() -> None:
    """No prefix of a packet raises an error, and the mark names the header that is not complete."""
    packet = bytes.fromhex(f"{MACS} 8100 0005 0800 {IPV4.format(6)} {TCP}")
    marks = [line(packet[:size].hex(), wire_length=len(packet)).rpartition("[|")[2] for size in range(len(packet))]
    assert [marks[0], marks[16], marks[18], marks[37], marks[38], marks[57]] == [
        *("EN10MB]", "EN10MB]", "IP]", "IP]", "TCP]", "TCP]"),
    ]
    assert all(mark.endswith("]") for mark in marks)
    assert "[|" not in line(packet.hex())


@pytest.mark.parametrize("link_type", ["EN10MB", "RAW", "LINUX_SLL", "LINUX_SLL2", "PPP", "NULL", "DOCSIS"])
def test_arbitrary_bytes(link_type: str) -> None:
    generator = random.Random(1)
    for _ in range(500):
        data = generator.randbytes(generator.randrange(80))
        headers = Dissection(data, len(data), link_type)
        assert headers.info or headers.cut
        assert data.endswith(headers.payload) or headers.fields["protocol"] in ("IP", "IP6")


def test_times() -> None:
    interface = cbpf.Interface(cbpf.link_type("RAW"), 262_144, "<", 1_000_000_000)
    packets = [cbpf.Packet(number, time, 0, b"", 0) for number, time in enumerate((90_061_000_000_007, 0), start=1)]
    texts = {}
    for form in TIMES:
        printer = PacketPrinter(form)
        texts[form] = [printer.text(packet, interface).split()[0] for packet in packets]
    assert texts == {
        "clock": ["01:01:01.000000007", "00:00:00.000000000"],
        "date": ["1970-01-02T01:01:01.000000007Z", "1970-01-01T00:00:00.000000000Z"],
        "epoch": ["90061.000000007", "0.000000000"],
        "relative": ["0.000000000", "-90061.000000007"],
        "delta": ["0.000000000", "-90061.000000007"],
    }
    assert date_text(2**70, 6) == seconds_text(2**70, 6) == "1180591620717.411303"


def test_json(traffic: Path) -> None:
    with cbpf.read_capture(traffic) as capture:
        packets = list(capture)
        rows = [json.loads(PacketPrinter("date").json(packet, capture.interfaces[0])) for packet in packets]
    assert [row["number"] for row in rows] == list(range(1, len(packets) + 1))
    row = next(row for row in rows if row.get("destination_port") == 443)
    assert set(row) >= {"time", "source", "destination", "source_port", "transport", "flags", "sequence", "source_mac"}
    assert row["captured"] == len(packets[row["number"] - 1].data)


def test_dns_messages(traffic: Path) -> None:
    pytest.importorskip("dns", reason="needs dnspython (cbpf[print])")
    with cbpf.read_capture(traffic) as capture:
        lines = [PacketPrinter().text(packet, capture.interfaces[0]) for packet in capture]
        capture_rows = [text for text in lines if "? " in text]
    assert any(re.search(r"UDP, length \d+: \d+\+ A\? www\.example\.test\.$", text) for text in capture_rows)
    assert any(text.endswith("A? www.example.test.: A 198.51.100.1") for text in capture_rows)
    assert any(text.endswith("A? nowhere.example.test.: NXDOMAIN") for text in capture_rows)
    payload = "0035 1388 0014 0000 0001 8180 0001 0001 0000 0000"
    assert line(f"{IPV4.format(17)} {payload}", "RAW").endswith("UDP, length 12: 1 NOERROR")


COMMON = (
    ("ends", re.compile(r"IP6? (\S+ > \S+): ")),
    ("flags", re.compile(r"(?:Flags|TCP) \[([SFRPUWE.]+|none|)\],.* win ")),
    ("acknowledged", re.compile(r" (ack \d+), win")),
    ("window", re.compile(r" (win \d+)")),
    ("arp", re.compile(r"ARP, (.*length \d+)")),
    ("echo", re.compile(r"ICMP6?,? (echo .*length \d+)")),
    ("segment", re.compile(r"win \d+.*, length (\d+)")),
    ("datagram", re.compile(r": UDP, length (\d+)$")),
)


def in_common(text: str) -> dict[str, str]:
    """Return the parts of a line that tcpdump and cbpf print alike."""
    found = {name: match[1] for name, pattern in COMMON if (match := pattern.search(text))}
    return {name: "" if value == "none" else value for name, value in found.items()}


def tcpdump_lines(path: Path) -> Iterator[str]:
    output = subprocess.run(["tcpdump", "-nS", "-r", path], capture_output=True, check=False).stdout
    return (text for text in output.decode(errors="replace").splitlines() if re.match(r"\d\d:\d\d:\d\d", text))


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_fields_equal_those_of_tcpdump(traffic: Path) -> None:
    with cbpf.read_capture(traffic) as capture:
        printer = PacketPrinter()
        ours = [printer.text(packet, capture.interfaces[0]) for packet in capture]
    compared: dict[str, int] = {}
    for mine, theirs in zip(ours, tcpdump_lines(traffic), strict=True):
        expected = in_common(theirs)
        found = in_common(mine)
        assert {name: found.get(name) for name in expected} == expected, (mine, theirs)
        for name in expected:
            compared[name] = compared.get(name, 0) + 1
    assert compared.keys() == {name for name, _ in COMMON}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_addresses_in_real_captures_equal_those_of_tcpdump(path: Path) -> None:
    """Every packet has a line; addresses and ports are those of tcpdump, which marks some headers between them."""
    try:
        with cbpf.read_capture(path) as capture:
            printer = PacketPrinter()
            ours = [printer.text(packet, capture.interfaces[packet.interface]) for packet in capture]
    except cbpf.CbpfError as error:
        pytest.skip(str(error))
    for mine, theirs in zip(ours, tcpdump_lines(path), strict=False):
        ends = re.match(r"\S+ IP6? (\S+ > \S+): (?!HBH|DSTOPT|RT6|frag|truncated| \[)", theirs)
        if ends and re.search(r" IP6? ", mine) and "[|" not in mine:
            assert f" {ends[1]}: " in mine, (mine, theirs)
