"""A pytest plugin: check filters against tables of packets or system calls, and report their coverage.

    def test_web(filter_table):
        filter_table("tcp port 80", [("accept", "ffffffffffff 020000000001 0800 4500..."), ("reject", b"")])

    def test_profile(call_table):
        call_table("profile.json", "calls.toml")

The entry point `pytest11` makes pytest load the plugin. It imports only names of cbpf until a test uses a fixture.
"""

import os
import pickle
import warnings
from collections.abc import Iterable, Iterator

import pytest

from ._typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from .analysis.coverage import CoverageGoal
    from .expression.explaining.coverage import ClauseCoverage
    from .facade.machine import VM
    from .isa.dialects import Dialect
    from .isa.program import Instructions, Program
    from .seccomp import CallTest, Policy, Stack

TableRow: TypeAlias = Any
"""(verdict, packet), (verdict, packet, metadata), or an object with `packet`, `wire_length`, `metadata` and `verdict`,
such as a `Case`."""

CallRow: TypeAlias = Any
"""(action, system call), or a `CallTest` of `cbpf.seccomp`."""

_DEAD_CODE_TIMEOUT: Final = 5  # seconds per filter


class CoverageRecorder:
    """The goals that the tables of a session reached, by program and dialect, and the names of the programs.

    Of filters that are expressions, the outcomes of their clauses are recorded as well.
    """

    def __init__(self) -> None:
        self.names: dict[tuple[Program, Dialect], str] = {}
        self.reached: dict[tuple[Program, Dialect], frozenset[CoverageGoal]] = {}
        self.clauses: dict[tuple[Program, Dialect, str], tuple[ClauseCoverage, ...]] = {}

    def add(self, name: str, program: "Program", dialect: "Dialect", goals: "frozenset[CoverageGoal]") -> None:
        """Add the goals that packets reached in a program; the first name recorded for a program is retained."""
        self.names.setdefault((program, dialect), name)
        self.reached[program, dialect] = self.reached.get((program, dialect), frozenset()) | goals

    def add_clauses(
        self, program: "Program", dialect: "Dialect", expression: str, coverage: "tuple[ClauseCoverage, ...]"
    ) -> None:
        """Add the outcomes of the clauses of an expression, which was compiled to a program."""
        from .expression.explaining.coverage import merged

        key = program, dialect, expression
        self.clauses[key] = merged(self.clauses[key], coverage) if key in self.clauses else coverage

    def merge(self, other: "CoverageRecorder") -> None:
        """Add the goals and names recorded by another process."""
        for (program, dialect), goals in other.reached.items():
            self.add(other.names[program, dialect], program, dialect, goals)
        for (program, dialect, expression), coverage in other.clauses.items():
            self.add_clauses(program, dialect, expression, coverage)


_RECORDER: Final = pytest.StashKey[CoverageRecorder]()


class FilterTable:
    """The value of the fixture `filter_table`: a function that checks a filter against a table of packets."""

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
        """Fail the test if a packet does not get its verdict, with a trace of each such packet.

        Args:
            filter: A filter expression or a program.
            rows: Pairs of a verdict and a packet, also with `Metadata` as a third element, or `Case` objects from
                `cbpf.cases`. The verdict is "accept", "reject" or the exact number; the packet is bytes, or text in
                hexadecimal.
            dialect: The dialect of the program; by default PCAP.
            link_type: The name of the link type that an expression is compiled for.
            name: The name of the filter in reports; by default the expression, or the size of the program.

        Raises:
            FieldError: A row is not a pair of a verdict and a packet, or its third element is not a `Metadata`.
        """
        __tracebackhide__ = True
        import cbpf

        program = cbpf.compile(filter, link_type=link_type) if isinstance(filter, str) else cbpf.Program(filter)
        vm = cbpf.VM(program, engine="interpreter", dialect=dialect or cbpf.PCAP)
        display_name = name or (filter if isinstance(filter, str) else _size([program]))
        table = [_parse_row(row_number, row) for row_number, row in enumerate(rows, 1)]
        if isinstance(filter, str) and filter.strip():
            packets = [cbpf.SocketView(packet, length, metadata) for _, _, packet, length, metadata in table]
            coverage = cbpf.clause_coverage(filter, packets, link_type=link_type)
            self._recorder.add_clauses(program, vm.dialect, filter, coverage)
        failures = [list(self._check(display_name, vm, *row)) for row in table]
        failures = [lines for lines in failures if lines]
        if failures:
            summary = f"{display_name}: {len(failures)} of {len(table)} rows fail"
            pytest.fail("\n".join([summary, *(line for lines in failures for line in lines)]), pytrace=False)

    def _check(
        self, name: str, vm: "VM", row_number: int, expected: Any, packet: bytes, wire_length: int, metadata: Any
    ) -> Iterator[str]:
        """Run the filter on one row, and yield the lines of the report if its verdict is not the expected one."""
        from .analysis.coverage import observe

        run = observe(vm, packet, wire_length, metadata)
        self._recorder.add(name, vm.program, vm.dialect, run.goals)
        if _matches(run.verdict, expected, vm.dialect):
            return
        from . import describe_verdict
        from .packet.packet_text import packet_lines
        from .reporting.trace_diff import trace_lines

        yield f"row {row_number}: {describe_verdict(run.verdict, dialect=vm.dialect)}; expected {expected}"
        yield from packet_lines(packet, wire_length, metadata, vm.dialect)
        yield from trace_lines(vm, packet, wire_length, metadata)


def _parse_row(row_number: int, row: TableRow) -> tuple[int, Any, bytes, int, Any]:
    """Return the number, verdict, packet, wire length and metadata of a row; raise `FieldError` if it is malformed."""
    __tracebackhide__ = True
    from . import FieldError, Metadata

    if hasattr(row, "packet"):
        return row_number, row.verdict, row.packet, row.wire_length, row.metadata
    try:
        verdict, packet, *rest = row
        (metadata,) = rest or [Metadata()]
    except (TypeError, ValueError):
        raise FieldError(f"row {row_number}: {row!r} is not a pair of a verdict and a packet") from None
    if not isinstance(metadata, Metadata):
        raise FieldError(f"row {row_number}: {metadata!r} is not a Metadata")
    try:
        data = bytes.fromhex(packet) if isinstance(packet, str) else bytes(packet)
    except (TypeError, ValueError) as error:
        raise FieldError(f"row {row_number}: {packet!r} is neither bytes nor hexadecimal text: {error}") from None
    if verdict not in ("accept", "reject") and (isinstance(verdict, bool) or not isinstance(verdict, int)):
        raise FieldError(f"row {row_number}: {verdict!r} is not a verdict; it must be 'accept', 'reject' or a number")
    return row_number, verdict, data, len(data), metadata


def _matches(verdict: int, expected: Any, dialect: "Dialect") -> bool:
    from .isa.verdicts import accepts

    return accepts(verdict, dialect) == (expected == "accept") if isinstance(expected, str) else verdict == expected


class CallTable:
    """The value of the fixture `call_table`: a function that checks a seccomp filter against a table of calls."""

    def __init__(self, recorder: CoverageRecorder) -> None:
        self._recorder = recorder

    def __call__(
        self,
        filter: "str | os.PathLike[str] | Instructions | Stack | Policy",
        table: str | os.PathLike[str] | Iterable[CallRow],
        *,
        dialect: "Dialect | None" = None,
        name: str | None = None,
        on_kernel: bool = False,
    ) -> None:
        """Fail the test if the filter has another action for a system call.

        Args:
            filter: A program, a `Stack` or a `Policy` of `cbpf.seccomp`; or the path of a program, a profile or a
                policy file.
            table: The path of a table that `cbpf.seccomp.read_call_table` reads, its `CallTest` objects, or pairs of an
                action, such as "errno(EPERM)", and a `SystemCall`.
            dialect: The dialect of a program; by default SECCOMP.
            name: The name of the filter in reports; by default the path, or the size of the program.
            on_kernel: Whether also to compare with the decisions of the running kernel, which executes no call. Without
                a kernel that can decide, the test is skipped; calls that it cannot decide are reported as a warning.

        Raises:
            FieldError: An argument or a row of the table is invalid.
            PolicyError: The table, the profile or the policy file is invalid.
        """
        __tracebackhide__ = True
        import cbpf

        from ._text import counted

        source = _seccomp_filter(filter, dialect or cbpf.SECCOMP)
        tests = _call_tests(table)
        display_name = name or (os.fspath(filter) if isinstance(filter, str | os.PathLike) else _size(source.programs))
        report = cbpf.seccomp.check_calls(source, tests)
        self._record(display_name, source, tests)
        if on_kernel and not report.failures:
            try:
                report = cbpf.seccomp.check_calls(source, tests, on_kernel=True)
            except cbpf.SeccompError as error:
                pytest.skip(f"{display_name}: all tests pass, but not on the kernel: {error}")
            for omission in report.omissions:
                calls = counted(omission.count, "call")
                warnings.warn(f"{calls} not made on the kernel: {omission.reason}", stacklevel=2)
        if report.failures:
            pytest.fail("\n".join([display_name, *report.lines()]), pytrace=False)

    def _record(self, name: str, stack: "Stack", tests: "Iterable[CallTest]") -> None:
        """Record the goals that the calls reach in each filter of a stack."""
        import cbpf

        from .analysis.coverage import observe

        records = [call.to_bytes(stack.dialect.byte_order) for test in tests for call in test.calls]
        for index, program in enumerate(stack.programs, 1):
            vm = cbpf.VM(program, engine="interpreter", dialect=stack.dialect)
            goals = frozenset().union(*(observe(vm, record).goals for record in records))
            place = f", filter {index} of {len(stack)}" if len(stack) > 1 else ""
            self._recorder.add(name + place, vm.program, vm.dialect, goals)


def _seccomp_filter(filter: Any, dialect: "Dialect") -> "Stack":
    """Return the programs of a filter of system calls, which may be in a file."""
    from . import seccomp

    if isinstance(filter, str | os.PathLike):
        path = os.fspath(filter)
        with open(path, "rb") as file:
            found = seccomp.read_filter(file.read(), folder=os.path.dirname(path) or ".", source=path)
        filter, dialect = found.filter, found.dialect
    if isinstance(filter, seccomp.Policy):
        return seccomp.Stack([filter.program()], dialect=filter.dialect)
    return filter if isinstance(filter, seccomp.Stack) else seccomp.Stack([filter], dialect=dialect)


def _call_tests(table: Any) -> "list[CallTest]":
    """Return the tests of a table of system calls, which may be in a file."""
    from .seccomp import CallTest, read_call_table

    if isinstance(table, str | os.PathLike):
        path = os.fspath(table)
        with open(path, encoding="utf-8") as file:
            return list(read_call_table(file.read(), source=path))
    return [row if isinstance(row, CallTest) else _call_row(number, row) for number, row in enumerate(table, 1)]


def _call_row(row_number: int, row: CallRow) -> "CallTest":
    """Return the test of a pair of an action and a system call; raise `FieldError` if the row is malformed."""
    __tracebackhide__ = True
    from . import FieldError
    from .seccomp import CallTest, SystemCall, parse_action

    try:
        action, call = row
    except (TypeError, ValueError):
        action = call = None
    if not (isinstance(action, str) and isinstance(call, SystemCall)):
        raise FieldError(f"row {row_number}: {row!r} is not a pair of an action and a SystemCall")
    try:
        return CallTest((call,), parse_action(action), f"row {row_number}")
    except FieldError as error:
        raise FieldError(f"row {row_number}: {error}") from None


def _size(programs: "Iterable[Program]") -> str:
    """Return the name of filters without one."""
    from ._text import counted

    return f"a filter of {counted(sum(map(len, programs)), 'instruction')}"


@pytest.fixture
def call_table(request: pytest.FixtureRequest) -> CallTable:
    """Check a seccomp filter against a table of system calls: call it with the arguments of `CallTable.__call__`."""
    stash = request.config.stash
    return CallTable(stash.setdefault(_RECORDER, CoverageRecorder()))


@pytest.fixture
def filter_table(request: pytest.FixtureRequest) -> FilterTable:
    """Check a filter against a table of packets and verdicts: call it with the arguments of `FilterTable.__call__`."""
    stash = request.config.stash
    return FilterTable(stash.setdefault(_RECORDER, CoverageRecorder()))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Report the coverage of each filter that a table checked."""
    recorder = config.stash.get(_RECORDER, None)
    if recorder is None or not recorder.reached:
        return
    terminalreporter.section("filter coverage")
    for (program, dialect), goals in recorder.reached.items():
        for line in _report(recorder.names[program, dialect], program, dialect, goals):
            terminalreporter.line(line)
        for key, coverage in recorder.clauses.items():
            if key[:2] == (program, dialect):
                for line in _clause_lines(coverage):
                    terminalreporter.line(f"    {line}")


def _report(name: str, program: "Program", dialect: "Dialect", reached: "frozenset[CoverageGoal]") -> Iterator[str]:
    """Yield a line with the numbers of goals reached, and the lines that list the others."""
    from .analysis.coverage import all_goals
    from .analysis.index_ranges import format_ranges

    goals = all_goals(program)
    if not goals <= reached:
        goals -= _dead_goals(program, dialect)
    instructions = {goal for goal in goals if goal.kind == "instruction"}
    branches = goals - instructions
    counts = [
        f"{len(part & reached)} of {len(part)} {noun}"
        for part, noun in ((instructions, "instructions"), (branches, "branch outcomes"))
    ]
    yield f"{name}: {', '.join(counts)}"
    missing = [goal.at for goal in instructions - reached]
    if missing:
        yield f"    never executed: {format_ranges(missing)}"
    one_sided = sorted(goal[1:] for goal in branches - reached if goal.at not in missing)
    if one_sided:
        outcomes = ", ".join(f"{at} {'true' if holds else 'false'}" for at, holds in one_sided)
        yield f"    outcomes never seen: {outcomes}"


def _clause_lines(coverage: "tuple[ClauseCoverage, ...]") -> Iterator[str]:
    """Yield the clauses that lack an outcome, a line for each outcome."""
    lacking: dict[str, list[str]] = {}
    for clause in coverage:
        lacking.setdefault(clause.missing(), []).append(clause.text)
    for outcome in ("never evaluated", "never true", "never false"):
        if outcome in lacking:
            yield f"clauses {outcome}: {', '.join(lacking[outcome])}"


def _dead_goals(program: "Program", dialect: "Dialect") -> "frozenset[CoverageGoal]":
    """Return the goals that no packet can reach; none if no solver is installed, or if it does not finish in time."""
    from . import MissingLibrary, Undecided, dead
    from .analysis.coverage import all_goals

    try:
        code = dead(program, dialect=dialect, timeout=_DEAD_CODE_TIMEOUT)
    except (MissingLibrary, Undecided):
        return frozenset()
    return frozenset(
        goal
        for goal in all_goals(program)
        if goal.at in code.instructions or (goal.kind == "branch" and (goal.at, goal.holds) in code.branches)
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist, send the recorded coverage to the controller process."""
    output = getattr(session.config, "workeroutput", None)
    recorder = session.config.stash.get(_RECORDER, None)
    if output is not None and recorder is not None:
        output["cbpf"] = pickle.dumps((recorder.names, recorder.reached, recorder.clauses))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the controller process of pytest-xdist, receive the coverage that a worker recorded."""
    data = getattr(node, "workeroutput", {}).get("cbpf")
    if data is not None:
        other = CoverageRecorder()
        other.names, other.reached, other.clauses = pickle.loads(data)
        node.config.stash.setdefault(_RECORDER, CoverageRecorder()).merge(other)
