"""NVIDIA's cuda.core: the fake module has its signatures, and a real device has the verdicts of the interpreter."""

import inspect
import re
from array import array
from random import Random
from types import SimpleNamespace
from typing import Any, Final

import pytest

import cbpf
from support import fake_cuda
from support.emitted import corpus_cases, packets_for
from support.project import optional_library

core: Final[Any] = optional_library("cuda.core")
utils: Final[Any] = optional_library("cuda.core.utils")

pytestmark = pytest.mark.skipif(utils is None, reason="cuda-core is not installed; ./dev test --all installs it")

CLASSES: Final = ("Buffer", "Device", "LaunchConfig", "ObjectCode", "Stream", "StridedMemoryView")
NOT_IN_SIGNATURES: Final = ("self", "cls")


def device_error() -> str | None:
    """Return why no device can be used, or None."""
    pytest.importorskip("llvmlite", reason="the engine cuda needs llvmlite")
    try:
        cbpf.VM(cbpf.parse("ret #1"), engine="cuda").verdicts([b"packet"])
    except cbpf.MissingLibrary as error:
        return str(error)
    return None


@pytest.fixture
def _device() -> None:
    if error := device_error():
        pytest.skip(error)


def real(name: str) -> Any:
    return utils.StridedMemoryView if name == "StridedMemoryView" else getattr(core, name)


def parameters(function: Any) -> list[str]:
    """Return the names of the parameters; those of a constructor in C are in the first line of its documentation."""
    try:
        names = list(inspect.signature(function).parameters)
    except ValueError:
        names = re.findall(r"(\w+): ", function.__doc__.split("\n")[0])
    return [name for name in names if name not in NOT_IN_SIGNATURES]


def test_fake_functions_have_the_parameters_of_the_real_ones() -> None:
    assert parameters(fake_cuda.launch) == parameters(core.launch)
    for name in ("Device", "LaunchConfig"):
        assert parameters(getattr(fake_cuda, name)) == parameters(real(name))
    methods = 0
    for name in CLASSES:
        for method, function in vars(getattr(fake_cuda, name)).items():
            if callable(function) or isinstance(function, (classmethod, staticmethod)):
                if method in ("__init__", "__del__", "sync_all", "add"):
                    continue
                fake = getattr(getattr(fake_cuda, name), method)
                assert parameters(fake) == parameters(getattr(real(name), method)), (name, method)
                methods += 1
    assert methods > 12


@pytest.mark.parametrize(
    ("name", "attributes"),
    [
        ("Buffer", "handle size device_id is_device_accessible is_host_accessible"),
        ("Device", "device_id compute_capability"),
        ("Stream", "handle"),
        ("StridedMemoryView", "ptr shape strides dtype device_id"),
    ],
)
def test_attributes_that_the_fake_has_exist(name: str, attributes: str) -> None:
    assert [word for word in attributes.split() if not hasattr(real(name), word)] == []


def test_legacy_default_stream_has_its_number() -> None:
    assert int(core.LEGACY_DEFAULT_STREAM.handle) == fake_cuda.LEGACY_DEFAULT_STREAM.handle == 1


def test_missing_device_is_one_line() -> None:
    error = device_error()
    if error is None:
        pytest.skip("a device exists")
    assert re.fullmatch("the engine 'cuda' needs a CUDA device and its driver: [^\n]+", error)


@pytest.mark.usefixtures("_device")
def test_device_has_the_verdicts_of_the_interpreter(full_length: bool) -> None:
    random = Random(1)
    for case in list(corpus_cases())[:: 1 if full_length else 10]:
        packets = packets_for(case, random, 200)
        batch = cbpf.Packets.of(packets, wire_lengths=[len(packet) + random.choice([0, 100]) for packet in packets])
        expected = cbpf.VM(case.program, dialect=case.dialect, engine="llvm").verdicts(batch)
        vm = cbpf.VM(case.program, dialect=case.dialect, engine="cuda")
        assert vm.verdicts(batch) == expected
        on_device = vm.verdicts(cbpf.DevicePackets.of(batch))
        assert (len(on_device), on_device.to_host()) == (len(batch), expected)


@pytest.mark.usefixtures("_device")
def test_verdicts_of_a_device_can_be_read_by_both_protocols() -> None:
    packets = [bytes([index]) * 20 for index in range(100)]
    vm = cbpf.VM(cbpf.parse("ld [0]\nret a"), engine="cuda")
    verdicts = vm.verdicts(cbpf.DevicePackets.of(packets))
    interface = SimpleNamespace(__cuda_array_interface__=verdicts.__cuda_array_interface__)
    for view in (
        utils.StridedMemoryView.from_dlpack(verdicts, 1),
        utils.StridedMemoryView.from_cuda_array_interface(interface, 1),
    ):
        assert (view.shape, view.dtype.kind, view.dtype.itemsize, view.device_id) == ((100,), "u", 4, 0)
        assert view.ptr == verdicts.__cuda_array_interface__["data"][0]


@pytest.mark.usefixtures("_device")
@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_arrays_of_libraries(library: str) -> None:
    module = pytest.importorskip(library, reason=f"{library} is not installed")
    content = bytes(range(240))
    if library == "cupy":
        rows = module.frombuffer(content, dtype="uint8").reshape(8, 30)
        read = module.asnumpy
        convert = module.asarray
    else:
        rows = module.tensor(list(content), dtype=module.uint8, device="cuda").reshape(8, 30)
        read = module.Tensor.tolist
        convert = module.from_dlpack
    for program in ("ld [0]\nret a", "ld #len\nret a"):
        vm = cbpf.VM(cbpf.parse(program), engine="cuda")
        for part, start in ((rows, 0), (rows[:, 3:20], 3)):
            width = part.shape[1]
            expected = cbpf.VM(cbpf.parse(program)).verdicts(
                [content[index * 30 + start :][:width] for index in range(8)]
            )
            assert array("I", read(convert(vm.verdicts(part)))) == expected


def on_device(values: "array[int]", shape: tuple[int, ...], strides: tuple[int, ...] | None = None) -> Any:
    """Return an array on the device, made by cuda.core alone; strides are numbers of elements."""
    import numpy

    device = core.Device()
    device.set_current()
    address, count = values.buffer_info()
    stream = core.LEGACY_DEFAULT_STREAM
    buffer = device.allocate(count * values.itemsize, stream=stream)
    buffer.copy_from(core.Buffer.from_handle(address, count * values.itemsize, owner=values), stream=stream)
    stream.sync()
    return utils.StridedMemoryView.from_buffer(buffer, shape, strides, dtype=numpy.dtype(values.typecode))


@pytest.mark.usefixtures("_device")
def test_rows_and_ranges_of_arrays_on_the_device() -> None:
    content = bytes(range(240))
    program = cbpf.parse("ld #len\ntax\nldb [0]\nadd x\nret a")
    vm = cbpf.VM(program, engine="cuda")
    rows = [content[index * 30 :][:20] for index in range(8)]
    expected = cbpf.VM(program).verdicts(rows)
    assert vm.verdicts(on_device(array("B", content), (8, 20), (30, 1))).to_host() == expected
    packets = cbpf.DevicePackets(
        on_device(array("B", content), (240,)),
        positions=on_device(array("Q", range(0, 240, 30)), (8,)),
        lengths=on_device(array("I", [20] * 8), (8,)),
    )
    assert vm.verdicts(packets).to_host() == expected


@pytest.mark.usefixtures("_device")
@pytest.mark.parametrize(("position", "length"), [(221, 20), (2**64 - 1, 2), (2**63, 0)])
def test_device_finds_invalid_ranges(position: int, length: int) -> None:
    with pytest.raises(cbpf.PacketError, match=r"^DevicePackets: packet 1 exceeds the buffer, which has 240 bytes$"):
        cbpf.DevicePackets(
            on_device(array("B", bytes(240)), (240,)),
            positions=on_device(array("Q", [0, position, 0]), (3,)),
            lengths=on_device(array("I", [1, length, 1]), (3,)),
        )
