"""A pytest plugin: tables of packets and verdicts for filters, and how much of each filter they cover.

    def test_web(filter_table):
        filter_table("tcp port 80", [("keep", "ffffffffffff 020000000001 0800 4500..."), ("drop", b"")])

pytest finds it by itself. Nothing of cbpf is imported until a test asks for the fixture.
"""

import pickle
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

if TYPE_CHECKING:
    from .analysis.coverage import CoverageGoal
    from .isa.dialects import Dialect
    from .isa.program import Instructions, Program
    from .vm import VM

TableRow: TypeAlias = Any
"""(verdict, packet), or a value with `packet`, `wire_length`, `metadata` and `verdict`, as `cbpf.cases` makes them."""

_SECONDS_FOR_DEAD_CODE: Final = 5


class CoverageRecorder:
    """What the tables of a session reached, by program and dialect."""

    def __init__(self) -> None:
        self.names: dict[tuple[Program, Dialect], str] = {}
        self.reached: dict[tuple[Program, Dialect], frozenset[CoverageGoal]] = {}

    def add(self, name: str, program: "Program", dialect: "Dialect", goals: "frozenset[CoverageGoal]") -> None:
        """Adds what packets reached in a program; its first name stays."""
        self.names.setdefault((program, dialect), name)
        self.reached[program, dialect] = self.reached.get((program, dialect), frozenset()) | goals

    def merge(self, other: "CoverageRecorder") -> None:
        """Adds what another process recorded."""
        for (program, dialect), goals in other.reached.items():
            self.add(other.names[program, dialect], program, dialect, goals)


_RECORDER: Final = pytest.StashKey[CoverageRecorder]()


class FilterTable:
    """Checks a filter against a table of packets; the fixture `filter_table` is one."""

    def __init__(self, recorder: CoverageRecorder) -> None:
        self._recorder = recorder

    def __call__(
        self,
        filter: "str | Instructions",
        rows: Iterable[TableRow],
        *,
        dialect: "Dialect | None" = None,
        link_type: str = "EN10MB",
        name: str | None = None,
    ) -> None:
        """Fails, with a trace of each, if packets do not get their verdicts.

        filter: an expression, or a program. rows: pairs of a verdict and a packet, or values as `cbpf.cases` makes
          them. A verdict is a number, "keep" or "drop"; a packet is bytes, or hexadecimal text.
        dialect: by default PCAP; link_type: of an expression; name: of the filter, in what is reported.
        """
        __tracebackhide__ = True
        import cbpf

        program = cbpf.compile(filter, link_type=link_type) if isinstance(filter, str) else cbpf.Program(filter)
        machine = cbpf.VM(program, engine="interpreter", dialect=dialect or cbpf.PCAP)
        shown = name or (filter if isinstance(filter, str) else f"a filter of {len(program)} instructions")
        table = [_as_row(number, row) for number, row in enumerate(rows, 1)]
        failures = [failure for row in table for failure in self._check(shown, machine, *row)]
        if failures:
            count = sum(line.startswith("row ") for line in failures)
            pytest.fail("\n".join([f"{shown}: {count} of {len(table)} rows fail", *failures]), pytrace=False)

    def _check(
        self, name: str, machine: "VM", number: int, wanted: Any, packet: bytes, wire_length: int, metadata: Any
    ) -> Iterator[str]:
        """Runs one row; what is to be said if it fails."""
        from .analysis.coverage import observe

        run = observe(machine, packet, wire_length, metadata)
        self._recorder.add(name, machine.program, machine.dialect, run.goals)
        if _fits(run.verdict, wanted, machine.dialect):
            return
        from .reporting.packet_output import describe_verdict, packet_lines
        from .reporting.trace_diff import trace_lines

        yield f"row {number}: {describe_verdict(run.verdict, machine.dialect)}, and not {wanted}"
        yield from packet_lines(packet, wire_length, metadata, machine.dialect)
        yield from trace_lines(machine, packet, wire_length, metadata)


def _as_row(number: int, row: TableRow) -> tuple[int, Any, bytes, int, Any]:
    """Number, verdict, packet, wire length, metadata."""
    from . import FieldError, Metadata

    if hasattr(row, "packet"):
        return number, row.verdict, row.packet, row.wire_length, row.metadata
    try:
        wanted, packet = row
        data = bytes.fromhex(packet) if isinstance(packet, str) else bytes(packet)
    except (TypeError, ValueError) as error:
        raise FieldError(f"row {number}: {row!r} is no pair of a verdict and a packet: {error}") from None
    if wanted not in ("keep", "drop") and (isinstance(wanted, bool) or not isinstance(wanted, int)):
        raise FieldError(f"row {number}: {wanted!r} is no verdict; it is a number, 'keep' or 'drop'")
    return number, wanted, data, len(data), Metadata()


def _fits(verdict: int, wanted: Any, dialect: "Dialect") -> bool:
    from .isa.verdicts import accepts

    return accepts(verdict, dialect) == (wanted == "keep") if isinstance(wanted, str) else verdict == wanted


@pytest.fixture
def filter_table(request: pytest.FixtureRequest) -> FilterTable:
    """Checks a filter against a table of packets and verdicts: see `FilterTable`."""
    stash = request.config.stash
    return FilterTable(stash.setdefault(_RECORDER, CoverageRecorder()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Shows how much of each filter the tables reached."""
    recorder = config.stash.get(_RECORDER, None)
    if recorder is None or not recorder.reached:
        return
    terminalreporter.section("filter coverage")
    for (program, dialect), goals in recorder.reached.items():
        for line in _report(recorder.names[program, dialect], program, dialect, goals):
            terminalreporter.line(line)


def _report(name: str, program: "Program", dialect: "Dialect", reached: "frozenset[CoverageGoal]") -> Iterator[str]:
    """One line of numbers, then what is missing."""
    from .analysis.coverage import all_goals
    from .analysis.index_ranges import format_ranges

    wanted = all_goals(program)
    if not wanted <= reached:
        wanted -= _dead(program, dialect)
    instructions = {goal for goal in wanted if goal.kind == "instruction"}
    sides = wanted - instructions
    counts = [
        f"{len(part & reached)} of {len(part)} {what}"
        for part, what in ((instructions, "instructions"), (sides, "sides of branches"))
    ]
    yield f"{name}: {', '.join(counts)}"
    missing = [goal.at for goal in instructions - reached]
    if missing:
        yield f"    never runs: {format_ranges(missing)}"
    one_sided = sorted(goal[1:] for goal in sides - reached if goal.at not in missing)
    if one_sided:
        never = ", ".join(f"{at} {'true' if holds else 'false'}" for at, holds in one_sided)
        yield f"    never: {never}"


def _dead(program: "Program", dialect: "Dialect") -> "frozenset[CoverageGoal]":
    """What no packet can reach, as far as a solver is installed and says so in time."""
    from . import MissingLibrary, Undecided, dead
    from .analysis.coverage import all_goals

    try:
        found = dead(program, dialect=dialect, timeout=_SECONDS_FOR_DEAD_CODE)
    except (MissingLibrary, Undecided):
        return frozenset()
    return frozenset(
        goal
        for goal in all_goals(program)
        if goal.at in found.instructions or (goal.kind == "branch" and (goal.at, goal.holds) in found.branches)
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist: hands what was recorded to the process that reports."""
    output = getattr(session.config, "workeroutput", None)
    recorder = session.config.stash.get(_RECORDER, None)
    if output is not None and recorder is not None:
        output["cbpf"] = pickle.dumps((recorder.names, recorder.reached))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes what a worker of pytest-xdist recorded."""
    data = getattr(node, "workeroutput", {}).get("cbpf")
    if data is not None:
        other = CoverageRecorder()
        other.names, other.reached = pickle.loads(data)
        node.config.stash.setdefault(_RECORDER, CoverageRecorder()).merge(other)
