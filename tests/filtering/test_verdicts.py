"""Verdicts and execution profiles of captures: machine code and Python agree with runs on single packets.

Windows are small, so that small captures have many of them; `MIN_NATIVE_SIZE` decides how a capture is read.
"""

from __future__ import annotations

import gzip
import os
from array import array
from collections.abc import Callable
from io import BytesIO
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import choice
from cbpf.cli.commands.run import _lines
from support.captures import Pcapng, Record, as_pcapng, encoded
from support.command_line import CommandLine
from support.hostile_captures import TRAFFIC_RECORDS, blocks_of_all_kinds, damaged, traffic
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.scans import FILTERS, SIZES, Pieces, Sizes, shrink

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")

LENGTHS: Final = cbpf.parse("ldxb 4*([2]&0xf)\nld [x+2]\njset #1, 0, 1\nret a\nld len\nret a")
ACTIONS: Final = cbpf.parse("ld [4]\njset #1, 0, 1\nret #0x7fff0000\nret #0x50001")
TAGS: Final = cbpf.parse("ld vlan_avail\njeq #0, 1, 0\nret #7\nld proto\nret a")

Result = tuple[list[int], "cbpf.ExecutionCounts | None", str]
"""The verdicts, the counts, and the errors."""


def by_packet(source: Any, filter: Any, dialect: cbpf.Dialect, *, as_socket: bool) -> Result:
    """Return the result of runs of the interpreter on single packets."""
    programs = cbpf.CapturePrograms(filter, dialect=dialect, as_socket=as_socket, optimizer=None)
    verdicts: list[int] = []
    views: list[Any] = []
    program, error = None, ""
    try:
        with cbpf.read_capture(source) as reader:
            for packet in reader:
                interface = reader.interfaces[packet.interface]
                data, wire_length = cbpf.host_view(
                    packet.data, interface.link_type, interface.byte_order, packet.wire_length
                )
                view = cbpf.SocketView(data, wire_length, cbpf.Metadata())
                if as_socket:
                    view = cbpf.socket_view(data, interface.link_type, wire_length)
                program = programs.program(reader, packet.interface)
                if program is None:
                    verdicts.append(0)
                    continue
                vm = cbpf.VM(program, engine="interpreter", dialect=dialect)
                verdicts.append(vm.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length))
                views.append(view)
    except cbpf.DamagedCapture as damage:
        error = str(damage)
    if not isinstance(filter, cbpf.Program) or program is None:
        return verdicts, None, error
    return verdicts, cbpf.execution_counts(program, views, dialect=dialect, engine="interpreter"), error


def by_capture(source: Callable[[], Any], filter: Any, engine: Any, **options: Any) -> Result:
    """Return the result of the functions for captures."""
    verdicts, errors = array("I"), []
    try:
        for piece in cbpf.capture_verdicts(source(), filter, engine=engine, **options):
            verdicts += piece
    except cbpf.CbpfError as error:
        errors.append(str(error))
    counts = None
    try:
        profile = cbpf.profile_capture(source(), filter, engine=engine, optimizer=None, **options)
        counts = profile.counts
        errors.append(profile.damage or "")
    except cbpf.CbpfError as error:
        errors.append(str(error))
    return verdicts.tolist(), counts, " ".join(errors)


def both(monkeypatch: pytest.MonkeyPatch, source: Callable[[], Any], filter: Any, **options: Any) -> Result:
    """Return the result of Python, which that of machine code must equal."""
    results = []
    for engine, size in (("python", 1 << 60), ("llvm", 0)):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        results.append(by_capture(source, filter, engine, **options))
    assert results[1] == results[0]
    return results[0]


def many_interfaces(random: Random, byte_order: str) -> bytes:
    """Return a pcapng of packets of link types with and without a view of their own, in a random order."""
    build = Pcapng(byte_order)
    names = ("EN10MB", "LINUX_SLL", "RAW", "NFLOG", "EN10MB", "NULL", "USB_LINUX_MMAPPED")
    parts = [build.section(), *(build.interface(cbpf.link_type(name).linktype or 0) for name in names)]
    for index in range(600):
        data = random.randbytes(random.choice((3, 30, 70)))
        interface = random.randrange(len(names)) if index > 100 else 0
        parts.append(build.enhanced(data, interface=interface, time=index, wire_length=len(data) + index % 2))
    return b"".join(parts)


CASES: Final[dict[str, tuple[Callable[[Random], bytes], Any, dict[str, Any]]]] = {
    "expression": (lambda random: encoded(traffic(random, 300)), "tcp or arp", {}),
    "truncated": (lambda random: encoded(traffic(random, 300))[:-5], LENGTHS, {}),
    "interfaces, big-endian": (lambda random: many_interfaces(random, ">"), LENGTHS, {}),
    "expression for interfaces": (lambda random: many_interfaces(random, ">"), "ip or ether[0] = 1", {}),
    "blocks": (lambda random: blocks_of_all_kinds(random, ">") + as_pcapng(traffic(random, 200)), LENGTHS, {}),
    "socket": (lambda random: many_interfaces(random, "<"), TAGS, {"dialect": cbpf.LINUX, "as_socket": True}),
    "socket with Python": (
        lambda random: encoded(traffic(random, 100)),
        cbpf.parse("ld poff\nret a"),
        {"dialect": cbpf.LINUX, "as_socket": True},
    ),
    "actions": (
        lambda random: encoded([Record(0, 0, 64, random.randbytes(random.choice((64, 64, 63)))) for _ in range(200)]),
        ACTIONS,
        {"dialect": cbpf.SECCOMP},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_machine_code_and_python_agree_with_runs_on_packets(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    random = Random(name)
    shrink(monkeypatch, random.choice(SIZES))
    write, filter, options = CASES[name]
    path = tmp_path / "in"
    path.write_bytes(write(random))
    verdicts, counts, error = both(monkeypatch, lambda: path, filter, **options)
    as_socket, dialect = options.get("as_socket", False), options.get("dialect", cbpf.PCAP)
    expected = by_packet(path, filter, dialect, as_socket=as_socket)
    assert verdicts == expected[0]
    assert len(set(verdicts)) > 1
    if isinstance(filter, cbpf.Program):
        assert counts == expected[1]
        assert bool(error.strip()) is bool(expected[2]) is (name == "truncated")
        assert expected[2] in error


def test_all_kinds_of_sources_have_the_same_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    shrink(monkeypatch, Sizes(20_001, 2))
    capture = encoded(traffic(Random(5), 1_200))
    path = tmp_path / "in"
    path.write_bytes(capture)
    expected = both(monkeypatch, lambda: path, LENGTHS)
    assert len(expected[0]) == 1_200
    assert list(chain.from_iterable(cbpf.capture_verdicts(path, cbpf.VM(LENGTHS)))) == expected[0]
    assert both(monkeypatch, lambda: Pieces(capture), LENGTHS)[:2] == expected[:2]
    assert both(monkeypatch, lambda: BytesIO(gzip.compress(capture)), LENGTHS)[:2] == expected[:2]
    monkeypatch.setattr(MappedFile, "address", lambda self: None)  # as after a broken lease
    assert both(monkeypatch, lambda: path, LENGTHS) == expected


@pytest.mark.fuzz
def test_engines_agree_on_damaged_captures(rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    for random in rounds(8):
        shrink(monkeypatch, random.choice(SIZES))
        path.write_bytes(damaged(random))
        both(monkeypatch, lambda: path, random.choice((*FILTERS, LENGTHS)), as_socket=random.random() < 0.3)


@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_engines_agree_on_real_captures(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for filter in ("ip or ip6", LENGTHS):
        both(monkeypatch, lambda: path, filter)
    both(monkeypatch, lambda: path, TAGS, dialect=cbpf.LINUX, as_socket=True)


def test_readers_are_counted_by_machine_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that was iterated over, and one that selects packets, are counted from their current packet on."""
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    path.write_bytes(encoded(traffic(Random(1), 1_500)))
    packets = list(cbpf.read_capture(path))
    arp = [packet for packet in packets if packet.data[12:14] == b"\x08\x06"]
    for size in (1 << 60, 0):
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", size)
        with cbpf.read_capture(path) as reader:
            next(reader)
            assert cbpf.execution_counts(LENGTHS, reader) == cbpf.execution_counts(LENGTHS, packets[1:])
        with cbpf.read_capture(path, filter="arp") as reader:
            assert cbpf.execution_counts(LENGTHS, reader) == cbpf.execution_counts(LENGTHS, arp)


def test_verdicts_of_arrived_packets_do_not_wait(cli: CommandLine) -> None:
    capture = encoded(list(TRAFFIC_RECORDS[:3]))
    first, second = len(encoded(list(TRAFFIC_RECORDS[:1]))), len(encoded(list(TRAFFIC_RECORDS[:2])))
    process = cli.start("run", "-e", "greater 1", "-", stdin=-1, stdout=-1)
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        for number, end in enumerate((first, second, len(capture)), 1):
            process.stdin.write(capture[(0, first, second)[number - 1] : end])
            assert os.read(process.stdout.fileno(), 100) == b"%d 262144\n" % number
        process.stdin.close()
        assert process.wait() == 0


def test_errors_are_raised_by_the_iteration(tmp_path: Path) -> None:
    with pytest.raises(cbpf.FieldError, match=r"capture_verdicts\.engine: 'fast' is not one of"):
        cbpf.capture_verdicts("missing", "ip", engine="fast")  # type: ignore[arg-type]
    verdicts = cbpf.capture_verdicts(tmp_path / "missing", "ip")
    with pytest.raises(cbpf.CaptureError, match="missing"):
        next(verdicts)
    path = tmp_path / "in"
    path.write_bytes(encoded(list(TRAFFIC_RECORDS[:3])))
    with pytest.raises(cbpf.ExpressionError):
        next(cbpf.capture_verdicts(path, "ip or"))
    with pytest.raises(cbpf.VerificationError):
        next(cbpf.capture_verdicts(path, [cbpf.Jump(5)]))
    with pytest.raises(cbpf.VerificationError):
        cbpf.profile_capture(path, [cbpf.Jump(5)])


@pytest.mark.parametrize("first", [1, 990, 999, 1_000, 99_990, 1_234_567])
def test_lines_have_consecutive_numbers(first: int) -> None:
    verdicts = array("I", [Random(first).choice((0, 1, 2**32 - 1)) for _ in range(2_100)])
    expected = [f"{number} {verdict}" for number, verdict in enumerate(verdicts, first)]
    assert _lines(first, verdicts).splitlines() == expected
    assert _lines(first, verdicts[:5]) == "".join(f"{line}\n" for line in expected[:5])
    assert _lines(first, array("I")) == ""


def test_a_batch_of_verdicts_is_an_array(tmp_path: Path) -> None:
    path = tmp_path / "in"
    path.write_bytes(encoded([]))
    assert list(cbpf.capture_verdicts(path, "ip")) == []
    path.write_bytes(encoded(list(TRAFFIC_RECORDS[:3])))
    batches = list(cbpf.capture_verdicts(path, [cbpf.RetConstant(2**32 - 1)]))
    assert [memoryview(batch).format for batch in batches] == ["I"]
    assert list(chain.from_iterable(batches)) == [2**32 - 1] * 3
