"""Columns of programs: their values are the verdicts on each packet, by machine code and by Python."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture.native import choice
from cbpf.tables.fields import FIELD_NAMES, field_programs, field_type
from support.captures import TRAFFIC, Pcapng, Variant, decoded, encoded, relabelled
from support.project import MISSING_LIBRARIES
from support.scans import Sizes, shrink
from support.tables import read

pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")

ENGINES: Final = ("python",) if "llvmlite" in MISSING_LIBRARIES else ("python", "llvm")
RECORDS: Final = decoded(TRAFFIC.read_bytes())[::4]
LINK_TYPES: Final = ("EN10MB", "C_HDLC", "LINUX_SLL", "LINUX_SLL2", "LOOP", "NULL", "PPP", "RAW")


def engines(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Yield the engines; the scanner reads every capture for llvm, in small windows, and none for Python."""
    for engine in ENGINES:
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 0 if engine == "llvm" else 1 << 60)
        yield engine


@cache
def machine(program: cbpf.Program) -> cbpf.VM:
    return cbpf.VM(program, engine="python")


def cell(name: str, link_type: str, data: bytes) -> Any:
    """Return the value of a header column, by its programs."""
    programs = field_programs(name, link_type)
    if programs is None or not machine(programs.validity).run(data):
        return None
    parts = [machine(program).run(data) for program in programs.values]
    joined = b"".join(
        (part % (1 << 8 * width)).to_bytes(width, "big") for part, width in zip(parts, programs.widths, strict=True)
    )
    return joined if field_type(name).startswith("binary") else int.from_bytes(joined, "big")


@pytest.mark.parametrize("link_type", LINK_TYPES)
def test_header_columns_are_the_verdicts_of_their_programs(
    link_type: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, records = (1, list(RECORDS)) if link_type == "EN10MB" else relabelled(RECORDS, link_type)
    records += [record._replace(data=record.data[: len(record.data) // 3]) for record in records[:50]]
    path = tmp_path / "in"
    path.write_bytes(encoded(records, Variant(linktype=number)))
    names = [name for name in FIELD_NAMES if field_programs(name, link_type) is not None]
    expected = [tuple(cell(name, link_type, record.data) for name in names) for record in records]
    shrink(monkeypatch, Sizes(20_001, 2))
    for engine in engines(monkeypatch):
        assert read(path, columns=names, engine=engine, batch_size=50) == (expected, "")
        assert read(BytesIO(path.read_bytes()), columns=names, engine=engine) == (expected, "")


def test_header_columns_do_not_depend_on_the_byte_order_of_the_capturing_host(monkeypatch: pytest.MonkeyPatch) -> None:
    captures = []
    for name, byte_order in (("NULL", "<"), ("NULL of a big-endian host", ">")):
        number, records = relabelled(RECORDS, name)
        captures.append(encoded(records, Variant(byte_order, linktype=number)))
    names = ["src_ip", "dst_port", "src_ip6"]
    for engine in engines(monkeypatch):
        first, second = (read(BytesIO(capture), columns=names, engine=engine) for capture in captures)
        assert first == second
        assert all(len({row[index] for row in first[0]}) > 2 for index in range(len(names)))


def test_packets_of_other_link_types_have_no_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build = Pcapng("<")
    parts = [build.section(), build.interface(1), build.interface(101), build.interface(249)]
    for index, record in enumerate(RECORDS[:200]):
        parts.append(build.enhanced(record.data[14 * (index % 3 == 1) :], interface=index % 3))
    path = tmp_path / "in"
    path.write_bytes(b"".join(parts))
    names = ["eth_type", "src_ip", "src_ip6", "dst_port", "src_mac"]
    types = ("EN10MB", "RAW", "USBPCAP")
    for engine in engines(monkeypatch):
        rows, error = read(path, columns=["link_type", "data", *names], engine=engine)
        assert not error
        assert [row[0] for row in rows[:3]] == list(types)
        assert rows == [(kind, data, *(cell(name, kind, data) for name in names)) for kind, data, *_ in rows]
    assert {row[0]: {value is None for value in row[2:]} for row in rows if row[0] == types[2]} == {types[2]: {True}}


def test_defined_columns_are_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ttl = cbpf.parse("ldb [22]\nret a")
    dns = cbpf.VM(cbpf.compile("udp port 53", optimizer=None))
    define: dict[str, Any] = {
        "is_dns": "udp port 53",
        "time_to_live": ttl,
        "ip_ttl": cbpf.arrow.Column(ttl, present="ip"),
        "dns_if_udp": cbpf.arrow.Column("port 53", present="udp"),
        "ip": cbpf.Expression("ip"),
        "dns_verdict": dns,
    }
    ip, udp = (cbpf.VM(cbpf.compile(text)) for text in ("ip", "udp"))
    expected = []
    for record in decoded(TRAFFIC.read_bytes()):
        is_dns, value = bool(dns.run(record.data)), cbpf.VM(ttl).run(record.data)
        is_ip = bool(ip.run(record.data))
        expected.append(
            (is_dns, value, value if is_ip else None, is_dns if udp.run(record.data) else None, is_ip, is_dns * 262_144)
        )
    for engine in engines(monkeypatch):
        names = [name for name in define if name != "dns_verdict" or engine == "llvm"]
        rows, error = read(TRAFFIC, columns=names, define=define, engine=engine)
        assert not error
        assert rows == [row[: len(names)] for row in expected]


def test_defined_columns_follow_the_fixed_ones_and_may_be_left_out() -> None:
    define = {"dns": "udp port 53", "arp": "arp"}
    assert cbpf.arrow.read_table(TRAFFIC, define=define).column_names[-3:] == ["data", "dns", "arp"]
    table = cbpf.arrow.read_table(TRAFFIC, columns=["arp", "number"], define=define, filter="arp or ip6")
    assert table.column_names == ["arp", "number"]
