"""Packets that do something with one program, and what no packet does (extra `smt`)."""

from typing import Literal, TypeAlias

from .._record import Record
from .._validators import check_word, within
from ..analysis.coverage import CoverageGoal, observe
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..packet.metadata import Metadata
from ..vm import VM
from .coverage_goals import goals, runs
from .machine import Execution, returns
from .query import Query
from .symbolic_packet import Model
from .terms import TruthTerm
from .verdicts import accepted
from .verdicts import verdict as verdict_of

WantedVerdict: TypeAlias = Literal["keep", "drop"] | int


class Witness(Record):
    """A packet, and the verdict on it; with these bytes and metadata `VM.evaluate` gives it.

    packet: its bytes as they were captured; wire_length: the length that it had; metadata: what is known beside.
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    verdict: int


class DeadCode(Record):
    """What no packet reaches.

    instructions: indices of those that never run. branches: (index, truth) of conditional jumps that do run, and whose
    test never has this truth.
    """

    instructions: tuple[int, ...]
    branches: tuple[tuple[int, bool], ...]

    def __bool__(self) -> bool:
        return bool(self.instructions or self.branches)


def witness(
    program: Instructions,
    *,
    verdict: WantedVerdict | None = None,
    reaches: int | None = None,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 10,
) -> Witness | None:
    """A small packet on which the program does what is asked for, or None: there is a proof that it does so on none.

      verdict: "keep", "drop", or the number that it gives; reaches: the index of an instruction that runs.

    The other arguments, what keeps, and the errors are those of `difference`.

    >>> import cbpf
    >>> web = cbpf.compile("tcp port 80")
    >>> witness(web, verdict="keep").packet[-2:].hex()
    '0050'
    >>> witness(cbpf.compile("ip and ip6", optimizer=None), verdict="keep") is None
    True
    """
    machine = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    if reaches is not None:
        reaches = within(0, len(machine.program) - 1, "an instruction of the program")("reaches", reaches)
    if verdict not in (None, "keep", "drop"):
        verdict = check_word("verdict", verdict)
    question = Query(machine, shortest=shortest, longest=longest, timeout=timeout)
    (outcome,) = question.outcomes
    where = question.terms.all(
        True if reaches is None else outcome.reached[reaches], _has(question, dialect, verdict, outcome)
    )

    def shows(sample: Model) -> bool:
        run = observe(machine, *sample)
        reached = reaches is None or CoverageGoal("instruction", reaches) in run.goals
        return reached and _has(question, dialect, verdict, returns(run.verdict)) is True

    found = question.find(shows, condition=where)
    return None if found is None else Witness(*found, observe(machine, *found).verdict)


def _has(question: Query, dialect: Dialect, wanted: WantedVerdict | None, outcome: Execution) -> TruthTerm:
    """Whether the verdict is one that is wanted."""
    if wanted is None:
        return True
    if isinstance(wanted, int):
        return question.terms.equal(verdict_of(question.terms, outcome), wanted)
    keep = accepted(question.terms, dialect, outcome)
    return keep if wanted == "keep" else question.terms.opposite(keep)


def dead(
    program: Instructions,
    *,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 60,
) -> DeadCode:
    r"""The instructions and branches that no packet reaches; the arguments and errors are those of `difference`.

    >>> import cbpf
    >>> dead(cbpf.parse("ldh [12]\njeq #0x800,0,2\njeq #0x806,0,1\nret #1\nret #0"))
    DeadCode(instructions=(3,), branches=((2, True),))
    """
    machine = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    question = Query(machine, shortest=shortest, longest=longest, timeout=timeout)
    wanted = {goal: truth for goal, truth in goals(question).items() if goal.kind != "load"}
    missed = set(wanted)
    for reached in runs(question, machine, wanted):
        missed -= reached
    instructions = tuple(goal.at for goal in wanted if goal.kind == "instruction" and goal in missed)
    branches = tuple(
        (goal.at, goal.holds)
        for goal in wanted
        if goal.kind == "branch" and goal in missed and goal.at not in instructions
    )
    return DeadCode(instructions, branches)
