"""IPv6 addresses as text, also where Python is built without IPv6, as in a browser."""

from __future__ import annotations


def packed_ip6(text: str) -> bytes:
    """Return the 16 bytes of an address in the notation of inet_pton(3).

    Raises:
        OSError: The text is not an address.
    """
    import socket

    if socket.has_ipv6:
        return socket.inet_pton(socket.AF_INET6, text)
    return _packed(text)


def ip6_text(packed: bytes) -> str:
    """Return the text of 16 bytes, as inet_ntop(3) does."""
    import socket

    if socket.has_ipv6:
        return socket.inet_ntop(socket.AF_INET6, packed)
    return _text(packed)


def _packed(text: str) -> bytes:
    from ipaddress import AddressValueError, IPv6Address

    if "%" in text:
        raise OSError("a zone is not part of an address")
    try:
        return IPv6Address(text).packed
    except AddressValueError as error:
        raise OSError(str(error)) from None


def _text(packed: bytes) -> str:
    from ipaddress import IPv4Address, IPv6Address

    text = str(IPv6Address(packed))
    is_mapped, is_compatible = packed[:12] == bytes(10) + b"\xff\xff", not any(packed[:12]) and any(packed[12:14])
    if is_mapped or is_compatible:
        return f"::{'ffff:' if is_mapped else ''}{IPv4Address(packed[12:])}"
    return text
