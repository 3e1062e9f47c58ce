"""Rules about the bits of arguments: a filter sees 64 of them, and the kernel may read fewer."""

from collections.abc import Callable, Iterator

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ..calls import SystemCall
from ..diagrams.decision_diagram import FALSE, TRUE, DecisionDiagram, Node
from ..diagrams.record_bits import ARGUMENTS, FIELDS, Field
from ..diagrams.word_sets import set_of
from ..names.architectures import Architecture
from ..names.arguments import Argument, arguments_of
from ..names.system_calls import call_names
from ..rules import MaskedRanges
from .findings import AuditFinding
from .phrases import names_text
from .subject import Subject

_HIGH_HALF: Final = 0xFFFF_FFFF_0000_0000


class _Opened(NamedTuple):
    """The calls of one name that run although the value of an argument should be denied.

    Args:
        name: The name of the calls.
        position: The index of the argument.
        argument: The argument.
        calls: The calls, by the name of their architecture.
    """

    name: str
    position: int
    argument: Argument
    calls: dict[str, Node]


def high_bits(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the arguments for which bits that the kernel discards make a denied call run."""
    for name, index, argument, calls in _opened(subject, _opened_by_high_bits):
        witness = subject.member(next(iter(calls.values())))
        kept = f"the lower {argument.width} bits"
        yield subject.finding(
            f"high-bits:{name}.{argument.name}",
            "high",
            f"{name} runs with denied values of {argument.name!r} if other bits than {kept} are set, which the kernel"
            f" discards ({names_text(calls)}).",
            f"Compare only {kept} of {argument.name!r}, or deny calls in which others are set.",
            calls=calls.values(),
            contrast=_with_argument(witness, index, witness.arguments[index] & (1 << argument.width) - 1),
        )


def low_halves(subject: Subject) -> Iterator[AuditFinding]:
    """Yield the arguments of 64 bits that are compared with numbers in their lower half only."""
    for name, index, argument, calls in _opened(subject, _opened_by_low_half):
        witness = subject.member(next(iter(calls.values())))
        yield subject.finding(
            f"low-half:{name}.{argument.name}",
            "medium",
            f"{name} runs with large values of {argument.name!r}: the filter compares its lower half, and the kernel"
            f" reads 64 bits ({names_text(calls)}).",
            f"Require that the upper half of {argument.name!r} is 0.",
            calls=calls.values(),
            contrast=_denied_neighbour(subject, index, witness),
        )


class _Test(NamedTuple):
    """The test of an argument, as two conditions on the arguments of a call.

    Args:
        allowed: The condition under which the call runs.
        denied: The condition under which it does not run.
        position: The index of the argument.
        width: The number of low bits that the kernel reads.
    """

    allowed: Node
    denied: Node
    position: int
    width: int


def _opened(subject: Subject, opened_by: Callable[[DecisionDiagram, _Test], Node]) -> Iterator[_Opened]:
    """Yield the calls whose arguments a function returns for the test of one of them, where there are any."""
    known: dict[_Test, Node] = {}
    found: dict[tuple[str, str], _Opened] = {}
    for row, name, position, argument, test in _tests(subject):
        if test not in known:
            known[test] = opened_by(subject.diagram, test)
        if known[test] != FALSE:
            opened = found.setdefault((name, argument.name), _Opened(name, position, argument, {}))
            opened.calls[row.name] = subject.call(row, name, known[test])
    yield from found.values()


def _tests(subject: Subject) -> Iterator[tuple[Architecture, str, int, Argument, _Test]]:
    """Yield the known arguments of calls that run for some arguments, and not for others, in registers of 64 bits."""
    for row in subject.architectures:
        for name in call_names(row) if row.register_bits == 64 else ():
            allowed, denied = (subject.arguments(function, row, name) for function in (subject.allowed, subject.denied))
            if not subject.diagram.is_leaf(allowed):
                for position, argument in enumerate(arguments_of(name, row)):
                    yield row, name, position, argument, _Test(allowed, denied, position, argument.width)


def _opened_by_high_bits(diagram: DecisionDiagram, test: _Test) -> Node:
    """Return the arguments of calls that run, although the value that the kernel reads is denied in its usual forms.

    Those are the value with zeros above it, and a negative one with ones above it.
    """
    field = ARGUMENTS[test.position]
    discarded = range(field.first, field.end - test.width)
    if not any(variable in discarded for variable in _support(diagram, test.allowed, field)):
        return FALSE
    zeros, ones = (diagram.restrict(test.denied, dict.fromkeys(discarded, bit)) for bit in (False, True))
    sign = diagram.variable(field.end - test.width)
    return diagram.both(test.allowed, diagram.choose(sign, diagram.both(zeros, ones), zeros))


def _opened_by_low_half(diagram: DecisionDiagram, test: _Test) -> Node:
    """Return the arguments of calls that run with an upper half that is not 0, and are denied for some lower half."""
    field = ARGUMENTS[test.position]
    if test.width < field.bits or not _compares_low_half(_support(diagram, test.allowed, field), field):
        return FALSE
    upper_is_zero = set_of(diagram, field, [MaskedRanges(_HIGH_HALF, ((0, 0),))])
    return diagram.choose(upper_is_zero, FALSE, diagram.both(test.allowed, _for_some(diagram, test.denied, field)))


def _support(diagram: DecisionDiagram, function: Node, field: Field) -> set[int]:
    """Return the variables of a field on which a function depends."""
    variables = {diagram.variables[node] for node in diagram.reachable(function)}
    return {variable for variable in variables if field.first <= variable < field.end}


def _compares_low_half(support: set[int], field: Field) -> bool:
    """Return whether the variables are the most significant ones of the lower half, without a gap.

    A comparison with a number depends on these; a test of flags depends on single bits.
    """
    first = field.end - 32
    return len(support) > 1 and support == set(range(first, first + len(support)))


def _for_some(diagram: DecisionDiagram, function: Node, field: Field) -> Node:
    """Return the condition that a function holds for some value of a field."""
    for variable in _support(diagram, function, field):
        function = diagram.either(*(diagram.restrict(function, {variable: bit}) for bit in (False, True)))
    return function


def _denied_neighbour(subject: Subject, index: int, call: SystemCall) -> SystemCall:
    """Return a denied call that differs from another one in one argument only."""
    diagram, denied = subject.diagram, subject.denied
    values = (call.audit_arch, call.number, *call.arguments, call.instruction_pointer)
    for field, value in zip(FIELDS, values, strict=True):
        if field != ARGUMENTS[index]:
            bits = {field.end - 1 - bit: bool(value >> bit & 1) for bit in range(field.bits)}
            denied = diagram.restrict(denied, bits)
    return _with_argument(call, index, ARGUMENTS[index].value(diagram.path(denied, TRUE)))


def _with_argument(call: SystemCall, index: int, value: int) -> SystemCall:
    arguments = list(call.arguments)
    arguments[index] = value
    pointer = call.instruction_pointer
    return SystemCall(call.number, arguments, architecture=call.audit_arch, instruction_pointer=pointer)
