"""The reserved words of the expression language (pcap-filter(7), libpcap 1.10.6), as data.

`KEYWORDS` maps each spelling to its canonical word, so synonyms such as `ether` and `wlan` are equal to the parser.
"""

from .._typing import Final


def words(text: str) -> list[str]:
    """Return the words of a text."""
    return text.split()


PROTOCOLS: Final = frozenset(
    words(
        "link ip ip6 arp rarp tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp radio atalk aarp "
        "decnet lat sca moprc mopdl iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui"
    )
)
"""The words that may precede qualifiers (`tcp port 80`), and are primitives alone."""

DIRECTIONS: Final = frozenset(words("src dst addr1 addr2 addr3 addr4 ra ta"))
KINDS: Final = frozenset(words("host net port portrange"))
UNDIRECTED_KINDS: Final = frozenset(words("proto protochain gateway"))
QUALIFIERS: Final = DIRECTIONS | KINDS | UNDIRECTED_KINDS
"""The words that precede an identifier: the direction, and the kind of the identifier."""

FLAGS: Final = frozenset(
    words(
        "inbound outbound pppoed lane metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic connectmsg "
        "metaconnect fisu lssu msu hfisu hlssu hmsu"
    )
)
"""The primitives that consist of one word."""

NUMBERED: Final = frozenset(words("vlan mpls pppoes geneve vxlan"))
"""The primitives with an optional number."""

FIELDS: Final = frozenset(words("vpi vci sio opc dpc sls hsio hopc hdpc hsls"))
"""The primitives with a number, a comparison or a list of numbers."""

ARGUMENTS: Final = {
    "less": ("number",),
    "greater": ("number",),
    "ifindex": ("number",),
    "rnr": ("number",),
    "srnr": ("number",),
    "ifname": ("name",),
    "rset": ("name",),
    "action": ("name",),
    "reason": ("number", "name"),
}
"""The primitives with one argument, and the kinds of that argument."""

WLAN: Final = {"type": ("number", "name"), "subtype": ("name",), "dir": ("number", "name")}
"""The primitives of 802.11, which a protocol may precede; a subtype after a type may be a number as well."""

OTHERS: Final = frozenset(words("and or not len mask byte broadcast multicast llc"))

_SYNONYMS: Final = {
    **dict.fromkeys(words("ether ppp slip fddi tr wlan"), "link"),
    **{f"address{number}": f"addr{number}" for number in range(1, 5)},
    "es-is": "esis",
    "is-is": "isis",
    "direction": "dir",
    "length": "len",
    "on": "ifname",
    "ruleset": "rset",
    "rulenum": "rnr",
    "subrulenum": "srnr",
    "lsu": "lssu",
}

KEYWORDS: Final[dict[str, str]] = {
    **{
        word: word
        for words in (PROTOCOLS, QUALIFIERS, FLAGS, NUMBERED, FIELDS, ARGUMENTS, WLAN, OTHERS)
        for word in words
    },
    **_SYNONYMS,
}
"""The reserved words with their canonical spelling."""


def _numbered(prefix: str, names: str) -> dict[str, int]:
    """Return the numbers of names in the notation "name=number ..."."""
    pairs = (entry.split("=") for entry in names.split())
    return {prefix + name: int(number) for name, number in pairs}


NAMED_NUMBERS: Final[dict[str, int]] = {
    **_numbered("", "icmptype=0 icmpcode=1 icmp6type=0 icmp6code=1 tcpflags=13"),
    **_numbered("tcp-", "fin=1 syn=2 rst=4 push=8 ack=16 urg=32 ece=64 cwr=128"),
    **_numbered(
        "icmp-",
        "echoreply=0 unreach=3 sourcequench=4 redirect=5 echo=8 routeradvert=9 routersolicit=10 timxceed=11"
        " paramprob=12 tstamp=13 tstampreply=14 ireq=15 ireqreply=16 maskreq=17 maskreply=18",
    ),
    **_numbered(
        "icmp6-",
        "destinationunreach=1 packettoobig=2 timeexceeded=3 parameterproblem=4 echo=128 echoreply=129"
        " multicastlistenerquery=130 multicastlistenerreportv1=131 multicastlistenerdone=132 routersolicit=133"
        " routeradvert=134 neighborsolicit=135 neighboradvert=136 redirect=137 routerrenum=138"
        " nodeinformationquery=139 nodeinformationresponse=140 ineighbordiscoverysolicit=141"
        " ineighbordiscoveryadvert=142 multicastlistenerreportv2=143 homeagentdiscoveryrequest=144"
        " homeagentdiscoveryreply=145 mobileprefixsolicit=146 mobileprefixadvert=147 certpathsolicit=148"
        " certpathadvert=149 multicastrouteradvert=151 multicastroutersolicit=152 multicastrouterterm=153",
    ),
}
"""The names of numbers, which may appear wherever a number may."""
