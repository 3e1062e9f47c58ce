"""The audit: each rule finds a fault that was made on purpose, and not the filter without it."""

from __future__ import annotations

import re
from random import Random
from typing import Final, NamedTuple

import pytest

import cbpf
from cbpf import seccomp
from cbpf.seccomp import ARCHITECTURES, AuditFinding, Condition, MaskedRanges, Policy, Rule, Stack
from cbpf.seccomp.auditing.audit import AUDIT_RULES
from cbpf.seccomp.auditing.catalog import equivalences, escapes, ring_operations
from cbpf.seccomp.texts.condition_text import parse_conditions
from support import random_seccomp
from support.audit_claims import RUNNING, WITH_CONTRAST, WITHOUT_WITNESS, check_claims
from support.project import ROOT, Rounds

pytest.importorskip("system_calls", reason="the audit needs system-calls")

LITTLE: Final = cbpf.SECCOMP.replace(byte_order="little")
PROLOGUE: Final = "ld [4]; jne #0xc000003e, kill; ld [0]; jgt #0x3fffffff, kill"
I386: Final = "ld [4]; jne #0x40000003, kill; ld [0]"
END: Final = "allow: ret #0x7fff0000; deny: ret #0x50001; nosys: ret #0x50026; kill: ret #0x80000000"


class Fault(NamedTuple):
    """A filter with a hole, and the lines for it: those that have the fault, and those that do not."""

    identifier: str
    text: str
    faulty: str
    sound: str

    def filters(self) -> tuple[Stack, Stack]:
        faulty, sound = (_stack(self.text.replace("HOLE", lines)) for lines in (self.faulty, self.sound))
        return faulty, sound


def _stack(*texts: str) -> Stack:
    return Stack([cbpf.parse(f"{text}; {END}".replace(";", "\n"), format="asm") for text in texts], dialect=LITTLE)


def _audit(filter_: Stack | Policy, *, ignore: str = "escape", on_kernel: bool = False) -> dict[str, AuditFinding]:
    """Return the findings by their identifiers, after a check of their claims."""
    findings = seccomp.audit(filter_, architecture="x86_64", ignore=[ignore], on_kernel=on_kernel)
    for finding in findings:
        check_claims(finding, filter_)
    found = {finding.identifier: finding for finding in findings}
    assert len(found) == len(findings)
    return found


FAULTS: Final = (
    Fault("escape:ptrace", f"{PROLOGUE}; HOLE", "jeq #100, deny", "jeq #101, deny"),
    Fault(
        "escape:ioctl.TIOCSTI", f"{PROLOGUE}; jne #16, allow; ld [24]; HOLE", "jeq #0x5411, deny", "jeq #0x5412, deny"
    ),
    Fault("escape:ioctl.TIOCLINUX", f"{PROLOGUE}; jne #16, allow; HOLE; jeq #0x541c, deny", "ld [16]", "ld [24]"),
    Fault(  # without CLONE_NEWUSER
        "escape:clone",
        f"{PROLOGUE}; jne #56, allow; ld [16]; HOLE",
        "jset #0x6e020000, deny",
        "jset #0x7e020000, deny",
    ),
    Fault("equivalent-open:execve", f"{PROLOGUE}; jeq #59, deny; HOLE", "jeq #321, deny", "jeq #322, deny"),
    Fault(
        "equivalent-open:open", f"{PROLOGUE}; jeq #2, deny; jeq #257, deny; HOLE", "jeq #438, deny", "jeq #437, deny"
    ),
    Fault(
        "equivalent-open:clone",
        f"{PROLOGUE}; HOLE; jne #56, allow; ld [16]; jset #0x7e020000, deny",
        "",
        "jeq #435, nosys",
    ),
    Fault(
        "equivalent-open:mount",
        f"{PROLOGUE}; jeq #165, deny; HOLE; jeq #430, deny",
        "jeq #427, deny",
        "jeq #428, deny; jeq #429, deny",
    ),
    Fault(
        "equivalent-open:sendfile",
        f"{PROLOGUE}; jeq #40, deny; jeq #275, deny; HOLE",
        "jeq #325, deny",
        "jeq #326, deny",
    ),
    Fault(  # for some arguments only
        "equivalent-open:mprotect",
        f"{PROLOGUE}; jeq #10, test; HOLE; jmp allow; test: ld [32]; jset #4, deny",
        "jeq #328, test",
        "jeq #329, test",
    ),
    Fault(
        "high-bits:socket.family",
        f"{PROLOGUE}; jne #41, allow; HOLE; ld [16]; jeq #38, deny",
        "ld [20]; jne #0, allow",
        "",
    ),
    Fault(  # a mode has 16 bits
        "high-bits:chmod.mode", f"{PROLOGUE}; jne #90, allow; ld [24]; HOLE; jeq #0x9ff, deny", "", "and #0xffff"
    ),
    Fault(
        "low-half:read.count", f"{PROLOGUE}; jne #0, allow; HOLE; ld [32]; jgt #4096, deny", "", "ld [36]; jne #0, deny"
    ),
    Fault("abi-open:x32", "ld [4]; jne #0xc000003e, kill; ld [0]; HOLE; jeq #101, deny", "", "jgt #0x3fffffff, kill"),
    Fault(
        "abi-open:i386", f"ld [4]; HOLE; {PROLOGUE}; jeq #101, deny", "jeq #0x40000003, allow", "jeq #0x40000003, kill"
    ),
    Fault("architecture-untested", "HOLE; jeq #101, deny", "ld [0]", PROLOGUE),
    Fault(
        "other-architectures-open",
        "ld [4]; HOLE; jeq #0x40000003, kill; ld [0]; jeq #101, deny",
        "jne #0xc000003e, allow",
        "jne #0xc000003e, kill",
    ),
    Fault("io-uring-open", f"{PROLOGUE}; jeq #257, deny; HOLE", "jeq #426, deny", "jeq #425, deny"),
    Fault("multiplexer-open:socket", f"{I386}; HOLE; jne #359, allow; ld [16]; jeq #38, deny", "", "jeq #102, nosys"),
    Fault(
        "multiplexer-open:socket",
        f"{I386}; jne #359, test; ld [16]; jeq #38, deny, allow; test: jne #102, allow; ld [16]; HOLE",
        "jeq #2, deny",
        "jeq #1, deny",
    ),
    Fault(
        "multiplexer-open:shmget",
        f"{I386}; jeq #395, deny; jne #117, allow; HOLE",
        "ld [16]; jeq #23, deny",
        "jmp deny",
    ),
    Fault("default-allow", f"{PROLOGUE}; jeq #1, allow; HOLE", "jeq #2, deny", "jmp deny"),
    Fault("errno-of-new-calls", f"{PROLOGUE}; jeq #1, allow; HOLE", "jmp deny", "jmp nosys"),
    Fault("undefined-action:0x12340000", f"{PROLOGUE}; jeq #1, allow; HOLE", "ret #0x12340000", "ret #0x80000000"),
    Fault("errno-too-large:4096", f"{PROLOGUE}; jeq #1, allow; HOLE", "ret #0x51000", "ret #0x50fff"),
    Fault("data-ignored:kill_process(3)", f"{PROLOGUE}; jeq #1, allow; HOLE", "ret #0x80000003", "ret #0x30003"),
    Fault("errno-zero", f"{PROLOGUE}; jeq #1, allow; HOLE", "ret #0x50000", "ret #0x50001"),
    Fault("never-allows", f"{PROLOGUE}; HOLE", "jmp deny", "jeq #1, allow; jmp deny"),
    Fault("denies-nothing", "HOLE", "jmp allow", PROLOGUE),
    Fault("computed-verdict", f"{PROLOGUE}; ld [16]; tax; ld [24]; HOLE", "jeq x, deny", "jeq #7, deny"),
    Fault(
        "unreachable",
        f"{PROLOGUE}; jeq #1, deny; jeq #2, nosys; jgt #100, large; jmp allow; large: HOLE; jmp allow; rare: ret #3",
        "jeq #50, rare",
        "jeq #150, rare",
    ),
    Fault("constant-test", f"{PROLOGUE}; jgt #100, deny; HOLE", "jge #101, kill", "jge #100, kill"),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.identifier)
def test_a_fault_is_found_and_the_filter_without_it_is_not_reported(fault: Fault) -> None:
    faulty, sound = fault.filters()
    ignore = "default-allow" if fault.identifier.startswith("escape") else "escape"
    assert fault.identifier in _audit(faulty, ignore=ignore)
    assert fault.identifier not in _audit(sound, ignore=ignore)


def test_each_rule_has_a_fault() -> None:
    rules = {fault.identifier.partition(":")[0] for fault in FAULTS}
    others = {"impossible-rule", "unreachable-rule", "filter-without-effect"}
    assert sorted(rules | others | {"unavailable-action"}) == sorted(AUDIT_RULES)
    assert set(AUDIT_RULES) >= RUNNING | WITH_CONTRAST | WITHOUT_WITNESS


def test_each_rule_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "seccomp-audit.md").read_text()
    assert set(re.findall(r"`([a-z-]+)(?::[A-Z.]+)?`(?=,| \|)", text.partition("## Rules")[2])) == set(AUDIT_RULES)


@pytest.mark.parametrize(("number", "is_found"), [(59, True), (60, False)])
def test_a_filter_of_a_stack_that_decides_about_no_call(number: int, is_found: bool) -> None:
    """The newer of two equal filters decides."""
    stack = _stack(f"{PROLOGUE}; jeq #{number}, deny", f"{PROLOGUE}; jeq #59, deny; jeq #61, deny")
    found = _audit(stack)
    assert ("filter-without-effect:1" in found) is is_found
    assert "filter-without-effect:2" not in found


X86_64: Final = ((0xC000003E, 0xC000003E),)
ERRNO, ALLOW = 0x50001, 0x7FFF0000


@pytest.mark.parametrize(
    ("identifier", "faulty", "sound"),
    [
        ("unreachable-rule:2", Rule(X86_64, ((2, 3),), (), ERRNO), Rule(X86_64, ((2, 7),), (), ERRNO)),
        (
            "impossible-rule:2",
            Rule(X86_64, ((7, 7),), (Condition(0, (MaskedRanges(3, ((4, 7),)),)),), ERRNO),
            Rule(X86_64, ((7, 7),), (Condition(0, (MaskedRanges(7, ((4, 7),)),)),), ERRNO),
        ),
    ],
)
def test_rules_of_a_policy_without_effect(identifier: str, faulty: Rule, sound: Rule) -> None:
    first = Rule(X86_64, ((1, 5),), (), ALLOW)
    assert identifier in _audit(Policy((first, faulty), ERRNO, "little"))
    assert identifier not in _audit(Policy((first, sound), ERRNO, "little"))


def test_actions_that_the_running_kernel_does_not_know(monkeypatch: pytest.MonkeyPatch) -> None:
    log = _stack(f"{PROLOGUE}; jeq #1, deny; ret #0x7ffc0000")
    monkeypatch.setattr("cbpf.seccomp.kernel.kernel_calls.knows_action", lambda value: value != 0x7FFC0000)
    assert "unavailable-action:log" in _audit(log, on_kernel=True)
    assert "unavailable-action:log" not in _audit(log)
    monkeypatch.setattr("cbpf.seccomp.kernel.kernel_calls.knows_action", lambda value: True)
    assert "unavailable-action:log" not in _audit(log, on_kernel=True)


def test_socketcall_of_another_architecture_goes_around_a_condition() -> None:
    """A filter with rules for x86_64 only, which allows all calls of i386."""
    found = _audit(_stack(f"ld [4]; jeq #0x40000003, allow; {PROLOGUE}; jne #41, allow; ld [16]; jeq #38, deny"))
    finding = found["multiplexer-open:socket"]
    assert (finding.witness, finding.contrast) == (
        seccomp.SystemCall("socketcall", (1,), architecture="i386"),
        seccomp.SystemCall("socket", (38,)),
    )


def test_calls_are_denied_deliberately_if_calls_without_a_name_are_not() -> None:
    """Calls that a list of allowed calls leaves out are not reported: its author means to allow openat alone."""
    text = f"{PROLOGUE}; jeq #257, allow; HOLE; jmp deny"
    assert "equivalent-open:open" not in _audit(_stack(text.replace("HOLE; ", "")))
    assert "equivalent-open:open" in _audit(_stack(text.replace("HOLE", "jeq #2, kill")))


def test_enosys_is_not_a_denial_where_the_replacement_is_older() -> None:
    """Libraries use clone after ENOSYS for clone3; a denied clone with an open clone3 is a fault for every errno."""
    clone3_is_missing = _audit(_stack(f"{PROLOGUE}; jeq #435, nosys"))
    assert "equivalent-open:clone3" not in clone3_is_missing
    assert "equivalent-open:clone3" in _audit(_stack(f"{PROLOGUE}; jeq #435, deny"))
    assert "equivalent-open:clone" in _audit(_stack(f"{PROLOGUE}; jeq #56, nosys"))


def test_sign_extension_is_not_reported() -> None:
    """A filter that permits the descriptor -1 as compilers extend it opens no other descriptor."""
    permits_minus_1 = "ld [20]; jne #HIGH, deny; ld [16]; jne #0xffffffff, deny"
    text = f"{PROLOGUE}; jne #3, allow; {permits_minus_1}"
    assert "high-bits:close.fd" not in _audit(_stack(text.replace("HIGH", "0xffffffff")))
    assert "high-bits:close.fd" in _audit(_stack(text.replace("HIGH", "1")))


def test_tests_of_flags_are_not_comparisons_of_the_lower_half() -> None:
    found = _audit(_stack(f"{PROLOGUE}; jne #56, allow; ld [16]; jset #0x7e020000, deny"))
    assert not [identifier for identifier in found if identifier.startswith("low-half")]


def test_findings_of_big_endian_filters() -> None:
    text = "ld [4]; jne #0x80000016, kill; ld [0]; jne #359, allow; ld [20]; jeq #38, deny"
    dialect = ARCHITECTURES["s390x"].dialect
    stack = Stack([cbpf.parse(f"{text}; {END}".replace(";", "\n"), format="asm")], dialect=dialect)
    found = _audit(stack)
    assert "multiplexer-open:socket" in found
    assert "high-bits:socket.family" not in found


def test_sets_of_calls_without_a_short_description_are_marked() -> None:
    """The parity of the bits of an argument decides."""
    fold = "; ".join(f"tax; rsh #{bits}; xor x" for bits in (16, 8, 4, 2, 1))
    found = _audit(
        _stack(f"{PROLOGUE}; jne #101, nosys; ld [16]; and #0xfffff; {fold}; jset #1, deny"), ignore="high-bits"
    )
    assert found["escape:ptrace"].is_computed
    assert not _audit(_stack(f"{PROLOGUE}; jne #101, nosys"), ignore="high-bits")["escape:ptrace"].is_computed


def test_findings_are_ordered_by_severity() -> None:
    severities = [each.severity for each in seccomp.audit(_stack(f"{PROLOGUE}; jeq #59, deny"))]
    assert severities == sorted(severities, key=["high", "medium", "low"].index)
    assert set(severities) == {"high", "medium", "low"}


def test_findings_as_text_and_as_json() -> None:
    finding = _audit(_stack(f"{PROLOGUE}; jne #41, allow; ld [20]; jne #0, allow; ld [16]; jeq #38, deny"))[
        "high-bits:socket.family"
    ]
    lines = str(finding).splitlines()
    assert lines[0].startswith("high: high-bits:socket.family: socket runs with denied values of 'family'")
    assert lines[1:3] == [
        "    allow: socket(0x100000026, 0, 0) on x86_64",
        "    errno(EPERM): socket(38, 0, 0) on x86_64",
    ]
    data = finding.as_dict()
    assert data["witness"]["arguments"][0] == 0x100000026
    assert [(each["audit_arch"], each["numbers"]) for each in data["calls"]] == [
        ([list(bounds) for bounds in X86_64], [[41, 41]])
    ]
    conditions = seccomp.parse_conditions(data["calls"][0]["if"])
    assert all(condition.holds(0x100000026) for condition in conditions)
    assert not all(condition.holds(38) for condition in conditions)


def test_findings_are_ignored_by_rule_and_by_identifier() -> None:
    stack = _stack(f"{PROLOGUE}; jeq #101, deny")
    every = seccomp.audit(stack)
    assert [each for each in every if each.rule != "escape"] == list(seccomp.audit(stack, ignore=["escape"]))
    assert [each for each in every if each.identifier != "escape:bpf"] == list(
        seccomp.audit(stack, ignore=["escape:bpf"])
    )
    with pytest.raises(cbpf.FieldError, match=r"'escapes' is not a rule; did you mean 'escape'\?"):
        seccomp.audit(stack, ignore=["escapes:bpf"])


@pytest.mark.fuzz
def test_claims_about_random_stacks(rounds: Rounds) -> None:
    for random in rounds(8, min_checked=0.5):
        stack = Stack([_random_program(random) for _ in range(1 + random.randrange(2))], dialect=LITTLE)
        try:
            found = _audit(stack)
        except cbpf.Undecided:
            continue
        if found:
            rounds.checked()


def _random_program(random: Random) -> cbpf.Program:
    return random_seccomp.clauses(random)


# -- the catalog ------------------------------------------------------------------------------------------------------


def test_rows_of_the_catalog_name_calls_conditions_and_sources() -> None:
    known = {name for row in ARCHITECTURES.values() for name in seccomp.call_names(row)}
    for row in escapes():
        assert set(row.calls) <= known
        assert row.reason
        assert row.source
        for name in row.calls:
            assert bool(parse_conditions(row.condition, [name])) is bool(row.condition)
    for pair in equivalences():
        assert set(pair.denied) <= known
        assert {name for replacement in pair.replacements for name in replacement} <= known
        assert pair.reason
        assert pair.source
    for operation in ring_operations():
        assert set(operation.calls) <= known
        assert operation.source
    versions = [row.since for row in escapes()] + [row.since for row in ring_operations()]
    for version in [*versions, *(pair.since for pair in equivalences())]:
        assert version is None or all(part.isdigit() for part in version.split("."))
    replaced = [name for pair in equivalences() for name in pair.denied]
    assert len(replaced) == len(set(replaced))


def test_all_calls_of_the_catalog_are_found() -> None:
    found = _audit(_stack("ld [4]; jeq #0x40000003, kill; ld [0]; jeq #0, deny"), ignore="low-half")
    reported = {each.partition(":")[2].partition(".")[0] for each in found if each.startswith("escape:")}
    names = set(seccomp.call_names("x86_64")) | set(seccomp.call_names("x32"))
    assert reported == {name for row in escapes() for name in row.calls if name in names}
