"""Truncated outputs: every engine writes the first bytes of each packet, and all else of the capture remains."""

from __future__ import annotations

import shutil
import struct
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture.file_parts import WrittenPart
from cbpf.capture.native import encoder
from support.captures import TRAFFIC, VARIANTS, Pcapng, Variant, as_pcapng, clipped, decoded, encoded
from support.command_line import CommandLine
from support.sample_pcapng import COMMENT

RECORDS: Final = decoded(TRAFFIC.read_bytes())
ENGINES: Final[tuple[Any, ...]] = ("python", "llvm")


def written(source: Any, expression: str = "", **options: Any) -> bytes:
    target = BytesIO()
    cbpf.filter_capture(source, target, expression, **options)
    return target.getvalue()


def agreed(data: list[bytes], expression: str = "", **options: Any) -> bytes:
    """Return the capture that both engines write."""
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    outputs = {written([BytesIO(one) for one in data], expression, engine=engine, **options) for engine in ENGINES}
    (output,) = outputs
    return output


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("snaplen", [1, 61, 262_144])
def test_a_pcap_keeps_its_layout(name: str, snaplen: int) -> None:
    variant, records = VARIANTS[name], RECORDS[:60]
    source = encoded(records, variant)
    own = cbpf.read_capture(BytesIO(source)).interfaces[0].snaplen
    output = agreed([source], snaplen=snaplen)
    assert decoded(output) == clipped(decoded(source), min(snaplen, own))
    assert output[:16] + output[20:24] == source[:16] + source[20:24]
    reader = cbpf.read_capture(BytesIO(output))
    assert len(list(reader)) == len(records)
    uncounted = 14 if variant.record_header_size == 24 and variant.linktype == 1 else 0
    assert reader.interfaces[0].snaplen == max(min(snaplen, own), uncounted + 1)
    if snaplen >= own:
        assert output[:24] == source[:24]


def test_machine_code_truncates(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    rows: list[int] = []
    write_part = encoder.Encoder.write_part

    def recorded(self: Any, encoding: Any, accepted: Any, origin: int, begin: int, *others: Any) -> WrittenPart:
        part = write_part(self, encoding, accepted, origin, begin, *others)
        rows.append(part.end - begin)
        return part

    monkeypatch.setattr(encoder.Encoder, "write_part", recorded)
    for container in ("pcap", "pcapng"):
        assert written(TRAFFIC, engine="llvm", container=container, snaplen=7)
        assert sum(rows) == len(RECORDS)
        rows.clear()


def blocks(build: Pcapng, snaplen: int) -> bytes:
    """Return a capture whose packets and snapshot lengths are truncated to *snaplen* bytes."""
    data = [bytes(range(size)) for size in (60, 41, 5, 90)]
    short = [packet[:snaplen] for packet in data]
    options = build.options((COMMENT, b"who has?"), (4, bytes(8)))
    enhanced = [
        build.enhanced(packet, time=9 << 32 | 77, wire_length=1_500, options=options) for packet in (*short, b"")
    ]
    head = struct.pack(f"{build.byte_order}HHIIII", 1, 7, 0, 5, len(short[1]), 70)
    obsolete = build.block(2, head + short[1] + bytes(-len(short[1]) % 4) + options)
    return b"".join([
        build.section(options=build.options((COMMENT, b"a section"))),
        build.block(0xFFFF_FFFF, b""),
        build.interface(snaplen=min(snaplen, 80), options=build.options((2, b"eth0"))),
        build.interface(linktype=101, snaplen=min(snaplen, 262_144), options=build.resolution(9)),
        *enhanced[:3],
        obsolete,
        build.block(0x0BAD, b"any custom block"),
        build.simple(data[3][: min(snaplen, 80)], wire_length=90),
        build.simple(short[2], wire_length=5),
        enhanced[4],
    ])  # fmt: skip


@pytest.mark.parametrize("snaplen", [1, 4, 5, 42, 79, 80, 300])
def test_the_blocks_of_a_pcapng_are_truncated(snaplen: int) -> None:
    source, expected = (
        b"".join(blocks(Pcapng(order), length) for order in "<>") for length in (262_144, snaplen)
    )  # fmt: skip
    assert agreed([source], snaplen=snaplen) == expected
    assert agreed([source], snaplen=262_144) == source


def test_an_unlimited_interface_becomes_limited() -> None:
    build = Pcapng(">")
    capture = build.section() + build.interface(snaplen=0) + build.simple(bytes(60)) + build.enhanced(bytes(60))
    limited = build.section() + build.interface(snaplen=7) + build.simple(bytes(7), wire_length=60)
    assert agreed([capture], snaplen=7) == limited + build.enhanced(bytes(7), wire_length=60)


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
@pytest.mark.parametrize("kind", ["pcap", "pcapng"])
def test_a_conversion_writes_what_the_converted_truncated_capture_would_be(container: Any, kind: Any) -> None:
    source = as_pcapng(RECORDS) if kind == "pcapng" else encoded(RECORDS, VARIANTS["big-endian nanoseconds"])
    truncated = written(BytesIO(source), snaplen=33)
    expected = written(BytesIO(truncated), "tcp", container=container)
    assert agreed([source], "tcp", container=container, snaplen=33) == expected
    assert written(BytesIO(truncated), "tcp") != written(BytesIO(source), "tcp")


def test_sources_of_several_formats_are_truncated() -> None:
    sources = [encoded(RECORDS[:50]), as_pcapng(RECORDS[50:100]), encoded(RECORDS[100:150], VARIANTS["big-endian"])]
    output = agreed(sources, snaplen=20)
    truncated = [written(BytesIO(source), snaplen=20) for source in sources]
    assert output == written([BytesIO(source) for source in truncated])
    assert max(packet.captured_length for packet in cbpf.read_capture(BytesIO(output))) == 20


def test_headers_in_another_byte_order_are_converted_before_they_are_truncated() -> None:
    sources = [encoded(RECORDS[:60], Variant(order, linktype=0)) for order in "<>"]
    whole, truncated = agreed(sources), agreed(sources, snaplen=2)
    assert decoded(truncated) == clipped(decoded(whole), 2)
    assert decoded(whole) != 2 * RECORDS[:60]


def test_filters_and_counts_have_all_bytes() -> None:
    expression = "tcp port 443"
    summary = cbpf.filter_capture(TRAFFIC, None, expression)
    target, others = BytesIO(), BytesIO()
    truncated, rest = cbpf.split_capture(TRAFFIC, {expression: target}, rest=others, snaplen=10)
    assert truncated[:4] == summary[:4]
    assert decoded(target.getvalue()) == clipped(decoded(written(TRAFFIC, expression)), 10)
    assert decoded(others.getvalue()) == clipped(decoded(written(TRAFFIC, expression, invert=True)), 10)
    assert rest.packets_accepted + truncated.packets_accepted == truncated.packets_seen


@pytest.mark.parametrize("container", ["pcap", "pcapng"])
def test_editcap_truncates_the_same_packets(container: Any, tmp_path: Path) -> None:
    if shutil.which("editcap") is None:
        pytest.skip("needs editcap, of Wireshark")
    source, expected = tmp_path / "in", tmp_path / "expected"
    cbpf.filter_capture(TRAFFIC, source, "", container=container)
    subprocess.run(["editcap", "-F", container, "-s", "50", str(source), str(expected)], check=True)
    output = written(source, snaplen=50)
    assert decoded(written(BytesIO(output), container="pcap")) == decoded(written(expected, container="pcap"))


@pytest.mark.parametrize("snaplen", [0, -1, 262_145])
def test_invalid_lengths_are_rejected(snaplen: int) -> None:
    with pytest.raises(cbpf.FieldError) as raised:
        cbpf.filter_capture("absent.pcap", None, "", snaplen=snaplen)
    assert str(raised.value) == f"filter_capture.snaplen: {snaplen} is not a snapshot length (1..262144)"


def test_the_commands_truncate(cli: CommandLine, traffic: Path, tmp_path: Path) -> None:
    expected = written(traffic, "udp", snaplen=64)
    assert cli("filter", "-q", "-r", str(traffic), "--snaplen", "64", "udp")[:2] == (0, expected)
    target = tmp_path / "udp.pcap"
    assert cli("split", "-q", "-r", str(traffic), "--snaplen", "64", f"udp={target}")[0] == 0
    assert target.read_bytes() == expected
    code, _, err = cli("filter", "-r", str(traffic), "--count", "--snaplen", "0")
    assert (code, "'--snaplen': 0 is not in the range 1<=x<=262144" in err) == (2, True)
    code, _, err = cli("filter", "-r", str(traffic), "-s", "96", "udp")
    assert (code, "cbpf filter --snaplen N" in err) == (2, True)
