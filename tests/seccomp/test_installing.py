"""Filters for the own process, each in a child."""

import ctypes
import errno
import os
import platform
import re
import signal
import threading
from pathlib import Path

import pytest

import cbpf
from cbpf import SeccompError
from cbpf.isa.verdicts import SECCOMP_ACTIONS
from cbpf.seccomp import ARCHITECTURES, call_names, call_number, execute, install, names_available
from cbpf.seccomp.kernel import kernel_calls
from support.forked import in_child
from support.judges import kernel

pytestmark = pytest.mark.skipif(kernel.seccomp_available() is not None, reason=str(kernel.seccomp_available()))

ALLOW = cbpf.parse("ret #0x7fff0000")
GETPPID = {"x86_64": 110, "aarch64": 173, "riscv64": 173}.get(platform.machine(), -1)


def deny(number: int, error: int = errno.EXDEV) -> cbpf.Program:
    return cbpf.parse(f"ld [0]\njeq #{number}, 0, 1\nret #{0x50000 | error}\nret #0x7fff0000")


def getppid_errno() -> int:
    library = ctypes.CDLL(None, use_errno=True)
    return ctypes.get_errno() if library.syscall(GETPPID) < 0 else 0


def test_the_filter_is_for_this_process_and_not_its_parent() -> None:
    def child() -> tuple[int, str]:
        install(deny(GETPPID))
        with open("/proc/self/status") as stream:
            return getppid_errno(), "".join(line for line in stream if line.startswith(("Seccomp:", "NoNewPrivs:")))

    assert in_child(child) == (errno.EXDEV, "NoNewPrivs:\t1\nSeccomp:\t2\n")
    assert getppid_errno() == 0


def test_a_filter_of_all_threads() -> None:
    def child(threads: str) -> int:
        begin = threading.Event()
        results: list[int] = []

        def other() -> None:
            begin.wait()
            results.append(getppid_errno())

        thread = threading.Thread(target=other)
        thread.start()
        install(deny(GETPPID), threads=threads)  # type: ignore[arg-type]
        begin.set()
        thread.join()
        return results[0]

    assert in_child(lambda: child("all")) == errno.EXDEV
    assert in_child(lambda: child("this")) == 0


def test_a_thread_with_other_filters_cannot_follow() -> None:
    def child() -> str:
        installed, end, number = threading.Event(), threading.Event(), []

        def other() -> None:
            number.append(threading.get_native_id())
            install(ALLOW)
            installed.set()
            end.wait()

        thread = threading.Thread(target=other)
        thread.start()
        installed.wait()
        try:
            install(deny(GETPPID), threads="all")
        except SeccompError as error:
            return str(error).replace(str(number[0]), "TID").replace(str(os.getpid()), "PID")
        finally:
            end.set()
            thread.join()
        return ""

    fact = "seccomp: thread TID of process PID cannot follow: it has filters that this thread lacks"
    assert in_child(child) == f"{fact}; install the first filter with threads='all'"


def test_the_chain_has_a_limit() -> None:
    long = cbpf.Program([cbpf.RetConstant(0x7FFF0000)] * 4096)

    def child() -> str:
        for count in range(20):
            try:
                install(long)
            except SeccompError as error:
                return f"{count} {error.errno} {error}"
        return ""

    count, number, message = in_child(child).split(" ", 2)
    assert (int(count), int(number)) == (3, errno.ENOMEM)
    assert message.startswith("seccomp: the filters of a thread may have 32,768 instructions together")


@pytest.mark.skipif(os.geteuid() != 0, reason="without root, no process loses a privilege")
def test_without_no_new_privileges_a_capability_is_needed() -> None:
    def child() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        try:
            install(ALLOW, no_new_privileges=False)
        except SeccompError as error:
            return f"{error.errno} {error}"
        return ""

    message = "seccomp: the kernel permits no filter; it needs no_new_privileges=True, or CAP_SYS_ADMIN"
    assert in_child(child) == f"{errno.EACCES} {message}"
    assert in_child(lambda: install(ALLOW, no_new_privileges=False)) is None


def test_a_filter_can_deny_further_filters() -> None:
    def child() -> str:
        install(deny(kernel_calls.install_numbers(ARCHITECTURES[platform.machine()]).prctl, errno.EPERM))
        try:
            install(ALLOW)
        except SeccompError as error:
            return str(error)
        return ""

    assert in_child(child) == "seccomp: no_new_privs cannot be set: Operation not permitted"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errno.ENOSYS, "seccomp: this kernel has no seccomp filters; it needs CONFIG_SECCOMP_FILTER"),
        (errno.EINVAL, "seccomp: the kernel rejects the program, which satisfies all rules of Linux 6.18; this kernel"),
        (errno.EPERM, "seccomp: a filter of this process denies the installation of another one"),
        (errno.EACCES, "seccomp: the kernel permits no filter, although no_new_privs is set; a security module may"),
        (errno.EBUSY, "seccomp: Device or resource busy"),
    ],
)
def test_errors_of_other_kernels(error: int, message: str) -> None:
    """A filter lets the installation of others fail as those kernels do."""
    prctl = kernel_calls.install_numbers(ARCHITECTURES[platform.machine()]).prctl
    option = f"ld [16]\njeq #{kernel_calls.PR_SET_SECCOMP}, 0, 1\nret #{0x50000 | error}"

    def child() -> str:
        install(cbpf.parse(f"ld [0]\njeq #{prctl}, 0, 3\n{option}\nret #0x7fff0000"))
        try:
            install(ALLOW)
        except SeccompError as caught:
            return f"{caught.errno} {caught}"
        return ""

    assert in_child(child).startswith(f"{error} {message}")


def test_logging_is_accepted() -> None:
    assert in_child(lambda: install(ALLOW, log=True)) is None


def test_programs_and_arguments_are_checked_first() -> None:
    def child() -> bool:
        with pytest.raises(cbpf.VerificationError):
            install(cbpf.parse("ldb [0]\nret a"))
        with pytest.raises(cbpf.FieldError, match=r"install\.log: 1 is neither True nor False"):
            install(ALLOW, log=1)  # type: ignore[arg-type]
        return kernel_calls.has_no_new_privileges()

    assert in_child(child) is False


def run_under(programs: list[cbpf.Program], command: list[str]) -> object:
    """Return the exit code of a command under filters, or the error in words."""

    def child() -> str:
        try:
            execute(programs, command)
        except (cbpf.CbpfError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return "returned"

    return in_child(child)


@pytest.mark.skipif(not names_available(), reason="system-calls is not installed")
def test_commands_run_under_filters(tmp_path: Path) -> None:
    names = {"mkdir", "mkdirat"} & call_names(platform.machine()).keys()
    filters = [deny(call_number(platform.machine(), name)) for name in names]
    assert (
        run_under([ALLOW, *filters], ["sh", "-c", f"mkdir {tmp_path}/new 2>&1 | grep -q {os.strerror(errno.EXDEV)!r}"])
        == 0
    )
    assert not (tmp_path / "new").exists()
    assert run_under([ALLOW], ["sh", "-c", f"mkdir {tmp_path}/new"]) == 0
    assert (tmp_path / "new").exists()


@pytest.mark.skipif(not names_available(), reason="system-calls is not installed")
def test_commands_that_cannot_be_started() -> None:
    execve = call_number(platform.machine(), "execve")
    message = run_under([deny(execve, errno.EACCES)], ["true"])
    fact = r"SeccompError: seccomp: \S+/true cannot be executed under the filters: Permission denied"
    assert re.fullmatch(rf"{fact}; they must allow execve", str(message))
    assert run_under([ALLOW], ["/nothing"]) == "FileNotFoundError: [Errno 2] no such command: '/nothing'"
    killed = cbpf.parse(f"ld [0]\njeq #{execve}, 0, 1\nret #0x80000000\nret #0x7fff0000")
    assert run_under([killed], ["true"]) == -signal.SIGSYS
    assert str(run_under([ALLOW], [])).startswith("FieldError: execute.command: [] is not a list of a command and")


@pytest.mark.skipif(not names_available(), reason="system-calls is not installed")
@pytest.mark.parametrize("denied", ["execve", "rt_sigaction"])
def test_a_command_that_fails_leaves_the_actions_of_signals(denied: str) -> None:
    """A filter that also denies the calls for signals does not replace the error."""

    def child() -> tuple[str, bool]:
        numbers = {call_number(platform.machine(), name) for name in ("execve", denied)}
        try:
            execute([deny(number, errno.EACCES) for number in numbers], ["true"])
        except cbpf.SeccompError as error:
            return str(error), signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
        return "", False

    message, is_ignored = in_child(child)
    assert message.endswith("Permission denied; they must allow execve")
    assert is_ignored == (denied == "execve")


@pytest.mark.skipif(not names_available(), reason="system-calls is not installed")
def test_numbers_of_the_installing_calls() -> None:
    for row in ARCHITECTURES.values():
        expected = (call_number(row, "seccomp"), call_number(row, "prctl"))
        assert kernel_calls.install_numbers(row) == expected, row.name


def test_the_kernel_tells_which_actions_it_knows() -> None:
    with open("/proc/sys/kernel/seccomp/actions_avail") as stream:
        available = stream.read().upper().split()
    known = [action.name for action in SECCOMP_ACTIONS.values() if kernel_calls.knows_action(action.value)]
    assert known == available
    assert not kernel_calls.knows_action(0x12340000)
