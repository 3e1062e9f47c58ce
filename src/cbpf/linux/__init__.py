"""Filters of Linux sockets: attached without a gap, verified first, and every error of the kernel explained.

>>> import cbpf, socket
>>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
>>> cbpf.linux.attach(receiver, cbpf.parse("ret #3"))
>>> _ = sender.send(b"packet")
>>> receiver.recv(100)
b'pac'
"""

from .ebpf_checks import EbpfCheck, EbpfDifference, check_ebpf
from .filters import FilteredSocket, attach, detach, filter_of, lock
from .groups import attach_reuseport, detach_reuseport, fanout
from .packet_sockets import packet_socket
from .taps import attach_tap, detach_tap

__all__ = [
    "EbpfCheck",
    "EbpfDifference",
    "FilteredSocket",
    "attach",
    "attach_reuseport",
    "attach_tap",
    "check_ebpf",
    "detach",
    "detach_reuseport",
    "detach_tap",
    "fanout",
    "filter_of",
    "lock",
    "packet_socket",
]
