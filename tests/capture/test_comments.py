"""The comments of packets in a pcapng: Python and machine code read those that were written."""

import struct
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import choice
from support.captures import Pcapng

COMMENTS: Final = ((), ("a",), ("", "näher: \U0001f600"), (), ("x" * 65_535, "y", "z"), ("",))


@pytest.fixture(params=["Python", "machine code", "a broken lease"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the name of a capture, which Python or machine code will read."""
    if request.param != "Python":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 1 << 60 if request.param == "Python" else 0)
    if request.param == "a broken lease":
        monkeypatch.setattr(MappedFile, "address", lambda self: None)
    return tmp_path / "in.pcapng"


def comments(source: Any, **options: Any) -> list[tuple[str, ...]]:
    with cbpf.read_capture(source, **options) as capture:
        return [packet.comments for packet in capture]


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_a_capture_that_is_read_and_written_is_equal(byte_order: Any, path: Path) -> None:
    names = ("eth0", "tun0")
    interfaces = [
        cbpf.Interface(cbpf.link_type(link_type), 262_144, byte_order, 1_000_000_000, name=name)
        for link_type, name in zip(("EN10MB", "RAW"), names, strict=True)
    ]
    with cbpf.CaptureWriter(path, interfaces=interfaces, byte_order=byte_order) as writer:
        for index, texts in enumerate(COMMENTS):
            data, time_ns = bytes(60 + index), 1_700_000_000_000_000_001 + index
            writer.append(data, time_ns=time_ns, wire_length=90 - index, interface=index % 2, comment=texts)
    assert comments(path) == list(COMMENTS)
    copy = BytesIO()
    cbpf.write_capture(copy, cbpf.read_capture(path), container="pcapng", byte_order=byte_order)
    assert copy.getvalue() == path.read_bytes()
    assert comments(path, filter="greater 88") == list(COMMENTS[:3])
    with cbpf.read_capture(path) as capture:
        assert capture.packets().lengths.tolist() == [60 + index for index in range(len(COMMENTS))]


def test_only_valid_options_are_comments(path: Path) -> None:
    build = Pcapng(">")
    flags, custom, other = (2, bytes(4)), (9, b"not a resolution"), (1, b"second")
    cut = build.options((1, b"whole"), end=False) + struct.pack(">HH", 1, 40) + b"text"
    options = {
        build.options(flags, (1, b"first"), custom, other): ("first", "second"),
        build.options((1, b"\xffa\x00")): ("\ufffda\x00",),
        cut: ("whole",),
        build.options((0, b""), (1, b"after the end")): (),
        bytes(4): (),
    }
    blocks = [build.enhanced(bytes(index), options=item) for index, item in enumerate(options)]
    packet = struct.pack(">HHIIII", 0, 7, 0, 0, 5, 5) + b"abcde\0\0\0"
    blocks += [build.block(2, packet + build.options((1, b"of an obsolete block")))]
    path.write_bytes(b"".join([build.section(), build.interface(), *blocks]))
    assert comments(path) == [*options.values(), ("of an obsolete block",)]


def test_a_simple_packet_block_has_no_options(path: Path) -> None:
    build = Pcapng()
    packet = struct.pack("<I", 90) + b"abcd" + build.options((1, b"beyond the snapshot length"))
    path.write_bytes(b"".join([build.section(), build.interface(snaplen=4), build.block(3, packet)]))
    assert comments(path) == [()]


def test_a_pcap_has_no_comments_of_packets_that_were_read() -> None:
    file, packet = BytesIO(), cbpf.Packet(1, 0, 3, b"abc", comments=("text",))
    with cbpf.CaptureWriter(file, container="pcap") as writer:
        writer.append(packet)
        writer.extend([packet])
    assert comments(BytesIO(file.getvalue())) == [(), ()]
    file = BytesIO()
    with cbpf.CaptureWriter(file, container="pcapng") as writer:
        writer.append(packet, comment=["another"])
        writer.append(packet, comment=())
        for comment in (5, [5], b"text", ["a", b"text"]):
            with pytest.raises(cbpf.FieldError, match=r"^packet 3: comment: "):
                writer.append(packet, comment=comment)  # type: ignore[arg-type]
    assert comments(BytesIO(file.getvalue())) == [("another",), ()]
