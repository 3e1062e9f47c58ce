"""Headers in the byte order of the capturing host: as libpcap presents them to filters, and as they are converted."""

from __future__ import annotations

import struct
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from support.captures import Record, Variant, encoded
from support.project import Rounds

PACKETS_PER_ROUND: Final = 60


def usb(random: Random, order: str) -> bytes:
    event, kind, endpoint = random.choice(b"SCE"), random.randrange(4), random.choice([1, 0x81])
    count = random.choice([0, 0, 1, 2, 5])
    data_flag, urb_length = random.choice([0, ord("<")]), random.randrange(200)
    head = struct.pack(f"{order}QBBBBHBBqiiII", 7, event, kind, endpoint, 3, 258, 0, data_flag, 1 << 33, 2, -3, 4, 5)
    head = head[:32] + struct.pack(f"{order}I", urb_length) + head[36:]
    head += struct.pack(f"{order}iiiiII", 6, count, 8, 9, 10, count)
    descriptors = [
        struct.pack(f"{order}iII4x", -index, random.randrange(100), random.randrange(60)) for index in range(count)
    ]
    return head + b"".join(descriptors) + random.randbytes(random.randrange(80))


def nflog(random: Random, order: str) -> bytes:
    parts = [struct.pack(">BBH", 2, random.choice([0, 0, 0, 1]), 7)]
    for _ in range(random.randrange(5)):
        value = random.randbytes(random.randrange(12))
        parts.append(struct.pack(f"{order}HH", len(value) + 4, random.randrange(20)) + value + bytes(-len(value) % 4))
    return b"".join(parts) + random.randbytes(random.randrange(7))


def cooked(random: Random, order: str) -> bytes:
    protocol = random.choice([0x000C, 0x000D, 0x0800, 0x000B])
    return struct.pack(">HHH8xH", 0, 280, 0, protocol) + struct.pack(f"{order}I", 0x123) + random.randbytes(12)


KINDS: Final[dict[str, Any]] = {"USB_LINUX": usb, "USB_LINUX_MMAPPED": usb, "NFLOG": nflog, "LINUX_SLL": cooked}


def record(random: Random, name: str, order: str) -> Record:
    data = KINDS[name](random, order)
    if random.random() < 0.3:
        data = data[: random.randrange(len(data) + 1)]
    wire_length = len(data) + random.choice([0, 0, 9])
    if len(data) >= 64 and name == "USB_LINUX_MMAPPED" and random.random() < 0.5:
        urb_length, count = (struct.unpack_from(f"{order}I", data, offset)[0] for offset in (32, 60))
        wire_length = 64 + 16 * count + urb_length  # as older releases of libpcap recorded it
    return Record(random.randrange(2**31), 0, wire_length, data)


@pytest.mark.fuzz
def test_views_are_the_packets_that_libpcap_presents(rounds: Rounds, tmp_path: Path) -> None:
    cypcap = pytest.importorskip("cypcap")
    path = tmp_path / "in.pcap"
    for random in rounds(200, min_checked=0.9):
        name, order = random.choice(list(KINDS)), random.choice("<>")
        link_type = cbpf.link_type(name)
        records = [record(random, name, order) for _ in range(PACKETS_PER_ROUND)]
        path.write_bytes(encoded(records, Variant(order, linktype=link_type.linktype)))
        with cypcap.open_offline(str(path)) as capture:
            expected = [(bytes(data), header.len) for header, data in capture]
        views = [cbpf.host_view(item.data, link_type, order, item.wire_length) for item in records]  # type: ignore[arg-type]
        assert expected == views
        rounds.checked()


@pytest.mark.parametrize("name", ["EN10MB", "NULL", "ENC", "PFLOG", "CAN_SOCKETCAN"])
def test_other_link_types_are_presented_unchanged(name: str) -> None:
    for order in ("<", ">"):
        assert cbpf.host_view(bytes(range(80)), cbpf.link_type(name), order, 90) == (bytes(range(80)), 90)


# The fields of the types that are converted, as they follow one another in this host's byte order, and packets
FIELDS: Final = {
    "NULL": "I",
    "ENC": "I4xI",
    "LINUX_SLL": "14xHI",
    "LINUX_SLL2": "H18xI",
    "PFLOG": "B43xIIII",
}


@pytest.mark.parametrize("name", FIELDS)
def test_converted_fields_are_those_of_the_format(name: str) -> None:
    order = cbpf.link_type(name).host_order
    assert order is not None
    assert order.converts
    layout = FIELDS[name]
    values = [0x01020304 + 256 * index for index in range(layout.count("I"))]
    lead = {"LINUX_SLL": [0x000C], "LINUX_SLL2": [0x000C], "PFLOG": [61]}.get(name, [])

    def packet(byte_order: str) -> bytes:
        data = bytearray(struct.pack(byte_order + layout, *lead, *values) + b"payload")
        if name in ("LINUX_SLL", "LINUX_SLL2"):  # the protocol is in network byte order
            start = 14 if name == "LINUX_SLL" else 0
            data[start : start + 2] = b"\0\x0c"
        return bytes(data)

    assert order.reversed(packet("<"), 100, "<") == packet(">")
    assert order.reversed(packet(">"), 100, ">") == packet("<")
    for length in range(len(packet("<"))):  # a truncated field is unchanged, and no length raises an error
        assert len(order.reversed(packet("<")[:length], 100, "<")) == length
    assert order.reversed(b"\1\2\3", 100, "<") == b"\1\2\3"


def test_long_can_frames_are_converted() -> None:
    for name, protocol_at, size in (("LINUX_SLL", 14, 16), ("LINUX_SLL2", 0, 20)):
        order = cbpf.link_type(name).host_order
        assert order is not None
        header = bytearray(size)
        header[protocol_at : protocol_at + 2] = b"\0\x0e"
        frames = [bytes(header) + struct.pack(f"{byte_order}IBBHI", 1, 2, 3, 4, 5) for byte_order in "<>"]
        assert order.reversed(frames[0], 100, "<") == frames[1]
