"""Header columns: values, nulls and limits, compared with a decoder that shares no code, and proved where possible."""

from __future__ import annotations

import re
from random import Random
from typing import Final, Literal

import pytest

import cbpf
from cbpf.isa.opcodes import EXTENSION_OFFSET
from cbpf.tables.fields import FIELD_NAMES, FieldPrograms, field_programs, field_type
from cbpf.tables.fields.columns import field
from cbpf.tables.fields.links import LINKS, MAX_TAGS
from cbpf.tables.fields.programs import MAX_EXTENSIONS, program_parts
from support.field_decoder import decode
from support.field_values import columns_of, values_of
from support.header_frames import frames, ipv6, link_headers, tagged
from support.project import ROOT, Rounds
from support.random_frames import below, chance, network, noise

UDP: Final = bytes.fromhex("c0000035 000c0000 01020304")
IPV4_HEADER: Final = "45000020 00010000 40110000 c0000201 c6336407"
PROVED: Final = [
    pytest.param(link_type, marks=[] if link_type == "EN10MB" else pytest.mark.slow) for link_type in LINKS
]


def programs_of(name: str, link_type: str) -> FieldPrograms:
    programs = field_programs(name, link_type)
    assert programs is not None
    return programs


def ethernet(kind: int, packet: bytes) -> bytes:
    return next(link_headers("EN10MB", kind)) + packet


def ipv4(payload: bytes, header: str = IPV4_HEADER) -> bytes:
    return ethernet(0x0800, bytes.fromhex(header) + payload)


def test_the_columns_of_a_packet() -> None:
    assert values_of("EN10MB", ipv4(UDP)) == {
        "eth_type": 0x0800,
        "vlan": None,
        "ip_version": 4,
        "protocol": 17,
        "src_ip": 0xC0000201,
        "dst_ip": 0xC6336407,
        "src_ip6": None,
        "dst_ip6": None,
        "src_port": 49152,
        "dst_port": 53,
        "tcp_flags": None,
        "icmp_type": None,
        "ttl": 64,
        "payload_length": 4,
        "src_mac": bytes.fromhex("0200000000f1"),
        "dst_mac": bytes.fromhex("020000000002"),
    }


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("65000020 00010000 40110000 c0000201 c6336407", "ip_version"),
        ("44000020 00010000 40110000 c0000201 c6336407", "ip_version"),
        ("50000020 00010000 40110000 c0000201 c6336407", "ip_version"),
        ("45000020 00010000 40320000 c0000201 c6336407", "src_port"),
        ("45000020 00010001 40110000 c0000201 c6336407", "src_port"),
        ("45000000 00010000 40840000 c0000201 c6336407", "payload_length"),
        ("4500001f 00010000 40840000 c0000201 c6336407", "payload_length"),
        ("45000020 00012000 40840000 c0000201 c6336407", "payload_length"),
    ],
    ids=[
        "other version",
        "short header",
        "version 5",
        "no ports",
        "later fragment",
        "IP length 0",
        "length in header",
        "unfinished",
    ],
)
def test_columns_without_a_header_are_null(header: str, name: str) -> None:
    assert columns_of("EN10MB")[name].value(ipv4(UDP, header)) is None


@pytest.mark.parametrize(
    ("protocol", "transport"),
    [
        (17, "c0000035 00070000"),
        (33, "c0000035 02000000 00000001"),
        (6, "c0000035 00000001 00000000 4f120000 00000000"),
    ],
    ids=["udp", "dccp", "tcp"],
)
def test_payload_length_is_null_after_a_header_that_is_too_short(protocol: int, transport: str) -> None:
    header = f"45000040 00010000 40{protocol:02x}0000 c0000201 c6336407"
    assert columns_of("EN10MB")["payload_length"].value(ipv4(bytes.fromhex(transport), header)) is None


def test_columns_are_null_where_the_packet_is_truncated() -> None:
    packet = ipv4(UDP)
    present = [
        {name for name, value in values_of("EN10MB", packet[:size]).items() if value is not None}
        for size in (0, 13, 14, 23)
    ]
    assert present == [
        set(),
        {"src_mac", "dst_mac"},
        {"src_mac", "dst_mac", "eth_type"},
        {"src_mac", "dst_mac", "eth_type", "ip_version", "ttl"},
    ]


@pytest.mark.parametrize(
    ("link_type", "header", "version"),
    [
        ("NULL", "0a000000", 6),
        ("NULL", "0000000a", 6),
        ("LOOP", "0000000a", 6),
        ("LOOP", "0000000b", None),
        ("PPP", "0057", 6),
        ("PPP", "0257", None),
        ("PPP", "57", 6),
        ("RAW", "", 6),
    ],
)
def test_link_headers_determine_the_version(link_type: str, header: str, version: int | None) -> None:
    assert columns_of(link_type)["ip_version"].value(bytes.fromhex(header) + ipv6(17, UDP)) == version


@pytest.mark.parametrize("count", range(MAX_TAGS + 2))
def test_vlan_tags_are_skipped_up_to_a_number(count: int) -> None:
    values = values_of("EN10MB", ethernet(*tagged((0x88A8, *(0x8100,) * count)[:count], 0x0800, ipv4(UDP)[14:])))
    assert values["vlan"] == (0x123 if count else None)
    found = (0x0800, 4, 53) if count <= MAX_TAGS else (0x8100, None, None)
    assert (values["eth_type"], values["ip_version"], values["dst_port"]) == found


@pytest.mark.parametrize("count", range(MAX_EXTENSIONS + 2))
def test_extension_headers_are_followed_up_to_a_number(count: int) -> None:
    values = values_of("EN10MB", ethernet(0x86DD, ipv6(17, UDP, extensions=(60,) * count)))
    assert (values["ttl"], values["protocol"], values["dst_port"]) == (
        (62, 17, 53) if count <= MAX_EXTENSIONS else (62, None, None)
    )


@pytest.mark.parametrize("number", [0, 43, 44, 51, 60])
def test_no_extension_header_is_taken_for_a_protocol(number: int) -> None:
    extensions = (*(60,) * MAX_EXTENSIONS, number)
    values = values_of("EN10MB", ethernet(0x86DD, ipv6(17, UDP, extensions=extensions)))
    assert (values["ttl"], values["protocol"], values["src_port"]) == (62, None, None)


@pytest.mark.parametrize("link_type", LINKS)
def test_columns_agree_with_an_independent_decoder(link_type: str) -> None:
    packets = [*frames(link_type)]
    for packet in Random(link_type).sample(packets, 40):
        for size in range(0, len(packet), 3):
            assert values_of(link_type, packet[:size]) == decode(link_type, packet[:size]), packet[:size].hex()
        assert values_of(link_type, packet) == decode(link_type, packet), packet.hex()


@pytest.mark.parametrize("link_type", LINKS)
def test_columns_of_random_packets_agree_with_an_independent_decoder(rounds: Rounds, link_type: str) -> None:
    for random in rounds(150, min_checked=1):
        packet = random_packet(random, link_type)
        assert values_of(link_type, packet) == decode(link_type, packet), packet.hex()
        rounds.checked()


def random_packet(random: Random, link_type: str) -> bytes:
    kind, packet = network(random, below(random, 8))
    header = next(link_headers(link_type, kind), None)
    data = bytearray((noise(random, below(random, 8)) if header is None else header) + packet[:3000])
    while data and chance(random, 0.4):
        data[below(random, min(len(data), 80))] = below(random, 256)
    return bytes(data[: below(random, len(data) + 1)] if chance(random, 0.2) else data)


@pytest.mark.parametrize("link_type", LINKS)
def test_programs_satisfy_the_rules_and_read_the_packet_only(link_type: str) -> None:
    for name in columns_of(link_type):
        programs = programs_of(name, link_type)
        assert len(programs.values) == len(programs.widths)
        for program in (*programs.values, programs.validity):
            cbpf.verify(program)
            assert all(instruction.k < EXTENSION_OFFSET for instruction in program)
            assert "len" not in cbpf.render(program, format="asm")


@pytest.mark.parametrize("link_type", PROVED)
def test_values_of_nulls_are_zero(link_type: str) -> None:
    pytest.importorskip("bitwuzla", reason="needs the extra smt")
    for name in columns_of(link_type):
        programs = programs_of(name, link_type)
        assert cbpf.implies(programs.values[-1], programs.validity), name


@pytest.mark.parametrize("link_type", PROVED)
def test_parts_of_an_address_are_captured_with_its_last_part(link_type: str) -> None:
    pytest.importorskip("bitwuzla", reason="needs the extra smt")
    for name in columns_of(link_type).keys() & {"src_ip6", "dst_ip6", "src_mac", "dst_mac"}:
        programs = programs_of(name, link_type)
        for part in programs.values:
            assert cbpf.implies(programs.validity, validity_of(part)), name


@pytest.mark.parametrize("link_type", PROVED)
@pytest.mark.parametrize("goal", ["size", "speed"])
def test_optimised_programs_are_equal_on_every_packet(link_type: str, goal: Literal["size", "speed"]) -> None:
    pytest.importorskip("bitwuzla", reason="needs the extra smt")
    for name in columns_of(link_type):
        programs = programs_of(name, link_type)
        for program in (*programs.values, programs.validity):
            cbpf.optimize(program, goal=goal, prove=True)


def validity_of(program: cbpf.Program) -> cbpf.Program:
    """Return the program with the verdict 1 in place of a value, by its text."""
    return cbpf.parse(re.sub(r"\bret a\b", "ret #1", cbpf.render(program, format="asm")))


def test_every_file_is_part_of_a_program() -> None:
    folder = ROOT / "src" / "cbpf" / "tables" / "fields"
    used = {
        part
        for headers in LINKS.values()
        for name in FIELD_NAMES
        for part in (*program_parts(field(name).level, headers), f"columns/{name}")
    }
    assert used == {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.bpf")}


def test_types_agree_with_widths() -> None:
    sizes = {name: sum(programs_of(name, "EN10MB").widths) for name in FIELD_NAMES}
    bits = {name: int(field_type(name).removeprefix("uint")) for name in FIELD_NAMES if "uint" in field_type(name)}
    size_of_bytes = {name: int(field_type(name).removeprefix("binary")) for name in FIELD_NAMES if name not in bits}
    assert sizes == {name: count // 8 for name, count in bits.items()} | size_of_bytes


@pytest.mark.parametrize("function", [field_type, lambda name: field_programs(name, "EN10MB")])
def test_unknown_columns_are_rejected_with_the_nearest_name(function: object) -> None:
    message = "column: 'source_port' is not a header column; did you mean 'src_port'?"
    with pytest.raises(cbpf.FieldError, match=f"^{message.replace('?', '[?]')}$"):
        function("source_port")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "link_type"), [("eth_type", "RAW"), ("vlan", "PPP"), ("src_mac", "LINUX_SLL"), ("ttl", "IEEE802_11")]
)
def test_link_types_without_a_column_have_no_programs(name: str, link_type: str) -> None:
    assert field_programs(name, link_type) is None


def test_link_types_have_names_and_numbers() -> None:
    assert field_programs("ttl", 1) == field_programs("ttl", "ETHERNET") == field_programs("ttl", cbpf.link_type(1))
