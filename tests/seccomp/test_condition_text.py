"""Conditions as text: parsed, printed, and the messages about wrong ones."""

import pytest

from cbpf import FieldError
from cbpf.seccomp import ARCHITECTURES, Condition, MaskedRanges, conditions_text, parse_conditions
from support.project import Rounds
from support.random_choices import below
from support.seccomp_rules import random_condition

TOP = 2**64 - 1


def condition(operand: int, *tests: MaskedRanges) -> Condition:
    return Condition(operand, tests)


def values(*ranges: tuple[int, int]) -> MaskedRanges:
    return MaskedRanges(ranges=ranges)


@pytest.mark.parametrize(
    ("text", "call", "expected"),
    [
        ("family < 38 or = 39 or > 40", "socket", [condition(0, values((0, 37), (39, 39), (41, TOP)))]),
        ("family <= 37 or family == 39 or >= 41", "socket", [condition(0, values((0, 37), (39, 39), (41, TOP)))]),
        (
            "family = AF_INET and type != 3",
            "socket",
            [condition(0, values((2, 2))), condition(1, values((0, 2), (4, TOP)))],
        ),
        ("flags & CLONE_NEWUSER = 0", "clone", [condition(0, MaskedRanges(0x10000000, ((0, 0),)))]),
        ("prot & PROT_WRITE|PROT_EXEC = 6", "mmap", [condition(2, MaskedRanges(6, ((6, 6),)))]),
        ("arg2 = 0x10..0x1f", None, [condition(2, values((16, 31)))]),
        ("arg2 != 0o20..31", None, [condition(2, values((0, 15), (32, TOP)))]),
        ("arg2=1 and arg3>2", None, None),
        ("instruction_pointer > 0x1000", None, [condition(6, values((0x1001, TOP)))]),
        ("number & 1 = 1 and architecture & 0xff != 3", None, None),
        (
            "fd & 0xffffffff >= 3 or & 1 = 1",
            "read",
            [condition(0, MaskedRanges(2**32 - 1, ((3, 2**32 - 1),)), MaskedRanges(1, ((1, 1),)))],
        ),
        (
            "fd & 255 >= 3 or = 1 or fd = 256",
            "read",
            [condition(0, MaskedRanges(255, ((1, 1), (3, 255))), values((256, 256)))],
        ),
        ("arg1 = 5", "prctl", [condition(1, values((5, 5)))]),
        ("arg0 < 0", None, [condition(0, values())]),
        ("", None, []),
    ],
)
def test_texts(text: str, call: str | None, expected: list[Condition] | None) -> None:
    parsed = parse_conditions(text, [call] if call else [])
    if expected is not None:
        assert parsed == tuple(expected)
    printed = conditions_text(parsed, call)
    assert parse_conditions(printed, [call] if call else []) == parsed


@pytest.mark.parametrize(
    ("text", "call", "printed"),
    [
        ("family < 38 or = 39 or > 40", "socket", "family < 38 or = 39 or > 40"),
        ("arg0 & 0x7e020000 = 0", None, "arg0 & 0x7e020000 = 0"),
        ("flags & 0x10020000 = 0", "clone", "flags & CLONE_NEWNS|CLONE_NEWUSER = 0"),
        ("option = 22 or = 38", "prctl", "option = PR_SET_SECCOMP or = PR_SET_NO_NEW_PRIVS"),
        ("arg0 != 5", "read", "fd != 5"),
        ("fd & 7 = 1 or = 3 or & 8 = 8 or fd = 0", "read", "fd & 7 = 1 or = 3 or & 8 != 0 or fd = 0"),
        ("arg0 < 5 or > 5 and arg1 >= 0x8000000000000000", None, "arg0 != 5 and arg1 > 0x7fffffffffffffff"),
        ("number != 3 and arg5 <= 0xffff", None, "number != 3 and arg5 < 0x10000"),
        ("family = 1..3", "socket", "family = AF_UNIX or = AF_INET or = AF_AX25"),
        ("family = 1..5", "socket", "family = 1..5"),
        ("family < 3", "socket", "family = AF_UNSPEC or = AF_UNIX or = AF_INET"),
        ("sig < 3", "kill", "sig < 3"),
        ("family != AF_ALG", "socket", "family != AF_ALG"),
        ("sig = 9 or > 30", "kill", "sig = 9 or > 30"),
        ("sig = 9 or = 15", "kill", "sig = SIGKILL or = SIGTERM"),
        ("type & 15 = 1 or = 2", "socket", "type & 0xf = SOCK_STREAM or = SOCK_DGRAM"),
        ("family & 38 = 2", "socket", "family & 0x26 = 2"),
        ("flags & CLONE_NEWUSER = CLONE_NEWUSER", "clone", "flags & CLONE_NEWUSER != 0"),
        ("flags & 0x10020000 >= 1", "clone", "flags & CLONE_NEWNS|CLONE_NEWUSER != 0"),
        ("prot & 6 < 6", "mprotect", "prot & PROT_WRITE|PROT_EXEC != PROT_WRITE|PROT_EXEC"),
        ("prot & 6 <= 5", "mprotect", "prot & PROT_WRITE|PROT_EXEC != PROT_WRITE|PROT_EXEC"),
        ("prot & 6 = 1..4", "mprotect", "prot & PROT_WRITE|PROT_EXEC = PROT_WRITE or = PROT_EXEC"),
        ("prot & 7 < 2", "mprotect", "prot & PROT_READ|PROT_WRITE|PROT_EXEC = 0 or = PROT_READ"),
        ("prot & 7 < 6", "mprotect", "prot & PROT_READ|PROT_WRITE|PROT_EXEC < 6"),
        ("flags & 0x10000003 = 1..3", "clone", "flags & 0x10000003 = 1..3"),
        ("flags & 0x10000003 = 4..0xfffffff", "clone", "flags & 0x10000003 < 0"),
        ("prot = 0", "mprotect", "prot = PROT_NONE"),
    ],
)
def test_printed_texts(text: str, call: str | None, printed: str) -> None:
    assert conditions_text(parse_conditions(text, [call] if call else []), call) == printed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("famly = 1", "column 1: 'famly' is not an operand; did you mean 'family'?"),
        ("family 1", "column 8: a relation is expected: =, !=, <, <=, >, >="),
        ("family = ", "column 10: a number is expected"),
        ("family = AF_IENT", "column 10: 'AF_IENT' is not a number or a constant; did you mean 'AF_INET'?"),
        ("family = 1 type = 2", "column 12: 'type' is not expected; 'and' or 'or' follows a condition"),
        ("family = 1 and", "column 15: a condition is expected after 'and'"),
        ("family = 1 or type = 2", "column 15: 'or' joins tests of one operand, here 'family'; write a rule for each"),
        ("family = 5..3", "column 13: 0x3 is below 0x5, the first number of the range"),
        ("family = 0x10000000000000000", "column 10: 0x10000000000000000 exceeds 64 bits"),
        ("family & 3 = 4", "column 14: 0x4 has bits that the mask 0x3 does not have"),
        ("family = -1", "column 10: '-' is not a number or a constant"),
        ("arg6 = 1", "column 1: 'arg6' is not an operand; did you mean "),
        ("qqq = 1", "column 1: 'qqq' is not an operand; known are "),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(FieldError) as caught:
        parse_conditions(text, ["socket"])
    assert str(caught.value).startswith(message)


def test_an_argument_must_have_one_position_in_all_calls() -> None:
    assert parse_conditions("fd = 1", ["read", "write"]) == (condition(0, values((1, 1))),)
    with pytest.raises(FieldError, match="'fd' is not an operand"):
        parse_conditions("fd = 1", ["read", "mmap"])
    with pytest.raises(FieldError, match="'family' is not an operand"):
        parse_conditions("family = 1", ["socket", "read"])


def test_constants_have_the_number_of_the_architecture() -> None:
    for name, number in (("x86_64", 0x10000), ("aarch64", 0x4000), ("ppc64le", 0x4000), ("mips", 0x10000)):
        row = ARCHITECTURES[name]
        (condition,) = parse_conditions("flags & O_DIRECTORY != 0", ["openat"], row)
        assert condition.alternatives[0].mask == number
        assert conditions_text([condition], "openat", row) == "flags & O_DIRECTORY != 0"
    mips = ARCHITECTURES["mips"]
    assert conditions_text(parse_conditions("type = 1", ["socket"]), "socket") == "type = SOCK_STREAM"
    assert conditions_text(parse_conditions("type = 1", ["socket"]), "socket", mips) == "type = SOCK_DGRAM"


def test_constants_that_an_architecture_lacks() -> None:
    assert parse_conditions("flags & MAP_32BIT = 0", ["mmap"], "x86_64")
    with pytest.raises(FieldError, match="column 9: MAP_32BIT is not defined on aarch64; a rule may list the arch"):
        parse_conditions("flags & MAP_32BIT = 0", ["mmap"], "aarch64")


@pytest.mark.parametrize(
    ("call", "argument", "number", "text"),
    [
        ("openat", 2, 0x80241, "O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC"),
        ("openat", 2, 0x101002, "O_RDWR|O_SYNC"),
        ("openat", 2, 0, "O_RDONLY"),
        ("openat", 2, 0x80000004, "0x80000004"),
        ("socket", 1, 0x80801, "SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC"),
        ("socket", 2, 6, "6"),
        ("clone", 0, 0x1200011, "SIGCHLD|CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID"),
        ("mmap", 3, 0x22, "MAP_PRIVATE|MAP_ANONYMOUS"),
        ("futex", 1, 0x189, "FUTEX_WAIT_BITSET_PRIVATE|FUTEX_CLOCK_REALTIME"),
        ("unlinkat", 2, 0x200, "AT_REMOVEDIR"),
        ("faccessat2", 3, 0x300, "AT_SYMLINK_NOFOLLOW|AT_EACCESS"),
        ("mount", 3, 0x1001, "MS_RDONLY|MS_BIND"),
        ("ioctl", 1, 0x5412, "TIOCSTI"),
        ("personality", 0, 0x20008, "PER_LINUX32|UNAME26"),
    ],
)
def test_numbers_have_the_names_of_their_argument(call: str, argument: int, number: int, text: str) -> None:
    condition = Condition(argument, (values((number, number)),))
    printed = conditions_text([condition], call)
    assert printed.partition(" = ")[2] == text
    assert parse_conditions(printed, [call]) == (condition,)


def test_masks_have_the_names_of_flags_only() -> None:
    condition = Condition(1, (MaskedRanges(5, ((1, 1),)),))
    assert conditions_text([condition], "socket") == "type & 5 = 1"


@pytest.mark.fuzz
def test_random_conditions_are_read_again(rounds: Rounds) -> None:
    for random in rounds(400):
        parsed = parse_conditions(conditions_text([random_condition(random) for _ in range(1 + below(random, 3))]))
        text = conditions_text(parsed)
        assert conditions_text(parse_conditions(text)) == text
        original = random_condition(random)
        (again,) = parse_conditions(conditions_text([original]))
        ends = {end for test in original.alternatives for pair in test.ranges for end in pair}
        for value in {(end + distance) % 2**64 for end in ends for distance in (-1, 0, 1, 2**32, 2**63)}:
            assert again.holds(value) == original.holds(value)
