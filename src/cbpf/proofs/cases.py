"""Few, small test packets that cover every instruction and branch of a program (extra `smt`)."""

from collections.abc import Iterable, Iterator

from .._record import JsonRecord
from .._text import Readable
from ..analysis.coverage import CoverageGoal, observe
from ..analysis.index_ranges import format_ranges
from ..isa.dialects import PCAP, Dialect, check_dialect
from ..isa.program import Instructions
from ..isa.verdicts import describe_verdict
from ..packet.metadata import Metadata
from ..packet.packet_text import captured_of, changed_metadata, format_bytes
from ..vm import VM
from .coverage_goals import covering_runs, goal_conditions
from .query import Query
from .symbolic_packet import Model
from .terms import BoolTerm


class Case(JsonRecord, Readable):
    """A test packet, its verdict, and the coverage goals that it is the first to reach.

    `str` returns the lines that `cbpf cases` prints.

    Args:
        packet: The captured bytes.
        wire_length: The length of the packet on the wire, in bytes.
        metadata: The metadata that extension loads read.
        verdict: The verdict of the program, an unsigned 32-bit number.
        reasons: The goals that no earlier case reaches: instructions ("runs 4..6"), branches ("6 is false"), and loads
            at the end of the packet ("7 just fits", "7 lacks a byte").
    """

    packet: bytes
    wire_length: int
    metadata: Metadata
    verdict: int
    reasons: tuple[str, ...]

    def describe(self, *, dialect: Dialect = PCAP) -> str:
        """Return the packet as text: its lengths, its verdict and its reasons, then its bytes and its metadata.

        Args:
            dialect: The dialect of the program; in a dialect of records, the verdict is an action.

        Returns:
            The lines; the second and later ones are indented.
        """
        is_number = dialect.record_size is None
        verdict = f"verdict {self.verdict}" if is_number else describe_verdict(self.verdict, dialect=dialect)
        lines = [f"{captured_of(self.packet, self.wire_length)}, {verdict}: {', '.join(self.reasons)}"]
        lines.append(f"    {format_bytes(self.packet)}")
        metadata = changed_metadata(self.metadata)
        return "\n".join([*lines, f"    metadata: {metadata}"] if metadata else lines)

    def __str__(self) -> str:
        return self.describe()


class _Cases(Readable, tuple[Case, ...]):
    """The result of `cases`: a tuple whose text is that of its cases, with their numbers."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(f"{number}: {case}" for number, case in enumerate(self, 1))


def cases(
    program: Instructions,
    *,
    dialect: Dialect = PCAP,
    shortest: int = 0,
    longest: int = 65535,
    timeout: float | None = 60,
) -> tuple[Case, ...]:
    """Return few packets that together reach everything in a program that any packet reaches."""
    vm = VM(program, engine="interpreter", dialect=check_dialect(dialect))
    query = Query(vm, shortest=shortest, longest=longest, timeout=timeout)
    goals = goal_conditions(query)
    runs = [reached & goals.keys() for reached in covering_runs(query, vm, goals)]
    models = [_small_packet(query, vm, {goal: goals[goal] for goal in needed}) for needed in _set_cover(runs)]
    reached: set[CoverageGoal] = set()
    result = []
    for model in sorted(models, key=lambda model: (len(model.packet), model.packet)):
        run = observe(vm, *model)
        reasons = tuple(_reasons((run.goals & goals.keys()) - reached))
        if reasons:  # a packet may reach more goals than it was chosen for, and make another one redundant
            result.append(Case(*model, run.verdict, reasons))
        reached |= run.goals
    return _Cases(result)


def _reasons(goals: frozenset[CoverageGoal]) -> Iterator[str]:
    """Yield goals as text: the instructions as ranges, then the other goals in the order of their instructions."""
    instructions = [goal.at for goal in goals if goal.kind == "instruction"]
    if instructions:
        yield f"runs {format_ranges(instructions)}"
    yield from map(str, sorted((goal for goal in goals if goal.kind != "instruction"), key=lambda goal: goal[1:]))


def _set_cover(runs: Iterable[frozenset[CoverageGoal]]) -> Iterator[frozenset[CoverageGoal]]:
    """Choose few runs that together reach all goals, greedily; yield the goals that each one is chosen for."""
    candidates = list(runs)
    missing = frozenset[CoverageGoal]().union(*candidates)
    while missing:
        best = max(candidates, key=lambda reached: len(reached & missing))
        yield best & missing
        missing -= best
        candidates.remove(best)


def _small_packet(query: Query, vm: VM, goals: dict[CoverageGoal, BoolTerm]) -> Model:
    """Return a small packet that reaches all of *goals*."""
    model = query.find(
        query.terms.all(*goals.values()),
        confirm=lambda candidate: goals.keys() <= observe(vm, *candidate).goals,
    )
    assert model is not None, "an earlier packet reached all of these goals"
    return model
