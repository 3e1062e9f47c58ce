"""Words and characters that people write in filter expressions by mistake, with their replacements, as data."""

from ..._typing import Final
from ..vocabulary import words

QUOTATION_MARKS: Final = frozenset(
    "\"'`\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u2032\u2033\u2035\u00b4\u02b9\u00ab\u00bb\uff02\uff07"
)
"""Quotation marks, and the marks that word processors put in their place."""

CHARACTERS: Final = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u200c\u200d\u200e\u200f\u2060\ufeff\u00ad", ""),
    "\u200b": " ",
    "\\": "",
    "\u2260": "!=",
    "\u2264": "<=",
    "\u2265": ">=",
    "\u00d7": "*",
    "\u00f7": "/",
    "\u2044": "/",
    "\u2215": "/",
    "\u2227": "and",
    "\u2228": "or",
    "\u00ac": "not",
    "\u22c0": "and",
    "\u22c1": "or",
    "\u2192": "and",
}
"""Characters with the text to write instead; an empty text removes the character."""

CHARACTER_RULES: Final = {"$": "the shell replaces a variable within double quotes only"}
"""Characters with the rule that explains how they came into the text."""

ENTITIES: Final = r"&(?:amp|lt|gt|quot|apos|nbsp|ne|le|ge|ndash|mdash|[lr][sd]quo|#[0-9]{1,6}|#[xX][0-9A-Fa-f]{1,5});"
"""HTML entities, as a pattern."""

OPERATORS: Final = {
    "===": "==",
    "!==": "!=",
    "=!": "!=",
    "<>": "!=",
    "=<": "<=",
    "=>": ">=",
    "~=": "!=",
    "=~": "=",
    ":=": "=",
    "!=!": "!=",
    "&&&": "&&",
    "|||": "||",
    "=!=": "!=",
    "====": "==",
    ">==": ">=",
    "<==": "<=",
}
"""Sequences that are not operators, with the operator."""

COMPARISONS: Final = {"eq": "=", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "is": "=", "equals": "="}

COMMANDS: Final = frozenset(words("tcpdump tshark dumpcap windump sudo cbpf wireshark ngrep editcap termshark"))
SHELL_COMMANDS: Final = frozenset(words("awk cut grep head less more sed sort tail tee uniq wc"))
"""Commands that often follow a command in a pipe."""

OPTIONS_WITH_VALUE: Final = "BcCEFGijmMPQrsTVwWyYzZ"
"""The letters of the options that take a value in the next word, as in tcpdump(8)."""

SYNONYMS: Final = {
    **dict.fromkeys(words("source from"), "src"),
    **dict.fromkeys(words("dest destination target to"), "dst"),
    **dict.fromkeys(words("sport sports srcport src-port src_port source-port sourceport"), "src port"),
    **dict.fromkeys(words("dport dports dstport dst-port dst_port dest-port destport destination-port"), "dst port"),
    **dict.fromkeys(words("saddr srcip src-ip src_ip src-host srchost srcaddr"), "src host"),
    **dict.fromkeys(words("daddr dstip dst-ip dst_ip dst-host dsthost dstaddr destip"), "dst host"),
    **dict.fromkeys(words("srcnet src-net"), "src net"),
    **dict.fromkeys(words("dstnet dst-net"), "dst net"),
    **dict.fromkeys(words("mac macaddr hwaddr mac-address ether-host lladdr"), "ether host"),
    **dict.fromkeys(words("addr address hostname ipaddr ip-address hosts"), "host"),
    **dict.fromkeys(words("subnet network cidr prefix nets"), "net"),
    **dict.fromkeys(words("ports prt"), "port"),
    **dict.fromkeys(words("range port-range ports-range port_range"), "portrange"),
    **dict.fromkeys(words("protocol ipproto ip-proto"), "proto"),
    **dict.fromkeys(words("ethertype ether-type ethtype"), "ether proto"),
    **dict.fromkeys(words("ipv6 ip_6 inet6"), "ip6"),
    **dict.fromkeys(words("ipv4 ip4 inet"), "ip"),
    **dict.fromkeys(words("icmpv6 ipv6-icmp"), "icmp6"),
    **dict.fromkeys(words("icmpv4 icmp4"), "icmp"),
    **dict.fromkeys(words("eth ethernet"), "ether"),
    **dict.fromkeys(words("wifi wireless 802.11"), "wlan"),
    **dict.fromkeys(words("dot1q 802.1q 8021q qinq vlan-id vlanid"), "vlan"),
    **{f"{protocol}6": f"ip6 and {protocol}" for protocol in ("tcp", "udp", "sctp")},
    **{f"{protocol}4": f"ip and {protocol}" for protocol in ("tcp", "udp", "sctp")},
    **{f"{protocol}v6": f"ip6 and {protocol}" for protocol in ("tcp", "udp")},
    "smaller": "less",
    "bigger": "greater",
    "larger": "greater",
    "framelen": "len",
    "size": "len",
    "bcast": "broadcast",
    "mcast": "multicast",
    "incoming": "inbound",
    "outgoing": "outbound",
    "tcp-psh": "tcp-push",
    "tcp-reset": "tcp-rst",
    "tcpflag": "tcpflags",
    "tcp-flags": "tcp[tcpflags]",
    "ping": "icmp[icmptype] = icmp-echo or icmp[icmptype] = icmp-echoreply",
    "pppoe": "pppoes",
}
"""Words that are not in the language, with the words to write instead."""

PROTOCOL_TESTS: Final = {
    "dns": "port 53",
    "http": "tcp port 80",
    "https": "tcp port 443",
    "tls": "tcp port 443",
    "ssl": "tcp port 443",
    "http2": "tcp port 443",
    "quic": "udp port 443",
    "http3": "udp port 443",
    "ssh": "tcp port 22",
    "ftp": "tcp port 21",
    "ftp-data": "tcp port 20",
    "telnet": "tcp port 23",
    "smtp": "tcp port 25",
    "dhcp": "udp portrange 67-68",
    "bootp": "udp portrange 67-68",
    "dhcpv6": "udp portrange 546-547",
    "tftp": "udp port 69",
    "pop": "tcp port 110",
    "pop3": "tcp port 110",
    "imap": "tcp port 143",
    "ntp": "udp port 123",
    "snmp": "udp portrange 161-162",
    "bgp": "tcp port 179",
    "ldap": "tcp port 389",
    "smb": "tcp port 445",
    "smb2": "tcp port 445",
    "cifs": "tcp port 445",
    "syslog": "udp port 514",
    "nbns": "udp port 137",
    "netbios": "portrange 137-139",
    "kerberos": "port 88",
    "rip": "udp port 520",
    "mdns": "udp port 5353",
    "llmnr": "udp port 5355",
    "ssdp": "udp port 1900",
    "stun": "udp port 3478",
    "sip": "port 5060",
    "rtsp": "tcp port 554",
    "rdp": "tcp port 3389",
    "vnc": "tcp port 5900",
    "mysql": "tcp port 3306",
    "postgres": "tcp port 5432",
    "pgsql": "tcp port 5432",
    "redis": "tcp port 6379",
    "mqtt": "tcp port 1883",
    "amqp": "tcp port 5672",
    "nfs": "port 2049",
    "rsync": "tcp port 873",
    "radius": "udp portrange 1812-1813",
    "tacacs": "tcp port 49",
    "isakmp": "udp port 500",
    "ike": "udp port 500",
    "ipsec": "esp or ah or udp port 500",
    "l2tp": "udp port 1701",
    "pptp": "tcp port 1723",
    "bfd": "udp port 3784",
    "openvpn": "udp port 1194",
    "wireguard": "udp port 51820",
    "wg": "udp port 51820",
    "hsrp": "udp port 1985",
    "gtp": "udp port 2152",
    "gtpu": "udp port 2152",
    "gtp-u": "udp port 2152",
    "gtpc": "udp port 2123",
    "gtp-c": "udp port 2123",
    "lwapp": "udp port 12222",
    "capwap": "udp portrange 5246-5247",
    "netflow": "udp port 2055",
    "ipfix": "udp port 4739",
    "sflow": "udp port 6343",
    "rpc": "port 111",
    "coap": "udp port 5683",
    "dnp3": "port 20000",
    "modbus": "tcp port 502",
    "bacnet": "udp port 47808",
    "gre": "proto 47",
    "nvgre": "proto 47",
    "erspan": "proto 47 and ip[22:2] = 0x88be",
    "ospf": "ip proto 89",
    "eigrp": "ip proto 88",
    "ipip": "ip proto 4",
    "6in4": "ip proto 41",
    "sit": "ip proto 41",
    "rsvp": "ip proto 46",
    "dccp": "proto 33",
    "udplite": "proto 136",
    "ipcomp": "proto 108",
    "lldp": "ether proto 0x88cc",
    "eapol": "ether proto 0x888e",
    "802.1x": "ether proto 0x888e",
    "dot1x": "ether proto 0x888e",
    "ptp": "ether proto 0x88f7 or udp portrange 319-320",
    "macsec": "ether proto 0x88e5",
    "lacp": "ether proto 0x8809",
    "cdp": "ether host 01:00:0c:cc:cc:cc",
    "profinet": "ether proto 0x8892",
    "goose": "ether proto 0x88b8",
    "fcoe": "ether proto 0x8906",
    "roce": "ether proto 0x8915",
    "batadv": "ether proto 0x4305",
    "wol": "ether proto 0x0842",
}
"""Protocols that the language does not know, with the test for their usual port or number."""

NUMBERED_TESTS: Final = {
    "gtp": "udp port 2152 and udp[12:4] = {}",
    "gtpu": "udp port 2152 and udp[12:4] = {}",
    "dscp": "ip[1] >> 2 = {}",
    "tos": "ip[1] = {}",
    "ttl": "ip[8] = {}",
}
"""Words with a number after them, with the test for that number in IPv4 packets."""

SERVICES: Final = {
    name: test.split("port ")[1]
    for name, test in PROTOCOL_TESTS.items()
    if test.startswith(("port ", "tcp port ", "udp port ")) and " or " not in test
}
"""The usual port of a protocol."""

TCP_FLAGS: Final = {
    **{name: f"tcp-{name}" for name in ("syn", "ack", "fin", "rst", "push", "urg", "ece", "cwr")},
    "psh": "tcp-push",
    "reset": "tcp-rst",
    "ecn": "tcp-ece",
}

HEADER_FIELDS: Final = {
    ("ip", "version"): "ip[0] >> 4",
    ("ip", "ihl"): "ip[0] & 0xf",
    ("ip", "tos"): "ip[1]",
    ("ip", "dsfield"): "ip[1]",
    ("ip", "dscp"): "ip[1] >> 2",
    ("ip", "ecn"): "ip[1] & 3",
    ("ip", "len"): "ip[2:2]",
    ("ip", "id"): "ip[4:2]",
    ("ip", "ttl"): "ip[8]",
    ("ip", "frag"): "ip[6:2] & 0x3fff",
    ("ip", "fragment"): "ip[6:2] & 0x3fff",
    ("ip", "fragments"): "ip[6:2] & 0x3fff",
    ("ip", "df"): "ip[6] & 0x40",
    ("ip", "mf"): "ip[6] & 0x20",
    ("ip", "proto"): "ip[9]",
    ("ip", "protocol"): "ip[9]",
    ("ip6", "hlim"): "ip6[7]",
    ("ip6", "hoplimit"): "ip6[7]",
    ("ip6", "hop-limit"): "ip6[7]",
    ("ip6", "nexthdr"): "ip6[6]",
    ("tcp", "flags"): "tcp[tcpflags]",
    ("tcp", "flag"): "tcp[tcpflags]",
    ("tcp", "seq"): "tcp[4:4]",
    ("tcp", "window"): "tcp[14:2]",
    ("tcp", "win"): "tcp[14:2]",
    ("udp", "length"): "udp[4:2]",
    ("udp", "len"): "udp[4:2]",
    ("icmp", "type"): "icmp[icmptype]",
    ("icmp", "code"): "icmp[icmpcode]",
    ("icmp6", "type"): "icmp6[icmp6type]",
    ("icmp6", "code"): "icmp6[icmp6code]",
    ("arp", "opcode"): "arp[6:2]",
    ("arp", "op"): "arp[6:2]",
    ("link", "type"): "ether[12:2]",
}
"""The fields of headers by protocol and name."""

HEADER_TESTS: Final = {
    ("icmp", "echo"): "icmp[icmptype] = icmp-echo",
    ("icmp", "request"): "icmp[icmptype] = icmp-echo",
    ("icmp", "reply"): "icmp[icmptype] = icmp-echoreply",
    ("icmp", "echo-request"): "icmp[icmptype] = icmp-echo",
    ("icmp", "echo-reply"): "icmp[icmptype] = icmp-echoreply",
    ("icmp", "unreachable"): "icmp[icmptype] = icmp-unreach",
    ("arp", "request"): "arp[6:2] = 1",
    ("arp", "who-has"): "arp[6:2] = 1",
    ("arp", "reply"): "arp[6:2] = 2",
    ("arp", "is-at"): "arp[6:2] = 2",
    ("ip", "options"): "ip[0] & 0xf > 5",
}
"""Conditions on headers by protocol and name."""

FILLERS: Final = frozenset(
    words("vni id tag label number no. nr address addr with of the packets packet traffic name bytes octets")
)
"""Words that may be left out."""

EVERYTHING: Final = frozenset(words("any all everything true *"))
"""Words for every packet, which an empty expression accepts."""
