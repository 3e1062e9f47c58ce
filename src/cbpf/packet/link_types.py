"""Link types: the format of a packet's first bytes, one row of a table for each.

A DLT_ number is an argument of libpcap's compiler; a LINKTYPE_ number is the value in a capture file. They differ for
the five oldest types whose DLT_ numbers vary between operating systems. The numbers, names and lengths are those of
libpcap on Linux. Sources: https://www.tcpdump.org/linktypes.html, libpcap pcap-common.c (max_snaplen_for_dlt).
"""

from functools import cache
from typing import Final, NamedTuple

from .._validators import within
from ..errors import FieldError


class LinkType(NamedTuple):
    """A link type, such as Ethernet or Linux cooked capture.

    Args:
        name: Name without a DLT_ or LINKTYPE_ prefix, in capitals: "EN10MB". A type without a name is called by its
            number in decimal.
        dlt: libpcap's DLT_ number, as in savefiles of filter programs.
        linktype: LINKTYPE_ number, as in capture files.
    """

    name: str
    dlt: int
    linktype: int

    @property
    def max_packet_length(self) -> int:
        """The maximum captured length of a packet in a file, in bytes: 262,144 except for three types."""
        row = _rows_by_dlt().get(self.dlt)
        return _MAX_PACKET_LENGTH if row is None else row.max_packet_length


_MAX_PACKET_LENGTH: Final = 262_144  # MAXIMUM_SNAPLEN in libpcap pcap-int.h


class _Row(NamedTuple):
    """A link type, its further names, and the maximum captured length in bytes that libpcap reads from a file."""

    name: str
    dlt: int
    linktype: int
    aliases: tuple[str, ...] = ()
    max_packet_length: int = _MAX_PACKET_LENGTH


# fmt: off
_TABLE: Final = (
    #    name                         DLT_ LINKTYPE_
    _Row("NULL",                         0,   0),
    _Row("EN10MB",                       1,   1, aliases=("ETHERNET",)),
    _Row("EN3MB",                        2,   2),
    _Row("AX25",                         3,   3),
    _Row("PRONET",                       4,   4),
    _Row("CHAOS",                        5,   5),
    _Row("IEEE802",                      6,   6),
    _Row("ARCNET",                       7,   7),
    _Row("SLIP",                         8,   8),
    _Row("PPP",                          9,   9),
    _Row("FDDI",                        10,  10),
    _Row("ATM_RFC1483",                 11, 100),
    _Row("RAW",                         12, 101),
    _Row("SLIP_BSDOS",                  15, 102),
    _Row("PPP_BSDOS",                   16, 103),
    _Row("ATM_CLIP",                    19, 106),
    _Row("PPP_SERIAL",                  50,  50),
    _Row("PPP_ETHER",                   51,  51),
    _Row("SYMANTEC_FIREWALL",           99,  99),
    _Row("C_HDLC",                     104, 104, aliases=("CHDLC",)),
    _Row("IEEE802_11",                 105, 105),
    _Row("FRELAY",                     107, 107),
    _Row("LOOP",                       108, 108),
    _Row("ENC",                        109, 109),
    _Row("LINUX_SLL",                  113, 113, aliases=("LINUX_COOKED",)),
    _Row("LTALK",                      114, 114),
    _Row("ECONET",                     115, 115),
    _Row("IPFILTER",                   116, 116),
    _Row("PFLOG",                      117, 117),
    _Row("CISCO_IOS",                  118, 118),
    _Row("PRISM_HEADER",               119, 119),
    _Row("AIRONET_HEADER",             120, 120),
    _Row("HHDLC",                      121, 121),
    _Row("IP_OVER_FC",                 122, 122),
    _Row("SUNATM",                     123, 123),
    _Row("RIO",                        124, 124),
    _Row("PCI_EXP",                    125, 125),
    _Row("AURORA",                     126, 126),
    _Row("IEEE802_11_RADIO",           127, 127),
    _Row("TZSP",                       128, 128),
    _Row("ARCNET_LINUX",               129, 129),
    _Row("JUNIPER_MLPPP",              130, 130),
    _Row("JUNIPER_MLFR",               131, 131),
    _Row("JUNIPER_ES",                 132, 132),
    _Row("JUNIPER_GGSN",               133, 133),
    _Row("JUNIPER_MFR",                134, 134),
    _Row("JUNIPER_ATM2",               135, 135),
    _Row("JUNIPER_SERVICES",           136, 136),
    _Row("JUNIPER_ATM1",               137, 137),
    _Row("APPLE_IP_OVER_IEEE1394",     138, 138),
    _Row("MTP2_WITH_PHDR",             139, 139),
    _Row("MTP2",                       140, 140),
    _Row("MTP3",                       141, 141),
    _Row("SCCP",                       142, 142),
    _Row("DOCSIS",                     143, 143),
    _Row("LINUX_IRDA",                 144, 144),
    _Row("USER0",                      147, 147),
    _Row("USER1",                      148, 148),
    _Row("USER2",                      149, 149),
    _Row("USER3",                      150, 150),
    _Row("USER4",                      151, 151),
    _Row("USER5",                      152, 152),
    _Row("USER6",                      153, 153),
    _Row("USER7",                      154, 154),
    _Row("USER8",                      155, 155),
    _Row("USER9",                      156, 156),
    _Row("USER10",                     157, 157),
    _Row("USER11",                     158, 158),
    _Row("USER12",                     159, 159),
    _Row("USER13",                     160, 160),
    _Row("USER14",                     161, 161),
    _Row("USER15",                     162, 162),
    _Row("IEEE802_11_RADIO_AVS",       163, 163),
    _Row("JUNIPER_MONITOR",            164, 164),
    _Row("BACNET_MS_TP",               165, 165),
    _Row("PPP_PPPD",                   166, 166),
    _Row("JUNIPER_PPPOE",              167, 167),
    _Row("JUNIPER_PPPOE_ATM",          168, 168),
    _Row("GPRS_LLC",                   169, 169),
    _Row("GPF_T",                      170, 170),
    _Row("GPF_F",                      171, 171),
    _Row("JUNIPER_PIC_PEER",           174, 174),
    _Row("ERF_ETH",                    175, 175),
    _Row("ERF_POS",                    176, 176),
    _Row("LINUX_LAPD",                 177, 177),
    _Row("JUNIPER_ETHER",              178, 178),
    _Row("JUNIPER_PPP",                179, 179),
    _Row("JUNIPER_FRELAY",             180, 180),
    _Row("JUNIPER_CHDLC",              181, 181),
    _Row("MFR",                        182, 182),
    _Row("JUNIPER_VP",                 183, 183),
    _Row("A429",                       184, 184),
    _Row("A653_ICM",                   185, 185),
    _Row("USB_FREEBSD",                186, 186),
    _Row("BLUETOOTH_HCI_H4",           187, 187),
    _Row("IEEE802_16_MAC_CPS",         188, 188),
    _Row("USB_LINUX",                  189, 189),
    _Row("CAN20B",                     190, 190),
    _Row("IEEE802_15_4_LINUX",         191, 191),
    _Row("PPI",                        192, 192),
    _Row("IEEE802_16_MAC_CPS_RADIO",   193, 193),
    _Row("JUNIPER_ISM",                194, 194),
    _Row("IEEE802_15_4",               195, 195),
    _Row("SITA",                       196, 196),
    _Row("ERF",                        197, 197),
    _Row("RAIF1",                      198, 198),
    _Row("IPMB_KONTRON",               199, 199),
    _Row("JUNIPER_ST",                 200, 200),
    _Row("BLUETOOTH_HCI_H4_WITH_PHDR", 201, 201),
    _Row("AX25_KISS",                  202, 202),
    _Row("IPMB_LINUX",                 209, 209),
    _Row("IEEE802_15_4_NONASK_PHY",    215, 215),
    _Row("LINUX_EVDEV",                216, 216),
    _Row("MPLS",                       219, 219),
    _Row("USB_LINUX_MMAPPED",          220, 220),
    _Row("DECT",                       221, 221),
    _Row("AOS",                        222, 222),
    _Row("WIHART",                     223, 223),
    _Row("FC_2",                       224, 224),
    _Row("FC_2_WITH_FRAME_DELIMS",     225, 225),
    _Row("IPNET",                      226, 226),
    _Row("CAN_SOCKETCAN",              227, 227),
    _Row("IPV4",                       228, 228),
    _Row("IPV6",                       229, 229),
    _Row("IEEE802_15_4_NOFCS",         230, 230),
    _Row("DBUS",                       231, 231, max_packet_length=134_217_728),
    _Row("JUNIPER_VS",                 232, 232),
    _Row("JUNIPER_SRX_E2E",            233, 233),
    _Row("JUNIPER_FIBRECHANNEL",       234, 234),
    _Row("DVB_CI",                     235, 235),
    _Row("MUX27010",                   236, 236),
    _Row("STANAG_5066_D_PDU",          237, 237),
    _Row("JUNIPER_ATM_CEMIC",          238, 238),
    _Row("NFLOG",                      239, 239),
    _Row("NETANALYZER",                240, 240),
    _Row("NETANALYZER_TRANSPARENT",    241, 241),
    _Row("IPOIB",                      242, 242),
    _Row("MPEG_2_TS",                  243, 243),
    _Row("NG40",                       244, 244),
    _Row("NFC_LLCP",                   245, 245),
    _Row("PFSYNC",                     246, 246),
    _Row("INFINIBAND",                 247, 247),
    _Row("SCTP",                       248, 248),
    _Row("USBPCAP",                    249, 249, max_packet_length=1_048_576),
    _Row("RTAC_SERIAL",                250, 250),
    _Row("BLUETOOTH_LE_LL",            251, 251),
    _Row("NETLINK",                    253, 253),
    _Row("BLUETOOTH_LINUX_MONITOR",    254, 254),
    _Row("BLUETOOTH_BREDR_BB",         255, 255),
    _Row("BLUETOOTH_LE_LL_WITH_PHDR",  256, 256),
    _Row("PROFIBUS_DL",                257, 257),
    _Row("PKTAP",                      258, 258),
    _Row("EPON",                       259, 259),
    _Row("IPMI_HPM_2",                 260, 260),
    _Row("ZWAVE_R1_R2",                261, 261),
    _Row("ZWAVE_R3",                   262, 262),
    _Row("WATTSTOPPER_DLM",            263, 263),
    _Row("ISO_14443",                  264, 264),
    _Row("RDS",                        265, 265),
    _Row("USB_DARWIN",                 266, 266),
    _Row("OPENFLOW",                   267, 267),
    _Row("SDLC",                       268, 268),
    _Row("TI_LLN_SNIFFER",             269, 269),
    _Row("VSOCK",                      271, 271),
    _Row("NORDIC_BLE",                 272, 272),
    _Row("DOCSIS31_XRA31",             273, 273),
    _Row("ETHERNET_MPACKET",           274, 274),
    _Row("DISPLAYPORT_AUX",            275, 275),
    _Row("LINUX_SLL2",                 276, 276),
    _Row("OPENVIZSLA",                 278, 278),
    _Row("EBHSCR",                     279, 279, max_packet_length=8_388_608),
    _Row("VPP_DISPATCH",               280, 280),
    _Row("DSA_TAG_BRCM",               281, 281),
    _Row("DSA_TAG_BRCM_PREPEND",       282, 282),
    _Row("IEEE802_15_4_TAP",           283, 283),
    _Row("DSA_TAG_DSA",                284, 284),
    _Row("DSA_TAG_EDSA",               285, 285),
    _Row("ELEE",                       286, 286),
    _Row("Z_WAVE_SERIAL",              287, 287),
    _Row("USB_2_0",                    288, 288),
    _Row("ATSC_ALP",                   289, 289),
)
# fmt: on


@cache
def link_types() -> tuple[LinkType, ...]:
    """Return all link types that have a name, in the order of their DLT_ numbers."""
    return tuple(LinkType(row.name, row.dlt, row.linktype) for row in _TABLE)


def link_type(value: str | int | LinkType) -> LinkType:
    """Return the link type of a name or a LINKTYPE_ number.

    Args:
        value: A name in any case, with or without the prefix DLT_ or LINKTYPE_; a LINKTYPE_ number from 0 to 0x3FFFFFF,
            as an integer or in decimal digits; or a link type, which is returned. The numbers 11, 12, 15, 16 and 19 are
            taken as DLT_ numbers, which old files contain in place of LINKTYPE_ numbers.

    Returns:
        The link type. For a number without a name, a link type with the number as its name.

    Raises:
        FieldError: The name is unknown, or the number is out of range.

    >>> link_type("en10mb"), link_type(101)
    (LinkType(name='EN10MB', dlt=1, linktype=1), LinkType(name='RAW', dlt=12, linktype=101))
    """
    if isinstance(value, LinkType):
        return value
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 10):
        return _find_by_name(value)
    number = _check_linktype("link type", int(value) if isinstance(value, str) else value)
    return _link_types_by_number().get(number) or LinkType(str(number), number, number)


def link_type_by_dlt(dlt: int) -> LinkType:
    """Return the link type of a DLT_ number; a type without a name is called by its number."""
    row = _rows_by_dlt().get(dlt)
    return LinkType(str(dlt), dlt, dlt) if row is None else LinkType(row.name, row.dlt, row.linktype)


_check_linktype: Final = within(0, 0x03FF_FFFF, "a LINKTYPE_ number")


@cache
def _rows_by_dlt() -> dict[int, _Row]:
    return {row.dlt: row for row in _TABLE}


@cache
def _link_types_by_number() -> dict[int, LinkType]:
    """Return the link types by LINKTYPE_ number, and by each DLT_ number that old files contain instead."""
    named = link_types()
    return {each.dlt: each for each in named if each.dlt != each.linktype} | {each.linktype: each for each in named}


@cache
def _link_types_by_name() -> dict[str, LinkType]:
    return {name: kind for row, kind in zip(_TABLE, link_types(), strict=True) for name in (row.name, *row.aliases)}


def _find_by_name(text: str) -> LinkType:
    name = text.upper().removeprefix("DLT_").removeprefix("LINKTYPE_")
    kind = _link_types_by_name().get(name)
    if kind is None:
        raise FieldError(f"link type: {text!r} is unknown; names are those of tcpdump.org/linktypes, such as EN10MB")
    return kind
