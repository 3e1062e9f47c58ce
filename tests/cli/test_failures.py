"""Failures of any kind end in one line and the right exit code, and CBPF_DEBUG=1 shows the traceback."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.cli import failures
from support.command_line import TRAFFIC, CommandLine
from support.project import ENGINES, uncovered_environment

_RAISING: Final = """
import cbpf.cli, cbpf.cli.commands.compile as module
def fail(*arguments, **options):
    raise {error}
module.read_expression = fail
cbpf.cli.main()
"""


def run_raising(error: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command with a function that raises an exception."""
    code = f"import sys; sys.argv[1:] = ['compile', 'ip']\n{_RAISING.format(error=error)}"
    settings: dict[str, Any] = {"capture_output": True, "text": True, "check": False}
    return subprocess.run([sys.executable, "-c", code], env=uncovered_environment() | environment, **settings)


HINT: Final = "; set CBPF_DEBUG=1 for the traceback"
RAISED: list[tuple[str, int, str]] = [
    ("TypeError('a\\nb')", 2, f"cbpf: internal error: TypeError: a b{HINT}\n"),
    (
        'RuntimeError("can\'t start new thread")',
        2,
        f"cbpf: internal error: RuntimeError: can't start new thread{HINT}\n",
    ),
    ("RecursionError('maximum depth')", 2, f"cbpf: internal error: RecursionError: maximum depth{HINT}\n"),
    ("ImportError('no symbol')", 2, f"cbpf: internal error: ImportError: no symbol{HINT}\n"),
    ("EOFError()", 2, f"cbpf: internal error: EOFError:{HINT}\n"),
    ("MemoryError()", 2, "cbpf: out of memory\n"),
    ("OSError(12, 'Cannot allocate memory')", 2, "cbpf: out of memory\n"),
    ("OSError(24, 'Too many open files')", 2, "cbpf: Too many open files\n"),
    ("OSError(28, 'No space left on device')", 2, "cbpf: standard output: No space left on device\n"),
    ("OSError(28, 'No space left on device', 'a\\tb')", 2, "cbpf: 'a\\tb': No space left on device\n"),
    ("BrokenPipeError()", 141, ""),
    ("KeyboardInterrupt()", 130, ""),
    ("SystemExit(143)", 143, ""),
]


@pytest.mark.parametrize(("error", "code", "message"), RAISED)
def test_any_exception_is_one_line(error: str, code: int, message: str) -> None:
    done = run_raising(error)
    assert (done.returncode, done.stderr) == (code, message)


def test_a_variable_shows_the_traceback() -> None:
    done = run_raising("TypeError('a')", CBPF_DEBUG="1")
    assert done.returncode == 2
    assert done.stderr.startswith("Traceback (most recent call last):\n")
    assert done.stderr.endswith(f"cbpf: internal error: TypeError: a{HINT}\n")


def test_usage_errors_have_no_traceback(cli: CommandLine) -> None:
    result = cli("filter", "--bogus", env=os.environ | {"CBPF_DEBUG": "1"})
    assert result.stderr.count("\n") == 1


def test_an_interruption_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(KeyboardInterrupt()) == 130
    assert capsys.readouterr() == ("", "")


def test_undecided_has_its_own_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures.report(cbpf.Undecided("no time")) == 3
    assert capsys.readouterr().err == "cbpf: undecided: no time\n"


def test_an_unwritable_stderr_keeps_warnings_from_failing(cli: CommandLine) -> None:
    with open("/dev/full", "wb") as full:
        assert cli("compile", "ip and arp", stderr=full).exit_code == 0


_START: Final = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {signum})
sys.meta_path.insert(0, Finder())
from cbpf.__main__ import main
sys.argv[1:] = ["--version"]
main()
"""


@pytest.mark.parametrize("module", ["cbpf.cli", "cbpf.cli.parser", "cbpf.cli.failures"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_during_the_start_are_silent(module: str, signum: signal.Signals) -> None:
    code = _START.format(module=module, signum=int(signum))
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=uncovered_environment(), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signum, b"", b"")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        ("KeyboardInterrupt", 130, ""),
        ("MemoryError", 2, f"cbpf: cannot start: MemoryError:{HINT}\n"),
        ("ImportError('cannot map')", 2, f"cbpf: cannot start: ImportError: cannot map{HINT}\n"),
    ],
)
def test_failures_of_the_imports_are_one_line(error: str, code: int, message: str) -> None:
    source = f"from cbpf import __main__ as main\ndef fail():\n    raise {error}\n"
    source += "main._import_command_line = fail\nmain.main()"
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, env=uncovered_environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, message)


def test_an_ignored_interruption_stays_ignored() -> None:
    """A shell starts commands in the background with SIGINT ignored."""
    code = _START.format(module="cbpf.cli", signum=int(signal.SIGINT))
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{code}"
    done = subprocess.run([sys.executable, "-c", code], env=uncovered_environment(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


_NO_THREADS: Final = """
import sys, threading
start, started = threading.Thread.start, []
def limited(self):
    if len(started) >= {count}:
        raise RuntimeError("can't start new thread")
    started.append(self)
    start(self)
threading.Thread.start = limited
sys.argv[1:] = {arguments!r}
from cbpf.__main__ import main
main()
"""


@pytest.mark.skipif("llvm" not in ENGINES, reason="needs llvmlite")
@pytest.mark.parametrize("count", [0, 1])
def test_a_scan_uses_the_threads_that_it_gets(count: int, tmp_path: Path) -> None:
    source, target = tmp_path / "in.pcap", tmp_path / "out.pcap"
    data = Path(TRAFFIC).read_bytes()
    source.write_bytes(data[:24] + data[24:] * (60_000_000 // len(data)))  # several windows
    cbpf.filter_capture(source, tmp_path / "expected", "tcp", engine="llvm")
    arguments = ["filter", "-q", "--engine", "llvm", "-r", str(source), "-w", str(target), "tcp"]
    code = _NO_THREADS.format(count=count, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], env=uncovered_environment(), capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert target.read_bytes() == (tmp_path / "expected").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [40, 50, 60, 80, 100, 150, 200, 300, 400, 600])
def test_a_limit_of_memory_is_one_line(megabytes: int, cli: CommandLine, tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))

    target = tmp_path / "out"
    target.write_bytes(b"old")
    command = ["filter", "-q", "--engine", "llvm", "-r", TRAFFIC, "-w", str(target), "tcp"]
    result = cli(*command, preexec_fn=limit, env=uncovered_environment())
    assert result.exit_code in (0, 2), result.stderr
    assert result.stderr.count("\n") == (result.exit_code == 2), result.stderr
    assert os.listdir(tmp_path) == ["out"]
    assert (target.read_bytes() == b"old") is (result.exit_code == 2)


def test_errors_without_a_name_are_of_standard_output_only_if_writing_raises_them() -> None:
    assert failures.messages(OSError(errno.ENOSPC, "full")) == ["standard output: full"]
    assert failures.messages(OSError(errno.EMFILE, "many")) == ["many"]
