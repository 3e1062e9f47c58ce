"""The cuda engine on a device that is the memory of this process, with an interpreter of PTX."""

import gc
import os
import pickle
import re
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from support import fake_cuda
from support.emitted import corpus_cases, packets_for
from support.fake_cuda import MEMORY, Device, ForeignArray, ObjectCode
from support.project import ROOT

pytest.importorskip("llvmlite", reason="the engine cuda needs llvmlite")

PROTOCOLS: Final = ("interface", "dlpack")
ECHO: Final = cbpf.parse("ld [0]\nret a")
LENGTHS: Final = cbpf.parse("ld #len\ntax\nldb [0]\nadd x\nret a")
PACKETS: Final = [bytes([index]) * length for index, length in enumerate([4, 9, 0, 3, 70, 4])]


@pytest.fixture(autouse=True)
def _cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_cuda.install(monkeypatch)


def expected(program: cbpf.Program, packets: Any) -> list[int]:
    return list(cbpf.VM(program, engine="interpreter").verdicts(packets))


def verdicts_of(program: cbpf.Program, packets: Any) -> list[int]:
    """Return the verdicts on packets of the device, copied to this machine."""
    verdicts = cbpf.VM(program, engine="cuda").verdicts(packets)
    assert type(verdicts) is cbpf.DeviceVerdicts
    return list(verdicts.to_host())


def column(typecode: str, values: list[int], protocol: str = "interface", **options: Any) -> ForeignArray:
    content = array(typecode, values)
    options.setdefault("type", {"Q": "u8", "q": "i8", "I": "u4", "i": "i4"}[typecode])
    return ForeignArray(content.tobytes(), (len(values),), protocol=protocol, **options)


def device_packets(protocol: str = "interface", **changes: Any) -> cbpf.DevicePackets:
    batch = cbpf.Packets.of(PACKETS)
    columns = {
        "positions": column("Q", list(batch.positions), protocol),
        "lengths": column("I", list(batch.lengths), protocol),
    }
    content = bytes(batch.buffer)
    buffer = changes.pop("buffer", None) or ForeignArray(content, (len(content),), protocol=protocol)
    return cbpf.DevicePackets(buffer, **(columns | changes))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("content", [bytes(range(60)), b"\xff" * 60])
def test_rows_of_a_matrix_are_packets(protocol: str, content: bytes) -> None:
    rows = ForeignArray(content, (6, 10), protocol=protocol)
    assert verdicts_of(ECHO, rows) == expected(ECHO, memoryview(content).cast("B", (6, 10)))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((5, 7), (12, 1), 0), ((5, 7), (12, 1), 3), ((5, 7), (-12, 1), 48), ((5, 7), (0, 1), 2), ((5, 1), (12, 9), 0)],
    ids=["gaps", "offset", "reversed", "repeated", "one byte"],
)
def test_rows_may_have_any_distance(
    protocol: str, shape: tuple[int, int], strides: tuple[int, int], offset: int
) -> None:
    content = bytes(range(60))
    rows = [content[offset + index * strides[0] :][: shape[1]] for index in range(shape[0])]
    array_ = ForeignArray(content, shape, strides=strides, offset=offset, protocol=protocol)
    assert verdicts_of(LENGTHS, array_) == expected(LENGTHS, rows)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_ranges_of_a_buffer_are_packets(protocol: str) -> None:
    packets = device_packets(protocol)
    assert (len(packets), packets.device_id, repr(packets)) == (6, 0, "<DevicePackets: 6 on device 0>")
    assert verdicts_of(LENGTHS, packets) == expected(LENGTHS, PACKETS)
    wire_lengths = [100, 200, 300, 400, 2**32 - 1, 600]
    longer = device_packets(protocol, wire_lengths=column("I", wire_lengths, protocol))
    assert verdicts_of(LENGTHS, longer) == expected(LENGTHS, cbpf.Packets.of(PACKETS, wire_lengths=wire_lengths))


def test_signed_columns_are_read_as_unsigned() -> None:
    batch = cbpf.Packets.of(PACKETS)
    signed = device_packets(positions=column("q", list(batch.positions)), lengths=column("i", list(batch.lengths)))
    assert verdicts_of(LENGTHS, signed) == expected(LENGTHS, PACKETS)
    with pytest.raises(cbpf.PacketError, match="packet 1 exceeds the buffer, which has 90 bytes"):
        device_packets(positions=column("q", [0, -1, 0, 0, 0, 0]))


def test_interface_of_an_old_version_has_no_stream() -> None:
    """The buffers of cuDF and RMM have version 0, which does not mention streams."""
    rows = ForeignArray(bytes(range(60)), (6, 10), version=0, stream=None)
    del rows.__cuda_array_interface__["stream"], rows.__cuda_array_interface__["strides"]
    fake_cuda.Stream.sync_all()  # nothing is queued in streams that the interface does not state
    assert verdicts_of(LENGTHS, rows) == [10, 20, 30, 40, 50, 60]


def test_columns_are_copied_and_the_buffer_is_not() -> None:
    batch = cbpf.Packets.of(PACKETS)
    positions, lengths = column("Q", list(batch.positions)), column("I", list(batch.lengths))
    content = bytes(batch.buffer)
    buffer = ForeignArray(content, (len(content),))
    packets = cbpf.DevicePackets(buffer, positions=positions, lengths=lengths)
    for changed, size in ((positions, 48), (lengths, 24)):
        MEMORY.view(changed.__cuda_array_interface__["data"][0], size)[:] = b"\xff" * size
    assert verdicts_of(LENGTHS, packets) == expected(LENGTHS, PACKETS)
    MEMORY.view(buffer.__cuda_array_interface__["data"][0], 1)[:] = b"\x50"
    assert verdicts_of(LENGTHS, packets)[0] == 0x54


def test_packets_of_this_machine_are_copied_to_the_device_and_back() -> None:
    vm = cbpf.VM(LENGTHS, engine="cuda")
    batch = cbpf.Packets.of(PACKETS, wire_lengths=[9, 99, 999, 9, 99, 999])
    for packets in (PACKETS, batch, iter(PACKETS), batch[1:4], memoryview(bytes(60)).cast("B", (6, 10)), []):
        packets = list(packets) if not isinstance(packets, (cbpf.Packets, memoryview)) else packets
        verdicts = vm.verdicts(packets)
        assert type(verdicts) is array
        assert verdicts.typecode == "I"
        assert list(verdicts) == expected(LENGTHS, packets)
    on_device = cbpf.DevicePackets.of(batch)
    assert len(on_device) == len(batch)
    assert verdicts_of(LENGTHS, on_device) == expected(LENGTHS, batch)


@pytest.mark.parametrize(("shape", "count"), [((0, 10), 0), ((5, 0), 5), ((0, 0), 0)])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_empty_arrays(shape: tuple[int, int], count: int, protocol: str) -> None:
    verdicts = cbpf.VM(LENGTHS, engine="cuda").verdicts(ForeignArray(b"", shape, protocol=protocol))
    assert list(verdicts.to_host()) == [0] * count
    assert verdicts.__cuda_array_interface__["data"][0] == 0 or count
    empty = ForeignArray(b"", (0,), protocol=protocol)
    columns = {"positions": column("Q", [], protocol), "lengths": column("I", [], protocol)}
    assert len(cbpf.DevicePackets(empty, **columns)) == 0
    some = {"positions": column("Q", [0, 0], protocol), "lengths": column("I", [0, 0], protocol)}
    assert verdicts_of(LENGTHS, cbpf.DevicePackets(empty, **some)) == [0, 0]


def test_verdicts_are_an_array_for_other_libraries() -> None:
    verdicts = cbpf.VM(LENGTHS, engine="cuda").verdicts(device_packets())
    values = expected(LENGTHS, PACKETS)
    assert (len(verdicts), verdicts.device_id, repr(verdicts)) == (6, 0, "<DeviceVerdicts: 6 on device 0>")
    interface = verdicts.__cuda_array_interface__
    address, is_readonly = interface.pop("data")
    assert interface == {"version": 3, "shape": (6,), "typestr": "<u4", "strides": None, "stream": 1}
    assert not is_readonly
    assert MEMORY.view(address, 24).cast("I").tolist() == values
    assert verdicts.__dlpack_device__() == (2, 0)
    capsule = verdicts.__dlpack__(stream=1, max_version=(1, 0), dl_device=(2, 0))
    assert (capsule.address, capsule.type, capsule.shape) == (address, "u4", (6,))
    with pytest.raises(BufferError):
        verdicts.__dlpack__(dl_device=(1, 0))


def test_memory_of_the_device_is_freed_and_that_of_others_is_only_read() -> None:
    def count() -> int:
        gc.collect()
        fake_cuda.Stream.sync_all()
        return len(MEMORY._starts)

    before = count()
    rows = ForeignArray(bytes(600), (6, 100))
    verdicts = cbpf.VM(ECHO, engine="cuda").verdicts(rows)
    assert count() == before + 2
    del rows
    assert count() == before + 1
    assert list(verdicts.to_host()) == [0] * 6
    del verdicts
    assert count() == before


def test_kernels_are_compiled_once_for_a_device() -> None:
    before = ObjectCode.loaded
    vm = cbpf.VM(ECHO, engine="cuda")
    for _ in range(3):
        vm.verdicts(ForeignArray(bytes(60), (6, 10)))
    assert ObjectCode.loaded == before + 2  # the ranges of rows, and the program
    cbpf.VM(LENGTHS, engine="cuda").verdicts(ForeignArray(bytes(60), (6, 10)))
    assert ObjectCode.loaded == before + 3
    Device.current = 1
    vm.verdicts(ForeignArray(bytes(60), (6, 10), device=1))
    assert ObjectCode.loaded == before + 5


def test_corpus_has_the_verdicts_of_the_interpreter(full_length: bool) -> None:
    random = Random(1)
    for case in list(corpus_cases())[:: 8 if full_length else 30]:
        packets = packets_for(case, random, 8, largest=400)
        wire_lengths = [len(packet) + random.choice([0, 100]) for packet in packets]
        batch = cbpf.Packets.of(packets, wire_lengths=wire_lengths)
        results = [
            cbpf.VM(case.program, dialect=case.dialect, engine=engine).verdicts(batch)
            for engine in ("interpreter", "cuda")
        ]
        assert results[0] == results[1]


def test_single_packets_and_captures_use_the_machine_code_of_the_llvm_engine(traffic: Path, tmp_path: Path) -> None:
    allocated = Device.allocated
    vm, llvm = cbpf.VM("tcp port 443", engine="cuda"), cbpf.VM("tcp port 443", engine="llvm")
    with cbpf.read_capture(traffic) as capture:
        for packet in capture:
            assert vm.run(packet.data) == llvm.run(packet.data)
            assert vm.evaluate(packet.data, wire_length=9) == llvm.evaluate(packet.data, wire_length=9)
            assert vm.match(packet.data, 9) == llvm.match(packet.data, 9)
    assert vm.native_match is not None
    assert cbpf.filter_capture(traffic, tmp_path / "out.pcap", vm).packets_accepted == 74
    assert Device.allocated == allocated


def test_vm_is_pickled_and_objects_on_the_device_are_not() -> None:
    vm = pickle.loads(pickle.dumps(cbpf.VM(ECHO, engine="cuda")))
    assert vm.engine == "cuda"
    packets = device_packets()
    verdicts = vm.verdicts(packets)
    assert list(verdicts.to_host()) == expected(ECHO, PACKETS)
    with pytest.raises(TypeError, match="DevicePackets cannot be pickled"):
        pickle.dumps(packets)
    with pytest.raises(TypeError, match=r"DeviceVerdicts cannot be pickled.*to_host"):
        pickle.dumps(verdicts)


@pytest.mark.parametrize("name", ["DevicePackets", "DeviceVerdicts"])
def test_objects_on_the_device_are_immutable(name: str) -> None:
    packets = device_packets()
    subject: Any = packets if name == "DevicePackets" else cbpf.VM(ECHO, engine="cuda").verdicts(packets)
    with pytest.raises(AttributeError, match=f"{name} is immutable"):
        subject.device_id = 1


def test_verdicts_on_the_device_are_made_by_machines_only() -> None:
    with pytest.raises(TypeError, match=r"made by VM\.verdicts only"):
        cbpf.DeviceVerdicts()


def test_device_packets_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Sub", (cbpf.DevicePackets,), {})


@pytest.mark.parametrize(
    ("position", "length"), [(0, 91), (90, 1), (91, 0), (2**64 - 1, 1), (2**64 - 4, 10), (2**63, 2**32 - 1)]
)
def test_ranges_outside_of_the_buffer_are_rejected(position: int, length: int) -> None:
    positions, lengths = column("Q", [0] * 5 + [position]), column("I", [0] * 5 + [length])
    with pytest.raises(cbpf.PacketError, match=r"^DevicePackets: packet 5 exceeds the buffer, which has 90 bytes$"):
        device_packets(positions=positions, lengths=lengths)


Make = Callable[[], Any]
MATRIX_ERRORS: Final[list[tuple[Make, str]]] = [
    (lambda: ForeignArray(bytes(40), (40,)), "packets: have 1 dimensions of integers of 1 bytes; pass a two-dimens"),
    (lambda: ForeignArray(bytes(40), (2, 2, 10)), "packets: have 3 dimensions of integers of 1 bytes"),
    (lambda: ForeignArray(bytes(40), (2, 5), type="u4"), "packets: have 2 dimensions of integers of 4 bytes"),
    (lambda: ForeignArray(bytes(40), (2, 10), type="f2"), "packets: elements of the type f2 are not integers"),
    (lambda: ForeignArray(bytes(40), (2, 20), type="b1"), "packets: elements of the type b1 are not integers"),
    (lambda: ForeignArray(bytes(40), (4, 10), strides=(1, 4)), "packets: the bytes of a row are 4 bytes apart; they"),
    (lambda: ForeignArray(bytes(40), (4, 10), device=1), "packets: on CUDA device 1, but the current one is 0; make"),
]
INTERFACE_ERRORS: Final[list[tuple[Make, str]]] = [
    (lambda: ForeignArray(bytes(40), (4, 10), stream=0), "packets: stream 0 is ambiguous"),
    (lambda: ForeignArray(bytes(40), (4, 10), mask=object()), "packets: masked arrays are not supported"),
    (lambda: ForeignArray(bytes(40), (4, 5), typestr=">u2"), "packets: big-endian arrays are not supported"),
    (lambda: ForeignArray(bytes(40), (4, 10), data=(4096, False)), "packets: address 0x1000 is not in the memory of"),
    (lambda: cbpf.VM(ECHO, engine="cuda").verdicts(device_packets()), "packets: have 1 dimensions of integers of 4"),
]


@pytest.mark.parametrize(("make", "message"), [*MATRIX_ERRORS, *INTERFACE_ERRORS])
def test_unsuitable_arrays_are_rejected(make: Make, message: str) -> None:
    with pytest.raises(cbpf.PacketError, match=f"^{message}"):
        cbpf.VM(ECHO, engine="cuda").verdicts(make())


@pytest.mark.parametrize("index", range(len(MATRIX_ERRORS)))
def test_unsuitable_arrays_are_rejected_by_dlpack(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    make, message = MATRIX_ERRORS[index]
    monkeypatch.setattr(
        ForeignArray.__init__, "__kwdefaults__", {**(ForeignArray.__init__.__kwdefaults__ or {}), "protocol": "dlpack"}
    )
    with pytest.raises(cbpf.PacketError, match=f"^{message}"):
        cbpf.VM(ECHO, engine="cuda").verdicts(make())


def test_error_of_a_producer_is_one_line() -> None:
    rows = ForeignArray(bytes(40), (4, 10), protocol="dlpack")

    def refuse(**_: object) -> None:
        raise BufferError("the tensor requires a gradient")

    rows.__dlpack__ = refuse  # type: ignore[assignment]
    with pytest.raises(cbpf.PacketError, match=r"^packets: the tensor requires a gradient$"):
        cbpf.VM(ECHO, engine="cuda").verdicts(rows)


@pytest.mark.parametrize("kind", [3, 1])
def test_dlpack_of_the_host_is_read_as_by_other_engines(kind: int) -> None:
    rows = ForeignArray(bytes(40), (4, 10), protocol="dlpack", kind=kind)
    with pytest.raises(cbpf.PacketError, match="'ForeignArray' object does not contain packets"):
        cbpf.VM(ECHO, engine="cuda").verdicts(rows)


def test_managed_memory_is_read_on_every_device() -> None:
    rows = ForeignArray(bytes(range(40)), (4, 10), protocol="dlpack", kind=13, device=3)
    assert verdicts_of(LENGTHS, rows) == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            lambda: {"positions": column("I", [0] * 6)},
            "positions: has 1 dimensions of integers of 4 bytes; pass a one-",
        ),
        (lambda: {"lengths": column("Q", [0] * 6)}, "lengths: has 1 dimensions of integers of 8 bytes"),
        (lambda: {"lengths": column("I", [0] * 5)}, "lengths: has 5 entries, but there are 6 positions"),
        (lambda: {"wire_lengths": column("I", [0] * 7)}, "wire_lengths: has 7 entries, but there are 6 positions"),
        (
            lambda: {"lengths": ForeignArray(bytes(48), (6,), type="u4", strides=(8,))},
            "lengths: its numbers are 8 byte",
        ),
        (lambda: {"buffer": ForeignArray(bytes(90), (9, 10))}, "buffer: has 2 dimensions of integers of 1 bytes"),
        (lambda: {"positions": [0] * 6}, "positions: 'list' object is not an array on a CUDA device"),
        (
            lambda: {"positions": column("Q", [0] * 6, device=2)},
            "positions: on CUDA device 2, but the current one is 0",
        ),
    ],
)
def test_unsuitable_columns_are_rejected(changes: Callable[[], dict[str, Any]], message: str) -> None:
    with pytest.raises(cbpf.PacketError, match=f"^DevicePackets.{message}"):
        device_packets(**changes())


def test_packets_on_another_device_are_rejected() -> None:
    packets = device_packets()
    Device.current = 1
    with pytest.raises(cbpf.PacketError, match=r"^packets: on CUDA device 0, but the current one is 1$"):
        cbpf.VM(ECHO, engine="cuda").verdicts(packets)


@pytest.mark.parametrize("engine", ["auto", "interpreter", "python", "llvm"])
@pytest.mark.parametrize(
    "make",
    [
        lambda: ForeignArray(bytes(40), (4, 10)),
        lambda: ForeignArray(bytes(40), (4, 10), protocol="dlpack"),
        lambda: device_packets(),
    ],
    ids=["interface", "dlpack", "DevicePackets"],
)
def test_other_engines_name_the_engine_for_packets_on_a_device(engine: Any, make: Make) -> None:
    message = "^packets: they are in the memory of a CUDA device; use engine='cuda'$"
    with pytest.raises(cbpf.PacketError, match=message):
        cbpf.VM(ECHO, engine=engine).verdicts(make())
    with pytest.raises(cbpf.PacketError, match=message):
        cbpf.Packets.of(make())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "ld #mark\nret a",
            r"\(000\) ld \[mark\]: the extension mark does not exist in a function of the packet alone",
        ),
        ("ldx #1\nldb [-2097152]\nret a", r"\(001\) ldb \[.*\]: it loads from the link-layer header, whose position"),
        ("ldb [-1048576]\nret a", r"\(000\) ldb \[.*\]: it loads from the network header, whose position is unknown"),
    ],
)
def test_programs_that_need_metadata_are_rejected(text: str, message: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError, match=f"^the engine 'cuda': {message}"):
        cbpf.VM(cbpf.parse(text), dialect=cbpf.LINUX, engine="cuda")
    cbpf.VM(cbpf.parse("ld #len\nld #xor_x\nret a"), dialect=cbpf.LINUX, engine="cuda")


def test_engine_is_not_one_for_captures(traffic: Path) -> None:
    with pytest.raises(cbpf.FieldError, match="engine: 'cuda' is not one of 'auto', 'interpreter', 'python', 'llvm'"):
        cbpf.count_packets(traffic, "arp", engine="cuda")  # type: ignore[arg-type]


def test_missing_device_is_reported_at_the_first_use() -> None:
    Device.error = fake_cuda.CUDAError("CUDA_ERROR_NO_DEVICE: no CUDA-capable device\nis detected")
    vm = cbpf.VM(ECHO, engine="cuda")
    assert vm.run(b"\0\0\0\7") == 7
    message = (
        "^the engine 'cuda' needs a CUDA device and its driver: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is det"
    )
    for use in (lambda: vm.verdicts([b"packet"]), lambda: vm.verdicts(ForeignArray(bytes(4), (1, 4))), device_packets):
        with pytest.raises(cbpf.MissingLibrary, match=message):
            use()


def test_batches_larger_than_the_memory_of_the_device_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Device, "capacity", 1_000)
    vm = cbpf.VM(cbpf.compile("ip"), engine="cuda")
    assert list(vm.verdicts([bytes(60)])) == [0]
    message = "the engine 'cuda': the device cannot allocate 6,000 bytes; divide the packets into smaller batches"
    with pytest.raises(MemoryError, match=f"^{re.escape(message)}$"):
        vm.verdicts([bytes(60)] * 100)


def test_old_device_is_reported() -> None:
    Device.compute_capability = (7, 5)
    with pytest.raises(
        cbpf.MissingLibrary, match=r"needs a device of compute capability 8\.0; the current one has 7\.5"
    ):
        cbpf.VM(ECHO, engine="cuda").verdicts([b"packet"])


def test_one_module_imports_cuda_core() -> None:
    sources = (ROOT / "src").rglob("*.py")
    users = [path.name for path in sources if re.search(r"^ *(import|from) cuda\b", path.read_text(), re.MULTILINE)]
    assert users == ["device.py"]


@pytest.mark.parametrize("is_imported", [True, False])
def test_missing_library_is_reported_when_the_vm_is_made(monkeypatch: pytest.MonkeyPatch, is_imported: bool) -> None:
    if is_imported:
        monkeypatch.setitem(sys.modules, "cuda.core", None)
    else:
        for name in ("cuda", "cuda.core", "cuda.core.utils"):
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setattr("cbpf.engines.cuda.device.find_spec", lambda name: None)
    with pytest.raises(cbpf.MissingLibrary, match=r"^the engine 'cuda' needs cuda-core: pip install 'cbpf\[cuda\]'$"):
        cbpf.VM(ECHO, engine="cuda")


def test_unusable_library_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    vm = cbpf.VM(ECHO, engine="cuda")
    with monkeypatch.context() as context:
        context.setitem(sys.modules, "cuda.core.utils", None)
        with pytest.raises(cbpf.MissingLibrary, match=r"cannot use the installed cuda-core \(.*cuda\.core\.utils"):
            vm.verdicts([b"packet"])
    monkeypatch.delattr(sys.modules["cuda.core"], "ObjectCode")
    with pytest.raises(cbpf.MissingLibrary, match=r"cannot use the installed cuda-core \(it is too old\)"):
        vm.verdicts([b"packet"])


def test_missing_llvmlite_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    with pytest.raises(cbpf.MissingLibrary, match="needs llvmlite"):
        cbpf.VM(ECHO, engine="cuda")


def test_fork_of_a_process_that_used_a_device_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    vm = cbpf.VM(ECHO, engine="cuda")
    assert list(vm.verdicts([b"\0\0\0\7"])) == [7]
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(
        cbpf.MissingLibrary, match="forked from one that used it: start processes by the method 'spawn'"
    ):
        vm.verdicts([b"\0\0\0\7"])
    assert vm.run(b"\0\0\0\7") == 7
