"""`socket_view` against the kernel: the metadata of a captured packet are those that a live packet socket has of it."""

from __future__ import annotations

from typing import Final

import pytest

import cbpf
from support.judges import packet_socket
from support.judges.packet_socket import EAST_ADDRESS, WEST_ADDRESS, Kind

pytestmark = pytest.mark.skipif(packet_socket.available() is not None, reason=str(packet_socket.available()))

EXTENSIONS: Final = {
    name: cbpf.parse(f"ld {name}\nret a")
    for name in ("proto", "type", "hatype", "vlan_tci", "vlan_avail", "vlan_tpid", "poff")
}
"""The extensions whose values a capture contains; the mark, the queue, the hash and the CPU are the kernel's only."""

_TO_EAST: Final = EAST_ADDRESS + WEST_ADDRESS
_PORTS: Final = bytes.fromhex("0035 0400 0018 0000") + bytes(16)


def _ipv4(protocol: int, payload: bytes, *, options: str = "", fragment: int = 0) -> bytes:
    header_length = 20 + len(bytes.fromhex(options))
    fields = bytes([0x40 | header_length // 4, 0]) + (header_length + len(payload)).to_bytes(2) + b"\0\1"
    fields += fragment.to_bytes(2) + bytes([64, protocol, 0, 0]) + bytes.fromhex("c0000201 c0000202")
    return fields + bytes.fromhex(options) + payload


def _ipv6(next_header: int, payload: bytes) -> bytes:
    network = bytes.fromhex("20010db8") + bytes(11)
    fields = b"\x60\0\0\0" + len(payload).to_bytes(2) + bytes([next_header, 64])
    return fields + network + b"\1" + network + b"\2" + payload


def _frame(ether_type: str, payload: bytes, *, to: bytes = EAST_ADDRESS) -> bytes:
    return to + WEST_ADDRESS + bytes.fromhex(ether_type) + payload


_TCP: Final = bytes.fromhex("0035 0400 00000001 00000000 8002 0000 0000 0000") + bytes(12) + b"payload"
_UDP: Final = _ipv4(17, _PORTS)
_EXTENSION: Final = bytes.fromhex("1101 000000000000") + bytes(8)  # 16 bytes, before UDP

FRAMES: Final = {
    "UDP": _frame("0800", _UDP),
    "TCP with options": _frame("0800", _ipv4(6, _TCP)),
    "IPv4 options": _frame("0800", _ipv4(17, _PORTS, options="01010101 01010100")),
    "first fragment": _frame("0800", _ipv4(17, _PORTS, fragment=0x2000)),
    "later fragment": _frame("0800", _ipv4(17, _PORTS, fragment=0x0003)),
    "SCTP": _frame("0800", _ipv4(132, _PORTS)),
    "ICMP": _frame("0800", _ipv4(1, bytes(16))),
    "GRE with a key": _frame("0800", _ipv4(47, bytes.fromhex("2000 0800 00000007") + _UDP)),
    "GRE of Ethernet": _frame("0800", _ipv4(47, bytes.fromhex("0000 6558") + _frame("0800", _UDP))),
    "IPv4 in IPv4": _frame("0800", _ipv4(4, _UDP)),
    "IPv6": _frame("86dd", _ipv6(17, _PORTS)),
    "IPv6 hop-by-hop options": _frame("86dd", _ipv6(0, _EXTENSION + _PORTS)),
    "IPv6 routing header": _frame("86dd", _ipv6(43, _EXTENSION + _PORTS)),
    "IPv6 destination options": _frame("86dd", _ipv6(60, _EXTENSION + _PORTS)),
    "IPv6 fragment": _frame("86dd", _ipv6(44, bytes.fromhex("1100 0001 00000007") + _PORTS)),
    "IPv6 later fragment": _frame("86dd", _ipv6(44, bytes.fromhex("1100 0100 00000007") + _PORTS)),
    "ARP": _frame("0806", bytes.fromhex("0001 0800 06 04 0001") + bytes(20), to=b"\xff" * 6),
    "multicast": _frame("0800", _UDP, to=bytes.fromhex("01005e000001")),
    "MPLS": _frame("8847", bytes.fromhex("00001140") + _UDP),
    "PPPoE": _frame("8864", bytes.fromhex("11000007 0022 0021") + _UDP),
    "802.3 with LLC": _frame("0020", bytes.fromhex("424203") + bytes(29)),
    "802.3 without LLC": _frame("0020", b"\xff\xff" + bytes(30)),
    "VLAN": _frame("8100 6064 0800", _UDP),
    "VLAN 0 of IPv6": _frame("8100 0000 86dd", _ipv6(17, _PORTS)),
    "VLAN of a provider": _frame("88a8 ffff 0800", _UDP),
    "QinQ": _frame("88a8 0064 8100 0005 0800", _UDP),
    "three tags": _frame("8100 0001 8100 0002 8100 0003 0800", _UDP),
    "VLAN of 802.3": _frame("8100 0005 0020", bytes.fromhex("424203") + bytes(29)),
    "VLAN broadcast": _frame("8100 0005 0806", bytes(28), to=b"\xff" * 6),
    "a tag that Linux leaves": _frame("9100 0005 0800", _UDP),
}


def _kernel(frame: bytes, kind: Kind) -> dict[str, int]:
    rows = {name: [(raw.op, raw.jt, raw.jf, raw.k) for raw in program] for name, program in EXTENSIONS.items()}
    return {name: packet_socket.verdict(program, frame, kind=kind) for name, program in rows.items()}


def _computed(view: cbpf.SocketView) -> dict[str, int]:
    return {
        name: cbpf.VM(program, dialect=cbpf.LINUX, engine="interpreter").evaluate(
            view.data, wire_length=view.wire_length, metadata=view.metadata
        )
        for name, program in EXTENSIONS.items()
    }


@pytest.mark.parametrize("name", FRAMES)
def test_the_metadata_of_a_frame(name: str) -> None:
    assert _computed(cbpf.socket_view(FRAMES[name], cbpf.link_type("EN10MB"))) == _kernel(FRAMES[name], "raw")


@pytest.mark.parametrize("name", FRAMES)
def test_the_metadata_of_a_cooked_packet(name: str) -> None:
    """A cooked capture has the fields of the kernel in its header; LINUX_SLL also has the removed tag."""
    seen = packet_socket.view(FRAMES[name], kind="datagram")
    protocol, kind, device = seen.protocol.to_bytes(2), seen.packet_type.to_bytes(2), seen.device.to_bytes(4)
    tag = b"" if seen.vlan is None else b"".join(number.to_bytes(2) for number in seen.vlan)
    expected = _kernel(FRAMES[name], "datagram")
    sll = kind + b"\0\1\0\6" + WEST_ADDRESS + bytes(2) + tag + protocol
    view = cbpf.socket_view(sll + seen.packet, cbpf.link_type("LINUX_SLL"))
    assert view.data == seen.packet
    assert _computed(view) == expected
    if not tag:
        sll2 = protocol + bytes(2) + device + b"\0\1" + kind[1:] + b"\6" + WEST_ADDRESS + bytes(2)
        view = cbpf.socket_view(sll2 + seen.packet, cbpf.link_type("LINUX_SLL2"))
        assert view.data == seen.packet
        assert _computed(view) == expected
        assert view.metadata.device == cbpf.Device(packet_socket.EAST_INDEX)


def test_a_capture_does_not_contain_the_address_of_the_interface() -> None:
    """The kernel knows that a frame is for another host; a view takes it for one to this host."""
    frame = WEST_ADDRESS + EAST_ADDRESS + FRAMES["UDP"][12:]
    view = cbpf.socket_view(frame, cbpf.link_type("EN10MB"))
    assert (_kernel(frame, "raw")["type"], _computed(view)["type"]) == (3, 0)
