"""Policy files: their rules, architectures, groups and includes, and the messages about wrong ones."""

from pathlib import Path

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, Policy, action_text, call_number, read_policy

pytest.importorskip("system_calls", reason="names of system calls need system-calls")

HEAD = 'default = "errno(EPERM)"\narchitectures = ["x86_64", "i386"]\n'


def rule(calls: str, action: str = "allow", condition: str = "", more: str = "") -> str:
    return f'[[rule]]\ncalls = {calls}\n{f"if = {condition!r}" if condition else ""}\n{more}\naction = "{action}"\n'


def action(policy: Policy, architecture: str, call: str | int, *arguments: int) -> str:
    row = ARCHITECTURES[architecture]
    number = call if isinstance(call, int) else call_number(row, call)
    return action_text(policy.action(row.audit_arch, number, arguments))


def test_the_first_matching_rule_decides() -> None:
    policy = read_policy(
        HEAD + rule('["socket"]', "trap", "family = AF_ALG") + rule('["socket"]') + rule('["socket"]', "kill_process")
    )
    assert action(policy, "x86_64", "socket", 38) == "trap"
    assert action(policy, "i386", "socket", 2) == "allow"
    assert action(policy, "x86_64", "connect") == "errno(EPERM)"


def test_calls_are_names_numbers_ranges_and_groups() -> None:
    groups = '[groups]\nfiles = ["openat", "@more"]\nmore = ["close", 500]\n'
    policy = read_policy(HEAD + groups + rule('["read", 435, "440..442", "@files"]') + rule('"*"', "log"))
    allowed: list[str | int] = ["read", 435, 440, 442, "openat", "close", 500]
    assert [action(policy, "x86_64", call) for call in allowed] == ["allow"] * 7
    assert [action(policy, "x86_64", call) for call in (434, 439, 443, 501, 0xFFFFFFFF)] == ["log"] * 5


def test_groups_of_a_policy_may_contain_groups_of_systemd_and_replace_them() -> None:
    groups = '[groups]\nfiles = ["openat", "@swap"]\nmount = ["close"]\n'
    policy = read_policy(HEAD + groups + rule('["@files", "@mount"]'))
    assert [action(policy, "x86_64", call) for call in ("openat", "swapoff", "close")] == ["allow"] * 3
    assert action(policy, "x86_64", "mount") == "errno(EPERM)"


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        ('["x86_64"]', {0: "allow", 0x40000000: "trap", 0xFFFFFFFF: "errno(EPERM)", 0x80000000: "trap"}),
        ('["x32"]', {0: "trap", 0x40000000: "allow", 0xFFFFFFFF: "errno(EPERM)", 0x80000000: "errno(EPERM)"}),
        ('["x32", "x86_64"]', {0: "allow", 0x40000000: "allow", 0xFFFFFFFF: "errno(EPERM)"}),
    ],
)
def test_x32_is_an_architecture_of_its_own(architectures: str, expected: dict[int, str]) -> None:
    head = f'default = "errno(EPERM)"\narchitectures = {architectures}\nother-architectures = "trap"\n'
    policy = read_policy(head + rule('["read"]'))
    assert {number: action(policy, "x86_64", number) for number in expected} == expected
    assert action(policy, "i386", 3) == action(policy, "aarch64", 63) == "trap"


def test_other_architectures_are_killed_unless_stated() -> None:
    assert action(read_policy(HEAD), "aarch64", 0) == "kill_process"
    assert action(read_policy(HEAD + 'other-architectures = "allow"'), "aarch64", 0) == "allow"


def test_a_rule_may_have_its_own_architectures() -> None:
    policy = read_policy(
        HEAD
        + rule('["getpid"]', more='architectures = ["i386"]')
        + rule("[39]", "log", more='architectures = ["0xc00000b7..0xc00000b8", 22]')
    )
    assert action(policy, "i386", "getpid") == "allow"
    assert action(policy, "x86_64", "getpid") == "errno(EPERM)"
    assert action(policy, "aarch64", 39) == action(policy, "s390", 39) == "log"


def test_positions_of_arguments_by_architecture() -> None:
    text = 'default = "allow"\narchitectures = ["{}"]\n' + rule('["clone"]', "trap", "flags & CLONE_NEWUSER != 0")
    for name, arguments in (("x86_64", (0x10000000,)), ("s390x", (0, 0x10000000))):
        policy = read_policy(text.format(name))
        assert action(policy, name, "clone", *arguments) == "trap"
        assert action(policy, name, "clone", *reversed((*arguments, 0)[:2])) == "allow"


def test_constants_have_the_number_of_each_architecture() -> None:
    """The policy that is written for the program has one rule for both numbers of O_DIRECTORY, or one for each."""
    head = 'default = "allow"\narchitectures = ["x86_64", "aarch64"]\n'
    policy = read_policy(head + rule('["openat"]', "trap", "flags & O_DIRECTORY != 0"))
    again = read_policy(cbpf.seccomp.policy_text(policy.program(), dialect=policy.dialect))
    for each in (policy, again):
        for name, number in (("x86_64", 0x10000), ("aarch64", 0x4000)):
            assert action(each, name, "openat", 0, 0, number) == "trap"
            assert action(each, name, "openat", 0, 0, 0x14000 - number) == "allow"


def test_included_rules_follow_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "base.toml").write_text(HEAD + 'include = ["deeper/more.toml"]\n' + rule('["read", "write"]', "trap"))
    (tmp_path / "deeper" / "more.toml").write_text(
        'default = "allow"\n[groups]\nio = ["pread64"]\n' + rule('["write"]')
    )
    text = 'default = "log"\ninclude = ["base.toml"]\n' + rule('["read", "@io"]', "kill_process")
    policy = read_policy(text, folder=tmp_path)
    assert [action(policy, "x86_64", call) for call in ("read", "write", "pread64", "close")] == [
        *("kill_process", "trap", "kill_process", "log")
    ]


def test_the_program_decides_as_the_policy() -> None:
    policy = read_policy(HEAD + rule('["socket"]', "trap", "family >= 38") + rule('["read", "socket"]'))
    vm = cbpf.VM(policy.program(), dialect=policy.dialect)
    for name in ("x86_64", "i386", "x32"):
        for call in ("socket", "read", "write"):
            for family in (37, 38, 2**32):
                made = cbpf.seccomp.SystemCall(call, (family,), architecture=name)
                expected = policy.action(made.audit_arch, made.number, made.arguments)
                assert vm.run(made.to_bytes(policy.byte_order)) == expected.verdict


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("default = @", "p.toml: line 1, column 11: Invalid value"),
        ("default = 1", "p.toml: default: 1; a text is required"),
        ('defualt = "allow"', "p.toml: unknown key 'defualt'; did you mean 'default'?"),
        ('architectures = ["x86_64"]', "p.toml: default: missing; a policy has a default action"),
        ('default = "allow"', "p.toml: architectures: missing; a policy lists architectures"),
        ('default = "alow"', "p.toml: default: 'alow' is not an action; did you mean 'allow'?"),
        (HEAD.replace("i386", "i368"), "p.toml: architectures[1]: unknown architecture 'i368'; did you mean 'i386'?"),
        (
            HEAD.replace("i386", "s390x"),
            "p.toml: architectures: s390x is big-endian, x86_64 is little-endian; a ",
        ),
        (
            HEAD + rule('["raed"]'),
            "p.toml: rule 1 (line 3): calls: 'raed' is not a system call of x86_64, i386; did ",
        ),
        (HEAD + rule("[]"), "p.toml: rule 1 (line 3): calls: an empty list; a rule has at least one call"),
        (
            HEAD + rule('["9..3"]'),
            "p.toml: rule 1 (line 3): calls[0]: '9..3' is empty; a range ends at its last ",
        ),
        (HEAD + rule('["a..3"]'), "p.toml: rule 1 (line 3): calls[0]: 'a' is not a number; a range has two numbers"),
        (HEAD + rule("[4294967296]"), "p.toml: rule 1 (line 3): calls[0]: 4294967296 is out of range (0..4294967295)"),
        (HEAD + rule('["@moun"]'), "p.toml: rule 1 (line 3): calls[0]: unknown group '@moun'; did you mean '@mount'?"),
        (HEAD + rule('["@qqq"]'), "p.toml: rule 1 (line 3): calls[0]: unknown group '@qqq'; known are @aio, @basic-io"),
        (
            HEAD + '[groups]\nfiles = ["read"]\n' + rule('["@file"]'),
            "p.toml: rule 1 (line 5): calls[0]: unknown group '@file'; did you mean '@files'?",
        ),
        (HEAD + "[groups]\na = [[]]", "p.toml: groups.a[0]: [] is not an integer (0..4294967295)"),
        (HEAD + '[groups]\na = ["@a"]\n' + rule('["@a"]'), "p.toml: groups.a[0]: group '@a' contains itself"),
        (HEAD + '[[rule]]\naction = "allow"', "p.toml: rule 1 (line 3): calls: missing; a rule has a list of calls"),
        (HEAD + '[[rule]]\ncalls = "*"', "p.toml: rule 1 (line 3): action: missing; a text is required"),
        (HEAD + "[[rule]]\ncall = 1", "p.toml: rule 1 (line 3): unknown key 'call'; did you mean 'calls'?"),
        (
            HEAD + rule('["read"]') + rule('["socket"]', "allow", "famly = 1"),
            "p.toml: rule 2 (line 8): if: on x86_64: column 1: 'famly' is not an operand; did you mean 'family'?",
        ),
        (
            HEAD + 'include = ["x"]',
            "p.toml: include: 'x' cannot be included; a policy without a folder includes no files",
        ),
        (
            HEAD + rule('["read"]', more='architectures = ["0..1"]'),
            "p.toml: rule 1 (line 3): calls: 'read' is a name, but no architecture has one; write numbers",
        ),
    ],
)
def test_messages(text: str, message: str) -> None:
    with pytest.raises(cbpf.PolicyError) as caught:
        read_policy(text, source="p.toml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_messages_about_included_files(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").write_text('include = ["loop.toml"]')
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    (tmp_path / "wrong.toml").write_text(rule('["read"]', "alow"))
    for name, message in (
        ("loop.toml", "loop.toml: include: 'loop.toml' includes itself"),
        ("bytes.toml", "p.toml: include: 'bytes.toml' is not a text in UTF-8"),
        ("none.toml", "p.toml: include: 'none.toml' cannot be read: No such file or directory"),
        ("wrong.toml", "wrong.toml: rule 1 (line 1): action: 'alow' is not an action; did you mean 'allow'?"),
    ):
        with pytest.raises(cbpf.PolicyError) as caught:
            read_policy(f'{HEAD}include = ["{name}"]', folder=tmp_path, source="p.toml")
        assert str(caught.value) == message
