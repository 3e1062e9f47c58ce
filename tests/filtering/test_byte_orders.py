"""Captures of both byte orders in one output: no packet is lost, whatever headers are in host byte order.

The packets of a capture of either byte order are accepted in the output as they were in their own capture; or the
merge is rejected, with the name of the capture, the link type and the rule.
"""

from __future__ import annotations

import gzip
import re
import struct
from io import BytesIO
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any, Final, cast, get_args

import pytest

import cbpf
from support.captures import MICROSECONDS, NANOSECONDS, Pcapng, Record, Variant, as_pcapng, decoded, encoded
from support.command_line import CommandLine
from support.project import Rounds

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")

IP: Final = bytes.fromhex("4500001c 00000000 40110000 c0000201 c0000202 0035 0036 0008 0000")
IP6: Final = bytes.fromhex("60000000 0008 11 40") + bytes(15) + b"\1" + bytes(15) + b"\2" + IP[20:]

LINKTYPES: Final = {
    "NULL": 0, "EN10MB": 1, "RAW": 101, "LOOP": 108, "ENC": 109, "LINUX_SLL": 113, "PFLOG": 117, "PRISM_HEADER": 119,
    "USB_LINUX": 189, "USB_LINUX_MMAPPED": 220, "NFLOG": 239, "NETLINK": 253, "LINUX_SLL2": 276,
}  # fmt: skip
REJECTED: Final = ("PRISM_HEADER", "USB_LINUX", "USB_LINUX_MMAPPED", "NFLOG", "NETLINK")
EXPRESSIONS: Final = ("ip", "ip6", "udp", "ip or ip6", "port 53", "len > 60", "not ip", "")
USB_EXPRESSIONS: Final = ("", "len > 60", "link[20] = 3", "link[4] = 2")
LINK_EXPRESSIONS: Final = dict.fromkeys(["USB_LINUX", "USB_LINUX_MMAPPED", "NFLOG", "NETLINK"], USB_EXPRESSIONS)


def header(name: str, order: str, *, is_ip6: bool) -> bytes:
    """Return the header of a link type before an IP packet, as a host of this byte order writes it."""
    family, ethertype = (24, 0x86DD) if is_ip6 else (2, 0x0800)
    return {
        "NULL": struct.pack(f"{order}I", family),
        "EN10MB": bytes(12) + struct.pack(">H", ethertype),
        "RAW": b"",
        "LOOP": struct.pack(">I", family),
        "ENC": struct.pack(f"{order}I", family) + struct.pack(">I", 7) + struct.pack(f"{order}I", 0x400),
        "LINUX_SLL": bytes(14) + struct.pack(">H", ethertype),
        "PFLOG": bytes([61, family, 1, 0]) + bytes(40) + struct.pack(f"{order}IIII", 1, 2, 3, 4) + bytes(4),
        "PRISM_HEADER": struct.pack(f"{order}II", 0x44, 144) + bytes(136) + bytes(24) + bytes.fromhex("aaaa03000000")
        + struct.pack(">H", ethertype),
        "USB_LINUX": struct.pack(f"{order}QBBBBHBBqiiII8x", 1, 67, 3, 1, 3, 2, 0, 0, 3, 2, 0, 4, 4),
        "USB_LINUX_MMAPPED": struct.pack(f"{order}QBBBBHBBqiiII8x16x", 1, 67, 3, 1, 3, 2, 0, 0, 3, 2, 0, 4, 4),
        "NFLOG": struct.pack(">BBH", 2, 0, 0) + struct.pack(f"{order}HH", 4 + len(IP), 9),
        "NETLINK": bytes(16),
        "LINUX_SLL2": struct.pack(">H", ethertype) + bytes(18),
    }[name]  # fmt: skip


def packets(random: Random, name: str, order: str, count: int) -> list[Record]:
    """Return packets with a distinct trailer each, some truncated to any length."""
    records = []
    for _ in range(count):
        is_ip6 = random.random() < 0.4
        data = header(name, order, is_ip6=is_ip6) + (IP6 if is_ip6 else IP)
        if name == "LINUX_SLL" and random.random() < 0.2:
            data = bytes(14) + b"\0\x0c" + struct.pack(f"{order}I", 0x7FF) + bytes(12)
        wire_length = len(data) + 8
        data = data[: random.randrange(len(data))] if random.random() < 0.2 else data + random.randbytes(8)
        records.append(Record(random.randrange(1 << 31), random.randrange(10**6) * 1000, wire_length, data))
    return records


def two_sections(random: Random, name: str) -> bytes:
    parts = []
    for order in random.sample("<>", 2):
        build = Pcapng(order)
        parts += [build.section(), build.interface(linktype=LINKTYPES[name], snaplen=65535)]
        parts += [
            build.enhanced(record.data, wire_length=record.wire_length, time=random.randrange(1 << 40))
            for record in packets(random, name, order, 4)
        ]
    return b"".join(parts)


def capture(random: Random, name: str) -> bytes:
    order, kind = random.choice("<>"), random.choice([0, 0, 1, 2, 3])
    records = packets(random, name, order, 5)
    if kind == 0:
        return two_sections(random, name)
    if kind == 1:
        return as_pcapng(records, order, linktype=LINKTYPES[name])
    return encoded(records, Variant(order, NANOSECONDS if kind == 2 else MICROSECONDS, linktype=LINKTYPES[name]))


def filtered(source: bytes, expression: str, **options: Any) -> bytes:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(source), target, expression, **options)
    return target.getvalue()


def accepted(source: bytes, expression: str, engine: Any = "python") -> list[tuple[int, bytes]]:
    """Return the wire length and the trailer (unless truncated) of the packets that an expression accepts."""
    return [
        (packet.wire_length, packet.data[-8:] if packet.captured_length == packet.wire_length else b"")
        for packet in cbpf.read_capture(BytesIO(filtered(source, expression, engine=engine, container="pcapng")))
    ]


def has_both_orders(sources: list[bytes]) -> bool:
    infos = [cbpf.capture_info(BytesIO(source)) for source in sources]
    return len({order for info in infos for order in info.byte_orders}) > 1


def joined(random: Random, sources: list[bytes], expression: str, container: Any, engine: Any) -> bytes | str:
    """Return the output of several captures, some of them compressed, or the error."""
    streams = [BytesIO(gzip.compress(source) if random.random() < 0.3 else source) for source in sources]
    target = BytesIO()
    try:
        if random.random() < 0.5:
            cbpf.filter_capture(streams, target, expression, container=container, engine=engine)
        else:
            cbpf.split_capture(streams, [(expression, target)], container=container, engine=engine)
    except cbpf.CaptureError as error:
        return str(error)
    return target.getvalue()


@pytest.mark.fuzz
def test_every_packet_keeps_its_verdict_in_the_output(rounds: Rounds) -> None:
    for random in rounds(300, min_checked=0.6):
        name = random.choice([*LINKTYPES, *["NULL", "ENC"] * 4])
        sources = [capture(random, name) for _ in range(random.choice([1, 2, 2, 3]))]
        expressions = LINK_EXPRESSIONS.get(name, EXPRESSIONS)
        written, expression = random.choice(expressions), random.choice(expressions)
        container, engine = random.choice(CONTAINERS), random.choice(get_args(cbpf.EngineName))
        output = joined(random, sources, written, container, engine)
        if isinstance(output, str):
            assert f"link type {name} has headers in the byte order of the capturing host" in output
            assert name in REJECTED
            assert has_both_orders(sources)
            continue
        kept = [filtered(source, written) for source in sources]
        assert accepted(output, expression, engine) == [found for own in kept for found in accepted(own, expression)]
        rounds.checked()


CONTAINERS: Final[tuple[Any, ...]] = ("same", "pcap", "pcapng")
BOTH: Final = {order: Record(1, 2000, 32, header("NULL", order, is_ip6=False) + IP) for order in "<>"}


# The header of the output is that of the first source, so each byte order is converted


@pytest.mark.parametrize("orders", list(permutations("<>")))
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("name", ["NULL", "ENC"])
def test_loopback_captures_of_both_byte_orders_are_merged(
    orders: tuple[str, str], container: Any, name: str, engine: Any
) -> None:
    linktype = LINKTYPES[name]
    records = {order: Record(1, 2000, 40, header(name, order, is_ip6=False) + IP) for order in orders}
    sources = [BytesIO(encoded([records[order]], Variant(order, linktype=linktype))) for order in orders]
    target = BytesIO()
    cbpf.filter_capture(sources, target, "ip", container=container, engine=engine)
    found = list(cbpf.read_capture(BytesIO(target.getvalue())))
    assert len(found) == len(accepted(target.getvalue(), "ip", engine)) == 2
    if container != "pcapng":
        assert [packet.data for packet in found] == [records[orders[0]].data] * 2
        assert decoded(target.getvalue())[0] == records[orders[0]]


@pytest.mark.parametrize("container", ["same", "pcap"])
@pytest.mark.parametrize("name", REJECTED)
def test_captures_that_cannot_be_converted_are_rejected(container: Any, name: str, engine: Any, tmp_path: Path) -> None:
    linktype, target = LINKTYPES[name], tmp_path / "out.pcap"
    paths = []
    for order in "<>":
        paths.append(tmp_path / f"in{ord(order)}.pcap")
        data = header(name, order, is_ip6=False) + IP
        paths[-1].write_bytes(encoded([Record(1, 0, len(data), data)], Variant(order, linktype=linktype)))
    fact = f"link type {name} has headers in the byte order of the capturing host, big-endian unlike those before"
    rule = "a pcap has one byte order, but a pcapng preserves both"
    with pytest.raises(cbpf.CaptureError, match=re.escape(f"{paths[1]}: {fact}; {rule}")):
        cbpf.filter_capture(paths, target, "", container=container, engine=engine)
    assert not target.exists()
    cbpf.filter_capture(paths, target, "", container="pcapng", engine=engine)
    assert [entry.interface.byte_order for entry in cbpf.capture_info(target).interfaces] == ["<", ">"]


@pytest.mark.parametrize("engine", get_args(cbpf.EngineName))
def test_captures_that_fit_in_no_pcap_are_counted(engine: Any) -> None:
    """Counting writes nothing, so no format has to represent the packets."""
    random = Random(0)
    sources = [(name, order) for name in ("USB_LINUX", "EN10MB") for order in "<>"]
    captures = [
        encoded(packets(random, name, order, 10), Variant(order, linktype=LINKTYPES[name])) for name, order in sources
    ]
    summary = cbpf.filter_capture([BytesIO(capture) for capture in captures], None, "", engine=engine)
    assert (summary.packets_seen, summary.packets_accepted) == (40, 40)


@pytest.mark.parametrize("name", ["USB_LINUX", "NFLOG"])
def test_a_pcapng_of_both_byte_orders_is_rejected_at_its_packet(name: str) -> None:
    parts = []
    for order in "<>":
        build = Pcapng(order)
        parts += [build.section(), build.interface(linktype=LINKTYPES[name])]
        parts.append(build.enhanced(header(name, order, is_ip6=False)))
    with pytest.raises(cbpf.CaptureError, match=f"^capture: packet 2: link type {name} has headers in the byte order"):
        cbpf.filter_capture(BytesIO(b"".join(parts)), BytesIO(), "", container="pcap")


def test_captures_of_one_byte_order_are_merged_whatever_their_headers() -> None:
    for order in "<>":
        data = header("USB_LINUX", order, is_ip6=False)
        source = encoded([Record(1, 0, len(data), data)], Variant(order, linktype=LINKTYPES["USB_LINUX"]))
        other = encoded([Record(1, 5, len(data), data)], Variant(order, NANOSECONDS, linktype=LINKTYPES["USB_LINUX"]))
        target = BytesIO()
        cbpf.filter_capture([BytesIO(source), BytesIO(other)], target, "link[20] = 3 or link[20] = 0")
        assert [packet.data for packet in cbpf.read_capture(BytesIO(target.getvalue()))] == [data, data]


def test_commands_merge_both_byte_orders(cli: CommandLine, tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in ("big.pcap", "little.pcap")]
    for path, order in zip(paths, "><", strict=True):
        Path(path).write_bytes(encoded([BOTH[order]], Variant(order, linktype=0)))
    merged = str(tmp_path / "merged")
    for arguments in (["filter", "ip", "-w", merged], ["split", f"ip={merged}"], ["filter", "--pcap", "-w", merged]):
        assert cli(*arguments, "-q", "-r", paths[0], "-r", paths[1])[0] == 0
        assert cli("filter", "-q", "--count", "-r", merged, "ip") == (0, b"2\n", "")
        assert cli("run", "-e", "ip", merged)[:2] == (0, b"1 262144\n2 262144\n")


@pytest.mark.parametrize("byte_order", "<>")
def test_captures_are_written_in_either_byte_order(byte_order: Any) -> None:
    target = BytesIO()
    cbpf.write_capture(target, [(BOTH[byte_order].data, 32)], link_type="NULL", byte_order=byte_order)
    assert len(accepted(target.getvalue(), "ip")) == 1
    assert cbpf.read_capture(BytesIO(target.getvalue())).interfaces[0].byte_order == byte_order


def test_an_unknown_byte_order_is_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match=r"^write_capture\.byte_order: 'little' is not one of"):
        cbpf.write_capture(BytesIO(), [], byte_order=cast(Any, "little"))


@pytest.mark.parametrize("name", ["USB_LINUX_MMAPPED", "NFLOG", "LINUX_SLL"])
def test_commands_present_packets_as_the_filter_sees_them(name: str, cli: CommandLine, tmp_path: Path) -> None:
    expression = {"LINUX_SLL": "link[19] = 7", "NFLOG": "link[6] = 9", "USB_LINUX_MMAPPED": "link[12] = 2"}[name]
    for order in "<>":
        data = header(name, order, is_ip6=False)
        if name == "LINUX_SLL":
            data = bytes(14) + b"\0\x0c" + struct.pack(f"{order}I", 0x07000000) + bytes(12)
        path = tmp_path / "in.pcap"
        path.write_bytes(encoded([Record(1, 0, len(data), data)], Variant(order, linktype=LINKTYPES[name])))
        assert cli("filter", "-q", "--count", "-r", str(path), expression) == (0, b"1\n", "")
        assert cli("run", "-e", expression, str(path)) == (0, b"1 262144\n", "")
        assert b"1, 1 accepted" in cli("stats", "-e", expression, "-r", str(path))[1]
        assert b"accepts the packet" in cli("trace", "-e", expression, str(path))[1]
