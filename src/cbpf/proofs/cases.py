"""Test packets for a program: few, small, and together they go everywhere (extra `smt`)."""

from collections.abc import Iterable, Iterator

from .._record import Record
from ..analysis.coverage import CoverageGoal, observe
from ..analysis.index_ranges import format_ranges
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..packet.metadata import Metadata
from ..vm import VM
from .coverage_goals import goals, runs
from .query import Query
from .symbolic_packet import Model
from .terms import TruthTerm


class Case(Record):
    """A test packet: what it is there for, and the verdict on it.

    packet: its bytes as they were captured; wire_length: the length that it had; metadata: what is known beside.
    reasons: what it reaches that no case before it does, such as "runs 4..6", "6 is false", "7 just fits" and "7 lacks
    a byte": instructions, sides of branches, and loads at the end of the packet.
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    verdict: int
    reasons: tuple[str, ...]


def cases(
    program: Instructions,
    *,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 60,
) -> tuple[Case, ...]:
    """Packets that reach every instruction and both sides of every branch, where any packet does, and end at each load.

    For each load from the packet there is one that ends just behind the bytes that it loads, and one that is a byte too
    short. The shortest packets come first. The verdicts are what the program gives, be that right or wrong. The
    arguments and errors are those of `difference`.

    >>> import cbpf
    >>> for case in cases(cbpf.compile("arp")):
    ...     print(len(case.packet), case.verdict, ", ".join(case.reasons))
    13 0 runs 0, 0 lacks a byte
    14 0 runs 1, 3, 0 just fits, 1 is false
    14 262144 runs 2, 1 is true
    """
    machine = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    question = Query(machine, shortest=shortest, longest=longest, timeout=timeout)
    wanted = goals(question)
    found = [reached & wanted.keys() for reached in runs(question, machine, wanted)]
    small = [_small(question, machine, {goal: wanted[goal] for goal in needed}) for needed in _fewest(found)]
    reached: set[CoverageGoal] = set()
    made = []
    for sample in sorted(small, key=lambda one: (len(one.packet), one.packet)):
        run = observe(machine, *sample)
        reasons = tuple(_reasons((run.goals & wanted.keys()) - reached))
        if reasons:  # the solver may have found a packet that does more than it was asked for
            made.append(Case(*sample, run.verdict, reasons))
        reached |= run.goals
    return tuple(made)


def _reasons(goals: frozenset[CoverageGoal]) -> Iterator[str]:
    """What a packet is the first to reach: instructions as ranges, then the rest by the instruction."""
    running = [goal.at for goal in goals if goal.kind == "instruction"]
    if running:
        yield f"runs {format_ranges(running)}"
    yield from map(str, sorted((goal for goal in goals if goal.kind != "instruction"), key=lambda goal: goal[1:]))


def _fewest(found: Iterable[frozenset[CoverageGoal]]) -> Iterator[frozenset[CoverageGoal]]:
    """What each packet is needed for, of those that reach all that can be reached; they are chosen greedily."""
    rest = list(found)
    missing = frozenset[CoverageGoal]().union(*rest)
    while missing:
        best = max(rest, key=lambda reached: len(reached & missing))
        yield best & missing
        missing -= best
        rest.remove(best)


def _small(question: Query, machine: VM, needed: dict[CoverageGoal, TruthTerm]) -> Model:
    """A packet that reaches all these."""
    sample = question.find(
        lambda one: needed.keys() <= observe(machine, *one).goals, condition=question.terms.all(*needed.values())
    )
    assert sample is not None, "a packet reached them before"
    return sample
