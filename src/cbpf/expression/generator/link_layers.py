"""The link layers: where the headers of each link type are, as one row of a table, and the changes by later headers.

Offsets are in bytes. They may be unset (`UNSET`), which takes part in sums as that number, modulo 2**32, as in libpcap.
"""

from ..._named_tuple import NamedTuple
from ..._typing import Final, Literal, TypeAlias
from ...isa.opcodes import WORD_MASK

UNSET: Final = WORD_MASK

# DLT_ numbers (libpcap pcap/dlt.h) that the generator treats alike
EN10MB: Final = 1
IEEE802: Final = 6
ARCNET: Final = 7
SLIP: Final = 8
PPP: Final = 9
FDDI: Final = 10
ATM_RFC1483: Final = 11
SLIP_BSDOS: Final = 15
C_HDLC: Final = 104
IEEE802_11: Final = 105
FRELAY: Final = 107
LOOP: Final = 108
HDLC: Final = 112
LINUX_SLL: Final = 113
PFLOG: Final = 117
PRISM: Final = 119
IP_OVER_FC: Final = 122
SUNATM: Final = 123
RADIOTAP: Final = 127
ARCNET_LINUX: Final = 129
MTP2_WITH_PHDR: Final = 139
MTP2: Final = 140
AVS: Final = 163
BACNET_MS_TP: Final = 165
PPP_PPPD: Final = 166
PPI: Final = 192
ERF: Final = 197
IPNET: Final = 226
NETANALYZER: Final = 240
NETANALYZER_TRANSPARENT: Final = 241
LINUX_SLL2: Final = 276
DSA_TAG_BRCM: Final = 281
DSA_TAG_DSA: Final = 284

DSA_TAGS: Final = frozenset({DSA_TAG_BRCM, DSA_TAG_DSA})
"""The link types of switches: Ethernet with a tag after the addresses."""

ETHERNET: Final = frozenset({EN10MB, NETANALYZER, NETANALYZER_TRANSPARENT}) | DSA_TAGS
"""The link types with Ethernet's addresses."""

WIRELESS: Final = frozenset({IEEE802_11, PRISM, RADIOTAP, AVS, PPI})
"""The link types of IEEE 802.11 frames."""

COOKED: Final = frozenset({LINUX_SLL, LINUX_SLL2})
"""The link types of packets whose link header Linux has replaced."""

ARCNETS: Final = frozenset({ARCNET, ARCNET_LINUX})

# fmt: off
Family: TypeAlias = Literal[
    "ether", "llc", "wlan", "sunatm", "sll", "type", "ppp", "pppbsd", "hdlc", "loop", "raw", "ipv4", "ipv6",
    "arcnet", "ltalk", "frelay", "pflog", "ipnet", "bacnet", "juniper", "none",
]
# fmt: on
"""How a link layer names the protocol of its payload."""

Slot: TypeAlias = Literal["link header", "payload", "tag"] | int
"""A scratch slot with an offset that varies: measured at the start of the program, 0 or the length of a VLAN tag that a
live packet has in its bytes ("tag"), or a number for a Geneve header."""


class Offset(NamedTuple):
    """A position in the packet: a constant, plus the contents of a slot if there is one."""

    constant: int
    slot: Slot | None = None

    def plus(self, distance: int) -> "Offset":
        """Return the position *distance* bytes later."""
        return Offset((self.constant + distance) & WORD_MASK, self.slot)


class Headers(NamedTuple):
    """The positions of the headers that the next primitive refers to.

    Args:
        link_type: The link type that is spoken of, as a DLT_ number.
        outer: The link type around it; the same without encapsulation.
        is_inner: Whether the link type is that of a header inside a tunnel (Geneve, VXLAN).
        family: How the link layer names the protocol of its payload.
        link: The start of the link header.
        type_field: The field with the type of the payload.
        payload: The start of the payload.
        network: The distance from there to the network header.
        plain_network: The distance to the network header in payloads without a SNAP header.
        labels: The number of MPLS labels.
    """

    link_type: int
    outer: int
    is_inner: bool
    family: Family
    link: Offset
    type_field: Offset
    payload: Offset
    network: int
    plain_network: int
    labels: int

    @property
    def network_header(self) -> Offset:
        """The start of the network header."""
        return self.payload.plus(self.network)

    @property
    def plain_network_header(self) -> Offset:
        """The start of the network header of payloads without a SNAP header."""
        return self.payload.plus(self.plain_network)


class _Row(NamedTuple):
    """A link type by its DLT_ number: the offset of the type field and of the payload, and `Headers` from there."""

    dlt: int
    type_field: int
    payload: int
    network: int
    plain_network: int
    family: Family
    link: int = 0


# fmt: off
_ROWS: Final = (
    _Row(EN10MB,                   12, 14, 0, 3, "ether"),
    _Row(NETANALYZER,              16, 18, 0, 3, "ether", link=4),
    _Row(NETANALYZER_TRANSPARENT,  24, 26, 0, 3, "ether", link=12),
    _Row(DSA_TAG_BRCM,             16, 18, 0, 3, "ether"),
    _Row(DSA_TAG_DSA,              16, 18, 0, 3, "ether"),
    _Row(IEEE802,                  14, 14, 8, 3, "llc"),
    _Row(FDDI,                     13, 13, 8, 3, "llc"),
    _Row(IP_OVER_FC,               16, 16, 8, 3, "llc"),
    _Row(ATM_RFC1483,               0,  0, 8, 3, "llc"),
    _Row(19,                        0,  0, 8, 3, "llc"),  # ATM_CLIP
    _Row(IEEE802_11,               24,  0, 8, 3, "wlan"),
    _Row(PRISM,                    24,  0, 8, 3, "wlan"),
    _Row(RADIOTAP,                 24,  0, 8, 3, "wlan"),
    _Row(AVS,                      24,  0, 8, 3, "wlan"),
    _Row(PPI,                      24,  0, 8, 3, "wlan"),
    _Row(SUNATM,                    4,  4, 8, 3, "sunatm"),
    _Row(LINUX_SLL,                14, 16, 0, 0, "sll"),
    _Row(LINUX_SLL2,                0, 20, 0, 0, "type"),
    _Row(138,                      16, 18, 0, 0, "type"),  # APPLE_IP_OVER_IEEE1394
    _Row(99,                        6, 44, 0, 0, "type"),  # SYMANTEC_FIREWALL
    _Row(PPP,                       2,  4, 0, 0, "ppp"),
    _Row(50,                        2,  4, 0, 0, "ppp"),  # PPP_SERIAL
    _Row(PPP_PPPD,                  2,  4, 0, 0, "ppp"),
    _Row(51,                        6,  8, 0, 0, "ppp"),  # PPP_ETHER
    _Row(16,                        5, 24, 0, 0, "pppbsd"),  # PPP_BSDOS
    _Row(C_HDLC,                    2,  4, 0, 0, "hdlc"),
    _Row(HDLC,                      2,  4, 0, 0, "hdlc"),
    _Row(0,                         0,  4, 0, 0, "loop"),  # NULL
    _Row(LOOP,                      0,  4, 0, 0, "loop"),
    _Row(109,                       0, 12, 0, 0, "loop"),  # ENC
    _Row(12,                    UNSET,  0, 0, 0, "raw"),  # RAW
    _Row(SLIP,                  UNSET, 16, 0, 0, "raw"),
    _Row(SLIP_BSDOS,            UNSET, 24, 0, 0, "raw"),
    _Row(228,                   UNSET,  0, 0, 0, "ipv4"),  # IPV4
    _Row(229,                   UNSET,  0, 0, 0, "ipv6"),  # IPV6
    _Row(ARCNET,                    2,  6, 0, 0, "arcnet"),
    _Row(ARCNET_LINUX,              4,  8, 0, 0, "arcnet"),
    _Row(114,                   UNSET,  0, 0, 0, "ltalk"),  # LTALK
    _Row(FRELAY,                UNSET,  0, 0, 0, "frelay"),
    _Row(PFLOG,                     0,  0, 0, 0, "pflog"),
    _Row(IPNET,                     1, 24, 0, UNSET, "ipnet"),
    _Row(BACNET_MS_TP,          UNSET, UNSET, UNSET, UNSET, "bacnet"),
    _Row(137,                       4,  4, 0, 10, "juniper"),  # JUNIPER_ATM1
    _Row(135,                       8,  8, 0, 10, "juniper"),  # JUNIPER_ATM2
    *(_Row(dlt, 4, 4, 0, UNSET, "juniper") for dlt in (130, 131, 134, 179, 180, 181)),
    _Row(133,                       6, 12, 0, UNSET, "juniper"),  # JUNIPER_GGSN
    _Row(164,                      12, 12, 0, UNSET, "juniper"),  # JUNIPER_MONITOR
    _Row(168,                       4,  6, 0, UNSET, "juniper"),  # JUNIPER_PPPOE_ATM
    _Row(167,                      16, 14, 18, 21, "juniper"),  # JUNIPER_PPPOE
    _Row(178,                      16, 14, 18, 21, "juniper"),  # JUNIPER_ETHER
    _Row(132,                       6, UNSET, UNSET, UNSET, "juniper"),  # JUNIPER_ES
    _Row(136,                      12, UNSET, UNSET, UNSET, "juniper"),  # JUNIPER_SERVICES
    _Row(183,                      18, UNSET, UNSET, UNSET, "juniper"),  # JUNIPER_VP
    _Row(200,                      18, UNSET, UNSET, UNSET, "juniper"),  # JUNIPER_ST
    *(_Row(dlt, 8, UNSET, UNSET, UNSET, "juniper") for dlt in (194, 232, 233, 234, 238)),
    _Row(182,                   UNSET,  0, 4, 0, "none"),  # MFR
    _Row(246,                   UNSET,  4, 0, 0, "none"),  # PFSYNC
)
# fmt: on
_ROW_BY_DLT: Final = {row.dlt: row for row in _ROWS}

_OTHERS: Final = frozenset({2, 3, 4, 5, 32, *range(104, 304)})
"""The link types without a row: expressions cannot refer to the protocols of their packets."""

MEASURED_LINK: Final = frozenset({PRISM, RADIOTAP, AVS, PPI})
"""The link types in whose packets a header of variable length precedes the link header."""
MEASURED_PAYLOAD: Final = WIRELESS | {PFLOG}
"""The link types whose link header has a variable length."""


def is_supported(dlt: int) -> bool:
    """Return whether there are filter expressions for a link type, apart from the empty one."""
    return dlt in _ROW_BY_DLT or dlt in _OTHERS


def initial_headers(dlt: int) -> Headers:
    """Return the positions of the headers in packets of a link type, before any encapsulation."""
    row = _ROW_BY_DLT.get(dlt, _Row(dlt, UNSET, UNSET, UNSET, UNSET, "none"))
    return Headers(
        link_type=dlt,
        outer=dlt,
        is_inner=False,
        family=row.family,
        link=Offset(row.link, "link header" if dlt in MEASURED_LINK else None),
        type_field=Offset(row.type_field),
        payload=Offset(row.payload, "payload" if dlt in MEASURED_PAYLOAD else None),
        network=row.network,
        plain_network=row.plain_network,
        labels=0,
    )
