"""The link types whose packets have header columns."""

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...packet.link_types import LinkType, link_type

MAX_TAGS: Final = 4
"""The number of VLAN tags that the programs skip. After more of them, they find a type, but no IP header."""

_TAGS: Final = ("headers/tag",) * MAX_TAGS
_PPPOE: Final = ("headers/pppoe", "headers/ppp")


class LinkHeaders(NamedTuple):
    """The headers before IP, as names of files: part of the programs of all columns.

    Args:
        link: The link header, which determines the type or protocol, and the offset, of the next header.
        tags: The VLAN tags; empty for link types that have none.
        session: The headers of PPPoE and PPP, or nothing.
        has_addresses: Whether the packet begins with the addresses of Ethernet.
    """

    link: tuple[str, ...]
    tags: tuple[str, ...] = ()
    session: tuple[str, ...] = ()
    has_addresses: bool = False


_ETHERNET: Final = LinkHeaders(("links/ethernet",), _TAGS, _PPPOE, has_addresses=True)
_LOOPBACK: Final = LinkHeaders(("links/loopback",))
_PPP: Final = LinkHeaders(("links/ppp",), session=("headers/ppp",))

LINKS: Final = {
    "EN10MB": _ETHERNET,
    "LINUX_SLL": LinkHeaders(("links/sll",), _TAGS, _PPPOE),
    "LINUX_SLL2": LinkHeaders(("links/sll2",), _TAGS, _PPPOE),
    "RAW": LinkHeaders(("links/raw",)),
    "IPV4": LinkHeaders(("links/ipv4",)),
    "IPV6": LinkHeaders(("links/ipv6",)),
    "NULL": _LOOPBACK,
    "LOOP": _LOOPBACK,
    "PPP": _PPP,
    "PPP_SERIAL": _PPP,
    "PPP_ETHER": LinkHeaders(("links/pppoe",), session=_PPPOE),
    "C_HDLC": LinkHeaders(("links/c_hdlc",)),
}
"""The headers of the supported link types, by name."""


def headers_of(kind: str | int | LinkType) -> LinkHeaders | None:
    """Return the headers of a link type, or None if header columns do not support it."""
    return LINKS.get(link_type(kind).name)
