"""The findings of `lint_expression`: one example of each rule, filters without findings, and the packets shown."""

import subprocess
import sys
import warnings
from functools import cache
from textwrap import dedent
from typing import Any, Final

import pytest

import cbpf
from cbpf.expression.linting.rules import LINT_RULES, SYNTACTIC_RULES
from cbpf.expression.linting.tree_view import TreeView
from cbpf.expression.names import SystemResolver
from cbpf.expression.parser import parse
from support.command_line import CommandLine
from support.corpus_filters import CORPUS, Filter

Expected = tuple[str, str, str]
"""The identifier of a finding, the text that it concerns, and its suggestion."""

SHIFTED: Final = {
    "vlan 5 or vlan 6": (("shifted-test", "vlan 5", "vlan and (ether[14:2] & 0xfff = 5 or ether[14:2] & 0xfff = 6)"),),
    "vlan or ip": (("shifted-test", "vlan", "ip or vlan"),),
    "not vlan and ip": (("shifted-test", "vlan", "ip and not vlan"),),
    "(vlan and host 10.0.0.1) or host 10.0.0.2": (
        ("shifted-test", "vlan", "host 10.0.0.2 or (vlan and host 10.0.0.1)"),
    ),
    "(vlan 5 or vlan 6) and ip": (
        ("shifted-test", "vlan 5", "vlan and (ether[14:2] & 0xfff = 5 or ether[14:2] & 0xfff = 6) and ip"),
    ),
    "(vlan 5 and tcp) or (vlan 6 and udp)": (
        (
            "shifted-test",
            "vlan 5",
            "vlan and ((ether[14:2] & 0xfff = 5 and tcp) or (ether[14:2] & 0xfff = 6 and udp))",
        ),
    ),
    "vlan 5 or vlan": (("shifted-test", "vlan 5", "vlan"),),
    "mpls or ip": (("shifted-test", "mpls", "ip or mpls"),),
    "mpls 5 or mpls 6": (("shifted-test", "mpls 5", ""),),
    "pppoes or ip": (("shifted-test", "pppoes", "ip or pppoes"),),
    "not (vlan or arp) and ip": (("shifted-test", "vlan", "ip and not (arp or vlan)"),),
    "vxlan or ip": (("undefined-offset", "vxlan", "ip or vxlan"),),
    "geneve or ip": (("undefined-offset", "geneve", "ip or geneve"),),
    "ip and not (geneve 7 and tcp) and udp": (
        ("undefined-offset", "geneve 7", "ip and udp and not (geneve 7 and tcp)"),
    ),
}
"""Expressions whose tests are moved by a header that may be absent."""

STRUCTURE: Final = {
    "tcp or udp and port 53": (("mixed-operators", "tcp or udp and port 53", "tcp or (udp and port 53)"),),
    "arp or host 10.0.0.1 and tcp or udp and port 53": (
        (
            "mixed-operators",
            "arp or host 10.0.0.1 and tcp or udp and port 53",
            "arp or (host 10.0.0.1 and tcp) or (udp and port 53)",
        ),
    ),
    "host 10.0.0.1 and port 80 or 443": (
        ("mixed-operators", "host 10.0.0.1 and port 80 or 443", "host 10.0.0.1 and port (80 or 443)"),
    ),
    "not port 80 or 443": (("negated-list", "not port 80 or 443", "not port (80 or 443)"),),
    "not port 80 or port 443": (("negated-list", "not port 80 or port 443", "not port (80 or 443)"),),
    "not host 10.0.0.1 and 10.0.0.2": (
        ("negated-list", "not host 10.0.0.1 and 10.0.0.2", "not host (10.0.0.1 or 10.0.0.2)"),
    ),
    "tcp[13] != 2 or tcp[13] != 16": (("unequal-alternatives", "tcp[13] != 2", "tcp[13] != 2 and tcp[13] != 16"),),
    "not host 10.0.0.1 or not host 10.0.0.2 or arp": (
        (
            "unequal-alternatives",
            "not host 10.0.0.1",
            "(not host 10.0.0.1 and not host 10.0.0.2) or arp",
        ),
    ),
    "ip and not src net 10 and 172.16 and tcp": (
        ("negated-list", "not src net 10 and 172.16", "ip and not src net (10 or 172.16) and tcp"),
    ),
}
"""Expressions that are read in another structure than readers expect."""

NOTATION: Final = {
    "net 10.0.0.0": (("net-without-prefix", "net 10.0.0.0", "net 10.0.0.0/8"),),
    "src net 192.168.1.0 and tcp": (("net-without-prefix", "src net 192.168.1.0", "src net 192.168.1.0/24 and tcp"),),
    "net 192.0.2.7": (("net-without-prefix", "net 192.0.2.7", ""),),
    "ip6 net 2001:db8::": (("net-without-prefix", "ip6 net 2001:db8::", ""),),
    "host 1.2": (("short-address", "host 1.2", "net 1.2"),),
    "src 10.1.2": (("short-address", "src 10.1.2", "src net 10.1.2"),),
    "ip host 10": (("number-as-address", "ip host 10", "ip host 0.0.0.10"),),
    "byte 0 & 1": (("older-libpcap", "byte 0 & 1", "link[0] & 1 != 0"),),
}
"""Expressions whose identifiers have an unexpected meaning."""

FIELDS: Final = {
    "tcp[13] & 2 != 0": (("ipv4-field", "tcp[13] & 2 != 0", "tcp[13] & 2 != 0 or (ip6[6] = 6 and ip6[53] & 2 != 0)"),),
    "udp port 53 and udp[10] & 0x80 = 0": (
        (
            "ipv4-field",
            "udp[10] & 0x80 = 0",
            "udp port 53 and (udp[10] & 0x80 = 0 or (ip6[6] = 17 and ip6[50] & 0x80 = 0))",
        ),
    ),
    "tcp[0:2] = 80 or tcp[2:2] = 80": (
        (
            "ipv4-field",
            "tcp[0:2] = 80",
            "tcp[0:2] = 80 or (ip6[6] = 6 and ip6[40:2] = 80) or tcp[2:2] = 80 or (ip6[6] = 6 and ip6[42:2] = 80)",
        ),
    ),
    "tcp[(tcp[12] >> 2):4] = 0x47455420": (
        (
            "ipv4-field",
            "tcp[(tcp[12] >> 2):4] = 0x47455420",
            "tcp[(tcp[12] >> 2):4] = 0x47455420 or (ip6[6] = 6 and ip6[(40 + (ip6[52] >> 2)):4] = 0x47455420)",
        ),
    ),
    "1 + tcp[13] = 3": (("dropped-check", "tcp[13]", "tcp[13] + 1 = 3"),),
    "ip[8] - tcp[13] = 3": (
        ("dropped-check", "tcp[13]", "ip[9] = 6 and ip[6:2] & 0x1fff = 0 and ip[8] - tcp[13] = 3"),
    ),
    "ip[9] % 3 + 1 = 2": (("modulo-precedence", "ip[9] % 3 + 1", "(ip[9] % 3) + 1 = 2"),),
    "ip[9] * 7 % 3 = 1": (("modulo-precedence", "ip[9] * 7 % 3", "(ip[9] * 7) % 3 = 1"),),
    "ip[9] ^ 3 | 4 = 7": (("modulo-precedence", "ip[9] ^ 3 | 4", "(ip[9] ^ 3) | 4 = 7"),),
}
"""Comparisons that hold for other packets than readers expect."""

MISTAKES: Final = SHIFTED | STRUCTURE | NOTATION | FIELDS

SURPRISES: Final = {
    "vlan 5 or vlan 6": "shifted-test",  # libpcap#798, #158, #445, #916, #1211, #408, tcpdump#606, #900
    "(vlan and tcp) or tcp": "shifted-test",
    "ether[12:2] = 0x8100": "vlan-metadata",  # libpcap#1387, #1422, #1256, #461, #390, #1169
    "tcp": "extension-header",  # libpcap#66, #659, #864, #259, pflua#239
    "tcp[13] & 2 != 0": "ipv4-field",  # libpcap#600, #1207
    "udp[8:4] = 1": "ipv4-field",
    "tcp port 80": "later-fragment",
    "arp or tcp and net 10.0.0.0/8": "mixed-operators",
    "host 10.0.0.1 and tcp port 80 or 443": "mixed-operators",
    "not host 10.0.0.1 and 10.0.0.2": "negated-list",
    "not port 80 or 443": "negated-list",
    "net 10.0.0.0": "net-without-prefix",
    "host 1.2": "short-address",
    "host 10.0.0.1": "arp-of-host",
    "1 + tcp[13] = 3": "dropped-check",
    "tcp[0] % 3 + 1 = 2": "modulo-precedence",
    "ip and arp": "rejects-all",
    "tcp and udp": "rejects-all",
    "src host 10.0.0.1 and src host 10.0.0.2": "rejects-all",
    "byte 0 & 1": "older-libpcap",
    "less 64": "wire-length",
    "len <= 64": "wire-length",
    "geneve or ip": "undefined-offset",
}
"""Expressions that surprised users of libpcap, with issues of its trackers, and the rules that explain them."""

REJECTED: Final = (
    "ip and len-20 > 5",
    "tcp or 443",
    "ip.addr == 1.2.3.4",
    "tcp.port eq 80",
    "host a, b",
    "port 80,443",
)
"""Surprises that are errors."""

NOTES: Final = {
    "port 53": ["any-transport", "later-fragment", "extension-header"],
    "tcp": ["extension-header"],
    "tcp port 80": ["later-fragment", "extension-header"],
    "host 10.0.0.1": ["arp-of-host"],
    "ip host 10.0.0.1": [],
    "icmp": ["icmp-of-ipv4"],
    "icmp or icmp6": ["extension-header"],
    "less 64": ["wire-length"],
    "len <= 64": ["wire-length"],
    "ether[12:2] = 0x8100": ["vlan-metadata"],
    "ether proto 0x8100": ["vlan-metadata"],
    "ether[12:2] = 0x800": [],
}

PROPER: Final = (
    *("", "ip", "tcp port 80", "host 192.0.2.7", "icmp or icmp6", "not port 22", "not arp and not stp"),
    *("tcp port 80 or 443", "host 10.0.0.1 or 10.0.0.2", "not host 10.0.0.1 and not 10.0.0.2", "port (80 or 443)"),
    "host 10.0.0.1 and (port 80 or 443)",
    "tcp port 80 or 443 and host 10.0.0.1",
    "tcp and dst port 80 or udp",
    "ip and tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8",
    "ip and tcp[13] & 2 != 0",
    "host 10.0.0.1 and tcp[13] & 2 != 0",
    "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "ip[6:2] & 0x1fff == 0",
    "ip[9] & 3 + 4 = 0",
    "net 10.0.0.0/8 or net 172.16.0.0/12 or net 192.168.0.0/16",
    "net 10 or net 192.168",
    "vlan and ip",
    "vlan 100 and (arp or vlan 200)",
    "ip or (vlan and ip)",
    "arp or (vlan 5 and not (ip or ip6))",
    "not (not vlan or arp) and less 100",
    "ether host 02:00:00:00:00:01 or vlan 5",
    "vlan 5 or ether host 02:00:00:00:00:01",
    "mpls and mpls and ip",
    "vlan or less 64",
    "pppoes and tcp port 80",
    "geneve and tcp port 80",
    "icmp[icmptype] != icmp-echo and icmp[icmptype] != icmp-echoreply",
)
"""Filters without mistakes, which have no findings."""


@cache
def _findings(expression: str, **options: Any) -> tuple[cbpf.LintFinding, ...]:
    return cbpf.lint_expression(expression, **options)


REDUNDANT: Final = {
    r"ether proto \ip and ip[9] = 6 and tcp[0:2] = 443": {"redundant"},
    "udp and ip[6:2] & 0x1fff = 0 and udp[8:4] = 0x16030100": {"redundant"},
}
"""Filters of the corpus with a test that another test contains."""


def _mistakes(expression: str, **options: Any) -> tuple[Expected, ...]:
    findings = _findings(expression, **options)
    return tuple(
        (finding.identifier, expression[slice(*finding.span)], finding.suggestion)
        for finding in findings
        if finding.severity != "undecided"
    )


@pytest.mark.parametrize("expression", MISTAKES)
def test_mistakes_are_found(expression: str) -> None:
    assert set(MISTAKES[expression]) <= set(_mistakes(expression))


@pytest.mark.parametrize("expression", PROPER)
def test_proper_filters_have_no_findings(expression: str) -> None:
    assert _mistakes(expression) == ()


@pytest.mark.parametrize(
    "filter",
    [pytest.param(each, marks=[pytest.mark.slow] * (index % 6 > 0)) for index, each in enumerate(CORPUS)],
    ids=str,
)
def test_filters_of_the_corpus_have_no_findings_except_of_fields(filter: Filter) -> None:
    found = {identifier for identifier, *_ in _mistakes(filter.expression, link_type=filter.link_type)}
    assert found <= {"ipv4-field", "dropped-check"} | REDUNDANT.get(filter.expression, set())


@pytest.mark.parametrize("expression", NOTES)
def test_notes_are_returned_on_request(expression: str) -> None:
    assert _mistakes(expression) == ()
    assert [identifier for identifier, *_ in _mistakes(expression, notes=True)] == NOTES[expression]


@pytest.mark.parametrize("expression", SURPRISES)
def test_surprises_of_users_are_explained(expression: str) -> None:
    assert SURPRISES[expression] in {identifier for identifier, *_ in _mistakes(expression, notes=True)}


@pytest.mark.parametrize("expression", REJECTED)
def test_other_surprises_are_errors(expression: str) -> None:
    with pytest.raises(cbpf.ExpressionError):
        cbpf.lint_expression(expression, names=None)


def test_every_syntactic_rule_has_an_example() -> None:
    shown = {identifier for findings in MISTAKES.values() for identifier, *_ in findings}
    shown |= {identifier for identifiers in NOTES.values() for identifier in identifiers}
    assert {rule.identifier for rule in SYNTACTIC_RULES} - {"arp-hardware"} == shown
    assert len({rule.identifier for rule in LINT_RULES}) == len(LINT_RULES)


def test_addresses_in_arp_are_noted_on_other_hardware() -> None:
    for link_type, expected in ("EN10MB", False), ("ARCNET", True), ("LINUX_SLL", True):
        found = _mistakes("arp host 10.0.0.1", link_type=link_type, notes=True)
        assert (("arp-hardware", "arp host 10.0.0.1", "") in found) is expected


def test_other_primitives_of_libpcap_1_10_are_found() -> None:
    assert _mistakes("vpi != 1", link_type="SUNATM") == (("older-libpcap", "vpi != 1", "not vpi 1"),)
    assert _mistakes("opc > 5", link_type="MTP2") == ()


# Packets


@pytest.mark.parametrize("expression", MISTAKES)
def test_suggestions_and_expressions_differ_on_the_packet(expression: str) -> None:
    """The packet is accepted by one of both; without one, the suggestion is equivalent or absent."""
    for finding in _findings(expression):
        packet = finding.difference
        if packet is None:
            assert finding.is_equivalent or not finding.suggestion
            continue
        left, right = (cbpf.compile(text, optimizer=None, frontend="cbpf") for text in (expression, finding.suggestion))
        verdicts = [
            cbpf.VM(program).evaluate(packet.packet, wire_length=packet.wire_length) for program in (left, right)
        ]
        assert verdicts == [packet.left_verdict, packet.right_verdict]
        assert bool(verdicts[0]) != bool(verdicts[1])


@pytest.mark.parametrize("expression", MISTAKES)
def test_equivalent_suggestions_are_equal_on_every_packet(expression: str) -> None:
    for finding in _findings(expression):
        if finding.is_equivalent:
            assert cbpf.equivalent(*(cbpf.compile(text, frontend="cbpf") for text in (expression, finding.suggestion)))


@pytest.mark.parametrize("expression", MISTAKES)
def test_suggestions_do_not_break_the_rule(expression: str) -> None:
    checks = {rule.identifier: rule.check for rule in SYNTACTIC_RULES}
    for finding in _findings(expression):
        check = checks.get(finding.identifier)
        if check is not None and finding.suggestion:
            tree = parse(finding.suggestion)
            assert tree is not None
            if list(check(TreeView(finding.suggestion, tree, dlt=1))):  # without consequences
                assert finding.identifier not in {identifier for identifier, *_ in _mistakes(finding.suggestion)}


def test_a_missed_packet_is_preferred() -> None:
    (finding,) = cbpf.lint_expression("vlan 5 or vlan 6")
    assert finding.difference is not None
    assert finding.difference.left_verdict == 0
    assert int.from_bytes(finding.difference.packet[14:16], "big") & 0xFFF == 6


def test_usual_packets_are_preferred() -> None:
    """The packet is TCP over IPv4, or has the usual tag, although others would do as well."""
    for expression, start in ("not port 80 or 443", "080045"), ("vlan 5 or vlan 6", "81000006"):
        (finding,) = _findings(expression)
        assert finding.difference is not None
        assert finding.difference.packet[12:].hex().startswith(start)


def test_differences_on_truncated_packets_alone_are_not_mistakes() -> None:
    """The order of the text needs the ports of a TCP packet, the other reading does not; complete packets have them."""
    expression, reading = "tcp port 80 or tcp and tcp", "tcp port 80 or (tcp and tcp)"
    assert not cbpf.equivalent(cbpf.compile(expression), cbpf.compile("tcp"))
    assert _mistakes(expression) == _mistakes(reading)
    assert [identifier for identifier, *_ in _mistakes(expression)] == ["redundant"]


# Limits and errors


def test_rules_run_without_a_solver() -> None:
    """The optimiser alone shows that some mistakes have no consequences: it returns the same program."""
    script = """
        import sys; sys.modules["bitwuzla"] = None
        from cbpf import lint_expression
        for expression in "not port 80 or 443", "ip and tcp[13] & 2 != 0":
            for finding in lint_expression(expression):
                print(finding.severity, finding.identifier, finding.suggestion, finding.difference, finding.rule)
    """
    done = subprocess.run([sys.executable, "-c", dedent(script)], capture_output=True, text=True, check=True)
    mistake, missing, _ = done.stdout.splitlines()
    assert mistake.startswith("warning negated-list not port (80 or 443) None ")
    assert missing.startswith("undecided no-solver ")
    assert "pip install 'cbpf[smt]'" in missing


def test_the_time_limit_is_reported() -> None:
    findings = cbpf.lint_expression("not port 80 or 443", timeout=1e-9)
    assert [(finding.identifier, finding.suggestion) for finding in findings] == [
        ("negated-list", ""),
        ("time-limit", ""),
    ]


def test_errors_of_the_compiler_are_raised() -> None:
    with pytest.raises(cbpf.ExpressionError, match="column 5"):
        cbpf.lint_expression("tcp prot 80")
    with pytest.raises(cbpf.LinkTypeError):
        cbpf.lint_expression("vlan", link_type="RAW")
    for options in {"link_type": "WIFI"}, {"timeout": 0}, {"notes": 1}:
        with pytest.raises(cbpf.FieldError):
            cbpf.lint_expression("ip", **options)
    with pytest.raises(cbpf.FieldError, match="not text"):
        cbpf.lint_expression(b"ip")  # type: ignore[arg-type]


def test_compile_warns_of_mistakes_on_request() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program = cbpf.compile("ip or vlan and ip", lint=True)
    assert program == cbpf.compile("ip or vlan and ip")
    assert {(warning.filename, warning.category) for warning in caught} == {(__file__, cbpf.ExpressionWarning)}
    assert str(caught[0].message).startswith("expression 'ip or vlan and ip': column 1: 'and' and 'or' are read")
    assert [str(warning.message).rpartition("[")[2] for warning in caught] == ["mixed-operators]", "shifted-test]"]
    with pytest.raises(cbpf.FieldError, match=r"compile\.lint"):
        cbpf.compile("ip", lint=1)  # type: ignore[arg-type]


def test_netmasks_are_arguments() -> None:
    assert cbpf.lint_expression("ip broadcast", netmask="255.255.255.0") == ()
    with pytest.raises(cbpf.ExpressionError):
        cbpf.lint_expression("ip broadcast")
    with pytest.raises(cbpf.FieldError, match=r"lint_expression\.netmask"):
        cbpf.lint_expression("ip", netmask="24")


class _Names(SystemResolver):
    """Names of one host, which counts the queries."""

    queries = 0

    def addresses(self, host: str) -> tuple[str, ...]:
        self.queries += 1
        return ("192.0.2.1",) if host == "www" else ()


def test_names_are_looked_up_once() -> None:
    names = _Names()
    (finding,) = cbpf.lint_expression("not host www or 192.0.2.2", names=names)
    assert finding.suggestion == "not host (www or 192.0.2.2)"
    assert names.queries == 1
    with pytest.raises(cbpf.ExpressionError):
        cbpf.lint_expression("host www", names=None)


def test_findings_are_texts_and_dictionaries() -> None:
    (finding,) = cbpf.lint_expression("tcp or\nudp and port 53")
    assert str(finding).startswith("column 1: warning: 'and' and 'or' are read from left to right here")
    assert str(finding).endswith("write parentheses [mixed-operators]")
    (second,) = cbpf.lint_expression("tcp and\nnot port 80 or 443")
    assert str(second).startswith("line 2, column 1: warning: ")
    assert second.as_dict()["line"] == 2
    assert second.difference is not None
    assert second.as_dict()["packet"] == second.difference.packet.hex()


def test_deep_and_long_expressions_are_linted() -> None:
    """Nesting and length need no recursion, and the work is not quadratic."""
    count = 100
    nested = "(" * count + "vlan 5 or ip" + " or tcp)" * count
    chain = "tcp or udp and " * count + "ip"
    for expression, identifier in (nested, "shifted-test"), (chain, "mixed-operators"):
        assert cbpf.lint_expression(expression, timeout=0.2)[0].identifier == identifier


# -- live sockets --------------------------------------------------------------

LIVE = {
    "ip and vlan 5": ["rejects-all"],  # the tag has been removed, so the EtherType is that of IP
    "not vlan 5 and udp": ["shifted-test"],
    "(ip or vlan) and host 192.0.2.1": ["shifted-test"],
    "vlan or ip": ["shifted-test"],
}
"""Expressions without a mistake for a live socket, and the findings about them on captures."""
BOTH = {
    "vlan 5 or vlan 6": ["shifted-test"],  # a second tag is in the bytes of the packet
    "mpls or ip": ["shifted-test"],
    "geneve or ip": ["undefined-offset"],
    "vlan and vlan 6": [],
    "not port 80 or 443": ["negated-list"],
    "udp or udp port 53": ["redundant"],
    "vlan and inbound and outbound": ["rejects-all"],
}
"""Expressions with the same findings on both."""


def _identifiers(expression: str, *, live: bool) -> list[str]:
    return [finding.identifier for finding in cbpf.lint_expression(expression, live=live)]


@pytest.mark.parametrize("expression", [*LIVE, *BOTH])
def test_live_expressions_have_their_own_findings(expression: str) -> None:
    """compile(lint=True) warns of the same findings."""
    expected = [] if expression in LIVE else BOTH[expression]
    assert _identifiers(expression, live=False) == {**LIVE, **BOTH}[expression]
    assert _identifiers(expression, live=True) == expected
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cbpf.compile(expression, live=True, lint=True)
    assert [str(each.message).rpartition("[")[2] for each in caught if "[" in str(each.message)] == [
        f"{identifier}]" for identifier in expected
    ]


def test_a_removed_tag_does_not_contradict_ip() -> None:
    frame = bytes.fromhex("020000000002 020000000001 0800 45000014 00000000 4011 0000 c0000201 c0000202")
    tagged = cbpf.Metadata(vlan=cbpf.VlanTag(5))
    vm = cbpf.VM(cbpf.compile("ip and vlan 5", live=True), dialect=cbpf.LINUX)
    assert vm.evaluate(frame, metadata=tagged) == 262144


def test_suggestions_for_live_expressions_differ_on_a_packet_with_metadata() -> None:
    (finding,) = cbpf.lint_expression("inbound and not port 80 or 443", live=True)
    assert finding.suggestion == "inbound and not port (80 or 443)"


def test_the_command_judges_live_expressions(cli: CommandLine) -> None:
    assert cli("lint", "--live", "ip and vlan 5").exit_code == 0
    assert cli("lint", "ip and vlan 5").exit_code == 1
