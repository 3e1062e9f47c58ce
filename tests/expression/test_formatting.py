"""The canonical form of expressions: the plain code, or libpcap's error, is that of the original expression."""

from itertools import product
from typing import Any, Final

import pytest

import cbpf
from cbpf.expression.formatting import format_expression, text_of
from cbpf.expression.lexer import tokens
from cbpf.expression.libpcap import Handle
from cbpf.expression.parser import parse
from cbpf.expression.primitives import SyntaxProblem
from cbpf.expression.spelling import link_word
from cbpf.expression.syntax_tree import Binary, Load, Number, Relation, Span
from support.corpus_filters import CORPUS, Filter
from support.equal_programs import Code
from support.libpcap_comparison import libpcap_result
from support.project import Rounds
from support.random_choices import pick
from support.random_expressions import OPERATORS
from support.random_filters import Case, random_filter
from support.random_texts import SAMPLES, random_text
from support.tree_meaning import meaning

LINK_TYPES: Final = (1, 105, 12, 123, 117, 140, 7)
"""DLT numbers: each kind of primitive fits one of these link types."""
NETMASK: Final = 0xFFFF_FF00

GOLDEN: Final = (
    # Words: one spelling for each
    ("tcp && udp || ! arp", "(tcp and udp) or not arp"),
    ("es-is or is-is or length > 5", "esis or isis or len > 5"),
    ("on eth0 and ruleset a and rulenum 1 and subrulenum 2", "ifname eth0 and rset a and rnr 1 and srnr 2"),
    ("wlan address1 0:1:2:3:4:5 and direction tods", "wlan addr1 00:01:02:03:04:05 and dir tods"),
    ("vlan (5) and mpls (0X1F)", "vlan 5 and mpls 0x1f"),
    ("vpi = 1 or vpi (1) or vpi != 1 or vci (1 or 2)", "vpi 1 or vpi 1 or vpi != 1 or vci (1 or 2)"),
    ("byte 0=1 and llc rulenum and less 64", "byte 0 = 1 and llc rnr and less 64"),
    ("wlan type mgt subtype beacon or subtype ack", "type mgt subtype beacon or subtype ack"),
    # The link layer: the first word for it, or the one that fits the other primitives
    ("link host 0:1:2:3:4:5", "link host 00:01:02:03:04:05"),
    ("ppp[0] = 1 or ether[0] = 1", "ppp[0] = 1 or ppp[0] = 1"),
    ("broadcast", "ether broadcast"),
    ("multicast and type data", "wlan multicast and type data"),
    ("ip multicast and ip6 multicast", "ip multicast and ip6 multicast"),
    # Qualifiers: explicit, without defaults that nobody writes
    ("src 10.0.0.1", "src host 10.0.0.1"),
    ("src or dst 10.0.0.1 or dst or src port 1", "host 10.0.0.1 or port 1"),
    ("dst and src net 10.0.0.0/8", "src and dst net 10.0.0.0/8"),
    ("ether src or dst 0:1:2:3:4:5", "ether host 00:01:02:03:04:05"),
    ("ether src host 0:1:2:3:4:5", "ether src 00:01:02:03:04:05"),
    ("host 10.0.0.1 and not 10.0.0.2", "host 10.0.0.1 and not host 10.0.0.2"),
    ("not host 10.0.0.1 and 10.0.0.2", "not host 10.0.0.1 and host 10.0.0.2"),
    ("ip proto \\tcp or \\ospf", "ip proto (\\tcp or ospf)"),
    # Lists: consecutive alternatives with the same qualifiers
    ("tcp port 80 or 443", "tcp port (80 or 443)"),
    ("tcp port 80 or tcp port 443 or udp port 53", "tcp port (80 or 443) or udp port 53"),
    ("port (80 or 443) and host 10.0.0.1", "port (80 or 443) and host 10.0.0.1"),
    ("port 80 or (443 or (8080 or not 22))", "port (80 or 443 or 8080) or not port 22"),
    ("port 80 or tcp or port 443", "port 80 or tcp or port 443"),
    ("not (src 10.0.0.1 or src host 10.0.0.2)", "not src host (10.0.0.1 or 10.0.0.2)"),
    ("port 80 and 443", "port 80 and port 443"),
    ("port 80 or port 443 and 22", "port (80 or 443) and port 22"),
    # Parentheses
    ("arp or ip and vlan", "(arp or ip) and vlan"),
    ("arp and ip or vlan", "(arp and ip) or vlan"),
    ("(arp and (ip)) or ((vlan or udp))", "(arp and ip) or vlan or udp"),
    ("not (not (tcp))", "not not tcp"),
    ("not (tcp or udp) and not (ip[0] = 1)", "not (tcp or udp) and not ip[0] = 1"),
    ("1+2*3 - 4=0", "1 + 2 * 3 - 4 = 0"),
    ("1 -(2 -3)-(4*5)=0", "1 - (2 - 3) - 4 * 5 = 0"),
    ("(1+2)*3=0", "(1 + 2) * 3 = 0"),
    ("1|2&3<<4+5=0", "1 | (2 & (3 << (4 + 5))) = 0"),
    ("1<<2>>3<<(4>>5)=0", "1 << 2 >> 3 << (4 >> 5) = 0"),
    ("1|2|(3|4)=0", "1 | 2 | (3 | 4) = 0"),
    ("7 % 2 + 1 = 5 ^ 6", "7 % (2 + 1) = 5 ^ 6"),
    ("10 * 3 % 4 + 1 = 0", "10 * (3 % (4 + 1)) = 0"),
    ("-5 % 3 = (-5) % -3", "-(5 % 3) = (-5) % -3"),
    ("-5 + 3 = -(5 + 3) - --1", "-5 + 3 = -(5 + 3) - --1"),
    ("ip[0:1] = ip[(2):2]", "ip[0] = ip[2:2]"),
    ("tcp[(tcp[12]&0xf0)>>2:4]=1", "tcp[((tcp[12] & 0xf0) >> 2):4] = 1"),
    ("tcp[(tcp[12]&0xf0)>>2]==1", "tcp[(tcp[12] & 0xf0) >> 2] = 1"),
    # Numbers, names and addresses
    ("tcp[tcpflags]&(tcp-syn|tcp-ack)==0X12", "tcp[tcpflags] & (tcp-syn | tcp-ack) = 0x12"),
    ("len > 0x0A or len < 017", "len > 0x0a or len < 017"),
    ("host \\example.net or \\1.2.3.4", "host (example.net or \\1.2.3.4)"),
    ("host 010.0.0.001 or 1.2 or 0x1.300", "host (10.0.0.1 or 1.2 or 0x1.300)"),
    ("host 2001:DB8:0:0::1 or ::FFFF:1.2.3.4 or ::1.2.3.4", "host (2001:db8::1 or ::ffff:1.2.3.4 or ::102:304)"),
    ("ether host 1.2.3.4.5.6 or A-B-C-D-E-F", "ether host (01:02:03:04:05:06 or 0a:0b:0c:0d:0e:0f)"),
    ("ether host AABB.CCDD.EEFF or 123456789012", "ether host (aa:bb:cc:dd:ee:ff or 12:34:56:78:90:12)"),
    ("link host $A", "link host $a"),
    ("net 10.0.0.0 mask 255.0.0.0 or 192.0.2.0/24", "net (10.0.0.0 mask 255.0.0.0 or 192.0.2.0/24)"),
    ("portrange \\80-90", "portrange 80-90"),
    ("\n tcp\n\tport 80 ", "tcp port 80"),
    ("", ""),
)


def _check(case: Case) -> bool:
    """Check the canonical form of an expression, and return whether libpcap compiles it."""
    canonical = format_expression(case.text)
    assert meaning(parse(canonical)) == meaning(parse(case.text)), (case, canonical)
    assert format_expression(canonical) == canonical, (case, canonical)
    code = _plain_code(case)
    assert _plain_code(case._replace(text=canonical)) == code, (case, canonical)
    return code is not None


def _plain_code(case: Case) -> Code | None:
    """Return libpcap's plain code, or None if it rejects the expression."""
    try:
        return libpcap_result(*case).code
    except cbpf.MissingLibrary as error:
        pytest.skip(str(error))


def _compiled(text: str) -> list[Case]:
    """Check the canonical form of an expression for several link types, and return the cases that libpcap compiles."""
    cases = [Case(text, Handle(dlt, 262_144), NETMASK) for dlt in LINK_TYPES]
    return [case for case in cases if _check(case)]


@pytest.mark.parametrize(("text", "canonical"), GOLDEN)
def test_canonical_form(text: str, canonical: str) -> None:
    assert format_expression(text) == canonical
    assert format_expression(canonical) == canonical
    assert meaning(parse(canonical)) == meaning(parse(text))


def test_golden_expressions_keep_their_plain_code() -> None:
    local = [text for text, _ in GOLDEN if "example.net" not in text]  # no query of a name server
    assert sum(bool(_compiled(text)) for text in local) > 0.8 * len(local)


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_corpus_keeps_its_plain_code(filter: Filter) -> None:
    assert _check(Case.for_device(filter.expression, filter.link_type))


@pytest.mark.parametrize("text", SAMPLES)
def test_samples_keep_their_plain_code(text: str) -> None:
    assert _compiled(text)


@pytest.mark.fuzz
def test_random_expressions_keep_their_plain_code(rounds: Rounds) -> None:
    for random in rounds(2000, min_checked=0.4):
        case = random_filter(random)
        if _has_syntax(case.text) and _check(case):
            rounds.checked()


@pytest.mark.fuzz
def test_random_texts_keep_their_plain_code(rounds: Rounds) -> None:
    """Each text that the parser accepts has a canonical form; any other has a message."""
    for random in rounds(2000, min_checked=0.1):
        text = random_text(random)
        if not _has_syntax(text):
            with pytest.raises(cbpf.ExpressionError):
                format_expression(text)
        elif _check(Case(text, Handle(pick(random, LINK_TYPES), 262_144), NETMASK)):
            rounds.checked()


def _has_syntax(text: str) -> bool:
    try:
        parse(text)
    except SyntaxProblem:
        return False
    return True


@pytest.mark.parametrize(
    ("width", "lines"),
    [
        (80, ["(src and dst host (10.0.0.1 or a.b) and tcp) or arp"]),
        (51, ["(src and dst host (10.0.0.1 or a.b) and tcp) or arp"]),
        (50, ["(src and dst host (10.0.0.1 or a.b) and tcp)", "  or arp"]),
        (44, ["(src and dst host (10.0.0.1 or a.b) and tcp)", "  or arp"]),
        (43, ["(src and dst host (10.0.0.1 or a.b)", "  and tcp) or arp"]),
        (34, ["(src and dst host (10.0.0.1", "  or a.b) and tcp) or arp"]),
        (25, ["(src and dst host (10.0.0.1", "  or a.b) and tcp) or arp"]),
        (24, ["(src and dst host (10.0.0.1", "  or a.b) and tcp)", "  or arp"]),
        (1, ["(src and dst host (10.0.0.1", "  or a.b)", "  and tcp)", "  or arp"]),
    ],
)
def test_lines_begin_with_an_operator(width: int, lines: list[str]) -> None:
    text = "dst and src 10.0.0.1 or a.b and tcp or arp"
    assert format_expression(text, width=width).split("\n") == lines
    assert format_expression("\n".join(lines), width=width).split("\n") == lines
    assert format_expression("", width=width) == ""


@pytest.mark.parametrize("expression", [5, b"tcp", None])
def test_arguments_are_checked(expression: Any) -> None:
    with pytest.raises(cbpf.FieldError, match=r"^expression: .* is not text"):
        format_expression(expression)
    with pytest.raises(cbpf.FieldError, match=r"^format_expression\.width: 0 is not a number of columns"):
        format_expression("tcp", width=0)


@pytest.mark.parametrize("first", OPERATORS)
@pytest.mark.parametrize("second", OPERATORS)
def test_arithmetic_keeps_its_structure(first: str, second: str) -> None:
    """All pairs of operators, with a minus, and with and without parentheses."""
    for left, right in product(("5", "(-5)", f"(5 {first} 3)", f"-5 {first} 3"), ("5", "-5", f"(5 {first} 3)")):
        text = f"ip[{left} {second} {right}:2] = {left} {second} {right} {first} 4"
        canonical = format_expression(text)
        assert meaning(parse(canonical)) == meaning(parse(text)), (text, canonical)
        assert format_expression(canonical) == canonical


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("tcp", "ether"),
        ("fddi host 0:1:2:3:4:5 or ether broadcast", "fddi"),
        ("subtype ack and ppp[0] = 1", "ppp"),
        ("subtype ack", "wlan"),
        ("host \\wlan or host type-a", "ether"),
    ],
)
def test_word_for_the_link_layer(text: str, word: str) -> None:
    assert link_word(tokens(text)) == word


def test_trees_without_a_text_have_one() -> None:
    span = Span(0, 0)
    offset = Binary("+", Number(1, span), Number(2, span), span)
    tree = Relation("=", Load("link", offset, 2, span), Number(16, span, "0x10"), span)
    assert text_of(tree) == "ether[(1 + 2):2] = 0x10"
    assert text_of(tree, link="wlan") == "wlan[(1 + 2):2] = 0x10"
    assert text_of(None) == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tcp prot 80", "column 5: 'prot' is not a keyword; write \"tcp port 80\""),
        ("tcp and (udp", "column 13: '(' at column 9 is not closed"),
        ("host \\a\0b", "column 8: NUL character"),
        ("port 099", "column 6: invalid octal number"),
    ],
)
def test_errors_have_a_place(text: str, message: str) -> None:
    with pytest.raises(cbpf.ExpressionError) as caught:
        format_expression(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2_000 + "tcp" + ")" * 2_000,
        "not " * 2_000 + "tcp",
        "-" * 2_000 + "1 = 2",
        "ip[" * 2_000 + "1" + "]" * 2_000 + " = 1",
        "1" + " % 1" * 2_000 + " = 3",
        "tcp" + " and udp or arp" * 2_000,
        "tcp or (" * 2_000 + "udp" + ")" * 2_000,
        "host 10.0.0.1" + " or 10.0.0.2" * 2_000,
    ],
    ids=lambda text: text[:12],
)
def test_depth_and_length_are_not_limited(text: str) -> None:
    canonical = format_expression(text)
    assert format_expression(canonical) == canonical
