"""Tables of calls: their calls and actions, the messages about invalid ones, and the filters compared with them."""

import platform
import re

import pytest

import cbpf
from cbpf.seccomp import CallTest, Decision, SeccompAction, Stack, SystemCall, check_calls, read_call_table
from support.judges import kernel

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

HEAD = 'architectures = ["x86_64", "i386"]\n'
DENY = "ld [0]\njeq #{number}, 0, 1\nret #{verdict}\nret #0x7fff0000"
EPERM, ALLOW = SeccompAction(0x50001), SeccompAction(0x7FFF0000)


def entry(calls: str, more: str = "", action: str = "allow") -> str:
    return f'[[test]]\ncalls = {calls}\n{more}\naction = "{action}"\n'


def calls_of(calls: str, more: str = "", head: str = HEAD) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return the calls of a table with one test: architecture, number, and arguments up to the last that is not 0."""
    (test,) = read_call_table(head + entry(calls, more))
    result = []
    for call in test.calls:
        used = max((index for index, value in enumerate(call.arguments, 1) if value), default=0)
        name = call.architecture.name if call.architecture else f"{call.audit_arch:#x}"
        result.append((name, call.number, call.arguments[:used]))
    return result


def deny(number: int, verdict: int = 0x50001) -> cbpf.Program:
    return cbpf.parse(DENY.format(number=number, verdict=verdict))


def test_names_numbers_and_ranges_are_calls_of_each_architecture() -> None:
    assert calls_of('["read", 435, "440..441"]') == [
        *(("x86_64", number, ()) for number in (0, 435, 440, 441)),
        *(("i386", number, ()) for number in (3, 435, 440, 441)),
    ]
    assert calls_of('["socketcall"]') == [("i386", 102, ())]
    assert calls_of('["read"]', head='architectures = ["x32"]\n') == [("x32", 0x40000000, ())]
    assert calls_of("[7]", 'architectures = [22, "0x30..0x31"]') == [("s390", 7, ()), ("0x30", 7, ()), ("0x31", 7, ())]


def test_groups_are_their_calls() -> None:
    assert calls_of('["@swap", "read"]', 'architectures = ["x86_64"]') == [
        ("x86_64", number, ()) for number in (168, 167, 0)
    ]
    with pytest.raises(cbpf.PolicyError, match=r"test 1 \(line 2\): calls: unknown group '@swp'; did you mean '@swap'"):
        calls_of('["@swp"]')
    with pytest.raises(cbpf.PolicyError, match="calls: none of the architectures has a call of the groups"):
        calls_of('["@cpu-emulation"]', 'architectures = ["aarch64"]')


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("[38, -1]", [(38, 2**64 - 1)]),
        ('["AF_ALG", "SOCK_RAW|0x80000"]', [(38, 0x80003)]),
        ('[["AF_UNIX", 38], [1, 2]]', [(1, 1), (1, 2), (38, 1), (38, 2)]),
        ('{ type = "SOCK_STREAM", family = ["AF_INET", 10] }', [(2, 1), (10, 1)]),
        ("{ arg2 = 17, protocol = 0xffffffffffffffff }", "'protocol' is argument 2, which has a value already"),
        ("{ arg5 = 0xffffffffffffffff }", [(0, 0, 0, 0, 0, 2**64 - 1)]),
    ],
)
def test_arguments_by_position_and_by_name(arguments: str, expected: list[tuple[int, ...]] | str) -> None:
    head = 'architectures = ["x86_64"]\n'
    if isinstance(expected, str):
        with pytest.raises(cbpf.PolicyError, match=expected):
            calls_of('["socket"]', f"arguments = {arguments}", head)
    else:
        assert calls_of('["socket"]', f"arguments = {arguments}", head) == [("x86_64", 41, each) for each in expected]


def test_names_of_arguments_have_the_position_of_the_architecture() -> None:
    found = calls_of('["clone"]', 'architectures = ["x86_64", "s390x"]\narguments = { flags = "CLONE_NEWUSER" }')
    assert found == [("x86_64", 56, (0x10000000,)), ("s390x", 120, (0, 0x10000000))]
    assert calls_of("[41]", 'architectures = ["x86_64"]\narguments = { family = 38 }') == [("x86_64", 41, (38,))]


def test_negative_numbers_have_the_size_of_a_register() -> None:
    found = calls_of('["read"]', "arguments = [-1]")
    assert found == [("x86_64", 0, (2**64 - 1,)), ("i386", 3, (2**32 - 1,))]


def test_a_call_may_have_an_instruction_pointer() -> None:
    (test,) = read_call_table(HEAD + entry("[1]", "arguments = { instruction_pointer = 0x1000, arg0 = 1 }"))
    assert {call.instruction_pointer for call in test.calls} == {0x1000}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("test = @", "t.toml: line 1, column 8: Invalid value"),
        ("", "t.toml: test: missing; a table has at least one [[test]]"),
        ("[[tests]]", "t.toml: unknown key 'tests'; did you mean 'test'?"),
        ("test = 1", "t.toml: test: 1 is not a list"),
        ("test = [1]", "t.toml: test 1: 1 is not a table of keys and values"),
        (entry("[1]"), "t.toml: test 1 (line 1): architectures: missing; a test or its table lists some"),
        ('architectures = ["x86-46"]', "t.toml: architectures[0]: unknown architecture 'x86-46'"),
        (HEAD + "[[test]]\ncall = 1", "t.toml: test 1 (line 2): unknown key 'call'; did you mean 'calls'?"),
        (HEAD + '[[test]]\naction = "allow"', "t.toml: test 1 (line 2): calls: missing; a test has at least one call"),
        (HEAD + entry("[]"), "t.toml: test 1 (line 2): calls: missing; a test has at least one call"),
        (HEAD + entry('["raed"]'), "t.toml: test 1 (line 2): calls: 'raed' is not a system call of x86_64, i386; did"),
        (HEAD + entry('["9..3"]'), "t.toml: test 1 (line 2): calls[0]: '9..3' is empty"),
        (HEAD + entry("[4294967296]"), "t.toml: test 1 (line 2): calls[0]: 4294967296 is out of range"),
        (HEAD + entry('["0..0xffffffff"]'), "t.toml: test 1 (line 2): more than 65,536 calls; cbpf seccomp show has"),
        (HEAD + entry('["1..182"]', f"arguments = {[[0] * 14] * 2}"), "test 1 (line 2): more than 65,536 calls"),
        (HEAD + entry("[1]", 'architectures = ["1..65537"]'), "test 1 (line 2): more than 65,536 calls"),
        (HEAD + entry('["read"]', "architectures = [1]"), "calls: 'read' is a name, but no architecture has one"),
        (HEAD + entry("[5]", 'architectures = ["x32"]'), "t.toml: test 1 (line 2): calls: 5 is not a number of x32"),
        (HEAD + entry("[1]", action="alow"), "t.toml: test 1 (line 2): action: 'alow' is not an action; did you mean"),
        (HEAD + "[[test]]\ncalls = [1]", "t.toml: test 1 (line 2): action: missing; a text is required"),
        (
            HEAD + entry("[1]") + entry("[1]", "arguments = [0, 0, 0, 0, 0, 0, 0]"),
            "t.toml: test 2 (line 6): arguments: 7 values; a system call has at most 6 arguments",
        ),
        (
            HEAD + entry("[1]", 'arguments = "x"'),
            "test 1 (line 2): arguments: 'x' is neither a list of values nor a table",
        ),
        (
            HEAD + entry('["socket"]', "arguments = { famly = 1 }"),
            "arguments: 'famly' is not an argument of socket; did you mean 'family'?",
        ),
        (
            HEAD + entry("[5000]", "arguments = { number = 1 }"),
            "'number' is not an argument of the call; known are arg0, arg1, arg2, arg3, arg4, arg5, instr",
        ),
        (HEAD + entry("[1]", "arguments = [[]]"), "arguments[0]: an empty list; an argument has at least one value"),
        (HEAD + entry("[1]", "arguments = [1.5]"), "arguments[0]: 1.5 is not a number or the name of a constant"),
        (HEAD + entry("[1]", "arguments = [true]"), "arguments[0]: True is not a number or the name of a constant"),
        (HEAD + entry("[1]", "arguments = [[1, [2]]]"), "arguments[0][1]: [2] is not a number or the name"),
        (
            HEAD + entry("[1]", 'arguments = ["AF_ALGE"]'),
            "arguments[0]: 'AF_ALGE': column 1: 'AF_ALGE' is not a number or a constant; did you mean 'AF_ALG'?",
        ),
        (HEAD + entry("[1]", 'arguments = ["1 2"]'), "arguments[0]: '1 2': column 3: '2' is not expected after a"),
        (HEAD + entry("[1]", 'arguments = [""]'), "arguments[0]: '': column 1: a number is expected"),
        (
            HEAD + entry("[1]", "arguments = { arg0 = 0x100000000 }"),
            "arguments.arg0: 0x100000000 exceeds 32 bits, the size of a register of i386",
        ),
        (HEAD + entry("[1]", f"arguments = [{2**64}]"), "exceeds 64 bits, the size of a register of x86_64"),
        (
            HEAD + entry("[1]", 'architectures = ["mips"]\narguments = ["MAP_32BIT"]'),
            "MAP_32BIT is not defined on mips; a rule may list the architectures that have it",
        ),
    ],
)
def test_invalid_tables_are_rejected_with_their_place(text: str, message: str) -> None:
    with pytest.raises(cbpf.PolicyError, match=re.escape(message)) as found:
        read_call_table(text, source="t.toml")
    assert "\n" not in str(found.value)


def test_names_need_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cbpf.seccomp.names.system_calls._library", lambda: None)
    with pytest.raises(cbpf.MissingLibrary, match="system-calls"):
        read_call_table(HEAD + entry('["getppid"]'))


# -- checks -----------------------------------------------------------------------------------------------------------


def test_each_failure_has_the_call_both_actions_and_the_deciding_filter() -> None:
    stack = Stack([deny(101), deny(41), deny(41, 0x50002)])
    tests = read_call_table(
        HEAD.replace(', "i386"', "")
        + entry('["ptrace"]', action="errno(EPERM)")
        + entry('["socket", "getpid", "socket"]', action="allow")
        + entry("[101]", "arguments = [0, 2000]", "kill_process"),
        source="t.toml",
    )
    report = check_calls(stack, tests)
    assert report.lines(["a", "b", "c"]) == [
        "t.toml: test 2 (line 6): x86_64 socket(0, 0, 0): expected allow, got errno(ENOENT) from c; also for 1 other "
        "call",
        "t.toml: test 3 (line 10): x86_64 ptrace(0, 0x7d0, 0, 0): expected kill_process, got errno(EPERM) from a",
        "2 of 3 tests fail (5 calls)",
    ]
    assert report.failures[0].decision == Decision(SeccompAction(0x50002), 2)
    assert str(check_calls(stack, tests[:1])) == "1 test, 1 call: all pass"


def test_the_data_of_an_action_is_compared() -> None:
    test = CallTest((SystemCall(1),), SeccompAction(0x50002))
    assert check_calls(deny(1), [test]).failures
    assert not check_calls(deny(1, 0x50002), [test]).failures


def test_policies_and_programs_of_other_machines_are_checked() -> None:
    policy = cbpf.seccomp.read_policy(
        'default = "errno(EPERM)"\narchitectures = ["s390x"]\n[[rule]]\ncalls = ["read"]\naction = "allow"'
    )
    tests = read_call_table('architectures = ["s390x"]\n' + entry('["read"]') + entry('["write"]'))
    for filter_, dialect in ((policy, cbpf.SECCOMP), (policy.program(), policy.dialect)):
        (failure,) = check_calls(filter_, tests, dialect=dialect).failures
        assert (failure.test, failure.call.name, failure.decision.action) == (tests[1], "write", EPERM)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tests": [SystemCall(1)]}, "check_calls.tests: .* is not a CallTest"),
        ({"tests": 1}, "check_calls.tests: 1 is not iterable"),
        ({"tests": [], "on_kernel": 1}, "check_calls.on_kernel: 1 is neither True nor False"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=message):
        check_calls(deny(1), **arguments)  # type: ignore[arg-type]
    with pytest.raises(cbpf.FieldError, match="an empty tuple; at least one SystemCall is required"):
        CallTest((), ALLOW)


# -- on the running kernel --------------------------------------------------------------------------------------------

REASON = kernel.seccomp_available() or (None if platform.machine() == "x86_64" else "x86-64 only")
on_kernel = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@on_kernel
def test_the_running_kernel_decides_as_the_table() -> None:
    stack = Stack([deny(41), deny(0x40000029, 0x50002)])
    tests = read_call_table(
        'architectures = ["x86_64", "i386", "x32"]\n'
        + entry('["exit_group", "reboot"]')
        + entry('["socket"]', 'architectures = ["x86_64"]', "errno(EPERM)")
        + entry('["socket"]', 'architectures = ["x32"]', "errno(ENOENT)")
        + entry('["uprobe"]', 'architectures = ["x86_64"]')
        + entry('["read"]', 'architectures = ["aarch64", "s390x"]')
    )
    report = check_calls(stack, tests, on_kernel=True)
    assert not report.failures
    assert [(omission.count, omission.reason) for omission in report.omissions] == [
        (1, "Linux runs this call without a filter"),
        (2, "only calls of x86_64, x32 and i386 can be made"),
    ]


@on_kernel
def test_another_decision_of_the_kernel_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    decision = Decision(SeccompAction(0x80000000), 0)
    monkeypatch.setattr(
        "cbpf.seccomp.call_tests.call_checks.kernel_decisions", lambda stack, calls: [decision] * len(calls)
    )
    report = check_calls(deny(1), [CallTest((SystemCall(2), SystemCall(3)), ALLOW, "row 1")], on_kernel=True)
    assert report.lines(["f"])[0] == (
        "row 1: x86_64 open(0, 0, 0): the running kernel decides kill_process from f; cbpf decides allow; also for 1 "
        "other call"
    )
    assert report.failures[0].by_kernel


@on_kernel
@pytest.mark.parametrize(
    ("stack", "message"),
    [
        (Stack([cbpf.parse("ld [8]\nret #0x7fff0000")]), "check_calls.on_kernel: filter 1: it loads the instruction"),
        (
            Stack([deny(1)], dialect=cbpf.seccomp.ARCHITECTURES["s390x"].dialect),
            "check_calls.on_kernel: the filters are for big-endian machines, and this one is little-endian",
        ),
    ],
)
def test_filters_that_the_kernel_cannot_decide_are_errors(stack: Stack, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=message):
        check_calls(stack, [CallTest((SystemCall(1),), ALLOW)], on_kernel=True)
