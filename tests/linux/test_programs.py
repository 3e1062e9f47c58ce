"""Expressions that are compiled for the packets that a socket sees, on the live kernel."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import cbpf
from cbpf.linux import attach, filter_of
from cbpf.linux.programs import program_for
from cbpf.linux.sockets import Target
from support.judges import kernel
from support.sockets import skip_without_tcp_filters

pytestmark = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))

ADDRESSES = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}
FAMILIES = pytest.mark.parametrize("family", ADDRESSES, ids=["IPv4", "IPv6"])


def can_bind(family: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((ADDRESSES[socket.AddressFamily(family)], 0))
            return True
    except OSError:
        return False


@contextmanager
def bound(family: int) -> Iterator[socket.socket]:
    """Return a UDP socket of loopback."""
    if not can_bind(family):
        pytest.skip("this machine has no loopback address of the family")
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((ADDRESSES[socket.AddressFamily(family)], 0))
        yield sock


@FAMILIES
def test_expressions_on_udp_sockets(family: int) -> None:
    with bound(family) as receiver, bound(family) as wanted, bound(family) as other:
        port, address = wanted.getsockname()[1], ADDRESSES[socket.AddressFamily(family)]
        attach(receiver, f"src host {address} and udp src port {port} and dst port {receiver.getsockname()[1]}")
        receiver.setblocking(False)
        for sender, message in ((other, b"other"), (wanted, b"wanted"), (other, b"other")):
            sender.sendto(message, receiver.getsockname())
        assert receiver.recv(100) == b"wanted"
        with pytest.raises(BlockingIOError):
            receiver.recv(100)


def test_expressions_on_listening_tcp_sockets() -> None:
    """The segments of a connection from another port are dropped; it is established by retransmission."""
    skip_without_tcp_filters()
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as wanted, socket.socket() as other:
        for client in (wanted, other):
            client.bind(("127.0.0.1", 0))
            client.setblocking(False)
        attach(listener, f"tcp src port {wanted.getsockname()[1]}")
        for client in (other, wanted):
            with pytest.raises(BlockingIOError):
                client.connect(listener.getsockname())
        accepted, address = listener.accept()
        with accepted:
            assert address == wanted.getsockname()
            assert filter_of(accepted) == filter_of(listener)
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.parametrize("expression", ["ip proto 17", "udp dst port {port} and not src port {other}"])
def test_expressions_on_raw_sockets(expression: str) -> None:
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
    except PermissionError:
        pytest.skip("raw sockets need CAP_NET_RAW")
    with raw, bound(socket.AF_INET) as receiver, bound(socket.AF_INET) as sender, bound(socket.AF_INET) as other:
        port = receiver.getsockname()[1]
        unrelated = f" and dst port {port} and src port {sender.getsockname()[1]}"  # to the traffic of other processes
        attach(raw, expression.format(port=port, other=other.getsockname()[1]) + unrelated)
        other.sendto(b"other", receiver.getsockname())
        sender.sendto(b"wanted", receiver.getsockname())
        assert raw.recv(100)[28:] == b"wanted"


@pytest.mark.parametrize("expression", ["greater 100", "len > 100 and udp", "less 3"])
def test_the_length_of_the_packet_is_not_known_after_the_ip_header(expression: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        with pytest.raises(cbpf.ExpressionError, match="does not include all headers; test the length field"):
            attach(sock, expression)
        assert filter_of(sock) is None


@pytest.mark.parametrize("text", ["udp port 53", "ret #0"])
def test_packets_of_unix_sockets_have_no_headers(text: str) -> None:
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiver, sender, pytest.raises(cbpf.ExpressionError, match="byte 0 is the data, which expressions do not"):
        attach(receiver, text)


@pytest.mark.parametrize(
    ("hardware_type", "link_type"), [(0, "EN10MB"), (1, "EN10MB"), (772, "EN10MB"), (65534, "RAW"), (801, "IEEE802_11")]
)
def test_link_types_of_interfaces(hardware_type: int, link_type: str) -> None:
    target = Target(3, socket.AF_PACKET, socket.SOCK_RAW)
    program = program_for(target, "ip", hardware_type=hardware_type)
    assert program == cbpf.compile("ip", link_type=link_type, live=True)


def test_packet_sockets_without_link_headers_know_every_protocol() -> None:
    target = Target(3, socket.AF_PACKET, socket.SOCK_DGRAM)
    assert program_for(target, "arp", hardware_type=1) == cbpf.compile("arp", link_type="LINUX_SLL2", live=True)


def test_unknown_hardware_types_are_named() -> None:
    with pytest.raises(cbpf.ExpressionError, match=r"hardware type 824 .*, whose link type is not known; use a"):
        program_for(Target(3, socket.AF_PACKET, socket.SOCK_RAW), "ip", hardware_type=824)
