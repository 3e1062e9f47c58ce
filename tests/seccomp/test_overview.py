"""Overviews are exact: their data, read back, has the action of each call; and their texts read as people expect."""

from __future__ import annotations

from typing import Any, Final

import pytest

import cbpf
from cbpf import seccomp
from cbpf.seccomp import ARCHITECTURES, Condition, MaskedRanges, Stack, SystemCall
from support import random_seccomp
from support.project import Rounds

needs_names = pytest.mark.skipif(not seccomp.names_available(), reason="system-calls is not installed")

PROLOGUE: Final = """
    ld [4]
    jne #0xc000003e, kill
    ld [0]
    jgt #0x3fffffff, kill
"""
RETURNS: Final = """
    allow: ret #0x7fff0000
    deny: ret #0x50001
    kill: ret #0x80000000
"""


def _program(text: str) -> cbpf.Program:
    return cbpf.parse(f"{PROLOGUE}{text}{RETURNS}")


def _test(data: dict[str, Any]) -> MaskedRanges:
    return MaskedRanges(data["mask"], tuple((low, high) for low, high in data["ranges"]))


def _holds(entry: dict[str, Any], operands: tuple[int, ...]) -> bool:
    conditions = [Condition(each["operand"], tuple(map(_test, each["alternatives"]))) for each in entry["conditions"]]
    return all(condition.holds(operands[condition.operand]) for condition in conditions)


def _contains(ranges: Any, number: int) -> bool:
    return any(low <= number <= high for low, high in ranges)


def _actions(data: dict[str, Any], call: SystemCall) -> list[str]:
    """Return the actions of a call in an overview: there is one, unless Linux never filters the call."""
    operands = (*call.arguments, call.instruction_pointer, call.number, call.audit_arch)
    return [
        case["action"]
        for section in data["sections"]
        if _contains(section["audit_arch"], call.audit_arch) and _holds(section, operands)
        for row in section["calls"]
        if _contains(row["numbers"], call.number) and _holds(row, operands)
        for case in row["cases"]
        if _holds(case, operands)
    ]


def _cases(data: dict[str, Any]) -> list[dict[str, Any]]:
    return [case for section in data["sections"] for row in section["calls"] for case in row["cases"]]


def _is_computed(data: dict[str, Any]) -> bool:
    return any(case["computed"] for case in _cases(data))


def _witness(case: dict[str, Any]) -> SystemCall:
    call = case["witness"]
    pointer = call["instruction_pointer"]
    return SystemCall(call["number"], call["arguments"], architecture=call["audit_arch"], instruction_pointer=pointer)


def _is_unfiltered(call: SystemCall) -> bool:
    return call.architecture is not None and call.number in call.architecture.unfiltered


@pytest.mark.fuzz
def test_each_call_has_one_action_in_the_data(rounds: Rounds) -> None:
    for random in rounds(10, min_checked=0.4):
        stack = random_seccomp.stack(random, 3)
        try:
            data = seccomp.overview(stack).as_dict()
        except cbpf.Undecided:
            continue
        for case in _cases(data):
            if not case["computed"]:
                witness = _witness(case)
                assert seccomp.action_text(stack.evaluate(witness).action) == case["action"]
                assert _actions(data, witness) == [case["action"]] or _is_computed(data)
        if not _is_computed(data):
            rounds.checked()
            for call in random_seccomp.calls(random, stack, 50):
                expected = [seccomp.action_text(stack.evaluate(call).action)]
                assert _actions(data, call) == expected, call


@pytest.mark.fuzz
def test_texts_of_random_stacks_fit_a_terminal(rounds: Rounds) -> None:
    for random in rounds(2, min_checked=0.4):
        stack = random_seccomp.stack(random, 2)
        try:
            found = seccomp.overview(stack)
        except cbpf.Undecided:
            continue
        rounds.checked()
        texts = [str(found), str(seccomp.explain_call(stack, "clone")), seccomp.listing(stack)]
        assert max(len(line) for text in texts for line in text.splitlines()) <= 120
        assert found.markdown().count("### ") == str(found).count("\n\n") + 1


@pytest.mark.fuzz
def test_each_difference_is_in_the_data(rounds: Rounds) -> None:
    for random in rounds(8, min_checked=0.3):
        old, new = random_seccomp.stack(random, 1), random_seccomp.stack(random, 1)
        try:
            groups = seccomp.difference_overview(old, new).as_dict()
        except cbpf.Undecided:
            continue
        if any(_is_computed({"sections": found}) for found in groups.values()):
            continue
        rounds.checked()
        for call in random_seccomp.calls(random, old, 25) + random_seccomp.calls(random, new, 25):
            before, after = (seccomp.action_text(each.evaluate(call).action) for each in (old, new))
            found = [action for sections in groups.values() for action in _actions({"sections": sections}, call)]
            assert found == ([f"{before} -> {after}"] if before != after else []), call


POLICY: Final = _program("""
    jeq #0, allow
    jeq #1, allow
    jeq #335, deny
    jeq #41, socket
    jeq #272, unshare
    jeq #435, unknown, deny
    socket: ld [16]
    jeq #38, deny
    jmp allow
    unshare: ld [16]
    jset #0x10000000, deny
    jset #0x3, log, allow
    log: ret #0x7ffc0000
    unknown: ret #0x50026
""")
NEW_POLICY: Final = _program("""
    jeq #0, allow
    jeq #41, socket
    jeq #272, allow
    jeq #435, unknown
    jeq #101, trap, kill
    trap: ret #0x30001
    socket: ld [16]
    jeq #40, deny
    jmp allow
    unknown: ret #0x50001
""")


@needs_names
def test_a_table_has_actions_and_conditions_in_words() -> None:
    assert (
        str(seccomp.overview(POLICY))
        == """\
x86_64
  allow           read, write
  errno(ENOSYS)   clone3
  kill_process    0x80000000 and above
  errno(EPERM)    all others
  socket          allow if family & 0xffffffff != AF_ALG, else errno(EPERM)
  unshare         allow if flags & 0x10000003 = 0
                  log if flags & 0x10000003 = 1..3
                  else errno(EPERM)
  (not filtered)  uprobe, uretprobe: Linux never filters them

x32, other architectures
  kill_process  all calls"""
    )


@needs_names
def test_tables_of_markdown_have_the_same_lines() -> None:
    assert (
        seccomp.overview(POLICY).markdown()
        == """\
### x86_64

| action or call | |
|---|---|
| allow | read, write |
| errno(ENOSYS) | clone3 |
| kill_process | 0x80000000 and above |
| errno(EPERM) | all others |
| socket | allow if family & 0xffffffff != AF_ALG, else errno(EPERM) |
| unshare | allow if flags & 0x10000003 = 0<br>log if flags & 0x10000003 = 1..3<br>else errno(EPERM) |
| (not filtered) | uprobe, uretprobe: Linux never filters them |

### x32, other architectures

| action or call | |
|---|---|
| kill_process | all calls |"""
    )


@needs_names
def test_differences_are_grouped_by_their_effect() -> None:
    assert (
        str(seccomp.difference_overview(POLICY, NEW_POLICY))
        == """\
looser: NEW allows calls that OLD does not, or OLD has stricter actions
  x86_64
    socket   errno(EPERM) -> allow if family & 0xffffffff = AF_ALG, such as
             socket(38, 0, 0)
    unshare  log -> allow if flags & 0x10000003 = 1..3, such as unshare(1)
             errno(EPERM) -> allow if flags & CLONE_NEWUSER != 0, such as
             unshare(0x10000000)

stricter: OLD allows calls that NEW does not, or NEW has stricter actions
  x86_64
    allow -> kill_process         write
    errno(EPERM) -> kill_process  all calls but clone3, ptrace, read, socket,
                                  unshare, uprobe, uretprobe, write, 0x80000000
                                  and above
    errno(EPERM) -> trap(1)       ptrace
    socket                        allow -> errno(EPERM) if family & 0xffffffff
                                  = AF_VSOCK, such as socket(40, 0, 0)
    (not filtered)                uprobe, uretprobe: Linux never filters them

other errno: both deny these calls, with different error numbers
  x86_64
    errno(ENOSYS) -> errno(EPERM)  clone3"""
    )


def test_other_numbers_are_a_group_of_their_own() -> None:
    old, new = (cbpf.parse(f"ret #{verdict:#x}") for verdict in (0x30001, 0x30002))
    title = "other number: both have the same action for these calls, with different numbers"
    text = f"{title}\n  all architectures\n    trap(1) -> trap(2)  all calls"
    assert str(seccomp.difference_overview(old, new)) == text
    assert not seccomp.implication_overview(old, new).differences
    assert list(seccomp.implication_overview(old, new, exact=True).as_dict()) == ["other number"]


NARROW: Final = """
default = "errno(EPERM)"
architectures = ["x86_64", "i386"]
[[rule]]
calls = ["socket"]
if = "family & 0xffffffff < 38 or = 39 or = 0xffffffff"
action = "allow"
[[rule]]
calls = ["close"]
if = "fd & 0xffffffff = 3 and fd != 3"
action = "allow"
[[rule]]
calls = ["dup"]
if = "arg0 & 0xff = 3"
action = "allow"
"""


@needs_names
def test_arguments_of_registers_of_32_bits_have_no_mask() -> None:
    """The mask stays where a condition tests the upper half as well, and in sections that x86_64 or x32 have, too."""
    found = seccomp.overview(seccomp.read_policy(NARROW))
    cases = """\
  close           allow if fd & 0xffffffff = 3 and fd > 0xffffffff
                  else errno(EPERM)
  dup             allow if fildes & 0xff = 3, else errno(EPERM)
"""
    x86_64, _, i386 = str(found).split("\n\n")
    low_half = "  socket          allow if family & 0xffffffff < 38 or = 39 or = 0xffffffff\n"
    assert cases + low_half in x86_64
    assert (
        i386
        == """\
i386
  errno(EPERM)  all others
  close         allow if fd & 0xffffffff = 3 and fd > 0xffffffff
                else errno(EPERM)
  dup           allow if fildes & 0xff = 3, else errno(EPERM)
  socket        allow if family < 38 or = 39 or = 0xffffffff
                else errno(EPERM)
  (32 bits)     arguments have 32 bits here: the lower half of the 64 bits that
                a filter reads"""
    )
    (section,) = [section for section in found.as_dict()["sections"] if section["architecture"] == "i386"]
    (row,) = [row for row in section["calls"] if row["names"] == ["socket"]]
    assert row["cases"][0]["if"] == "arg0 & 0xffffffff < 38 or = 39 or = 0xffffffff"
    with_x32 = seccomp.read_policy(NARROW.replace('"i386"', '"i386", "x32"'))
    _, x32_and_i386, _ = str(seccomp.overview(with_x32)).split("\n\n")
    assert x32_and_i386.startswith("x32, i386\n")
    assert "  socket        allow if family & 0xffffffff < 38 or = 39 or = 0xffffffff\n" in x32_and_i386


@needs_names
def test_a_few_numbers_above_all_names_are_not_the_others() -> None:
    last = max(seccomp.call_names("x86_64").values())
    text = f'[[rule]]\ncalls = ["read", {last + 1}, "{last + 3}..{last + 4}"]\naction = "allow"\n'
    found = seccomp.overview(seccomp.read_policy('default = "errno(EPERM)"\narchitectures = ["x86_64"]\n' + text))
    assert f"  allow           read, {last + 1}, {last + 3} to {last + 4}\n" in str(found)
    assert "  errno(EPERM)    all others\n" in str(found)


def test_parts_of_a_set_are_described_as_one_number_where_this_is_shorter() -> None:
    """The high half is 0 where the low half is one of a few: not two conditions, but a range of the number."""
    old = 'default = "allow"\narchitectures = ["i386"]\n[[rule]]\ncalls = [1]\naction = "trap"\nif = "{}"\n'
    policies = [seccomp.read_policy(old.format(text)) for text in ("arg0 & 0xffffffff < 3", "arg0 = 1..2")]
    conditions = [
        case["if"] for case in _cases({"sections": seccomp.difference_overview(*policies).as_dict()["looser"]})
    ]
    assert conditions == ["arg0 = 0", "arg0 > 0xffffffff and arg0 & 0xffffffff < 3"]


@pytest.mark.parametrize(
    ("old", "new", "title"),
    [
        (0x50001, 0x7FFF0000, "looser: NEW allows calls that OLD does not"),
        (0x80000000, 0x50001, "looser: OLD has stricter actions"),
        (0x7FFC0000, 0x7FFF0000, "looser: OLD has stricter actions"),
        (0x7FFC0000, 0x7FC00000, "stricter: OLD allows calls that NEW does not"),
        (0x50001, 0x30000, "stricter: NEW has stricter actions"),
    ],
)
def test_titles_of_differences_say_which_filter_does_what(old: int, new: int, title: str) -> None:
    found = seccomp.difference_overview(cbpf.parse(f"ret #{old}"), cbpf.parse(f"ret #{new}"))
    assert str(found).splitlines()[0] == title
    assert found.markdown().splitlines()[0] == f"## {title}"


@needs_names
def test_an_implication_lists_the_calls_that_violate_it() -> None:
    assert (
        str(seccomp.implication_overview(POLICY, NEW_POLICY))
        == """\
stricter: LEFT allows calls that RIGHT does not
  x86_64
    allow -> kill_process  write
    socket                 allow -> errno(EPERM) if family & 0xffffffff
                           = AF_VSOCK, such as socket(40, 0, 0)"""
    )
    assert not str(seccomp.implication_overview(cbpf.parse("ret #0"), POLICY))


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("ret #0x7fff0000", "all architectures\n  allow  all calls"),
        (
            "ld [0]\nand #1\njeq #1, 0, 1\nret #0x50001\nret #0x7fff0000",
            "all architectures\n  all calls with number & 1 != 0  errno(EPERM)\n"
            "  all calls with number & 1 = 0   allow",
        ),
        (
            "ld [16]\ntax\nld [24]\njeq x, 0, 1\nret #0x50001\nret #0x7fff0000",
            "all architectures\n  all calls  errno(EPERM) for some calls\n             allow for some calls",
        ),
        ("ld [16]\nret a", "all architectures\n  all calls  a computed action for some calls"),
        (
            "ld [4]\nand #1\njeq #1, 0, 1\nret #0x50001\nret #0x7fff0000",
            "architectures with architecture & 1 = 0\n  allow  all calls\n\n"
            "architectures with architecture & 1 != 0\n  errno(EPERM)  all calls",
        ),
        (
            "ld [4]\njeq #5, 0, 1\nret #0x50001\nld [8]\njgt #77, 0, 1\nret #0x12340000\nret #0x7fff0000",
            "other architectures\n  all calls  allow if instruction_pointer & 0xffffffff < 78\n"
            "             else 0x12340000\n\narchitecture 5\n  errno(EPERM)  all calls",
        ),
        (
            "ld [0]\njgt #100, 0, 1\nret #0x7fff0000\nld [16]\njeq #1, 0, 1\nret #0x7fff0000\nret #0x50001",
            "all architectures, with the names of x86_64\n  allow             all others\n"
            "  numbers 0 to 100  allow if arg0 & 0xffffffff = 1, else errno(EPERM)",
        ),
    ],
    ids=[
        "all",
        "masked number",
        "equal words",
        "computed",
        "masked architecture",
        "unknown architecture",
        "many calls",
    ],
)
def test_unusual_filters_have_exact_tables(program: str, text: str) -> None:
    if "x, 0, 1" in program or "ret a" in program:
        pytest.importorskip("bitwuzla")
    if "with the names" in text:
        pytest.importorskip("system_calls")
    assert str(seccomp.overview(cbpf.parse(program), architecture="x86_64")) == text


@needs_names
def test_filters_of_big_endian_machines_have_the_names_of_one() -> None:
    dialect = ARCHITECTURES["s390x"].dialect
    program = cbpf.parse("ld [0]\njeq #11, 0, deny\nld [20]\njeq #3, deny\nret #0x7fff0000\ndeny: ret #0x50001")
    assert (
        str(seccomp.overview(program, dialect=dialect))
        == """\
all architectures, with the names of s390x
  errno(EPERM)  all others
  execve        allow if filename & 0xffffffff != 3, else errno(EPERM)"""
    )


@needs_names
def test_a_stack_is_one_policy() -> None:
    deny = "ld [0]\njeq #{number}, 0, 1\nret #0x50001\nret #0x7fff0000"
    stack = Stack([cbpf.parse(deny.format(number=number)) for number in (101, 321)])
    assert (
        str(seccomp.overview(stack, architecture="x86_64"))
        == """\
all architectures, with the names of x86_64
  errno(EPERM)  bpf, ptrace
  allow         all others"""
    )
