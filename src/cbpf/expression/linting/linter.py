"""`lint_expression`: the findings about a filter expression."""

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from itertools import islice

from ..._typing import Final, get_args
from ..._validators import flag, optional, seconds
from ...errors import ExpressionError, FieldError, MissingLibrary, Undecided, VerificationError
from ...formats.text_input import SourceText
from ...isa.dialects import LINUX, PCAP
from ...isa.program import Program
from ...packet.link_types import LinkType
from ...packet.link_types import link_type as find_link_type
from ...proofs.equivalence import Difference
from ..address_lists import Expression
from ..front_end import generated_condition
from ..generator.generate import Generated
from ..names import SYSTEM_NAMES, Lookups, Resolver
from ..parser import parse
from ..syntax_tree import Span
from ..target import Target, netmask_number
from .clauses import ACCEPTED, Clauses, plain_program, program_of
from .comparison import Comparison
from .findings import Draft, LintFinding, Severity
from .proof_rules import compared_clauses
from .rules import INCOMPLETE_RULES, PROOF_RULES, SYNTACTIC_RULES, LintRule
from .tree_view import TreeView

_RANKS: Final = {severity: rank for rank, severity in enumerate(get_args(Severity))}
_MAX_FINDINGS: Final = 100  # of each rule, in an expression of any length
_PROOF_RULES: Final = {rule.identifier: rule for rule in PROOF_RULES}
DEFAULT_TIMEOUT: Final = 10
"""The time for all comparisons of programs by default, in seconds."""

_USUAL: Final = ("ip proto 6", "ip", "ether[12:2] = 0x8100", "ip6 proto 6")
"""Expressions for packets that are easy to recognise; a packet that shows a mistake is one of these if possible."""

_check_timeout: Final = optional(seconds)


def lint_expression(
    expression: str,
    *,
    link_type: str | int | LinkType = "EN10MB",
    netmask: int | str | None = None,
    notes: bool = False,
    timeout: float | None = DEFAULT_TIMEOUT,
    names: Resolver | None = SYSTEM_NAMES,
    live: bool = False,
) -> tuple[LintFinding, ...]:
    """Return the findings about a filter expression: parts that hardly mean the intention of their author.

    A finding that depends on the rest of the expression is reported only if its suggestion differs from the expression
    on a packet; the finding contains the packet if the extra `smt` is installed.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)).
        link_type: The link type of the packets; see `compile`.
        netmask: The netmask of the network; see `compile`.
        notes: Whether to return notes as well: properties that nearly every filter has.
        timeout: The time for all comparisons of programs, in seconds; None: no limit.
        names: The source of the names in the expression; see `compile`.
        live: Whether the expression is for a live Linux packet socket; see `compile`. There, `vlan` moves the tests
            after it only in packets that have the tag in their bytes.

    Returns:
        The findings: errors, warnings, notes, and questions without an answer, each in the order of the text.

    Raises:
        ExpressionError: The expression cannot be compiled; `LinkTypeError` if the link type is the reason.
        FieldError: An argument is invalid.

    >>> for finding in lint_expression("not port 80 or 443"):
    ...     print(finding.identifier, finding.suggestion, sep=": ")
    negated-list: not port (80 or 443)
    """
    if not isinstance(expression, str):
        raise FieldError(f"expression: {expression!r} is not text")
    dlt = find_link_type(link_type).dlt
    number = netmask_number("lint_expression.netmask", netmask)
    target = Target(dlt, ACCEPTED, number, socket="link" if flag("lint_expression.live", live) else None)
    flag("lint_expression.notes", notes)
    timeout = _check_timeout("lint_expression.timeout", timeout)
    return lint_findings(expression, target, Lookups(names), notes=notes, timeout=timeout)


def lint_findings(
    text: str, target: Target, names: Lookups, *, notes: bool = False, timeout: float | None = DEFAULT_TIMEOUT
) -> tuple[LintFinding, ...]:
    """Return the findings about an expression for a device or a capture file; see `lint_expression`."""
    comparison = Comparison(timeout, PCAP if target.socket is None else LINUX)
    return _Linter(text, target, names, comparison).findings(notes)


class _Linter:
    """The findings about one expression."""

    def __init__(self, text: str, target: Target, names: Lookups, comparison: Comparison) -> None:
        self._text = text
        self._target = target
        self._names = names
        self._comparison = comparison
        self._source = SourceText(text)
        self._generated = self._generate(text)
        self._program = program_of(self._generated.condition, comparison.dialect)

    def findings(self, notes: bool) -> tuple[LintFinding, ...]:
        """Return all findings, sorted."""
        tree = parse(self._text)
        if tree is None:
            return ()
        view = TreeView(self._text, tree, self._target.dlt, is_live=self._target.socket is not None)
        drafts = [*self._syntactic(view, notes), *self._proved(view, notes)]
        findings = [finding for finding in (self._finding(*each) for each in drafts) if finding is not None]
        findings += [self._incomplete(rule) for rule in INCOMPLETE_RULES if rule.identifier in self._comparison.missing]
        return tuple(sorted(findings, key=lambda finding: (_RANKS[finding.severity], finding.span)))

    def _syntactic(self, view: TreeView, notes: bool) -> Iterator[tuple[LintRule, Draft]]:
        for rule in SYNTACTIC_RULES:
            if rule.check is not None and (notes or rule.severity != "note"):
                yield from ((rule, draft) for draft in islice(rule.check(view), _MAX_FINDINGS))

    def _proved(self, view: TreeView, notes: bool) -> Iterator[tuple[LintRule, Draft]]:
        for identifier, draft in compared_clauses(view, Clauses(self._generated, self._comparison)):
            rule = _PROOF_RULES[identifier]
            if notes or rule.severity != "note":
                yield rule, draft

    def _finding(self, rule: LintRule, draft: Draft) -> LintFinding | None:
        """Return a finding; None if its suggestion has the meaning of the expression, so that it is not a mistake.

        A suggestion is dropped if it cannot be compiled, or if it should have the meaning of the expression and has
        not.
        """
        if not draft.suggestion:
            return self._new_finding(rule, draft)
        without_suggestion = draft._replace(suggestion="")
        try:
            self._comparison.remaining_time()
            program = program_of(self._generate(draft.suggestion).condition, self._comparison.dialect)
        except (ExpressionError, Undecided):
            return self._new_finding(rule, without_suggestion)
        try:
            difference = self._comparison.difference(self._program, program, usual=self._usual)
        except (Undecided, MissingLibrary, VerificationError):  # the dialect may not support the plain code
            return self._new_finding(rule, without_suggestion if draft.is_equal else draft)
        if draft.is_equal:
            return self._new_finding(rule, draft if difference is None else without_suggestion)
        if difference is None:
            return self._new_finding(rule, without_suggestion) if draft.is_certain else None
        return self._new_finding(rule, draft, difference)

    def _incomplete(self, rule: LintRule) -> LintFinding:
        """Return the finding that answers are missing."""
        whole, reason = Span(0, len(self._text)), self._comparison.missing[rule.identifier]
        return self._new_finding(rule, Draft(whole, "some comparisons have no answer", reason))

    def _new_finding(self, rule: LintRule, draft: Draft, difference: Difference | None = None) -> LintFinding:
        return LintFinding(
            rule.identifier,
            rule.severity,
            draft.span,
            draft.related,
            self._source.problem(draft.span.start, draft.fact),
            draft.rule,
            draft.suggestion,
            bool(draft.suggestion) and draft.is_equal,
            difference,
        )

    @cached_property
    def _usual(self) -> list[Program]:
        programs = []
        for text in _USUAL:
            with suppress(ExpressionError):
                programs.append(plain_program(self._generate(text).condition))
        return programs

    def _generate(self, text: str) -> Generated:
        return generated_condition(Expression(text), self._target, self._names)
