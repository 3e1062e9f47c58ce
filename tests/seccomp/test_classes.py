"""The classes of filters: disjoint, complete, exact, and none of them empty."""

import os
from functools import partial
from pathlib import Path
from random import Random

import pytest

import cbpf
from cbpf import SECCOMP, seccomp
from cbpf.seccomp import CallClass, Policy, Stack
from cbpf.seccomp.diagrams.decision_diagram import DecisionDiagram
from support.class_corners import check_at_corners, evaluation, rules_of
from support.class_proofs import counterexample
from support.large_seccomp_filters import device_filter
from support.project import Rounds
from support.proofs import program
from support.random_choices import below, pick
from support.random_seccomp_filters import random_filter
from support.seccomp_rules import corner_calls, plain_program, random_rules, verdict

FILTERS = os.environ.get("CBPF_SECCOMP_FILTERS", "")
LAST, LAST_64 = 2**32 - 1, 2**64 - 1
ALL = ((0, LAST),)
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x50001, 0
LITTLE = SECCOMP.replace(byte_order="little")
BIG = SECCOMP.replace(byte_order="big")


@pytest.mark.fuzz
def test_classes_of_random_filters_at_all_corners(rounds: Rounds) -> None:
    for random in rounds(80):
        filter_ = random_filter(random, clauses=6)
        check_at_corners(random, evaluation(filter_), seccomp.call_classes(filter_, dialect=LITTLE), 40)


@pytest.mark.fuzz
def test_classes_of_random_filters_by_the_solver(rounds: Rounds) -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    for random in rounds(40, min_checked=0.8):
        computed = random.random() < 0.3
        filter_ = random_filter(random, clauses=2 if computed else 5, computed=computed)
        try:
            classes = seccomp.call_classes(filter_, dialect=LITTLE, timeout=5)
            if len(classes) <= 60:
                assert counterexample(filter_, classes, timeout=5) is None
                rounds.checked()
        except cbpf.Undecided:
            continue


@pytest.mark.slow
@pytest.mark.parametrize(("computed", "count"), [(False, 4_000), (True, 1_000)])
def test_classes_of_thousands_of_random_filters(computed: bool, count: int, rounds: Rounds) -> None:
    """The solver compares 5,000 filters with their classes."""
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    for random in rounds(count, min_checked=0.8):
        filter_ = random_filter(random, clauses=pick(random, (2, 3)) if computed else 6, computed=computed)
        try:
            classes = seccomp.call_classes(filter_, dialect=LITTLE, timeout=2)
            check_at_corners(random, evaluation(filter_), classes, 20)
            if len(classes) <= 100:
                assert counterexample(filter_, classes, timeout=2) is None
                rounds.checked()
        except cbpf.Undecided:
            continue


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ret #0x7fff0000", [(ALLOW, ALL, "")]),
        (  # an argument first, the number last
            "ld [16];jeq #5,0,3;ld [20];jeq #0,0,1;ret #0x50001;ld [0];jeq #2,0,1;ret #0x50001;ret #0x7fff0000",
            [
                (ALLOW, ((0, 1), (3, LAST)), f"0: 0..4 6..{LAST_64}"),
                (ERRNO, ((0, 1), (3, LAST)), "0: 5..5"),
                (ERRNO, ((2, 2),), ""),
            ],
        ),
        (  # different masks of one word
            "ld [16];and #0x10000000;jeq #0x10000000,0,1;ret #0x50001;ld [16];jset #3,0,1;ret #0x50001;ret #0x7fff0000",
            [(ALLOW, ALL, "0&10000003: 0..0"), (ERRNO, ALL, f"0&10000003: 1..{0x10000003}")],
        ),
        (  # the bit of x32
            "ld [0];jset #0x40000000,0,1;ret #0;ret #0x7fff0000",
            [
                (ALLOW, ((0, 0x3FFFFFFF), (0x80000000, 0xBFFFFFFF)), ""),
                (KILL, ((0x40000000, 0x7FFFFFFF), (0xC0000000, LAST)), ""),
            ],
        ),
        (  # single bits of the number, and of the architecture
            "ld [0];jset #1,0,3;ld [4];jset #2,0,1;ret #0;ret #0x7fff0000",
            [(ALLOW, ALL, "8&2: 0..0"), (ALLOW, ALL, "7&1: 0..0, 8&2: 2..2"), (KILL, ALL, "7&1: 1..1, 8&2: 2..2")],
        ),
        (  # the sign of an argument
            "ld [20];jset #0x80000000,0,1;ret #0;ret #0x7fff0000",
            [(ALLOW, ALL, f"0: 0..{LAST_64 >> 1}"), (KILL, ALL, f"0: {1 << 63}..{LAST_64}")],
        ),
        (  # the low half of the instruction pointer
            "ld [8];jgt #9,0,1;ret #0;ret #0x7fff0000",
            [(ALLOW, ALL, "6&ffffffff: 0..9"), (KILL, ALL, f"6&ffffffff: 10..{LAST}")],
        ),
        ("ld [0];tax;ld #7;div x;ret #0x7fff0000", [(KILL, ((0, 0),), ""), (ALLOW, ((1, LAST),), "")]),
        ("ld [0];and #1;or #0x50001;ret a", [(ERRNO, ALL, "")]),
        ("ld [0];and #1;add #0x7ffeffff;ret a", [(0x7FFEFFFF, ALL, "7&1: 0..0"), (ALLOW, ALL, "7&1: 1..1")]),
        (  # halves of which one matters for some values of the other
            "ld [20];jgt #99,0,2;ld [16];jeq #2,1,0;ret #0;ret #0x7fff0000",
            [
                (KILL, ALL, f"0: 0..{(100 << 32) - 1}"),
                (KILL, ALL, f"0: {100 << 32}..{LAST_64}, 0&ffffffff: 0..1 3..{LAST}"),
                (ALLOW, ALL, f"0&ffffffff: 2..2, 0: {100 << 32}..{LAST_64}"),
            ],
        ),
    ],
)
def test_classes(text: str, expected: list[tuple[int, object, str]]) -> None:
    classes = seccomp.call_classes(program(text), dialect=LITTLE)
    assert not any(each.is_computed for each in classes)
    assert [(each.action.verdict, each.numbers, _text(each)) for each in classes if each.action] == expected
    assert all(each.architectures == ALL for each in classes)


def _text(each: CallClass) -> str:
    """Return the conditions of a class: operand, mask, ranges."""
    parts = []
    for condition in each.conditions:
        for test in condition.alternatives:
            mask = f"&{test.mask:x}" if test.mask != 2**64 - 1 else ""
            ranges = " ".join(f"{low}..{high}" for low, high in test.ranges)
            parts.append(f"{condition.operand}{mask}: {ranges}")
    return ", ".join(parts)


def test_a_test_that_several_words_reach_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five loads lead to one comparison, so it compares another word on each path."""
    monkeypatch.setattr("cbpf.seccomp.classes.DecisionDiagram", partial(DecisionDiagram, max_steps=200_000))
    tests = [(16, "jge #0x33045000"), (28, "jgt #0"), (24, "jgt #0x1400000"), (36, "jgt #0"), (32, "jgt #3")]
    lines = [line for offset, test in tests for line in (f"ld [{offset}]", f"{test}, last")]
    filter_ = cbpf.parse(
        "\n".join([*lines, "ret #0x7fff0000", "last: jgt #0x34445df3, 0, 1", "ret #0", "ret #0x50001"])
    )
    classes = seccomp.call_classes(filter_, dialect=LITTLE)
    assert not any(each.is_computed for each in classes)
    check_at_corners(Random(0), evaluation(filter_), classes, 500)
    policy = seccomp.policy(filter_, dialect=LITTLE)
    arguments = [(0x33045000,), (0x34445DF4,), (0, 0, 4), (0, 0, 0x34445DF4), (0, 0x1400000, 3)]
    names = [policy.action(0, 0, each).name for each in arguments]
    assert names == ["ERRNO", "KILL_THREAD", "ERRNO", "KILL_THREAD", "ALLOW"]


def test_the_halves_of_arguments_follow_the_byte_order() -> None:
    text = "ld [16];jeq #5,0,1;ret #1;ret #2"
    little, big = (seccomp.call_classes(program(text), dialect=dialect) for dialect in (LITTLE, BIG))
    assert {_text(each) for each in little} == {"0&ffffffff: 5..5", "0&ffffffff: 0..4 6..4294967295"}
    assert "0: 21474836480..25769803775" in {_text(each) for each in big}


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let operations become opaque after few steps, which takes less time."""
    monkeypatch.setattr("cbpf.seccomp.classes.DecisionDiagram", partial(DecisionDiagram, max_steps=40_000))


@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("test", ["jeq x", "jgt x", "jset x", "and x;jeq #0", "mul x;jeq #6", "add x;jeq #6"])
def test_words_that_are_compared_with_each_other_are_decided_by_the_solver(test: str) -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    filter_ = program(f"ld [0];jeq #1,1,0;ret #7;ld [16];tax;ld [24];{test},0,1;ret #0x50001;ret #0x7fff0000")
    plain, *computed = seccomp.call_classes(filter_, dialect=LITTLE)
    assert (plain.numbers, plain.is_computed) == (((0, 0), (2, 2**32 - 1)), False)
    assert [(each.numbers, each.is_computed, each.action.name) for each in computed if each.action] == [
        (((1, 1),), True, "ERRNO"),
        (((1, 1),), True, "ALLOW"),
    ]
    assert counterexample(filter_, [plain, *computed], timeout=10) is None
    for each in computed:
        assert Stack([filter_], dialect=LITTLE).evaluate(each.witness).action == each.action


@pytest.mark.usefixtures("few_steps")
def test_verdicts_that_arithmetic_excludes_have_no_class() -> None:
    """A square is 0 or 1 modulo 4; a decision diagram of a product is too large to show it."""
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    filter_ = program("ld [16];and #0xffff;tax;mul x;and #3;jeq #2,0,1;ret #1;jeq #3,0,1;ret #2;ret #3")
    classes = seccomp.call_classes(filter_, dialect=LITTLE)
    assert [each.action.verdict for each in classes if each.action] == [3]


def test_computed_verdicts_are_said_to_be_computed() -> None:
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    filter_ = program("ld [0];jeq #1,0,2;ld [16];ret a;ret #0x7fff0000")
    classes = seccomp.call_classes(filter_, dialect=LITTLE)
    assert [(each.numbers, each.action is None, each.is_computed) for each in classes] == [
        (((0, 0), (2, 2**32 - 1)), False, False),
        (((1, 1),), True, True),
    ]
    with pytest.raises(cbpf.Undecided, match="computed by arithmetic that rules cannot describe"):
        seccomp.policy(filter_, dialect=LITTLE)


@pytest.mark.usefixtures("few_steps")
def test_a_set_without_a_short_description_is_computed_without_a_solver() -> None:
    """The parity of an argument: half of all numbers, without any order."""
    rows = ["ld [16]"]
    for shift in (16, 8, 4, 2, 1):
        rows += ["st M[0]", f"rsh #{shift}", "tax", "ld M[0]", "xor x"]
    filter_ = program(";".join([*rows, "jset #1,0,1", "ret #0x50001", "ret #0x7fff0000"]))
    classes = seccomp.call_classes(filter_, dialect=LITTLE, timeout=None)
    assert [(each.is_computed, each.conditions, each.action.name) for each in classes if each.action] == [
        (True, (), "ERRNO"),
        (True, (), "ALLOW"),
    ]
    for each in classes:
        assert Stack([filter_], dialect=LITTLE).evaluate(each.witness).action == each.action


def test_masks_with_exceptions_in_many_calls_are_decided(full_length: bool) -> None:
    filter_ = device_filter()
    classes = seccomp.call_classes(filter_, dialect=LITTLE)
    assert len(classes) < 100
    check_at_corners(Random(0), evaluation(filter_), classes, 50)
    if full_length:
        assert counterexample(filter_, classes, timeout=60) is None


@pytest.mark.usefixtures("few_steps")
def test_many_masks_of_one_word_are_undecided() -> None:
    bits = [sum({1 << index * step % 32 for step in (3, 7, 11, 19, 23, 29)}) for index in range(1, 100)]
    rows = [f"ld [16];and #{mask};jeq #{mask & 0x55555555},0,1;ret #{index}" for index, mask in enumerate(bits)]
    with pytest.raises(cbpf.Undecided, match="its decision diagram is too large"):
        seccomp.call_classes(program(";".join([*rows, "ret #0"])))


@pytest.mark.fuzz
def test_stacks_decide_as_the_kernel_does(rounds: Rounds) -> None:
    for random in rounds(40):
        filters = [random_filter(random, clauses=3) for _ in range(1 + below(random, 3))]
        stack = Stack(filters, dialect=LITTLE)
        classes = seccomp.call_classes(stack)
        rules = rules_of(classes)
        for architecture, number, *arguments, pointer in corner_calls(rules, random, 20):
            call = seccomp.SystemCall(number, arguments, architecture=architecture, instruction_pointer=pointer)
            members = [
                each
                for each, rule in zip(classes, rules, strict=True)
                if rule.matches(architecture, number, tuple(arguments), pointer)
            ]
            assert stack.evaluate(call).action in [each.action for each in members]
            assert len(members) == 1 or all(each.is_computed for each in members)


@pytest.mark.fuzz
def test_policies_are_equal_to_their_filters_and_their_rules(rounds: Rounds) -> None:
    for random in rounds(16):
        rules, default = random_rules(random, 4)
        source = Policy(rules, default, "little") if random.random() < 0.5 else plain_program(rules, default, "little")
        policy = seccomp.policy(source, dialect=LITTLE)
        assert policy.byte_order == "little"
        for call in corner_calls(rules, random, 30):
            architecture, number, *arguments, pointer = call
            expected = verdict(rules, default, call)
            matching = [rule for rule in policy.rules if rule.matches(architecture, number, tuple(arguments), pointer)]
            assert [rule.verdict for rule in matching] == [expected]


@pytest.mark.skipif(not FILTERS, reason="CBPF_SECCOMP_FILTERS is not set")
def test_classes_of_real_filters() -> None:
    """CBPF_SECCOMP_FILTERS is a folder with filters of this machine, as arrays of struct sock_filter."""
    pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")
    paths = sorted(Path(FILTERS).glob("*.bpf"))
    assert paths
    for path in paths:
        filter_ = cbpf.parse(path.read_bytes())
        classes = seccomp.call_classes(filter_)
        check_at_corners(Random(path.name), evaluation(filter_), classes, 200)
        assert counterexample(filter_, classes, timeout=60) is None
        program_of_policy = seccomp.policy(filter_).program()
        assert cbpf.difference(filter_, program_of_policy, dialect=SECCOMP, timeout=60) is None


def test_programs_are_verified_and_dialects_checked() -> None:
    with pytest.raises(cbpf.VerificationError):
        seccomp.call_classes(program("ldb [0];ret a"))
    with pytest.raises(cbpf.FieldError, match="has no records of 64 bytes"):
        seccomp.call_classes(program("ret #1"), dialect=cbpf.LINUX)
