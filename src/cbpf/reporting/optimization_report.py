"""The steps of the optimiser on an expression, with proofs that its result and that of libpcap have equal verdicts."""

from __future__ import annotations

from time import perf_counter

import cbpf

from .._lazy import Lazy
from .._named_tuple import NamedTuple
from .._typing import Any, Final, Literal, TypeAlias

_LONGEST_PACKET: Final = 262_144  # bytes; libpcap's maximum snapshot length

Answer: TypeAlias = Literal["equal", "different", "undecided", "not attempted"]


class Comparison(NamedTuple):
    """The answer to the question whether another program has the verdicts of the plain code on all packets.

    Args:
        program: The other program; None if it cannot be compiled.
        answer: "not attempted" without a library or without the program, "undecided" after the time limit.
        seconds: The time that the answer took; None without a proof and a counterexample.
        difference: The counterexample if the answer is "different"; the plain code is its left side.
        error: The reason for an answer other than "equal" and "different".
    """

    program: cbpf.Program | None
    answer: Answer
    seconds: float | None = None
    difference: cbpf.Difference | None = None
    error: cbpf.CbpfError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the answer as a dictionary that can be converted to JSON, with the reason as text."""
        return {
            "answer": self.answer,
            "reason": None if self.error is None else str(self.error),
            "seconds": self.seconds,
            "difference": None if self.difference is None else self.difference.as_dict(),
        }


class OptimizationReport:
    """The plain code of an expression, the program after each pass of the optimiser, and the proofs of their equality.

    The proofs take time, and are made when they are first used.
    """

    def __init__(
        self, expression: str, *, link_type: str, dialect: cbpf.Dialect, goal: cbpf.Goal, timeout: float | None
    ) -> None:
        """Compile an expression, as `cbpf.source_map`, and optimise it; *timeout* is that of each proof, in seconds."""
        self.expression: Final = expression
        self.link_type: Final = link_type
        self.dialect: Final = dialect
        self.goal: Final = goal
        self.mapped: Final = cbpf.source_map(expression, link_type=link_type)
        self.optimized: Final = cbpf.optimize(self.mapped.program, dialect=dialect, goal=goal)
        self.stages: Final = cbpf.optimization_stages(self.mapped.program, dialect=dialect, goal=goal)
        self._timeout: Final = timeout

    @Lazy
    def proof(self) -> Comparison:
        """The comparison of the plain code with the optimised program."""
        return self._compare(self.optimized)

    @Lazy
    def libpcap(self) -> Comparison:
        """The comparison of the plain code with the program that libpcap compiles and optimises."""
        try:
            program = cbpf.compile(self.expression, link_type=self.link_type, optimizer="libpcap", frontend="libpcap")
        except (cbpf.MissingLibrary, cbpf.ExpressionError) as error:  # libpcap 1.10 does not have all primitives
            return Comparison(None, "not attempted", error=error)
        return self._compare(program)

    def _compare(self, program: cbpf.Program) -> Comparison:
        started = perf_counter()
        try:
            difference = cbpf.difference(
                self.mapped.program, program, dialect=self.dialect, longest=_LONGEST_PACKET, timeout=self._timeout
            )
        except cbpf.MissingLibrary as error:
            return Comparison(program, "not attempted", error=error)
        except cbpf.Undecided as error:
            return Comparison(program, "undecided", error=error)
        return Comparison(program, "different" if difference else "equal", perf_counter() - started, difference)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary that can be converted to JSON, as `cbpf explain --json` prints it."""
        plain, libpcap = self.mapped, self.libpcap
        return {
            "expression": self.expression,
            "link_type": self.link_type,
            "dialect": self.dialect.name,
            "goal": self.goal,
            "plain": plain.as_dict() | self._path_lengths(plain.program),
            "stages": [stage.as_dict() for stage in self.stages],
            "optimized": {"program": program_rows(self.optimized)} | self._path_lengths(self.optimized),
            "proof": self.proof.as_dict(),
            "libpcap": {"program": program_rows(libpcap.program)} | libpcap.as_dict(),
        }

    def _path_lengths(self, program: cbpf.Program) -> dict[str, Any]:
        flow = flow_of(program, self.dialect)
        return {"shortest": flow.shortest, "longest": flow.longest}


def flow_of(program: cbpf.Program, dialect: cbpf.Dialect) -> cbpf.Flow:
    """Return the flow of a program, which may be longer than the dialect accepts."""
    return cbpf.Flow(program, dialect=dialect.replace(longest=None, longest_translated_jump=None))


def program_rows(program: cbpf.Program | None) -> list[dict[str, int]] | None:
    """Return a program as `cbpf convert --to json` writes it."""
    return None if program is None else [raw.as_dict() for raw in program]
