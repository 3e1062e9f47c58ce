"""Reading, filtering and writing pcapng: sections, interfaces, times, blocks without packets, damage, conversion."""

from __future__ import annotations

import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, cast

import pytest

import cbpf
from support.captures import NANOSECONDS, TRAFFIC, Pcapng, Record, Variant, as_pcapng, clipped, decoded, encoded
from support.command_line import CommandLine
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.sample_captures import ARP, RECORDS, Trickle, microseconds, pipe
from support.sample_pcapng import COMMENT, FRAME, PACKET, SECOND, TIMES, blocks_of_all_kinds, without_blocks

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")  # arp, on link types that have none

NEEDS_TCPDUMP: Final = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")


def filtered(source: bytes, filter: str | cbpf.Savefile | cbpf.Program = "", **options: object) -> bytes:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(source), target, filter, **options)  # type: ignore[arg-type]
    return target.getvalue()


def packets(capture: bytes) -> list[cbpf.Packet]:
    return list(cbpf.read_capture(BytesIO(capture)))


# Packets


def test_packet_blocks_of_all_kinds_are_read(build: Pcapng) -> None:
    capture = b"".join(
        [
            build.section(),
            build.interface(snaplen=40),
            build.interface(linktype=101, options=build.resolution(9)),
            build.enhanced(
                PACKET, interface=1, time=5 * SECOND + 7, wire_length=99, options=build.options((2, bytes(4)))
            ),
            build.simple(FRAME[:40], wire_length=64),
            build.obsolete(PACKET[:3], interface=1, time=1 << 33, wire_length=20),
        ]
    )
    assert packets(capture) == [
        (1, 5 * SECOND + 7, 99, PACKET, 1, ()),
        (2, 0, 64, FRAME[:40], 0, ()),
        (3, 1 << 33, 20, PACKET[:3], 1, ()),
    ]


def test_interface_descriptions_are_read(build: Pcapng) -> None:
    options = build.options((COMMENT, b"x"), (2, b"eth0"), (9, b"\x86"), (14, struct.pack(f"{build.byte_order}q", -3)))
    capture = build.section() + build.interface(1, 0, options=options) + build.interface(101, 0xFFFF_FFFF)
    reader = cbpf.read_capture(BytesIO(capture))
    assert (reader.link_type.name, reader.snaplen) == ("EN10MB", 262_144)
    assert list(reader) == []
    ethernet, raw = cbpf.link_type("EN10MB"), cbpf.link_type("RAW")
    assert reader.interfaces == (
        cbpf.Interface(ethernet, 262_144, build.byte_order, 64, -3, "eth0"),  # type: ignore[arg-type]
        cbpf.Interface(raw, 262_144, build.byte_order),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("code", "offset", "units", "expected"), TIMES)
def test_times_are_exact(code: int, offset: int, units: int, expected: int, build: Pcapng) -> None:
    head = build.section() + build.interface(options=build.resolution(code, offset=offset))
    assert [packet.time_ns for packet in packets(head + build.enhanced(FRAME, time=units))] == [expected]
    assert [packet.time_ns for packet in packets(head + build.simple(FRAME))] == [offset * SECOND]


def test_sections_may_have_different_byte_orders() -> None:
    little, big = Pcapng("<"), Pcapng(">")
    first = [little.section(), little.interface(), little.enhanced(FRAME), little.enhanced(bytes(60))]
    second = [big.section(length=0), big.interface(linktype=101), big.interface(), big.enhanced(FRAME, interface=1)]
    capture = b"".join([*first, *second])
    assert [(packet.interface, packet.data) for packet in packets(capture)] == [(0, FRAME), (0, bytes(60)), (2, FRAME)]
    assert filtered(capture, "arp") == without_blocks([*first, *second], 3)


def test_streams_that_deliver_few_bytes_at_a_time_are_read(build: Pcapng) -> None:
    capture = build.section() + build.interface() + build.enhanced(FRAME) + build.block(99, b"more") * 3
    assert len(list(cbpf.read_capture(cast(BinaryIO, Trickle(capture))))) == 1
    with pipe() as (read_end, writer), open(read_end, "rb", buffering=0, closefd=False) as file:
        writer.write(capture + build.enhanced(FRAME)[:-1])
        reader = cbpf.read_capture(cast(BinaryIO, file))
        assert reader.link_type.name == "EN10MB"
        assert next(iter(reader)).number == 1


def test_the_maximum_number_of_interfaces_is_read_and_one_more_is_rejected() -> None:
    build = Pcapng()
    capture = build.section() + (build.interface() + build.simple(b"x")) * 65_536
    with pytest.raises(
        cbpf.DamagedCapture,
        match=f"block at byte {len(capture)}: describes interface number 65537; the maximum is 65536",
    ) as caught:
        filtered(capture + build.interface())
    assert caught.value.summary is not None
    assert caught.value.summary.packets_accepted == 65_536


# Filtering


def test_blocks_without_a_packet_are_copied(build: Pcapng) -> None:
    blocks = blocks_of_all_kinds(build)
    assert filtered(b"".join(blocks)) == b"".join(blocks)
    assert filtered(b"".join(blocks), "arp") == without_blocks(blocks, 6, 8, 9)
    assert filtered(b"".join(blocks), "ip") == without_blocks(blocks, 4, 6, 9)
    assert filtered(b"".join(blocks), "arp or ip", invert=True) == without_blocks(blocks, 4, 8)


def test_summary_counts_packets_only(build: Pcapng) -> None:
    summary = cbpf.filter_capture(BytesIO(b"".join(blocks_of_all_kinds(build))), None, "arp")
    assert summary[:4] == (4, 1, 64 + 60 + 20 + 60, 64)


@pytest.mark.parametrize(("count", "end"), [(1, 5), (2, 7), (3, 9), (4, 10), (5, 12)])
def test_count_ends_after_its_packet(count: int, end: int, build: Pcapng) -> None:
    blocks = blocks_of_all_kinds(build)
    assert filtered(b"".join(blocks), "", count=count) == b"".join(blocks[:end])


def test_a_program_runs_on_every_link_type(build: Pcapng) -> None:
    blocks = blocks_of_all_kinds(build)
    longer = cbpf.parse("ld #len\njgt #60,0,1\nret #1\nret #0")
    assert filtered(b"".join(blocks), longer) == without_blocks(blocks, 6, 8, 9)


def test_loopback_headers_have_either_byte_order() -> None:
    """A section may contain packets of another host, as in libpcap 1.11."""
    little, big = Pcapng("<"), Pcapng(">")
    frames = [struct.pack("<I", 2) + PACKET, struct.pack(">I", 2) + PACKET]
    frames.append(struct.pack("<I", 24) + PACKET)
    sections = [[build.section(), build.interface(linktype=0), *map(build.enhanced, frames)] for build in (little, big)]
    assert filtered(b"".join(sections[0] + sections[1]), "ip") == without_blocks(sections[0] + sections[1], 4, 9)


def test_an_invalid_expression_is_rejected_in_a_capture_without_packets(build: Pcapng) -> None:
    with pytest.raises(cbpf.ExpressionError, match=r"^expression 'no such word'"):
        filtered(build.section() + build.interface(), "no such word")


def test_as_socket_uses_the_link_type_of_each_interface(build: Pcapng) -> None:
    program = cbpf.parse("ld #proto\njeq #0x0806,1\njeq #0x0800,0,1\nret #1\nret #0")
    blocks = blocks_of_all_kinds(build)
    assert filtered(b"".join(blocks), program, as_socket=True, dialect=cbpf.LINUX) == without_blocks(blocks, 6, 9)


def test_expressions_are_compiled_for_an_interface(build: Pcapng) -> None:
    reader = cbpf.read_capture(BytesIO(b"".join(blocks_of_all_kinds(build))))
    assert cbpf.compile_for_capture("arp", reader) == cbpf.compile("arp")
    list(reader)
    assert cbpf.compile_for_capture("ip", reader, interface=1) == cbpf.compile("ip", link_type="RAW")
    with pytest.raises(cbpf.CaptureError, match="capture: has described 2 interfaces so far"):
        cbpf.compile_for_capture("ip", reader, interface=2)


# Captures without packets or interfaces


def test_a_capture_without_interfaces_is_read_and_has_no_link_type(build: Pcapng) -> None:
    capture = build.section() + build.block(99, b"more")
    reader = cbpf.read_capture(BytesIO(capture))
    with pytest.raises(cbpf.CaptureError, match="capture: describes no interface and thus no link type"):
        _ = reader.link_type
    assert list(reader) == []
    assert filtered(capture, "arp") == capture


def test_look_ahead_is_limited() -> None:
    build = Pcapng()
    reader = cbpf.read_capture(BytesIO(build.section() + build.block(99, bytes(1 << 20)) * 20 + build.interface()))
    with pytest.raises(cbpf.CaptureError, match="describes no interface"):
        _ = reader.link_type
    assert list(reader) == []
    assert reader.link_type.name == "EN10MB"


# Conversion


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("magic", [0xA1B2_C3D4, NANOSECONDS])
def test_pcap_to_pcapng_and_back_is_lossless(byte_order: str, magic: int) -> None:
    variant = Variant(byte_order, magic, linktype=113, snaplen=1000)
    capture = encoded(clipped(RECORDS, 1000), variant)
    pcapng = filtered(capture, container="pcapng")
    assert packets(pcapng) == packets(capture)
    reader = cbpf.read_capture(BytesIO(pcapng))
    assert (reader.link_type.name, reader.snaplen) == ("LINUX_SLL", 1000)
    assert filtered(pcapng, container="pcap") == capture


def test_captures_without_packets_are_converted() -> None:
    build = Pcapng("<")
    assert filtered(encoded([]), container="pcapng") == build.section() + build.interface()
    assert filtered(build.section() + build.interface(snaplen=99), container="pcap") == encoded([], Variant(snaplen=99))


def test_the_link_type_of_a_converted_pcap_is_that_of_its_first_packet(build: Pcapng, tmp_path: Path) -> None:
    capture = b"".join(blocks_of_all_kinds(build))
    of_raw = filtered(capture, "ip", container="pcap")
    assert of_raw == encoded([Record(0, 0, 20, PACKET)], Variant(build.byte_order, NANOSECONDS, linktype=101))
    assert filtered(capture, "arp", container="pcap") == encoded([Record(0, 0, 64, FRAME)], Variant(build.byte_order))
    target = tmp_path / "out.pcap"
    with pytest.raises(cbpf.CaptureError, match=r"capture: packet 3: link type RAW is not EN10MB as before"):
        cbpf.filter_capture(BytesIO(capture), target, "", container="pcap")
    assert not target.exists()


MISFITS: Final = {
    "seconds of 33 bits": (6, 2**32 * 1_000_000, 64, "time is 4294967296 seconds since 1970; a pcap has 32 bits"),
    "late nanoseconds": (9, 1001, 64, "time has nanoseconds; the pcap header, already written, declares microseconds"),
    "late snapshot length": (6, 0, 300, "captured length is 300 bytes; the pcap header, already written, allows 262"),
}


@pytest.mark.parametrize("name", MISFITS)
def test_packets_that_do_not_fit_the_pcap_header_are_rejected(name: str, build: Pcapng) -> None:
    code, time, size, message = MISFITS[name]
    late = build.interface(options=build.resolution(code)) + build.enhanced(bytes(size), interface=1, time=time)
    capture = build.section() + build.interface(snaplen=262) + build.enhanced(FRAME)
    with pipe() as (read_end, writer), open(read_end, "rb", buffering=0, closefd=False) as file:
        output = BytesIO()

        class Recorder(BytesIO):
            def write(self, data: object) -> int:
                if not output.tell():
                    writer.write(late)
                    writer.close()
                return output.write(data)  # type: ignore[arg-type]

        writer.write(capture)
        with pytest.raises(cbpf.CaptureError, match=f"packet 2: {message}"):
            cbpf.filter_capture(cast(BinaryIO, file), Recorder(), "", container="pcap")
    assert decoded(output.getvalue()) == [Record(0, 0, 64, FRAME)]


def test_binary_resolutions_are_converted_to_nanoseconds(build: Pcapng) -> None:
    capture = build.section() + build.interface(options=build.resolution(0x8A)) + build.enhanced(FRAME, time=1025)
    assert decoded(filtered(capture, container="pcap")) == [Record(1, 976_562, 64, FRAME)]


@pytest.mark.parametrize("container", ["", "PCAP", "gzip", None])
def test_unknown_containers_are_rejected(container: object) -> None:
    with pytest.raises(cbpf.FieldError, match=r"filter_capture\.container"):
        filtered(encoded([]), container=container)


def test_link_types_beyond_16_bits_are_rejected() -> None:
    with pytest.raises(cbpf.CaptureError, match="link type 65536 does not fit in a pcapng"):
        filtered(encoded([], Variant(linktype=65_536)), cbpf.parse("ret #1"), container="pcapng")


# Several sources


def test_several_sources_are_joined_as_sections(build: Pcapng) -> None:
    pcapng, pcap = b"".join(blocks_of_all_kinds(build)), encoded(ARP, Variant(build.byte_order, linktype=101))
    target = BytesIO()
    cbpf.filter_capture([BytesIO(pcapng), BytesIO(pcap), BytesIO(pcapng)], target, "")
    (record,) = ARP
    section = build.section() + build.interface(linktype=101) + build.enhanced(record.data, time=5_000_001)
    assert target.getvalue() == pcapng + section + pcapng


def test_several_sources_are_joined_as_one_pcap(build: Pcapng, tmp_path: Path) -> None:
    """The reader looks ahead, so the nanoseconds of the second source are known before the first packet is written."""
    paths = [tmp_path / "1.pcapng", tmp_path / "2.pcapng", tmp_path / "3.pcap"]
    paths[0].write_bytes(build.section() + build.interface(snaplen=100) + build.enhanced(FRAME, time=1_000_001))
    paths[1].write_bytes(as_pcapng(RECORDS))
    paths[2].write_bytes(encoded(RECORDS))
    target = BytesIO()
    cbpf.filter_capture([*paths], target, "", container="pcap")
    assert target.getvalue()[:24] == encoded([], Variant(build.byte_order, NANOSECONDS))
    assert decoded(target.getvalue()) == [Record(1, 1000, 64, FRAME), *RECORDS, *map(microseconds, RECORDS)]


def test_pcaps_of_different_link_types_fit_a_pcapng() -> None:
    target = BytesIO()
    sources: list[BinaryIO] = [BytesIO(encoded(RECORDS)), BytesIO(encoded(RECORDS, Variant(linktype=101)))]
    cbpf.filter_capture(sources, target, "", container="pcapng")
    assert [packet.interface for packet in packets(target.getvalue())] == [0] * 4 + [1] * 4


def test_sources_after_a_damaged_one_are_filtered(tmp_path: Path) -> None:
    target, capture = tmp_path / "out.pcapng", as_pcapng(RECORDS)
    with pytest.raises(
        cbpf.DamagedCapture, match=r"packet 4: 95 of its 96 bytes are present; the capture is truncated$"
    ):
        cbpf.filter_capture([BytesIO(capture[:-1]), BytesIO(capture)], target, "")
    assert target.read_bytes() == as_pcapng(RECORDS[:3]) + capture


# Invalid blocks


BUILD: Final = Pcapng("<")
HEAD: Final = BUILD.section() + BUILD.interface(snaplen=64)


def with_field(block: bytes, offset: int, field: bytes) -> bytes:
    return block[:offset] + field + block[offset + len(field) :]


def with_length(block: bytes, length: int) -> bytes:
    return with_field(block, 4, struct.pack("<I", length))


ENHANCED: Final = BUILD.enhanced(FRAME)
INTERFACE: Final = BUILD.interface(options=BUILD.resolution(9))
INVALID_BLOCKS: Final = {
    "length 8": (with_length(ENHANCED, 8), "packet 2: block length is 8; this block type has at least 32 bytes"),
    "length 0": (with_length(BUILD.block(99, b""), 0), "block length is 0; this block type has at least 12 bytes"),
    "odd length": (with_length(ENHANCED, 97), "packet 2: block length is 97; block lengths are multiples of 4"),
    "endless length": (with_length(ENHANCED, 2**32 - 4), "packet 2: block length is 4294967292; the maximum is"),
    "short interface": (BUILD.block(1, bytes(4)), "block length is 16; an interface description has at least 20 bytes"),
    "short section": (BUILD.block(0x0A0D0D0A, b"\x4d\x3c\x2b\x1a"), "16; a section header has at least 28 bytes"),
    "length mismatch": (
        ENHANCED[:-4] + b"\x60\0\0\1",
        "packet 2: block length mismatch: 96 in the header, 16777312 in the trailer",
    ),
    "length mismatch of a block without a packet": (
        BUILD.block(99, b"")[:-4] + bytes(4),
        f"block at byte {len(HEAD + ENHANCED)}: block length mismatch",
    ),
    "undefined interface": (
        BUILD.enhanced(b"", interface=1),
        "packet 2: undefined interface 1; its section has described 1",
    ),
    "obsolete": (BUILD.obsolete(b"", interface=9), "packet 2: undefined interface 9; its section has described 1"),
    "no interface": (
        BUILD.section() + BUILD.simple(b""),
        "packet 2: undefined interface 0; its section has described 0",
    ),
    "beyond the snapshot length": (BUILD.enhanced(bytes(65)), "captured length is 65 bytes; .* snapshot length of 64"),
    "beyond the block": (with_field(BUILD.enhanced(b"data"), 20, b"\5"), "captured length is 5 bytes; .* space for 4"),
    "beyond the simple block": (BUILD.simple(b"data", wire_length=5), "captured length is 5 bytes; .* space for 4"),
    "byte-order magic": (
        with_field(HEAD[:28], 8, bytes(4)),
        "byte-order magic 00 00 00 00; the magic is 1a 2b 3c 4d or",
    ),
    "version": (BUILD.section(version=(2, 0)), "unsupported section version 2; version 1 is supported"),
    "long option": (with_field(INTERFACE, 18, b"\xff"), "option 9 of 255 bytes extends beyond the end of its block"),
    "invalid option": (with_field(INTERFACE, 18, b"\2"), "option 9 has 2 bytes; its size is 1"),
    "option beyond the block": (
        with_field(INTERFACE, 26, b"\1"),
        "option 0 of 1 bytes extends beyond the end of its block",
    ),
    "duplicate option": (
        BUILD.interface(options=BUILD.options((9, b"\6"), (9, b"\6"))),
        "duplicate option 9; it may occur once",
    ),
}


@pytest.mark.parametrize("name", INVALID_BLOCKS)
def test_an_invalid_block_is_reported_after_the_packets_before_it(name: str) -> None:
    block, message = INVALID_BLOCKS[name]
    reader = cbpf.read_capture(BytesIO(HEAD + ENHANCED + block + ENHANCED))
    assert next(reader).data == FRAME
    with pytest.raises(cbpf.DamagedCapture, match=message):
        next(reader)


INVALID_STARTS: Final = {
    "magic": (with_field(HEAD, 8, b"\1\2\3\4"), "block at byte 0: section header with byte-order magic 01 02 03 04"),
    "length": (with_length(HEAD, 24), "block at byte 0: block length is 24; a section header has at least 28 bytes"),
    "endless": (with_length(HEAD, 2**31), "block at byte 0: block length is 2147483648; the maximum is"),
    "version": (
        BUILD.section(version=(1, 1)),
        r"block at byte 0: unsupported pcapng version 1\.1; versions 1\.0 and 1\.2 are supported",
    ),
    "short": (HEAD[:23], "file too short: 23 bytes, but a pcapng section header has 28"),
}


@pytest.mark.parametrize("name", INVALID_STARTS)
def test_captures_with_an_invalid_first_section_are_rejected(name: str, tmp_path: Path) -> None:
    capture, message = INVALID_STARTS[name]
    target = tmp_path / "out.pcapng"
    with pytest.raises(cbpf.CaptureError, match=message) as error:
        cbpf.filter_capture(BytesIO(capture), target, "")
    assert not isinstance(error.value, cbpf.DamagedCapture)
    assert not target.exists()


def test_version_1_2_is_read(build: Pcapng) -> None:
    assert len(packets(build.section(version=(1, 2)) + build.interface() + build.enhanced(FRAME))) == 1


def test_truncation_at_any_byte_is_reported_after_the_complete_blocks(build: Pcapng) -> None:
    blocks = blocks_of_all_kinds(build)
    ends = [len(b"".join(blocks[:count])) for count in range(1, len(blocks) + 1)]
    capture = b"".join(blocks)
    for size in range(ends[0], len(capture) + 1):
        target = BytesIO()
        if size in ends:
            cbpf.filter_capture(BytesIO(capture[:size]), target, "")
        else:
            with pytest.raises(cbpf.DamagedCapture, match="bytes are present; the capture is truncated"):
                cbpf.filter_capture(BytesIO(capture[:size]), target, "")
        assert len(target.getvalue()) == max(end for end in ends if end <= size)


# Random damage


def damaged_captures(generator: random.Random) -> Iterator[bytes]:
    """Yield captures with flipped bits, incorrect lengths, truncation, and reordered blocks."""
    build = Pcapng(generator.choice("<>"))
    blocks = blocks_of_all_kinds(build)
    capture = bytearray(b"".join(blocks))
    for _ in range(generator.randrange(1, 4)):
        capture[generator.randrange(len(capture))] ^= 1 << generator.randrange(8)
    yield bytes(capture)
    yield bytes(capture[: generator.randrange(len(capture))])
    position = 4 * generator.randrange(len(capture) // 4)
    length = generator.choice([0, 1, 12, 16, 31, 64, 2**16, 2**24, 2**31, 2**32 - 1])
    yield bytes(with_field(bytes(capture), position, struct.pack(f"{build.byte_order}I", length)))
    generator.shuffle(blocks)
    yield build.section() + b"".join(blocks)


@pytest.mark.fuzz
def test_damaged_captures_yield_packets_and_one_error(rounds: Rounds) -> None:
    for generator in rounds(100):
        for capture in damaged_captures(generator):
            for container in ("same", "pcap", "pcapng"):
                target = BytesIO()
                with suppress(cbpf.CaptureError, cbpf.ExpressionError):
                    cbpf.filter_capture(BytesIO(capture), target, "", container=container)
                assert container != "same" or capture.startswith(target.getvalue())
                if target.getvalue():
                    list(cbpf.read_capture(BytesIO(target.getvalue())))


# Comparison with tcpdump, which supports one link type, one snapshot length and one byte order per capture


def run_tcpdump(capture: bytes, expression: str) -> tuple[bool, str, list[Record]]:
    """Return whether tcpdump read the complete capture, its error output, and the packets it accepted."""
    command = ["tcpdump", "--nano", "-O", "-r", "-", "-w", "-", expression]
    done = subprocess.run(command, input=capture, capture_output=True, check=False)
    return done.returncode == 0, done.stderr.decode(), decoded(done.stdout) if done.stdout else []


def ours(capture: bytes, expression: str) -> tuple[bool, list[Record]]:
    target, is_complete = BytesIO(), True
    try:
        cbpf.filter_capture(BytesIO(capture), target, expression)
    except (cbpf.CaptureError, cbpf.ExpressionError):
        is_complete = False
    accepted = packets(target.getvalue()) if target.getvalue() else []
    times = [divmod(packet.time_ns, SECOND) for packet in accepted]
    return is_complete, [
        Record(seconds % 2**32, nanoseconds, packet.wire_length, packet.data)
        for packet, (seconds, nanoseconds) in zip(accepted, times, strict=True)
    ]


def readable_by_tcpdump(build: Pcapng) -> bytes:
    traffic = [record.data[:100] for record in decoded(TRAFFIC.read_bytes())[5:9]]
    options = build.options((2, b"eth0"), (9, b"\x09"), (14, struct.pack(f"{build.byte_order}q", 5)))
    blocks = [build.section(), build.block(0x0A, b"secrets"), build.interface(snaplen=100, options=options)]
    blocks.append(build.interface(snaplen=100, options=build.resolution(0x8A)))
    for data in traffic:
        blocks += [
            build.enhanced(data, interface=1, time=1 << 33, wire_length=200, options=build.options((COMMENT, b"c"))),
            build.simple(data, wire_length=len(data) if len(data) < 100 else 200),
            build.block(5, bytes(4)),
            build.obsolete(data, time=7 * SECOND + 5),
        ]
    return b"".join([*blocks, build.section(), build.interface(snaplen=100), build.enhanced(traffic[0], time=77)])


# Error messages of tcpdump for captures that cbpf reads; see RATIONALE.md.
BEYOND_TCPDUMP: Final = ("an interface has a", "is too high", "unknown data link type", "different byte orders")


@NEEDS_TCPDUMP
@pytest.mark.parametrize("expression", ["", "tcp", "udp or arp", "len > 100", "link[0] & 1 = 0"])
def test_tcpdump_accepts_the_same_packets(expression: str, build: Pcapng) -> None:
    capture = readable_by_tcpdump(build)
    is_complete, _, records = run_tcpdump(capture, expression)
    assert is_complete
    assert ours(capture, expression) == (True, records)


@NEEDS_TCPDUMP
@pytest.mark.fuzz
def test_tcpdump_accepts_the_same_packets_of_damaged_captures(rounds: Rounds) -> None:
    for generator in rounds(150, min_checked=0.8):
        capture = bytearray(readable_by_tcpdump(Pcapng(generator.choice("<>"))))
        for _ in range(generator.randrange(3)):
            capture[generator.randrange(len(capture))] ^= 1 << generator.randrange(8)
        if generator.random() < 0.3:
            del capture[generator.randrange(len(capture)) :]
        is_complete, error, records = run_tcpdump(bytes(capture), "")
        if not any(reason in error for reason in BEYOND_TCPDUMP):
            rounds.checked()
            is_complete_here, records_here = ours(bytes(capture), "")
            assert records_here == records
            assert is_complete_here == is_complete or "no Interface Description" in error


@NEEDS_TCPDUMP
@pytest.mark.parametrize("variant", [Variant("<"), Variant(">"), Variant("<", NANOSECONDS), Variant(">", snaplen=60)])
def test_tcpdump_reads_converted_captures(variant: Variant) -> None:
    capture = encoded(decoded(TRAFFIC.read_bytes()), variant)
    pcapng = filtered(capture, "udp", container="pcapng")
    assert run_tcpdump(pcapng, "")[::2] == run_tcpdump(capture, "udp")[::2]


@NEEDS_TCPDUMP
@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcapng")))
def test_tcpdump_accepts_the_same_packets_of_real_captures(path: Path) -> None:
    capture = path.read_bytes()
    for expression in ("", "ip", "udp", "tcp[13] & 2 != 0", "len > 100", "link[1] = 0"):
        is_complete, _, records = run_tcpdump(capture, expression)
        assert ours(capture, expression) == (is_complete, records), expression


# The command


def test_the_command_changes_the_container(cli: CommandLine, build: Pcapng) -> None:
    pcap = encoded(ARP, Variant(build.byte_order))
    pcapng = filtered(pcap, container="pcapng")
    for source in (pcap, pcapng):
        assert cli("filter", "-q", "arp", stdin=source) == (0, source, "")
        assert cli("filter", "-q", "--pcap", "arp", stdin=source) == (0, pcap, "")
        assert cli("filter", "-q", "--pcapng", "arp", stdin=source) == (0, pcapng, "")
    status, _, error = cli("filter", "--pcap", "--pcapng", stdin=pcap)
    assert (status, error) == (2, "cbpf: --pcap and --pcapng are mutually exclusive (see cbpf filter --help)\n")


def test_run_and_trace_compile_for_the_link_type_of_each_interface(
    cli: CommandLine, build: Pcapng, tmp_path: Path
) -> None:
    capture = tmp_path / "in.pcapng"
    capture.write_bytes(b"".join(blocks_of_all_kinds(build)))
    path = str(capture)
    assert cli("run", "-e", "ip", path) == (0, b"1 0\n2 0\n3 262144\n4 0\n", "")
    status, output, _ = cli("trace", "-e", "ip", "-n", "3", path)
    assert (status, output.splitlines()[-1]) == (0, b"accepts the packet (verdict 262144)")
