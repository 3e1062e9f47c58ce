"""The header columns of tables: one row of a table for each."""

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Final, Literal, TypeAlias
from ...errors import FieldError

FieldType: TypeAlias = Literal["uint8", "uint16", "uint32", "binary6", "binary16"]
"""The type of a column: an unsigned number of 8, 16 or 32 bits, or a number of bytes."""

Level: TypeAlias = Literal["frame", "link", "type", "ip", "protocol", "transport", "ports"]
"""The headers that the program of a column reads before its own part; each level continues the one before it.

frame: none; link: the link header; type: and the VLAN tags; ip: and PPPoE, up to the IP header; protocol: the IP header
and the extension headers of IPv6; transport: and it is not a later fragment; ports: of a protocol that has ports.
"""

WIDTHS: Final[dict[FieldType, tuple[int, ...]]] = {
    "uint8": (1,),
    "uint16": (2,),
    "uint32": (4,),
    "binary6": (4, 2),
    "binary16": (4, 4, 4, 4),
}
"""The number of bytes of a value that each of its programs returns, by type."""


class Field(NamedTuple):
    """A header column.

    Args:
        name: Its name, which is also that of its file in `columns`.
        type: Its type.
        level: The headers that its program reads first.
        meaning: Its value, as Markdown for the documentation.
        absent: When it is null although the packet was captured completely, as Markdown.
    """

    name: str
    type: FieldType
    level: Level
    meaning: str
    absent: str


_NOT_IP: Final = "the packet is not IP"
_NO_PORTS: Final = "the protocol is not TCP, UDP, UDP-Lite, SCTP or DCCP, or the packet is a later fragment"

_TABLE: Final = (
    Field(
        "eth_type",
        "uint16",
        "type",
        "the EtherType after all VLAN tags",
        "the number is below 0x600: a length (IEEE 802.3), or in cooked captures a number of Linux",
    ),
    Field("vlan", "uint16", "link", "the identifier of the outermost VLAN tag, 0 to 4095", "the packet has no tag"),
    Field("ip_version", "uint8", "ip", "4 or 6", _NOT_IP),
    Field(
        "protocol",
        "uint8",
        "protocol",
        "the protocol of the IPv4 header; for IPv6, the next header of its last extension header",
        f"{_NOT_IP}, or has more extension headers than are followed",
    ),
    Field("src_ip", "uint32", "ip", "the source address of IPv4", "the packet is not IPv4"),
    Field("dst_ip", "uint32", "ip", "the destination address of IPv4", "the packet is not IPv4"),
    Field("src_ip6", "binary16", "ip", "the source address of IPv6", "the packet is not IPv6"),
    Field(
        "dst_ip6", "binary16", "ip", "the destination address of IPv6, as in the IPv6 header", "the packet is not IPv6"
    ),
    Field("src_port", "uint16", "ports", "the source port", _NO_PORTS),
    Field("dst_port", "uint16", "ports", "the destination port", _NO_PORTS),
    Field(
        "tcp_flags",
        "uint16",
        "transport",
        "the 12 bits of flags and reserved bits: FIN is 1, SYN 2, RST 4, PSH 8, ACK 16",
        "the protocol is not TCP, or the packet is a later fragment",
    ),
    Field(
        "icmp_type",
        "uint8",
        "transport",
        "the type of ICMP or ICMPv6, as `protocol` indicates",
        "the protocol is neither, or the packet is a later fragment",
    ),
    Field("ttl", "uint8", "ip", "the time to live of IPv4, or the hop limit of IPv6", _NOT_IP),
    Field(
        "payload_length",
        "uint16",
        "transport",
        "the number of bytes after the transport header, as the headers state them: of UDP, its length field less 8; of"
        " TCP, UDP-Lite, SCTP and DCCP, the length of the IP packet less all headers",
        f"{_NO_PORTS}, or the lengths contradict each other; except of UDP, also if the packet is a first fragment or"
        " IP states the length 0",
    ),
    Field("src_mac", "binary6", "frame", "the source address of Ethernet", "never"),
    Field("dst_mac", "binary6", "frame", "the destination address of Ethernet", "never"),
)

FIELDS: Final = {row.name: row for row in _TABLE}
"""The header columns by name, in the order of the documentation."""

FIELD_NAMES: Final = tuple(FIELDS)
"""The names of the header columns."""


def field(name: str) -> Field:
    """Return the header column of a name.

    Raises:
        FieldError: The name is unknown; the message has the nearest name.
    """
    row = FIELDS.get(name)
    if row is None:
        raise FieldError(f"column: {name!r} is not a header column{suggestion(str(name), FIELD_NAMES)}")
    return row


def field_type(name: str) -> FieldType:
    """Return the type of a header column.

    Args:
        name: One of `FIELD_NAMES`.

    Returns:
        "uint8", "uint16" or "uint32" for a number; "binary6" or "binary16" for the bytes of an address.

    Raises:
        FieldError: The name is unknown.
    """
    return field(name).type
