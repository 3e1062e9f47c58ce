"""The errors of expressions: place, fact and remedy, and an expression to write instead which can be compiled."""

import pickle
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from support.command_line import TRAFFIC, CommandLine
from support.project import Rounds
from support.random_texts import random_text

DISPLAY_FILTERS: Final = [
    ("ip.addr == 10.0.0.1", 1, "host 10.0.0.1"),
    ("tcp.port == 443", 1, "tcp port 443"),
    ("!(ip.addr == 10.0.0.0/8)", 3, "!(net 10.0.0.0/8)"),
    ("ip.src==10.0.0.1 && tcp.dstport eq 443", 1, "src host 10.0.0.1 && tcp dst port 443"),
    ("ip.addr != 10.0.0.1", 1, "not host 10.0.0.1"),
    ("ipv6.dst == ::1", 1, "ip6 dst host ::1"),
    ("eth.addr == 00:11:22:33:44:55", 1, "ether host 00:11:22:33:44:55"),
    ("udp.port in {53, 5353}", 1, "udp port (53 or 5353)"),
    ("tcp.port >= 1024 and tcp.port < 2000", 1, "tcp portrange 1024-65535 and tcp portrange 0-1999"),
    ("tcp.flags.syn == 1 and !tcp.flags.ack", 1, "tcp[tcpflags] & tcp-syn != 0 and !tcp[tcpflags] & tcp-ack != 0"),
    ("tcp.flags.reset == 0", 1, "tcp[tcpflags] & tcp-rst = 0"),
    ("tcp.flags & 2", 1, "tcp[tcpflags] & 2 != 0"),
    ("frame.len > 100", 1, "len > 100"),
    ("ip.ttl < 5 or vlan.id == 7", 1, "ip[8] < 5 or vlan 7"),
    ("ip and udp.srcport == 53", 8, "ip and udp src port 53"),
    ("host 10.0.0.1 and ip.proto == 17", 19, "host 10.0.0.1 and ip proto 17"),
    ("ip.addr == 10.0.0.1 && dns", 1, "host 10.0.0.1 && port 53"),
    ("ip.addr == 10.0.0.1 and !dhcp and not ssh", 1, "host 10.0.0.1 and !udp portrange 67-68 and not tcp port 22"),
    ("ip.frag_offset > 1480", 1, "(ip[6:2] & 0x1fff) << 3 > 1480"),
]

FIREWALLS_AND_SHELLS: Final = [
    ("tcp --dport 80", 5, "tcp dst port 80"),
    ("--dport 80", 1, "dst port 80"),
    ("-p tcp --dport 80", 1, "tcp dst port 80"),
    ("ip daddr 10.0.0.0/8", 4, "ip dst net 10.0.0.0/8"),
    ("tcp port 80 -w out.pcap", 13, "tcp port 80"),
    ("tcpdump -i eth0 -c 10 port 53 -n", 1, "port 53"),
    (r"\(tcp port 80\)", 1, "(tcp port 80)"),
    ("tcp port 80 \\", 13, "tcp port 80"),
    ("port \uff18\uff10", 6, "port 80"),
    ("tcp/80", 4, "tcp port 80"),
    ("udp:53", 4, "udp port 53"),
    ("port 80/tcp", 8, "tcp port 80"),
    ("port:80", 5, "port 80"),
    ("port http https", 11, "port http or https"),
    ("portrange 80 90", 14, "portrange 80-90"),
    ("tcp, udp", 4, "tcp or udp"),
    ("host [2001:db8::1]:80", 6, "host 2001:db8::1 and port 80"),
    ("host 10.0.0.1/24", 6, "net 10.0.0.0/24"),
    ("src 10.0.0.5/24", 5, "src net 10.0.0.0/24"),
    ("host 192.168.1.*", 6, "net 192.168.1.0/24"),
    ("src net 192.168.x.x", 9, "src net 192.168.0.0/16"),
    ("host 192.168.1.0-255", 6, "net 192.168.1.0/24"),
    ("tcp and host 10.0.0.1-10.0.0.3", 14, "tcp and net (10.0.0.1/32 or 10.0.0.2/31)"),
    ("ip6 src port 80", 1, "ip6 and src port 80"),
    ('tcp[20:4] = "GET "', 13, "tcp[20:4] = 0x47455420"),
    ("tcp[tcpflags] = tcp-syn,tcp-ack", 24, "tcp[tcpflags] = tcp-syn|tcp-ack"),
    ("icmp-echo", 1, "icmp[icmptype] = icmp-echo"),
    ("icmp echo request", 6, "icmp[icmptype] = icmp-echo"),
    ("len > 1500 bytes", 12, "len > 1500"),
    ("tpc port 80", 1, "tcp port 80"),
    ("ip tcp", 4, "ip and tcp"),
    ("tcp udp", 5, "tcp or udp"),
    ("tcp and host 10.0.0.1:80", 22, "tcp and host 10.0.0.1 and port 80"),
    ("not (port 80,443)", 13, "not (port 80 or 443)"),
    ("tcp.port == 443 or dns", 1, "tcp port 443 or port 53"),
    ("udp.port == 53 or ssh", 1, "udp port 53 or tcp port 22"),
    ("tcp.port == {80,443}", 1, "tcp port (80 or 443)"),
    ("port {80,443}", 6, "port (80 or 443)"),
    ("tcp port [80, 443]", 10, "tcp port (80 or 443)"),
    ("portrange { 80-90 100-110 }", 11, "portrange (80-90 or 100-110)"),
    ("ip saddr { 10.0.0.1, 10.0.0.2 }", 4, "ip src host (10.0.0.1 or 10.0.0.2)"),
    ("dport = :22", 1, "dst port 22"),
    ("[2001:db8::1]:443", 1, "host 2001:db8::1 and port 443"),
    ("host 10.0.0.1:http", 14, "host 10.0.0.1 and port http"),
    ("80/tcp", 3, "tcp port 80"),
    ("host 10.0.0.1 dport 80", 15, "host 10.0.0.1 and dst port 80"),
    ("from 10.0.0.1 to 10.0.0.2", 1, "src 10.0.0.1 and dst 10.0.0.2"),
    ("tcp port 80 > out.pcap", 13, "tcp port 80"),
    ("tcp port 80 | head", 13, "tcp port 80"),
    ("tcp port 80 &", 13, "tcp port 80"),
    ("tcp port 80!", 12, "tcp port 80"),
    ("host '10.0.0.1' and port \"80\"", 6, "host 10.0.0.1 and port 80"),
]

NOTHING_TO_SUGGEST: Final = [
    "tcp & udp",
    "tcp > 1000",
    "tcp != 10.0.0.1",
    "vlan 1-5",
    "src or tcp",
    "host 2001:db8:::1",
    "tcp;udp",
    "tcpflags = syn",
    "tcp-syn|tcp-ack",
    "tcp[tcpflags] & (tcp-syn && tcp-ack) != 0",
    "tcp flags syn,ack / syn",
    "-s 10.0.0.1 -d 10.0.0.2",
    "tcp --syn",
    "vlan 5,6",
    "not port 80,443",
    "host 10.0.0.1 and port 80,443",
    "host 10.0.0.1 and port 80 443",
    "not host 10.0.0.1:80",
    "tcp or host 10.0.0.1:80",
    "not ping",
    "not tcp6",
    "not tcp 10.0.0.1",
    "not ip6 src port 80",
    "not tcp host 10.0.0.1",
    "host 10.0.0.1-10.0.1.254",
    "vlan 5-10",
    "icmp6 neighbor",
    "rtp",
    "eth.type == IPv4",
    "tcp.seq == 1",
    "tcp.window_size < 1000",
    "frame.cap_len < 60",
    r"net 10.0.0.0\8",
]
"""Expressions with several possible intentions, or with none that the language can express."""

WORDS: Final = [
    ("dns", 1, "port 53"),
    ("https", 1, "tcp port 443"),
    ("not ssh", 5, "not tcp port 22"),
    ("udp dns", 5, "udp port 53"),
    ("host 10.0.0.1 and http", 19, "host 10.0.0.1 and tcp port 80"),
    ("dhcp", 1, "udp portrange 67-68"),
    ("ipv6", 1, "ip6"),
    ("ipv6 host ::1", 1, "ip6 host ::1"),
    ("tcp6", 1, "ip6 and tcp"),
    ("gre and ip", 1, "proto 47 and ip"),
    ("tcp and not erspan", 13, "tcp and not (proto 47 and ip[22:2] = 0x88be)"),
    ("geneve vni 5", 8, "geneve 5"),
    ("vlan id 5", 6, "vlan 5"),
    ("source host 10.0.0.1", 1, "src host 10.0.0.1"),
    ("dst-port 80", 1, "dst port 80"),
    ("tcp dport 80", 5, "tcp dst port 80"),
    ("dest 10.0.0.1", 1, "dst 10.0.0.1"),
    ("mac 00:11:22:33:44:55", 1, "ether host 00:11:22:33:44:55"),
    ("ether mac 00:11:22:33:44:55", 7, "ether host 00:11:22:33:44:55"),
    ("src mac 00:11:22:33:44:55", 5, "ether src 00:11:22:33:44:55"),
    ("src address 10.0.0.1", 5, "src host 10.0.0.1"),
    ("TCP Port 80", 1, "tcp port 80"),
    ("tcp prot 80", 5, "tcp port 80"),
    ("hots 10.0.0.1", 1, "host 10.0.0.1"),
    ("host 10.0.0.1 and udpp", 19, "host 10.0.0.1 and udp"),
    ("tcp port80", 5, "tcp port 80"),
    ("len-20 > 5", 1, "len - 20 > 5"),
    ("tcp syn", 5, "tcp[tcpflags] & tcp-syn != 0"),
    ("tcp flags syn", 5, "tcp[tcpflags] & tcp-syn != 0"),
    ("syn", 1, "tcp[tcpflags] & tcp-syn != 0"),
    ("tcp-syn", 1, "tcp[tcpflags] & tcp-syn != 0"),
    ("tcp[flags] & 2 != 0", 5, "tcp[tcpflags] & 2 != 0"),
    ("tcp[13] & (syn|ack) != 0", 12, "tcp[13] & (tcp-syn|tcp-ack) != 0"),
    ("tcp[tcpflags] & tcp-psh != 0", 17, "tcp[tcpflags] & tcp-push != 0"),
    ("ip dscp 46", 4, "ip[1] >> 2 = 46"),
    ("ip tos 0xb8", 4, "ip[1] = 0xb8"),
    ("ip ttl < 5", 4, "ip[8] < 5"),
    ("icmp echo", 6, "icmp[icmptype] = icmp-echo"),
    ("icmp type 8", 1, "icmp[icmptype] = 8"),
    ("ether type 0x800", 12, "ether proto 0x800"),
    ("arp request", 5, "arp[6:2] = 1"),
]

STRUCTURE: Final = [
    ("port 80,443", 8, "port 80 or 443"),
    ("host 10.0.0.1, port 80", 14, "host 10.0.0.1 and port 80"),
    ("(tcp port 80", 13, "(tcp port 80)"),
    ("(tcp port 80]", 13, "(tcp port 80)"),
    ("port 80 or 443 or", 18, "port 80 or 443"),
    ("and tcp", 1, "tcp"),
    ("ip and and udp", 8, "ip and udp"),
    ("tcp not port 80", 5, "tcp and not port 80"),
    ("host 10.0.0.1 10.0.0.2", 15, "host 10.0.0.1 or 10.0.0.2"),
    ("src ip 10.0.0.1", 5, "src host 10.0.0.1"),
    ("dst tcp port 80", 5, "tcp dst port 80"),
    ("port tcp 80", 6, "tcp port 80"),
    ("port src 80", 6, "src port 80"),
    ("ether proto ip", 13, "ether proto \\ip"),
    ("port == 80", 6, "port 80"),
    ("port=80", 5, "port 80"),
    ("port != 80", 6, "not port 80"),
    ("src port > 1023", 10, "src portrange 1024-65535"),
    ("portrange 80-", 13, "portrange 80-65535"),
    ("portrange 80 - 90", 11, "portrange 80-90"),
    ("port 80-90", 6, "portrange 80-90"),
    ("ip[8]", 6, "ip[8] != 0"),
    ("tcp[tcpflags] & tcp-syn", 24, "tcp[tcpflags] & tcp-syn != 0"),
    ("tcp[13] & 2 and ip", 13, "tcp[13] & 2 != 0 and ip"),
    ("tcp[13] & (tcp-syn or tcp-ack) != 0", 20, "tcp[13] & (tcp-syn | tcp-ack) != 0"),
    ("tcp | udp", 5, "tcp or udp"),
    ("ip[6:2] & 0x1fff !== 0", 18, "ip[6:2] & 0x1fff != 0"),
    ("ip[6:2] & 0x1fff =! 0", 18, "ip[6:2] & 0x1fff != 0"),
    ("ip[8] eq 5", 7, "ip[8] = 5"),
    ("10.0.0.1", 1, "host 10.0.0.1"),
    ("tcp or 443", 8, "tcp or port 443"),
    ("tcp 80", 5, "tcp port 80"),
    ("udp 10.0.0.0/8", 5, "udp and net 10.0.0.0/8"),
    ("ip 10.0.0.1", 4, "ip host 10.0.0.1"),
    ("net 10/8", 5, "net 10.0.0.0/8"),
    ("host 10.0.0.1:80", 14, "host 10.0.0.1 and port 80"),
    ("host [::1]", 6, "host ::1"),
    ("src or host 10.0.0.1", 8, "src or dst host 10.0.0.1"),
    ("dst and port 53", 9, "dst and src port 53"),
    ("src or 10.0.0.1", 8, "src or dst 10.0.0.1"),
    ("tcp = 80", 5, "tcp port 80"),
    ("ip != 10.0.0.1", 4, "not ip host 10.0.0.1"),
    ("ip == 10.0.0.0/8", 4, "ip net 10.0.0.0/8"),
    ("ip[0] = = 5", 9, "ip[0] = 5"),
    ("len > = 60", 7, "len >= 60"),
    ("proto tcp port 80", 7, "tcp port 80"),
    ("tcp port 80 udp port 53", 13, "tcp port 80 or udp port 53"),
]

TEXTS: Final = [
    ("tcp[13] = 18\u2032", 13, "tcp[13] = 18"),
    ("\u2018tcp port 80\u2019", 1, "tcp port 80"),
    ("'tcp port 80'", 1, "tcp port 80"),
    ("portrange 80\u201390", 11, "portrange 80-90"),
    ("tcp\u00a0port 80", 4, "tcp port 80"),
    ("ip[8] \u2265 5", 7, "ip[8] >= 5"),
    ("\uff08tcp\uff09", 1, "(tcp)"),
    ("tcp[13] &amp; 2 != 0", 9, "tcp[13] & 2 != 0"),
    ("tcp &amp;&amp; len &gt; 5", 5, "tcp && len > 5"),
    ("tcpdump -nni eth0 'tcp port 80'", 1, "tcp port 80"),
    ("tcp port 80 # comment", 13, "tcp port 80"),
    ("tcp port 80;", 12, "tcp port 80"),
    ("tcp p\u00f6rt 80", 6, "tcp port 80"),
    ("\uff54\uff43\uff50 port 80", 1, "tcp port 80"),
]

MEANINGS: Final = [
    ("host 10.0.0.0/8", 6, "net 10.0.0.0/8"),
    ("tcp and net 10.0.0.1/8", 13, "tcp and net 10.0.0.0/8"),
    ("host 00:11:22:33:44:55", 6, "ether host 00:11:22:33:44:55"),
    ("tcp or 00:11:22:33:44:55", 8, "tcp or ether host 00:11:22:33:44:55"),
    ("ether host 10.0.0.1", 12, "host 10.0.0.1"),
    ("ip host ::1", 1, "ip6 host ::1"),
    ("tcp host 10.0.0.1", 1, "tcp and host 10.0.0.1"),
    ("tcp src 80", 1, "tcp src port 80"),
    ("ether proto 800", 13, "ether proto 0x800"),
]


def _error(text: str, **options: Any) -> cbpf.ExpressionError:
    with pytest.raises(cbpf.ExpressionError) as caught:
        cbpf.compile(text, **options)
    return caught.value


@pytest.mark.parametrize(
    ("text", "column", "suggestion"),
    [*DISPLAY_FILTERS, *FIREWALLS_AND_SHELLS, *WORDS, *STRUCTURE, *TEXTS, *MEANINGS],
    ids=lambda value: value,
)
def test_errors_suggest_the_expression_to_write(text: str, column: int, suggestion: str) -> None:
    error = _error(text)
    assert (error.line, error.column, error.suggestion) == (1, column, suggestion)
    assert f'write "{suggestion}"' in error.hint
    more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
    assert str(error) == f"expression {text!r}: column {column}: {error.args[0]}{more}"
    assert cbpf.compile(suggestion, optimizer=None)


@pytest.mark.parametrize("text", NOTHING_TO_SUGGEST)
def test_no_expression_is_suggested_where_the_intention_is_not_certain(text: str) -> None:
    assert _error(text).suggestion == ""


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        (
            "ip.addr == 10.0.0.1",
            1,
            "'ip.addr' is a Wireshark display filter field; in a capture filter write \"host 10.0.0.1\"",
        ),
        ('http.host == "a"', 1, "'http.host' is a Wireshark display filter field; the nearest test is \"tcp port 80\""),
        ("x.y == 1", 1, "'x.y' is a Wireshark display filter field; cbpf knows no capture filter for this test"),
        ("less", 5, "the expression ends here; expected a number"),
        ("less -5", 6, "unexpected '-'; expected a number"),
        ("len >= ", 7, "the expression ends here; expected a number, 'len' or a field such as 'ip[8]'"),
        ("not", 4, "'not' has no operand after it; expected a primitive such as 'tcp' or 'host 192.0.2.1'"),
        ("src or dst port", 16, "the expression ends here; expected a port number or a service name"),
        ("src or tcp", 8, "unexpected 'tcp'; expected 'dst'"),
        (
            "tcp & udp",
            5,
            "'&' joins numbers, not conditions; \"tcp and udp\" would have the same verdict for all packets",
        ),
        ("tcp + udp", 5, "'+' computes with numbers, and a condition is before it; expected 'and', 'or' or the end"),
        ("tcp > 80", 5, "'>' compares numbers, and 'tcp' is a condition"),
        ("ether[12:2] = ip", 15, "'ip' is a protocol, not a number; a byte of its header is a number, such as 'ip[0]'"),
        ("vlan 1-5", 6, "'1-5' is not a number; 'vlan' takes one number, or none"),
        ("geneve x", 8, "'x' is not a number; 'geneve' takes one number, or none"),
        ("host $IP", 6, "'$' is not part of an expression; the shell replaces a variable within double quotes only"),
        (
            'payload contains "x"',
            9,
            "'contains' is not an operator; capture filters cannot search the content of packets",
        ),
        ("ether host 00:11:22:33:44", 12, "'00:11:22:33:44' is not an Ethernet address: six pairs of hex digits"),
        ("host 1::2::3", 6, "'1::2::3' is not an IPv6 address: '::' may appear once"),
        ("tcp \u0442 80", 5, "U+0442 (cyrillic small letter te) is not part of an expression"),
        ("tcp port 80)", 12, "')' has no '(' before it; remove ')', or add '(' before its group"),
        ("tcp[13 & 2 != 0", 12, "'[' at column 4 is not closed; expected ']', ':' or an operator"),
        ("tcp and ()", 9, "the parentheses are empty; expected a primitive such as 'tcp' or 'host 192.0.2.1'"),
        (
            "pppoes and pppoe[0:1] = 7",
            12,
            "'pppoe' is not a protocol whose bytes can be loaded; load from ether, ip, ip6, arp, tcp, udp, sctp, "
            "icmp or icmp6",
        ),
        ("ip @ tcp", 4, "'@' is not part of an expression"),
        ("ip \xa7 tcp", 4, "U+00A7 (section sign) is not part of an expression"),
        (
            "# all",
            1,
            "'#' begins a comment, which is not part of an expression; an empty expression accepts every packet",
        ),
        ("any", 1, "'any' is not a keyword; an empty expression accepts every packet"),
        ("len > 0x10000000000", 7, "number 0x10000000000 does not fit in 32 bits"),
        ("ip[099] = 1", 4, "invalid octal number '099' (a leading 0 means octal)"),
        ("host aa:bb:cc:", 6, "'aa:bb:cc:' is not an Ethernet address: six pairs of hex digits"),
        (
            "port nosuchport",
            6,
            "unknown port 'nosuchport'; a port is a number (0..65535), or a name of services(5)",
        ),
        (
            "tcp and (udp or host 10.0.0.300) and arp",
            22,
            "'10.0.0.300' is not an IPv4 address; each part is a decimal number (0..255), and '300' is not",
        ),
        (
            "tcp and port 10.0.0.1 and udp",
            14,
            "'10.0.0.1' is not a port; a port is a number (0..65535) or the name of a service such as 'https'",
        ),
        ("arp port 80", 1, "'arp' has no ports; only 'tcp', 'udp' and 'sctp' have ports"),
        ("vlan 5000 and tcp", 6, "VLAN 5000 is out of range; the greatest number is 4095"),
        ("ip[0:3] = 1", 1, "3 bytes cannot be loaded at once; a size is 1, 2 or 4 bytes"),
        (
            "mpls 5 and tcp and pppoes",
            20,
            "only IPv4 and IPv6 can be recognised after 'mpls'; write other tests before 'mpls'",
        ),
        (
            "tcp and ip broadcast",
            9,
            "'ip broadcast' requires the netmask of the network; give it as the argument 'netmask', or test "
            "'ether broadcast'",
        ),
    ],
    ids=lambda value: value,
)
def test_errors_state_the_fact_and_the_rule(text: str, column: int, message: str) -> None:
    error = _error(text)
    assert (error.line, error.column, error.suggestion if "write" not in message else "") == (1, column, "")
    assert str(error.args[0]) == message


@pytest.mark.parametrize(
    ("link_type", "text", "column"),
    [("RAW", "tcp and vlan", 9), ("RAW", "ether host 00:11:22:33:44:55", 1), ("IEEE802_15_4", "len > 5 and ip", 13)],
)
def test_errors_of_link_types_have_a_place(link_type: str, text: str, column: int) -> None:
    error = _error(text, link_type=link_type)
    assert error.column == column
    assert isinstance(error, cbpf.LinkTypeError)


@pytest.mark.parametrize(
    ("text", "places", "suggestion"),
    [
        ("vlan 5000 or port 70000 or host 10.0.0.300", [6, 19, 33], ""),
        ("tpc port 80 or hots 10.0.0.1", [1, 16], "tcp port 80 or host 10.0.0.1"),
        ("tpc port 80 or hots 10.0.0.1 or port 70000", [1, 16, 38], ""),
        ("host 10.0.0.0/8 or port 80-90", [6, 25], "net 10.0.0.0/8 or portrange 80-90"),
        ("ip.src==10.0.0.1 && tcp.dstport eq 443", [1, 21], "src host 10.0.0.1 && tcp dst port 443"),
        ("'tcp port 80'", [1], "tcp port 80"),
        ("port 80,443 or (udp", [8, 20], "port 80 or 443 or (udp)"),
        ("tcp portt 80 or udp prot 53", [5, 21], "tcp port 80 or udp port 53"),
        ("ip @ tcp or vlan 5000", [4, 18], ""),
        ("vlan 1-5 and tcp prot 80 or host 10.0.0.300", [6, 18, 34], ""),
        ("tcp and (udp @ or vlan 5000) and host 10.0.0.300", [14, 39], ""),
        ("tcp @ or 443 or udp prot 53", [5, 21], ""),
        ("less x and greater y or src or dst z q and prot 5", [6, 20, 38, 44], ""),
        ("gre proto 5 or vlan 5000", [1, 5, 21], ""),
        ('x == "a or vlan 5000" or vlan 5000', [1], ""),
        ("host @ or 10.0.0.300", [6], ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_independent_errors_are_reported_at_once(text: str, places: list[int], suggestion: str) -> None:
    error = _error(text)
    assert [problem.column for problem in error.problems] == places
    assert error.suggestion == suggestion
    assert error.problem is error.problems[0]
    assert error.problem.message == error.args[0]
    more = len(places) - 1
    assert str(error).endswith(f" (and {more} more)" if more else error.problem.message)


class _Counted:
    """A resolver that knows one host, and records its requests."""

    def __init__(self) -> None:
        self.requests: list[str] = []

    def addresses(self, host: str) -> tuple[str, ...]:
        self.requests.append(host)
        return ("192.0.2.1",) if host == "known.example" else ()

    def ethernet_address(self, host: str) -> None:
        self.requests.append(host)

    def network(self, name: str) -> None:
        self.requests.append(name)

    def port(self, service: str, transport: str) -> None:
        self.requests.append(f"{service}/{transport}")

    def protocol(self, name: str) -> None:
        self.requests.append(name)


@pytest.mark.parametrize(
    ("text", "requests"),
    [
        ("host known.example and tcp host known.example and prot 5", []),
        ("host known.example and tcp prot 80", []),
        ("host known.example and host typo.example and net 10.0.0.1/8", ["known.example", "typo.example"]),
        ("port webb or ether host 10.0.0.1 or port webb", ["webb/tcp", "webb/udp"]),
    ],
)
def test_no_name_is_looked_up_for_a_suggestion(text: str, requests: list[str]) -> None:
    names = _Counted()
    _error(text, names=names)
    assert names.requests == requests


@pytest.mark.parametrize("text", ["host www.example.com", "ip proto tcpp", "net loopback", "ether host router"])
def test_names_that_are_not_allowed_have_a_place(text: str) -> None:
    error = _error(text, names=None)
    assert error.column == text.rindex(" ") + 2
    assert "which would have to be looked up; names are not allowed here" in str(error)


def test_suggestions_contain_no_names_that_are_not_allowed() -> None:
    assert _error("port http", names=None).suggestion == "port 80"
    assert _error("www.example.com and tcp", names=None).suggestion == ""


_DEPTH: Final = 30_000


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("(" * _DEPTH + "tcp", _DEPTH + 4),
        ("tcp" + ")" * _DEPTH, 4),
        ("not " * _DEPTH, 4 * _DEPTH),
        ("ip[" * _DEPTH, 3 * _DEPTH + 1),
        ("not (" * _DEPTH + "vlan 5000" + ")" * _DEPTH, 5 * _DEPTH + 6),
        ("@" * _DEPTH, 1),
        ("a" * 1_000_000, 1),
        ("tpc port 80 or " * 5_000 + "tcp", 1),
    ],
    ids=["open", "closed", "negations", "loads", "meaning", "characters", "word", "misspelt"],
)
def test_deep_and_long_expressions_end_in_one_line(text: str, column: int) -> None:
    error = _error(text)
    assert error.column == column
    assert len(str(error)) < 400
    assert str(error).isprintable()


def test_command_line_shows_the_first_twenty_errors(cli: CommandLine) -> None:
    text = " or ".join(["vlan 5000"] * 30)
    assert len(_error(text).problems) == 30
    _, _, err = cli("compile", text)
    assert err.count("is out of range") == 20
    assert err.endswith("cbpf: expression: and 10 more\n")


@pytest.mark.parametrize(
    ("kind", "entries", "message"),
    [
        ("host", ["10.0.0.1"] * 40 + ["10.0.0.300"] * 30, "is not an IPv4 address"),
        ("net", ["10.0.0.1/8", *["10.0.0.0/8"] * 40, "10.0.0.0/33"], ""),
        ("port", ["80"] * 40 + ["70000"] * 2, "is out of range"),
        ("portrange", ["8-9"] * 40 + ["8-9-10"] * 2, "is not a range of ports"),
    ],
)
def test_all_errors_of_a_long_list_are_reported(kind: str, entries: list[str], message: str) -> None:
    """A list of 32 entries and more is compiled as one."""
    text = f"vlan 5000 and {kind} ({' or '.join(entries)}) and vlan 6000"
    messages = [problem.message for problem in _error(text).problems]
    valid = {"10.0.0.1", "10.0.0.0/8", "80", "8-9"}
    assert len(messages) == sum(entry not in valid for entry in entries) + 2
    assert all(message in found for found in messages[1:-1])


def test_link_types_without_expressions_are_named() -> None:
    error = _error("ip", link_type=9999)
    assert (error.line, error.column) == (1, 1)
    assert "link type 9999 has no filter expressions" in str(error)


def test_lines_are_counted() -> None:
    error = _error("tcp and\n  (udp or\tprot 80)\nor arp")
    assert (error.line, error.column, error.place) == (2, 11, "line 2, column 11")
    assert error.problem is not None
    assert error.problem.excerpt == "  (udp or prot 80)\n" + " " * 10 + "^"


def test_errors_can_be_pickled() -> None:
    error = _error("tcp prot 80")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)
    assert (copy.column, copy.hint, copy.suggestion) == (error.column, error.hint, error.suggestion)


def test_long_expressions_are_explained() -> None:
    text = " or ".join(f"host 10.0.{n // 256}.{n % 256}" for n in range(2000))
    error = _error(f"{text} or prot 80")
    assert error.column == len(text) + 5
    assert error.problem is not None
    assert len(error.problem.excerpt) < 250
    error = _error(f"{text} or net 10.0.0.1/8")
    assert error.column == len(text) + 9
    assert len(str(error)) < 300


def test_long_words_are_shortened() -> None:
    error = _error(f"tcp {'x' * 5000}")
    assert len(str(error)) < 300


@pytest.mark.fuzz
def test_every_error_is_explained(rounds: Rounds) -> None:
    """An error is one line with a place, and its suggestion can be compiled, except if it contains names to look up."""
    suggested = 0
    for random in rounds(1500, min_checked=0.4):
        text = random_text(random)
        error = _error_of(text)
        if error is not None:
            assert error.column is not None
            assert str(error).isprintable(), text
            assert "syntax error" not in str(error), text
            if error.suggestion:
                suggested += 1
                remaining = _error_of(error.suggestion)
                assert remaining is None or "unknown" in str(remaining), text
            rounds.checked()
    assert suggested > rounds.checked_count / 12


def _error_of(text: str) -> cbpf.ExpressionError | None:
    try:
        cbpf.compile(text, optimizer=None)
    except cbpf.ExpressionError as error:
        return error
    return None


def test_command_line_shows_the_place(cli: CommandLine) -> None:
    code, out, err = cli("compile", "host 10.0.0.1, port 80")
    assert (code, out) == (2, b"")
    assert err == (
        "cbpf: expression: column 14: ',' does not join operands; 'and' does; write \"host 10.0.0.1 and port 80\"\n"
        "host 10.0.0.1, port 80\n"
        "             ^\n"
    )


@pytest.mark.parametrize(
    "arguments", [["filter", "-r", TRAFFIC, "--count"], ["compile"], ["explain"]], ids=lambda arguments: arguments[0]
)
def test_files_of_expressions_are_named(cli: CommandLine, tmp_path: Path, arguments: list[str]) -> None:
    path = tmp_path / "filter"
    path.write_text("tcp port 80\nor tcp prot 443\n")
    code, _, err = cli(*arguments, "-F", str(path))
    assert code == 2
    assert err == (
        f"cbpf: {path}: line 2, column 8: 'prot' is not a keyword; write \"tcp port 80 or tcp port 443\"\n"
        "or tcp prot 443\n"
        "       ^\n"
    )
    path.write_text("tcp\nand vlan 5000\n")
    assert f"{path}: line 2, column 10: VLAN 5000" in cli(*arguments, "-F", str(path))[2]


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"  tcp and vlan 5000", "line 1, column 16"),
        (b"\xef\xbb\xbftcp and vlan 5000\n", "line 1, column 14"),
        (b"# a comment\r\ntcp # another\r\n\tand vlan 5000\r\n", "line 3, column 11"),
    ],
)
def test_places_are_those_of_the_file(cli: CommandLine, tmp_path: Path, content: bytes, place: str) -> None:
    path = tmp_path / "filter"
    path.write_bytes(content)
    assert cli("compile", "-F", str(path))[2].startswith(f"cbpf: {path}: {place}: VLAN 5000 is out of range")


def test_excerpts_contain_no_control_characters() -> None:
    error = _error("host \\a\x1b[31m\x9b or prot\u202e")
    assert error.problem is not None
    assert all(line.isprintable() for line in error.problem.excerpt.split("\n"))
    assert str(error).isprintable()


@pytest.mark.parametrize("command", ["split", "stats", "-e"])
def test_other_commands_show_the_place(cli: CommandLine, command: str, tmp_path: Path) -> None:
    arguments = {
        "split": ["split", "-r", TRAFFIC, f"tcp prot 80={tmp_path / 'out'}"],
        "stats": ["stats", "-r", TRAFFIC, "-e", "tcp prot 80"],
        "-e": ["graph", "-e", "tcp prot 80"],
    }[command]
    code, _, err = cli(*arguments)
    assert code == 2
    assert "cbpf: expression: column 5: 'prot' is not a keyword" in err
    assert err.endswith("\ntcp prot 80\n    ^\n")


def test_errors_are_in_the_order_of_the_text() -> None:
    """The mistakes in the syntax are found before those in the meaning."""
    error = _error("host 10.0.0.0/8 and prot 80 and tcp 80")
    assert [problem.column for problem in error.problems] == [6, 21, 37]
    assert error.suggestion == "net 10.0.0.0/8 and port 80 and tcp port 80"
