"""Filters of Linux sockets: attached without a gap, verified first, and every error of the kernel explained.

>>> import cbpf, socket
>>> receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
>>> cbpf.linux.attach(receiver, cbpf.parse("ret #3"))
>>> _ = sender.send(b"packet")
>>> receiver.recv(100)
b'pac'
"""

from .filters import FilteredSocket, attach, detach, filter_of, lock
from .packet_sockets import packet_socket

__all__ = ["FilteredSocket", "attach", "detach", "filter_of", "lock", "packet_socket"]
