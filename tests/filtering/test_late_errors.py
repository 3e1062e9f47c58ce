"""Errors in the middle of a capture: a stream has received equal packets with every engine and source."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast

import pytest

import cbpf
from cbpf.filtering import capture_programs
from support.captures import as_pcapng, decoded
from support.command_line import TRAFFIC
from support.project import ENGINES

RECORDS: Final = decoded(Path(TRAFFIC).read_bytes())
FIRST: Final = as_pcapng(RECORDS)
LATER: Final = as_pcapng(RECORDS[:50], linktype=101)  # RAW
CAPTURE: Final = FIRST + LATER + as_pcapng(RECORDS)


class Pieces:
    """A stream that returns few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, size: int) -> None:
        self._stream = BytesIO(data)
        self._size = size

    def read1(self, size: int) -> bytes:
        return self._stream.read(min(size, self._size))

    read = read1


@pytest.fixture(params=["file", "buffer", "pieces of 999", "pieces of 70000"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "file":
        (tmp_path / "in.pcapng").write_bytes(CAPTURE)
        return tmp_path / "in.pcapng"
    if request.param == "buffer":
        return BytesIO(CAPTURE)
    return Pieces(CAPTURE, int(request.param.rpartition(" ")[2]))


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every expression be invalid for packets of link type RAW."""
    compile_for_interface: Callable[..., Any] = capture_programs.compile_for_interface

    def fail(expression: Any, interface: cbpf.Interface, *arguments: Any, **options: Any) -> Any:
        if interface.link_type.name == "RAW":
            raise cbpf.ExpressionError("too late")
        return compile_for_interface(expression, interface, *arguments, **options)

    monkeypatch.setattr(capture_programs, "compile_for_interface", fail)


def accepted(expression: str) -> bytes:
    target = BytesIO()
    cbpf.filter_capture(BytesIO(FIRST), target, expression)
    return target.getvalue()


def blocks_before_the_packet() -> bytes:
    """The section header and the interface that precede the packet."""
    return as_pcapng([], linktype=101)


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_stream_has_the_packets_before_the_error_of_the_filter(engine: Any, source: Any) -> None:
    target = BytesIO()
    with pytest.raises(cbpf.ExpressionError, match=r"too late"):
        cbpf.filter_capture(source, target, "udp", engine=engine)
    assert target.getvalue() == accepted("udp") + blocks_before_the_packet()


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("engine", ENGINES)
def test_each_stream_of_a_split_has_the_packets_before_the_error(engine: Any, source: Any) -> None:
    targets = {expression: BytesIO() for expression in ("udp", "arp or ip6")}
    rest = BytesIO()
    with pytest.raises(cbpf.ExpressionError, match=r"too late"):
        cbpf.split_capture(source, cast(Any, targets), rest=rest, engine=engine)
    for expression, target in [*targets.items(), ("not udp and not arp and not ip6", rest)]:
        assert target.getvalue() == accepted(expression) + blocks_before_the_packet()


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_is_unchanged_by_an_error_of_the_filter(engine: Any, source: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(cbpf.ExpressionError, match=r"too late"):
        cbpf.filter_capture(source, tmp_path / "out", "udp", engine=engine)
    assert (tmp_path / "out").read_bytes() == b"old"


@pytest.mark.usefixtures("late")
@pytest.mark.parametrize("engine", ENGINES)
def test_a_limit_before_the_error_prevents_it(engine: Any, source: Any) -> None:
    target = BytesIO()
    count = cbpf.filter_capture(BytesIO(FIRST), None, "udp").packets_accepted
    cbpf.filter_capture(source, target, "udp", count=count, engine=engine)
    assert target.getvalue() == accepted("udp")


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stream_has_the_packets_before_one_that_does_not_fit(engine: Any, source: Any) -> None:
    expected, target = BytesIO(), BytesIO()
    cbpf.filter_capture(BytesIO(FIRST), expected, "udp or arp", container="pcap")
    with pytest.raises(cbpf.CaptureError, match=r"link type RAW is not EN10MB as before; a pcap has one link type"):
        cbpf.filter_capture(source, target, "", container="pcap", engine=engine)
    packets = decoded(target.getvalue())
    assert len(packets) == len(RECORDS)


DAMAGED: Final = {
    "truncated": CAPTURE[: len(FIRST) - 3],
    "corrupt": FIRST[:-4] + b"\xff\xff\xff\xff" + LATER,
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_stream_has_the_packets_before_a_damage(data: bytes) -> None:
    received = set()
    for engine in ENGINES:
        for stream in (BytesIO(data), Pieces(data, 999), Pieces(data, 70_000)):
            target = BytesIO()
            with pytest.raises(cbpf.DamagedCapture):
                cbpf.filter_capture(cast(Any, stream), target, "", engine=cast(Any, engine))
            received.add(target.getvalue())
    (content,) = received
    assert content == as_pcapng(RECORDS[:-1])
