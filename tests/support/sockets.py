"""Sockets for tests of filters, and the rights that they need."""

import socket

import pytest

from support.judges import kernel


def skip_without_tcp_filters() -> None:
    """Skip a test where a TCP socket gets no filter: recent kernels require CAP_NET_ADMIN."""
    argument, _code = kernel.sock_fprog([(kernel.RETURN_K, 0, 0, 65535)])
    with socket.socket() as sock:
        try:
            sock.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_FILTER, argument)
        except PermissionError:
            pytest.skip("this kernel requires CAP_NET_ADMIN for filters of TCP sockets")
