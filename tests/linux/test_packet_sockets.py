"""Packet sockets with filters on a pair of devices: under load, and with the foreign judge `ss`."""

import errno
import re
import select
import shutil
import socket
import subprocess
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

import cbpf
from cbpf.linux import attach, filter_of, packet_socket
from support import namespaces
from support.namespaces import EAST, WEST
from support.project import Rounds
from support.traffic import KINDS, Flood, accepts, flood, kind_of, number_of

pytestmark = pytest.mark.skipif(namespaces.available() is not None, reason=str(namespaces.available()))

SO_RCVBUFFORCE = 33
ROOM = 1 << 26
ARP = bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(46)
IPV4_UDP = (
    bytes.fromhex("020000000002 020000000001 08004500 0024 0000 0000 4011 0000 0a000001 0a0000020035 1234 0010 0000")
    + b"question"
)


@pytest.fixture
def devices() -> Iterator[None]:
    with namespaces.veth_pair():
        yield


def send(frame: bytes, device: str = WEST) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((device, 0))
        sender.send(frame)


def received(receiver: socket.socket, timeout: float = 0.0) -> list[bytes]:
    """Return the frames in the queue, and those that arrive before a time without any."""
    frames = []
    while select.select([receiver], [], [], timeout)[0]:
        frames.append(receiver.recv(1 << 16))
    return frames


# -- packet_socket -------------------------------------------------------------


@pytest.mark.usefixtures("devices")
def test_an_expression_is_compiled_for_the_interface() -> None:
    with packet_socket(EAST, "udp port 53", lock=True) as receiver:
        for frame in (ARP, IPV4_UDP):
            send(frame)
        assert received(receiver) == [IPV4_UDP]
        assert filter_of(receiver) == cbpf.compile("udp port 53", live=True)
        with pytest.raises(cbpf.SocketError, match="the filter is locked"):
            attach(receiver, "arp")
        assert receiver.gettimeout() is None


@pytest.mark.usefixtures("devices")
def test_cooked_sockets_begin_at_the_ip_header() -> None:
    with packet_socket(EAST, "udp port 53", kind=socket.SOCK_DGRAM) as receiver:
        for frame in (ARP, IPV4_UDP):
            send(frame)
        assert received(receiver) == [IPV4_UDP[14:]]
    ethernet = cbpf.compile("udp port 53")
    with pytest.warns(cbpf.ProgramWarning, match="tests the EtherType") as caught:
        packet_socket(EAST, ethernet, kind=socket.SOCK_DGRAM).close()
    assert caught[0].filename == __file__


@pytest.mark.usefixtures("devices")
@pytest.mark.parametrize("kind", [socket.SOCK_RAW, socket.SOCK_DGRAM])
def test_removed_vlan_tags_are_found(kind: socket.SocketKind) -> None:
    tagged = IPV4_UDP[:12] + bytes.fromhex("81000064") + IPV4_UDP[12:]
    expression = "vlan 100 and udp port 53" if kind == socket.SOCK_RAW else "udp port 53"
    with packet_socket(EAST, expression, kind=kind) as receiver:
        for frame in (ARP, tagged):
            send(frame)
        assert received(receiver) == [IPV4_UDP if kind == socket.SOCK_RAW else IPV4_UDP[14:]]


@pytest.mark.usefixtures("devices")
def test_a_protocol_selects_packets_before_the_filter() -> None:
    with packet_socket(EAST, cbpf.parse("ret #65535"), protocol=0x0806) as receiver:
        for frame in (IPV4_UDP, ARP):
            send(frame)
        assert received(receiver) == [ARP]


@pytest.mark.usefixtures("devices")
def test_interfaces_without_ethernet_have_expressions_for_ip() -> None:
    namespaces.ip("tuntap add dev tun0 mode tun", "link set tun0 up")
    with packet_socket("tun0", "udp port 53") as receiver:
        assert filter_of(receiver) == cbpf.compile("udp port 53", link_type="RAW", live=True)


@pytest.mark.usefixtures("devices")
def test_a_socket_on_an_interface_that_is_down_receives_when_it_is_up() -> None:
    namespaces.ip(f"link set {EAST} down")
    with packet_socket(EAST, cbpf.parse("ret #65535")) as receiver:
        receiver.setblocking(False)
        with pytest.raises(OSError, match="Network is down"):
            receiver.recv(100)
        namespaces.ip(f"link set {EAST} up")
        for _ in range(100):  # the peer can send when the kernel has noticed that the link is up
            send(ARP)
            if frames := received(receiver, 0.05):
                break
        assert set(frames) == {ARP}


@pytest.mark.usefixtures("devices")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("nothing", "arp"), cbpf.SocketError, "interface 'nothing': no such interface"),
        (("any", "arp"), cbpf.SocketError, r'cbpf.sniff\("any"\) captures on all interfaces'),
        (("x" * 16, "arp"), cbpf.FieldError, "has 16 bytes; the name of an interface has at most 15"),
        (("ä" * 8, "arp"), cbpf.FieldError, "has 16 bytes"),
        (("", "arp"), cbpf.FieldError, "is not the name of an interface"),
        (("a\0b", "arp"), cbpf.FieldError, "is not the name of an interface"),
        ((3, "arp"), cbpf.FieldError, "interface: 3 is not text"),
        ((EAST, "udp prot 53"), cbpf.ExpressionError, "column 5"),
        ((EAST, []), cbpf.VerificationError, "has no instructions"),
        ((EAST, [(0x30, 0, 0, 0)] * 4000 + [(6, 0, 0, 0)]), cbpf.SocketError, "bytes of memory after its"),
    ],
)
def test_a_socket_that_gets_no_filter_is_closed(arguments: Any, error: type[Exception], message: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        with pytest.raises(error, match=message) as caught:
            packet_socket(*arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": socket.SOCK_STREAM}, "neither socket.SOCK_RAW nor socket.SOCK_DGRAM"),
        ({"protocol": 0}, "is not an EtherType"),
        ({"protocol": 65536}, "is not an EtherType"),
        ({"lock": None}, "is neither True nor False"),
    ],
)
def test_options_are_checked(options: Any, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=message):
        packet_socket("lo", "arp", **options)


def test_without_rights_the_capability_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(cbpf.SocketError, match="interface 'lo': packet sockets need the capability CAP_NET_RAW"):
        packet_socket("lo", "arp")


# -- under load ----------------------------------------------------------------


def wait_for_frames(receiver: socket.socket) -> None:
    """Wait until a frame that the present filter accepts is in the queue."""
    assert select.select([receiver], [], [], 10)[0], "no frame arrives"


def forbidden_after_replacement(receiver: socket.socket, kind: int, *, discard_queued: bool | None = None) -> int:
    """Replace the filter while frames are in the queue; count those of another kind that are delivered then."""
    wait_for_frames(receiver)
    attach(receiver, accepts(kind), discard_queued=discard_queued)
    forbidden = 0
    for _ in range(20):
        wait_for_frames(receiver)
        forbidden += kind_of(receiver.recv(100)) != kind
    return forbidden


@pytest.mark.usefixtures("devices")
def test_no_forbidden_frame_is_delivered_after_a_replacement(full_length: bool) -> None:
    with packet_socket(EAST, accepts(KINDS[0])) as receiver, flood():
        for number in range(1, 1001 if full_length else 21):
            assert forbidden_after_replacement(receiver, KINDS[number % 2]) == 0


@pytest.mark.usefixtures("devices")
def test_forbidden_frames_are_delivered_if_the_queue_is_left_alone() -> None:
    """So the tests of the gap can fail."""
    with packet_socket(EAST, accepts(KINDS[0])) as receiver, flood():
        assert forbidden_after_replacement(receiver, KINDS[1], discard_queued=False) > 0


@pytest.mark.usefixtures("devices")
def test_no_forbidden_frame_is_delivered_after_the_first_filter(full_length: bool) -> None:
    with flood():
        for number in range(1000 if full_length else 20):
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)) as receiver:
                assert forbidden_after_replacement(receiver, KINDS[number % 2]) == 0


def frames_from(receiver: socket.socket, sending: Flood) -> tuple[list[bytes], int, int]:
    """Return the received frames, and the numbers of the first and of the last frame that must be among them."""
    first = sending.sent + 1  # the frame of this number may have been sent
    wait_for_frames(receiver)
    last = sending.stop()
    return received(receiver), first, last


@pytest.mark.usefixtures("devices")
def test_packet_sockets_lose_no_wanted_frame(full_length: bool) -> None:
    for number in range(1000 if full_length else 10):
        kind = KINDS[number % 2]
        with flood() as sending:
            sending.wait()
            with packet_socket(EAST, accepts(kind)) as receiver:
                receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
                dropped_before = dropped(receiver)  # 0, unless this process was suspended for a long time
                frames, first, last = frames_from(receiver, sending)
                assert dropped(receiver) == 0
        assert {kind_of(frame) for frame in frames} == {kind}
        numbers = [number_of(frame) for frame in frames]
        expected = range(numbers[0], last, len(KINDS))
        assert numbers == sorted(set(numbers))
        assert set(numbers) <= set(expected)
        assert len(expected) - len(numbers) == dropped_before
        assert numbers[0] <= first + 1


def dropped(receiver: socket.socket) -> int:
    """Return the frames since the last call that the filter accepted and the queue had no room for."""
    statistics = receiver.getsockopt(263, 6, 8)  # SOL_PACKET, PACKET_STATISTICS: struct tpacket_stats
    return int.from_bytes(statistics[4:], "little")


@pytest.mark.fuzz
@pytest.mark.usefixtures("devices")
def test_replacements_at_random_times(rounds: Rounds) -> None:
    """Sockets whose first filter, program and number of unread frames are drawn by chance."""
    with flood():
        for random in rounds(80):
            kinds = random.sample(KINDS, 2)
            with packet_socket(EAST, accepts(kinds[0])) as receiver:
                for kind in random.choices(KINDS, k=random.randrange(1, 4)):
                    for _ in range(random.randrange(0, 3)):
                        wait_for_frames(receiver)
                        receiver.recv(100)
                    attach(receiver, accepts(kind))
                    wait_for_frames(receiver)
                    assert kind_of(receiver.recv(100)) == kind


# -- foreign judges ------------------------------------------------------------


@pytest.mark.usefixtures("devices")
@pytest.mark.skipif(shutil.which("ss") is None, reason="ss (iproute2) is not installed")
def test_ss_prints_the_attached_program() -> None:
    program = cbpf.compile("udp port 53 or arp", dialect=cbpf.LINUX)
    with packet_socket(EAST, program):
        output = subprocess.run(["ss", "-0", "-b"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"bpf filter \((\d+)\): +(.*)", output)
    assert match is not None, output
    rows = [tuple(int(number, 0) for number in row.split()) for row in match[2].split(",") if row.strip()]
    assert int(match[1]) == len(rows)
    assert rows == [tuple(raw) for raw in program]
