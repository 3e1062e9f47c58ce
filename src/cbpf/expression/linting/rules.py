"""The table of rules: the name, the severity and the summary of each finding of `lint_expression`."""

from collections.abc import Callable, Iterator

from ..._record import Record
from ..._typing import Final, TypeAlias
from . import identifier_rules, junction_rules, notes, offset_rules, relation_rules
from .findings import Draft, Severity
from .tree_view import TreeView

Check: TypeAlias = Callable[[TreeView], Iterator[Draft]]


class LintRule(Record):
    """A rule of `lint_expression`.

    Args:
        identifier: The name in kebab case, stable across releases.
        severity: The severity of its findings.
        summary: The mistake or property that it finds.
        check: The function that finds it in a syntax tree; None if a comparison of programs finds it.
    """

    identifier: str
    severity: Severity
    summary: str
    check: Check | None = None


SYNTACTIC_RULES: Final = (
    LintRule(
        "undefined-offset",
        "error",
        "A test looks into the inner packet of a tunnel that may be absent",
        offset_rules.undefined_offsets,
    ),
    LintRule(
        "shifted-test",
        "warning",
        "A test is moved by `vlan`, `mpls` or `pppoes`, also in packets without that header",
        offset_rules.shifted_tests,
    ),
    LintRule(
        "mixed-operators",
        "warning",
        "`and` and `or` without parentheses, which are read from left to right",
        junction_rules.mixed_operators,
    ),
    LintRule(
        "negated-list",
        "warning",
        "`not` before several identifiers, of which it negates the first",
        junction_rules.negated_lists,
    ),
    LintRule(
        "unequal-alternatives",
        "warning",
        "`or` between tests that exclude different values, of which one always holds",
        junction_rules.unequal_alternatives,
    ),
    LintRule(
        "net-without-prefix",
        "warning",
        "`net` with a complete address, which is one address",
        identifier_rules.net_without_prefix,
    ),
    LintRule(
        "short-address",
        "warning",
        "`host` with two or three numbers, which is a network",
        identifier_rules.short_address,
    ),
    LintRule(
        "number-as-address",
        "warning",
        "`host` with one number, which is an address of 32 bits",
        identifier_rules.number_as_address,
    ),
    LintRule(
        "ipv4-field",
        "warning",
        "A field such as `tcp[13]`, which no IPv6 packet has",
        relation_rules.ipv4_fields,
    ),
    LintRule(
        "dropped-check",
        "warning",
        "A field in the right operand of an operation, which is loaded whatever the protocol is",
        relation_rules.dropped_checks,
    ),
    LintRule(
        "modulo-precedence",
        "warning",
        "`%` or `^` with an operand that is longer or shorter than in other languages",
        relation_rules.modulo_precedence,
    ),
    LintRule(
        "older-libpcap",
        "warning",
        "A primitive that libpcap 1.10 compiles to another meaning",
        relation_rules.libpcap_differences,
    ),
    LintRule("any-transport", "note", "`port` without a protocol: TCP, UDP and SCTP", notes.any_transport),
    LintRule("later-fragment", "note", "`port`, which later fragments of IPv4 do not have", notes.later_fragments),
    LintRule(
        "extension-header",
        "note",
        "A transport protocol, which is not found after extension headers of IPv6",
        notes.extension_headers,
    ),
    LintRule("arp-of-host", "note", "`host` and `net`, which also match ARP and RARP", notes.arp_of_host),
    LintRule("arp-hardware", "note", "Addresses in ARP, which may be at other offsets", notes.arp_hardware),
    LintRule("icmp-of-ipv4", "note", "`icmp`, which is not ICMP in IPv6", notes.icmp_of_ipv4),
    LintRule("wire-length", "note", "`less`, `greater` and `len`: the length on the wire", notes.wire_length),
    LintRule("vlan-metadata", "note", "A VLAN tag in the bytes of the frame", notes.tags_of_live_devices),
)
"""The rules that need the syntax tree only, in the order of their severity."""

PROOF_RULES: Final = (
    LintRule("rejects-all", "error", "The filter rejects every packet"),
    LintRule("accepts-all", "warning", "The filter accepts every packet"),
    LintRule("never-true", "warning", "A part of the filter that is true for no packet"),
    LintRule("always-true", "warning", "A part of the filter that is true for every packet"),
    LintRule("redundant", "warning", "A part of the filter that other parts imply: without it, no verdict changes"),
    LintRule("redundant-protocol", "note", "A protocol that the tests beside it imply"),
)
"""The rules that compare programs."""

INCOMPLETE_RULES: Final = (
    LintRule("no-solver", "undecided", "Comparisons that need the extra `smt`, which is not installed"),
    LintRule("time-limit", "undecided", "Comparisons without an answer within the limits of time and memory"),
)
"""The findings about findings that may be missing."""

LINT_RULES: Final = (*SYNTACTIC_RULES, *PROOF_RULES, *INCOMPLETE_RULES)
"""All rules of `lint_expression`."""
