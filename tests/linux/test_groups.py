"""Programs that choose a socket of a group: SO_REUSEPORT on loopback, and fanout on a pair of devices."""

import errno
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf.linux import attach_reuseport, detach_reuseport, fanout, lock, packet_socket
from cbpf.linux.charges import charge, translated_length
from support import namespaces
from support.judges import kernel
from support.namespaces import EAST, WEST

ALL = cbpf.parse("ret #65535")
FIRST_BYTE = cbpf.parse("ldb [0]\nret a")
ETHERNET = cbpf.compile("udp", dialect=cbpf.LINUX)
LARGE = [cbpf.LoadAbsolute(0, 1)] * 4000 + [cbpf.RetA()]

needs_sockets = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))
needs_devices = pytest.mark.skipif(namespaces.available() is not None, reason=str(namespaces.available()))


# -- SO_REUSEPORT --------------------------------------------------------------


@contextmanager
def group(size: int, kind: socket.SocketKind = socket.SOCK_DGRAM) -> Iterator[list[socket.socket]]:
    """Return sockets that are bound to one address of loopback."""
    with ExitStack() as stack:
        members = [stack.enter_context(socket.socket(socket.AF_INET, kind)) for _ in range(size)]
        for member in members:
            member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            member.bind(("127.0.0.1", 0) if member is members[0] else members[0].getsockname())
            if kind == socket.SOCK_STREAM:
                member.listen()
        yield members


def readable(members: list[socket.socket]) -> list[int]:
    """Return the indices of the sockets with packets or connections."""
    ready = select.select(members, [], [], 0)[0]
    return [index for index, member in enumerate(members) if member in ready]


@needs_sockets
def test_datagrams_go_to_the_socket_that_the_program_chooses() -> None:
    with group(3) as members, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        attach_reuseport(members[2], FIRST_BYTE)
        for index in (2, 0, 1, 2):
            sender.sendto(bytes([index]), members[0].getsockname())
            assert readable(members) == [index]
            members[index].recv(10)
        sender.sendto(bytes([77]), members[0].getsockname())  # out of range: the hash of the kernel decides
        assert len(readable(members)) == 1


@needs_sockets
def test_connections_go_to_the_socket_that_the_program_chooses() -> None:
    with group(2, socket.SOCK_STREAM) as members:
        for index in (1, 0):
            attach_reuseport(members[0], [cbpf.RetConstant(index)])
            with socket.create_connection(members[0].getsockname()):
                assert readable(members) == [index]
                members[index].accept()[0].close()


@needs_sockets
def test_the_program_of_a_group_can_be_detached_once() -> None:
    with group(1) as members:
        attach_reuseport(members[0], FIRST_BYTE)
        detach_reuseport(members[0])
        with pytest.raises(cbpf.SocketError, match="no program is attached to the group") as caught:
            detach_reuseport(members[0])
        assert caught.value.errno == errno.ENOENT


@needs_sockets
def test_programs_of_groups_are_checked() -> None:
    with group(1) as members, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as single:
        single.bind(("127.0.0.1", 0))
        with pytest.raises(cbpf.SocketError, match="set SO_REUSEPORT before the socket is bound"):
            attach_reuseport(single, FIRST_BYTE)
        with pytest.raises(cbpf.ExpressionError, match="the verdict is the index of a socket"):
            attach_reuseport(members[0], "udp")
        with pytest.raises(cbpf.VerificationError, match="has no instructions"):
            attach_reuseport(members[0], [])
        with pytest.raises(cbpf.SocketError, match="shorten the program") as caught:
            attach_reuseport(members[0], LARGE)
        assert caught.value.errno == errno.ENOMEM
        with pytest.warns(cbpf.ProgramWarning, match="after the UDP or TCP header") as warned:
            attach_reuseport(members[0], ETHERNET)
        assert warned[0].filename == __file__
        lock(members[0])
        with pytest.raises(cbpf.SocketError, match="the filter is locked"):
            attach_reuseport(members[0], FIRST_BYTE)


@needs_sockets
@pytest.mark.parametrize(
    ("family", "kind"), [(socket.AF_UNIX, socket.SOCK_DGRAM), (socket.AF_NETLINK, socket.SOCK_RAW)]
)
def test_other_sockets_have_no_groups(family: int, kind: int) -> None:
    with socket.socket(family, kind) as sock:
        calls: list[Callable[[], None]] = [lambda: attach_reuseport(sock, FIRST_BYTE), lambda: detach_reuseport(sock)]
        for call in calls:
            with pytest.raises(cbpf.FieldError, match="only UDP and TCP sockets can"):
                call()


@needs_sockets
@pytest.mark.skipif(charge(ALL) is None, reason="the sizes of this machine's code are not known")
def test_the_largest_program_of_a_group_is_that_of_the_kernel() -> None:
    """A group permits exactly the limit, unlike a socket filter; the load of the mark is one eBPF instruction."""
    limit = int(Path("/proc/sys/net/core/optmem_max").read_text())
    header = (charge(ALL) or 0) - 8 * translated_length(ALL)
    mark = (0x20, 0, 0, 0xFFFFF014)
    loads = [(0x20, 0, 0, 0xFFFFF038)] * 4000  # rand: 4 eBPF instructions each
    base = translated_length(cbpf.Program([*loads, (6, 0, 0, 0)]))
    spare = (limit - header) // 8 - base
    for change, fits in ((0, True), (1, False)):
        program = [*loads, *[mark] * ((spare + change) % 4), *[loads[0]] * ((spare + change) // 4), (6, 0, 0, 0)]
        if len(program) > 4096:
            pytest.skip("programs of the maximum length are smaller than net.core.optmem_max")
        with group(1) as members:
            argument, _code = kernel.sock_fprog(program)
            raw = members[0].setsockopt
            if fits:
                raw(socket.SOL_SOCKET, 51, argument)
                attach_reuseport(members[0], program)
            else:
                with pytest.raises(OSError, match="Cannot allocate memory"):
                    raw(socket.SOL_SOCKET, 51, argument)
                with pytest.raises(cbpf.SocketError, match=f"set net.core.optmem_max to {limit + 8}"):
                    attach_reuseport(members[0], program)


# -- fanout --------------------------------------------------------------------


@pytest.fixture
def devices() -> Iterator[None]:
    with namespaces.veth_pair():
        yield


def frame(source: int, first: int) -> bytes:
    """Return a frame with these last byte of the source address and first byte after the header."""
    return bytes.fromhex("0200000000020200000000") + bytes([source]) + b"\x90\x00" + bytes([first]) + bytes(45)


def send(*frames: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((WEST, 0))
        for each in frames:
            sender.send(each)


@contextmanager
def packet_sockets(count: int, program: Any = ALL, interface: str = EAST) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(packet_socket(interface, program)) for _ in range(count)]


@needs_devices
@pytest.mark.usefixtures("devices")
def test_frames_go_to_the_socket_that_the_program_chooses() -> None:
    with packet_sockets(3) as members:
        fanout(members, FIRST_BYTE)
        send(frame(1, 2), frame(1, 0), frame(1, 4), frame(1, 2))
        received = [[] for _ in members]  # type: list[list[int]]
        while indices := readable(members):
            for index in indices:
                received[index].append(members[index].recv(100)[14])
        assert received == [[0], [4], [2, 2]]  # the verdict modulo the number of sockets


@needs_devices
@pytest.mark.usefixtures("devices")
def test_the_link_header_and_the_filter_of_each_socket_take_part() -> None:
    with packet_sockets(2, cbpf.parse("ldb [14]\nret a")) as members:
        fanout(members, cbpf.parse("ldb [-2097141]\nret a"))  # SKF_LL_OFF + 11: the last byte of the source address
        send(frame(1, 5), frame(2, 7), frame(1, 0))
        assert len(members[0].recv(100)) == 7
        assert len(members[1].recv(100)) == 5
        assert readable(members) == []


@needs_devices
@pytest.mark.usefixtures("devices")
def test_a_group_has_a_number_that_others_join() -> None:
    with packet_sockets(1) as first, packet_sockets(1) as second, packet_sockets(1) as third:
        number = fanout(first, FIRST_BYTE)
        assert fanout(second, FIRST_BYTE, group=number) == number
        assert fanout(third, FIRST_BYTE) != number
        members = [*first, *second]
        send(frame(1, 1))
        assert readable(members) == [1]


@needs_devices
@pytest.mark.usefixtures("devices")
def test_no_socket_joins_a_group_that_is_not_valid() -> None:
    with (
        packet_sockets(2) as members,
        packet_sockets(1, interface=WEST) as west,
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as unbound,
        socket.socket() as stream,
    ):
        cases: list[tuple[Any, str]] = [
            ([], "pass at least one packet socket"),
            ([members[0], west[0]], "bound to another interface or protocol"),
            ([members[0], unbound], "is not bound to a protocol"),
            ([members[0], stream], "is not a packet socket"),
            ([members[0], members[0]], "is duplicate"),
            (members[0], "not iterable"),
        ]
        for sockets, message in cases:
            with pytest.raises(cbpf.FieldError, match=message):
                fanout(sockets, FIRST_BYTE)
        with pytest.raises(cbpf.FieldError, match="is not the number of a fanout group"):
            fanout(members, FIRST_BYTE, group=65536)
        with pytest.raises(cbpf.ExpressionError, match="the verdict is the index of a socket"):
            fanout(members, "udp")
        lock(west[0])
        with pytest.raises(cbpf.SocketError, match="the filter is locked"):
            fanout(west, FIRST_BYTE)
        with pytest.warns(cbpf.ProgramWarning, match="byte 0 is the IP header"):
            number = fanout(members, ETHERNET)
        with pytest.raises(cbpf.SocketError, match="a socket leaves its group when it is closed"):
            fanout(members, FIRST_BYTE)
        with (
            packet_sockets(1, interface=WEST) as other,
            pytest.raises(cbpf.SocketError, match="sockets of another interface or protocol"),
        ):
            fanout(other, FIRST_BYTE, group=number)
