"""The table of capture formats: a format that is added to it can be read, filtered, summarised and copied."""

from __future__ import annotations

import re
import struct
from io import BytesIO
from typing import Final

import pytest

import cbpf
from cbpf.capture import registry
from cbpf.capture.base import (
    NO_PACKET,
    CaptureFormat,
    Container,
    Interface,
    Place,
    RecordSource,
    RecordSpan,
    RecordWriter,
    ScannedBuffer,
    Section,
)
from support.captures import Record, as_pcapng, decoded, encoded
from support.project import ROOT

MAGIC: Final = b"LINE"
ARP: Final = bytes(12) + b"\x08\x06" + bytes(46)
IP: Final = bytes(12) + b"\x08\x00" + bytes(46)


class Lines(Container):
    """A made-up format: after the magic number, records of a time in seconds, a length and a packet or a comment."""

    kind = "lines"
    header_size = 4

    def __init__(self) -> None:
        super().__init__("1", record_format="lines")
        self.interfaces = [Interface(cbpf.link_type("EN10MB"), 262_144, ">")]
        self.sections = [Section(">", 0)]

    def scan(self, buffer: bytes, first: int, name: str) -> ScannedBuffer:
        records: list[RecordSpan] = []
        start = 0
        while start + 8 <= len(buffer):
            seconds, length = struct.unpack_from(">II", buffer, start)
            end = start + 8 + length
            if end > len(buffer):
                return ScannedBuffer(records, 8 + length, None)
            if seconds:
                records.append((start, start + 8, end, end, length, 0))
            else:
                self.other_blocks["comment"] += 1
                records.append((start, end, end, end, 0, NO_PACKET))
            start = end
        return ScannedBuffer(records, 8, None)

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        start, _, _, _, _, _ = record
        (seconds,) = struct.unpack_from(">I", buffer, start)
        return int(seconds * 10**9)


class LinesWriter(RecordWriter):
    """Copies records."""

    record_format = "lines"

    def begin(self) -> bytes:
        return MAGIC

    def encode(self, source: RecordSource, buffer: bytes, records: list[RecordSpan], place: Place) -> bytes:
        return b"".join([buffer[start:end] for start, _, _, end, _, _ in records])


LINES_FORMAT: Final = CaptureFormat(
    "lines",
    recognizes=lambda begin: begin.startswith(MAGIC),
    open=lambda begin, name: Lines(),
    writer=lambda sources, snaplen: LinesWriter(),
)


def line(seconds: int, data: bytes) -> bytes:
    return struct.pack(">II", seconds, len(data)) + data


COMMENT: Final = line(0, b"a comment")
CAPTURE: Final = MAGIC + line(5, ARP) + COMMENT + line(6, IP) + line(7, ARP)


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FORMATS", (*registry.FORMATS, lambda: LINES_FORMAT))


def filtered(source: bytes | list[bytes], engine: object, **options: object) -> bytes:
    target = BytesIO()
    sources = [BytesIO(capture) for capture in (source if isinstance(source, list) else [source])]
    cbpf.filter_capture(sources, target, "arp", engine=engine, **options)  # type: ignore[arg-type]
    return target.getvalue()


def test_an_added_format_is_read() -> None:
    packets = list(cbpf.read_capture(BytesIO(CAPTURE)))
    assert [(packet.number, packet.time, packet.data) for packet in packets] == [(1, 5, ARP), (2, 6, IP), (3, 7, ARP)]
    with pytest.raises(
        cbpf.DamagedCapture, match=r"packet 3: 67 of its 68 bytes are present; the capture is truncated$"
    ):
        list(cbpf.read_capture(BytesIO(CAPTURE[:-1])))


@pytest.mark.parametrize("engine", ["python", "interpreter", "llvm"])
def test_an_added_format_is_filtered_and_copied(engine: str) -> None:
    """The llvm engine is called for each packet, since the format has no native scan."""
    assert filtered(CAPTURE, engine) == MAGIC + line(5, ARP) + COMMENT + line(7, ARP)
    assert filtered([CAPTURE, CAPTURE], engine, container="lines") == MAGIC + 2 * (
        line(5, ARP) + COMMENT + line(7, ARP)
    )


@pytest.mark.parametrize("engine", ["python", "llvm"])
def test_an_added_format_is_converted(engine: str) -> None:
    records = [Record(seconds, 0, 60, ARP) for seconds in (5, 7)]
    assert decoded(filtered(CAPTURE, engine, container="pcap")) == records
    pcapng = as_pcapng(records, ">")
    converted = filtered(CAPTURE, engine, container="pcapng")
    assert [packet[1:4] for packet in cbpf.read_capture(BytesIO(converted))] == [
        packet[1:4] for packet in cbpf.read_capture(BytesIO(pcapng))
    ]
    mixed = filtered([CAPTURE, encoded(records)], engine)
    assert len(list(cbpf.read_capture(BytesIO(mixed)))) == 4


def test_an_added_format_is_summarised() -> None:
    info = cbpf.capture_info(BytesIO(CAPTURE))
    assert (info.container, info.version, info.variant, info.capture_size) == ("lines", "1", None, len(CAPTURE))
    assert (info.byte_orders, info.sections, info.other_blocks) == ((">",), 1, (("comment", 1),))
    assert (info.totals.packets, info.totals.earliest_ns, info.totals.latest_ns) == (3, 5 * 10**9, 7 * 10**9)


def test_only_the_formats_know_their_names() -> None:
    """No module except the two formats tests the class or the kind of a container."""
    test = re.compile(r"isinstance\([^)]*\b(Pcap|Pcapng)\b|container\.kind (==|!=|in)\b|[!=]= \"pcap(ng)?\"")
    package = ROOT / "src" / "cbpf"
    formats = {package / "capture" / f"{name}.py" for name in ("pcap", "pcapng")}
    paths = {path for folder in ("capture", "filtering") for path in (package / folder).rglob("*.py")}
    assert formats < paths
    assert [path for path in paths - formats if test.search(path.read_text())] == []
