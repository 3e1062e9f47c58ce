"""Captures converted to another format or truncated: machine code writes the same bytes as Python, and the same errors.

Windows are small, so that small captures have many of them, and Python reads one small chunk first.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture import reader
from cbpf.capture.file_parts import WrittenPart
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import encoder
from cbpf.filtering import run
from support.captures import VARIANTS, Pcapng, Record, Variant, as_pcapng, encoded
from support.hostile_captures import MISLEADING_CAPTURES, SECONDS, blocks_of_all_kinds, damaged, traffic
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.scans import FILTERS, SIZES, Outcome, Pieces, machine, outcome, shrink

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")

FORMATS: Final = ("pcap", "pcapng")
ETHERNET: Final = Variant("<")


@pytest.fixture
def encoded_rows(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of packets in each buffer that machine code wrote."""
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    rows: list[int] = []
    write_part = encoder.Encoder.write_part

    def recorded(self: Any, encoding: Any, accepted: Any, origin: int, begin: int, *others: Any) -> WrittenPart:
        part = write_part(self, encoding, accepted, origin, begin, *others)
        rows.append(part.end - begin)
        return part

    monkeypatch.setattr(encoder.Encoder, "write_part", recorded)
    monkeypatch.setattr(run, "CHUNK_SIZE", 4_096)
    monkeypatch.setattr(reader, "CHUNK_SIZE", 4_096)
    shrink(monkeypatch, SIZES[1])
    return rows


def converted(source: Any, expression: str = "", *, engine: str, **options: Any) -> Outcome:
    """Return the outcome of an engine; the Ethernet program runs on all link types."""
    target = BytesIO()
    return outcome(
        lambda: [target.getvalue()],
        cbpf.filter_capture, source, target, machine(expression, engine), engine=engine, **options,
    )  # fmt: skip


def agreed(open_source: Callable[[], Any], expression: str = "", **options: Any) -> Outcome:
    """Return the outcome of both engines, which must be equal."""
    expected = converted(open_source(), expression, engine="python", **options)
    assert converted(open_source(), expression, engine="llvm", **options) == expected
    return expected


def of_variant(variant: Variant, random: Random) -> bytes:
    return encoded(traffic(random, 200), variant)


def odd_times(byte_order: str, resolutions: list[int], *, offset: int = 0) -> bytes:
    """Return a pcapng of interfaces with these resolutions, and packets near the limits of a pcap."""
    build, random = Pcapng(byte_order), Random(byte_order)
    parts = [build.section()]
    parts += [build.interface(options=build.resolution(code, offset=offset)) for code in resolutions]
    for index in range(900):
        code = resolutions[index % len(resolutions)]
        units = 2 ** (code & 0x7F) if code & 0x80 else 10**code
        time = min((SECONDS - offset) * units + random.randrange(units), 2**64 - 1)
        parts.append(build.enhanced(random.randbytes(index % 70), interface=index % len(resolutions), time=time))
    return b"".join(parts)


def late(seconds: int, data: bytes = b"x" * 60) -> bytes:
    """Return a pcapng whose last packet may not fit in a pcap."""
    build = Pcapng("<")
    times = [SECONDS] * 300 + [seconds, SECONDS]
    packets = [build.enhanced(data, time=time * 1_000_000) for time in times]
    return build.section() + build.interface() + b"".join(packets)


def with_invalid_fractions(random: Random, byte_order: str) -> bytes:
    """Return a pcap in which the fraction of every 30th packet is more than a second."""
    records = traffic(random, 300)
    for record in records[::30]:
        records[records.index(record)] = record._replace(nanoseconds=2_000_000_000)
    return encoded(records, Variant(byte_order))


PCAPS: Final = (  # each needs other machine code
    "little-endian",
    "big-endian nanoseconds",
    "big-endian Kuznetzov",
    "version 2.3",
    "snaplen 60 big-endian version 2.2",
)
CAPTURES: Final[dict[str, Callable[[Random], bytes]]] = {
    **{name: partial(of_variant, VARIANTS[name]) for name in PCAPS},
    "pcapng": lambda random: as_pcapng(traffic(random, 300)),
    "pcapng, big-endian": lambda random: as_pcapng(traffic(random, 300), ">"),
    "units of 1 s to 1 ns": lambda random: odd_times("<", [0, 3, 6, 9]),
    "binary units": lambda random: odd_times(">", [128, 137, 158], offset=-1_700_000_000),
    "units finer than a nanosecond": lambda random: odd_times("<", [9, 12], offset=1_700_000_000),
    "all kinds of blocks": lambda random: blocks_of_all_kinds(random, "<") + as_pcapng(traffic(random, 300), ">"),
    "a time beyond 32 bits": lambda random: late(1 << 32),
    "a time before 32 bits end": lambda random: late((1 << 32) - 1),
    "truncated": lambda random: as_pcapng(traffic(random, 300))[:-5],
    "invalid fractions": lambda random: with_invalid_fractions(random, ">"),
    "misleading boundaries": lambda random: MISLEADING_CAPTURES["complete captures inside"](random, "<"),
}
LEFT_TO_PYTHON: Final = ("snaplen 60 big-endian version 2.2", "all kinds of blocks")  # almost all, or an early error


@pytest.mark.parametrize("name", CAPTURES)
def test_machine_code_converts_as_python(name: str, encoded_rows: list[int], tmp_path: Path) -> None:
    path = tmp_path / "in"
    capture = CAPTURES[name](Random(name))
    path.write_bytes(capture)
    container = "pcap" if capture.startswith(b"\x0a\x0d\x0d\x0a") else "pcapng"
    agreed(lambda: path, container=container)
    agreed(lambda: Pieces(path.read_bytes()), FILTERS[0], container=container)
    agreed(lambda: path, container=container, count=150)
    assert (sum(encoded_rows) > 40) is (name not in LEFT_TO_PYTHON)


def blocks_with_options(random: Random, byte_order: str) -> bytes:
    """Return a pcapng whose packets have options, padding that is not zero, and other blocks between them."""
    build = Pcapng(byte_order)
    parts = [build.section(length=99), build.interface(snaplen=90), build.interface(101, 0)]
    for index, record in enumerate(traffic(random, 300)):
        data = record.data[: random.choice((0, 1, 57, 60, 61, 90))]
        padding = b"\xff" * (-len(data) % 4)
        size = struct.pack(f"{byte_order}II", len(data), 1_500)
        options = build.options((1, b"comment"), (4, bytes(8))) if index % 3 else b""
        parts += [
            build.block(6, struct.pack(f"{byte_order}I8x", index % 2) + size + data + padding + options),
            build.block(2, struct.pack(f"{byte_order}HH8x", index % 2, 3) + size + data + padding + options),
            build.simple(random.randbytes(90), wire_length=random.choice((1, 59, 90, 1_500))),
            build.block(random.choice((4, 5, 0x0BAD)), random.randbytes(index % 40)),
        ]
    return b"".join(parts)


PCAPNGS: Final[dict[str, Callable[[Random], bytes]]] = {
    **{name: CAPTURES[name] for name in ("binary units", "all kinds of blocks", "truncated", "misleading boundaries")},
    "options": lambda random: blocks_with_options(random, "<") + blocks_with_options(random, ">"),
}


@pytest.mark.parametrize("name", PCAPNGS)
def test_machine_code_truncates_blocks_as_python(name: str, encoded_rows: list[int], tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(PCAPNGS[name](Random(name)))
    agreed(lambda: path, snaplen=58)
    agreed(lambda: Pieces(path.read_bytes()), FILTERS[0], snaplen=1)
    agreed(lambda: path, snaplen=262_144, count=150)
    agreed(lambda: path, snaplen=57, sample=2)
    assert sum(encoded_rows) > 40


def test_an_error_of_a_packet_is_that_of_python(encoded_rows: list[int], tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(late(1 << 32))
    result = agreed(lambda: path, container="pcap")
    assert result.error.endswith(
        "packet 301: time is 4294967296 seconds since 1970; a pcap has 32 bits for the seconds"
    )
    assert result.outputs[0] is not None
    assert len(result.outputs[0]) == 24 + 300 * 76


NULL: Final = Variant(linktype=0)
SOURCES: Final = {
    "byte orders": [encoded(traffic(Random(1), 200), VARIANTS[name]) for name in ("little-endian", "big-endian")],
    "units": [
        encoded(traffic(Random(2), 200), VARIANTS[name]) for name in ("little-endian", "big-endian nanoseconds")
    ],
    "containers": [
        as_pcapng(traffic(Random(3), 200)), encoded(traffic(Random(4), 200)), as_pcapng(traffic(Random(5), 99), ">"),
    ],
    "containers, pcap first": [encoded(traffic(Random(6), 200), Variant(">")), as_pcapng(traffic(Random(7), 200))],
    "layouts": [
        encoded(traffic(Random(8), 200), VARIANTS[name]) for name in ("little-endian Kuznetzov", "version 2.3")
    ],
    "invalid fractions": [with_invalid_fractions(Random(9), "<"), encoded(traffic(Random(10), 99), Variant(">"))],
    "headers in host order": [
        encoded([Record(SECONDS, index * 1000, 24, order_of + bytes(20)) for index in range(300)], variant)
        for order_of, variant in (
            (b"\2\0\0\0", NULL), (b"\0\0\0\2", NULL._replace(byte_order=">")),
        )
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SOURCES)
def test_machine_code_converts_mixed_sources_as_python(name: str, encoded_rows: list[int], tmp_path: Path) -> None:
    paths = [tmp_path / str(index) for index in range(len(SOURCES[name]))]
    for path, data in zip(paths, SOURCES[name], strict=True):
        path.write_bytes(data)
    for container in ("same", *FORMATS):
        result = agreed(lambda: paths, container=container)
        assert result.error == ""
        assert result.counts[0][0] == result.counts[0][1]
    assert sum(encoded_rows) > 150


def split(path: Path, engine: Any, container: Any, snaplen: int | None = None) -> Outcome:
    targets = [BytesIO() for _ in range(3)]
    expressions = zip((*FILTERS[2:4], "ip6"), (*targets[:2], None), strict=True)
    routes = [(machine(expression, engine), target) for expression, target in expressions]
    work = partial(cbpf.split_capture, rest=targets[-1], container=container, engine=engine, snaplen=snaplen)
    return outcome(lambda: [target.getvalue() for target in targets], work, path, routes)


@pytest.mark.parametrize("container", FORMATS)
def test_each_route_of_a_split_is_converted(container: Any, encoded_rows: list[int], tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(as_pcapng(traffic(Random(1), 400)) if container == "pcap" else encoded(traffic(Random(2), 400)))
    assert split(path, "llvm", container) == split(path, "python", container)
    assert sum(encoded_rows) > 100


def test_each_route_of_a_split_is_truncated(encoded_rows: list[int], tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(as_pcapng(traffic(Random(1), 400)) + blocks_with_options(Random(2), ">"))
    assert split(path, "llvm", "same", 40) == split(path, "python", "same", 40)
    assert sum(encoded_rows) > 100


@pytest.mark.parametrize("buffer_size", [40, 300, 70_000])
def test_packets_may_be_longer_than_the_buffer(
    buffer_size: int, encoded_rows: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder, "BUFFER_SIZE", buffer_size)
    path = tmp_path / "in"
    path.write_bytes(encoded(traffic(Random(3), 300)))
    agreed(lambda: path, container="pcapng")
    assert (sum(encoded_rows) > 20) is (buffer_size > 40)
    encoded_rows.clear()
    path.write_bytes(blocks_with_options(Random(4), "<"))
    agreed(lambda: path, snaplen=58)
    assert (sum(encoded_rows) > 300) is (buffer_size > 40)


def test_a_file_whose_lease_is_broken_is_read(
    encoded_rows: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in"
    path.write_bytes(encoded(traffic(Random(4), 300)))
    monkeypatch.setattr(MappedFile, "address", lambda self: None)
    agreed(lambda: path, container="pcapng")
    path.write_bytes(blocks_with_options(Random(5), ">"))
    agreed(lambda: path, snaplen=58)
    assert not encoded_rows


@pytest.mark.fuzz
def test_machine_code_converts_damaged_captures_as_python(
    rounds: Rounds, encoded_rows: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "in"
    for random in rounds(6):
        shrink(monkeypatch, random.choice(SIZES))
        path.write_bytes(damaged(random))
        options: dict[str, Any] = {
            "container": random.choice(("same", *FORMATS)),
            "count": random.choice((None, None, 100)),
        }
        options["until"] = random.choice((None, None, SECONDS + 30))
        options["snaplen"] = random.choice((None, 1, 40, 61))
        options["sample"] = random.choice((None, None, 3))
        open_source = random.choice((lambda: path, lambda: Pieces(path.read_bytes())))
        agreed(open_source, random.choice(FILTERS), **options)


CAPTURES_OF_OTHERS: Final = [*real_captures("*.pcap"), *real_captures("*.pcapng")]


@pytest.mark.parametrize("path", parameters_of(CAPTURES_OF_OTHERS))
def test_machine_code_converts_real_captures_as_python(path: Path, encoded_rows: list[int]) -> None:
    for container in FORMATS:
        agreed(lambda: path, container=container)
        agreed(lambda: path, container=container, snaplen=40)
