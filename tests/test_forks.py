"""Children that are forked while other threads compile, import or scan."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf import _forks
from cbpf._lazy import Lazy

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")

from cbpf.engines.llvm import jit
from cbpf.engines.llvm.compiler import compile_module

ECHO = cbpf.parse("ldb [0]\nret a")
PYTHON = (sys.executable, "-W", "ignore::DeprecationWarning")  # Python 3.12 warns of every fork with threads


def compile_and_run() -> None:
    assert cbpf.VM(ECHO, engine="llvm").run(b"\x07") == 7


def status_of_child(function: Callable[[], object]) -> int:
    """Return the exit status of a forked child that calls a function; SIGALRM ends a child that hangs."""
    child = os.fork()
    if not child:
        status = 1
        try:
            signal.alarm(20)
            function()
            status = 0
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


class SlowCompiler:
    """A compiler that reports its start, and finishes a quarter of a second later."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.is_finished = False
        self._compile = compile_module

    def __call__(self, ir: str) -> bytes:
        self.started.set()
        time.sleep(0.25)
        result = self._compile(ir)
        self.is_finished = True
        return result


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> SlowCompiler:
    result = SlowCompiler()
    monkeypatch.setattr(jit, "compile_module", result)
    return result


def run_in_process() -> int:
    process = multiprocessing.get_context("fork").Process(target=compile_and_run)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


@pytest.mark.parametrize(
    "fork", [lambda: status_of_child(compile_and_run), run_in_process], ids=["fork", "multiprocessing"]
)
def test_a_fork_waits_for_a_compilation(fork: Callable[[], int], compiler: SlowCompiler) -> None:
    thread = threading.Thread(target=compile_and_run)
    thread.start()
    compiler.started.wait()
    assert fork() == 0
    assert compiler.is_finished
    thread.join()


def test_a_fork_waits_for_calls_of_llvm_by_others() -> None:
    """Such as those of numba, and those that free linked code."""
    import llvmlite.binding.ffi

    is_done, has_lock = [], threading.Event()

    def call() -> None:
        with llvmlite.binding.ffi.lib._lock:
            has_lock.set()
            time.sleep(0.25)
            is_done.append(True)

    thread = threading.Thread(target=call)
    thread.start()
    has_lock.wait()
    assert status_of_child(compile_and_run) == 0
    assert is_done
    thread.join()


@pytest.mark.parametrize(
    ("name", "first_import"),
    [("cbpf.isa.opcodes", "cbpf.VM"), ("cbpf._record", "cbpf._record")],
    ids=["by a module that is being imported", "by nothing else"],
)
def test_a_fork_waits_for_imports(name: str, first_import: str) -> None:
    """A thread imports a module of the package slowly; the child imports it as well."""
    code = (
        f"NAME, FIRST = {name!r}, {first_import.rpartition('.')[2]!r}"
        + """
import importlib.abc, os, signal, sys, threading, time
import cbpf
started = threading.Event()
class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == NAME:
            started.set()
            time.sleep(0.3)
sys.meta_path.insert(0, Slow())
threading.Thread(target=__import__, args=("cbpf", {}, {}, [FIRST])).start()
started.wait()
child = os.fork()
if not child:
    signal.alarm(20)
    assert cbpf.VM(cbpf.parse("ret #7")).run(b"") == 7
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""
    )
    result = subprocess.run([*PYTHON, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_module_that_forks_while_it_is_imported_does_not_wait_for_itself() -> None:
    code = """
import os, sys, threading
import cbpf
class Forks:
    def find_spec(self, name, path, target=None):
        if name == "cbpf.isa.opcodes":
            child = os.fork()
            if not child:
                os._exit(0)
            os.waitpid(child, 0)
sys.meta_path.insert(0, Forks())
assert cbpf.VM(cbpf.parse("ret #7")).run(b"") == 7
"""
    result = subprocess.run([*PYTHON, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")


def test_children_of_a_process_that_uses_everything_for_the_first_time() -> None:
    """A child is forked every few milliseconds while a thread imports, compiles expressions, and runs them."""
    code = """
import os, signal, threading, time
import cbpf
def compile_many():
    for port in range(20):
        cbpf.VM(cbpf.compile(f"tcp port {port}"), engine="llvm").run(b"")
thread = threading.Thread(target=compile_many)
thread.start()
statuses = set()
while thread.is_alive():
    child = os.fork()
    if not child:
        signal.alarm(30)
        cbpf.VM(cbpf.compile("udp"), engine="llvm").run(b"")
        os._exit(0)
    statuses.add(os.waitpid(child, 0)[1])
    time.sleep(0.005)
print(statuses)
"""
    result = subprocess.run([*PYTHON, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("{0}\n", "")


def test_a_signal_handler_may_fork_and_compile_during_a_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    statuses, compile = [], compile_module

    def handle(number: int, frame: object) -> None:
        compile_and_run()
        statuses.append(status_of_child(compile_and_run))

    def interrupted(ir: str) -> bytes:
        monkeypatch.setattr(jit, "compile_module", compile)
        signal.raise_signal(signal.SIGUSR1)
        return compile(ir)

    before = signal.signal(signal.SIGUSR1, handle)
    monkeypatch.setattr(jit, "compile_module", interrupted)
    try:
        compile_and_run()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert statuses == [0]


def test_an_interrupted_wait_releases_its_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python reports an exception of a function called before a fork, and forks."""

    def interrupt() -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(_forks, "_guards", [*_forks._guards, interrupt])
    with monkeypatch.context() as patches:
        patches.setattr(sys, "unraisablehook", lambda _: None)
        assert status_of_child(compile_and_run) == 0
    assert not _forks._forks
    thread = threading.Thread(target=compile_and_run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_threads_compute_an_attribute_at_the_same_time() -> None:
    """With a lock for all instances, the two threads would never meet."""
    barrier = threading.Barrier(2, timeout=20)

    class Example:
        @Lazy
        def value(self) -> object:
            """Return a new object."""
            barrier.wait()
            return object()

    example, values = Example(), []
    threads = [threading.Thread(target=lambda: values.append(example.value)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [example.value] * 2
    assert Example.value.__doc__ == "Return a new object."


def test_a_child_cannot_continue_a_scan_of_threads(tmp_path: Path, traffic: Path) -> None:
    """The threads of the scan exist in the parent only; the child reports this, and can scan by itself."""
    capture, data = tmp_path / "large.pcap", traffic.read_bytes()
    capture.write_bytes(data[:24] + data[24:] * 120)  # more than two windows
    children: list[int] = []

    def fork_once(_: int) -> None:
        if not children:
            children.append(os.fork())

    try:
        summary, message = cbpf.filter_capture(capture, os.devnull, "", progress=fork_once), ""
    except cbpf.CaptureError as error:
        message = str(error)
    finally:
        if children == [0]:
            signal.alarm(60)
            is_right = "the process was forked while it read the capture" in message
            os._exit(not (is_right and cbpf.filter_capture(capture, os.devnull, "").packets_accepted == 120 * 905))
    assert summary.packets_accepted == 120 * 905
    assert os.waitpid(children[0], 0)[1] == 0
