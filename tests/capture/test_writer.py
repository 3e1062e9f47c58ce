"""`CaptureWriter` and `write_capture`: fields are preserved, other programs read the files, and errors are named."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from support.captures import TRAFFIC, Record, Variant, as_pcapng, decoded, encoded
from support.captures import Pcapng as PcapngBlocks
from support.project import Rounds
from support.sample_captures import PLAIN, RECORDS

SECOND: Final = 1_000_000_000
TIME: Final = 1_700_000_000 * SECOND


def interface(link_type: str = "EN10MB", **fields: Any) -> cbpf.Interface:
    return cbpf.Interface(**{"link_type": cbpf.link_type(link_type), "snaplen": 262_144, "byte_order": "<", **fields})


def written(*packets: Any, **options: Any) -> bytes:
    """Return the capture with these packets."""
    file = BytesIO()
    cbpf.write_capture(file, packets, **options)
    return file.getvalue()


def read(data: bytes) -> list[cbpf.Packet]:
    return list(cbpf.read_capture(BytesIO(data)))


def fields(packets: list[cbpf.Packet]) -> list[tuple[Any, ...]]:
    return [(packet.time_ns, packet.wire_length, bytes(packet.data), packet.interface) for packet in packets]


# Round trips


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
@pytest.mark.parametrize(
    "capture",
    [TRAFFIC.read_bytes(), PLAIN, encoded(RECORDS, Variant(">", 0xA1B23C4D)), as_pcapng(RECORDS), as_pcapng([])],
    ids=["traffic", "microseconds", "big-endian nanoseconds", "pcapng", "no packets"],
)
def test_a_capture_is_written_again(capture: bytes, container: Any) -> None:
    target = BytesIO()
    cbpf.write_capture(target, cbpf.read_capture(BytesIO(capture)), container=container)
    assert fields(read(target.getvalue())) == fields(read(capture))
    before, after = (cbpf.read_capture(BytesIO(data)) for data in (capture, target.getvalue()))
    assert after.container.kind == container
    assert (after.link_type, after.snaplen) == (before.link_type, before.snaplen)
    assert after.interfaces[0].needs_nanoseconds == before.interfaces[0].needs_nanoseconds


@pytest.mark.skipif(sys.byteorder != "little", reason="the capture is little-endian")
def test_a_pcap_is_written_byte_for_byte() -> None:
    target = BytesIO()
    cbpf.write_capture(target, cbpf.read_capture(TRAFFIC))
    assert target.getvalue() == TRAFFIC.read_bytes()


def test_all_interfaces_are_written_again() -> None:
    """They are described where they first are in the capture, after other packets."""
    build = PcapngBlocks("<")
    name = struct.pack("<HH", 2, 4) + b"eth1" + bytes(4)
    capture = b"".join(
        [
            build.section(),
            build.interface(1, 96, options=build.resolution(9)),
            build.enhanced(b"first", time=TIME + 1),
            build.interface(101, 50, options=name),
            build.enhanced(b"second", time=TIME // 1000, wire_length=70, interface=1),
        ]
    )
    target = BytesIO()
    cbpf.write_capture(target, cbpf.read_capture(BytesIO(capture)), container="pcapng")
    reader = cbpf.read_capture(BytesIO(target.getvalue()))
    assert fields(list(reader)) == fields(read(capture)) == [(TIME + 1, 5, b"first", 0), (TIME, 70, b"second", 1)]
    described = [(item.link_type.name, item.snaplen, item.name) for item in reader.interfaces]
    assert described == [("EN10MB", 96, None), ("RAW", 50, "eth1")]


def test_packets_of_all_kinds() -> None:
    file = BytesIO()
    with cbpf.CaptureWriter(file) as writer:
        writer.append(cbpf.Packet(7, TIME, 100, b"one"))
        writer.append(memoryview(b"two"))
        writer.append(bytearray(b"three"), time_ns=TIME - 5000, wire_length=9)
        writer.append(cbpf.Packet(1, TIME, 100, b"four"), time_ns=TIME + 7000, wire_length=4)
        writer.extend(cbpf.Packets(b"fivesix", positions=[0, 4], lengths=[4, 3], wire_lengths=[4, 30]))
        writer.extend([cbpf.Packet(1, 0, 5, b"seven"), (b"eight", 8)])
        assert writer.packets_written == 8
    assert [(p.time_ns - TIME, p.wire_length, p.data) for p in read(file.getvalue())[:6]] == [
        (0, 100, b"one"),
        (1000, 3, b"two"),
        (-5000, 9, b"three"),
        (7000, 4, b"four"),
        (8000, 4, b"five"),
        (9000, 30, b"six"),
    ]
    assert fields(read(file.getvalue())[6:]) == [(0, 5, b"seven", 0), (1000, 8, b"eight", 0)]


def test_columns_of_packets_are_written() -> None:
    build = PcapngBlocks("<")
    blocks = [build.section(), build.interface(1), build.interface(1), build.enhanced(b"abc", time=5, interface=1)]
    capture = b"".join([*blocks, build.enhanced(b"de", time=7, wire_length=9)])
    packets, file = cbpf.read_capture(BytesIO(capture)).packets(), BytesIO()
    cbpf.write_capture(file, packets, interfaces=[interface(), interface()], container="pcapng")
    assert fields(read(file.getvalue())) == fields(read(capture))
    assert fields(read(written(*packets))) == [(0, 3, b"abc", 0), (1000, 2, b"de", 0)]


def _comments(capture: bytes) -> Iterator[str]:
    """Yield the comment of each enhanced packet block of a little-endian pcapng, an empty one if there is none."""
    start = 0
    while start < len(capture):
        kind, length = struct.unpack_from("<II", capture, start)
        if kind == 6:
            (captured,) = struct.unpack_from("<I", capture, start + 20)
            options = start + 28 + captured + -captured % 4
            code, size = (1, 0) if options == start + length - 4 else struct.unpack_from("<HH", capture, options)
            assert code == 1
            yield capture[options + 4 : options + 4 + size].decode()
        start += length


def test_comments_are_written() -> None:
    file = BytesIO()
    comments = ["a", "", "näher: \U0001f600", "x" * 65_535]
    with cbpf.CaptureWriter(file, container="pcapng", byte_order="<") as writer:
        for comment in comments:
            writer.append(b"abc", comment=comment)
        writer.append(b"abc")
    assert list(_comments(file.getvalue())) == [*comments, ""]
    assert [packet.data for packet in read(file.getvalue())] == [b"abc"] * 5


def test_interfaces_of_both_byte_orders() -> None:
    """The header of NULL is in the byte order of the capturing host."""
    big = b"\0\0\0\x02" + bytes(20)
    for byte_order, expected in (("<", big[3::-1] + big[4:]), (">", big)):
        for container in ("pcap", "pcapng"):
            options: dict[str, Any] = {"byte_order": byte_order, "container": container}
            packets = read(written(big, interfaces=[interface("NULL", byte_order=">")], **options))
            assert [packet.data for packet in packets] == [expected]
    with pytest.raises(
        cbpf.FieldError, match=r"interface 0: link type NFLOG has headers in .*write its byte order, '>'"
    ):
        written(interfaces=[interface("NFLOG", byte_order=">")], byte_order="<")


@pytest.mark.fuzz
def test_random_packets_are_preserved(rounds: Rounds) -> None:
    """In either format, compressed or not, with interfaces of both byte orders, in calls of any number of packets."""
    for random in rounds(40):
        unit = random.choice([1, 1000])
        packets = []
        for number in range(1, random.randrange(600)):
            data = random.randbytes(random.randrange(100))
            wire_length = len(data) + random.choice([0, 1, 70_000])
            time_ns = unit * random.randrange(2**32 * SECOND // unit)
            packets.append(cbpf.Packet(number, time_ns, wire_length, data, random.randrange(3)))
        interfaces = [interface(byte_order=random.choice("<>"), resolution=SECOND // unit) for _ in range(3)]
        container: Any = random.choice(["pcap", "pcapng"])
        byte_order: Any = random.choice("<>")
        compress = random.choice([None, "gzip", "xz", "bzip2"])
        file, rest = BytesIO(), list(packets)
        with cbpf.CaptureWriter(
            file, interfaces=interfaces, container=container, compress=compress, byte_order=byte_order
        ) as writer:
            while rest:
                count = random.choice([1, 10, 500])
                call, rest = rest[:count], rest[count:]
                writer.extend(call) if len(call) > 1 else writer.append(call[0])
        expected = packets if container == "pcapng" else [packet._replace(interface=0) for packet in packets]
        assert fields(read(file.getvalue())) == fields(expected)


# Nanoseconds and formats


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_nanoseconds_are_used_where_needed(container: Any) -> None:
    late = [cbpf.Packet(1, TIME + index, 1, b"a") for index in (0, 1000, 1001)]
    early = [late[2], *late]
    fine = [interface(resolution=SECOND)]
    for packets, options, expected in (
        (late[:2], {}, [0, 1000]),
        (early, {}, [1001, 0, 1000, 1001]),
        (late[:1], {"interfaces": fine}, [0]),
        (late, {"nanoseconds": True}, [0, 1000, 1001]),
        (early, {"nanoseconds": False}, [1000, 0, 1000, 1000]),
    ):
        reader = cbpf.read_capture(BytesIO(written(*packets, container=container, **options)))
        assert [packet.time_ns - TIME for packet in reader] == expected
        is_fine = options.get("nanoseconds", packets is early or "interfaces" in options)
        assert reader.interfaces[0].resolution == (SECOND if is_fine else 1_000_000)
    with cbpf.CaptureWriter(None, container=container) as writer:
        writer.append(late[0])
        message = rf"packet 2: time is {TIME + 1001} ns; the capture was begun with microseconds; pass nanoseconds=True"
        with pytest.raises(cbpf.FieldError, match=f"^{re.escape(message)}$"):
            writer.append(late[2])


def test_the_name_decides_on_format_and_compression(tmp_path: Path) -> None:
    for name, expected in (
        ("a.pcap", ("pcap", None)),
        ("a", ("pcap", None)),
        ("a.PCAPNG", ("pcapng", None)),
        ("a.pcapng.gz", ("pcapng", "gzip")),
        ("a.pcap.bz2", ("pcap", "bzip2")),
        ("pcapng", ("pcap", None)),
    ):
        cbpf.write_capture(tmp_path / name, [b"abc"])
        with cbpf.read_capture(tmp_path / name) as reader:
            assert (reader.container.kind, reader.compression) == expected, name
            assert [packet.data for packet in reader] == [b"abc"]
    cbpf.write_capture(tmp_path / "b.pcapng", [b"abc"], container="pcap", compress="gzip:1")
    assert gzip.decompress((tmp_path / "b.pcapng").read_bytes()) == written(b"abc")


def test_files_are_complete_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap.gz"
    with cbpf.CaptureWriter(path) as writer:
        writer.extend([b"abc"] * 1000)
        writer.flush()
        assert os.listdir(tmp_path) == []
    content = path.read_bytes()
    for error in (KeyboardInterrupt, cbpf.CaptureError):
        with suppress(error), cbpf.CaptureWriter(path) as writer:
            writer.append(b"other")
            raise error
    assert path.read_bytes() == content
    writer = cbpf.CaptureWriter(tmp_path / "b.pcap")
    writer.append(b"abc")
    writer.close()
    writer.close()
    assert len(read((tmp_path / "b.pcap").read_bytes())) == 1
    cbpf.CaptureWriter(tmp_path / "c.pcap").append(b"abc")  # never closed
    assert sorted(os.listdir(tmp_path)) == ["a.pcap.gz", "b.pcap"]
    with pytest.raises(cbpf.CaptureError, match=r"^/dev/full: No space left on device$"):
        cbpf.write_capture("/dev/full", [b"abc"])


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_a_closed_writer_is_not_written_to(compress: str, tmp_path: Path) -> None:
    file, path = BytesIO(), tmp_path / "a"
    for target in (path, file):
        writer = cbpf.CaptureWriter(target, compress=compress)
        writer.append(b"abc")
        writer.close()
        calls: list[Callable[[], object]] = [writer.flush, writer.__enter__, partial(writer.append, b"abc")]
        calls += [partial(writer.extend, [b"abc"]), partial(writer.add_interface, writer.interfaces[0])]
        for call in calls:
            with pytest.raises(cbpf.FieldError, match=r"(/a|target): the writer is closed$"):
                call()
        writer.close()
        assert writer.packets_written == len(writer.interfaces) == 1
    assert file.getvalue() == path.read_bytes()
    assert len(read(file.getvalue())) == 1


def test_packets_before_an_error_of_their_source_are_written() -> None:
    def packets() -> Iterator[bytes]:
        yield from [b"abc", b"de"]
        raise LookupError

    file = BytesIO()
    with cbpf.CaptureWriter(file) as writer:
        with pytest.raises(LookupError):
            writer.extend(packets())
        assert writer.packets_written == 2
    assert [packet.data for packet in read(file.getvalue())] == [b"abc", b"de"]


def test_the_packets_before_a_damage_are_written(tmp_path: Path) -> None:
    with pytest.raises(cbpf.DamagedCapture):
        cbpf.write_capture(tmp_path / "a.pcap", cbpf.read_capture(BytesIO(TRAFFIC.read_bytes()[:-1])))
    assert len(read((tmp_path / "a.pcap").read_bytes())) == 904


# Wrong input


@pytest.mark.parametrize(
    ("packet", "options", "message"),
    [
        (b"abc", {"wire_length": 2}, "3 bytes, but 2 on the wire; a packet has as many captured bytes at most"),
        (b"abc", {"wire_length": 2**32}, "wire length: 4294967296 is not an unsigned 32-bit number"),
        (b"abc", {"wire_length": "3"}, "wire length: '3' is not an integer"),
        (b"abc", {"time_ns": 1.5}, "time: 1.5 is not an integer"),
        (b"abc", {"time_ns": -1000}, "time is -1 seconds since 1970; a pcap"),
        (b"abc", {"time_ns": 1000 * 2**64 * SECOND}, "time is 18446744073709551616000 seconds since 1970; a pcap"),
        (b"abc", {"time_ns": 1 << 127}, "time is a number of 128 bits; no format has space for it"),
        (b"abc", {"interface": 2}, "interface 2; the capture has 2, counted from 0"),
        (b"abc", {"interface": -1}, "interface -1; the capture has 2, counted from 0"),
        (b"abc", {"interface": True}, "interface: True is not an integer"),
        (bytes(97), {}, "97 bytes; a packet of interface 0, link type EN10MB, has at most 96"),
        (b"abc", {"comment": b"x"}, "comment: b'x' is not text"),
        (b"abc", {"comment": "x" * 65_536}, "comment of 65536 bytes; it has at most 65535"),
        ("abc", {}, "expected a bytes-like object, got str"),
        (None, {}, "expected a bytes-like object, got NoneType"),
    ],
)
@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_invalid_packets_are_named(packet: Any, options: Any, message: str, container: Any) -> None:
    file = BytesIO()
    with cbpf.CaptureWriter(file, interfaces=[interface(snaplen=96), interface("RAW")], container=container) as writer:
        writer.append(b"before")
        with pytest.raises(cbpf.CbpfError, match=f"^packet 2: {re.escape(message)}"):
            writer.append(packet, **options)
        writer.append(b"after")
    assert [packet.data for packet in read(file.getvalue())] == [b"before", b"after"]


def test_packets_before_an_invalid_one_are_written() -> None:
    for packets, message in (
        ([b"a", b"b", 5, b"c"], "packet 3: expected a bytes-like object"),
        ([b"a", b"b", cbpf.Packet(1, -1, 1, b"x"), b"c"], "packet 3: time is -1 seconds"),
    ):
        file = BytesIO()
        with cbpf.CaptureWriter(file, nanoseconds=True) as writer, pytest.raises(cbpf.CbpfError, match=f"^{message}"):
            writer.extend(packets)
        writer.close()
        assert [packet.data for packet in read(file.getvalue())] == [b"a", b"b"]


def test_packets_are_iterable() -> None:
    with cbpf.CaptureWriter(None) as writer, pytest.raises(cbpf.FieldError, match=r"^packets: 5 is not iterable$"):
        writer.extend(5)  # type: ignore[arg-type]


def test_a_pcap_has_one_link_type_and_no_comments() -> None:
    with cbpf.CaptureWriter(None, interfaces=[interface(), interface("RAW")]) as writer:
        writer.append(b"abc")
        message = "packet 2: link type RAW is not EN10MB as before; a pcap has one link type"
        with pytest.raises(cbpf.CaptureError, match=f"^{message}$"):
            writer.append(b"abc", interface=1)
        with pytest.raises(cbpf.FieldError, match=r"^packet 2: has a comment; a pcapng has comments"):
            writer.append(b"abc", comment="text")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link_type": "NONE"}, "NONE"),
        ({"link_type": "RAW", "interfaces": []}, "link_type: cannot be combined with interfaces"),
        ({"interfaces": ["eth0"]}, "interface 0: 'eth0' is not an Interface"),
        ({"interfaces": 5}, "interfaces: 5 is not iterable"),
        ({"container": "cap"}, "container: 'cap' is not one of"),
        ({"compress": "zip"}, "compress: 'zip' is not one of"),
        ({"compress": ["zstd"]}, r"compress: \['zstd'\] is not one of"),
        ({"nanoseconds": 1}, "nanoseconds: 1 is neither True nor False"),
        ({"byte_order": "big"}, "byte_order: 'big' is not one of"),
    ],
)
def test_invalid_arguments_are_rejected(options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(cbpf.FieldError, match=message):
        cbpf.CaptureWriter(tmp_path / "a.pcap", **options)
    assert os.listdir(tmp_path) == []


def test_a_capture_without_interfaces() -> None:
    with pytest.raises(cbpf.CaptureError, match="describes no interface and thus no link type; a pcap requires one"):
        written(interfaces=[])
    assert read(written(interfaces=[], container="pcapng")) == []


# Other programs


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
@pytest.mark.parametrize("resolution", [1, 1000])
def test_tcpdump_reads_the_packets(container: str, resolution: int, tmp_path: Path) -> None:
    if shutil.which("tcpdump") is None:
        pytest.skip("needs tcpdump")
    path = tmp_path / f"a.{container}"
    packets = [
        cbpf.Packet(index, TIME + resolution * index, packet.wire_length + index, packet.data)
        for index, packet in enumerate(cbpf.read_capture(TRAFFIC))
    ]
    cbpf.write_capture(path, packets)
    done = subprocess.run(["tcpdump", "--nano", "-r", str(path), "-w", "-"], capture_output=True, check=True)
    expected = [Record(*divmod(packet.time_ns, SECOND), packet.wire_length, packet.data) for packet in packets]
    assert decoded(done.stdout) == expected


def test_capinfos_reads_a_pcapng(tmp_path: Path) -> None:
    if shutil.which("capinfos") is None:
        pytest.skip("needs capinfos, of Wireshark")
    path = tmp_path / "a.pcapng"
    with cbpf.CaptureWriter(path, interfaces=[interface(name="eth0"), interface("RAW", snaplen=96)]) as writer:
        writer.append(b"abc", time_ns=TIME + 1, wire_length=60, comment="a comment")
        writer.append(b"de", interface=1)
    text = subprocess.run(["capinfos", str(path)], capture_output=True, text=True, check=True).stdout
    values = dict(re.findall(r"^ *([\w #]+?)(?: =|:) +(.+)$", text, re.MULTILINE))
    assert values["Number of packets"] == "1"  # of the last interface
    assert re.search(r"^Number of packets: +2$", text, re.MULTILINE)
    assert re.search(r"^ +Name = eth0$", text, re.MULTILINE)
    assert re.findall(r"^ +Capture length = (\d+)$", text, re.MULTILINE) == ["262144", "96"]
    assert re.findall(r"^ +Time precision = (\w+)", text, re.MULTILINE) == ["nanoseconds", "nanoseconds"]
