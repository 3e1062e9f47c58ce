"""The filters of running processes, and those that commands install."""

import errno
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import cbpf
from cbpf.seccomp import Stack, SystemCall, kernel_decisions, process_filters, thread_filters, trace_command
from cbpf.seccomp.kernel import ptrace
from support.filtered_processes import numbered, process_under
from support.forked import in_child
from support.judges import kernel
from support.project import Rounds
from support.random_seccomp import clauses

pytestmark = pytest.mark.skipif(kernel.seccomp_available() is not None, reason=str(kernel.seccomp_available()))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root reads the filters of a process")


PTRACE = 101 if platform.machine() == "x86_64" else 117


@needs_root
def test_filters_come_oldest_first_as_they_were_installed(rounds: Rounds) -> None:
    for random in rounds(8):
        programs = [numbered(index) for index in range(5)]
        programs[2] = cbpf.Program([(0x20, 7, 8, 4), *([(0x06, 0, 0, 0x7FFF0000)] * random.randrange(1, 4096))])
        with process_under(programs) as process:
            assert process_filters(process) == process_filters(process) == tuple(programs)


@needs_root
def test_threads_have_filters_of_their_own() -> None:
    common, own = numbered(1), numbered(2)
    with process_under([common], of_threads=[[own], []]) as process:
        main, first, second = found = thread_filters(process)
        assert main == process
        assert found == {main: (common,), first: (common, own), second: (common,)} == thread_filters(second)
        assert process_filters(first) == (common, own)
    with process_under([], of_threads=[[own]]) as process:
        main, first = found = thread_filters(process)
        assert found == {main: (), first: (own,)}
        fact = f"it has no filter, but its thread {first} has; read the filters of that number"
        with pytest.raises(cbpf.SeccompError, match=f"^process {process}: {fact}$"):
            process_filters(process)
    with pytest.raises(cbpf.SeccompError, match=f"^process {process}: it does not exist$"):
        thread_filters(process)


@needs_root
def test_a_process_continues_after_its_filters_were_read() -> None:
    def state(process: int) -> str:
        return Path(f"/proc/{process}/stat").read_text().rsplit(") ")[1][0]

    with process_under([numbered(1)], signals=(signal.SIGUSR1,)) as process:
        process_filters(process)
        os.kill(process, signal.SIGUSR1)
        assert state(process) in "SR"
        assert "TracerPid:\t0\n" in Path(f"/proc/{process}/status").read_text()
        os.kill(process, signal.SIGSTOP)
        os.waitpid(process, os.WUNTRACED)
        assert process_filters(process) == (numbered(1),)
        while state(process) == "R":  # briefly, between the stop of the tracer and that of the signal
            pass
        assert state(process) == "T"
        os.kill(process, signal.SIGCONT)
        os.waitpid(process, os.WCONTINUED)
        assert state(process) in "SR"


def test_processes_without_filters_are_errors() -> None:
    with process_under([]) as process:
        with pytest.raises(cbpf.SeccompError, match=f"^process {process}: it has no filter$") as caught:
            process_filters(process)
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(cbpf.SeccompError, match=f"^process {process}: it does not exist$") as caught:
        process_filters(process)
    assert caught.value.errno == errno.ESRCH
    with pytest.raises(cbpf.FieldError, match=r"process_filters\.process: 0 is not the number of a process"):
        process_filters(0)


def message(process: int) -> str:
    """Return the message about a process whose filters cannot be read."""
    try:
        process_filters(process)
    except cbpf.SeccompError as error:
        return f"{error.errno} {error}"
    return ""


@needs_root
def test_processes_that_must_not_be_read() -> None:
    def unprivileged() -> str:
        os.setgroups([])
        os.setresuid(65534, 65534, 65534)
        return message(process)

    def filtered() -> str:
        cbpf.seccomp.install(numbered(2))
        return message(process)

    def itself() -> str:
        cbpf.seccomp.install(numbered(2))
        return message(os.getpid())

    def traced() -> str:
        ptrace.attach(process)
        return str(in_child(lambda: message(process)))

    def elsewhere() -> str:
        """On a kernel that does not have this request of ptrace."""
        request = f"ld [16]\njeq #{0x420C}, 0, 1\nret #{0x50000 | errno.EIO}"
        cbpf.seccomp.install(cbpf.parse(f"ld [0]\njeq #{PTRACE}, 0, 3\n{request}\nret #0x7fff0000"))
        return message(process)

    with process_under([numbered(1)]) as process:
        place = f"process {process}"
        rule = "reading filters needs CAP_SYS_ADMIN in the initial user namespace, and a process without filters"
        assert in_child(unprivileged) == f"{errno.EPERM} {place}: this process must not trace it; {rule}"
        assert in_child(filtered) == f"{errno.EACCES} {place}: its filters cannot be read; {rule} of its own"
        assert in_child(itself).endswith(
            ": it is this process, which cannot trace itself; run the command in another one"
        )
        assert re.fullmatch(rf"{errno.EPERM} {place}: process \d+ traces it already", in_child(traced))
        rule = "this kernel returns no filters; it needs CONFIG_CHECKPOINT_RESTORE"
        assert in_child(elsewhere) == f"{errno.EIO} {place}: {rule}"
        assert process_filters(process) == (numbered(1),)


COMMAND = textwrap.dedent(
    """
    import os, sys, threading
    import cbpf

    def install(number, **options):
        cbpf.seccomp.install(cbpf.parse(f"ld [0]\\njeq #{number}, 0, 0\\nret #0x7fff0000"), **options)

    install(1)
    if os.fork() == 0:
        install(2)
        os._exit(0)
    os.wait()
    thread = threading.Thread(target=install, args=(3,))
    thread.start()
    thread.join()
    try:
        for _ in range(20):
            cbpf.seccomp.install(cbpf.Program([cbpf.RetConstant(0x7FFF0000)] * 4096))
    except cbpf.SeccompError:
        pass
    install(4, threads="all", log=True)
    os.execv("/bin/sh", ["sh", "-c", "exit 7"])
    """
)


def test_a_command_is_traced_with_its_threads_and_processes() -> None:
    """In the end it executes another file, which has its filters."""
    trace = trace_command([sys.executable, "-c", COMMAND])
    long = cbpf.Program([cbpf.RetConstant(0x7FFF0000)] * 4096)
    main, child, thread, *others = trace.filters
    assert [found.program for found in trace.filters[:3]] == [numbered(1), numbered(2), numbered(3)]
    assert [found.program for found in others] == [long] * (len(others) - 1) + [numbered(4)]
    assert (main.older, child.older, thread.older, others[0].older) == ((), (0,), (0,), (0,))
    assert others[-1].older == (0, *range(3, len(trace.filters) - 1))
    assert [found.all_threads for found in trace.filters] == [False] * (len(trace.filters) - 1) + [True]
    assert len({main.thread, child.thread, thread.thread}) == 3
    assert {found.thread for found in others} == {main.thread}
    assert trace.stacks()[:2] == ((numbered(1), numbered(2)), (numbered(1), numbered(3)))
    assert trace.stacks()[2:] == ((numbered(1), *[long] * (len(others) - 1), numbered(4)),)
    assert trace.exit_code == 7


@pytest.mark.skipif(platform.machine() != "x86_64", reason="x86-64 only")
def test_filters_that_a_call_of_another_architecture_installs() -> None:
    """By int 0x80, with the structures of 32 bits; a call that fails installs nothing."""
    script = """
        import ctypes, mmap, struct
        import cbpf
        from cbpf.seccomp.kernel.call_maker import CallMaker
        from cbpf.seccomp.kernel.kernel_calls import set_no_new_privileges

        set_no_new_privileges()
        MAP_32BIT = 0x40
        memory = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_32BIT)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        code = bytes(cbpf.parse("ld [0]\\njeq #9, 0, 0\\nret #0x7fff0000"))
        memory[: 8 + len(code)] = struct.pack("<H2xI", len(code) // 8, address + 8) + code
        rows = [(1, 354, 1, 0, address), (1, 172, 22, 2, address), (1, 354, 1, 0, 16), (1, 354, 1, 64, address)]
        table = ctypes.create_string_buffer(b"".join(struct.pack("8Q", *row, 0, 0, 0) for row in rows))
        results = (ctypes.c_int64 * len(rows))()
        maker = CallMaker()
        maker._function(ctypes.addressof(table), ctypes.addressof(results), len(rows))
        print(*results)
        """
    try:
        kernel_decisions(Stack([numbered(1)]), [SystemCall(1, architecture="i386")])
    except cbpf.SeccompError as error:
        pytest.skip(str(error))
    trace = trace_command([sys.executable, "-c", textwrap.dedent(script)])
    assert [(found.program, found.architecture) for found in trace.filters] == [(numbered(9), "i386")] * 2


def test_exit_codes_and_children_that_outlive_the_command() -> None:
    assert trace_command(["sh", "-c", "exit 5"]).exit_code == 5
    assert trace_command(["sh", "-c", "kill -TERM $$"]).exit_code == -signal.SIGTERM
    other = subprocess.Popen(["sleep", "0"])
    assert trace_command(["sh", "-c", "(sleep 0.05; true) & exit 3"]).exit_code == 3
    assert other.wait() == 0  # the tracer waits for no other child of this process


def test_a_command_has_the_default_action_of_sigpipe() -> None:
    """Python ignores SIGPIPE, and a command would inherit that."""
    script = "test $((0x$(grep SigIgn /proc/self/status | cut -f 2) & 0x1000)) = 0"
    assert trace_command(["sh", "-c", script]).exit_code == 0


@pytest.mark.slow
def test_a_command_can_be_stopped_and_continued() -> None:
    """It continues by the signal that the other process sends, which writes first."""
    other = "sleep 0.3; echo first; while kill -CONT $$ 2>/dev/null; do sleep 0.1; done"
    command = ["sh", "-c", f"({other}) & kill -STOP $$; echo second; exit 4"]
    code = f"import sys, cbpf; sys.exit(cbpf.seccomp.trace_command({command}, timeout=60).exit_code)"
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "first\nsecond\n")


@pytest.mark.slow
def test_an_interrupted_trace_kills_the_command() -> None:
    code = "import cbpf; cbpf.seccomp.trace_command(['sh', '-c', 'echo $$; sleep 1000; true'])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        command = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().endswith(b"KeyboardInterrupt\n")
    assert process.returncode == -signal.SIGINT
    assert not Path(f"/proc/{command}").exists()


@pytest.mark.slow
def test_threads_that_install_at_the_same_time() -> None:
    script = COMMAND.split("install(1)")[0] + textwrap.dedent(
        """
        threads = [threading.Thread(target=lambda: [install(each) for each in range(5)]) for _ in range(8)]
        install(100)
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        """
    )
    trace = trace_command([sys.executable, "-c", script])
    assert len(trace.filters) == 41
    assert sorted(map(len, trace.final)) == [1, *[6] * 8]
    for stack in trace.stacks():
        assert stack == (numbered(100), *map(numbered, range(5)))[: len(stack)]


def test_a_limit_of_time_kills_all_processes() -> None:
    trace = trace_command(["sh", "-c", "sleep 1000 & sleep 1000"], timeout=0.1)
    assert (trace.exit_code, trace.filters) == (-signal.SIGKILL, ())


@pytest.mark.parametrize(
    ("command", "error", "message"),
    [
        (["/nothing"], FileNotFoundError, "no such command: '/nothing'"),
        ("true", cbpf.FieldError, "trace_command.command: 'true' is not a list of a command and its arguments"),
        ([], cbpf.FieldError, "trace_command.command: [] is not a list of a command and its arguments"),
    ],
)
def test_commands_that_cannot_be_traced(command: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        trace_command(command)


def test_a_file_that_cannot_be_executed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\0not a program")
    path.chmod(0o755)
    with pytest.raises(cbpf.SeccompError, match=rf"^{path}: it cannot be executed: Exec format error$"):
        trace_command([str(path)])


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_strace_sees_the_same_filters(rounds: Rounds, tmp_path: Path) -> None:
    for random in rounds(8):
        programs = [cbpf.Program([cbpf.RetConstant(0x7FFF0000), *clauses(random)]) for _ in range(3)]
        code = [bytes(program).hex() for program in programs]
        script = (
            f"import cbpf\nfor code in {code}:\n    cbpf.seccomp.install(cbpf.Program.from_bytes(bytes.fromhex(code)))"
        )
        log = tmp_path / "log"
        options = ["-f", "-v", "-s", "1000000", "-e", "trace=seccomp,prctl", "-o", str(log)]
        subprocess.run(["strace", *options, sys.executable, "-c", script], check=True)
        calls = [line for line in log.read_text().splitlines() if "PR_SET_SECCOMP" in line]
        trace = trace_command([sys.executable, "-c", script])
        assert [found.program for found in trace.filters] == [cbpf.parse(line) for line in calls] == programs
