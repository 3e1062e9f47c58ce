"""The kernels of CUDA: run by an interpreter of PTX, and compiled by NVIDIA's assembler."""

from array import array
from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from random import Random

import pytest

import cbpf
from cbpf.engines.llvm.machine import DefaultPacketMachine, MakeMachine, PacketMachine
from cbpf.engines.llvm.ptx import check_kernel, ptx_kernel, rows_kernel
from cbpf.isa.metadata_loads import PACKET_ALONE, impossible_loads
from support.case_files import Case as MeaningCase
from support.case_files import load_cases
from support.emitted import Case, corpus_cases, packets_for, random_case
from support.judges.ptxas import assemble, assembler
from support.project import Rounds
from support.ptx_interpreter import Memory, PtxError, launch, parse

pytest.importorskip("llvmlite", reason="kernels need llvmlite")

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")


def needs_packets_alone(case: MeaningCase) -> bool:
    """Return whether a case of meaning has a program that a kernel can execute."""
    return case.metadata is None and not list(impossible_loads(case.program, case.dialect, PACKET_ALONE))


def numbers(memory: Memory, typecode: str, values: Sequence[int]) -> int:
    return memory.allocate(array(typecode, values).tobytes())


def verdicts_of_kernel(
    case: Case, packets: Sequence[bytes], wire_lengths: Sequence[int], make_machine: MakeMachine = PacketMachine
) -> list[int]:
    """Return the verdicts of the kernel; each packet is an allocation, so that a read outside of it is an error."""
    memory = Memory()
    addresses = [memory.allocate(packet) for packet in packets]
    base = addresses[0]
    positions = numbers(memory, "Q", [(address - base) % 2**64 for address in addresses])
    lengths = numbers(memory, "I", [len(packet) for packet in packets])
    wire = numbers(memory, "I", wire_lengths)
    verdicts = memory.allocate(4 * len(packets))
    text = ptx_kernel(case.program, case.dialect, "filter", make_machine)
    launch(text, memory, [base, positions, lengths, wire, len(packets), verdicts])
    return memory.view(verdicts, 4 * len(packets)).cast("I").tolist()


def check(case: Case, random: Random, count: int, largest: int) -> int:
    """Compare the kernel with the interpreter; return the number of packets."""
    packets = packets_for(case, random, count, largest=largest)
    wire_lengths = [len(packet) + random.choice([0, 100]) for packet in packets]
    expected = [case.verdict(packet, wire) for packet, wire in zip(packets, wire_lengths, strict=True)]
    assert verdicts_of_kernel(case, packets, wire_lengths) == expected, case
    return len(packets)


def test_corpus_has_the_verdicts_of_the_interpreter(full_length: bool) -> None:
    random = Random(1)
    cases = list(corpus_cases())[:: 1 if full_length else 10]
    pairs = sum(check(case, random, 230 if full_length else 10, 4000) for case in cases)
    assert pairs > (20_000 if full_length else 100)


@pytest.mark.parametrize("case", [case for case in load_cases() if needs_packets_alone(case)], ids=attrgetter("name"))
def test_kernels_of_the_engine_have_the_verdicts_of_the_cases(case: MeaningCase) -> None:
    packets = [packet for packet, _ in case.runs]
    wire_lengths = [len(packet) if case.wire_length is None else case.wire_length for packet in packets]
    verdicts = verdicts_of_kernel(Case(case.program, case.dialect), packets, wire_lengths, DefaultPacketMachine)
    assert verdicts == [verdict for _, verdict in case.runs], case.why


@pytest.mark.fuzz
def test_random_programs_have_the_verdicts_of_the_interpreter(rounds: Rounds) -> None:
    for random in rounds(16):
        for _ in range(25):
            check(random_case(random), random, 8, 400)


def test_long_program_has_the_verdicts_of_the_interpreter() -> None:
    """A program of more than 1,000 instructions is compiled with fewer passes."""
    tests = "".join(
        f"ld [{index % 40}]\njne #{index},next{index}\nret #7\nnext{index}: add x\nst M[{index % 16}]\ntax\n"
        for index in range(400)
    )
    case = Case(cbpf.parse(f"ldx #1\n{tests}ret a"), cbpf.PCAP)
    check(case, Random(2), 3, 200)


@pytest.mark.parametrize(("stride", "grid", "block"), [(64, 1, 1), (0, 3, 2), (-64, 2, 32)])
def test_rows_kernel_writes_positions_and_lengths(stride: int, grid: int, block: int) -> None:
    memory = Memory()
    positions, lengths = memory.allocate(8 * 5), memory.allocate(4 * 5)
    launch(rows_kernel("rows"), memory, [5, stride, 60, positions, lengths], grid=grid, block=block)
    assert memory.view(positions, 40).cast("Q").tolist() == [index * stride % 2**64 for index in range(5)]
    assert memory.view(lengths, 20).cast("I").tolist() == [60] * 5


@pytest.mark.parametrize(
    ("position", "length", "is_inside"),
    [
        (0, 100, True),
        (100, 0, True),
        (40, 60, True),
        (40, 61, False),
        (101, 0, False),
        (2**64 - 1, 2, False),
        (2**64 - 100, 150, False),
        (0, 2**32 - 1, False),
        (2**63, 0, False),
    ],
)
def test_check_kernel_finds_ranges_outside_of_the_memory(position: int, length: int, is_inside: bool) -> None:
    memory = Memory()
    positions = numbers(memory, "Q", [0, 5, position, 10])
    lengths = numbers(memory, "I", [1, 95, length, 90])
    flag = memory.allocate(8)
    launch(check_kernel("check"), memory, [positions, lengths, 4, 100, flag])
    assert memory.read(flag, 8) == (0 if is_inside else 3)


def test_kernels_do_nothing_for_no_packets() -> None:
    memory = Memory()
    launch(rows_kernel("rows"), memory, [0, 1, 1, 0, 0])
    launch(check_kernel("check"), memory, [0, 0, 0, 0, 0])
    launch(ptx_kernel(cbpf.parse("ret #1"), cbpf.PCAP, "filter"), memory, [0, 0, 0, 0, 0, 0])


def test_interpreter_rejects_unknown_instructions_and_invalid_accesses() -> None:
    kernel = ".visible .entry k(\n\t.param .u64 a\n)\n{{ .reg .b64 %rd<3>; ld.param.b64 %rd1, [a]; {} ret; }}"
    with pytest.raises(PtxError, match=r"unsupported instruction: bar\.sync 0"):
        parse(kernel.format("bar.sync 0;"))
    memory = Memory()
    address = memory.allocate(8)
    launch(kernel.format("ld.global.b64 %rd2, [%rd1];"), memory, [address])
    for offset in (8, -8, 1):
        with pytest.raises(PtxError, match=r"not in an allocation|not a multiple"):
            launch(kernel.format(f"ld.global.b64 %rd2, [%rd1+{offset}];"), memory, [address])


@pytest.mark.skipif(assembler() is None, reason="ptxas is not installed (PyPI: nvidia-cuda-nvcc)")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ptxas_compiles_the_kernels(tmp_path: Path, architecture: str, full_length: bool) -> None:
    step = 4 if full_length else 40
    filters = [ptx_kernel(case.program, case.dialect, "filter") for case in list(corpus_cases())[::step]]
    for text in [rows_kernel("rows"), check_kernel("check"), *filters]:
        assert assemble(text, architecture, tmp_path) == ""
