"""Packet sockets with a filter that every packet has passed."""

import errno
import socket

from .._typing import Final
from .._validators import flag, text, within
from ..errors import FieldError
from ..facade.arguments import ProgramSource
from .failures import OPENING, explained
from .filters import lock_filter, replace_filter
from .programs import program_for
from .socket_options import ALL_PROTOCOLS, link_address
from .sockets import check_linux, target_of

_NO_PROTOCOL: Final = 0
_LONGEST_NAME: Final = 15  # IFNAMSIZ - 1
_KINDS: Final = (socket.SOCK_RAW, socket.SOCK_DGRAM)
_OPENING_ANY: Final = {
    **OPENING,
    errno.ENODEV: 'no such interface; cbpf.sniff("any") captures on all interfaces',
}
_check_protocol: Final = within(1, 0xFFFF, "an EtherType")


def packet_socket(
    interface: str,
    program: ProgramSource,
    *,
    kind: socket.SocketKind = socket.SOCK_RAW,
    protocol: int = ALL_PROTOCOLS,
    lock: bool = False,
) -> socket.socket:
    """Open a packet socket that receives the packets of an interface that a filter accepts, and no others.

    The socket is opened for no protocol, then the filter is attached, and then the socket is bound: so it never
    receives a packet that the filter has not judged, and loses none that it accepts. The socket is closed if anything
    fails. On an interface that is down, the first `recv` raises ENETDOWN, and packets arrive when it is up.

    Args:
        interface: The name of the interface, as `ip link` shows it.
        program: The program, or a filter expression, which is compiled for the link type of the interface.
        kind: `socket.SOCK_RAW`: packets begin with the link-layer header. `socket.SOCK_DGRAM`: with the header after
            it, so an expression cannot contain addresses of the link layer.
        protocol: The EtherType of the packets; 3 (ETH_P_ALL, the default) for all, also the outgoing ones.
        lock: Whether the filter is locked, as by `lock`.

    Returns:
        The socket, in blocking mode.

    Raises:
        SocketError: There is no such interface, CAP_NET_RAW is missing, or the kernel rejects the filter.
        ExpressionError: The expression cannot be compiled for the interface.
        VerificationError: The kernel would reject the program.
        FieldError: An argument is invalid.

    Warns:
        ProgramWarning: The program tests the EtherType of an Ethernet header, and *kind* is `SOCK_DGRAM`.
    """
    check_linux()
    place = f"interface {_checked_name(interface)!r}"
    rules = _OPENING_ANY if interface == "any" else OPENING
    if kind not in _KINDS:
        raise FieldError(f"kind: {kind!r} is neither socket.SOCK_RAW nor socket.SOCK_DGRAM")
    protocol, lock = _check_protocol("protocol", protocol), flag("lock", lock)
    with explained(place, rules):
        opened = socket.socket(socket.AF_PACKET, kind, _NO_PROTOCOL)
    try:
        with explained(place, rules):
            opened.bind((interface, _NO_PROTOCOL))
        target = target_of(opened)
        hardware_type = link_address(target.descriptor).hardware_type
        replace_filter(target, program_for(target, program, hardware_type=hardware_type))
        if lock:
            lock_filter(target)
        with explained(place, rules):
            opened.bind((interface, protocol))
    except BaseException:
        opened.close()
        raise
    return opened


def _checked_name(interface: object) -> str:
    name = text("interface", interface)
    length = len(name.encode())
    if not name or "\0" in name:
        raise FieldError(f"interface: {name!r} is not the name of an interface")
    if length > _LONGEST_NAME:
        raise FieldError(
            f"interface: {name!r} has {length} bytes; the name of an interface has at most {_LONGEST_NAME}"
        )
    return name
