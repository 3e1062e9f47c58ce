"""Link types: what the first bytes of a packet are. Names, DLT_ and LINKTYPE_ numbers in one table.

A DLT_ number is what libpcap's compiler takes, a LINKTYPE_ number what stands in a capture file; they differ
for a handful of old types. Source: https://www.tcpdump.org/linktypes.html, libpcap pcap-common.c.
"""

from functools import cache
from typing import Final, NamedTuple

from .._validators import within
from ..errors import FieldError

# DLT_ number and name, as libpcap knows them on Linux.
_NAMES: Final = """
    0:NULL 1:EN10MB 2:EN3MB 3:AX25 4:PRONET 5:CHAOS 6:IEEE802 7:ARCNET 8:SLIP 9:PPP 10:FDDI
    11:ATM_RFC1483 12:RAW 15:SLIP_BSDOS 16:PPP_BSDOS 19:ATM_CLIP 50:PPP_SERIAL 51:PPP_ETHER
    99:SYMANTEC_FIREWALL 104:C_HDLC 105:IEEE802_11 107:FRELAY 108:LOOP 109:ENC 113:LINUX_SLL 114:LTALK
    115:ECONET 116:IPFILTER 117:PFLOG 118:CISCO_IOS 119:PRISM_HEADER 120:AIRONET_HEADER 121:HHDLC
    122:IP_OVER_FC 123:SUNATM 124:RIO 125:PCI_EXP 126:AURORA 127:IEEE802_11_RADIO 128:TZSP
    129:ARCNET_LINUX 130:JUNIPER_MLPPP 131:JUNIPER_MLFR 132:JUNIPER_ES 133:JUNIPER_GGSN 134:JUNIPER_MFR
    135:JUNIPER_ATM2 136:JUNIPER_SERVICES 137:JUNIPER_ATM1 138:APPLE_IP_OVER_IEEE1394 139:MTP2_WITH_PHDR
    140:MTP2 141:MTP3 142:SCCP 143:DOCSIS 144:LINUX_IRDA 147:USER0 148:USER1 149:USER2 150:USER3
    151:USER4 152:USER5 153:USER6 154:USER7 155:USER8 156:USER9 157:USER10 158:USER11 159:USER12
    160:USER13 161:USER14 162:USER15 163:IEEE802_11_RADIO_AVS 164:JUNIPER_MONITOR 165:BACNET_MS_TP
    166:PPP_PPPD 167:JUNIPER_PPPOE 168:JUNIPER_PPPOE_ATM 169:GPRS_LLC 170:GPF_T 171:GPF_F
    174:JUNIPER_PIC_PEER 175:ERF_ETH 176:ERF_POS 177:LINUX_LAPD 178:JUNIPER_ETHER 179:JUNIPER_PPP
    180:JUNIPER_FRELAY 181:JUNIPER_CHDLC 182:MFR 183:JUNIPER_VP 184:A429 185:A653_ICM 186:USB_FREEBSD
    187:BLUETOOTH_HCI_H4 188:IEEE802_16_MAC_CPS 189:USB_LINUX 190:CAN20B 191:IEEE802_15_4_LINUX 192:PPI
    193:IEEE802_16_MAC_CPS_RADIO 194:JUNIPER_ISM 195:IEEE802_15_4 196:SITA 197:ERF 198:RAIF1
    199:IPMB_KONTRON 200:JUNIPER_ST 201:BLUETOOTH_HCI_H4_WITH_PHDR 202:AX25_KISS 209:IPMB_LINUX
    215:IEEE802_15_4_NONASK_PHY 216:LINUX_EVDEV 219:MPLS 220:USB_LINUX_MMAPPED 221:DECT 222:AOS
    223:WIHART 224:FC_2 225:FC_2_WITH_FRAME_DELIMS 226:IPNET 227:CAN_SOCKETCAN 228:IPV4 229:IPV6
    230:IEEE802_15_4_NOFCS 231:DBUS 232:JUNIPER_VS 233:JUNIPER_SRX_E2E 234:JUNIPER_FIBRECHANNEL
    235:DVB_CI 236:MUX27010 237:STANAG_5066_D_PDU 238:JUNIPER_ATM_CEMIC 239:NFLOG 240:NETANALYZER
    241:NETANALYZER_TRANSPARENT 242:IPOIB 243:MPEG_2_TS 244:NG40 245:NFC_LLCP 246:PFSYNC 247:INFINIBAND
    248:SCTP 249:USBPCAP 250:RTAC_SERIAL 251:BLUETOOTH_LE_LL 253:NETLINK 254:BLUETOOTH_LINUX_MONITOR
    255:BLUETOOTH_BREDR_BB 256:BLUETOOTH_LE_LL_WITH_PHDR 257:PROFIBUS_DL 258:PKTAP 259:EPON
    260:IPMI_HPM_2 261:ZWAVE_R1_R2 262:ZWAVE_R3 263:WATTSTOPPER_DLM 264:ISO_14443 265:RDS 266:USB_DARWIN
    267:OPENFLOW 268:SDLC 269:TI_LLN_SNIFFER 271:VSOCK 272:NORDIC_BLE 273:DOCSIS31_XRA31
    274:ETHERNET_MPACKET 275:DISPLAYPORT_AUX 276:LINUX_SLL2 278:OPENVIZSLA 279:EBHSCR 280:VPP_DISPATCH
    281:DSA_TAG_BRCM 282:DSA_TAG_BRCM_PREPEND 283:IEEE802_15_4_TAP 284:DSA_TAG_DSA 285:DSA_TAG_EDSA
    286:ELEE 287:Z_WAVE_SERIAL 288:USB_2_0 289:ATSC_ALP
"""

# The DLT_ numbers that are written to files as other LINKTYPE_ numbers.
_LINKTYPES: Final = {11: 100, 12: 101, 15: 102, 16: 103, 19: 106}

_ALIASES: Final = {"ETHERNET": "EN10MB", "CHDLC": "C_HDLC", "LINUX_COOKED": "LINUX_SLL"}

# The longest packet that libpcap reads from a file, by DLT_ number; 262,144 bytes for all others.
_LONGEST: Final = {231: 134_217_728, 249: 1_048_576, 279: 8_388_608}


class LinkType(NamedTuple):
    """A link type: its name without prefix, libpcap's DLT_ number, and the LINKTYPE_ number of files."""

    name: str
    dlt: int
    linktype: int

    @property
    def max_packet_length(self) -> int:
        """The most bytes of a packet that a capture may hold."""
        return _LONGEST.get(self.dlt, 262_144)


@cache
def link_types() -> tuple[LinkType, ...]:
    """All link types that have a name, by DLT_ number."""
    rows = (row.split(":") for row in _NAMES.split())
    return tuple(LinkType(name, int(dlt), _LINKTYPES.get(int(dlt), int(dlt))) for dlt, name in rows)


def link_type(value: str | int | LinkType) -> LinkType:
    """The link type of a name, with or without DLT_ or LINKTYPE_ and in any case, or of a LINKTYPE_ number.

    A number that has no name is a link type of that name. Raises `FieldError` for an unknown name.

    >>> link_type("en10mb"), link_type(101)
    (LinkType(name='EN10MB', dlt=1, linktype=1), LinkType(name='RAW', dlt=12, linktype=101))
    """
    if isinstance(value, LinkType):
        return value
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 10):
        return _by_name(value)
    number = _check_linktype("link type", int(value) if isinstance(value, str) else value)
    return _by_number().get(number) or LinkType(str(number), number, number)


def link_type_by_dlt(dlt: int) -> LinkType:
    """The link type of a DLT_ number; one without a name is named by its number."""
    for one in link_types():
        if one.dlt == dlt:
            return one
    return LinkType(str(dlt), dlt, dlt)


_check_linktype: Final = within(0, 0x03FF_FFFF, "a LINKTYPE_ number")


@cache
def _by_number() -> dict[int, LinkType]:
    """By LINKTYPE_ number, and by those DLT_ numbers that old files hold in its place."""
    named = link_types()
    return {one.dlt: one for one in named if one.dlt != one.linktype} | {one.linktype: one for one in named}


def _by_name(text: str) -> LinkType:
    name = text.upper().removeprefix("DLT_").removeprefix("LINKTYPE_")
    name = _ALIASES.get(name, name)
    for one in link_types():
        if one.name == name:
            return one
    raise FieldError(f"link type: {text!r} is unknown; names are those of tcpdump.org/linktypes, such as EN10MB")
