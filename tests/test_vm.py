"""VM: accepted and rejected arguments, verdicts, traces, and `Metadata`."""

import pickle
from array import array
from typing import Any

import pytest

import cbpf

ECHO = cbpf.parse("ldb [0]\nret a")
LENGTH = cbpf.parse("ld #len\nret a")


@pytest.mark.parametrize(
    "packet",
    [
        b"\x07\x08",
        bytearray(b"\x07\x08"),
        memoryview(b"\x07\x08"),
        array("H", [0x0807]),
        memoryview(b"\x07\x00\x08")[::2],
    ],
    ids=["bytes", "bytearray", "memoryview", "array", "strided"],
)
def test_any_buffer_is_accepted(packet: Any, engine: Any) -> None:
    assert cbpf.VM(ECHO, engine=engine).run(packet) == 7
    assert cbpf.VM(LENGTH, engine=engine).run(packet) == 2
    assert cbpf.VM(LENGTH, engine=engine).evaluate(packet, metadata=cbpf.Metadata(mark=1)) == 2


@pytest.mark.parametrize("packet", ["text", 5, None, [1, 2]])
def test_packets_that_are_not_buffers_are_rejected(packet: Any, engine: Any) -> None:
    with pytest.raises(cbpf.PacketError, match="expected a bytes-like object"):
        cbpf.VM(LENGTH, engine=engine).run(packet)


def test_released_buffer_is_rejected(engine: Any) -> None:
    view = memoryview(b"ab")
    view.release()
    with pytest.raises(cbpf.PacketError, match="released"):
        cbpf.VM(LENGTH, engine=engine).run(view)


def test_metadata_of_another_type_is_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match="5 is not a Metadata"):
        cbpf.VM(LENGTH).evaluate(b"", metadata=5)  # type: ignore[arg-type]


def test_auto_interprets_programs_beyond_20000_instructions() -> None:
    program = cbpf.Program([cbpf.ALUOpConstant(0, 1)] * 20_000 + [cbpf.RetA()])  # type: ignore[arg-type]
    assert cbpf.VM(program).run(b"") == 20_000
    assert cbpf.VM(program[1:], engine="python").run(b"") == 19_999


def test_wire_length_is_loaded_and_checked(engine: Any) -> None:
    vm = cbpf.VM(LENGTH, engine=engine)
    assert vm.evaluate(b"abc", wire_length=1500) == 1500
    assert vm.evaluate(b"abc", wire_length=0) == 0
    assert vm.evaluate(b"abc") == 3
    for invalid in (-1, 2**32, 1.0, True, "5"):
        with pytest.raises(cbpf.FieldError, match="wire_length"):
            vm.evaluate(b"abc", wire_length=invalid)  # type: ignore[arg-type]


def test_verdicts_are_an_array_of_32_bit_numbers(engine: Any) -> None:
    verdicts = cbpf.VM(ECHO, engine=engine).verdicts([b"\x01", b"", b"\xff"])
    assert list(verdicts) == [1, 0, 255]
    assert memoryview(verdicts).itemsize == 4


def test_programs_are_verified_under_the_dialect() -> None:
    with pytest.raises(cbpf.VerificationError):
        cbpf.VM([cbpf.LoadScratch(0, 1), cbpf.RetA()], dialect=cbpf.LINUX)  # type: ignore[arg-type]
    cbpf.VM([cbpf.LoadScratch(0, 1), cbpf.RetA()])  # type: ignore[arg-type]


def test_unknown_engine_is_rejected() -> None:
    with pytest.raises(cbpf.FieldError, match="'rust' is not one of 'auto', 'interpreter', 'python'"):
        cbpf.VM(ECHO, engine="rust")  # type: ignore[arg-type]


def test_vm_can_be_pickled(engine: Any) -> None:
    vm = pickle.loads(pickle.dumps(cbpf.VM(ECHO, engine=engine, dialect=cbpf.LINUX)))
    assert (vm.run(b"\x09"), vm.engine, vm.dialect) == (9, engine, cbpf.LINUX)


def test_run_outlives_its_vm(engine: Any) -> None:
    run = cbpf.VM(ECHO, engine=engine).run
    assert run(b"\x05") == 5


def test_trace_has_every_step() -> None:
    program = cbpf.parse("ldh [1]\nst M[2]\njeq #0x0203,1\nret #0\nldx 4*([0]&0xf)\nldb [x + 9]\nret a")
    steps = list(cbpf.VM(program).trace(b"\x11\x02\x03"))
    assert [step.index for step in steps] == [0, 1, 2, 4, 5]
    assert steps[0].fetched == cbpf.Fetched(1, 2, 0x0203)
    assert (steps[0].a, steps[0].next_index, steps[0].taken) == (0x0203, 1, None)
    assert steps[1].scratch[2] == 0x0203
    assert (steps[2].taken, steps[2].next_index) == (True, 4)
    assert (steps[3].x, steps[3].fetched) == (4, cbpf.Fetched(0, 1, 0x11))
    assert steps[4].fetched == cbpf.Fetched(13, 1, None)
    assert (steps[4].verdict, steps[4].next_index) == (0, None)
    assert steps[0].instruction == cbpf.LoadAbsolute(1, 2).assemble()


def test_trace_ends_with_the_verdict_of_the_run() -> None:
    vm = cbpf.VM(ECHO)
    *_, last = vm.trace(b"\x2a")
    assert last.verdict == vm.run(b"\x2a") == 42
    *_, last = cbpf.VM(cbpf.parse("ld #ifidx\nret a")).trace(b"", metadata=cbpf.Metadata(device=cbpf.Device(3)))
    assert last.verdict == 3
    *_, last = cbpf.VM(LENGTH).trace(b"", wire_length=9)
    assert last.verdict == 9


def test_trace_of_a_packet_shorter_than_the_record_is_empty() -> None:
    assert list(cbpf.VM(cbpf.parse("ret #1"), dialect=cbpf.SECCOMP).trace(b"")) == []


def test_one_percent_sample_accepts_one_percent(engine: Any) -> None:
    """Go's package has the example 2^32/100, which in Go is 2 (^ is exclusive or); the test uses 2**32 // 100."""
    sample = cbpf.VM(
        [
            cbpf.LoadExtension(cbpf.Extension.RAND),
            cbpf.JumpIf(cbpf.JumpTest.LESS_THAN, 2**32 // 100, skip_false=1),
            cbpf.RetConstant(4096),
            cbpf.RetConstant(0),
        ],
        engine=engine,
    )
    accepted = sum(sample.evaluate(b"", metadata=cbpf.Metadata(seed=seed)) == 4096 for seed in range(10_000))
    assert 75 < accepted < 125


@pytest.mark.parametrize(
    "fields",
    [
        {"protocol": 65536},
        {"packet_type": 8},
        {"device": 3},
        {"vlan": (1, 2)},
        {"network_header": -1},
        {"link_header": -14, "before": bytes(13)},
        {"before": "text"},
        {"seed": -1},
        {"mark": True},
    ],
)
def test_invalid_metadata_is_rejected(fields: dict[str, Any]) -> None:
    with pytest.raises(cbpf.FieldError, match=r"Metadata\."):
        cbpf.Metadata(**fields)


def test_metadata_is_an_immutable_value() -> None:
    metadata = cbpf.Metadata(mark=5, device=cbpf.Device(2), vlan=cbpf.VlanTag(100))
    assert eval(repr(metadata), {name: getattr(cbpf, name) for name in cbpf.__all__}) == metadata
    assert metadata.replace(mark=6).mark == 6
    assert pickle.loads(pickle.dumps(metadata)) == metadata
    assert {metadata: 1}[metadata.replace()] == 1
