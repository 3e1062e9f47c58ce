"""The goals of `until`: the positions that a search over the packets looks for."""

from __future__ import annotations

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from .errors import DebuggerError
from .formulas import Formula, parse_formula
from .packet_run import PacketRun
from .scans import Scans
from .stops import parse_index


class VerdictGoal(NamedTuple):
    """The end of the first run that accepts its packet, or that rejects it."""

    accepts: bool

    def __str__(self) -> str:
        return "is accepted" if self.accepts else "is rejected"

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which the goal may be reached."""
        return scans.next_verdict(start, accepted=self.accepts)

    def find(self, run: PacketRun, start: int) -> int | None:
        """Return the position of the last step, -1 if the run has no steps; None also if it is before *start*."""
        if run.accepts is not self.accepts or 0 < start >= len(run.steps):
            return None
        return len(run.steps) - 1


class InstructionGoal(NamedTuple):
    """An instruction, and for a conditional jump possibly the outcome of its test.

    Args:
        number: The index of the instruction.
        taken: The outcome; None for any.
    """

    number: int
    taken: bool | None = None

    def __str__(self) -> str:
        outcome = "" if self.taken is None else f" with the outcome {'true' if self.taken else 'false'}"
        return f"executes l{self.number}{outcome}"

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which the goal may be reached."""
        if self.taken is None:
            return scans.next_reaching(start, [self.number])
        return scans.next_outcome(start, self.number, taken=self.taken)

    def find(self, run: PacketRun, start: int) -> int | None:
        """Return the first position from *start* at which the goal is reached, or None."""
        for position in range(start, len(run.steps)):
            step = run.steps[position]
            if step.index == self.number and (self.taken is None or step.taken is self.taken):
                return position
        return None


class FormulaGoal(NamedTuple):
    """A condition that holds before any instruction."""

    formula: Formula

    def __str__(self) -> str:
        return f"has a state with {self.formula.text}"

    def next_packet(self, scans: Scans, start: int) -> int | None:
        """Return the number of the first packet from *start* on which the goal may be reached."""
        return start

    def find(self, run: PacketRun, start: int) -> int | None:
        """Return the first position from *start* at which the goal is reached, or None."""
        if self.formula.reads <= {"packet"}:  # so it holds in each state or in none, and no trace is needed
            return start if self.formula.holds(run.first_state) and start < len(run.steps) else None
        for position in range(start, len(run.steps)):
            if self.formula.holds(run.state(position)):
                return position
        return None


Goal: TypeAlias = VerdictGoal | InstructionGoal | FormulaGoal

FIXED_GOALS: Final = {"accept": VerdictGoal(True), "reject": VerdictGoal(False)}
"""The goals that one word names."""

_OUTCOMES: Final = {"true": True, "false": False}


def parse_goal(text: str, run: PacketRun, position: int | None) -> Goal:
    """Return the goal of a text: accept, reject, branch, N, N true, N false, or a condition."""
    words = text.split()
    if not words:
        raise DebuggerError("expected accept, reject, branch, N, N true, N false, or a condition")
    if len(words) == 1 and words[0] in FIXED_GOALS:
        return FIXED_GOALS[words[0]]
    if words == ["branch"]:
        return _same_branch(run, position)
    if len(words) == 1 and words[0].lstrip("l").isdecimal():
        return InstructionGoal(parse_index(words[0], _count(run)))
    if len(words) == 2 and words[1] in _OUTCOMES:
        return _outcome_goal(words[0], _OUTCOMES[words[1]], run)
    formula = parse_formula(text)
    if not formula.is_condition:
        raise DebuggerError(f"it is a number, and not a condition; compare it, as in {formula.text} == 0")
    return FormulaGoal(formula)


def _count(run: PacketRun) -> int:
    if run.code is None:
        raise DebuggerError(f"packet {run.number}: the filter does not fit its link type")
    return len(run.code.texts)


def _outcome_goal(word: str, taken: bool, run: PacketRun) -> InstructionGoal:
    index = parse_index(word, _count(run))
    assert run.code is not None
    if len(run.code.vm.program[index].successors(index)) != 2:
        raise DebuggerError(f"{run.code.texts[index]} is not a conditional jump")
    return InstructionGoal(index, taken)


def _same_branch(run: PacketRun, position: int | None) -> InstructionGoal:
    step = None if position is None else run.steps[position]
    if step is None or step.taken is None:
        raise DebuggerError("the position is not at a conditional jump")
    return InstructionGoal(step.index, step.taken)
