"""The network interfaces that can be captured on.

Source: pcap_findalldevs(3PCAP).
"""

import ctypes
import ipaddress
import os
import sys
from collections.abc import Iterator
from ctypes import byref, c_char_p, c_uint, c_void_p
from socket import AF_INET, AF_INET6

from .._libpcap import libpcap
from .._named_tuple import NamedTuple
from .._typing import Any, Final, TypeAlias
from ..errors import CaptureError

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_IS_LOOPBACK, _IS_UP, _IS_RUNNING, _IS_WIRELESS = 1, 2, 4, 8  # PCAP_IF_ (pcap/pcap.h)
# in struct sockaddr_in and sockaddr_in6
_ADDRESS_POSITIONS: Final = {
    int(AF_INET): slice(4, 8),
    int(AF_INET6): slice(8, 24),
}
_HAS_LENGTH: Final = sys.platform not in ("linux", "win32")  # struct sockaddr begins with its length, as in 4.4BSD


class NetworkInterface(NamedTuple):
    """An interface that packets can be captured on.

    Args:
        name: The name for `sniff`.
        description: A description, or no text.
        addresses: Its IP addresses.
        is_up: Whether it is enabled.
        is_running: Whether it is connected.
        is_loopback: Whether it is the loopback interface.
        is_wireless: Whether it is wireless.
    """

    name: str
    description: str
    addresses: tuple[Address, ...]
    is_up: bool
    is_running: bool
    is_loopback: bool
    is_wireless: bool


class _Address(ctypes.Structure):
    """struct pcap_addr."""


_Address._fields_ = (
    ("next", ctypes.POINTER(_Address)),
    ("address", c_void_p),
    ("netmask", c_void_p),
    ("broadcast", c_void_p),
    ("destination", c_void_p),
)


class _Device(ctypes.Structure):
    """struct pcap_if."""


_Device._fields_ = (
    ("next", ctypes.POINTER(_Device)),
    ("name", c_char_p),
    ("description", c_char_p),
    ("addresses", ctypes.POINTER(_Address)),
    ("flags", c_uint),
)


def network_interfaces() -> list[NetworkInterface]:
    """Return the network interfaces that can be captured on.

    Returns:
        The interfaces, the usual ones first. Without the privilege to capture, there may be fewer.

    Raises:
        CaptureError: The system does not list them.
        MissingLibrary: libpcap is not installed.

    >>> for interface in network_interfaces():  # doctest: +SKIP
    ...     print(interface.name, *interface.addresses)
    eth0 192.0.2.17 fe80::5054:ff:fe12:3456
    any
    lo 127.0.0.1 ::1
    """
    library = libpcap()
    errors = ctypes.create_string_buffer(256)  # PCAP_ERRBUF_SIZE
    first = ctypes.POINTER(_Device)()
    if library.pcap_findalldevs(byref(first), errors):
        raise CaptureError(f"interfaces: {errors.value.decode(errors='replace')}")
    try:
        return [_interface(device) for device in _linked(first)]
    finally:
        library.pcap_freealldevs(first)


def _linked(pointer: Any) -> Iterator[Any]:
    """Yield the items of a linked list."""
    while pointer:
        yield pointer.contents
        pointer = pointer.contents.next


def _interface(device: Any) -> NetworkInterface:
    return NetworkInterface(
        name=os.fsdecode(device.name),
        description=(device.description or b"").decode(errors="replace"),
        addresses=tuple(filter(None, (_ip_address(item.address) for item in _linked(device.addresses)))),
        is_up=bool(device.flags & _IS_UP),
        is_running=bool(device.flags & _IS_RUNNING),
        is_loopback=bool(device.flags & _IS_LOOPBACK),
        is_wireless=bool(device.flags & _IS_WIRELESS),
    )


def _ip_address(pointer: int | None) -> Address | None:
    """Return the IP address in a struct sockaddr, or None if it has none."""
    if not pointer:
        return None
    head = ctypes.string_at(pointer, 2)
    position = _ADDRESS_POSITIONS.get(head[1] if _HAS_LENGTH else int.from_bytes(head, sys.byteorder))
    if position is None:
        return None
    return ipaddress.ip_address(ctypes.string_at(pointer, position.stop)[position])
