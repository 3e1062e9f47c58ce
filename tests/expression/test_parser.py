"""The lexer and the parser of expressions: they accept the texts whose syntax libpcap accepts.

libpcap itself reports the place of a syntax error: the invalid number 099 after the first tokens of a text is an error
of its own, which libpcap reports only if it accepts the tokens before it.
"""

from collections.abc import Callable
from typing import Final

import pytest

import cbpf
from cbpf.expression.lexer import Token, tokens
from cbpf.expression.libpcap import NETMASK_UNKNOWN, Handle, cypcap_compiler, system_compiler
from cbpf.expression.parser import parse
from cbpf.expression.primitives import EXPECTED_CONDITION, SyntaxProblem
from cbpf.expression.syntax_tree import And, Binary, Match, Negate, Not, Or, Primitive, Protocol, Relation
from support.corpus_filters import CORPUS
from support.project import Rounds
from support.random_choices import pick
from support.random_texts import SAMPLES, random_text

PROBE: Final = " 099"
PROBE_MESSAGE: Final = "number 099 contains non-octal digit"
SYNTAX_ERRORS: Final = ("can't parse filter expression: syntax error", "syntax error in filter expression")
LEXICAL_ERRORS: Final = ("overflows 32 bits", "non-octal digit", "bogus IPv6 address", "bogus ethernet address")

# libpcap compiles an address without qualifiers, and rejects it afterwards with one of these messages.
BARE_ADDRESS_ERRORS: Final = (
    *("ethernet address used in non-ether expression", "Mask syntax for networks only"),
    *("invalid qualifier against IPv6 address", "aid supported only on ARCnet", *SYNTAX_ERRORS),
)
LINK_TYPES: Final = (1, 1, 1, 105, 12, 123, 117, 140)

Judge = Callable[[str, int], str]


@pytest.fixture(params=["cypcap", "system"])
def judge(request: pytest.FixtureRequest) -> Judge:
    """libpcap's message for a text and a link type, or an empty text if it accepts them."""
    try:
        compile_expression = {"cypcap": cypcap_compiler, "system": system_compiler}[request.param]()
    except cbpf.MissingLibrary as error:
        pytest.skip(str(error))

    def message(text: str, dlt: int) -> str:
        try:
            compile_expression(text, Handle(dlt, 100), False, NETMASK_UNKNOWN)
        except cbpf.ExpressionError as error:
            return str(error)
        return ""

    return message


def _problem(text: str) -> SyntaxProblem | None:
    try:
        parse(text)
    except SyntaxProblem as problem:
        return problem
    return None


def _is_bare_address(problem: SyntaxProblem) -> bool:
    kinds = ("name", "ipv4", "ipv6", "mac", "arcnet", "number")
    return problem.expected == EXPECTED_CONDITION and problem.found.kind in kinds


def _compare(judge: Judge, text: str, dlt: int) -> str:
    """Compare the parser with libpcap on one text, and return the kind of the result."""
    message, problem = judge(text, dlt), _problem(text)
    if not message:
        assert problem is None, text
        return "accepted"
    is_syntax = message in SYNTAX_ERRORS or any(error in message for error in LEXICAL_ERRORS)
    if problem is None:
        assert not is_syntax, text
        return "rejected for its meaning"
    found = problem.found
    beginning = judge(text[: found.start] + PROBE, dlt)
    if beginning != PROBE_MESSAGE:  # libpcap finds an error of another kind before it reads this token
        assert beginning == message or _is_bare_address(problem), (text, beginning)
        return "rejected earlier"
    if not is_syntax and message not in BARE_ADDRESS_ERRORS:  # found after a look at this token, and before its use
        assert judge(text[: found.start], dlt) == message, text
        return "rejected earlier"
    if found.kind == "invalid":
        assert message not in SYNTAX_ERRORS, text
    elif found.kind != "end" and not _is_bare_address(problem):
        assert judge(text[: found.end] + PROBE, dlt) != PROBE_MESSAGE, (text, found)
    return "syntax error"


def test_corpus_has_no_syntax_errors(judge: Judge) -> None:
    for text in (*SAMPLES, *(filter.expression for filter in CORPUS)):
        assert _problem(text) is None, text
        assert judge(text, 1) not in SYNTAX_ERRORS


@pytest.mark.parametrize(
    "text",
    [
        # The examples of the reference in which one context differs from another.
        *("tcp 80", "ip 10.0.0.1", "10.0.0.1", "tcp src 80", "src or host x", "net 10/8", "net 10.0/8", "tcp or 443"),
        *("vlan 5 or 6", "(tcp port 80) or 443", "host 1.2.3.4 and (tcp port 80 or 443) and 1.2.3.5"),
        *("port ((80))", "host ((1.2.3.4))", "host (1.2.3.4 or (1.2.3.5 or 1.2.3.6))", "port 80 or (1 + 2 = 3)"),
        *("7 % 2 + 1 = 1", "10 * 3 % 4 + 1 = 0", "-5 % 3 = 0", "host 1.2.3.4 and not 1.2.3.5", "portrange 80 - 443"),
        *("len-20 > 5", "hostess", "port80", "a-", "1.2.3.4.5.6", "aa:bb:cc:", "0x1.2", "1.300", "1.2.3.4.5", "0x"),
        *(
            "not port 80 and (not 443)",
            "port 80 or ((22) or 443)",
            "port 80 or ((22 or 443))",
            "host 1.2.3.4 and ((1.2.3.5))",
        ),
        *(
            "1 = 2 = 3",
            "(1 = 2) = 3",
            "1 + (2 = 3) = 3",
            "not 5 = 5",
            "port 80 and not 443 = 443",
            "vpi (1 and 2)",
            "(5)",
        ),
        *(
            "ip[0:2:2] = 1",
            "ip[0:(2)] = 1",
            "ip[0:tcp-fin] = 1",
            "ip[(5)] = 1",
            "(ip)[0] = 1",
            "not ip[0]",
            "type mgt or 5",
        ),
        *(
            "src and dst host 1.2.3.4",
            "src and dst and host 1.2.3.4",
            "ether src or dst 0:1:2:3:4:5",
            "gateway",
            "src gateway 1.2.3.4",
        ),
    ],
)
@pytest.mark.parametrize("dlt", [1, 105, 123])
def test_examples_have_the_syntax_of_libpcap(judge: Judge, text: str, dlt: int) -> None:
    _compare(judge, text, dlt)


@pytest.mark.fuzz
def test_parser_accepts_the_syntax_of_libpcap(rounds: Rounds, judge: Judge) -> None:
    """Each error is at the token at which libpcap's parser stops."""
    counts: dict[str, int] = {}
    for random in rounds(3000, min_checked=0.3):
        kind = _compare(judge, random_text(random), pick(random, LINK_TYPES))
        counts[kind] = counts.get(kind, 0) + 1
        if kind == "syntax error" or kind == "accepted":
            rounds.checked()
    assert len(counts) == 4


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "tcp" + ")" * 10_000,
        "(" * 10_000 + "1" + ")" * 10_000 + " = 1",
        "not " * 10_000 + "tcp",
        "-" * 10_000 + "1 = 2",
        "ip[" * 10_000 + "1" + "]" * 10_000 + " = 1",
        "1" + " + 1" * 3_000 + " = 3",
        "1" + " % 1" * 3_000 + " = 3",
        "tcp" + " and udp or arp" * 3_000,
        "host 1.2.3.4" + " or 1.2.3.4" * 3_000,
    ],
    ids=lambda text: text[:12],
)
def test_depth_is_not_limited(text: str) -> None:
    assert parse(text) is not None
    with pytest.raises(SyntaxProblem) as caught:
        parse(f"{text} ]")
    assert caught.value.found.text == "]"


def _kinds(text: str) -> list[str]:
    return [f"{token.kind} {token.word}" for token in tokens(text)[:-1]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("tcp||wlan", ["protocol tcp", "operator or", "protocol link"]),
        ("tcp-syn-ack tcp-syn", ["name tcp-syn-ack", "number tcp-syn"]),
        ("a- a.", ["name a", "operator -", "name a."]),
        ("80-90", ["name 80-90"]),
        ("1.2.3.4/24", ["ipv4 1.2.3.4", "operator /", "number 24"]),
        ("1.2.3.4.5", ["name 1.2.3.4.5"]),
        ("1.2.3.4.5.6 123456789012", ["mac 1.2.3.4.5.6", "mac 123456789012"]),
        ("ip[2:2]", ["protocol ip", "operator [", "number 2", "operator :", "number 2", "operator ]"]),
        ("1:2:3:4:5:6", ["mac 1:2:3:4:5:6"]),
        ("1:2:3:4:5:6:7:8", ["ipv6 1:2:3:4:5:6:7:8"]),
        ("1::2 ::", ["ipv6 1::2", "ipv6 ::"]),
        ("12345::1", ["number 12345", "ipv6 ::1"]),
        ("::1.2.3.4", ["ipv6 ::1.2.3.4"]),
        ("1:2", ["number 1", "operator :", "number 2"]),
        ("$a $", ["arcnet $a", "unknown $"]),
        ("\\ip \\a\xe9!b", ["name ip", "name a\xe9", "operator not", "name b"]),
        ("0x", ["name 0x"]),
        ("0X1f 017", ["number 0X1f", "number 017"]),
        ("!==", ["operator !=", "operator ="]),
        ("\xe9#", ["unknown \xe9", "unknown #"]),
    ],
)
def test_longest_match_wins(text: str, kinds: list[str]) -> None:
    assert _kinds(text) == kinds


@pytest.mark.parametrize(
    ("text", "value"), [("0x1F", 31), ("017", 15), ("0", 0), ("4294967295", 2**32 - 1), ("tcp-ack", 16)]
)
def test_numbers_have_a_value(text: str, value: int) -> None:
    assert tokens(text)[0].value == value


@pytest.mark.parametrize(
    "text", ["08", "4294967296", "0x100000000", "9" * 5000, "1:2:", "aa:bb:cc:", "::1.2.3.400", "::01.2.3.4"]
)
def test_values_that_do_not_exist_are_invalid(text: str) -> None:
    assert tokens(text)[0].kind == "invalid"


@pytest.mark.fuzz
def test_tokens_cover_the_text(rounds: Rounds) -> None:
    for random in rounds(400):
        text = random_text(random)
        offset = 0
        for token in tokens(text)[:-1]:
            assert text[offset : token.start].strip(" \t\r\n") == ""
            assert text[token.start : token.end] == token.text
            offset = token.end
        assert text[offset:].strip(" \t\r\n") == ""


def _source(text: str, node: object) -> str:
    return text[node.span.start : node.span.end]  # type: ignore[attr-defined]


def test_operands_of_one_operator_are_one_node() -> None:
    text = "tcp and udp and (arp or ip) or vlan 5"
    tree = parse(text)
    assert isinstance(tree, Or)
    first, vlan = tree.operands
    assert isinstance(first, And)
    assert isinstance(vlan, Primitive)
    assert [_source(text, node) for node in first.operands] == ["tcp", "udp", "arp or ip"]
    assert (_source(text, first), _source(text, vlan)) == ("tcp and udp and (arp or ip)", "vlan 5")
    assert (vlan.name, vlan.arguments[0].value) == ("vlan", 5)


def test_qualifiers_are_carried_over() -> None:
    text = "host 10.0.0.1 and (tcp src port 80 or not 443) and 10.0.0.2"
    tree = parse(text)
    assert isinstance(tree, And)
    first, group, last = tree.operands
    assert isinstance(group, Or)
    port, negation = group.operands
    assert isinstance(negation, Not)
    carried = negation.operand
    for node, expected, source in (
        (first, (None, None, "host"), "host 10.0.0.1"),
        (port, ("tcp", "src", "port"), "tcp src port 80"),
        (carried, ("tcp", "src", "port"), "443"),
        (last, (None, None, "host"), "10.0.0.2"),
    ):
        assert isinstance(node, Match)
        assert (node.qualifiers, _source(text, node)) == (expected, source)


@pytest.mark.parametrize(
    ("text", "grouped"),
    [
        ("7 % 2 + 1 = 0", "(7 % (2 + 1))"),
        ("10 * 3 % 4 + 1 = 0", "(10 * (3 % (4 + 1)))"),
        ("-5 % 3 = 0", "(-(5 % 3))"),
        ("-5 + 3 = 0", "((-5) + 3)"),
        ("1 + 2 * 3 - 4 = 0", "((1 + (2 * 3)) - 4)"),
        ("1 | 2 & 3 << 4 = 0", "(1 | (2 & (3 << 4)))"),
        ("1 ^ 2 | 3 = 0", "(1 ^ (2 | 3))"),
        ("(1 + 2) * 3 = 0", "((1 + 2) * 3)"),
    ],
)
def test_arithmetic_has_the_precedence_of_libpcap(text: str, grouped: str) -> None:
    def show(node: object) -> str:
        if isinstance(node, Binary):
            return f"({show(node.left)} {node.operator} {show(node.right)})"
        return f"(-{show(node.operand)})" if isinstance(node, Negate) else _source(text, node)

    tree = parse(text)
    assert isinstance(tree, Relation)
    assert show(tree.left) == grouped


def test_tree_is_immutable_and_comparable() -> None:
    tree = parse("ether")
    assert tree == Protocol("link", (0, 5))  # type: ignore[arg-type]
    assert hash(tree) == hash(parse("ether"))
    assert parse("") is None
    assert parse(" \n") is None
    with pytest.raises(AttributeError, match="immutable"):
        tree.name = "ip"  # type: ignore[misc]


def test_end_is_after_the_last_character() -> None:
    assert tokens("tcp port  ")[-1] == Token("end", "", "", 8)
