"""A socket as an argument of a public function: its descriptor, and the packets that its filter sees."""

import errno
import socket
import sys
from enum import Enum

from .._named_tuple import NamedTuple
from .._typing import Final, Protocol, TypeAlias
from ..errors import CbpfError, FieldError
from .socket_options import SO_DOMAIN, SO_LOCK_FILTER, SO_TYPE, SOL_SOCKET, get_int

MAX_DESCRIPTOR: Final = 0x7FFF_FFFF  # an int of C


class HasDescriptor(Protocol):
    """A socket object: one of the module socket, of asyncio, trio or another library."""

    def fileno(self) -> int:
        """Return the descriptor."""
        ...


SocketArgument: TypeAlias = HasDescriptor
"""A socket as an argument of a public function: any object whose `fileno()` is the descriptor of a socket."""


class FirstByte(Enum):
    """The position of byte 0 of the packets that a program sees."""

    LINK = "the link-layer header"
    NETWORK = "the IP header"
    TRANSPORT = "the header after the IP header"
    PAYLOAD = "the first byte after the UDP or TCP header"
    DATA = "the data"


_UNIX_RECORDS: Final = (socket.SOCK_DGRAM, socket.SOCK_SEQPACKET)
_DATAGRAMS: Final = (socket.SOCK_DGRAM, socket.SOCK_RAW)


class Target(NamedTuple):
    """An open socket."""

    descriptor: int
    family: int
    kind: int

    @property
    def is_packet_socket(self) -> bool:
        """Whether this is a packet socket, which sees the frames of network devices."""
        return self.family == socket.AF_PACKET

    @property
    def loses_no_data(self) -> bool:
        """Whether the packets in the queue can be discarded without damage to a connection."""
        return self.kind in (_UNIX_RECORDS if self.family == socket.AF_UNIX else _DATAGRAMS)

    @property
    def never_filters(self) -> bool:
        """Whether the kernel accepts a filter and never runs it."""
        return self.family == socket.AF_UNIX and self.kind == socket.SOCK_STREAM

    @property
    def first_byte(self) -> FirstByte:
        """The position of byte 0 of the packets that a filter of this socket sees."""
        if self.family == socket.AF_PACKET:
            return FirstByte.NETWORK if self.kind == socket.SOCK_DGRAM else FirstByte.LINK
        if self.family not in (socket.AF_INET, socket.AF_INET6):
            return FirstByte.DATA
        is_raw_ipv4 = self.family == socket.AF_INET and self.kind == socket.SOCK_RAW  # IPv6 starts after the IP header
        return FirstByte.NETWORK if is_raw_ipv4 else FirstByte.TRANSPORT

    def is_locked(self) -> bool:
        """Return whether the filter of the socket is locked."""
        return bool(get_int(self.descriptor, SOL_SOCKET, SO_LOCK_FILTER))

    def __str__(self) -> str:
        family, kind = _name(socket.AddressFamily, self.family), _name(socket.SocketKind, self.kind)
        return f"socket {self.descriptor} ({family}, {kind})"


def _name(enumeration: type[Enum], number: int) -> str:
    try:
        return enumeration(number).name
    except ValueError:
        return str(number)


def check_linux() -> None:
    """Raise an error if this system is not Linux."""
    if sys.platform != "linux":
        raise CbpfError(f"cbpf.linux: not supported here: it needs Linux, and this is {sys.platform}")


def target_of(argument: object) -> Target:
    """Return the socket of an argument; raise `FieldError` if it is closed, or not a socket."""
    check_linux()
    descriptor = descriptor_of(argument, "socket")
    try:
        return Target(descriptor, *(get_int(descriptor, SOL_SOCKET, option) for option in (SO_DOMAIN, SO_TYPE)))
    except OSError as error:
        if error.errno == errno.EBADF:
            raise _closed("socket", argument) from None
        raise FieldError(f"socket: {argument!r} is not a socket: {error.strerror}") from None


def descriptor_of(argument: object, name: str) -> int:
    """Return the descriptor of an object; raise `FieldError` if it has none, or is closed."""
    if isinstance(argument, int):
        raise FieldError(f"{name}: {argument!r} is a number; pass the {name} object, not its descriptor")
    try:
        descriptor = argument.fileno()  # type: ignore[attr-defined]
    except ValueError:  # of a closed file
        raise _closed(name, argument) from None
    except (AttributeError, TypeError, OSError):
        is_transport = hasattr(argument, "get_extra_info")
        rule = 'its get_extra_info("socket")' if is_transport else "an object with fileno()"
        raise FieldError(f"{name}: {argument!r} has no descriptor; pass {rule}") from None
    if not isinstance(descriptor, int):
        raise FieldError(f"{name}: the fileno() of {argument!r} is not a number")
    if not 0 <= descriptor <= MAX_DESCRIPTOR:
        raise _closed(name, argument)
    return descriptor


def _closed(name: str, argument: object) -> FieldError:
    return FieldError(f"{name}: {argument!r} is closed; pass an open {name}")
