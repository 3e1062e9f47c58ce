"""Commands in forks of the command server give the results of new processes."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support.command_line import TRAFFIC, CommandLine
from support.command_server import command_folder

CAPTURE = Path(TRAFFIC).read_bytes()


@pytest.fixture
def client() -> Path:
    folder = command_folder()
    if folder is None:
        pytest.skip("needs a C compiler, and no measurement of coverage")
    return folder / "cbpf"


@contextmanager
def waiting_command(client: Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start a command that waits for standard input; yield its client and the process that reads the input."""
    with subprocess.Popen([client, "info", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        pipe = os.readlink(f"/proc/self/fd/{process.stdin.fileno()}")
        deadline = time.monotonic() + 60
        while not (readers := [number for number in readers_of(pipe) if number != process.pid]):
            assert process.poll() is None
            assert time.monotonic() < deadline, "the server rejected the command"
            time.sleep(0.01)
        yield process, readers[0]


def readers_of(pipe: str) -> Iterator[int]:
    """Yield the processes whose standard input is a pipe."""
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # the process has ended, or is one of another user
            if os.readlink(folder / "fd" / "0") == pipe:
                yield int(folder.name)


COMMANDS: dict[str, tuple[list[str | bytes], dict[str, Any]]] = {
    "no arguments": ([], {}),
    "a capture in and out": (["filter", "-q", "arp"], {"stdin": CAPTURE}),
    "a standard stream by name": (["info", "/dev/stdin"], {"stdin": CAPTURE}),
    "an answer of no": (["verify", "--dialect", "linux", "-"], {"stdin": b"ld [0]\n"}),
    "a usage error": (["filter", "--bogus"], {}),
    "a text that is not UTF-8": (["compile", b"\xff"], {}),
    "a debugging variable": (["asm"], {"stdin": b"ldq", "env": {**os.environ, "CBPF_DEBUG": "1"}}),
    "a completion": ([], {"env": {**os.environ, "_CBPF_COMPLETE": "bash_complete", "COMP_LINE": "cbpf in"}}),
    "a time zone": (["info", TRAFFIC], {"env": {**os.environ, "TZ": "Asia/Tokyo"}}),
    "a language": (["compile", "\u00e9"], {"env": {**os.environ, "LC_ALL": "C"}}),
    "an unknown language": (["compile", "\u00e9"], {"env": {**os.environ, "LC_ALL": "xx_XX"}}),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_results_are_those_of_a_process(name: str, client: Path, cli: CommandLine) -> None:
    arguments, options = COMMANDS[name]
    in_fork, in_process = (run(*arguments, **options) for run in (cli, cli.run_process))
    if name == "a debugging variable":  # the traceback begins in another module
        in_fork, in_process = (result._replace(stderr=result.stderr[-100:]) for result in (in_fork, in_process))
    assert in_fork == in_process
    assert in_fork.stdout or in_fork.stderr


def test_files_are_those_of_a_process(client: Path, cli: CommandLine, tmp_path: Path) -> None:
    for name, run in (("fork", cli.__call__), ("process", cli.run_process)):
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            log.write(b"begin\n")
            log.flush()
            assert run("filter", "-q", "-r", TRAFFIC, "-w", "out", "arp", cwd=folder).exit_code == 0
            assert run("compile", "arp", cwd=folder, stdout=log).exit_code == 0
            log.seek(0, os.SEEK_END)
            log.write(b"end\n")
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in tmp_path.iterdir()]
    assert contents[0] == contents[1]
    assert contents[0]["log"].startswith(b"begin\n(000)")
    assert contents[0]["log"].endswith(b"end\n")


def test_a_closed_pipe_ends_a_command(client: Path) -> None:
    code = f"{client} run -e ip {TRAFFIC}; echo $? >&2"
    done = subprocess.run(["sh", "-c", f"({code}) | true"], capture_output=True, text=True, check=True)
    assert done.stderr == "141\n"


def test_commands_run_in_forks_of_the_server(client: Path) -> None:
    with waiting_command(client) as (process, fork):
        assert b"support.command_server" in Path(f"/proc/{fork}/cmdline").read_bytes()
        output, _ = process.communicate(CAPTURE, timeout=60)
    assert (process.returncode, output[:14]) == (0, b"standard input")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_signal_that_ends_a_fork_ends_the_client(number: signal.Signals, client: Path) -> None:
    with waiting_command(client) as (process, fork):
        os.kill(fork, number)
        assert process.wait(timeout=60) == -number


def test_the_end_of_the_client_ends_the_fork(client: Path) -> None:
    with waiting_command(client) as (process, _):
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read() == b""  # the fork has closed it


@pytest.mark.parametrize(
    ("script", "output"),
    [
        ("cbpf filter -r - arp <&-", "cbpf: standard input: Bad file descriptor\n[2]\n"),
        ("cbpf filter -q --count -r /dev/fd/5 arp 5<traffic.pcap", "18\n[0]\n"),
        ("(ulimit -f 0; cbpf compile -w out arp)", "cbpf: out: File too large\n[2]\n"),
        ("umask 077; cbpf compile -w out arp; stat -c %a out", "600\n[0]\n"),
        ("PYTHONPROFILEIMPORTTIME=1 cbpf --version 2>&1 | grep -c '|.*cbpf.cli$'", "1\n[0]\n"),
    ],
)
def test_unusual_commands_are_processes(script: str, output: str, client: Path, tmp_path: Path) -> None:
    (tmp_path / "traffic.pcap").symlink_to(TRAFFIC)
    path = f"{client.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", f"{script}; echo [$?]"], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True
    )
    assert done.stderr + done.stdout == output.encode()
