"""Filters on tables of calls: the calls for which a filter has another action than the table, or than the kernel."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..._named_tuple import NamedTuple
from ..._record import Record
from ..._text import Readable, counted
from ..._validators import flag, instance_of, iterable
from ...errors import FieldError
from ...isa.dialects import SECCOMP, Dialect
from ...isa.verdicts import SeccompAction
from ..calls import SystemCall
from ..diagrams.filter_functions import Filter, as_filter
from ..kernel.live_kernel import kernel_decisions, obstacle
from ..names.actions import action_text
from ..policies import Policy
from ..stacks import Decision, Stack
from ..texts.call_texts import witness_text
from .expected_calls import CallTest


class CallFailure(Record):
    """A test that fails, with the first of its calls that does.

    Args:
        test: The test.
        call: The call.
        expected: The action of the test; of a decision of the kernel, that of the filters as cbpf runs them.
        decision: The decision that differs.
        by_kernel: Whether it is that of the running kernel.
        others: How many other calls of the test fail as well.
    """

    test: CallTest
    call: SystemCall
    expected: SeccompAction
    decision: Decision
    by_kernel: bool = False
    others: int = 0

    def describe(self, names: Sequence[str] = ()) -> str:
        """Return the failure as one line of text.

        Args:
            names: The names of the filters, oldest first; without them, they are "filter 1" and so on.

        Returns:
            The place of the test, the call, the expected action, the actual one, and the filter that decides.

        >>> test = CallTest((SystemCall(101),), SeccompAction(0x50001), "table.toml: test 1 (line 3)")
        >>> failure = CallFailure(test, test.calls[0], test.action, Decision(SeccompAction(0x7FFF0000), 0))
        >>> failure.describe(["profile.json"])
        'table.toml: test 1 (line 3): x86_64 ptrace(0, 0, 0, 0): expected errno(EPERM), got allow from profile.json'
        """
        index = self.decision.index
        name = names[index] if names else f"filter {index + 1}"
        actual = f"{action_text(self.decision.action)} from {name}"
        expected = action_text(self.expected)
        fact = f"expected {expected}, got {actual}"
        if self.by_kernel:
            fact = f"the running kernel decides {actual}; cbpf decides {expected}"
        more = f"; also for {counted(self.others, 'other call')}" if self.others else ""
        return f"{self.test.place}{': ' if self.test.place else ''}{_text(self.call)}: {fact}{more}"


class CallOmission(Record):
    """Calls that the running kernel did not decide.

    Args:
        reason: The reason.
        count: The number of calls.
    """

    reason: str
    count: int


class CallReport(Record, Readable):
    """The result of a table of calls. `str` returns it as text.

    Args:
        tests: The number of tests.
        calls: The number of their calls.
        failures: The failures, in the order of the tests.
        omissions: The calls that the running kernel did not decide; none unless it was to.
    """

    tests: int
    calls: int
    failures: tuple[CallFailure, ...]
    omissions: tuple[CallOmission, ...] = ()

    def lines(self, names: Sequence[str] = ()) -> list[str]:
        """Return a line for each failure, and one with the numbers of tests and calls.

        Args:
            names: The names of the filters, oldest first; without them, they are "filter 1" and so on.

        Returns:
            The lines.
        """
        failed = len({id(failure.test) for failure in self.failures})
        tests, calls = counted(self.tests, "test"), counted(self.calls, "call")
        summary = f"{failed} of {tests} fail ({calls})" if failed else f"{tests}, {calls}: all pass"
        return [*(failure.describe(names) for failure in self.failures), summary]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def check_calls(
    filter: Filter, tests: Iterable[CallTest], *, dialect: Dialect = SECCOMP, on_kernel: bool = False
) -> CallReport:
    r"""Check the actions of a filter for the calls of a table.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`, of which the program is checked.
        tests: The tests, such as those of `read_call_table`.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        on_kernel: Whether also to compare with the decisions of the running kernel, by `kernel_decisions`. Calls that
            this machine cannot make are omitted.

    Returns:
        The tests that fail, and the calls that the kernel did not decide.

    Raises:
        FieldError: An argument is invalid; or with *on_kernel*, the filters are none that `kernel_decisions` accepts.
        SeccompError: With *on_kernel*, this machine does not run such filters.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> deny_ptrace = parse("ld [0]\njeq #101, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> test = CallTest((SystemCall(101), SystemCall(102)), SeccompAction(0x50001))
    >>> print(check_calls(deny_ptrace, [test]))
    x86_64 getuid(): expected errno(EPERM), got allow from filter 1
    1 of 1 test fail (2 calls)
    """
    source = as_filter(filter, dialect)
    stack = Stack([source.program()], dialect=source.dialect) if isinstance(source, Policy) else source
    table = [instance_of(CallTest)("check_calls.tests", test) for test in iterable("check_calls.tests", tests)]
    calls = dict.fromkeys(call for test in table for call in test.calls)
    decisions = {call: stack.evaluate(call) for call in calls}
    kernel = _KernelResult({}, ())
    if flag("check_calls.on_kernel", on_kernel):
        kernel = _of_kernel(stack, calls)
    failures = [failure for test in table for failure in _failures(test, decisions, kernel.decisions)]
    return CallReport(len(table), sum(len(test.calls) for test in table), tuple(failures), kernel.omissions)


class _KernelResult(NamedTuple):
    """The decisions of the running kernel, and the calls that it did not decide."""

    decisions: Mapping[SystemCall, Decision]
    omissions: tuple[CallOmission, ...]


def _of_kernel(stack: Stack, calls: Iterable[SystemCall]) -> _KernelResult:
    obstacles = {call: obstacle(call) for call in calls}
    possible = [call for call, reason in obstacles.items() if not reason]
    try:
        decisions = kernel_decisions(stack, possible)
    except FieldError as error:
        raise FieldError(f"check_calls.on_kernel: {str(error).removeprefix('kernel_decisions.stack: ')}") from None
    counts = Counter(reason for reason in obstacles.values() if reason)
    omissions = tuple(CallOmission(reason, count) for reason, count in counts.items())
    return _KernelResult(dict(zip(possible, decisions, strict=True)), omissions)


def _failures(
    test: CallTest, decisions: Mapping[SystemCall, Decision], kernel: Mapping[SystemCall, Decision]
) -> Iterator[CallFailure]:
    """Yield the failure of a test, and that of the kernel, if there are."""
    wrong = [call for call in test.calls if decisions[call].action != test.action]
    if wrong:
        yield CallFailure(test, wrong[0], test.action, decisions[wrong[0]], False, len(wrong) - 1)
    different = [call for call in test.calls if kernel.get(call, decisions[call]) != decisions[call]]
    if different:
        first = different[0]
        yield CallFailure(test, first, decisions[first].action, kernel[first], True, len(different) - 1)


def _text(call: SystemCall) -> str:
    """Return a call with its architecture as text."""
    row = call.architecture
    architecture = row.name if row else f"architecture {call.audit_arch:#x}"
    return f"{architecture} {witness_text(call)}"
