"""`filter_capture` accepts the packets that `tcpdump --nano -O` accepts, in plain, truncated and damaged captures."""

from __future__ import annotations

import itertools
import random
import shutil
import struct
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Final, Literal, NamedTuple

import pytest

import cbpf
from cbpf.expression.libpcap import Handle
from support.captures import (
    FILE_HEADER_SIZE,
    KUZNETZOV,
    NANOSECONDS,
    RELABELLINGS,
    TRAFFIC,
    VARIANTS,
    Pcapng,
    Record,
    Variant,
    clipped,
    decoded,
    distinct,
    encoded,
    relabelled,
)
from support.corpus_filters import CORPUS, ETHERNET
from support.libpcap_differences import difference_of
from support.libpcap_release import needs_libpcap
from support.project import Rounds
from support.real_captures import parameters_of, real_captures

pytestmark = [
    pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump"),
    pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning"),
]

OTHER_LINK_TYPES: Final = [pytest.param(*filter, id=str(filter)) for filter in CORPUS if filter.link_type != "EN10MB"]

TRAFFIC_BYTES: Final = TRAFFIC.read_bytes()
PACKETS: Final = decoded(TRAFFIC_BYTES)
EXPIRING_PING: Final = bytes.fromhex(
    "020000000002 020000000001 0800 4500001c00000000 01017ddd 7f000001 7f000001 0800f7ff00000000"
)
LENGTHS: Final = (*range(14, 61), 0, 1, 12, 13, 64, 66, 70, 74, 78, 96)


class Answer(NamedTuple):
    """The outcome of filtering a capture: "rejected" without output, "damaged" after the records, or "complete"."""

    outcome: Literal["complete", "damaged", "rejected"]
    records: list[Record]


# Expressions that libpcap before 1.10.5 compiles incorrectly, with equivalents that all releases compile correctly
EQUIVALENTS: Final = {"ip multicast": "ip and ip[16] & 0xf0 = 0xe0"}


def run_tcpdump(capture: bytes, expression: str, *options: str) -> tuple[int, bytes]:
    command = ["tcpdump", *options, "-O", "-r", "-", "-w", "-", EQUIVALENTS.get(expression, expression)]
    done = subprocess.run(command, input=capture, capture_output=True, check=False)
    return done.returncode, done.stdout


def tcpdump(capture: bytes, expression: str) -> Answer:
    status, output = run_tcpdump(capture, expression, "--nano")
    if not output:
        assert status != 0
        return Answer("rejected", [])
    return Answer("damaged" if status else "complete", decoded(output))


def ours(capture: bytes, expression: str) -> Answer:
    target = BytesIO()
    outcome: Literal["complete", "damaged"] = "complete"
    try:
        cbpf.filter_capture(BytesIO(capture), target, expression)
    except cbpf.DamagedCapture:
        outcome = "damaged"
    except (cbpf.CaptureError, cbpf.ExpressionError):
        assert target.getvalue() == b""
        return Answer("rejected", [])
    return Answer(outcome, decoded(target.getvalue()))


def difference_from_tcpdump(capture: bytes, expression: str) -> str | None:
    """Return the name of a listed difference from libpcap 1.10.6 in an expression for a pcap, or None."""
    byte_order = "<" if capture[0] in (0xD4, 0x4D) else ">"
    linktype = struct.unpack_from(f"{byte_order}I", capture, 20)[0] & 0xFFFF
    return difference_of(expression, Handle(cbpf.link_type(linktype).dlt, 65_535, capture[:FILE_HEADER_SIZE]))


def skip_if_different(capture: bytes, expression: str) -> None:
    name = difference_from_tcpdump(capture, expression)
    if name is not None:
        pytest.skip(f"a difference from libpcap: {name}")


def with_truncated_packets(records: list[Record], linktype: int) -> bytes:
    """Return a packet of each kind, truncated to each of several lengths."""
    kinds = distinct(records)
    return encoded([packet for length in LENGTHS for packet in clipped(kinds, length)], Variant(linktype=linktype))


TRUNCATED_TRAFFIC: Final = with_truncated_packets(PACKETS, 1)


# The corpus


def _skip_if_compiled_incorrectly(expression: str) -> None:
    if expression in EQUIVALENTS:
        needs_libpcap(1, 10, 5)


@pytest.mark.parametrize("expression", ETHERNET, ids=ETHERNET)
def test_output_of_a_plain_file_has_the_same_bytes(expression: str) -> None:
    _skip_if_compiled_incorrectly(expression)
    target = BytesIO()
    cbpf.filter_capture(TRAFFIC, target, expression)
    assert (0, target.getvalue()) == run_tcpdump(TRAFFIC_BYTES, expression)


OF_LENGTH: Final = ("len <= 60", "len = 98", "less 60", "greater 98", "len - 60 > 38")


@pytest.mark.parametrize("expression", [*ETHERNET, *OF_LENGTH], ids=[*ETHERNET, *OF_LENGTH])
def test_truncated_packets_are_filtered_as_by_tcpdump(expression: str) -> None:
    _skip_if_compiled_incorrectly(expression)
    assert ours(TRUNCATED_TRAFFIC, expression) == tcpdump(TRUNCATED_TRAFFIC, expression)


def converted(link_type: str) -> tuple[int, list[Record]]:
    """Return the traffic under another link type, with a ping without which some expressions accept no packet."""
    return relabelled([*PACKETS, Record(0, 0, len(EXPIRING_PING), EXPIRING_PING)], link_type)


@pytest.mark.parametrize(("link_type", "expression"), OTHER_LINK_TYPES)
def test_other_link_types_are_filtered_as_by_tcpdump(link_type: str, expression: str) -> None:
    linktype, records = converted(link_type)
    capture = encoded(records, Variant(linktype=linktype))
    expected = tcpdump(capture, expression)
    assert 0 < len(expected.records) <= len(records)
    assert ours(capture, expression) == expected


@pytest.mark.parametrize(("link_type", "expression"), OTHER_LINK_TYPES)
def test_truncated_packets_of_other_link_types_are_filtered_as_by_tcpdump(link_type: str, expression: str) -> None:
    linktype, records = converted(link_type)
    capture = with_truncated_packets(records, linktype)
    assert ours(capture, expression) == tcpdump(capture, expression)


@pytest.mark.parametrize("link_type", RELABELLINGS)
@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("expression", ["ip", "ip6 and tcp", "udp port 53", "arp", "link[0] = 0", "vlan", "multicast"])
def test_link_types_in_both_byte_orders_are_filtered_as_by_tcpdump(
    link_type: str, byte_order: str, expression: str
) -> None:
    linktype, records = relabelled(PACKETS, link_type)
    capture = encoded(records, Variant(byte_order, linktype=linktype))
    skip_if_different(capture, expression)
    assert ours(capture, expression) == tcpdump(capture, expression)


# The variants of the format

LATE: Final = [Record(2**32 - 1 - index, 999_999_999 - index, 100 + index, bytes(60)) for index in range(3)]
SOME: Final = [*PACKETS[::40], *clipped(PACKETS[::50], 40), *LATE]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("expression", ["", "tcp", "len > 90", "ip[0] & 0xf = 5"])
def test_variants_are_read_as_by_tcpdump(name: str, expression: str) -> None:
    capture = encoded(SOME, VARIANTS[name])
    expected = tcpdump(capture, expression)
    assert expected.outcome == "complete"
    assert ours(capture, expression) == expected


@pytest.mark.parametrize(
    "version", [(0, 0), (1, 2), (2, 1), (2, 4), (2, 5), (3, 0), (543, 1), (542, 0), (0x200, 0x400)]
)
def test_versions_are_accepted_as_by_tcpdump(version: tuple[int, int]) -> None:
    capture = encoded(SOME, Variant(version=version))
    assert ours(capture, "") == tcpdump(capture, "")


@pytest.mark.parametrize("bit", range(16, 32))
@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_upper_bits_of_the_link_type_are_read_as_by_tcpdump(bit: int, byte_order: str) -> None:
    capture = encoded(SOME, Variant(byte_order, linktype=1 | 1 << bit))
    assert ours(capture, "ip") == tcpdump(capture, "ip")


LINK_TYPE_EXPRESSIONS: Final = ("ip", "ip6", "link[0] = 2", "len < 90", "outbound", "ifindex 2")


@pytest.mark.parametrize("start", range(0, 300, 10))
def test_every_link_type_is_filtered_as_by_tcpdump(start: int, full_length: bool) -> None:
    """Each type has two of the expressions, or all of them with --all."""
    for linktype in range(start, start + 10):
        capture = encoded(SOME, Variant(linktype=linktype))
        if tcpdump(capture, "").outcome == "rejected":  # unknown to tcpdump, but maybe not to the libpcap of cbpf
            assert ours(capture, "") in (Answer("rejected", []), Answer("complete", decoded(capture)))
            continue
        for index, expression in enumerate(LINK_TYPE_EXPRESSIONS):
            if (index % 3 == linktype % 3 or full_length) and not difference_from_tcpdump(capture, expression):
                assert ours(capture, expression) == tcpdump(capture, expression), (linktype, expression)


@pytest.mark.parametrize("link_type", ["EN10MB", "PPP", "LINUX_SLL", "LINUX_SLL2"])
@pytest.mark.parametrize("expression", ["inbound", "outbound and tcp", "not outbound", "ifindex 2", "not ifindex 3"])
def test_directions_are_filtered_as_by_tcpdump(link_type: str, expression: str) -> None:
    linktype, records = converted(link_type) if link_type != "EN10MB" else (1, PACKETS)
    capture = encoded(records, Variant(linktype=linktype))
    assert ours(capture, expression) == tcpdump(capture, expression)


# Linux writes these headers in host byte order, and tcpdump converts them to the byte order of its host.
HOST_ORDER: Final = {"USB_LINUX": 189, "USB_LINUX_MMAPPED": 220, "NFLOG": 239}
PSEUDO_HEADER: Final = bytes([2, 0, 0, 7, 0, 8, 0, 1]) + bytes(range(100, 160))


LINK_EXPRESSIONS: Final = ("", "link[1] = 0", "link[4] = 8", "link[8] = 100", "link[20] = 112")


@pytest.mark.parametrize(("name", "byte_order", "expression"), [*itertools.product(HOST_ORDER, "<>", LINK_EXPRESSIONS)])
def test_headers_in_host_order_are_filtered_as_by_tcpdump(name: str, byte_order: str, expression: str) -> None:
    records = [Record(1, 2000, 99, PSEUDO_HEADER), Record(3, 4000, 68, PSEUDO_HEADER[::-1])]
    capture = encoded(records, Variant(byte_order, linktype=HOST_ORDER[name]))
    target = BytesIO()
    cbpf.filter_capture(BytesIO(capture), target, expression)
    assert tcpdump(target.getvalue(), "") == tcpdump(capture, expression)


@pytest.mark.parametrize("linktype", [1, 220, 231, 249, 279])
@pytest.mark.parametrize("excess", [0, 1])
def test_the_maximum_packet_length_is_that_of_tcpdump(linktype: int, excess: int) -> None:
    max_length = {231: 134_217_728, 249: 1_048_576, 279: 8_388_608}.get(linktype, 262_144)
    max_length = min(max_length, 2**24)  # far beyond the usual limit, but still fast
    data = bytes(max_length + excess)
    capture = encoded([*SOME, Record(1, 2, len(data), data), *SOME], Variant(snaplen=0, linktype=linktype))
    assert ours(capture, "len > 90") == tcpdump(capture, "len > 90")


# libpcap computes the wire length of isochronous transfers from their descriptors: here 90 instead of 180.
ISOCHRONOUS_LAYOUT: Final = "QBBBB20xI24xIiIII"
ISOCHRONOUS_FIELDS: Final = (1, ord("C"), 0, 0x81, 1, 100, 1, 0, 0, 10, 0)
ISOCHRONOUS: Final = Record(1, 2000, 180, b"")


@pytest.mark.parametrize("byte_order", "<>")
@pytest.mark.parametrize("expression", ["", "len > 100", "len = 90"])
def test_isochronous_usb_transfers_are_filtered_as_by_tcpdump(byte_order: str, expression: str) -> None:
    record = ISOCHRONOUS._replace(data=struct.pack(f"{byte_order}{ISOCHRONOUS_LAYOUT}", *ISOCHRONOUS_FIELDS))
    capture = encoded([record, *SOME], Variant(byte_order, linktype=HOST_ORDER["USB_LINUX_MMAPPED"]))
    target = BytesIO()
    cbpf.filter_capture(BytesIO(capture), target, expression)
    assert tcpdump(target.getvalue(), "") == tcpdump(capture, expression)


# Captures of several link types, which tcpdump does not read: compared interface by interface


@pytest.mark.fuzz
def test_each_interface_is_filtered_as_a_capture_of_its_own(rounds: Rounds) -> None:
    """The packets of an interface that tcpdump rejects for this expression do not match."""
    kinds = [*RELABELLINGS, "USB_LINUX", "NFLOG", "IPMB_KONTRON"]
    for generator in rounds(40, min_checked=0.3):
        expression = generator.choice(["ip", "vlan", "inbound", "udp port 53", "len < 90", "ip6 or arp", "not tcp"])
        expected: list[bytes] = []
        blocks, results, differences = [], [], []
        for order in generator.sample(["<", ">", "<"], generator.randint(1, 3)):
            build = Pcapng(order)
            blocks.append(build.section())
            names = generator.sample(kinds, 3)
            relabelled_packets = [_packets_of(name, generator) for name in names]
            blocks += [build.interface(linktype=linktype) for linktype, _ in relabelled_packets]
            for index, (linktype, records) in enumerate(relabelled_packets):
                capture = encoded(records, Variant(order, linktype=linktype))
                differences.append(difference_from_tcpdump(capture, expression))
                result = tcpdump(capture, expression)
                results.append(result.outcome)
                expected += [record.data for record in result.records]
                blocks += [build.enhanced(record.data, interface=index) for record in records]
        if any(differences):
            continue
        if "complete" not in results:
            with pytest.raises(cbpf.LinkTypeError):
                cbpf.filter_capture(BytesIO(b"".join(blocks)), None, expression)
            continue
        target = BytesIO()
        engine = generator.choice(["python", "llvm"])
        cbpf.filter_capture(BytesIO(b"".join(blocks)), target, expression, engine=engine)  # type: ignore[arg-type]
        assert [packet.data for packet in cbpf.read_capture(BytesIO(target.getvalue()))] == expected
        rounds.checked()


def _packets_of(name: str, generator: random.Random) -> tuple[int, list[Record]]:
    """Return some packets of a link type; those of types that libpcap alters consist of equal bytes."""
    if name in RELABELLINGS:
        linktype, records = relabelled(PACKETS[::15], name)
        return linktype, generator.sample(records, min(5, len(records)))
    linktype = cbpf.link_type(name).linktype
    return linktype, [Record(0, 0, size, bytes([size]) * size) for size in generator.sample(range(48, 120), 3)]


# Real captures

SOME_EXPRESSIONS: Final = (
    "",
    "ip",
    "ip6 or arp",
    "udp",
    "tcp[13] & 2 != 0",
    "len > 100",
    "host 10.0.0.1",
    "vlan",
    "link[1] = 0",
)


@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap")))
def test_real_captures_are_filtered_as_by_tcpdump(path: Path) -> None:
    capture = path.read_bytes()
    for expression in SOME_EXPRESSIONS:
        if difference_from_tcpdump(capture, expression):
            continue
        assert ours(capture, expression) == tcpdump(capture, expression), expression


@pytest.mark.slow
@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_the_corpus_has_the_verdicts_of_tcpdump_on_real_captures(path: Path) -> None:
    status, capture = run_tcpdump(path.read_bytes(), "")  # a pcapng becomes a pcap
    if status and not capture:
        pytest.skip("tcpdump cannot read this capture")
    for expression in {filter.expression: None for filter in CORPUS}:
        _skip_if_compiled_incorrectly(expression)
        if difference_from_tcpdump(capture, expression):
            continue
        assert ours(capture, expression) == tcpdump(capture, expression), expression


# Damage

FEW: Final = [*PACKETS[5:7], *clipped(PACKETS[33:34], 20)]
DAMAGEABLE: Final = {
    "plain": Variant(snaplen=60),
    "big-endian nanoseconds": Variant(">", NANOSECONDS),
    "Kuznetzov": Variant("<", KUZNETZOV),
    "version 2.3": Variant("<", version=(2, 3)),
}


@pytest.mark.parametrize("name", DAMAGEABLE)
def test_truncation_at_any_byte_is_handled_as_by_tcpdump(name: str) -> None:
    capture = encoded(clipped(FEW, 4), DAMAGEABLE[name])
    for size in range(len(capture)):
        assert ours(capture[:size], "") == tcpdump(capture[:size], ""), size


@pytest.mark.fuzz
@pytest.mark.parametrize("name", DAMAGEABLE)
def test_flipped_bits_are_handled_as_by_tcpdump(name: str, rounds: Rounds) -> None:
    heads = record_heads(DAMAGEABLE[name])
    for generator in rounds(200):
        capture = bytearray(encoded(FEW, DAMAGEABLE[name]))
        for _ in range(1 + int(generator.random() * 3)):
            position = heads[int(generator.random() * len(heads))]
            capture[position] ^= 1 << int(generator.random() * 8)
        assert ours(bytes(capture), "len > 50") == tcpdump(bytes(capture), "len > 50")


def record_heads(variant: Variant) -> list[int]:
    """Return the positions of all bytes except packet data and the link type, whose support differs by release."""
    positions, start = list(range(FILE_HEADER_SIZE - 4)), FILE_HEADER_SIZE
    for record in FEW:
        positions += range(start, start + variant.record_header_size)
        start += variant.record_header_size + len(record.data)
    return positions


def test_the_output_before_damage_is_that_of_tcpdump(tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    damaged = TRAFFIC_BYTES[:-1]
    with pytest.raises(cbpf.DamagedCapture):
        cbpf.filter_capture(BytesIO(damaged), target, "udp")
    assert (1, target.read_bytes()) == run_tcpdump(damaged, "udp")
