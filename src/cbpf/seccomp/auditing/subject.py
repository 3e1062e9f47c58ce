"""The subject of an audit: a filter as functions of the record, and their parts for each call that has a name."""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from ..._typing import Final
from ...isa.verdicts import SeccompAction
from ...isa.word_ranges import complement, intersection, union
from ..calls import SystemCall
from ..diagrams.call_sets import OPERAND_FIELDS, call_set
from ..diagrams.decision_diagram import FALSE, TRUE, DecisionDiagram, Node
from ..diagrams.filter_functions import rule_condition, stack_function
from ..diagrams.opaque_words import OpaqueWords
from ..diagrams.program_diagram import ProgramMeaning
from ..diagrams.record_bits import ARCHITECTURE, FIELDS, NUMBER, RECORD_BITS, Field
from ..diagrams.regions import RegionWalk
from ..diagrams.word_sets import set_of
from ..names.actions import ACTION_WORDS
from ..names.architectures import ARCHITECTURES, Architecture
from ..names.system_calls import call_names
from ..policies import Policy
from ..rules import Condition, MaskedRanges
from ..stacks import Stack
from .findings import AuditFinding, Severity

_COMPATIBLE: Final = (
    ("x86_64", "i386", "x32"),
    ("aarch64", "arm"),
    ("s390x", "s390"),
    ("ppc64", "ppc"),
    ("mips64", "mips64n32", "mips"),
    ("mipsel64", "mipsel64n32", "mipsel"),
)
"""The architectures whose system calls one kernel may execute, the native one first."""

_COMPUTED: Final = "computed"
"""The leaf where arithmetic decides that the diagram does not represent."""

UNKNOWN_AUDIT_ARCH: Final = 0x4000_FFFF
"""The number of an architecture that does not exist: ELF reserves the machine 0xffff."""

_SUPERVISED: Final = frozenset({0x7FC0_0000, 0x7FF0_0000})
"""The actions by which another process decides: USER_NOTIF and TRACE."""


class Subject:
    """A filter that is audited. May raise `TooManySteps`, as its methods may.

    Args:
        filter_: The filter.
        architecture: The native architecture, where the filter does not determine it.

    Attributes:
        diagram: The diagram of all functions. Functions of *arguments* test no architecture and no number.
        filter: The filter.
        meanings: The meanings of the programs; () for a policy.
        rules: The conditions under which the rules of a policy match, whether or not an earlier one does.
        verdict: The verdict.
        allowed: The condition that a call runs.
        denied: The condition that a call does not run, and no other process decides.
        computed: The condition that arithmetic decides that the diagram does not represent.
        families: The architectures whose calls are audited, by machine, the native one first.
    """

    def __init__(self, filter_: Stack | Policy, architecture: Architecture) -> None:
        diagram = self.diagram = DecisionDiagram()
        self.filter = filter_
        self.meanings: Sequence[ProgramMeaning] = ()
        self.rules: Sequence[Node] = ()
        if isinstance(filter_, Policy):
            self.rules = [rule_condition(diagram, rule) for rule in filter_.rules]
            verdict = diagram.leaf(filter_.default)
            for condition, rule in zip(reversed(self.rules), reversed(filter_.rules), strict=True):
                verdict = diagram.choose(condition, diagram.leaf(rule.verdict), verdict)
        else:
            opaque = OpaqueWords(diagram)
            self.meanings = [ProgramMeaning(diagram, each, filter_.dialect, opaque) for each in filter_.programs]
            verdict = stack_function(diagram, [meaning.verdict for meaning in self.meanings])
        self.verdict = without_computed(diagram, verdict)
        self.allowed = self.where(lambda action: action.runs)
        self.denied = self.where(lambda action: not action.runs and action.value not in _SUPERVISED)
        self.computed = self._mapped(lambda value: not isinstance(value, int))
        self._of_architecture: dict[tuple[Node, int], Node] = {}
        self._arguments: dict[tuple[Node, str, str], Node] = {}
        self._default_verdicts: dict[str, set[Node]] = {}
        self._unnamed: dict[str, Node] = {}
        self._architecture = architecture
        self._walk = RegionWalk(diagram, FALSE)
        self.families = self._families()

    def where(self, test: Callable[[SeccompAction], bool]) -> Node:
        """Return the condition that the action passes a test; it does not hold where the action is computed."""
        return self._mapped(lambda value: isinstance(value, int) and test(SeccompAction(value)))

    def _mapped(self, test: Callable[[object], bool]) -> Node:
        diagram = self.diagram

        def replacement(node: Node) -> Node | None:
            if not diagram.is_leaf(node):
                return None
            return TRUE if test(diagram.leaf_value(node)) else FALSE

        return diagram.replace(self.verdict, replacement)

    def enosys(self, row: Architecture) -> Node:
        """Return the condition that a call fails with the errno ENOSYS of an architecture."""
        verdict = ACTION_WORDS["errno"].value | row.enosys
        return self.where(lambda action: action.verdict == verdict)

    @property
    def actions(self) -> set[SeccompAction]:
        """The actions that the filter has."""
        leaves = filter(self.diagram.is_leaf, self.diagram.reachable(self.verdict))
        values = map(self.diagram.leaf_value, leaves)
        return {SeccompAction(value) for value in values if isinstance(value, int)}

    # Architectures

    def _families(self) -> tuple[tuple[Architecture, ...], ...]:
        """Return the machines of the architectures that the filter distinguishes from unknown ones."""
        byte_order = self.filter.dialect.byte_order
        rows = [row for row in ARCHITECTURES.values() if row.byte_order == byte_order]
        tested = [row for row in rows if self.of_architecture(self.verdict, row) != self.unknown_architecture]
        named = {row.name for row in tested or [self._architecture]}
        compatible = {name: names for names in _COMPATIBLE for name in names}
        families = dict.fromkeys(
            compatible.get(row.name, (row.name,)) for row in ARCHITECTURES.values() if row.name in named
        )
        return tuple(tuple(ARCHITECTURES[name] for name in family) for family in families)

    @property
    def unknown_architecture(self) -> Node:
        """The verdict for an architecture that does not exist."""
        return fixed(self.diagram, self.verdict, ARCHITECTURE, UNKNOWN_AUDIT_ARCH)

    @property
    def tests_architecture(self) -> bool:
        """Whether the verdict depends on the architecture."""
        return self.diagram.variables[self.verdict] < ARCHITECTURE.end

    def of_architecture(self, function: Node, row: Architecture) -> Node:
        """Return a function of the record for the calls of an AUDIT_ARCH."""
        key = function, row.audit_arch
        if key not in self._of_architecture:
            self._of_architecture[key] = fixed(self.diagram, function, ARCHITECTURE, row.audit_arch)
        return self._of_architecture[key]

    @property
    def architectures(self) -> tuple[Architecture, ...]:
        """The architectures whose calls are audited."""
        return tuple(row for family in self.families for row in family)

    # Calls

    def arguments(self, function: Node, row: Architecture, name: str) -> Node:
        """Return a function of the record for one call of an architecture: a function of its arguments."""
        key = function, row.name, name
        if key not in self._arguments:
            calls = self.of_architecture(function, row)
            self._arguments[key] = fixed(self.diagram, calls, NUMBER, call_names(row)[name])
        return self._arguments[key]

    def numbers_without_name(self, row: Architecture) -> Node:
        """Return the set of numbers that a row of `ARCHITECTURES` may have, but that no call has."""
        if row.name not in self._unnamed:
            names = union((number, number) for number in call_names(row).values())
            unnamed = intersection(complement(names), ((row.number_base, row.number_base | 0x3FFF_FFFF),))
            self._unnamed[row.name] = set_of(self.diagram, NUMBER, [MaskedRanges(ranges=unnamed)])
        return self._unnamed[row.name]

    def denies_deliberately(self, row: Architecture, name: str) -> bool:
        """Return whether a call is denied, at least for some arguments, otherwise than calls without a name are."""
        verdict = self.arguments(self.verdict, row, name)
        return self.arguments(self.denied, row, name) != FALSE and verdict not in self._defaults(row)

    def _defaults(self, row: Architecture) -> set[Node]:
        """Return the verdicts for numbers without a name."""
        if row.name not in self._default_verdicts:
            unnamed = self.numbers_without_name(row)
            parts = self.diagram.split(self.of_architecture(self.verdict, row), NUMBER.end)
            known = {part for part, numbers in parts.items() if self.diagram.both(numbers, unnamed) != FALSE}
            self._default_verdicts[row.name] = known
        return self._default_verdicts[row.name]

    def call(self, row: Architecture, name: str, arguments: Node = TRUE) -> Node:
        """Return the calls of an architecture with a name and these arguments."""
        return self.of(row, exactly(self.diagram, NUMBER, call_names(row)[name], arguments))

    def of(self, row: Architecture, calls: Node) -> Node:
        """Return the calls of an architecture that fulfil a condition on the number and the arguments."""
        return exactly(self.diagram, ARCHITECTURE, row.audit_arch, calls)

    def any_of(self, functions: Iterable[Node]) -> Node:
        """Return the disjunction of conditions."""
        return reduce(self.diagram.either, functions, FALSE)

    # Findings

    def member(self, calls: Node) -> SystemCall:
        """Return the smallest call of a set that is not empty."""
        true_variables = self.diagram.path(calls, TRUE)
        architecture, number, *arguments, pointer = (field.value(true_variables) for field in FIELDS)
        return SystemCall(number, arguments, architecture=architecture, instruction_pointer=pointer)

    def action(self, call: SystemCall) -> SeccompAction:
        """Evaluate a call by running the programs, or by the rules of the policy."""
        if isinstance(self.filter, Stack):
            return self.filter.evaluate(call).action
        return self.filter.action(call.audit_arch, call.number, call.arguments, call.instruction_pointer)

    def finding(
        self,
        identifier: str,
        severity: Severity,
        message: str,
        advice: str,
        *,
        calls: Iterable[Node] = (),
        contrast: SystemCall | None = None,
    ) -> AuditFinding:
        """Return a finding about sets of calls, none of which is empty; the witness is a member of the first one."""
        nodes = list(calls)
        if not nodes:
            return AuditFinding(identifier, severity, message, advice)
        regions = self._walk.regions(self.any_of(nodes))
        witness = self.member(nodes[0])
        return AuditFinding(
            identifier,
            severity,
            message,
            advice,
            tuple(map(call_set, regions)),
            witness,
            self.action(witness),
            contrast,
            None if contrast is None else self.action(contrast),
            any(region.rest != TRUE for region in regions),
        )


def without_computed(diagram: DecisionDiagram, verdict: Node) -> Node:
    """Return a verdict with one leaf for all verdicts that the diagram does not represent."""
    computed = diagram.leaf(_COMPUTED)

    def replacement(node: Node) -> Node | None:
        if diagram.is_leaf(node):
            return node if isinstance(diagram.leaf_value(node), int) else computed
        return computed if diagram.variables[node] >= RECORD_BITS else None

    return diagram.replace(verdict, replacement)


def fixed(diagram: DecisionDiagram, function: Node, field: Field, value: int) -> Node:
    """Return a function whose first variables are those of a field, for a number in it."""
    variables, low, high, end = diagram.variables, diagram.low, diagram.high, field.end
    while variables[function] < end:
        function = high[function] if value >> end - 1 - variables[function] & 1 else low[function]
    return function


def exactly(diagram: DecisionDiagram, field: Field, value: int, rest: Node) -> Node:
    """Return the condition that a field has a value, and *rest*, a condition on later fields, holds."""
    for bit in range(field.bits):
        variable = diagram.variable(field.end - 1 - bit)
        rest = diagram.choose(variable, rest, FALSE) if value >> bit & 1 else diagram.choose(variable, FALSE, rest)
    return rest


def condition_node(diagram: DecisionDiagram, conditions: Iterable[Condition], masks: Sequence[int]) -> Node:
    """Return conditions on operands as a function, where only some bits of each operand are compared."""
    result = TRUE
    for condition in conditions:
        mask = masks[condition.operand]
        alternatives = [MaskedRanges(each.mask & mask, each.ranges) for each in condition.alternatives]
        result = diagram.both(set_of(diagram, OPERAND_FIELDS[condition.operand], alternatives), result)
    return result
