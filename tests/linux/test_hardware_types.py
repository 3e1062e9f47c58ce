"""The link types of interfaces, compared with libpcap on a device whose hardware type the test sets."""

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain

import pytest

import cbpf
from cbpf.linux.hardware_types import LINK_TYPES
from support import namespaces
from support.libpcap_release import libpcap_is_installed

TUNSETIFF, TUNSETLINK, SIOCSIFFLAGS = 0x400454CA, 0x400454CD, 0x8914
IFF_TUN, IFF_NO_PI, IFF_UP = 1, 0x1000, 1
IN_USE = (range(1, 36), range(256, 292), range(512, 520), range(768, 830), (8445, 0xFFFE, 0xFFFF))
"""The ranges of numbers in linux/if_arp.h, and those that libpcap knows beside them."""
NOT_IN_LIBPCAP = {519, 769}
COOKED = {19, 512, 783, 824, 0xFFFF}
"""Types that libpcap captures without the link-layer header."""

pytestmark = [
    pytest.mark.skipif(namespaces.available() is not None, reason=str(namespaces.available())),
    pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="this machine has no /dev/net/tun"),
]


@contextmanager
def device() -> Iterator[Callable[[int], None]]:
    """Yield a function that gives the interface `device`, in a namespace of its own, another hardware type."""
    with namespaces.network_namespace(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        namespaces.disable_ipv6()
        tun = os.open("/dev/net/tun", os.O_RDWR)

        def set_type(number: int) -> None:
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"device", 0))
            fcntl.ioctl(tun, TUNSETLINK, number)
            fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"device", IFF_UP))

        try:
            fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", b"device", IFF_TUN | IFF_NO_PI))
            yield set_type
        finally:
            os.close(tun)


def captured_link_type() -> str | None:
    """Return the link type of libpcap; None if it captures without a link-layer header."""
    with cbpf.sniff("device", snaplen=64, buffer_size=4096, immediate=True) as sniffer:
        name = sniffer.link_type.name
    return None if name in {"LINUX_SLL2", "LINUX_SLL", "LINUX_IRDA", "LINUX_LAPD", "NETLINK"} else name


@pytest.mark.skipif(not libpcap_is_installed(), reason="libpcap is not installed.")
def test_link_types_are_those_of_libpcap(full_length: bool) -> None:
    numbers = chain.from_iterable(IN_USE) if full_length else sorted({*LINK_TYPES, *COOKED} - {0})
    with device() as set_type:
        for number in numbers:
            set_type(number)
            ours = LINK_TYPES.get(number)
            assert (None if number in NOT_IN_LIBPCAP else ours) == captured_link_type(), number


def test_expressions_are_compiled_for_the_hardware_type() -> None:
    """That of a socket without link-layer header does not matter."""
    with device() as set_type:
        set_type(513)
        with cbpf.linux.packet_socket("device", "ip") as sock:
            assert cbpf.linux.filter_of(sock) == cbpf.compile("ip", link_type="C_HDLC", live=True)
        set_type(824)
        with pytest.raises(cbpf.ExpressionError, match=r"hardware type 824 .*; use a socket of type SOCK_DGRAM, or"):
            cbpf.linux.packet_socket("device", "ip")
        with cbpf.linux.packet_socket("device", "ip", kind=socket.SOCK_DGRAM) as sock:
            assert cbpf.linux.filter_of(sock) == cbpf.compile("ip", link_type="LINUX_SLL2", live=True)
