"""IP addresses as text and as numbers, in the notations of inet_pton(3).

Each function imports `socket` itself: most expressions contain no address.
"""

from ..._ip6 import ip6_text, packed_ip6


def ipv4_number(text: str) -> int:
    """Return the number of an IPv4 address."""
    import socket

    return int.from_bytes(socket.inet_pton(socket.AF_INET, text), "big")


def ipv6_number(text: str) -> int:
    """Return the number of an IPv6 address, which may have a zone after it."""
    return int.from_bytes(packed_ip6(text.partition("%")[0]), "big")


def ipv4_text(number: int) -> str:
    """Return an IPv4 address as text."""
    import socket

    return socket.inet_ntop(socket.AF_INET, number.to_bytes(4, "big"))


def ipv6_text(number: int) -> str:
    """Return an IPv6 address as text."""
    return ip6_text(number.to_bytes(16, "big"))
