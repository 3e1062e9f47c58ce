"""The clauses of an expression: the operands of `and` and `or`, and the programs of their combinations.

The generator compiles each part of the text once, with the offsets that it has at its place. A combination of parts,
such as `tcp` and not `port 80`, is then a program of its own.
"""

from collections.abc import Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...errors import MissingLibrary
from ...isa.dialects import Dialect
from ...isa.instructions import RetConstant
from ...isa.program import Program
from ...optimizer.ir.value_numbering import TooLarge
from ...optimizer.pipeline import improve, with_sets
from ...proofs.outcomes import Outcomes
from ..generator.assembler import assemble
from ..generator.conditions import Condition, all_of, negation
from ..generator.generate import Generated
from ..generator.identifier_runs import Part
from ..syntax_tree import Span
from .comparison import Comparison

ACCEPTED: Final = 262_144
"""The verdict on accepted packets, in bytes."""


class Literal(NamedTuple):
    """A part of the text, and an outcome of it.

    Args:
        part: The part.
        holds: Whether it is true.
    """

    part: Part
    holds: bool


class Clauses:
    """The parts of an expression, and queries about their outcomes.

    Args:
        generated: The conditions of all parts.
        comparison: The limits of the queries.
    """

    def __init__(self, generated: Generated, comparison: Comparison) -> None:
        self._generated = generated
        self._comparison = comparison
        self._programs: dict[Span, Program] = {}
        self._outcomes: Outcomes | None = None

    def excludes(self, literals: Sequence[Literal]) -> bool:
        """Return whether no packet has all of the outcomes. Raises `Undecided`.

        A packet that lacks a byte that one of the parts loads has none of them. Without a solver, the answer is False
        unless the optimiser proves the contrary.
        """
        try:
            with self._comparison.limits() as timeout:
                if self._outcomes is None:
                    whole = plain_program(self._generated.condition)
                    self._outcomes = Outcomes(whole, dialect=self._comparison.dialect, timeout=timeout)
                outcomes = [(self._program(literal.part.span), literal.holds) for literal in literals]
                return not self._outcomes.can_coincide(outcomes)
        except MissingLibrary:
            return self._is_rejected_by_optimizer(literals)

    def _is_rejected_by_optimizer(self, literals: Sequence[Literal]) -> bool:
        """Return whether the optimised program of all outcomes rejects every packet."""
        conditions = [
            condition if literal.holds else negation(condition)
            for literal in literals
            for condition in [self._generated.parts[literal.part.span]]
        ]
        program = program_of(all_of((self._generated.measurements, *conditions)), self._comparison.dialect)
        return program == Program([RetConstant(0)])

    def _program(self, span: Span) -> Program:
        """Return the program of a part, with the measurements of headers that it may need."""
        if span not in self._programs:
            condition = all_of((self._generated.measurements, self._generated.parts[span]))
            self._programs[span] = plain_program(condition)
        return self._programs[span]

    def reason(self, candidates: list[Literal], fixed: Literal | None = None) -> list[Literal]:
        """Return a smallest part of outcomes that exclude each other; all of them together do, with *fixed*.

        No outcome can be left out of the result. Those at the beginning are left out first. Raises `Undecided`.
        """
        needed = list(candidates)
        always = [] if fixed is None else [fixed]
        for literal in candidates:
            others = [other for other in needed if other is not literal]
            if self.excludes([*others, *always]):
                needed = others
        return needed


def plain_program(condition: Condition) -> Program:
    """Return the program of a condition."""
    return Program(assemble(condition, ACCEPTED).instructions)


def program_of(condition: Condition, dialect: Dialect) -> Program:
    """Return the optimised program of a condition."""
    assembly = assemble(condition, ACCEPTED, keep_sets=True)
    if not assembly.sets:
        return improve(assembly.instructions, dialect=dialect, goal="size") or Program(assembly.instructions)
    try:
        return with_sets(assembly.instructions, assembly.sets, dialect=dialect, goal="speed")
    except TooLarge:
        return plain_program(condition)
