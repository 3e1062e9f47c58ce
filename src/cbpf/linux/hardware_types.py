"""The link types of the frames that packet sockets receive, by the hardware type of the interface.

A hardware type has no entry if its frames have link-layer headers of several kinds, or of none that has a link type. A
socket of type SOCK_DGRAM receives the packets of such an interface too.

Sources: linux/if_arp.h; libpcap pcap-linux.c (map_arphrd_to_dlt). Tests compare the table with libpcap. It has no
entries for 519 and 769, whose frames begin with the IP header.
"""

from .._typing import Final

LINK_TYPES: Final = {
    0: "EN10MB",  # no interface
    1: "EN10MB",  # ARPHRD_ETHER
    2: "EN3MB",  # ARPHRD_EETHER
    3: "AX25_KISS",  # ARPHRD_AX25
    4: "PRONET",  # ARPHRD_PRONET
    5: "CHAOS",  # ARPHRD_CHAOS
    6: "IEEE802",  # ARPHRD_IEEE802
    7: "ARCNET_LINUX",  # ARPHRD_ARCNET
    15: "RAW",  # ARPHRD_DLCI
    18: "IP_OVER_FC",  # RFC 4338
    23: "EN10MB",  # ARPHRD_METRICOM
    256: "RAW",  # ARPHRD_SLIP
    257: "RAW",  # ARPHRD_CSLIP
    258: "RAW",  # ARPHRD_SLIP6
    259: "RAW",  # ARPHRD_CSLIP6
    264: "RAW",  # ARPHRD_ADAPT
    280: "CAN_SOCKETCAN",  # ARPHRD_CAN
    513: "C_HDLC",  # ARPHRD_CISCO
    518: "RAW",  # ARPHRD_RAWHDLC
    519: "RAW",  # ARPHRD_RAWIP
    768: "RAW",  # ARPHRD_TUNNEL
    769: "RAW",  # ARPHRD_TUNNEL6
    770: "FRELAY",  # ARPHRD_FRAD
    772: "EN10MB",  # ARPHRD_LOOPBACK
    773: "LTALK",  # ARPHRD_LOCALTLK
    774: "FDDI",  # ARPHRD_FDDI
    776: "RAW",  # ARPHRD_SIT
    784: "FC_2",  # ARPHRD_FCPP
    785: "FC_2",  # ARPHRD_FCAL
    786: "FC_2",  # ARPHRD_FCPL
    787: "FC_2",  # ARPHRD_FCFABRIC
    800: "IEEE802",  # ARPHRD_IEEE802_TR
    801: "IEEE802_11",  # ARPHRD_IEEE80211
    802: "PRISM_HEADER",  # ARPHRD_IEEE80211_PRISM
    803: "IEEE802_11_RADIO",  # ARPHRD_IEEE80211_RADIOTAP
    804: "IEEE802_15_4_NOFCS",  # ARPHRD_IEEE802154
    826: "VSOCK",  # ARPHRD_VSOCKMON
    65534: "RAW",  # ARPHRD_NONE, as of a tun device
}
