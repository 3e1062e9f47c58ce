"""Link types: the format of a packet's first bytes, one row of a table for each.

A DLT_ number is an argument of libpcap's compiler; a LINKTYPE_ number is the value in a capture file. They differ for
five old types, whose DLT_ numbers vary between operating systems. The numbers, names and lengths are those of
libpcap on Linux. Sources: https://www.tcpdump.org/linktypes.html, libpcap pcap/dlt.h and pcap-common.c (LINKTYPE_,
max_snaplen_for_dlt).
"""

from .._named_tuple import NamedTuple
from .._stdlib import cache
from .._typing import Final
from .._validators import within
from ..errors import FieldError
from .host_order import (
    ENC_ORDER,
    NFLOG_ORDER,
    NULL_ORDER,
    PFLOG_ORDER,
    SLL2_ORDER,
    SLL_ORDER,
    UNKNOWN_ORDER,
    USB_MMAPPED_ORDER,
    USB_ORDER,
    HostOrder,
)


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

    @property
    def host_order(self) -> HostOrder | None:
        """The part of the packets that is in the byte order of the capturing host, or None if there is none."""
        row = _rows_by_dlt().get(self.dlt)
        return None if row is None else row.host_order


_MAX_PACKET_LENGTH: Final = 262_144  # MAXIMUM_SNAPLEN in libpcap pcap-int.h


class _LinkTypeRow(NamedTuple):
    """A link type, its further names, the maximum captured length in bytes that libpcap reads, and host byte order."""

    name: str
    dlt: int
    linktype: int
    aliases: tuple[str, ...] = ()
    max_packet_length: int = _MAX_PACKET_LENGTH
    host_order: HostOrder | None = None


# fmt: off
_TABLE: Final = (
    #            name                         DLT_ LINKTYPE_
    _LinkTypeRow("NULL",                         0,   0, host_order=NULL_ORDER),
    _LinkTypeRow("EN10MB",                       1,   1, aliases=("ETHERNET",)),
    _LinkTypeRow("EN3MB",                        2,   2, aliases=("EXP_ETHERNET",)),
    _LinkTypeRow("AX25",                         3,   3),
    _LinkTypeRow("PRONET",                       4,   4),
    _LinkTypeRow("CHAOS",                        5,   5),
    _LinkTypeRow("IEEE802",                      6,   6, aliases=("IEEE802_5",)),
    _LinkTypeRow("ARCNET",                       7,   7, aliases=("ARCNET_BSD",)),
    _LinkTypeRow("SLIP",                         8,   8),
    _LinkTypeRow("PPP",                          9,   9),
    _LinkTypeRow("FDDI",                        10,  10),
    _LinkTypeRow("ATM_RFC1483",                 11, 100),
    _LinkTypeRow("RAW",                         12, 101),
    _LinkTypeRow("SLIP_BSDOS",                  15, 102),
    _LinkTypeRow("PPP_BSDOS",                   16, 103),
    _LinkTypeRow("ATM_CLIP",                    19, 106),
    _LinkTypeRow("REDBACK_SMARTEDGE",           32,  32),
    _LinkTypeRow("PPP_SERIAL",                  50,  50, aliases=("PPP_HDLC",)),
    _LinkTypeRow("PPP_ETHER",                   51,  51),
    _LinkTypeRow("SYMANTEC_FIREWALL",           99,  99),
    _LinkTypeRow("C_HDLC",                     104, 104, aliases=("CHDLC",)),
    _LinkTypeRow("IEEE802_11",                 105, 105),
    _LinkTypeRow("FRELAY",                     107, 107),
    _LinkTypeRow("LOOP",                       108, 108),
    _LinkTypeRow("ENC",                        109, 109, host_order=ENC_ORDER),
    _LinkTypeRow("LANE8023",                   110, 110),
    _LinkTypeRow("HIPPI",                      111, 111),
    _LinkTypeRow("HDLC",                       112, 112, aliases=("NETBSD_HDLC",)),
    _LinkTypeRow("LINUX_SLL",                  113, 113, aliases=("LINUX_COOKED",), host_order=SLL_ORDER),
    _LinkTypeRow("LTALK",                      114, 114),
    _LinkTypeRow("ECONET",                     115, 115),
    _LinkTypeRow("IPFILTER",                   116, 116),
    _LinkTypeRow("PFLOG",                      117, 117, host_order=PFLOG_ORDER),
    _LinkTypeRow("CISCO_IOS",                  118, 118),
    _LinkTypeRow("PRISM_HEADER",               119, 119, aliases=("IEEE802_11_PRISM",), host_order=UNKNOWN_ORDER),
    _LinkTypeRow("AIRONET_HEADER",             120, 120, aliases=("IEEE802_11_AIRONET",)),
    _LinkTypeRow("HHDLC",                      121, 121),
    _LinkTypeRow("IP_OVER_FC",                 122, 122),
    _LinkTypeRow("SUNATM",                     123, 123),
    _LinkTypeRow("RIO",                        124, 124),
    _LinkTypeRow("PCI_EXP",                    125, 125),
    _LinkTypeRow("AURORA",                     126, 126),
    _LinkTypeRow("IEEE802_11_RADIO",           127, 127, aliases=("IEEE802_11_RADIOTAP",)),
    _LinkTypeRow("TZSP",                       128, 128),
    _LinkTypeRow("ARCNET_LINUX",               129, 129),
    _LinkTypeRow("JUNIPER_MLPPP",              130, 130),
    _LinkTypeRow("JUNIPER_MLFR",               131, 131),
    _LinkTypeRow("JUNIPER_ES",                 132, 132),
    _LinkTypeRow("JUNIPER_GGSN",               133, 133),
    _LinkTypeRow("JUNIPER_MFR",                134, 134),
    _LinkTypeRow("JUNIPER_ATM2",               135, 135),
    _LinkTypeRow("JUNIPER_SERVICES",           136, 136),
    _LinkTypeRow("JUNIPER_ATM1",               137, 137),
    _LinkTypeRow("APPLE_IP_OVER_IEEE1394",     138, 138),
    _LinkTypeRow("MTP2_WITH_PHDR",             139, 139),
    _LinkTypeRow("MTP2",                       140, 140),
    _LinkTypeRow("MTP3",                       141, 141),
    _LinkTypeRow("SCCP",                       142, 142),
    _LinkTypeRow("DOCSIS",                     143, 143),
    _LinkTypeRow("LINUX_IRDA",                 144, 144),
    _LinkTypeRow("IBM_SP",                     145, 145),
    _LinkTypeRow("IBM_SN",                     146, 146),
    _LinkTypeRow("USER0",                      147, 147),
    _LinkTypeRow("USER1",                      148, 148),
    _LinkTypeRow("USER2",                      149, 149),
    _LinkTypeRow("USER3",                      150, 150),
    _LinkTypeRow("USER4",                      151, 151),
    _LinkTypeRow("USER5",                      152, 152),
    _LinkTypeRow("USER6",                      153, 153),
    _LinkTypeRow("USER7",                      154, 154),
    _LinkTypeRow("USER8",                      155, 155),
    _LinkTypeRow("USER9",                      156, 156),
    _LinkTypeRow("USER10",                     157, 157),
    _LinkTypeRow("USER11",                     158, 158),
    _LinkTypeRow("USER12",                     159, 159),
    _LinkTypeRow("USER13",                     160, 160),
    _LinkTypeRow("USER14",                     161, 161),
    _LinkTypeRow("USER15",                     162, 162),
    _LinkTypeRow("IEEE802_11_RADIO_AVS",       163, 163, aliases=("IEEE802_11_AVS",)),
    _LinkTypeRow("JUNIPER_MONITOR",            164, 164),
    _LinkTypeRow("BACNET_MS_TP",               165, 165),
    _LinkTypeRow("PPP_PPPD",                   166, 166),
    _LinkTypeRow("JUNIPER_PPPOE",              167, 167),
    _LinkTypeRow("JUNIPER_PPPOE_ATM",          168, 168),
    _LinkTypeRow("GPRS_LLC",                   169, 169),
    _LinkTypeRow("GPF_T",                      170, 170),
    _LinkTypeRow("GPF_F",                      171, 171),
    _LinkTypeRow("GCOM_T1E1",                  172, 172),
    _LinkTypeRow("GCOM_SERIAL",                173, 173),
    _LinkTypeRow("JUNIPER_PIC_PEER",           174, 174),
    _LinkTypeRow("ERF_ETH",                    175, 175),
    _LinkTypeRow("ERF_POS",                    176, 176),
    _LinkTypeRow("LINUX_LAPD",                 177, 177),
    _LinkTypeRow("JUNIPER_ETHER",              178, 178),
    _LinkTypeRow("JUNIPER_PPP",                179, 179),
    _LinkTypeRow("JUNIPER_FRELAY",             180, 180),
    _LinkTypeRow("JUNIPER_CHDLC",              181, 181),
    _LinkTypeRow("MFR",                        182, 182),
    _LinkTypeRow("JUNIPER_VP",                 183, 183),
    _LinkTypeRow("A429",                       184, 184),
    _LinkTypeRow("A653_ICM",                   185, 185),
    _LinkTypeRow("USB_FREEBSD",                186, 186, aliases=("USB",)),
    _LinkTypeRow("BLUETOOTH_HCI_H4",           187, 187),
    _LinkTypeRow("IEEE802_16_MAC_CPS",         188, 188),
    _LinkTypeRow("USB_LINUX",                  189, 189, host_order=USB_ORDER),
    _LinkTypeRow("CAN20B",                     190, 190),
    _LinkTypeRow("IEEE802_15_4_LINUX",         191, 191),
    _LinkTypeRow("PPI",                        192, 192),
    _LinkTypeRow("IEEE802_16_MAC_CPS_RADIO",   193, 193),
    _LinkTypeRow("JUNIPER_ISM",                194, 194),
    _LinkTypeRow("IEEE802_15_4",               195, 195, aliases=("IEEE802_15_4_WITHFCS",)),
    _LinkTypeRow("SITA",                       196, 196),
    _LinkTypeRow("ERF",                        197, 197),
    _LinkTypeRow("RAIF1",                      198, 198),
    _LinkTypeRow("IPMB_KONTRON",               199, 199),
    _LinkTypeRow("JUNIPER_ST",                 200, 200),
    _LinkTypeRow("BLUETOOTH_HCI_H4_WITH_PHDR", 201, 201),
    _LinkTypeRow("AX25_KISS",                  202, 202),
    _LinkTypeRow("LAPD",                       203, 203),
    _LinkTypeRow("PPP_WITH_DIR",               204, 204),
    _LinkTypeRow("C_HDLC_WITH_DIR",            205, 205),
    _LinkTypeRow("FRELAY_WITH_DIR",            206, 206),
    _LinkTypeRow("LAPB_WITH_DIR",              207, 207),
    _LinkTypeRow("IPMB_LINUX",                 209, 209, aliases=("I2C_LINUX",)),
    _LinkTypeRow("FLEXRAY",                    210, 210),
    _LinkTypeRow("MOST",                       211, 211),
    _LinkTypeRow("LIN",                        212, 212),
    _LinkTypeRow("X2E_SERIAL",                 213, 213),
    _LinkTypeRow("X2E_XORAYA",                 214, 214),
    _LinkTypeRow("IEEE802_15_4_NONASK_PHY",    215, 215),
    _LinkTypeRow("LINUX_EVDEV",                216, 216, host_order=UNKNOWN_ORDER),
    _LinkTypeRow("GSMTAP_UM",                  217, 217),
    _LinkTypeRow("GSMTAP_ABIS",                218, 218),
    _LinkTypeRow("MPLS",                       219, 219),
    _LinkTypeRow("USB_LINUX_MMAPPED",          220, 220, host_order=USB_MMAPPED_ORDER),
    _LinkTypeRow("DECT",                       221, 221),
    _LinkTypeRow("AOS",                        222, 222),
    _LinkTypeRow("WIHART",                     223, 223),
    _LinkTypeRow("FC_2",                       224, 224),
    _LinkTypeRow("FC_2_WITH_FRAME_DELIMS",     225, 225),
    _LinkTypeRow("IPNET",                      226, 226),
    _LinkTypeRow("CAN_SOCKETCAN",              227, 227),
    _LinkTypeRow("IPV4",                       228, 228),
    _LinkTypeRow("IPV6",                       229, 229),
    _LinkTypeRow("IEEE802_15_4_NOFCS",         230, 230),
    _LinkTypeRow("DBUS",                       231, 231, max_packet_length=134_217_728),
    _LinkTypeRow("JUNIPER_VS",                 232, 232),
    _LinkTypeRow("JUNIPER_SRX_E2E",            233, 233),
    _LinkTypeRow("JUNIPER_FIBRECHANNEL",       234, 234),
    _LinkTypeRow("DVB_CI",                     235, 235),
    _LinkTypeRow("MUX27010",                   236, 236),
    _LinkTypeRow("STANAG_5066_D_PDU",          237, 237),
    _LinkTypeRow("JUNIPER_ATM_CEMIC",          238, 238),
    _LinkTypeRow("NFLOG",                      239, 239, host_order=NFLOG_ORDER),
    _LinkTypeRow("NETANALYZER",                240, 240),
    _LinkTypeRow("NETANALYZER_TRANSPARENT",    241, 241),
    _LinkTypeRow("IPOIB",                      242, 242),
    _LinkTypeRow("MPEG_2_TS",                  243, 243),
    _LinkTypeRow("NG40",                       244, 244),
    _LinkTypeRow("NFC_LLCP",                   245, 245),
    _LinkTypeRow("PFSYNC",                     246, 246),
    _LinkTypeRow("INFINIBAND",                 247, 247),
    _LinkTypeRow("SCTP",                       248, 248),
    _LinkTypeRow("USBPCAP",                    249, 249, max_packet_length=1_048_576),
    _LinkTypeRow("RTAC_SERIAL",                250, 250),
    _LinkTypeRow("BLUETOOTH_LE_LL",            251, 251),
    _LinkTypeRow("WIRESHARK_UPPER_PDU",        252, 252),
    _LinkTypeRow("NETLINK",                    253, 253, host_order=UNKNOWN_ORDER),
    _LinkTypeRow("BLUETOOTH_LINUX_MONITOR",    254, 254),
    _LinkTypeRow("BLUETOOTH_BREDR_BB",         255, 255),
    _LinkTypeRow("BLUETOOTH_LE_LL_WITH_PHDR",  256, 256),
    _LinkTypeRow("PROFIBUS_DL",                257, 257),
    _LinkTypeRow("PKTAP",                      258, 258),
    _LinkTypeRow("EPON",                       259, 259),
    _LinkTypeRow("IPMI_HPM_2",                 260, 260),
    _LinkTypeRow("ZWAVE_R1_R2",                261, 261),
    _LinkTypeRow("ZWAVE_R3",                   262, 262),
    _LinkTypeRow("WATTSTOPPER_DLM",            263, 263),
    _LinkTypeRow("ISO_14443",                  264, 264),
    _LinkTypeRow("RDS",                        265, 265),
    _LinkTypeRow("USB_DARWIN",                 266, 266),
    _LinkTypeRow("OPENFLOW",                   267, 267),
    _LinkTypeRow("SDLC",                       268, 268),
    _LinkTypeRow("TI_LLN_SNIFFER",             269, 269),
    _LinkTypeRow("LORATAP",                    270, 270),
    _LinkTypeRow("VSOCK",                      271, 271),
    _LinkTypeRow("NORDIC_BLE",                 272, 272),
    _LinkTypeRow("DOCSIS31_XRA31",             273, 273),
    _LinkTypeRow("ETHERNET_MPACKET",           274, 274),
    _LinkTypeRow("DISPLAYPORT_AUX",            275, 275),
    _LinkTypeRow("LINUX_SLL2",                 276, 276, host_order=SLL2_ORDER),
    _LinkTypeRow("SERCOS_MONITOR",             277, 277),
    _LinkTypeRow("OPENVIZSLA",                 278, 278),
    _LinkTypeRow("EBHSCR",                     279, 279, max_packet_length=8_388_608),
    _LinkTypeRow("VPP_DISPATCH",               280, 280),
    _LinkTypeRow("DSA_TAG_BRCM",               281, 281),
    _LinkTypeRow("DSA_TAG_BRCM_PREPEND",       282, 282),
    _LinkTypeRow("IEEE802_15_4_TAP",           283, 283),
    _LinkTypeRow("DSA_TAG_DSA",                284, 284),
    _LinkTypeRow("DSA_TAG_EDSA",               285, 285),
    _LinkTypeRow("ELEE",                       286, 286),
    _LinkTypeRow("Z_WAVE_SERIAL",              287, 287),
    _LinkTypeRow("USB_2_0",                    288, 288),
    _LinkTypeRow("ATSC_ALP",                   289, 289),
    _LinkTypeRow("ETW",                        290, 290),
    _LinkTypeRow("NETANALYZER_NG",             291, 291),
    _LinkTypeRow("ZBOSS_NCP",                  292, 292),
    _LinkTypeRow("USB_2_0_LOW_SPEED",          293, 293),
    _LinkTypeRow("USB_2_0_FULL_SPEED",         294, 294),
    _LinkTypeRow("USB_2_0_HIGH_SPEED",         295, 295),
    _LinkTypeRow("AUERSWALD_LOG",              296, 296),
    _LinkTypeRow("ZWAVE_TAP",                  297, 297),
    _LinkTypeRow("SILABS_DEBUG_CHANNEL",       298, 298),
    _LinkTypeRow("FIRA_UCI",                   299, 299),
    _LinkTypeRow("MDB",                        300, 300),
    _LinkTypeRow("DECT_NR",                    301, 301),
    _LinkTypeRow("EDK2_MM",                    302, 302),
    _LinkTypeRow("DEBUG_ONLY",                 303, 303),
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
def _rows_by_dlt() -> dict[int, _LinkTypeRow]:
    return {row.dlt: row for row in _TABLE}


@cache
def _link_types_by_number() -> dict[int, LinkType]:
    """Return the link types by LINKTYPE_ number, and by each DLT_ number that old files contain instead."""
    named = link_types()
    return {kind.dlt: kind for kind in named if kind.dlt != kind.linktype} | {kind.linktype: kind for kind in named}


@cache
def _link_types_by_name() -> dict[str, LinkType]:
    return {name: kind for row, kind in zip(_TABLE, link_types(), strict=True) for name in (row.name, *row.aliases)}


def _find_by_name(text: str) -> LinkType:
    name = text.upper().removeprefix("DLT_").removeprefix("LINKTYPE_")
    kind = _link_types_by_name().get(name)
    if kind is None:
        raise FieldError(f"link type: {text!r} is unknown; names are those of tcpdump.org/linktypes, such as EN10MB")
    return kind
