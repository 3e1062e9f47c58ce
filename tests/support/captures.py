"""Captures for tests: pcaps of every variant, a plain reader, pcapng blocks, and other link types.

This module is independent of cbpf. Layouts as in pcap-savefile(5), https://www.tcpdump.org/linktypes.html, and, for the
old variants, sf-pcap.c of libpcap.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from support.project import ROOT

TRAFFIC: Final = ROOT / "examples" / "traffic.pcap"

MICROSECONDS: Final = 0xA1B2C3D4
NANOSECONDS: Final = 0xA1B23C4D
KUZNETZOV: Final = 0xA1B2CD34
FILE_HEADER_SIZE: Final = 24


class Record(NamedTuple):
    """A packet; the nanoseconds are a 32-bit field, as `tcpdump --nano` writes it."""

    seconds: int
    nanoseconds: int
    wire_length: int
    data: bytes


class Variant(NamedTuple):
    """The fields of a file header; *linktype* is the complete field, including its upper bits."""

    byte_order: str = "<"
    magic: int = MICROSECONDS
    version: tuple[int, int] = (2, 4)
    snaplen: int = 262_144
    linktype: int = 1

    @property
    def record_header_size(self) -> int:
        return 24 if self.magic == KUZNETZOV else 16


VARIANTS: Final = {
    "little-endian": Variant("<"),
    "big-endian": Variant(">"),
    "little-endian nanoseconds": Variant("<", NANOSECONDS),
    "big-endian nanoseconds": Variant(">", NANOSECONDS),
    "little-endian Kuznetzov": Variant("<", KUZNETZOV),
    "big-endian Kuznetzov": Variant(">", KUZNETZOV),
    "Kuznetzov with short snaplen": Variant("<", KUZNETZOV, snaplen=50),
    "Kuznetzov with short snaplen, not Ethernet": Variant("<", KUZNETZOV, snaplen=50, linktype=101),
    "version 2.0": Variant("<", version=(2, 0)),
    "version 2.2": Variant("<", version=(2, 2)),
    "version 2.2 big-endian": Variant(">", version=(2, 2)),
    "version 2.3": Variant("<", version=(2, 3)),
    "version 2.3 big-endian nanoseconds": Variant(">", NANOSECONDS, version=(2, 3)),
    "version 543.0": Variant("<", version=(543, 0)),
    "version 543.0 big-endian": Variant(">", version=(543, 0)),
    "snaplen 0": Variant("<", snaplen=0),
    "snaplen 1": Variant("<", snaplen=1),
    "snaplen 60": Variant("<", snaplen=60),
    "snaplen 60 big-endian version 2.2": Variant(">", version=(2, 2), snaplen=60),
    "snaplen 2147483647": Variant("<", snaplen=0x7FFF_FFFF),
    "snaplen 2147483648": Variant("<", snaplen=0x8000_0000),
    "snaplen 4294967295": Variant(">", snaplen=0xFFFF_FFFF),
    "4 bytes of FCS": Variant("<", linktype=0x4400_0001),
    "4 bytes of FCS big-endian": Variant(">", linktype=0x4400_0001),
    "FCS length without its flag": Variant("<", linktype=0xF000_0001),
}


def encoded(records: Iterable[Record], variant: Variant = VARIANTS["little-endian"]) -> bytes:
    """Return a pcap of these packets; in version 2.3, every other record has its lengths swapped."""
    order = variant.byte_order
    parts = [struct.pack(f"{order}IHHiIII", variant.magic, *variant.version, 0, 0, variant.snaplen, variant.linktype)]
    pack, rest = struct.Struct(f"{order}IIII").pack, bytes(range(variant.record_header_size - 16))
    for index, record in enumerate(records):
        fraction = record.nanoseconds if variant.magic == NANOSECONDS else record.nanoseconds // 1000
        lengths = (len(record.data), record.wire_length)
        if variant.version < (2, 3) or variant.version == (543, 0) or (variant.version == (2, 3) and index % 2):
            lengths = lengths[::-1]
        parts += [pack(record.seconds, fraction, *lengths), rest, record.data]
    return b"".join(parts)


def decoded(capture: bytes) -> list[Record]:
    """Return the packets of a pcap, which must be complete; its snapshot length is ignored."""
    order = ">" if capture[0] == MICROSECONDS >> 24 else "<"
    magic, major, minor = struct.unpack_from(f"{order}IHH", capture)
    records, position = [], FILE_HEADER_SIZE
    while position < len(capture):
        seconds, fraction, captured, wire = struct.unpack_from(f"{order}IIII", capture, position)
        if (major, minor) < (2, 3) or major == 543 or ((major, minor) == (2, 3) and captured > wire):
            captured, wire = wire, captured
        nanoseconds = fraction if magic == NANOSECONDS else fraction * 1000 & 0xFFFF_FFFF
        position += Variant(magic=magic).record_header_size
        data = capture[position : position + captured]
        if len(data) < captured:
            raise ValueError(f"byte {position}: a packet of {captured} bytes is truncated")
        records.append(Record(seconds, nanoseconds, wire, data))
        position += captured
    return records


def clipped(records: Iterable[Record], length: int) -> list[Record]:
    """Return the packets truncated to *length* bytes, with their original wire lengths."""
    return [record._replace(data=record.data[:length]) for record in records]


def distinct(records: Iterable[Record]) -> list[Record]:
    """Return the first packet of each kind, by its type fields, fragment offset, protocol and ports."""
    kinds: dict[tuple[bytes, ...], Record] = {}
    for record in records:
        data = record.data
        kinds.setdefault((data[12:15], data[20:22], data[23:24], data[34:38]), record)
    return list(kinds.values())


# Returns the bytes of an Ethernet packet under another link type, or None if that link type cannot carry it.
Conversion = Callable[[bytes], bytes | None]

_INTERNET: Final = (0x0800, 0x86DD)
_SNAP: Final = bytes.fromhex("aaaa03 000000")
_NEAR: Final = bytes.fromhex("020000000001")


def _ethertype(frame: bytes) -> int:
    return int.from_bytes(frame[12:14], "big")


def _with_headers(ip4_header: str, ip6_header: str) -> Conversion:
    """Return a conversion that replaces the Ethernet header of IPv4 and IPv6 packets; it returns None for others."""
    headers = {0x0800: bytes.fromhex(ip4_header), 0x86DD: bytes.fromhex(ip6_header)}

    def convert(frame: bytes) -> bytes | None:
        header = headers.get(_ethertype(frame))
        return None if header is None else header + frame[14:]

    return convert


def _logical_link(frame: bytes) -> bytes:
    """Return the frame from its 802.2 header on; a frame without one receives a SNAP header."""
    return frame[14:] if _ethertype(frame) <= 1500 else _SNAP + frame[12:]


def _c_hdlc(frame: bytes) -> bytes | None:
    return b"\x0f\x00" + frame[12:] if _ethertype(frame) > 1500 else None


def _fddi(frame: bytes) -> bytes:
    return b"\x50" + frame[:12] + _logical_link(frame)


def _cooked_type(frame: bytes) -> int:
    """Return the packet type: 4 sent by this host, 1 broadcast, 2 multicast, 0 received."""
    if frame[6:12] == _NEAR:
        return 4
    return 1 if frame[:6] == b"\xff" * 6 else 2 if frame[0] & 1 else 0


def _cooked_protocol(frame: bytes) -> bytes:
    return frame[12:14] if _ethertype(frame) > 1500 else b"\x00\x04"


def _linux_sll(frame: bytes) -> bytes:
    return (
        struct.pack(">HHH", _cooked_type(frame), 1, 6) + frame[6:12] + bytes(2) + _cooked_protocol(frame) + frame[14:]
    )


def _linux_sll2(frame: bytes) -> bytes:
    head = _cooked_protocol(frame) + struct.pack(">HIHBB", 0, 2, 1, _cooked_type(frame), 6)
    return head + frame[6:12] + bytes(2) + frame[14:]


def _wireless(frame: bytes, *, padded: bool = False) -> bytes:
    """Return a data frame from an access point, with a QoS field for IPv6, or a beacon for other than Ethernet II."""
    addresses = frame[:6] + bytes.fromhex("0200000000ff") + frame[6:12]
    if _ethertype(frame) <= 1500:
        return bytes.fromhex("8000 0000") + addresses + bytes(2) + bytes(8) + bytes.fromhex("6400 0100 0004") + b"cbpf"
    if _ethertype(frame) != 0x86DD:
        return bytes.fromhex("0802 0000") + addresses + bytes(2) + _logical_link(frame)
    padding = bytes(2) if padded else b""
    return bytes.fromhex("8802 0000") + addresses + bytes(2) + bytes(2) + padding + _logical_link(frame)


def _radiotap(frame: bytes) -> bytes:
    """Prepend a radiotap header: for IPv6 with a time and the padding flag, for other packets without fields."""
    if _ethertype(frame) == 0x86DD:
        return struct.pack("<BBHIQB", 0, 0, 17, 0b11, 1, 0x20) + _wireless(frame, padded=True)
    return struct.pack("<BBHI", 0, 0, 8, 0) + _wireless(frame)


# By link type: its LINKTYPE_ number and the conversion. BSD loopback headers have three numbers for IPv6, those of
# Darwin, FreeBSD and NetBSD.
RELABELLINGS: Final[dict[str, tuple[int, Conversion]]] = {
    "RAW": (101, _with_headers("", "")),
    "NULL": (0, _with_headers("02000000", "1e000000")),
    "NULL of a big-endian host": (0, _with_headers("00000002", "0000001c")),
    "LOOP": (108, _with_headers("00000002", "00000018")),
    "PPP": (9, _with_headers("ff030021", "ff030057")),
    "C_HDLC": (104, _c_hdlc),
    "LINUX_SLL": (113, _linux_sll),
    "LINUX_SLL2": (276, _linux_sll2),
    "FDDI": (10, _fddi),
    "IEEE802_11": (105, _wireless),
    "IEEE802_11_RADIO": (127, _radiotap),
}


def relabelled(records: Sequence[Record], link_type: str) -> tuple[int, list[Record]]:
    """Return the LINKTYPE_ number, and the converted packets that the link type can carry; packets must be complete."""
    linktype, convert = RELABELLINGS[link_type]
    converted = ((record, convert(record.data)) for record in records)
    return linktype, [
        record._replace(data=data, wire_length=len(data)) for record, data in converted if data is not None
    ]


# pcapng blocks, as in the IETF draft, in either byte order


class Pcapng(NamedTuple):
    """A builder of blocks in the byte order of their section."""

    byte_order: str = "<"

    def block(self, kind: int, body: bytes) -> bytes:
        body += bytes(-len(body) % 4)
        length = struct.pack(f"{self.byte_order}I", len(body) + 12)
        return struct.pack(f"{self.byte_order}I", kind) + length + body + length

    def options(self, *pairs: tuple[int, bytes], end: bool = True) -> bytes:
        parts = [
            struct.pack(f"{self.byte_order}HH", code, len(value)) + value + bytes(-len(value) % 4)
            for code, value in pairs
        ]
        return b"".join(parts) + (bytes(4) if parts and end else b"")

    def section(self, *, version: tuple[int, int] = (1, 0), length: int = -1, options: bytes = b"") -> bytes:
        return self.block(0x0A0D0D0A, struct.pack(f"{self.byte_order}IHHq", 0x1A2B3C4D, *version, length) + options)

    def interface(self, linktype: int = 1, snaplen: int = 262_144, *, options: bytes = b"") -> bytes:
        return self.block(1, struct.pack(f"{self.byte_order}HHI", linktype, 0, snaplen) + options)

    def enhanced(
        self, data: bytes, *, interface: int = 0, time: int = 0, wire_length: int | None = None, options: bytes = b""
    ) -> bytes:
        lengths = (len(data), len(data) if wire_length is None else wire_length)
        head = struct.pack(f"{self.byte_order}IIIII", interface, time >> 32, time & 0xFFFF_FFFF, *lengths)
        return self.block(6, head + data + bytes(-len(data) % 4) + options)

    def simple(self, data: bytes, *, wire_length: int | None = None) -> bytes:
        wire_length = len(data) if wire_length is None else wire_length
        return self.block(3, struct.pack(f"{self.byte_order}I", wire_length) + data)

    def obsolete(self, data: bytes, *, interface: int = 0, time: int = 0, wire_length: int | None = None) -> bytes:
        lengths = (len(data), len(data) if wire_length is None else wire_length)
        head = struct.pack(f"{self.byte_order}HHIIII", interface, 7, time >> 32, time & 0xFFFF_FFFF, *lengths)
        return self.block(2, head + data)

    def resolution(self, code: int, *, offset: int | None = None) -> bytes:
        """Return the options if_tsresol and if_tsoffset."""
        pairs = [(9, bytes([code]))]
        if offset is not None:
            pairs.append((14, struct.pack(f"{self.byte_order}q", offset)))
        return self.options(*pairs)


def as_pcapng(records: Iterable[Record], byte_order: str = "<", linktype: int = 1, snaplen: int = 262_144) -> bytes:
    """Return a pcapng of these packets, with nanoseconds."""
    build = Pcapng(byte_order)
    blocks = [build.section(), build.interface(linktype, snaplen, options=build.resolution(9))]
    for record in records:
        time = record.seconds * 1_000_000_000 + record.nanoseconds
        blocks.append(build.enhanced(record.data, time=time, wire_length=record.wire_length))
    return b"".join(blocks)
