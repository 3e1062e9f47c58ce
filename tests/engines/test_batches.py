"""Builtin functions of the llvm engine: batches in all forms, memory safety, references, threads, signals and forks."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cbpf

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")

from cbpf.engines.llvm import pycfunction
from cbpf.packet.batch import columns_of

SUM = cbpf.parse("ldb [0]\ntax\nld #len\nadd x\nret a")
ECHO = cbpf.parse("ldb [0]\nret a")
COUNTS = cbpf.parse("\n".join(f"ldb [0]\njne #{n},1\nret #{n * 1000 + 256}" for n in range(12)) + "\nret #-1")
PROGRAMS = (SUM, COUNTS, cbpf.parse("ld #rand\nldb [0]\nret a"), cbpf.parse("ld #poff\nldb [1]\nret a"))
MACHINES = [(cbpf.VM(program, engine="llvm"), cbpf.VM(program, engine="interpreter")) for program in PROGRAMS]
MANY = 60_000  # packets: a batch that releases the GIL, whatever its program


def slow_program() -> cbpf.Program:
    """Return a program that takes a good part of a microsecond per packet."""
    square = [cbpf.TAX(), cbpf.ALUOpX(cbpf.ALUOp.MUL), cbpf.ALUOpConstant(cbpf.ALUOp.ADD, 99)]
    return cbpf.Program([cbpf.LoadAbsolute(0, 1), *square * 200, cbpf.RetA()])


SLOW = cbpf.VM(slow_program(), engine="llvm")


def child(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", *arguments], capture_output=True, text=True, check=False)


FORMS: dict[str, Callable[[list[bytes]], Any]] = {
    "list": list,
    "tuple": tuple,
    "iterator": iter,
    "ranges": cbpf.Packets.of,
    "other buffers": lambda packets: list(map(bytearray, packets)),
    "the last is another buffer": lambda packets: [*packets[:-1], *[memoryview(packet) for packet in packets[-1:]]],
}


@given(st.lists(st.binary(max_size=40), max_size=20))
@settings(max_examples=10, deadline=None)
def test_batches_have_the_verdicts_of_the_interpreter(packets: list[bytes]) -> None:
    for native, interpreter in MACHINES:
        expected = array("I", map(interpreter.run, packets))
        for make in FORMS.values():
            assert native.verdicts(make(packets)) == expected
        assert list(map(native.run, packets)) == list(expected)


@pytest.mark.parametrize("form", FORMS)
def test_batches_that_hold_and_release_the_gil_have_equal_verdicts(form: str) -> None:
    native, interpreter = MACHINES[1]
    packets = [bytes([index % 14]) * (index % 3) for index in range(42)]
    limit = 50_000 // len(COUNTS)
    batch = packets * (limit // 42 + 1)
    expected = array("I", map(interpreter.run, packets)) * (limit // 42 + 1)
    for count in (limit - 1, limit, limit + 1):
        assert native.verdicts(FORMS[form](batch[:count])) == expected[:count]


@given(st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 2**32 - 1))))
@settings(max_examples=10, deadline=None)
def test_ranges_have_their_wire_lengths(rows: list[tuple[bytes, int]]) -> None:
    lengths = [len(data) for data, _ in rows]
    positions = [sum(lengths[:index]) for index in range(len(rows))]
    columns = {"positions": positions, "lengths": lengths, "wire_lengths": [wire for _, wire in rows]}
    packets = cbpf.Packets(bytearray().join(data for data, _ in rows), **columns)
    native, interpreter = MACHINES[0]
    assert native.verdicts(packets) == interpreter.verdicts(packets)


def test_verdicts_are_new_arrays() -> None:
    for source in ([], [b"\x07"], cbpf.Packets.of([b"\x07"])):
        first, second = (MACHINES[0][0].verdicts(source) for _ in range(2))
        assert (type(first), first.typecode, first) == (array, "I", second)
        first.append(5)  # nothing holds its buffer
        assert len(second) == len(first) - 1


@pytest.mark.parametrize("item", [5, None, "text"], ids=["int", "None", "str"])
@pytest.mark.parametrize("before", [0, 1, MANY])
def test_items_that_are_not_buffers_are_rejected(item: Any, before: int) -> None:
    with pytest.raises(cbpf.PacketError, match=f"expected a bytes-like object, got {type(item).__name__}"):
        MACHINES[0][0].verdicts([b"\x07"] * before + [item])


def test_verdicts_have_a_signature_and_can_be_overridden() -> None:
    class Counted(cbpf.VM):
        calls = 0

        def verdicts(self, packets: Any) -> Any:
            Counted.calls += 1
            return super().verdicts(packets)

    vm = Counted(ECHO, engine="llvm")
    assert [list(vm.verdicts(packets=[b"\x07"])) for _ in range(3)] == [[7]] * 3
    assert Counted.calls == 3
    assert "Return the verdict on each packet of a batch." in str(cbpf.VM.verdicts.__doc__)


# -- constants of `run` -----------------------------------------------------------------------------------------


def test_constants_of_a_program_are_objects() -> None:
    """More constants than `run` has objects for; the references to an object do not increase."""
    run = cbpf.VM(COUNTS, engine="llvm").run
    packets = [bytes([byte]) for byte in range(13)]
    assert [run(packet) for packet in packets] == [*range(256, 12_000, 1000), 2**32 - 1]
    assert all(type(run(packet)) is int for packet in packets)
    constant = run(b"\x01")
    references = sys.getrefcount(constant)
    for _ in range(100):
        assert run(b"\x01") is constant
    assert sys.getrefcount(constant) == references


# -- references and memory --------------------------------------------------------------------------------------


def test_a_batch_does_not_change_reference_counts() -> None:
    data, view, number = b"\x07 some bytes", memoryview(b"\x07\x08"), 5
    ranges = cbpf.Packets.of([data, data])
    objects = [data, view, ranges, *columns_of(ranges), pycfunction._ZERO]
    for native, _ in MACHINES:
        for packets in (ranges, [data]):
            native.verdicts(packets)  # the first call makes the builtin, which refers to _ZERO
    before = list(map(sys.getrefcount, objects))
    for native, _ in MACHINES:
        for _ in range(20):
            native.verdicts(ranges)
            for source in ([data, data], (data,), [data, view]):
                native.verdicts(source)
            del source
            with pytest.raises(cbpf.PacketError):
                native.verdicts([data, view, number])
    gc.collect()
    assert list(map(sys.getrefcount, objects)) == before


def test_a_released_column_is_an_error() -> None:
    packets = cbpf.Packets.of([b"\x07", b"\x08"])
    for column in reversed(columns_of(packets)):
        column.release()
        for _ in range(3):
            with pytest.raises(ValueError, match="released"):
                SLOW.verdicts(packets)


def test_a_changed_template_of_the_result_is_not_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pycfunction, "_ZERO", array("I"))
    vm = cbpf.VM(ECHO, engine="llvm")
    assert len(vm.verdicts([b"\x07"] * 1_000)) == len(vm.verdicts(cbpf.Packets.of([b"\x07"] * 1_000))) == 0


OUT_OF_MEMORY = """
import resource, cbpf
packets = (b"",) * 3_000_000
vm = cbpf.VM([cbpf.RetConstant(1)], engine="llvm")
vm.verdicts(packets[:1])
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (1 << 20), resource.RLIM_INFINITY))
try:
    vm.verdicts(packets)
except MemoryError:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
    assert sum(vm.verdicts(packets)) == len(packets)
    print("MemoryError")
"""


def test_a_result_without_memory_is_an_error() -> None:
    result = child(OUT_OF_MEMORY)
    assert (result.stdout, result.stderr, result.returncode) == ("MemoryError\n", "", 0)


# -- threads, signals and forks ---------------------------------------------------------------------------------


def while_it_runs(vm: cbpf.VM, packets: Any, action: Callable[[], object]) -> "array[int]":
    """Return the verdicts, and perform an action in this thread while another one computes them."""
    results: list[array[int]] = []
    thread = threading.Thread(target=lambda: results.append(vm.verdicts(packets)))
    thread.start()
    time.sleep(0.01)  # the batch takes longer
    action()
    thread.join()
    return results[0]


@pytest.fixture(scope="module")
def expected() -> int:
    return SLOW.run(b"\x05")


def test_a_list_may_change_during_its_batch(expected: int) -> None:
    packets = [bytes(bytearray(b"\x05")) + bytes(200) for _ in range(MANY)]

    def change() -> None:
        packets.clear()
        gc.collect()
        packets.extend([b"\x06"] * 100)

    assert set(while_it_runs(SLOW, packets, change)) == {expected}


def test_a_buffer_cannot_be_resized_during_its_batch(expected: int) -> None:
    buffer = bytearray(b"\x05")
    batches = [cbpf.Packets(buffer, positions=[0] * MANY, lengths=[1] * MANY)]

    def resize() -> None:
        with pytest.raises(BufferError):
            buffer.clear()

    assert set(while_it_runs(SLOW, batches.pop(), resize)) == {expected}
    buffer.clear()


def test_a_signal_during_a_batch_raises_its_exception(expected: int) -> None:
    class Interruption(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interruption

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for source in ([b"\x05"] * MANY, cbpf.Packets(b"\x05", positions=[0] * MANY, lengths=[1] * MANY)):
            SLOW.verdicts(source[:1])
            signal.setitimer(signal.ITIMER_REAL, 0.005)
            with pytest.raises(Interruption):
                SLOW.verdicts(source)
            assert set(SLOW.verdicts(source[:100])) == {expected}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 warns of every fork with threads
def test_a_process_may_fork_during_a_batch(expected: int) -> None:
    packets = [b"\x05"] * MANY
    statuses = []

    def fork() -> None:
        process = os.fork()
        if not process:
            signal.alarm(20)
            os._exit(set(SLOW.verdicts(packets)) != {expected} or SLOW.run(b"\x05") != expected)
        statuses.append(os.waitpid(process, 0)[1])

    assert set(while_it_runs(SLOW, packets, fork)) == {expected}
    assert statuses == [0]


EXIT = """
import sys, threading, time, cbpf
vm = cbpf.VM(cbpf.Program.from_bytes(bytes.fromhex(sys.argv[1])), engine="llvm")
packets = (b"\\x05",) * 100_000
vm.verdicts(packets[:1])
class Last:
    def __del__(self, sleep=time.sleep):  # called by the exit; the batch ends meanwhile
        sleep(0.3)
last = Last()
threading.Thread(target=lambda: vm.verdicts(packets), daemon=True).start()
time.sleep(0.01)
print("exits")
"""


def test_a_process_may_exit_during_a_batch() -> None:
    """The thread, which ends when it requires the GIL again, does not disturb the exit."""
    result = child(EXIT, bytes(slow_program()).hex())
    assert (result.stdout, result.stderr, result.returncode) == ("exits\n", "", 0)
