"""Attempts of the owner of a public object to change it, so that machine code would read memory outside its packets."""

import copy
import gc
import pickle
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf._record import Record
from support.arrow_producer import binary, views

ECHO = cbpf.parse("ldb [0]\nret a")
FAR = cbpf.parse("ld [1000000]\nret #1")
LENGTH = cbpf.parse("ld #len\nret a")
COLUMNS = ("positions", "lengths", "wire_lengths")


def packets() -> cbpf.Packets:
    return cbpf.Packets(bytearray(b"abcdefgh"), positions=[0, 5], lengths=[2, 3], wire_lengths=[9, 3])


OBJECTS: dict[str, Callable[[], Any]] = {
    "Packets": packets,
    "Packets in several buffers": lambda: cbpf.Packets.of(views([b"a", b"x" * 20])),
    "VM": lambda: cbpf.VM(ECHO),
    "Program": lambda: cbpf.parse("ret #1"),
    "Flow": lambda: cbpf.Flow(ECHO),
    "Metadata": lambda: cbpf.Metadata(mark=1),
    "instruction": lambda: cbpf.LoadAbsolute(0, 1),
    "dialect": lambda: copy.deepcopy(cbpf.LINUX),
}


@pytest.mark.parametrize("make", OBJECTS.values(), ids=OBJECTS)
def test_attributes_cannot_be_set_or_deleted(make: Callable[[], Any]) -> None:
    value = make()
    names = [name for name in dir(value) if not name.startswith("_") and not callable(getattr(value, name))]
    names += getattr(type(value), "__slots__", ()) + tuple(getattr(value, "__dict__", ()))
    assert names or isinstance(value, cbpf.Program)
    for name in (*names, "another"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, name, 0)
        with pytest.raises(AttributeError, match="immutable"):
            delattr(value, name)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (packets, {"buffer": b"", "positions": [], "lengths": []}),
        (lambda: cbpf.Packets.of(views([b"ab", b"fgh"])), {"buffer": b"", "positions": [], "lengths": []}),
        (lambda: cbpf.VM(ECHO), {"program": LENGTH}),
        (lambda: cbpf.parse("ret #1"), {"instructions": []}),
        (lambda: cbpf.Flow(ECHO), {"program": LENGTH}),
        (lambda: cbpf.Metadata(mark=1), {"mark": 2}),
        (lambda: cbpf.LoadAbsolute(0, 1), {"off": 1, "size": 4}),
    ],
)
def test_init_cannot_be_called_again(make: Callable[[], Any], arguments: dict[str, Any]) -> None:
    value, other = make(), make()
    with pytest.raises(AttributeError, match="immutable"):
        value.__init__(**arguments)
    if isinstance(value, Record | cbpf.Program):
        assert value == other
    elif isinstance(value, cbpf.Packets):
        assert list(map(bytes, value)) == [b"ab", b"fgh"]
    else:
        assert value.program == other.program


def test_a_failed_init_does_not_change_a_batch() -> None:
    value = packets()
    with pytest.raises(cbpf.PacketError):
        value.__init__(b"", positions=["x"], lengths=[])  # type: ignore[list-item]
    assert list(map(bytes, value)) == [b"ab", b"fgh"]


@pytest.mark.parametrize("name", ["buffer", *COLUMNS])
def test_released_views_do_not_affect_a_batch(name: str, engine: Any) -> None:
    value = packets()
    getattr(value, name).release()
    with getattr(value, name):
        pass
    assert list(map(bytes, value)) == [b"ab", b"fgh"] == [bytes(value[0]), bytes(value[1])]
    assert list(value.wire_lengths) == [9, 3]
    assert list(cbpf.VM(LENGTH, engine=engine).verdicts(value)) == [9, 3]


@pytest.mark.parametrize("name", COLUMNS)
def test_the_object_behind_a_column_cannot_change(name: str) -> None:
    column = getattr(packets(), name)
    assert type(column.obj) is bytes
    for view in (column, column.cast("B")):
        with pytest.raises(TypeError, match="read-only"):
            view[0] = 0


def test_the_owner_of_foreign_memory_cannot_be_released() -> None:
    producer = binary([b"abc", b"de"])
    value = cbpf.Packets.of(producer)
    vars(value.buffer.obj).clear()
    value.buffer.release()
    gc.collect()
    assert "array" not in producer.released
    assert list(map(bytes, value)) == [b"abc", b"de"]
    del value
    gc.collect()
    assert "array" in producer.released


def test_a_batch_can_be_copied_and_pickled() -> None:
    value = packets()
    assert copy.copy(value) is value
    for other in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert list(map(bytes, other)) == [b"ab", b"fgh"]
        assert list(other.wire_lengths) == [9, 3]
    value.buffer[0] = ord("x")
    assert (bytes(value[0]), bytes(other[0])) == (b"xb", b"ab")


def test_the_memory_of_a_function_cannot_be_freed() -> None:
    """Its code, and the structures that the code reads, are owned by a tuple."""
    pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")
    vm = cbpf.VM(ECHO, engine="llvm")
    run: Any = vm.run
    del vm
    owner: Any = run.__self__
    assert type(run.__self__) is tuple
    with pytest.raises(TypeError):
        del owner[1:]
    with pytest.raises(AttributeError):
        owner.keep_alive = None
    gc.collect()
    assert run(b"\x2a") == 42


def test_packets_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="cannot be subclassed"):
        type("Larger", (cbpf.Packets,), {"__len__": lambda self: 10**9})


@pytest.mark.parametrize(
    "make",
    [lambda raw: raw._replace(k=2**32), lambda raw: raw._make((0x06, 0, 0, -1)), lambda raw: raw._replace(jt=-1)],
)
def test_raw_instructions_are_checked_by_every_constructor(make: Callable[[cbpf.RawInstruction], Any]) -> None:
    with pytest.raises(cbpf.FieldError):
        make(cbpf.RawInstruction(0x06))


def test_subclasses_do_not_bypass_the_checks_of_a_program() -> None:
    class Instruction(cbpf.RawInstruction):
        def assemble(self) -> Any:
            return (0x30, 0, 0, -4)

    class Other(cbpf.Program):
        @property
        def _raw(self) -> Any:  # type: ignore[override]
            return ((0x30, 0, 0, -4),)

    with pytest.raises(cbpf.FieldError):
        cbpf.VM([Instruction(0x06)])
    with pytest.raises((cbpf.FieldError, AttributeError)):
        cbpf.VM(Other([cbpf.RawInstruction(0x06)]))
    raw = cbpf.Program([type("Named", (cbpf.RawInstruction,), {"k": property(lambda self: 9)})(0x06, k=1)])[0]
    assert (type(raw), raw.k) == (cbpf.RawInstruction, 1)


LARGER = """
import cbpf
class Larger(bytes):
    def __len__(self):
        return 1 << 40
    def __bytes__(self):
        return self
class Number(int):
    def __len__(self):
        return 1 << 40
far, length = cbpf.parse("ld [1000000]\\nret #1"), cbpf.parse("ld #len\\nret a")
for engine in ("llvm", "python", "interpreter"):
    far_vm, vm = cbpf.VM(far, engine=engine), cbpf.VM(length, engine=engine)
    packet = Larger(b"abc")
    metadata = cbpf.Metadata(mark=1, before=packet)
    results = [
        far_vm.run(packet), far_vm.evaluate(packet), far_vm.evaluate(packet, metadata=metadata),
        far_vm.match(packet, 3) if engine == "llvm" else 0, *far_vm.verdicts([packet]),
        *far_vm.verdicts(cbpf.Packets(packet, positions=[0], lengths=[3])),
        *far_vm.verdicts(cbpf.Packets.of([packet, b"x"])),
    ]
    assert set(results) == {0}, results
    assert vm.run(packet) == vm.evaluate(packet) == list(vm.verdicts([packet]))[0] == 3
    if engine == "llvm":
        for invalid in (Number(4096), None, "text"):
            try:
                far_vm.match(invalid, 3)
                raise SystemExit("accepted")
            except cbpf.PacketError:
                pass
class Resembles:
    __class__ = cbpf.Packets
    buffer, positions = memoryview(b"abc"), memoryview(bytes(80)).cast("Q")
    lengths = wire_lengths = memoryview(b"\\xff" * 40).cast("I")
    def __len__(self):
        return 1 << 20
    def __iter__(self):
        return iter([b"abc"])
assert list(cbpf.VM(far, engine="llvm").verdicts(Resembles())) == [0]
print("done")
"""


def test_objects_that_overstate_their_length_are_not_believed() -> None:
    """In a child process, which a read outside a packet would end."""
    pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")
    result = subprocess.run([sys.executable, "-c", LARGER], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")


def test_a_source_that_changes_during_the_call_cannot_change_the_ranges() -> None:
    """The positions are an iterator that changes the lengths, and tries to resize the buffer."""
    buffer, lengths = bytearray(b"abcd"), array("I", [1, 1])

    def positions() -> Any:
        yield 0
        lengths[1] = 2**31
        with pytest.raises(BufferError):
            buffer.clear()
        yield 1

    with pytest.raises(cbpf.PacketError, match="packet 1 is bytes 1 to 2147483649"):
        cbpf.Packets(buffer, positions=positions(), lengths=lengths)


@pytest.mark.parametrize("read", [list, lambda reader: list(reader.chunks()), cbpf.CaptureReader.packets])
def test_a_closed_reader_raises_one_error(read: Callable[[cbpf.CaptureReader], object], traffic: Path) -> None:
    reader = cbpf.read_capture(traffic)
    reader.close()
    with pytest.raises(cbpf.CaptureError, match="closed"):
        read(reader)


LARGER_READS = """
import io, sys, cbpf
class Larger(bytes):
    def __len__(self):
        return 1 << 30
    def __radd__(self, other):
        return self
class Stream(io.RawIOBase):
    def __init__(self, data):
        self.stream = io.BytesIO(data)
    def read(self, size=-1):
        return Larger(self.stream.read(size))
data = open(sys.argv[1], "rb").read()
for engine in ("llvm", "python"):
    assert cbpf.filter_capture(Stream(data), "/dev/null", "", engine=engine).packets_accepted == 905
"""


def test_a_stream_that_overstates_its_data_is_not_believed(traffic: Path) -> None:
    pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")
    command = [sys.executable, "-c", LARGER_READS, str(traffic)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
