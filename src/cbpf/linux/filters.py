"""Filters of sockets: attached without a gap, detached, locked, and read back."""

from collections.abc import Sequence
from contextlib import suppress

from .._typing import Final, Generic, TypeVar
from .._validators import flag, optional
from ..errors import FieldError
from ..facade.arguments import ProgramSource
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from .charges import REJECT_ALL, check_room
from .failures import ATTACHING, DETACHING, READING, explained
from .programs import program_for
from .queues import await_deliveries, discard
from .socket_options import (
    SO_LOCK_FILTER,
    SOL_SOCKET,
    attach_program,
    attached_program,
    detach_program,
    link_address,
    set_int,
)
from .sockets import SocketArgument, Target, target_of

_check_discard_queued: Final = optional(flag)


def attach(
    socket: SocketArgument, program: ProgramSource, *, discard_queued: bool | None = None, lock: bool = False
) -> None:
    r"""Attach a filter to a socket, in place of the present one; afterwards, no packet that it rejects is delivered.

    The kernel filters packets when it queues them, so those in the queue are delivered whatever the new filter is.
    Therefore this function first attaches a program that rejects everything, discards the queue, and then attaches the
    filter. Packets that arrive in between are lost; `packet_socket` opens a packet socket that loses none. If the
    kernel rejects the filter, the socket has the previous one again. The blocking mode and the timeout of the socket
    stay as they are.

    On a stream socket, nothing is discarded, since that would destroy data of the connection. On a listening socket,
    the filter is for connections that are opened from now on: sockets that `accept` returns inherit the filter, and
    its lock.

    Args:
        socket: The socket: any object whose `fileno()` is its descriptor.
        program: The program, or a filter expression, which is compiled for the socket: for the link type of the
            interface on a packet socket, for IP packets on a UDP, TCP or raw socket.
        discard_queued: Whether the packets in the queue are discarded; False: the filter replaces the present one at
            once, and the packets in the queue are delivered. None (the default): they are, except on stream sockets.
        lock: Whether the filter is locked: neither this process nor another one can replace or detach it.

    Raises:
        ExpressionError: The expression cannot be compiled, or has no meaning for the packets of this socket.
        VerificationError: The kernel would reject the program; the exception holds all findings.
        SocketError: The filter is locked, the program is too large for the memory of the socket, the process lacks
            CAP_NET_ADMIN, which recent kernels require for TCP, or the kernel rejects the program for another reason.
        FieldError: *socket* is closed or not a socket, *discard_queued* is True for a stream socket, or an argument is
            invalid.

    Warns:
        ProgramWarning: The program tests the EtherType of an Ethernet header, and the socket sees packets without one;
            or the kernel never runs filters of such a socket.

    >>> import cbpf, socket
    >>> from cbpf.linux import attach
    >>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    >>> _ = sender.send(b"before")
    >>> attach(receiver, cbpf.parse("ldb [0]\njeq #0x41,0,1\nret #65535\nret #0"))
    >>> for message in (b"beta", b"Alpha"):
    ...     _ = sender.send(message)
    >>> receiver.recv(100)
    b'Alpha'
    """
    discard_queued, lock = _check_discard_queued("discard_queued", discard_queued), flag("lock", lock)
    target = target_of(socket)
    if discard_queued and not target.loses_no_data:
        fact = "discarding queued data would destroy data of the connection"
        raise FieldError(f"discard_queued: {target}: {fact}; leave it out for a stream socket")
    hardware_type = link_address(target.descriptor).hardware_type if target.is_packet_socket else 0
    instructions = program_for(target, program, hardware_type=hardware_type)
    if target.loses_no_data if discard_queued is None else discard_queued:
        _attach_and_discard(target, instructions)
    else:
        replace_filter(target, instructions)
    if lock:
        lock_filter(target)


def replace_filter(target: Target, program: Program) -> None:
    """Attach a verified program at once, in place of the present filter."""
    check_room(target, target.descriptor, program, replaced=None)
    with explained(target, ATTACHING):
        attach_program(target.descriptor, program)


def _attach_and_discard(target: Target, program: Program) -> None:
    """Attach a verified program after all packets were discarded that the present filter has accepted."""
    previous = _read(target)
    check_room(target, target.descriptor, program, replaced=previous)
    with explained(target, ATTACHING):
        attach_program(target.descriptor, REJECT_ALL)
        try:
            await_deliveries()
            discard(target)
            attach_program(target.descriptor, program)
        except BaseException:  # also if it is interrupted
            _restore(target, previous)
            raise


def _restore(target: Target, previous: Program | None) -> None:
    """Give a socket its previous filter again, unless somebody has locked the present one."""
    with suppress(OSError):
        if previous is None:
            detach_program(target.descriptor)
        else:
            attach_program(target.descriptor, previous)


def _read(target: Target) -> Program | None:
    with explained(target, READING):
        return attached_program(target.descriptor)


def lock_filter(target: Target) -> None:
    """Lock the filter of a socket."""
    with explained(target, ATTACHING):
        set_int(target.descriptor, SOL_SOCKET, SO_LOCK_FILTER, 1)


def detach(socket: SocketArgument) -> None:
    """Detach the filter of a socket: all packets that arrive from now on are delivered.

    Args:
        socket: The socket.

    Raises:
        SocketError: The socket has no filter, or it is locked.
        FieldError: *socket* is closed, or not a socket.

    >>> import cbpf, socket
    >>> from cbpf.linux import attach, detach, filter_of
    >>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    >>> attach(receiver, cbpf.parse("ret #0"))
    >>> detach(receiver)
    >>> filter_of(receiver) is None
    True
    """
    target = target_of(socket)
    with explained(target, DETACHING):
        detach_program(target.descriptor)


def lock(socket: SocketArgument) -> None:
    """Lock the filter of a socket: nobody can replace or detach it until the socket is closed.

    A process that drops its privileges afterwards cannot receive more than the filter accepts. A socket without a
    filter can be locked too, and then never gets one.

    Args:
        socket: The socket.

    Raises:
        SocketError: The kernel does not permit the lock.
        FieldError: *socket* is closed, or not a socket.

    >>> import cbpf, socket
    >>> from cbpf.linux import attach, detach, lock
    >>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    >>> attach(receiver, cbpf.parse("ret #100"))
    >>> lock(receiver)
    >>> try:
    ...     detach(receiver)
    ... except cbpf.SocketError as error:
    ...     print(str(error).split(": ", 1)[1])
    the filter is locked; SO_LOCK_FILTER cannot be undone, so open a new socket
    """
    lock_filter(target_of(socket))


def filter_of(socket: SocketArgument) -> Program | None:
    """Return the program that is attached to a socket, also to a locked one.

    Args:
        socket: The socket.

    Returns:
        The program, as it was attached; None if there is none.

    Raises:
        SocketError: The attached program is an eBPF program.
        FieldError: *socket* is closed, or not a socket.

    >>> import cbpf, socket
    >>> from cbpf.linux import attach, filter_of
    >>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    >>> attach(receiver, cbpf.parse("ret #100"))
    >>> print(filter_of(receiver))
    (000) ret      #100
    """
    return _read(target_of(socket))


_Socket = TypeVar("_Socket", bound=SocketArgument)


class FilteredSocket(Generic[_Socket]):
    """A socket with the method of Go's connections that attaches a filter: it satisfies `Setter`.

    Args:
        socket: The socket.

    Raises:
        FieldError: *socket* is closed, or not a socket.

    >>> import cbpf, socket
    >>> from cbpf.linux import FilteredSocket
    >>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    >>> connection = FilteredSocket(receiver)
    >>> isinstance(connection, cbpf.Setter)
    True
    >>> connection.set_bpf(cbpf.assemble([cbpf.RetConstant(2)]))
    >>> _ = sender.send(b"packet")
    >>> connection.socket.recv(100)
    b'pa'
    """

    def __init__(self, socket: _Socket) -> None:
        target_of(socket)
        self.socket: _Socket = socket
        """The socket."""

    def set_bpf(self, filter: Sequence[RawInstruction]) -> None:
        """Attach a filter, as `attach` does.

        Args:
            filter: The instructions, for example a `Program`.

        Raises:
            SocketError: As for `attach`.
            VerificationError: The kernel would reject the program.
        """
        attach(self.socket, filter)

    def fileno(self) -> int:
        """Return the descriptor of the socket.

        Returns:
            The descriptor.
        """
        return self.socket.fileno()
