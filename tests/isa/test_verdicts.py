"""Verdicts: the actions of seccomp, their names, and the decision to accept."""

import re
from pathlib import Path

import pytest

import cbpf
from cbpf.isa.verdicts import SECCOMP_ACTIONS, SeccompAction, accepts

HEADER = Path("/usr/include/linux/seccomp.h")

# Actions in the kernel's order of precedence (man 2 seccomp), with the decision to run the system call.
ACTIONS = {
    0x80000000: ("KILL_PROCESS", False),
    0x00000000: ("KILL_THREAD", False),
    0x00030000: ("TRAP", False),
    0x00050000: ("ERRNO", False),
    0x7FC00000: ("USER_NOTIF", False),
    0x7FF00000: ("TRACE", False),
    0x7FFC0000: ("LOG", True),
    0x7FFF0000: ("ALLOW", True),
}


def _signed(value: int) -> int:
    return value - 2**32 if value >= 2**31 else value


def test_actions_are_those_of_seccomp_in_order_of_precedence() -> None:
    assert {action.value: (action.name, action.runs) for action in SECCOMP_ACTIONS.values()} == ACTIONS
    assert list(SECCOMP_ACTIONS) == sorted(SECCOMP_ACTIONS, key=_signed)


@pytest.mark.skipif(not HEADER.exists(), reason="no linux/seccomp.h")
def test_actions_are_those_of_the_kernel_header() -> None:
    defined = re.findall(r"^#define SECCOMP_RET_(\w+)\s+(0x[0-9a-f]{8})U", HEADER.read_text(), re.MULTILINE)
    values = {name: int(value, 16) for name, value in defined if name not in ("ACTION_FULL", "ACTION", "DATA")}
    assert values == {action.name: action.value for action in SECCOMP_ACTIONS.values()}


@pytest.mark.parametrize(("value", "name_and_decision"), ACTIONS.items())
def test_data_does_not_change_the_action(value: int, name_and_decision: tuple[str, bool]) -> None:
    for data in (0, 1, 0xFFFF):
        action = SeccompAction(value | data)
        assert (action.value, action.data, action.is_known) == (value, data, True)
        assert (action.name, action.runs, action.precedence) == (*name_and_decision, _signed(value))
        assert accepts(value | data, cbpf.SECCOMP) is name_and_decision[1]


@pytest.mark.parametrize("verdict", [0x00010000, 0x12345678, 0x7FFE0000, 0x80010000, 0xFFFFFFFF])
def test_undefined_actions_kill_the_process(verdict: int) -> None:
    action = SeccompAction(verdict)
    assert (action.name, action.is_known, action.runs) == (f"{verdict & 0xFFFF0000:#010x}", False, False)
    assert not accepts(verdict, cbpf.SECCOMP)
    text = cbpf.describe_verdict(verdict, dialect=cbpf.SECCOMP)
    assert text.startswith("undefined action, KILL_PROCESS")
    assert text.endswith(f"(verdict {verdict:#010x})")


@pytest.mark.parametrize(
    ("verdict", "dialect", "text"),
    [
        (0, cbpf.PCAP, "rejects the packet (verdict 0)"),
        (0x80000000, cbpf.LINUX, "accepts the packet (verdict 2147483648)"),
        (0x80000000, cbpf.SECCOMP, "KILL_PROCESS (verdict 0x80000000)"),
        (0, cbpf.SECCOMP, "KILL_THREAD (verdict 0x00000000)"),
        (0x5000D, cbpf.SECCOMP, "ERRNO 13 (verdict 0x0005000d)"),
        (0x7FFF0000, cbpf.SECCOMP.replace(byte_order="big"), "ALLOW (verdict 0x7fff0000)"),
    ],
)
def test_verdicts_in_words(verdict: int, dialect: cbpf.Dialect, text: str) -> None:
    assert cbpf.describe_verdict(verdict, dialect=dialect) == text


def test_execution_counts_accept_by_the_action() -> None:
    record = bytes(64)
    for action, (_, runs) in ACTIONS.items():
        counts = cbpf.execution_counts([cbpf.RetConstant(action)], [record], dialect=cbpf.SECCOMP)
        assert counts.accepted == runs
    assert cbpf.execution_counts([cbpf.RetConstant(0x80000000)], [record]).accepted == 1


def test_seccomp_listings_show_verdicts_in_hexadecimal() -> None:
    program = cbpf.parse("ret #0x80000000")
    assert cbpf.listing(program) == "(000) ret      #-2147483648"
    assert cbpf.listing(program, dialect=cbpf.LINUX) == cbpf.listing(program)
    assert cbpf.listing(program, dialect=cbpf.SECCOMP) == "(000) ret      #0x80000000"
