"""The words of the expression language, with a sentence about each: the contents of docs/reference/expressions."""

from __future__ import annotations

from typing import Final, NamedTuple


class Word(NamedTuple):
    """A word of the language in its canonical spelling.

    Args:
        word: The word.
        meaning: Its meaning, as sentences.
        example: An expression that contains the word.
        link_type: The link type of the packets in the example.
    """

    word: str
    meaning: str
    example: str
    link_type: str = "EN10MB"


class Group(NamedTuple):
    """Related words, which are a section of a page.

    Args:
        title: The heading.
        words: The words, in the order of the page.
    """

    title: str
    words: tuple[Word, ...]


def _isis(word: str, packets: str) -> Word:
    return Word(word, f"{packets} of IS-IS, by the type in the header of the packet.", word)


PROTOCOLS: Final = (
    Group(
        "IP and the protocols beside it",
        (
            Word("ip", "The payload of the link layer is IPv4.", "ip"),
            Word("ip6", "The payload of the link layer is IPv6.", "ip6"),
            Word("arp", "The payload is ARP.", "arp"),
            Word("rarp", "The payload is Reverse ARP.", "rarp"),
        ),
    ),
    Group(
        "Protocols above IP",
        (
            Word(
                "tcp",
                "TCP over IPv4, or over IPv6 directly after its header or after one fragment header. Other extension "
                "headers of IPv6 are not followed. Later fragments match, too.",
                "tcp",
            ),
            Word("udp", "UDP, over IPv4 or IPv6; the rules are those of [tcp](#tcp).", "udp"),
            Word("sctp", "SCTP, over IPv4 or IPv6; the rules are those of [tcp](#tcp).", "sctp"),
            Word("icmp", "ICMP over IPv4. For IPv6, write [icmp6](#icmp6).", "icmp"),
            Word("icmp6", "ICMPv6, directly after the IPv6 header or after one fragment header.", "icmp6"),
            Word("igmp", "IGMP over IPv4.", "igmp"),
            Word("igrp", "Cisco's IGRP over IPv4 (protocol 9).", "igrp"),
            Word("pim", "Protocol Independent Multicast, over IPv4 or IPv6.", "pim"),
            Word("vrrp", "VRRP over IPv4 (protocol 112).", "vrrp"),
            Word(
                "carp", "CARP of OpenBSD over IPv4. It has the number of [vrrp](#vrrp), and so the same code.", "carp"
            ),
            Word("ah", "The authentication header of IPsec, over IPv4 or IPv6.", "ah"),
            Word("esp", "The encapsulating security payload of IPsec, over IPv4 or IPv6.", "esp"),
        ),
    ),
    Group(
        "Protocols by number",
        (
            Word(
                "proto",
                "A protocol by its number or name: above IP (`proto 47`, `ip proto 47`, `ip6 proto 47`), of the link "
                "layer (`ether proto 0x88cc`), of OSI (`iso proto`) or a type of IS-IS (`isis proto`). A name that is "
                "a keyword needs a backslash: `ip proto \\tcp`.",
                "ip proto 47",
            ),
            Word(
                "protochain",
                "A protocol above IP after any extension headers. libpcap's code is a loop; cbpf's follows eight "
                "headers, with a warning.",
                "ip protochain 6",
            ),
        ),
    ),
    Group(
        "Other network protocols",
        (
            Word("atalk", "AppleTalk, as EtherType or in a SNAP header.", "atalk"),
            Word("aarp", "AppleTalk's ARP, as EtherType or in a SNAP header.", "aarp"),
            Word("decnet", "DECnet phase IV. Its addresses have the form area.node: `decnet host 10.123`.", "decnet"),
            Word("lat", "DEC's LAT.", "lat"),
            Word("sca", "DEC's SCA.", "sca"),
            Word("mopdl", "DEC's MOP, dump and load.", "mopdl"),
            Word("moprc", "DEC's MOP, remote console.", "moprc"),
            Word("ipx", "IPX, in any of the encapsulations of Novell.", "ipx"),
            Word("netbeui", "NetBEUI, by the service access points of its LLC header.", "netbeui"),
            Word("stp", "The spanning tree protocol, by the service access point of its LLC header.", "stp"),
        ),
    ),
    Group(
        "OSI and IS-IS",
        (
            Word("iso", "OSI, by the service access points of the LLC header.", "iso"),
            Word("clnp", "The connectionless network protocol of OSI.", "clnp"),
            Word("esis", "The ES-IS routing protocol of OSI.", "esis"),
            Word("isis", "The IS-IS routing protocol of OSI.", "isis"),
            _isis("l1", "Packets of level 1"),
            _isis("l2", "Packets of level 2"),
            _isis("iih", "Hello packets"),
            _isis("lsp", "Link state packets"),
            _isis("snp", "Sequence number packets, complete and partial ones,"),
            _isis("csnp", "Complete sequence number packets"),
            _isis("psnp", "Partial sequence number packets"),
        ),
    ),
)

ADDRESSES: Final = (
    Group(
        "Addresses",
        (
            Word(
                "host",
                "The source or the destination is an address: IPv4 (in IPv4, ARP or RARP), IPv6, a host name, or after "
                "`ether` a MAC address. It is the default kind: `src 192.0.2.1` is `src host 192.0.2.1`.",
                "host 192.0.2.1",
            ),
            Word(
                "net",
                "The source or the destination is in a network, `A.B.C.D/N` or `address/N` of IPv6, or a name of "
                "networks(5). Bits outside the mask must be 0.",
                "net 192.0.2.0/24",
            ),
            Word(
                "mask",
                "The network before it has this mask, which may have gaps; IPv4 only.",
                "net 10.0.0.0 mask 255.0.0.255",
            ),
            Word(
                "gateway",
                "The Ethernet address of a packet is that of the host, and its IPv4 addresses are not: packets that "
                "the host forwards. The name must be known for both addresses.",
                "gateway router.example",
            ),
        ),
    ),
    Group(
        "Ports",
        (
            Word(
                "port",
                "The source or the destination port of SCTP, TCP or UDP. Only packets whose transport header directly "
                "follows the IP header match, and only the first fragment.",
                "tcp port 80",
            ),
            Word(
                "portrange",
                "The source or the destination port is in a range, one word: `8000-8080`.",
                "tcp dst portrange 8000-8080",
            ),
        ),
    ),
    Group(
        "Directions",
        (
            Word(
                "src",
                "The source only; `src and dst` requires both, `src or dst` is the default.",
                "src host 192.0.2.1",
            ),
            Word("dst", "The destination only.", "dst port 53"),
            Word("addr1", "The first address of an IEEE 802.11 frame.", "wlan addr1 02:00:00:00:00:01", "IEEE802_11"),
            Word(
                "addr2", "The second address of a frame, if it has one.", "wlan addr2 02:00:00:00:00:01", "IEEE802_11"
            ),
            Word("addr3", "The third address of a frame, if it has one.", "wlan addr3 02:00:00:00:00:01", "IEEE802_11"),
            Word(
                "addr4",
                "The fourth address of a frame between two access points.",
                "wlan addr4 02:00:00:00:00:01",
                "IEEE802_11",
            ),
            Word("ra", "The address of the receiver of a data frame.", "wlan ra 02:00:00:00:00:01", "IEEE802_11"),
            Word("ta", "The address of the transmitter of a data frame.", "wlan ta 02:00:00:00:00:01", "IEEE802_11"),
        ),
    ),
    Group(
        "Many receivers",
        (
            Word(
                "broadcast",
                "The frame is for all stations; `ip broadcast` compares the host part of the IPv4 destination, for "
                "which the netmask must be given (`--netmask`).",
                "ether broadcast",
            ),
            Word(
                "multicast",
                "The frame is for a group of stations or for all; `ip multicast` and `ip6 multicast` test the network "
                "layer's destination.",
                "ip6 multicast",
            ),
        ),
    ),
)

HEADERS: Final = (
    Group(
        "VLAN, MPLS and PPPoE",
        (
            Word(
                "vlan",
                "The frame has a VLAN tag (EtherType 0x8100, 0x88a8 or 0x9100), with this number if there is one. All "
                "tests after it look 4 bytes further. With `live=True`, the tag may also be [in the "
                "metadata](../../how-to/packet-metadata.md#3-find-vlan-packets).",
                "vlan 5 and ip",
            ),
            Word(
                "mpls",
                "The packet has an MPLS label, with this number if there is one. All tests after it refer to the "
                "packet after the label, of which only IPv4 and IPv6 are recognised, and the protocols above them.",
                "mpls 1024 and ip",
            ),
            Word("pppoed", "A PPPoE discovery packet.", "pppoed"),
            Word(
                "pppoes",
                "A PPPoE session packet, of this session if there is a number. All tests after it refer to the PPP "
                "packet inside.",
                "pppoes 17 and ip",
            ),
        ),
    ),
    Group(
        "Tunnels over UDP",
        (
            Word(
                "geneve",
                "A Geneve packet (UDP port 6081), of this virtual network if there is a number. All tests after it "
                "refer to the packet inside, whose place is undefined if the packet is not Geneve.",
                "geneve 7 and arp",
            ),
            Word(
                "vxlan",
                "A VXLAN packet (UDP port 4789), of this virtual network if there is a number. All tests after it "
                "refer to the frame inside, whose place is undefined if the packet is not VXLAN. New in libpcap 1.11.",
                "vxlan 7 and arp",
            ),
        ),
    ),
    Group(
        "Ethernet over ATM",
        (
            Word(
                "lane",
                "An Ethernet frame of LAN emulation. All tests after it refer to the frame.",
                "lane and ip",
                "SUNATM",
            ),
        ),
    ),
)

VALUES: Final = (
    Group(
        "Bytes",
        (
            Word(
                "link",
                "As a value: `ether[I:N]` is the number in N bytes (1, 2 or 4; by default 1) at offset I of the link "
                "header. As a qualifier: the addresses (`ether host`) and protocols (`ether proto`) of the link layer. "
                "`ip[I:N]` and so on count from the header of that protocol, and are not true for other packets.",
                "ether[12:2] = 0x0800",
            ),
            Word(
                "radio",
                "As a value only: `radio[I:N]` counts from the start of the radio header.",
                "radio[0] = 0",
                "IEEE802_11_RADIO",
            ),
            Word(
                "byte",
                "Compare the byte at an offset of the link header with a number: `=`, `<`, `>`; `&` and `|` are true "
                "if the result is not 0.",
                "byte 0 & 1",
            ),
        ),
    ),
    Group(
        "Lengths",
        (
            Word("len", "As a value: the length of the packet on the wire.", "len > 100"),
            Word("less", "The length on the wire is at most this number.", "less 64"),
            Word("greater", "The length on the wire is at least this number.", "greater 1500"),
        ),
    ),
    Group(
        "Junctions",
        (
            Word("and", "Both conditions; the second is tested only if the first is true. Also `&&`.", "ip and udp"),
            Word(
                "or",
                "One of two conditions; the second is tested only if the first is false. Also `||`.",
                "arp or rarp",
            ),
            Word("not", "The opposite of one condition or parenthesis. Also `!`.", "not arp"),
        ),
    ),
)
