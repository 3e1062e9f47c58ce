"""Payload offsets of hand-picked frames, with the results of Linux 6.18, and of random frames on a live kernel."""

from random import Random

import pytest

from cbpf.packet.flow_dissector import payload_offset
from support import random_frames
from support.judges import packet_socket
from support.judges.packet_socket import PACKET_KINDS, Kind, View, view
from support.project import Rounds

needs_devices = pytest.mark.skipif(packet_socket.available() is not None, reason=str(packet_socket.available()))

LOAD_PAYLOAD_OFFSET = [(0x20, 0, 0, 0xFFFFF034), (0x16, 0, 0, 0)]

ADDRESSES = packet_socket.EAST_ADDRESS + packet_socket.WEST_ADDRESS
PORTS = bytes.fromhex("0035 1234 0000 0000")
MORE = bytes(40)


def ethernet(kind: int, *inner: bytes) -> bytes:
    return b"".join([ADDRESSES, kind.to_bytes(2, "big"), *inner])


def ipv4(protocol: int, *inner: bytes, words: int = 5, fragment: int = 0, version: int = 4) -> bytes:
    start = bytes((version << 4 | words, 0, 0, 0, 0, 0)) + fragment.to_bytes(2, "big")
    return b"".join([start, bytes((64, protocol)), bytes(10), bytes(max(0, 4 * words - 20)), *inner])


def ipv6(protocol: int, *inner: bytes, label: int = 0) -> bytes:
    return b"".join([(0x60000000 | label).to_bytes(4, "big"), bytes((0, 0, protocol, 64)), bytes(32), *inner])


def option(protocol: int, *inner: bytes, size: int = 0) -> bytes:
    return b"".join([bytes((protocol, size)), bytes(6 + 8 * size), *inner])


def fragment(protocol: int, place: int, *inner: bytes) -> bytes:
    return b"".join([bytes((protocol, 0)), place.to_bytes(2, "big"), bytes(4), *inner])


def tcp(words: int) -> bytes:
    return bytes(12) + bytes((words << 4,)) + MORE


def gre(flags: int, kind: int, *inner: bytes) -> bytes:
    options = sum(flags & bit != 0 for bit in (0x8000, 0x2000, 0x1000))
    return b"".join([flags.to_bytes(2, "big"), kind.to_bytes(2, "big"), bytes(4 * options), *inner])


def vlan(kind: int, *inner: bytes) -> bytes:
    return b"".join([b"\x00\x05", kind.to_bytes(2, "big"), *inner])


def pppoe(protocol: int, *inner: bytes, start: int = 0x1100) -> bytes:
    return b"".join([start.to_bytes(2, "big"), b"\x00\x07\x00\x00", protocol.to_bytes(2, "big"), *inner])


def tunnels(count: int, innermost: bytes) -> bytes:
    """Return an Ethernet frame with *count* IPv4 headers before *innermost*, which is IPv4."""
    return ethernet(0x0800, ipv4(4) * count, innermost)


BATMAN = b"\x40\x0f" + bytes(8)
UDP4 = ipv4(17, PORTS)
UDP6 = ipv6(17, PORTS)

# By description: a frame, and its payload offset from the Ethernet header on a receiving socket.
FRAMES: dict[str, tuple[bytes, int]] = {
    "UDP over IPv4": (ethernet(0x0800, UDP4), 14 + 20 + 8),
    "UDP, header truncated": (ethernet(0x0800, ipv4(17)), 14 + 20 + 8),
    "UDP-Lite": (ethernet(0x0800, ipv4(136, PORTS)), 14 + 20 + 8),
    "TCP": (ethernet(0x0800, ipv4(6, tcp(5))), 14 + 20 + 20),
    "TCP with options": (ethernet(0x0800, ipv4(6, tcp(15))), 14 + 20 + 60),
    "TCP, data offset below 5": (ethernet(0x0800, ipv4(6, tcp(4))), 14 + 20 + 20),
    "TCP, truncated before the data offset": (ethernet(0x0800, ipv4(6, tcp(5)[:12])), 14 + 20),
    "TCP, truncated after the data offset": (ethernet(0x0800, ipv4(6, tcp(15)[:13])), 14 + 20 + 60),
    "ICMP": (ethernet(0x0800, ipv4(1, MORE)), 14 + 20 + 8),
    "IGMP": (ethernet(0x0800, ipv4(2, MORE)), 14 + 20 + 8),
    "DCCP": (ethernet(0x0800, ipv4(33, MORE)), 14 + 20 + 12),
    "SCTP": (ethernet(0x0800, ipv4(132, MORE)), 14 + 20 + 12),
    "ICMPv6 over IPv4": (ethernet(0x0800, ipv4(58, MORE)), 14 + 20 + 8),
    "ESP": (ethernet(0x0800, ipv4(50, MORE)), 14 + 20),
    "AH": (ethernet(0x0800, ipv4(51, b"\x11\x04", MORE)), 14 + 20),
    "L2TP": (ethernet(0x0800, ipv4(115, MORE)), 14 + 20),
    "OSPF": (ethernet(0x0800, ipv4(89, MORE)), 14 + 20),
    "IPv4 with options": (ethernet(0x0800, ipv4(17, PORTS, words=15)), 14 + 60 + 8),
    "IPv4, options truncated": (ethernet(0x0800, ipv4(17, words=15)[:20]), 14 + 20 + 8),
    "IPv4, options truncated, TCP": (ethernet(0x0800, ipv4(6, words=15)[:22]), 14 + 22),
    "IPv4, header length 4": (ethernet(0x0800, ipv4(17, MORE, words=4)), 0),
    "IPv4, truncated": (ethernet(0x0800, ipv4(17)[:19]), 0),
    "IPv4, version 7": (ethernet(0x0800, ipv4(17, PORTS, version=7)), 14 + 20 + 8),
    "IPv4, first fragment": (ethernet(0x0800, ipv4(6, tcp(6), fragment=0x2000)), 14 + 20 + 24),
    "IPv4, later fragment": (ethernet(0x0800, ipv4(6, tcp(6), fragment=0x2001)), 14 + 20),
    "IPv4, last fragment": (ethernet(0x0800, ipv4(17, PORTS, fragment=0x00B9)), 14 + 20),
    "IPv4, do not fragment": (ethernet(0x0800, ipv4(17, PORTS, fragment=0x4000)), 14 + 20 + 8),
    "IPv4, first fragment of a tunnel": (ethernet(0x0800, ipv4(4, UDP4, fragment=0x2000)), 14 + 20),
    "IPv4 and an IPv6 option": (ethernet(0x0800, ipv4(0, option(17, PORTS))), 14 + 20),
    "IPv4 and an IPv6 fragment": (ethernet(0x0800, ipv4(44, fragment(17, 0, PORTS))), 14 + 20),
    "UDP over IPv6": (ethernet(0x86DD, UDP6), 14 + 40 + 8),
    "TCP over IPv6": (ethernet(0x86DD, ipv6(6, tcp(8))), 14 + 40 + 32),
    "ICMPv6": (ethernet(0x86DD, ipv6(58, MORE)), 14 + 40 + 8),
    "IPv6 with a flow label": (ethernet(0x86DD, ipv6(17, PORTS, label=0x12345)), 14 + 40 + 8),
    "IPv6, truncated": (ethernet(0x86DD, UDP6[:39]), 0),
    "IPv6, no next header": (ethernet(0x86DD, ipv6(59, MORE)), 14 + 40),
    "IPv6 hop-by-hop": (ethernet(0x86DD, ipv6(0, option(17, PORTS))), 14 + 40 + 8 + 8),
    "IPv6 routing, long": (ethernet(0x86DD, ipv6(43, option(17, PORTS, size=2))), 14 + 40 + 24 + 8),
    "IPv6 destination, truncated": (ethernet(0x86DD, ipv6(60, b"\x11")), 0),
    "IPv6 destination, body truncated": (ethernet(0x86DD, ipv6(60, b"\x11\x02")), 14 + 40 + 2 + 8),
    "IPv6 mobility": (ethernet(0x86DD, ipv6(135, option(59))), 14 + 40),
    "IPv6 hop-by-hop, destination, TCP": (ethernet(0x86DD, ipv6(0, option(60, option(6, tcp(5))))), 14 + 56 + 20),
    "IPv6 first fragment": (ethernet(0x86DD, ipv6(44, fragment(17, 0x0001, PORTS))), 14 + 48 + 8),
    "IPv6 first fragment of options": (ethernet(0x86DD, ipv6(44, fragment(60, 0x0001, option(17, PORTS)))), 14 + 48),
    "IPv6 later fragment": (ethernet(0x86DD, ipv6(44, fragment(17, 0x0008, PORTS))), 14 + 48),
    "IPv6 fragment, truncated": (ethernet(0x86DD, ipv6(44, fragment(17, 0)[:7])), 0),
    "fifteen IPv6 options": (ethernet(0x86DD, ipv6(0), option(0) * 14, option(17, PORTS)), 14 + 40 + 120 + 8),
    "sixteen IPv6 options": (ethernet(0x86DD, ipv6(0), option(0) * 15, option(17, PORTS)), 14 + 40 + 128 + 8),
    "seventeen IPv6 options": (ethernet(0x86DD, ipv6(0), option(0) * 16, option(17, PORTS)), 14 + 40 + 128),
    "IPv4 in IPv4": (ethernet(0x0800, ipv4(4, UDP4)), 14 + 40 + 8),
    "IPv6 in IPv4": (ethernet(0x0800, ipv4(41, UDP6)), 14 + 60 + 8),
    "IPv6 in IPv6": (ethernet(0x86DD, ipv6(41, UDP6)), 14 + 80 + 8),
    "IPv4 in IPv6 after options": (ethernet(0x86DD, ipv6(60, option(4, UDP4))), 14 + 68 + 8),
    "fifteen tunnels": (tunnels(15, UDP4), 14 + 16 * 20 + 8),
    "sixteen tunnels": (tunnels(16, UDP4), 14 + 16 * 20),
    "a tunnel of nothing": (ethernet(0x0800, ipv4(4)), 0),
    "GRE": (ethernet(0x0800, ipv4(47, gre(0, 0x0800, UDP4))), 14 + 44 + 8),
    "GRE, checksum": (ethernet(0x0800, ipv4(47, gre(0x8000, 0x0800, UDP4))), 14 + 48 + 8),
    "GRE, key": (ethernet(0x0800, ipv4(47, gre(0x2000, 0x86DD, UDP6))), 14 + 68 + 8),
    "GRE, sequence": (ethernet(0x0800, ipv4(47, gre(0x1000, 0x0800, UDP4))), 14 + 48 + 8),
    "GRE, all three": (ethernet(0x0800, ipv4(47, gre(0xB000, 0x0800, UDP4))), 14 + 56 + 8),
    "GRE, key truncated": (ethernet(0x0800, ipv4(47, gre(0xA000, 0x0800)[:11])), 0),
    "GRE of an empty ARP": (ethernet(0x0800, ipv4(47, gre(0, 0x0806))), 14 + 24),
    "GRE, key, empty ARP": (ethernet(0x0800, ipv4(47, gre(0x2000, 0x0806))), 14 + 28),
    "GRE, checksum and key, empty ARP": (ethernet(0x0800, ipv4(47, gre(0xA000, 0x0806))), 14 + 32),
    "GRE, checksum truncated, ARP": (ethernet(0x0800, ipv4(47, gre(0x8000, 0x0806)[:6])), 14 + 26),
    "GRE, routing": (ethernet(0x0800, ipv4(47, gre(0x4000, 0x0800, UDP4))), 14 + 20),
    "GRE, version 2": (ethernet(0x0800, ipv4(47, gre(0x0002, 0x0800, UDP4))), 14 + 20),
    "GRE, truncated": (ethernet(0x0800, ipv4(47, b"\0\0\x08")), 0),
    "GRE, unknown": (ethernet(0x0800, ipv4(47, gre(0, 0x1234, MORE))), 0),
    "GRE, Ethernet": (ethernet(0x0800, ipv4(47, gre(0, 0x6558, ethernet(0x0800, UDP4)))), 14 + 58 + 8),
    "GRE, Ethernet truncated": (ethernet(0x0800, ipv4(47, gre(0, 0x6558, ethernet(0x0800)[:13]))), 0),
    "GRE, VLAN": (ethernet(0x0800, ipv4(47, gre(0, 0x8100, vlan(0x0800, UDP4)))), 14 + 48 + 8),
    "PPTP": (ethernet(0x0800, ipv4(47, gre(0x2001, 0x880B, b"\xff\x03\x00\x21", UDP4))), 14 + 52 + 8),
    "PPTP, all": (ethernet(0x0800, ipv4(47, gre(0xB081, 0x880B, bytes(4), b"\xff\x03\x00\x57", UDP6))), 14 + 84 + 8),
    "PPTP without key": (ethernet(0x0800, ipv4(47, gre(0x0001, 0x880B, b"\xff\x03\x00\x21", UDP4))), 14 + 20),
    "PPTP of IPv4": (ethernet(0x0800, ipv4(47, gre(0x2001, 0x0800, b"\xff\x03\x00\x21", UDP4))), 14 + 20),
    "PPTP, link control": (ethernet(0x0800, ipv4(47, gre(0x2001, 0x880B, b"\xff\x03\xc0\x21", MORE))), 0),
    "PPTP, truncated": (ethernet(0x0800, ipv4(47, gre(0x2001, 0x880B, b"\xff\x03\x00"))), 0),
    "MPLS": (ethernet(0x8847, bytes.fromhex("000641ff"), UDP4), 14 + 4),
    "MPLS multicast, two labels": (ethernet(0x8848, bytes.fromhex("000640ff000641ff"), UDP4), 14 + 4),
    "MPLS, empty": (ethernet(0x8847), 14),
    "MPLS over IPv4": (ethernet(0x0800, ipv4(137, bytes.fromhex("000641ff"), UDP4)), 14 + 24),
    "a VLAN": (ethernet(0x8100, vlan(0x0800, UDP4)), 14 + 20 + 8),
    "a provider's VLAN": (ethernet(0x88A8, vlan(0x86DD, UDP6)), 14 + 40 + 8),
    "QinQ": (ethernet(0x88A8, vlan(0x8100, vlan(0x0800, UDP4))), 14 + 4 + 20 + 8),
    "QinQ, truncated": (ethernet(0x88A8, vlan(0x8100, b"\0\0\x08")), 0),
    "sixteen VLANs": (ethernet(0x8100, vlan(0x8100) * 14, vlan(0x0800, UDP4)), 14 + 4 * 14 + 20 + 8),
    "seventeen VLANs": (ethernet(0x8100, vlan(0x8100) * 15, vlan(0x0800, UDP4)), 14 + 4 * 15),
    "a VLAN of LLC": (ethernet(0x8100, vlan(0x0100, MORE)), 0),
    "PPPoE": (ethernet(0x8864, pppoe(0x0021, UDP4)), 14 + 28 + 8),
    "PPPoE, IPv6": (ethernet(0x8864, pppoe(0x0057, UDP6)), 14 + 48 + 8),
    "PPPoE, MPLS": (ethernet(0x8864, pppoe(0x0281, MORE)), 14 + 8 + 4),
    "PPPoE, MPLS multicast": (ethernet(0x8864, pppoe(0x0283, MORE)), 14 + 8 + 4),
    "PPPoE, link control": (ethernet(0x8864, pppoe(0xC021, MORE)), 14 + 8),
    "PPPoE, compressed protocol": (ethernet(0x8864, pppoe(0x2145, MORE)), 0),
    "PPPoE, even protocol": (ethernet(0x8864, pppoe(0xC020, MORE)), 0),
    "PPPoE, version 2": (ethernet(0x8864, pppoe(0x0021, UDP4, start=0x2100)), 0),
    "PPPoE, type 2": (ethernet(0x8864, pppoe(0x0021, UDP4, start=0x1200)), 0),
    "PPPoE, code 1": (ethernet(0x8864, pppoe(0x0021, UDP4, start=0x1101)), 0),
    "PPPoE, truncated": (ethernet(0x8864, pppoe(0x0021)[:7]), 0),
    "PPPoE discovery": (ethernet(0x8863, MORE), 0),
    "TIPC": (ethernet(0x88CA, MORE), 14),
    "TIPC, header only": (ethernet(0x88CA, bytes(16)), 14),
    "TIPC, truncated": (ethernet(0x88CA, bytes(15)), 0),
    "batman-adv": (ethernet(0x4305, BATMAN, ethernet(0x0800, UDP4)), 14 + 44 + 8),
    "batman-adv, broadcast": (ethernet(0x4305, b"\x41", BATMAN[1:], ethernet(0x0800, UDP4)), 0),
    "batman-adv, version 14": (ethernet(0x4305, b"\x40\x0e", BATMAN[2:], ethernet(0x0800, UDP4)), 0),
    "batman-adv, truncated": (ethernet(0x4305, BATMAN, ethernet(0x0800)[:13]), 0),
    "ARP": (ethernet(0x0806, MORE), 14),
    "ARP, empty": (ethernet(0x0806), 14),
    "RARP": (ethernet(0x8035, MORE), 14),
    "PTP": (ethernet(0x88F7, MORE), 14 + 34),
    "PTP, truncated": (ethernet(0x88F7, bytes(33)), 0),
    "FCoE": (ethernet(0x8906, MORE), 14 + 38),
    "FCoE, truncated": (ethernet(0x8906, bytes(37)), 0),
    "CFM": (ethernet(0x8902, MORE), 14),
    "PRP": (ethernet(0x88FB, bytes(4), b"\x08\x00", UDP4), 14 + 26 + 8),
    "HSR": (ethernet(0x892F, bytes(4), b"\x86\xdd", UDP6), 14 + 46 + 8),
    "HSR, truncated": (ethernet(0x892F, bytes(5)), 0),
    "LLC": (ethernet(0x0028, MORE), 0),
    "raw 802.3": (ethernet(0x0028, b"\xff\xff", MORE), 0),
    "MACsec": (ethernet(0x88E5, MORE), 0),
    "unknown": (ethernet(0x1234, MORE), 0),
    "65,535 bytes": (ethernet(0x0800, UDP4).ljust(65535, b"\0"), 14 + 20 + 8),
    "65,545 bytes": (ethernet(0x0800, UDP4).ljust(65545, b"\0"), 9 + 8),
}


def offset_in(seen: View) -> int:
    return payload_offset(
        seen.memory,
        packet_start=seen.before,
        network_header=seen.before + seen.network_header,
        protocol=seen.protocol,
        vlan_protocol=seen.vlan[0] if seen.vlan else None,
    )


@pytest.mark.parametrize(("frame", "offset"), FRAMES.values(), ids=FRAMES.keys())
def test_payload_offsets(frame: bytes, offset: int) -> None:
    assert offset_in(view(frame, kind="raw")) == offset


@needs_devices
@pytest.mark.parametrize("kind", PACKET_KINDS)
def test_payload_offsets_in_the_kernel(kind: Kind) -> None:
    for name, (frame, _offset) in FRAMES.items():
        expected = packet_socket.verdict(LOAD_PAYLOAD_OFFSET, frame, kind=kind)
        assert offset_in(view(frame, kind=kind)) == expected, name


@needs_devices
@pytest.mark.slow
def test_every_ether_type_in_the_kernel() -> None:
    """Only these EtherTypes have a payload offset in a frame of zeros."""
    dissected = []
    for kind in range(0x600, 0x10000):
        frame = ethernet(kind, MORE)
        expected = packet_socket.delivered(LOAD_PAYLOAD_OFFSET, frame) or 0
        assert offset_in(view(frame, kind="raw")) == expected, hex(kind)
        if expected:
            dissected.append(kind)
    assert dissected == [0x0806, 0x8035, 0x8847, 0x8848, 0x88CA, 0x88F7, 0x8902, 0x8906]


@needs_devices
@pytest.mark.parametrize("kind", [0x0800, 0x86DD])
def test_every_ip_protocol_in_the_kernel(kind: int) -> None:
    for protocol in range(256):
        frame = ethernet(kind, (ipv4 if kind == 0x0800 else ipv6)(protocol, MORE, MORE))
        expected = packet_socket.verdict(LOAD_PAYLOAD_OFFSET, frame)
        assert offset_in(view(frame, kind="raw")) == expected, protocol


@needs_devices
@pytest.mark.fuzz
def test_random_frames_in_the_kernel(rounds: Rounds) -> None:
    for random in rounds(5000):
        frame = random_frames.frame(random)
        for kind in PACKET_KINDS:
            expected = packet_socket.verdict(LOAD_PAYLOAD_OFFSET, frame, kind=kind)
            assert offset_in(view(frame, kind=kind)) == expected, (kind, frame.hex())


@needs_devices
def test_every_truncation_of_a_frame() -> None:
    for seed in range(40):
        frame = random_frames.frame(Random(f"cut-{seed}"))[:300]
        for length in range(14, len(frame)):
            if random_frames.is_sendable(frame[:length]):
                expected = packet_socket.verdict(LOAD_PAYLOAD_OFFSET, frame[:length])
                assert offset_in(view(frame[:length], kind="raw")) == expected, frame[:length].hex()


@pytest.mark.fuzz
def test_random_arguments_never_raise(rounds: Rounds) -> None:
    for random in rounds(3000):
        frame = random_frames.frame(random)
        network_header = int(random.random() * (len(frame) + 40)) - 20
        protocol = random_frames.network(random, 0)[0]
        packet_start = int(random.random() * len(frame))
        tag = random_frames.pick(random, (None, 0x8100, 0x0800, 0))
        fields = {"protocol": protocol, "network_header": network_header, "packet_start": packet_start}
        offsets = [payload_offset(data, vlan_protocol=tag, **fields) for data in (frame, memoryview(frame))]
        assert offsets[0] == offsets[1]
        assert 0 <= offsets[0] <= 0xFFFF + 60


def test_a_removed_tag_is_dissected_once() -> None:
    """The removed tag comes first, then the tags in the data; any other EtherType in its place is dissected itself."""
    inner = vlan(0x0800, UDP4)
    assert payload_offset(UDP4, network_header=0, protocol=0x0800, vlan_protocol=0x8100) == 28
    assert payload_offset(inner, network_header=0, protocol=0x8100, vlan_protocol=0x88A8) == 32
    assert payload_offset(inner, network_header=0, protocol=0x8100) == 32
    assert payload_offset(UDP4, network_header=0, protocol=0x86DD, vlan_protocol=0x0800) == 28
    assert payload_offset(UDP4, network_header=0, protocol=0x0800, vlan_protocol=0x9100) == 0


def test_a_network_header_before_the_packet() -> None:
    """The packet of a transport socket begins at the transport header; dissection starts at the network header."""
    assert payload_offset(UDP4 + MORE, network_header=0, packet_start=20, protocol=0x0800) == 8
    later = ipv4(17, PORTS, fragment=1)
    assert payload_offset(later, network_header=0, packet_start=20, protocol=0x0800) == 0
    # A negative offset wraps to nearly 64 KiB, and is then limited to the packet's length.
    assert payload_offset(MORE, network_header=0, packet_start=20, protocol=0x0806) == 20
    assert payload_offset(MORE, network_header=-1, protocol=0x0800) == 0
