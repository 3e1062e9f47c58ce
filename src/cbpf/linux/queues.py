"""The packets in the queue of a socket: an earlier filter has accepted them, and the present one does not see them."""

import errno
import os
import select
import socket
import sys
import time
from array import array

from .._typing import Final

if sys.platform == "linux":
    import fcntl
    import termios

from .socket_options import c_library, receive_byte
from .sockets import Target

_MEMBARRIER: Final = {"x86_64": 324, "aarch64": 283, "riscv64": 283, "loongarch64": 283}
"""The number of the system call membarrier(2) on 64-bit machines."""
_MEMBARRIER_CMD_GLOBAL: Final = 1
_SOFTWARE_INTERRUPT: Final = 0.02
"""A time in seconds in which a processor finishes the packets that it is delivering."""


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

    A pending error, such as ENETDOWN after the interface went down, is reported by one call; the packets follow it. Two
    errors in a row are permanent, as of a socket that is not connected.
    """
    failures = 0
    while failures < 2:
        try:
            length = receive_byte(target.descriptor)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return
            failures += 1
            continue
        failures = 0
        if length == 0 and target.kind == socket.SOCK_SEQPACKET and _has_ended(target.descriptor):
            return


def _has_ended(descriptor: int) -> bool:
    """Return whether a call returns 0 bytes because the peer has closed the connection, and not for an empty packet."""
    poll = select.poll()
    poll.register(descriptor, select.POLLRDHUP)
    queued = array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, queued)
    return bool(poll.poll(0)) and queued[0] == 0
