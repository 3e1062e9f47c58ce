"""Captured packets as a live packet socket would see them."""

from io import BytesIO
from pathlib import Path

import pytest

import cbpf
from support.captures import Variant, decoded, encoded, relabelled

FRAME = bytes.fromhex("020000000001 020000000002 0800 45000014 00000000 40110000 c0000201 c0000202")
TAGGED = FRAME[:12] + bytes.fromhex("8100 6064") + FRAME[12:]
ETHERNET = cbpf.link_type("EN10MB")


def test_the_outer_tag_is_removed_and_inserted_again() -> None:
    view = cbpf.socket_view(TAGGED, ETHERNET, 1500)
    assert view.data == FRAME
    assert view.wire_length == 1496
    assert view.metadata.vlan == cbpf.VlanTag(0x6064, 0x8100)
    assert view.metadata.protocol == 0x0800
    assert (view.metadata.link_header, view.metadata.network_header) == (0, 14)
    assert cbpf.with_tag(view) == TAGGED
    plain = cbpf.socket_view(FRAME, ETHERNET)
    assert cbpf.with_tag(plain) == plain.data == FRAME


def test_the_inner_tag_remains() -> None:
    double = FRAME[:12] + bytes.fromhex("88a8 0064 8100 00c8") + FRAME[12:]
    view = cbpf.socket_view(double, ETHERNET)
    assert view.metadata.vlan == cbpf.VlanTag(100, 0x88A8)
    assert view.metadata.protocol == 0x8100
    assert cbpf.with_tag(view) == double


@pytest.mark.parametrize("length", range(20))
def test_truncated_frames_are_unchanged(length: int) -> None:
    view = cbpf.socket_view(TAGGED[:length], ETHERNET)
    assert cbpf.with_tag(view) == TAGGED[:length]
    assert (view.metadata.vlan is not None) is (length >= 18)


@pytest.mark.parametrize(
    ("head", "protocol"), [("0806", 0x0806), ("0026 4242", 0x0004), ("0026 ffff", 0x0001), ("0600", 0x0600)]
)
def test_ethernet_protocols(head: str, protocol: int) -> None:
    frame = bytes(12) + bytes.fromhex(head) + bytes(40)
    assert cbpf.socket_view(frame, ETHERNET).metadata.protocol == protocol


@pytest.mark.parametrize(("address", "kind"), [("ffffffffffff", 1), ("01005e000001", 2), ("020000000001", 0)])
def test_ethernet_packet_types(address: str, kind: int) -> None:
    assert cbpf.socket_view(bytes.fromhex(address) + FRAME[6:], ETHERNET).metadata.packet_type == kind


def test_cooked_headers_become_metadata() -> None:
    header = bytes.fromhex("0004 0001 0006 020000000001 0000 0800")
    view = cbpf.socket_view(header + FRAME[14:], cbpf.link_type("LINUX_SLL"))
    assert view.data == FRAME[14:]
    assert (view.metadata.protocol, view.metadata.packet_type) == (0x0800, 4)
    assert view.metadata.device == cbpf.Device(0, 1)
    header = bytes.fromhex("86dd 0000 00000007 0304 02 06 0200000000010000")
    view = cbpf.socket_view(header + b"rest", cbpf.link_type("LINUX_SLL2"), 100)
    assert (view.data, view.wire_length) == (b"rest", 80)
    assert (view.metadata.protocol, view.metadata.packet_type) == (0x86DD, 2)
    assert view.metadata.device == cbpf.Device(7, 772)


@pytest.mark.parametrize("name", ["LINUX_SLL", "LINUX_SLL2", "RAW", "PPP", "USER0"])
def test_other_and_short_packets_have_the_defaults(name: str) -> None:
    view = cbpf.socket_view(b"\x00\x01", cbpf.link_type(name))
    assert view == (b"\x00\x01", 2, cbpf.Metadata())


def test_raw_packets_have_the_protocol_of_their_ip_version() -> None:
    assert cbpf.socket_view(b"\x45", cbpf.link_type("RAW")).metadata.protocol == 0x0800
    assert cbpf.socket_view(b"\x60", cbpf.link_type("IPV6")).metadata.protocol == 0x86DD


def _accepted(capture: bytes, text: str) -> int:
    program = cbpf.parse(text)
    return cbpf.filter_capture(BytesIO(capture), None, program, dialect=cbpf.LINUX, as_socket=True).packets_accepted


def test_extension_loads_on_captures(traffic: Path) -> None:
    """A program of extension loads accepts as many packets as an expression on the captured bytes."""
    capture = traffic.read_bytes()
    for text, expression in (
        ("ld vlan_avail\nret a", "vlan"),
        ("ld proto\njeq #0x806,1\nret #0\nret #1", "arp or (vlan and arp)"),
        ("ld type\njeq #1,1\nret #0\nret #1", "ether broadcast"),
        ("ld vlan_tci\nand #0xfff\njeq #100,1\nret #0\nret #1", "vlan 100"),
    ):
        expected = cbpf.filter_capture(traffic, None, expression).packets_accepted
        assert _accepted(capture, text) == expected > 0, expression


def test_accepted_packets_are_written_with_their_tag(traffic: Path) -> None:
    target = BytesIO()
    program = cbpf.parse("ld vlan_avail\nret a")
    cbpf.filter_capture(traffic, target, program, dialect=cbpf.LINUX, as_socket=True)
    expected = BytesIO()
    cbpf.filter_capture(traffic, expected, "vlan")
    assert target.getvalue() == expected.getvalue()


def test_payload_offsets_on_captures(traffic: Path) -> None:
    """The payload of an HTTP request is its text."""
    program = cbpf.parse("ld poff\ntax\nld [x + 0]\njeq #0x47455420,1\nret #0\nret #1")  # "GET "
    accepted = cbpf.filter_capture(traffic, None, program, dialect=cbpf.LINUX, as_socket=True).packets_accepted
    requests = sum(b"GET /" in packet.data and b"HTTP/1" in packet.data for packet in cbpf.read_capture(traffic))
    assert 0 < accepted <= requests


@pytest.mark.parametrize("name", ["LINUX_SLL", "LINUX_SLL2", "RAW"])
def test_relabelled_captures_have_the_same_protocol(name: str, traffic: Path) -> None:
    text = "ld proto\njeq #0x86dd,1\nret #0\nret #1"
    linktype, records = relabelled(decoded(traffic.read_bytes()), name)
    capture = encoded(records, Variant(linktype=linktype))
    assert _accepted(capture, text) == cbpf.filter_capture(BytesIO(capture), None, "ip6").packets_accepted > 0
