"""The positions of the first headers: those of the link type, except on live Linux sockets that see other bytes."""

from ...isa.enumerations import Extension
from ...isa.opcodes import EXTENSION_OFFSET, NETWORK_OFFSET
from ..target import Target
from .link_layers import COOKED, UNSET, Headers, Offset, initial_headers


def first_headers(target: Target) -> Headers:
    """Return the positions of the headers in a packet, before any encapsulation."""
    headers = initial_headers(target.dlt)
    if target.socket == "network":
        # Offsets wrap at 32 bits: sums with an offset in the window remain in the window.
        start = Offset(NETWORK_OFFSET)
        return headers._replace(link=start, payload=start)
    if target.socket == "link" and target.dlt in COOKED:
        # The fields of the cooked header are metadata; the packet begins with its payload.
        protocol = Offset(EXTENSION_OFFSET + Extension.PROTO)
        return headers._replace(link=Offset(UNSET), type_field=protocol, payload=Offset(0))
    return headers
