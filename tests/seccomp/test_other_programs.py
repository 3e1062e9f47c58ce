"""Listings, names and decisions, compared with other programs: those of libseccomp, and ceccomp where it is exact."""

import re
from pathlib import Path
from random import Random
from typing import Final

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, Stack, SystemCall, action_text, call_names, listing, read_policy
from support import random_seccomp
from support.judges import seccomp_programs as judges
from support.project import Rounds
from support.random_seccomp import ACTIONS

JUMPS: Final = {"jeq", "jgt", "jge", "jset"}
MNEMONICS: Final = {"jmp": "ja"}
SIMULATED_OPCODES: Final = frozenset({0x20, 0x44, 0x54, 0x05, 0x15, 0x25, 0x35, 0x06})
"""The instructions that scmp_bpf_sim knows."""
_XOR, _AND, _JUMP_SET, _JUMP_EQUAL, _RETURN = 0xA4, 0x54, 0x45, 0x15, 0x06
_GREATER: Final = (0x25, 0x35)
POLICY: Final = """
default = "errno(EPERM)"
architectures = [{architectures}]
other-architectures = "kill_process"

[[rule]]
calls = ["read", "write", "exit_group", "openat"]
action = "allow"

[[rule]]
calls = ["personality"]
if = "personality = 0 or = 8 or = 0xffffffff"
action = "allow"

[[rule]]
calls = ["fcntl"]
if = "cmd & 0xff00 = 0x400 and arg < 0x100000005"
action = "errno(38)"

[[rule]]
calls = ["ioctl", "lseek"]
action = "trap(5)"
"""


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(judges.missing(name) is not None, reason=str(judges.missing(name)))


needs_names = pytest.mark.skipif(not cbpf.seccomp.names_available(), reason="system-calls is not installed")


def simple(program: cbpf.Program) -> cbpf.Program:
    """Return a random filter without undefined actions, and without the instructions that a simulator lacks."""

    def changed(raw: cbpf.RawInstruction) -> cbpf.RawInstruction:
        if raw.op == _RETURN:
            verdict = raw.k if raw.k & 0xFFFF0000 in ACTIONS else 0x7FFF0000
            return raw._replace(k=verdict & 0xFFFF0FFF if verdict >> 16 != 0x7FC0 else 0x50000)
        return raw._replace(op={_XOR: _AND, _JUMP_SET: _JUMP_EQUAL}.get(raw.op, raw.op))

    return cbpf.Program(map(changed, program))


@needs("scmp_bpf_disasm")
@needs_names
@pytest.mark.parametrize("name", ["x86_64", "i386", "aarch64", "s390x", "ppc64le", "mips"])
def test_listings_agree_with_libseccomp(name: str, rounds: Rounds) -> None:
    row = ARCHITECTURES[name]
    policy = read_policy(POLICY.format(architectures=f'"{name}"')).program("size")
    programs = [policy, *(random_seccomp.clauses(random) for random in rounds(20))]
    for program in programs:
        lines = listing(program, dialect=row.dialect, architecture=name).splitlines()
        theirs = judges.disassembly(program, row)
        assert [line.raw for line in theirs] == [tuple(raw) for raw in program]
        for index, (ours, line) in enumerate(zip(lines, theirs, strict=True)):
            position, mnemonic, *words = ours.split()
            assert (position, mnemonic) == (f"({index:03})", MNEMONICS.get(line.mnemonic, line.mnemonic))
            if mnemonic in JUMPS:
                targets = [f"{int(part.partition(':')[2])}" for part in line.operands[1:]]
                assert words[:5] == [f"{line.raw[3]:#x}".replace("0x", "#0x"), "jt", targets[0], "jf", targets[1]]
                assert int(line.operands[0]) == line.raw[3]
            elif mnemonic == "ld":
                assert line.operands == (f"$data[{words[0].strip('[]')}]",)
            elif mnemonic == "ret" and not ours.endswith("(never executed)"):
                check_action(line, " ".join(words[1:]))


def check_action(line: judges.Line, ours: str) -> None:
    action = cbpf.seccomp.SeccompAction(line.raw[3])
    assert ours == action_text(action)
    if action.value in ACTIONS and action.name != "USER_NOTIF":  # which libseccomp's program prints as a number
        assert judges.with_name(line.operands[0]) == judges.action_name(action)


@needs("scmp_sys_resolver")
@needs_names
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_numbers_agree_with_libseccomp(name: str, full_length: bool) -> None:
    row = ARCHITECTURES[name]
    numbers = call_names(name)
    names = sorted(numbers) if full_length else Random(name).sample(sorted(numbers), 20)
    theirs = judges.resolved_numbers(row, names)
    if not theirs:
        pytest.skip(f"this libseccomp does not know {name}")
    assert {each: numbers[each] for each in theirs} == theirs
    assert len(theirs) > len(names) * 0.7


@needs("scmp_bpf_sim")
@needs_names
@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("x86_64", ("i386", "x32")),
        ("aarch64", ("arm",)),
        ("s390x", ("s390",)),
        ("ppc64le", ()),
        ("ppc64", ()),
        ("mips64", ("mips",)),
        ("riscv64", ()),
    ],
)
def test_decisions_about_policies_agree_with_libseccomp(
    name: str, others: tuple[str, ...], tmp_path: Path, rounds: Rounds
) -> None:
    rows = [ARCHITECTURES[each] for each in (name, *others)]
    policy = read_policy(POLICY.format(architectures=", ".join(f'"{row.name}"' for row in rows)))
    path = tmp_path / "filter.bpf"
    for goal in ("speed", "size"):
        program = policy.program(goal)
        assert {raw.op for raw in program} <= SIMULATED_OPCODES
        path.write_bytes(program.to_bytes(byte_order=policy.byte_order))
        stack = Stack([program], dialect=policy.dialect)
        constants = [raw.k for raw in program]
        for random in rounds(60):
            row = rows[int(random.random() * len(rows))]
            number = call_names(row)[random.choice(["read", "personality", "fcntl", "ioctl", "bpf"])]
            call = SystemCall(number, random_seccomp.call(random, constants).arguments, architecture=row.name)
            assert judges.simulated(path, call, row) == judges.action_name(stack.evaluate(call).action), call


@needs("scmp_bpf_sim")
@pytest.mark.fuzz
def test_random_decisions_agree_with_libseccomp(tmp_path: Path, rounds: Rounds) -> None:
    path = tmp_path / "filter.bpf"
    for random in rounds(40):
        program = simple(random_seccomp.clauses(random))
        path.write_bytes(program.to_bytes(byte_order="little"))
        stack = Stack([program])
        for call in random_seccomp.calls(random, stack, 10):
            row = call.architecture
            assert row
            assert judges.simulated(path, call, row) == judges.action_name(stack.evaluate(call).action), (program, call)


def legible(program: cbpf.Program) -> cbpf.Program:
    """Return a random filter that ceccomp reads exactly: it has a word for > and >=, but not for their opposites."""

    def turned(raw: cbpf.RawInstruction) -> cbpf.RawInstruction:
        return raw._replace(jt=raw.jf, jf=raw.jt) if raw.op in _GREATER and not raw.jt else raw

    return cbpf.Program(map(turned, simple(program)))


@needs("ceccomp")
@pytest.mark.fuzz
def test_random_decisions_agree_with_ceccomp(tmp_path: Path, rounds: Rounds) -> None:
    raw, text = tmp_path / "filter.bpf", tmp_path / "filter.txt"
    for random in rounds(40, min_checked=0.5):
        program = legible(random_seccomp.clauses(random))
        raw.write_bytes(program.to_bytes(byte_order="little"))
        listed = judges.ceccomp_listing(raw)
        if "(null)" in listed:  # in place of the number of a call of an architecture that it does not know
            continue
        text.write_text(listed)
        rounds.checked()
        stack = Stack([program])
        for call in random_seccomp.calls(random, stack, 10):
            if call.audit_arch != ARCHITECTURES["x86_64"].audit_arch:
                continue  # the listing has the names of x86_64 in place of numbers
            expected = judges.action_name(stack.evaluate(call).action, with_data=("ERRNO", "TRACE", "TRAP"))
            assert judges.emulated(text, call) == expected, (program, call)


@needs("ceccomp")
@needs_names
def test_names_in_listings_agree_with_ceccomp(tmp_path: Path) -> None:
    names = [name for name in call_names("x86_64") if name not in ("uprobe", "uretprobe")]
    rules = f'[[rule]]\ncalls = [{", ".join(map(repr, sorted(names)[::3]))}]\naction = "allow"\n'
    policy = read_policy(f'default = "errno(EPERM)"\narchitectures = ["x86_64"]\n{rules}')
    program = cbpf.seccomp.compile_rules(policy.rules, policy.default)
    path = tmp_path / "filter.bpf"
    path.write_bytes(program.to_bytes(byte_order="little"))
    theirs = dict(re.findall(r"^ (\d+): .*\(\$A == ([a-z]\w*)\)", judges.ceccomp_listing(path), re.MULTILINE))
    lines = listing(program, architecture="x86_64").splitlines()
    for position, name in theirs.items():
        line = lines[int(position) - 1]
        assert line.endswith((f"({name})", f"= {name}")), line
    assert len(theirs) > 20
