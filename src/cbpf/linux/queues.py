"""The packets in the queue of a socket: an earlier filter has accepted them, and the present one does not see them."""

import errno
import os
import select
import socket
import sys
import time
from array import array

from .._c_library import c_library
from .._typing import Final

if sys.platform == "linux":
    import fcntl
    import termios

from .socket_options import receive_byte
from .sockets import Target

_MEMBARRIER: Final = {"x86_64": 324, "aarch64": 283, "riscv64": 283, "loongarch64": 283}
"""The number of the system call membarrier(2) on 64-bit machines."""
_MEMBARRIER_CMD_GLOBAL: Final = 1
_SOFTWARE_INTERRUPT: Final = 0.02
"""A time in seconds in which a processor finishes the packets that it is delivering."""

_WAKING_MS: Final = 100
"""A time in milliseconds in which a woken sender runs, also on a busy machine."""


def await_deliveries() -> None:
    """Wait until no processor delivers a packet that was judged by a filter that has been replaced.

    The kernel judges a packet and queues it within one read-side critical section of RCU. membarrier(2) waits for the
    end of all that have begun: the packets that the old filter accepted are then in the queue.
    """
    number = _MEMBARRIER.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
    if number is None or c_library().syscall(number, _MEMBARRIER_CMD_GLOBAL, 0, 0) != 0:
        time.sleep(_SOFTWARE_INTERRUPT)


def discard(target: Target) -> None:
    """Discard the packets in the queue of a socket; the socket must have a filter that rejects everything.

    On AF_UNIX, a sender that waits for room in the queue has passed the old filter, and queues its message when it is
    woken. So the queue is read again until nothing arrives.
    """
    discarded = _empty(target)
    while discarded and target.family == socket.AF_UNIX and _poll(target.descriptor, select.POLLIN, _WAKING_MS):
        discarded = _empty(target)


def _empty(target: Target) -> int:
    """Discard the packets in the queue of a socket; return their number.

    A pending error, such as ENETDOWN after the interface went down, is reported by one call; the packets follow it. Two
    errors in a row are permanent, as of a socket that is not connected.
    """
    count = failures = 0
    while failures < 2:
        try:
            length = receive_byte(target.descriptor)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                break
            failures += 1
            continue
        failures = 0
        if length == 0 and target.kind == socket.SOCK_SEQPACKET and _has_ended(target.descriptor):
            break
        count += 1
    return count


def _has_ended(descriptor: int) -> bool:
    """Return whether a call returns 0 bytes because the peer has closed the connection, and not for an empty packet."""
    queued = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, queued)
    return _poll(descriptor, select.POLLRDHUP, 0) and queued[0] == 0


def _poll(descriptor: int, event: int, milliseconds: int) -> bool:
    """Return whether a socket has an event within a time."""
    poll = select.poll()
    poll.register(descriptor, event)
    return bool(poll.poll(milliseconds))
