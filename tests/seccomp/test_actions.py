"""Actions as text."""

import errno

import pytest

import cbpf
from cbpf.seccomp import SeccompAction, action_text, parse_action


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (0x80000000, "kill_process"),
        (0x00000000, "kill_thread"),
        (0x00030007, "trap(7)"),
        (0x00050001, "errno(EPERM)"),
        (0x00050000, "errno(0)"),
        (0x00050FFF, "errno(4095)"),
        (0x7FC00000, "user_notif"),
        (0x7FF00010, "trace(16)"),
        (0x7FFC0000, "log"),
        (0x7FFF0000, "allow"),
        (0x7FFF0001, "allow(1)"),
        (0x12345678, "0x12345678"),
        (0xFFFFFFFF, "0xffffffff"),
    ],
)
def test_text_and_action_are_inverse(verdict: int, text: str) -> None:
    assert action_text(SeccompAction(verdict)) == text
    assert parse_action(text) == parse_action(text.upper()) == parse_action(f" {text} ") == SeccompAction(verdict)


def test_the_name_of_an_error_is_suggested_as_an_action() -> None:
    for name in errno.errorcode.values():
        with pytest.raises(cbpf.FieldError, match=rf"did you mean 'errno\({name}\)'\?"):
            parse_action(name)


def test_every_errno_is_read_by_its_name_and_number() -> None:
    for number, name in errno.errorcode.items():
        assert parse_action(f"errno({name})").data == parse_action(f"errno({number})").data == number


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("kill", 0), ("errno", 0x50001), ("errno( enosys )", 0x50026), ("trap(0x10)", 0x30010), ("327681", 0x50001)],
)
def test_other_spellings(text: str, verdict: int) -> None:
    assert parse_action(text) == SeccompAction(verdict)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alow", "action: 'alow' is not an action; did you mean 'allow'?"),
        ("x", "action: 'x' is not an action; an action is kill_process, kill_thread, trap, errno, user_notif, trace,"),
        ("", "action: '' is not an action; an action is"),
        ("EPERM", "action: 'EPERM' is not an action; did you mean 'errno(EPERM)'?"),
        ("SCMP_ACT_ALLOW", "action: 'SCMP_ACT_ALLOW' is not an action; did you mean 'allow'?"),
        ("SCMP_ACT_ERRNO", "action: 'SCMP_ACT_ERRNO' is not an action; did you mean 'errno(EPERM)'?"),
        ("SCMP_ACT_KILL", "action: 'SCMP_ACT_KILL' is not an action; did you mean 'kill_thread'?"),
        ("SCMP_ACT_NOTIFY", "action: 'SCMP_ACT_NOTIFY' is not an action; did you mean 'user_notif'?"),
        ("SECCOMP_RET_TRAP", "action: 'SECCOMP_RET_TRAP' is not an action; did you mean 'trap'?"),
        ("Deny", "action: 'Deny' is not an action; did you mean 'errno(EPERM)'?"),
        ("deny EACCES", "action: 'deny EACCES' is not an action; did you mean 'errno(EACCES)'?"),
        ("errno:EACCES", "action: 'errno:EACCES' is not an action; did you mean 'errno(EACCES)'?"),
        ("trap(", "action: 'trap(' is not an action; an action is"),
        ("trap(x)", "action: 'trap(x)': 'x' is not a number (0..65535)"),
        ("trap(-1)", "action: 'trap(-1)': '-1' is not a number (0..65535)"),
        (
            "errno(EPRM)",
            "action: 'errno(EPRM)': 'eprm' is not the name of an error, or a number (0..65535); did you mean 'EPERM'?",
        ),
        ("errno(65536)", "action: 'errno(65536)': '65536' is not the name of an error, or a number (0..65535)"),
        ("0x100000000", "action: '0x100000000' is not an unsigned 32-bit number"),
    ],
)
def test_other_text_is_rejected(text: str, message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        parse_action(text)
    assert str(caught.value).startswith(message)
