"""Test packets for a program: few, small, and together they go everywhere (extra `smt`)."""

from collections.abc import Iterable
from typing import NamedTuple

from .coverage import Goal, observe
from .dialects import PCAP, Dialect, check_dialect
from .metadata import Metadata
from .program import Instructions
from .proofs.goals import goals, samples
from .proofs.question import Question
from .proofs.shrinking import shrunk
from .proofs.unknowns import Sample
from .values import Value
from .vm import VM


class Case(Value):
    """A test packet: what it is there for, and the verdict on it.

    packet: its bytes as they were captured; wire_length: the length that it had; metadata: what is known beside.
    reasons: what it reaches that no case before it does, such as "4 runs", "4 is false", "7 just fits" and "7 lacks a
    byte": at these instructions, both sides of branches, and loads at the end of the packet.
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    verdict: int
    reasons: tuple[str, ...]


class _Found(NamedTuple):
    sample: Sample
    reached: frozenset[Goal]


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
    13 0 0 runs, 0 lacks a byte
    14 0 0 just fits, 1 runs, 1 is false, 3 runs
    14 262144 1 is true, 2 runs
    """
    machine = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    question = Question(machine, shortest=shortest, longest=longest, timeout=timeout)
    wanted = goals(question)
    found = (_Found(sample, reached & wanted.keys()) for sample, reached in samples(question, machine, wanted))
    small = [_small(machine, one, needed, question.unknowns.shortest) for one, needed in _fewest(found)]
    reached: set[Goal] = set()
    made = []
    for sample in sorted(small, key=lambda one: (len(one.packet), one.packet)):
        run = observe(machine, *sample)
        reasons = sorted((run.goals & wanted.keys()) - reached, key=_place)
        reached |= run.goals
        made.append(Case(*sample, run.verdict, tuple(map(str, reasons))))
    return tuple(made)


def _fewest(found: Iterable[_Found]) -> list[tuple[Sample, frozenset[Goal]]]:
    """Those that reach all that can be reached, chosen greedily, with what each is needed for."""
    rest, chosen = list(found), []
    missing = frozenset[Goal]().union(*(one.reached for one in rest))
    while missing:
        best = max(rest, key=lambda one: len(one.reached & missing))
        chosen.append((best.sample, best.reached & missing))
        missing -= best.reached
        rest.remove(best)
    return chosen


def _place(goal: Goal) -> tuple[int, bool, Goal]:
    return goal.at, goal.kind != "instruction", goal


def _small(machine: VM, sample: Sample, needed: frozenset[Goal], shortest: int) -> Sample:
    return shrunk(sample, lambda candidate: needed <= observe(machine, *candidate).goals, shortest)
