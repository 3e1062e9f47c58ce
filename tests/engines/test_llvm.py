"""The llvm engine: memory safety, references, threads, memory growth, and loading of code."""

import ctypes
import gc
import pickle
import random
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import cbpf
from support.arrow_producer import binary
from support.project import TESTS, Rounds

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")

from cbpf.engines.llvm import compiler, jit, object_layout, pycfunction
from cbpf.engines.llvm.engine import LLVMEngine
from cbpf.packet import buffers

ECHO = cbpf.parse("ldb [0]\nret a")
LENGTH = cbpf.parse("ld #len\nret a")
GUARDED = ("-m", "support.guarded_pages")


def compiled(program: Any, dialect: cbpf.Dialect = cbpf.PCAP) -> cbpf.VM:
    return cbpf.VM(program, engine="llvm", dialect=dialect)


def child(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=TESTS, capture_output=True, text=True, check=False
    )


# -- memory safety --------------------------------------------------------------------------------------------


@pytest.mark.fuzz
def test_no_byte_outside_a_packet_is_read(rounds: Rounds) -> None:
    """The programs run in a child process, which a read beyond the packet would terminate."""
    for source in rounds(4):
        result = child(*GUARDED, source.random(), 25)
        assert result.returncode == 0, (result.args, result.returncode, result.stderr[-2000:])


def test_read_beyond_a_packet_would_be_detected() -> None:
    assert child(*GUARDED, "--fault").returncode == -signal.SIGSEGV


@pytest.mark.parametrize("size", [1, 2, 4])
def test_loads_of_the_last_bytes_of_a_packet(size: int) -> None:
    for offset in range(8):
        run = compiled([cbpf.LoadAbsolute(offset, size), cbpf.RetConstant(1)]).run
        assert [run(bytes(length)) for length in range(12)] == [int(length >= offset + size) for length in range(12)]


# -- the builtin function ----------------------------------------------------------------------------------------------


def mappings() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def test_run_remains_usable_after_its_vm() -> None:
    vm = compiled(ECHO)
    run = vm.run
    del vm
    gc.collect()
    assert run(b"\x2a") == 42


def test_code_is_freed_with_its_last_reference() -> None:
    """Reference counting suffices: there are no cycles for the garbage collector."""
    compiled(ECHO).run(b"\0")
    gc.disable()
    try:
        before = mappings()
        for _ in range(50):
            vm = compiled(ECHO)
            vm.run(b"\0"), vm.verdicts([b"\0"]), vm.evaluate(b"\0")
            del vm
        assert mappings() < before + 25
    finally:
        gc.enable()


def test_run_does_not_change_reference_counts() -> None:
    run = compiled(ECHO).run
    for packet in (b"\x07 some bytes", memoryview(b"\x07\0\x08")[::2], bytearray(b"\x07"), "text", object()):
        before = sys.getrefcount(packet)
        for _ in range(100):
            try:
                assert run(packet) == 7
            except cbpf.PacketError as error:
                assert "expected a bytes-like object" in str(error)  # noqa: PT017
        assert sys.getrefcount(packet) == before


def test_buffers_are_released_after_a_run() -> None:
    vm, packet = compiled(ECHO), bytearray(b"\x07\x08")
    assert (vm.run(packet), vm.evaluate(packet), list(vm.verdicts([packet]))) == (7, 7, [7])
    packet.extend(b"more")  # raises BufferError while the buffer is in use
    packets = cbpf.Packets(packet, positions=[0], lengths=[2])
    assert list(vm.verdicts(packets)) == [7]
    with pytest.raises(BufferError):
        packet.clear()
    del packets
    packet.clear()


def test_released_view_is_rejected() -> None:
    view = memoryview(b"ab")
    view.release()
    for _ in range(3):
        with pytest.raises(cbpf.PacketError, match="released"):
            compiled(ECHO).run(view)


def test_run_has_a_name_and_a_docstring() -> None:
    run = compiled(ECHO).run
    assert (run.__name__, run.__doc__) == ("run", "Return the verdict on one packet.")
    assert repr(run).startswith("<built-in method run")
    assert repr(compiled(ECHO)) == "<VM of 2 instructions, pcap, engine llvm>"
    copy = pickle.loads(pickle.dumps(compiled(ECHO, cbpf.LINUX)))
    assert (copy.run(b"\x09"), copy.engine, copy.dialect) == (9, "llvm", cbpf.LINUX)
    with pytest.raises(TypeError):
        run()  # type: ignore[call-arg]


# -- interpreters that the builtin function does not support -----------------------------------------------


@pytest.fixture
def layout_check() -> Iterator[None]:
    """Reset the cached result of the layout check before and after a test."""
    object_layout.is_supported.cache_clear()
    yield
    object_layout.is_supported.cache_clear()


def test_this_interpreter_is_supported(layout_check: None) -> None:
    assert object_layout.is_supported()


OTHER_INTERPRETERS: dict[str, tuple[Any, str, object]] = {
    "free-threaded": (sys, "abiflags", "t"),
    "free-threaded, debug": (sys, "abiflags", "td"),
    "without the GIL": (sys, "_is_gil_enabled", lambda: False),
    "built without the GIL": (sysconfig, "get_config_var", lambda name: 1 if name == "Py_GIL_DISABLED" else None),
    "PyPy": (sys, "implementation", SimpleNamespace(**vars(sys.implementation) | {"name": "pypy"})),
    "GraalPy": (sys, "implementation", SimpleNamespace(**vars(sys.implementation) | {"name": "graalpy"})),
    "32 bits": (buffers, "_pointer_size", lambda: 4),
    "type": (object_layout, "TYPE_OFFSET", object_layout.TYPE_OFFSET + 8),
    "size": (object_layout, "SIZE_OFFSET", object_layout.SIZE_OFFSET - 8),
    "content": (object_layout, "BYTES_OFFSET", object_layout.BYTES_OFFSET - 8),
    "items": (object_layout, "TUPLE_OFFSET", object_layout.TUPLE_OFFSET - 8),
}


@pytest.mark.parametrize(("module", "attribute", "value"), OTHER_INTERPRETERS.values(), ids=OTHER_INTERPRETERS)
def test_other_interpreters_and_layouts_are_not_supported(
    module: Any, attribute: str, value: object, layout_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patches:
        patches.setattr(module, attribute, value, raising=False)
        supported = object_layout.is_supported()
    assert not supported


@pytest.mark.parametrize("name", ["free-threaded", "without the GIL", "built without the GIL", "type", "items"])
def test_other_interpreters_call_the_code_through_ctypes(
    name: str, layout_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patches:
        module, attribute, value = OTHER_INTERPRETERS[name]
        patches.setattr(module, attribute, value, raising=False)
        vm = compiled(ECHO)
        run, verdicts = vm.run, list(vm.verdicts([b"\x07", b"", bytearray(b"\x08")]))
    assert not isinstance(run, type(len))
    assert (run(b"\x2a"), verdicts) == (42, [7, 0, 8])


@pytest.mark.parametrize("name", ["PyPy", "GraalPy", "32 bits"])
def test_interpreters_without_the_c_api_use_python(
    name: str, layout_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No address of an object is read: there, it has no meaning."""

    def fail(*arguments: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patches:
        module, attribute, value = OTHER_INTERPRETERS[name]
        patches.setattr(module, attribute, value, raising=False)
        patches.setattr(ctypes, "string_at", fail)
        assert not object_layout.is_supported()
        with pytest.raises(cbpf.MissingLibrary, match="needs CPython on a 64-bit system: use engine='python'"):
            compiled(ECHO)
        vm = cbpf.VM(ECHO)
        assert set(vm.verdicts([b"\x07"] * 100_000)) == {7}
        assert vm.native_match is None
        with pytest.raises(cbpf.PacketError, match="Arrow columns need CPython"):
            cbpf.Packets.of(binary([b"abc"]))


@pytest.mark.parametrize("flags", ["", "d"], ids=["release", "debug"])
def test_debug_builds_are_supported(flags: str, layout_check: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their objects may be larger, which the sizes of the types and the comparison with objects show."""
    with monkeypatch.context() as patches:
        patches.setattr(sys, "abiflags", flags)
        assert object_layout.is_supported()
    with monkeypatch.context() as patches:
        patches.delattr(sys, "abiflags")
        object_layout.is_supported.cache_clear()
        assert object_layout.is_supported()


def test_unsupported_layout_falls_back_to_ctypes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdicts and errors are equal; neither a builtin nor code that reads Python objects is compiled."""
    programs = [ECHO, LENGTH, cbpf.parse("ldb [1]\nadd x\nret a"), cbpf.parse("ld #rand\nmod #1\nadd #9\nret a")]
    packets = [b"\x07\x08", b"", bytearray(b"\x09\x01"), memoryview(b"\x07\0\x08\0")[::2], array("H", [0x0807])]
    expected = [([vm.run(packet) for packet in packets], vm.verdicts(packets)) for vm in map(compiled, programs)]
    loaded: list[str] = []
    module_text = LLVMEngine._module_text

    def recorded(self: LLVMEngine, name: Any, *rest: Any) -> str:
        loaded.append(name)
        return module_text(self, name, *rest)

    monkeypatch.setattr(LLVMEngine, "_module_text", recorded)
    monkeypatch.setattr(object_layout, "is_supported", lambda: False)
    monkeypatch.setattr(pycfunction, "_make_builtin", None)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # disables the disk cache
    vms = [compiled(program) for program in programs]
    assert [([vm.run(packet) for packet in packets], vm.verdicts(packets)) for vm in vms] == expected
    assert set(loaded) == {"evaluate", "match_ranges"}
    for packet in ("text", None):
        with pytest.raises(cbpf.PacketError):
            vms[0].run(packet)
        with pytest.raises(cbpf.PacketError):
            vms[0].verdicts([b"\x07", packet])
    run = vms[0].run
    del vms
    gc.collect()
    assert run(b"\x2a") == 42


# -- threads and memory growth ---------------------------------------------------------------------------------------


def test_threads_compile_and_run_concurrently() -> None:
    mismatches: list[object] = []

    def work(first: int) -> None:
        for addend in range(first, first + 10):
            vm = compiled(cbpf.parse(f"ldb [0]\nadd #{addend}\nret a"))
            packets = [bytes([byte]) for byte in range(100)]
            expected = [byte + addend for byte in range(100)]
            results = (list(map(vm.run, packets)), list(vm.verdicts(packets)), list(map(vm.evaluate, packets)))
            mismatches.extend(result for result in results if result != expected)

    threads = [threading.Thread(target=work, args=(10 * index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mismatches


def test_threads_share_an_engine() -> None:
    vm, mismatches = compiled(cbpf.parse("ld #rand\nldb [0]\nret a")), []
    packets = cbpf.Packets.of([bytes([index % 256]) for index in range(10_000)])
    expected = [index % 256 for index in range(10_000)]

    def work() -> None:
        mismatches.extend([1 for _ in range(10) if list(vm.verdicts(packets)) != expected])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not mismatches


def test_a_batch_releases_the_gil() -> None:
    """With a switch interval of 1,000 s, another thread makes progress during the call only if the GIL is released."""
    square = [cbpf.TAX(), cbpf.ALUOpX(cbpf.ALUOp.MUL), cbpf.ALUOpConstant(cbpf.ALUOp.ADD, 99)]
    slow = cbpf.Program([cbpf.LoadAbsolute(0, 1), *square * 300, cbpf.RetA()])
    packets = cbpf.Packets(b"\x05", positions=[0] * 500_000, lengths=[1] * 500_000)
    vm, counter, stop = compiled(slow), [0], threading.Event()
    vm.verdicts(packets[:1])

    def count() -> None:
        while not stop.is_set():
            counter[0] += 1
            time.sleep(0.0002)

    thread, interval = threading.Thread(target=count), sys.getswitchinterval()
    thread.start()
    try:
        sys.setswitchinterval(1000)
        before = counter[0]
        vm.verdicts(packets)
        after = counter[0]
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert after >= before + 3


GROWTH = """
import sys, cbpf
def resident():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0])
program, rounds = cbpf.parse("ldh [12]\\njeq #0x800,1\\nret #0\\nldb [23]\\nret a"), int(sys.argv[1])
for index in range(rounds + 50):
    if index == 50:
        before = resident()
    cbpf.VM(program, engine="llvm").run(b"packet")
print(resident() - before)
"""


@pytest.mark.fuzz
def test_compilations_do_not_accumulate_memory(rounds: Rounds) -> None:
    """The limit is 100 MB for 10,000 programs in one process; the test compiles 300, with 2 MB of tolerance."""
    for _ in rounds(1):
        result = child("-c", GROWTH, 300)
        assert result.returncode == 0, result.stderr
        assert int(result.stdout) < 100_000 * 300 / 10_000 + 2_000  # KB


# -- extensions -----------------------------------------------------------------------------------------------


def test_a_batch_draws_a_random_number_per_packet() -> None:
    vm = compiled(cbpf.parse("ld #rand\nret a"))
    for packets in ([b""] * 10_000, cbpf.Packets(b"", positions=[0] * 10_000, lengths=[0] * 10_000)):
        draws = vm.verdicts(packets)
        assert len(set(draws)) > 9_990
        assert 0.48 < sum(draws) / len(draws) / 2**32 < 0.52
        assert vm.verdicts(packets) != draws


def test_seeded_draws_equal_those_of_the_other_engines() -> None:
    program = cbpf.parse("ld #rand\ntax\nld #rand\nxor x\nret a")
    for seed in (0, 1, 2**63, 2**64 - 1):
        metadata = cbpf.Metadata(seed=seed)
        verdicts = {cbpf.VM(program, engine=engine).evaluate(b"", metadata=metadata) for engine in ("llvm", "python")}
        assert len(verdicts) == 1


NETLINK = bytes.fromhex("0800 0100 11111111 0c00 0280 0800 0300 22222222")


@pytest.mark.parametrize(
    "text",
    ["ld #0\nldx #2\nld #nla\nret a", "ld #8\nldx #3\nld #nlan\nret a", "ld #poff\nret a"],
    ids=["attribute", "nested", "payload"],
)
def test_callback_extensions_in_batches(text: str) -> None:
    program = cbpf.parse(text)
    frame = bytes.fromhex("ffffffffffff 020000000001 0800 4500001c 00000000 4011 0000 7f000001 7f000001") + bytes(20)
    packets = [NETLINK, b"", NETLINK[:-1], frame, bytes(70_000)] * 3
    expected = [cbpf.VM(program, engine="interpreter").run(packet) for packet in packets]
    vm = compiled(program)
    assert [vm.run(packet) for packet in packets] == expected
    assert list(vm.verdicts(packets)) == expected
    assert list(vm.verdicts(cbpf.Packets.of(packets))) == expected
    for packet in packets:
        metadata = cbpf.Metadata(protocol=0x0800, network_header=14)
        vms = [cbpf.VM(program, engine=engine) for engine in ("llvm", "interpreter")]
        assert len({vm.evaluate(packet, metadata=metadata) for vm in vms}) == 1


def test_wire_lengths_of_a_batch() -> None:
    packets = cbpf.Packets(b"abcd", positions=[0, 1], lengths=[4, 2], wire_lengths=[1500, 2**32 - 1])
    assert list(compiled(LENGTH).verdicts(packets)) == [1500, 2**32 - 1]
    assert list(compiled(LENGTH).verdicts(packets[1:])) == [2**32 - 1]


# -- compiling and loading ------------------------------------------------------------------------------


def test_code_is_loaded_by_llvms_linker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The linker is for other processors, and for code with relocations, which LLVM has not generated so far."""
    monkeypatch.setattr(jit, "_relocation_free_code", lambda object_file: None)
    for addend in range(5):
        vm = compiled(cbpf.parse(f"ldb [0]\nadd #{addend}\nret a"))
        run = vm.run
        assert list(vm.verdicts([b"\x05", b""])) == [5 + addend, 0]
        assert list(vm.verdicts(cbpf.Packets.of([b"\x05", b""]))) == [5 + addend, 0]
        assert (vm.evaluate(b"\x05"), run(b"\x06")) == (5 + addend, 6 + addend)
        del vm
        gc.collect()
        assert run(b"\x07") == 7 + addend


def long_program(length: int) -> cbpf.Program:
    """Random registers, scratch slots and jumps: every variable may have several values where paths join."""
    source, tail = random.Random(length), []
    for slot in range(16):
        tail += [(0x61, 0, 0, slot), (0x0C, 0, 0, 0)]
    rows = [(0x30, 0, 0, 0)]
    while (remaining := length - len(rows) - len(tail) - 1) > 0:
        reach = min(250, remaining)
        rows.append((0x02, 0, 0, source.randrange(16)))
        jump = (source.choice([0x15, 0x25, 0x35, 0x45]), source.randrange(reach), source.randrange(reach))
        rows.append(
            source.choice([(*jump, source.randrange(256)), (0x30, 0, 0, source.randrange(64)), (0x04, 0, 0, 99)])
        )
    return cbpf.Program([*rows, *tail, (0x16, 0, 0, 0)])


@pytest.mark.parametrize("length", [500, 1_100, 2_100, 4_200])
def test_long_programs(length: int) -> None:
    program = long_program(length)
    packets = [random.Random(seed).randbytes(64) for seed in range(50)]
    expected = list(cbpf.VM(program, engine="interpreter").verdicts(packets))
    assert list(compiled(program).verdicts(packets)) == expected
    assert list(map(compiled(program).run, packets)) == expected


def test_a_very_long_program_needs_little_stack() -> None:
    run, verdicts = compiled(long_program(20_000)).run, []
    before = threading.stack_size(128 * 1024)
    try:
        thread = threading.Thread(target=lambda: verdicts.append(run(bytes(64))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert verdicts == [cbpf.VM(long_program(20_000), engine="interpreter").run(bytes(64))]


def test_missing_llvmlite_is_reported_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler.library.cache_clear()
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(cbpf.MissingLibrary, match=r"pip install 'cbpf\[llvm\]'"):
        compiled(ECHO)
    packets = [b"\x07"] * 100_000
    assert set(cbpf.VM(ECHO).verdicts(packets)) == {7}


def test_unusable_llvmlite_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    compiler.library.cache_clear()
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    with pytest.raises(cbpf.MissingLibrary, match=r"pip install 'cbpf\[llvm\]'"):
        _ = compiled(ECHO).run
    monkeypatch.undo()
    import llvmlite.binding

    monkeypatch.delattr(llvmlite.binding, "create_pass_builder")
    with pytest.raises(cbpf.MissingLibrary, match="too old"):
        _ = compiled(ECHO).run


def test_auto_uses_machine_code_for_large_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for packets in ([b""], cbpf.Packets.of([b""])):  # loads the code that does not depend on a program
        compiled(ECHO).verdicts(packets)
    loaded: list[str] = []
    compile = compiler.compile_module
    monkeypatch.setattr(jit, "compile_module", lambda ir: loaded.append(ir) or compile(ir))  # type: ignore[func-returns-value]
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # disables the disk cache
    vm = cbpf.VM(ECHO)
    assert set(vm.verdicts([b"\x07"] * 99_999)) == {7}
    assert not loaded
    assert set(vm.verdicts([b"\x07"] * 100_000)) == {7}
    assert set(vm.verdicts(cbpf.Packets(b"\x07", positions=[0] * 100_000, lengths=[1] * 100_000))) == {7}
    assert len(loaded) == 2
