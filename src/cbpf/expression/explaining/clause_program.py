"""An expression with its plain code, and the outcome of each of its parts in a run on one packet."""

from collections.abc import Iterator

from ..._named_tuple import NamedTuple
from ..._typing import Final, Literal, TypeAlias
from ...capture.base import Interface
from ...engines.interpreter import Fetched, Step
from ...isa.dialects import PCAP, Dialect
from ...isa.opcodes import OPCODE_BY_CODE, Action
from ...packet.link_types import LinkType
from ...packet.link_types import link_type as find_link_type
from ...packet.metadata import Metadata
from ...vm import VM
from ..address_lists import Expression
from ..compiler import DEFAULT_SNAPLEN, check_snaplen
from ..formatting import parsed
from ..front_end import check_characters, generated_condition
from ..generator.assembler import assemble
from ..generator.conditions import AllOf, AnyOf, Clause, Comparison, Condition, Effect, Membership, Negation
from ..generator.sets import expanded
from ..generator.steps import Steps
from ..names import Lookups
from ..target import Target, interface_target, netmask_number
from .parts import Part, parts_of, with_lists

Outcome: TypeAlias = Literal["true", "false", "not evaluated", "bytes missing", "division by zero"]
"""The outcome of a part in a run. The last two end the run, and reject the packet."""

_OUTCOMES: Final[dict[bool, Outcome]] = {True: "true", False: "false"}


class PartOutcome(NamedTuple):
    """The outcome of a part in a run, and, of a clause, the loads that it made, in their order."""

    outcome: Outcome
    loads: tuple[Fetched, ...]


class ClauseRun(NamedTuple):
    """A run of the plain code on one packet.

    Args:
        accepts: Whether the packet is accepted.
        outcomes: The outcome of each part.
        last: The index of the last clause that was evaluated, which decides; None if there is none.
        measured: The loads of the measurements before all clauses.
    """

    accepts: bool
    outcomes: tuple[PartOutcome, ...]
    last: int | None
    measured: tuple[Fetched, ...]


class ClauseProgram:
    """An expression, compiled to plain code.

    Args:
        expression: The expression.
        target: The packets.
        names: The names.
        dialect: The dialect under which the plain code runs.

    Raises:
        ExpressionError: The expression cannot be compiled; `LinkTypeError` if it can be for another link type.

    Attributes:
        parts: The parts of the expression.
        spans: The part of the text to which each instruction belongs; None for the measurements and the verdicts.
        vm: The plain code.
        measurements: The condition before all clauses.
        conditions: The condition of each clause, by the index of its part.
    """

    def __init__(self, expression: Expression, target: Target, names: Lookups, dialect: Dialect = PCAP) -> None:
        text = expression.text
        tree = parsed(text)
        generated = generated_condition(expression, target, names)
        assembly = assemble(generated.condition, target.snaplen)
        of_text = parts_of(text, tree)
        self.parts: tuple[Part, ...] = with_lists(of_text, expression)
        self.spans = assembly.spans
        self.vm = VM(assembly.instructions, dialect=dialect)
        self.measurements = generated.measurements
        clauses = [index for index, part in enumerate(self.parts) if part.kind == "clause"]
        of_clauses = [generated.parts[part.span] for part in of_text if part.kind == "clause"]
        self.conditions = dict(zip(clauses, (*generated.lists, *of_clauses), strict=True))

    def run(self, packet: bytes, wire_length: int, metadata: Metadata | None = None) -> ClauseRun:
        """Return the outcomes of a run on one packet."""
        return _Evaluation(self, self.vm.trace(packet, wire_length=wire_length, metadata=metadata)).run()


class _Ended(Exception):
    """The run has ended within a test, which rejects the packet."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class _Evaluation:
    """The evaluation of the parts of an expression along the steps of one run."""

    def __init__(self, program: ClauseProgram, trace: Iterator[Step]) -> None:
        self._program = program
        self._steps = _Steps(trace)
        self._outcomes = [PartOutcome("not evaluated", ())] * len(program.parts)
        self._unfinished: list[tuple[int, int]] = []
        """The junctions whose value is not known, each with the position of the operand that is evaluated."""
        self._clause: int | None = None

    def run(self) -> ClauseRun:
        """Evaluate the parts up to the one that decides."""
        accepts, measured = False, None
        try:
            accepts = self._steps.decide(self._program.measurements)
            measured = self._steps.forget_loads()
            if accepts and self._program.parts:
                accepts = self._evaluate()
        except _Ended as end:
            accepts = False
            self._end(end.outcome)
        if measured is None:
            measured = self._steps.forget_loads()
        return ClauseRun(accepts, tuple(self._outcomes), self._clause, measured)

    def _evaluate(self) -> bool:
        """Return the value of the expression."""
        index: int | None = 0
        value = True
        while index is not None:
            while self._program.parts[index].children:
                self._unfinished.append((index, 0))
                index = self._program.parts[index].children[0]
            self._clause = index
            value = self._steps.decide(self._program.conditions[index])
            self._outcomes[index] = PartOutcome(_OUTCOMES[value], self._steps.forget_loads())
            index, value = self._continue(value)
        return value

    def _continue(self, value: bool) -> tuple[int | None, bool]:
        """Return the part to evaluate after an operand with a value, or None and the value of the expression."""
        while self._unfinished:
            index, position = self._unfinished.pop()
            part = self._program.parts[index]
            if part.kind == "not":
                value = not value
            elif value is (part.kind == "and") and position + 1 < len(part.children):
                self._unfinished.append((index, position + 1))
                return part.children[position + 1], value
            self._outcomes[index] = PartOutcome(_OUTCOMES[value], ())
        return None, value

    def _end(self, outcome: Outcome) -> None:
        """Record the end of the run within the current clause, and thus within the junctions around it."""
        for index, _ in self._unfinished:
            self._outcomes[index] = PartOutcome(outcome, ())
        if self._clause is not None:
            self._outcomes[self._clause] = PartOutcome(outcome, self._steps.forget_loads())


class _Steps:
    """The steps of a run, aligned with the conditions that the instructions were assembled from."""

    def __init__(self, trace: Iterator[Step]) -> None:
        self._trace = trace
        self._loads: list[Fetched] = []

    def decide(self, condition: Condition) -> bool:
        """Pass the steps of a condition, and return its value. Raises `_Ended`."""
        match condition:
            case bool():
                return condition
            case Clause(inner):
                return self.decide(inner)
            case Negation(operand):
                return not self.decide(operand)
            case AllOf(operands):
                return all(map(self.decide, operands))
            case AnyOf(operands):
                return any(map(self.decide, operands))
            case Membership(words, _, ranges):
                return self.decide(expanded(words, ranges))
            case Effect(steps):
                self._pass(steps)
                return True
            case Comparison(steps):
                self._pass(steps)
                return bool(self._next().taken)

    def forget_loads(self) -> tuple[Fetched, ...]:
        """Return the loads since the last call."""
        loads, self._loads = self._loads, []
        return tuple(loads)

    def _pass(self, steps: Steps) -> None:
        for expected in steps:
            step = self._next()
            assert step.instruction == expected, (step, expected)

    def _next(self) -> Step:
        """Return the next step that is not an unconditional jump, which belongs to no condition."""
        step = next(step for step in self._trace if OPCODE_BY_CODE[step.instruction.op].action is not Action.JUMP)
        if step.fetched is not None:
            self._loads.append(step.fetched)
        if step.verdict is not None:
            raise _Ended("division by zero" if step.fetched is None else "bytes missing")
        return step


def as_expression(expression: str | Expression) -> Expression:
    """Return text as an `Expression`; raises `ExpressionError` for characters that no text may contain."""
    if isinstance(expression, str):
        check_characters(expression)
    return expression if isinstance(expression, Expression) else Expression(expression)


def checked_target(
    caller: str,
    link_type: str | int | LinkType | Interface,
    *,
    snaplen: int = DEFAULT_SNAPLEN,
    netmask: int | str | None = None,
    is_live: bool = False,
) -> Target:
    """Return the packets of a link type, which may be those of a live socket, or those of an interface in a capture."""
    if isinstance(link_type, Interface):
        return interface_target(link_type)
    number = netmask_number(f"{caller}.netmask", netmask)
    dlt, length = find_link_type(link_type).dlt, check_snaplen(f"{caller}.snaplen", snaplen)
    return Target(dlt, length, number, socket="link" if is_live else None)
