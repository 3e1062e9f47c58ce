"""Filters on the view of a live packet socket: machine code and Python agree on every packet and on every capture."""

from __future__ import annotations

import ctypes
import gzip
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final, get_args

import pytest

import cbpf
from cbpf.capture.native import choice
from cbpf.packet import af_packet
from support.captures import Pcapng, Record, encoded
from support.command_line import CommandLine
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.scans import SIZES, Outcome, Pieces, Sizes, outcome, shrink

pytestmark = [
    pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning"),
    pytest.mark.usefixtures("llvm"),
]

LINK_TYPES: Final = ("EN10MB", "LINUX_SLL", "LINUX_SLL2", "RAW", "IPV4", "NULL")
EXTENSIONS: Final = tuple(
    f"ld #{name}" for name in ("proto", "type", "vlan_tci", "vlan_avail", "vlan_tpid", "len", "mark", "hatype", "ifidx")
)
ABSOLUTE_LOADS: Final = tuple(f"{load} [{offset}]" for load in ("ld", "ldh", "ldb") for offset in range(8, 17))
INDIRECT_LOADS: Final = tuple(
    f"ldb [0]\nand #7\ntax\n{load} [x+{offset}]" for load in ("ld", "ldh", "ldb") for offset in (0, 4, 8, 10)
)
NETWORK_LOADS: Final = ("ldh [0xfff00000]", "ldx #0xfff00001\nldb [x+1]")
LINK_LOADS: Final = ("ldh [0xffe0000b]", "ldx #0xffe00009\nld [x+1]")


@pytest.fixture
def llvm() -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")


def mixing(*loads: str) -> cbpf.Program:
    """Return a program whose verdict depends on the value of each load."""
    steps = [f"{load}\nldx M[0]\nxor x\nmul #0x9E3779B1\nadd #7\nst M[0]" for load in loads]
    return cbpf.parse("\n".join(["ld #1\nst M[0]", *steps, "ret a"]))


PROGRAMS: Final = {
    "extensions": (cbpf.LINUX, mixing(*EXTENSIONS)),
    "loads of linux": (cbpf.LINUX, mixing(*ABSOLUTE_LOADS, *INDIRECT_LOADS)),
    "loads of pcap": (cbpf.PCAP, mixing(*ABSOLUTE_LOADS, *INDIRECT_LOADS)),
    "network header": (cbpf.LINUX, mixing(*NETWORK_LOADS)),
    "link header": (cbpf.LINUX, mixing(*LINK_LOADS)),
}


def random_packet(random: Random) -> bytes:
    """Return a packet that is likely to have a tag, a length in place of an EtherType, or a broadcast address."""
    packet = bytearray(random.randbytes(random.choice((0, 1, 2, 5, *range(10, 22), 30, 40, 60, 60))))
    for start, choices in (
        (0, (b"\xff" * 6, b"\x45", b"\x60", b"")),
        (12, (b"\x81\0", b"\x88\xa8", b"\0\1\xff\xff", b"\x06\0", b"\x05\xff", b"\x08\0", b"")),
        (14, (b"\x81\0", b"\x88\xa8", b"", b"", b"")),
        (16, (b"\xff\xff", b"\x81\0", b"\0\0\xff\xff", b"")),
    ):
        chosen = random.choice(choices)[: max(0, len(packet) - start)]
        packet[start : start + len(chosen)] = chosen
    return bytes(packet)


class _Row(ctypes.Structure):
    _fields_ = (("packet", ctypes.c_char_p), ("captured", ctypes.c_uint32), ("wire", ctypes.c_uint32))


def native_verdicts(vm: cbpf.VM, link_type: str, packets: list[tuple[bytes, int]]) -> list[int]:
    from cbpf.engines.llvm.context import default_context

    rows = (_Row * len(packets))(*(_Row(packet, len(packet), wire_length) for packet, wire_length in packets))
    verdicts = (ctypes.c_uint32 * len(packets))()
    code, context = vm.native_match_for_sockets(link_type), default_context()
    code(ctypes.byref(rows), len(packets), ctypes.byref(verdicts), ctypes.byref(context))
    return list(verdicts)


@pytest.mark.parametrize("name", PROGRAMS)
def test_machine_code_computes_the_verdicts_of_the_interpreter(name: str) -> None:
    random = Random(name)
    dialect, program = PROGRAMS[name]
    vm, interpreter = (cbpf.VM(program, engine=engine, dialect=dialect) for engine in ("llvm", "interpreter"))
    different: set[int] = set()
    for link_type in LINK_TYPES:
        packets = [random_packet(random) for _ in range(60)]
        lengths = [random.choice((len(packet), len(packet) + 3, 1_500, 0, 3)) for packet in packets]
        views = [
            cbpf.socket_view(packet, cbpf.link_type(link_type), length)
            for packet, length in zip(packets, lengths, strict=True)
        ]
        expected = [
            interpreter.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length) for view in views
        ]
        assert native_verdicts(vm, link_type, list(zip(packets, lengths, strict=True))) == expected, link_type
        different.update(expected)
    assert len(different) > 20


def mixed_capture(random: Random, order: str = "<") -> bytes:
    """Return a pcapng with packets of all link types, tags and metadata, some of them in blocks without a time."""
    build = Pcapng(order)
    numbers = [cbpf.link_type(name).linktype for name in LINK_TYPES]
    parts = [build.section(), *(build.interface(number or 0) for number in numbers)]
    for index in range(500):
        packet = random_packet(random)
        interface = random.randrange(len(LINK_TYPES)) if index > 100 else index % 2
        wire_length = random.choice((len(packet), 1_500))
        parts.append(build.enhanced(packet, interface=interface, time=index * 1_000, wire_length=wire_length))
        parts += [build.simple(packet)] if index % 40 == 0 else []
        parts += [build.block(5, bytes(12))] if index % 50 == 0 else []
    return b"".join(parts)


FILTERS: Final = (
    cbpf.parse("ld #type\njeq #0, 1, 0\nret #1\nret #0"),
    cbpf.parse("ld #vlan_avail\njeq #0, 1, 0\nret #-1\nret #0"),
    cbpf.parse("ld #proto\njgt #0x800, 1, 0\nret #1\nret #0"),
)


def split(source: Any, engine: Any, **options: Any) -> Outcome:
    """Return the outputs of three filters and of the packets that none of them accepts."""
    targets = [BytesIO() for _ in range(len(FILTERS) + 1)]
    routes = list(zip(FILTERS, targets, strict=False))
    options |= {"engine": engine, "dialect": cbpf.LINUX, "as_socket": True, "rest": targets[-1]}
    return outcome(lambda: [target.getvalue() for target in targets], cbpf.split_capture, source, routes, **options)


def agreed(make_source: Callable[[], Any], **options: Any) -> Outcome:
    """Return the outcome of Python, which that of machine code must equal."""
    expected = split(make_source(), "python", **options)
    assert split(make_source(), "llvm", **options) == expected
    return expected


@pytest.mark.parametrize("order", "<>")
def test_engines_agree_on_every_source(order: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(order)
    shrink(monkeypatch, random.choice(SIZES))
    capture = mixed_capture(random, order)
    path = tmp_path / "in.pcapng"
    path.write_bytes(capture)
    expected = agreed(lambda: path)
    assert all(accepted > 15 for _, accepted, *_ in expected.counts)
    if order == ">":
        return
    assert agreed(lambda: BytesIO(gzip.compress(capture))) == expected
    assert agreed(lambda: Pieces(capture)) == expected
    damaged = agreed(lambda: Pieces(capture[: len(capture) // 2 + 1]))
    assert "DamagedCapture" in damaged.error
    converted = agreed(lambda: path, container="pcapng", snaplen=40, since="+10ms")
    assert converted.counts[0][1] < expected.counts[0][1]


def test_iteration_and_counts_use_machine_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, Sizes(20_001, 2))
    path = tmp_path / "in.pcap"
    path.write_bytes(encoded([Record(index, 0, 60, random_packet(Random(index))) for index in range(400)]))
    options: dict[str, Any] = {"dialect": cbpf.LINUX, "as_socket": True}
    untagged = {packet.number for packet in cbpf.read_capture(path, filter=FILTERS[1], **options)}

    def fail(*arguments: object) -> None:
        raise AssertionError("Python computes a view")

    monkeypatch.setattr(af_packet, "socket_view", fail)
    monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 0)
    assert len(untagged) > 30
    assert {packet.number for packet in cbpf.read_capture(path, filter=FILTERS[1], **options)} == untagged
    assert cbpf.count_packets(path, FILTERS[1], **options).rows[0].packets == len(untagged)
    assert cbpf.filter_capture(path, None, FILTERS[1], **options).packets_accepted == len(untagged)
    with pytest.raises(AssertionError):
        cbpf.filter_capture(path, None, FILTERS[1], engine="python", **options)


def test_programs_that_call_python_are_filtered(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    path.write_bytes(encoded([Record(index, 0, 60, random_packet(Random(index))) for index in range(200)]))
    program = cbpf.parse("ld #poff\njgt #14, 0, 1\nret #1\nret #0")
    counts = [
        cbpf.filter_capture(path, None, program, engine=engine, dialect=cbpf.LINUX, as_socket=True).packets_accepted
        for engine in get_args(cbpf.EngineName)
    ]
    assert counts == [counts[0]] * len(counts)
    assert counts[0] > 0


def test_the_command_counts_views(cli: CommandLine, tmp_path: Path) -> None:
    path, program = tmp_path / "in.pcapng", tmp_path / "program"
    path.write_bytes(mixed_capture(Random(1)))
    program.write_text("ld #vlan_avail\nret a\n")
    arguments = ("-q", "-r", str(path), "--program", str(program), "--dialect", "linux", "--as-socket")
    _, filtered, _ = cli("filter", "--count", *arguments)
    assert cli("count", "--csv", *arguments)[1].decode().splitlines()[1].split(",")[3] == filtered.decode().strip()
    assert int(filtered) > 15


@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_engines_agree_on_real_captures(path: Path) -> None:
    agreed(lambda: path)


@pytest.mark.fuzz
def test_engines_agree_on_damaged_captures(rounds: Rounds, monkeypatch: pytest.MonkeyPatch) -> None:
    for random in rounds(2):
        shrink(monkeypatch, random.choice(SIZES))
        capture = bytearray(mixed_capture(random, random.choice("<>")))
        for _ in range(random.randrange(4)):
            capture[random.randrange(len(capture))] = random.randrange(256)
        data = bytes(capture[: random.randrange(len(capture))])
        agreed(lambda data=data: BytesIO(data))  # type: ignore[misc]
