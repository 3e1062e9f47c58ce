"""Programs that choose a socket of a group: SO_REUSEPORT of UDP and TCP, and the fanout of packet sockets."""

import errno
import socket
from collections.abc import Iterable

from .._typing import Final
from .._validators import iterable, optional, within
from ..errors import FieldError
from ..facade.arguments import ProgramSource
from .charges import check_size
from .failures import ATTACHING, explained
from .programs import Hook, program_of
from .socket_options import (
    SOL_PACKET,
    SOL_SOCKET,
    LinkAddress,
    get_int,
    link_address,
    set_int,
    set_program,
)
from .sockets import FirstByte, SocketArgument, Target, target_of

_SO_ATTACH_REUSEPORT_CBPF: Final = 51
_SO_DETACH_REUSEPORT_BPF: Final = 68
_PACKET_FANOUT: Final = 18
_PACKET_FANOUT_DATA: Final = 22
_PACKET_FANOUT_CBPF: Final = 6
_PACKET_FANOUT_FLAG_UNIQUEID: Final = 0x2000
_INET: Final = (socket.AF_INET, socket.AF_INET6)
_GROUP_KINDS: Final = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
_check_group: Final = optional(within(0, 0xFFFF, "the number of a fanout group"))

_CHOOSES: Final = "the verdict is the index of a socket, which an expression does not compute"
_REUSEPORT: Final = {
    errno.EPERM: ATTACHING[errno.EPERM],
    errno.ENOMEM: ATTACHING[errno.ENOMEM],
    errno.EINVAL: "the socket is not in a group; set SO_REUSEPORT before the socket is bound",
    errno.ENOENT: "no program is attached to the group of the socket; only an attached one can be detached",
}
_FANOUT: Final = {
    errno.EPERM: ATTACHING[errno.EPERM],
    errno.EALREADY: "the socket is in a fanout group; a socket leaves its group when it is closed",
    errno.EINVAL: "the group has other options, or sockets of another interface or protocol; use another number",
    errno.ENOSPC: "the group has no room for another socket",
}


def attach_reuseport(socket: SocketArgument, program: ProgramSource) -> None:
    r"""Attach a program that chooses the socket for each datagram, or for each new TCP connection.

    The sockets of a group are bound to one address, each with SO_REUSEPORT set before. The program sees the data: byte
    0 is the first byte after the UDP or TCP header. Its verdict is the index of a socket, in the order in which the
    sockets were bound; for a larger number, the kernel chooses by its hash.

    Args:
        socket: One socket of the group, or a socket with SO_REUSEPORT that will be bound as its first one.
        program: The program; it replaces the one that is attached to the group.

    Raises:
        SocketError: The socket is not in a group, its filter is locked, or the program is too large.
        VerificationError: The kernel would reject the program.
        ExpressionError: *program* is an expression.
        FieldError: *socket* is closed, or is not a UDP or TCP socket.

    Warns:
        ProgramWarning: The program tests the EtherType of an Ethernet header.

    >>> import cbpf, socket
    >>> from cbpf.linux import attach_reuseport
    >>> group = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    >>> for number, member in enumerate(group):
    ...     member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    ...     member.bind(group[0].getsockname() if number else ("127.0.0.1", 0))
    >>> attach_reuseport(group[0], cbpf.parse("ldb [0]\nand #1\nret a"))
    >>> client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    >>> for data in (b"1 is odd", b"2 is even"):
    ...     _ = client.sendto(data, group[0].getsockname())
    >>> [member.recv(100) for member in group]
    [b'2 is even', b'1 is odd']
    """
    target = _group_target(socket)
    instructions = program_of(program, Hook(target, FirstByte.PAYLOAD, _CHOOSES))
    check_size(target, instructions)
    with explained(target, _REUSEPORT):
        set_program(target.descriptor, SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, instructions)


def detach_reuseport(socket: SocketArgument) -> None:
    """Detach the program of a group of sockets: the kernel chooses by its hash again.

    Args:
        socket: One socket of the group.

    Raises:
        SocketError: The group has no program.
        FieldError: *socket* is closed, or is not a UDP or TCP socket.
    """
    target = _group_target(socket)
    with explained(target, _REUSEPORT):
        set_int(target.descriptor, SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)


def _group_target(argument: object) -> Target:
    target = target_of(argument)
    if target.family not in _INET or target.kind not in _GROUP_KINDS:
        raise FieldError(f"socket: {target} cannot be in a group of SO_REUSEPORT; only UDP and TCP sockets can")
    return target


def fanout(sockets: Iterable[SocketArgument], program: ProgramSource, *, group: int | None = None) -> int:
    """Distribute the packets of an interface among packet sockets: a program chooses the socket for each packet.

    Byte 0 is the first byte after the link-layer header; offset 0xffe00000 + n (SKF_LL_OFF) is byte n of that header.
    The verdict, modulo the number of sockets, is the index of the socket, and the filter of that socket then accepts or
    rejects the packet. Until all sockets have joined, those that have joined receive all packets. A socket leaves its
    group when it is closed.

    Args:
        sockets: Packet sockets that are bound to one interface and protocol, in the order of their indices, such as
            those that `packet_socket` returns.
        program: The program.
        group: The number of the group (0..65535), which other processes can join; None (the default): a new group.

    Returns:
        The number of the group.

    Raises:
        SocketError: A socket is in a group already or does not fit the group, or the filter of the first one is locked.
        VerificationError: The kernel would reject the program.
        ExpressionError: *program* is an expression.
        FieldError: *sockets* is empty, or a socket is closed, is not a packet socket, or has another address than the
            first one.

    Warns:
        ProgramWarning: The program tests the EtherType of an Ethernet header.
    """
    targets = [target_of(each) for each in iterable("sockets", sockets)]
    _check_members(targets)
    first = targets[0]
    number = _check_group("group", group)
    instructions = program_of(program, Hook(first, FirstByte.NETWORK, _CHOOSES))
    with explained(first, _FANOUT):
        if first.is_locked():
            raise PermissionError(errno.EPERM, "locked")
        number = _join(first, number)
        set_program(first.descriptor, SOL_PACKET, _PACKET_FANOUT_DATA, instructions)
    for target in targets[1:]:
        with explained(target, _FANOUT):
            _join(target, number)
    return number


def _check_members(targets: list[Target]) -> None:
    """Check the sockets of a group before one of them joins it, since none can leave."""
    if not targets:
        raise FieldError("sockets: there is none; pass at least one packet socket")
    addresses = [_bound_address(target) for target in targets]
    for index, (target, address) in enumerate(zip(targets, addresses, strict=True)):
        if target.descriptor in (other.descriptor for other in targets[:index]):
            raise FieldError(f"sockets[{index}]: {target} is duplicate")
        if address[:2] != addresses[0][:2]:
            raise FieldError(f"sockets[{index}]: {target} is bound to another interface or protocol than the first one")
        with explained(target, _FANOUT):
            if get_int(target.descriptor, SOL_PACKET, _PACKET_FANOUT):
                raise OSError(errno.EALREADY, "in a group")


def _bound_address(target: Target) -> LinkAddress:
    if not target.is_packet_socket:
        raise FieldError(f"sockets: {target} is not a packet socket")
    address = link_address(target.descriptor)
    if not address.protocol:
        raise FieldError(f"sockets: {target} is not bound to a protocol; bind it before it joins a group")
    return address


def _join(target: Target, group: int | None) -> int:
    """Make a packet socket join a group, or a new one; return its number."""
    flags, number = (_PACKET_FANOUT_FLAG_UNIQUEID, 0) if group is None else (0, group)
    set_int(target.descriptor, SOL_PACKET, _PACKET_FANOUT, number | (_PACKET_FANOUT_CBPF | flags) << 16)
    return get_int(target.descriptor, SOL_PACKET, _PACKET_FANOUT) & 0xFFFF
