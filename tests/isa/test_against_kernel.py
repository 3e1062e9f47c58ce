"""Programs compared with a live Linux kernel, and with recorded results of one."""

import errno
import json
from collections.abc import Callable
from typing import Any

import pytest

import cbpf
from cbpf.isa.opcodes import OPCODE_BY_CODE
from cbpf.isa.translation import translated_size
from support import random_programs
from support.judges import kernel
from support.project import ENGINES, TESTS, Rounds

Rows = list[tuple[int, int, int, int]]
OBSERVED = json.loads((TESTS / "golden" / "linux_observed.json").read_text())

needs_sockets = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))
needs_seccomp = pytest.mark.skipif(kernel.seccomp_available() is not None, reason=str(kernel.seccomp_available()))


def _rows(entry: dict[str, Any]) -> Rows:
    return [(op, jt, jf, k) for op, jt, jf, k in entry["insns"]]


def _observed(kind: list[Any], engine: str, full_length: bool) -> list[Any]:
    """Return the observed programs; without --all, every fourth one for LLVM, which takes long to compile."""
    return kind[::4] if engine == "llvm" and not full_length else kind


def test_observed_socket_programs(engine: Any, full_length: bool) -> None:
    assert len(OBSERVED["socket"]) == 900
    for entry in _observed(OBSERVED["socket"], engine, full_length):
        program, result = _rows(entry), entry["result"]
        assert bool(cbpf.findings(program, dialect=cbpf.LINUX)) is ("reject" in result), entry["name"]
        if "reject" not in result:
            verdict = cbpf.VM(program, dialect=cbpf.LINUX, engine=engine).run(bytes.fromhex(entry["packet"]))
            assert verdict == (0 if "abort" in result else result["ret"]), entry["name"]


def seccomp_record(number: int, arguments: list[int]) -> bytes:
    """Return a struct seccomp_data with instruction pointer 0, which none of these programs loads."""
    words = [number.to_bytes(4, "little"), (0xC000003E).to_bytes(4, "little"), bytes(8)]
    return b"".join([*words, *(argument.to_bytes(8, "little") for argument in arguments)])


def _observed_result(verdict: int) -> dict[str, Any]:
    """Return the effect on the process of a seccomp verdict that is ERRNO, a KILL, or an undefined action."""
    if verdict & 0xFFFF0000 == 0x00050000:
        return {"errno": min(verdict & 0xFFFF, 4095)}
    return {"killed": True}


def test_observed_seccomp_programs(engine: Any, full_length: bool) -> None:
    data = OBSERVED["seccomp"]["data"]
    record = seccomp_record(data["nr"], [int(argument, 0) for argument in data["args"]])
    assert len(OBSERVED["seccomp"]["tests"]) == 240
    for entry in _observed(OBSERVED["seccomp"]["tests"], engine, full_length):
        program, result = _rows(entry), entry["result"]
        assert bool(cbpf.findings(program, dialect=cbpf.SECCOMP)) is ("reject" in result), entry["name"]
        if "reject" not in result:
            vm = cbpf.VM(program, dialect=cbpf.SECCOMP.replace(byte_order="little"), engine=engine)
            observed = _observed_result(vm.run(record))
            assert observed.keys() == result.keys(), entry["name"]
            assert observed == result or "killed" in result, entry["name"]


def _assert_same_errno(program: Rows) -> bool:
    """Check that the kernel and the verifier agree; return whether they accept. ENOMEM, a socket limit, is ignored."""
    is_rejected = kernel.attach_errno(program) not in (0, errno.ENOMEM)
    assert bool(cbpf.findings(program, dialect=cbpf.LINUX)) is is_rejected, program
    return not is_rejected


@needs_sockets
@pytest.mark.fuzz
def test_random_programs_through_a_socket(rounds: Rounds) -> None:
    for random in rounds(2500, min_checked=0.6):
        program, packet = random_programs.any_kind(random), random_programs.packet(random)
        if not _assert_same_errno(program):
            continue
        rounds.checked()
        delivered = kernel.delivered(program, packet) or 0
        for engine in ENGINES:
            verdict = cbpf.VM(program, dialect=cbpf.LINUX, engine=engine).run(packet)
            assert min(verdict, len(packet)) == delivered, (engine, program, packet.hex())


@needs_sockets
@pytest.mark.fuzz
def test_32_bit_verdicts_through_a_socket(rounds: Rounds) -> None:
    for random in rounds(400, min_checked=0.9):
        program, packet = random_programs.plausible(random), random_programs.packet(random)
        if not _assert_same_errno(program):
            continue
        rounds.checked()
        expected = kernel.verdict(program, packet)
        for engine in ENGINES:
            verdict = cbpf.VM(program, dialect=cbpf.LINUX, engine=engine).run(packet)
            assert verdict == expected, (engine, program, packet.hex())


@needs_sockets
def test_every_opcode_through_a_socket() -> None:
    """All 65,536 codes; k = 4 is valid for each of them, and the ret instructions after it are the jump targets."""

    def program(code: int) -> Rows:
        return [(2, 0, 0, 4), (code, 0, 0, 4), *[(6, 0, 0, 1)] * 6]

    accepted = {code for code in range(65536) if kernel.attach_errno(program(code)) == 0}
    assert accepted == cbpf.LINUX.opcodes
    for code in (*range(512), *range(512, 65536, 97)):
        assert bool(cbpf.findings(program(code), dialect=cbpf.LINUX)) is (code not in accepted)


@needs_sockets
def test_every_extension_offset_through_a_socket() -> None:
    for offset in range(0xFFFFF000, 0x1_0000_0000):
        _assert_same_errno([(0x30, 0, 0, offset), (6, 0, 0, 1)])


FILLERS = {
    "ldb [0]": (0x30, 0, 0, 0),
    "ldb [1]": (0x30, 0, 0, 1),
    "ldh [1]": (0x28, 0, 0, 1),
    "ld [40000]": (0x20, 0, 0, 40000),
    "ldb [network]": (0x30, 0, 0, 0xFFF00000),
    "ldb [x + 0]": (0x50, 0, 0, 0),
    "ldh [x + 1]": (0x48, 0, 0, 1),
    "ldx msh": (0xB1, 0, 0, 1),
    "ldx msh far": (0xB1, 0, 0, 70000),
    "ldx msh network": (0xB1, 0, 0, 0xFFF00000),
}


@needs_sockets
@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS.keys())
@pytest.mark.parametrize("prefix", [[], [(0x3C, 0, 0, 0), (6, 0, 0, 1)]], ids=len)
def test_longest_translated_jump_is_that_of_the_kernel(filler: tuple[int, int, int, int], prefix: Rows) -> None:
    """The maximum number of instructions that `ja` may skip."""
    _assert_same_limit(lambda count: [*prefix, (5, 0, 0, count), *[filler] * count, (6, 0, 0, 1)], limit=4090)


TRANSLATED = {
    **{f"extension {number}": (0x20, 0, 0, 0xFFFFF000 + number) for number in range(0, 64, 4)},
    "div x": (0x3C, 0, 0, 0),
    "mod x": (0x9C, 0, 0, 0),
    "div #": (0x34, 0, 0, 3),
    "neg": (0x84, 0, 0, 0),
    "ret #": (6, 0, 0, 1),
    "ret a": (0x16, 0, 0, 0),
    "jeq 0 0": (0x15, 0, 0, 1),
    "jeq 0 1": (0x15, 0, 1, 1),
    "jeq 1 0": (0x15, 1, 0, 1),
    "jeq 1 1": (0x15, 1, 1, 1),
    "jset 0 1": (0x45, 0, 1, 1),
    "jset 1 1": (0x45, 1, 1, 1),
    "jgt high": (0x25, 1, 1, 0x80000000),
    "jgt x high": (0x2D, 1, 1, 0x80000000),
    "ld imm": (0, 0, 0, 5),
    "ld len": (0x80, 0, 0, 0),
    "ldx len": (0x81, 0, 0, 0),
    "st": (2, 0, 0, 1),
    "tax": (7, 0, 0, 0),
    "add #": (4, 0, 0, 0x80000000),
    "xor x": (0xAC, 0, 0, 0),
}


@needs_sockets
@pytest.mark.parametrize("probe", TRANSLATED.values(), ids=TRANSLATED.keys())
def test_translated_size_of_every_kind(probe: tuple[int, int, int, int]) -> None:
    """A jump over 1,000 probes and the maximum number of loads (12 eBPF instructions each) that the kernel accepts."""
    _assert_same_limit(
        lambda loads: [
            (5, 0, 0, loads + 1000),
            *[probe] * 1000,
            *[(0x30, 0, 0, 0)] * loads,
            (6, 0, 0, 1),
            (6, 0, 0, 1),
        ],
        limit=3090,
    )


def _assert_same_limit(program: Callable[[int], Rows], limit: int) -> None:
    """Check that the kernel and the verifier accept the same maximum size: by the translated sizes, or *limit*."""
    base, with_one = _jumped_over(program(0)), _jumped_over(program(1))
    largest = min(limit, (0x7FFF - base) // (with_one - base))
    for count in (largest,) if largest == limit else (largest, largest + 1):
        is_rejected = kernel.attach_errno(program(count)) not in (0, errno.ENOMEM)
        assert is_rejected is (count > largest), count
        assert bool(cbpf.findings(program(count), dialect=cbpf.LINUX)) is is_rejected, count


def _jumped_over(rows: Rows) -> int:
    """Return the number of translated instructions that the first `ja` skips, by `translated_size`."""
    start = next(index for index, row in enumerate(rows) if row[0] == 5) + 1
    skipped = cbpf.assemble(rows[start : start + rows[start - 1][3]])  # type: ignore[arg-type]
    return sum(translated_size(OPCODE_BY_CODE[raw.op], raw) for raw in skipped)


@needs_sockets
def test_lengths_through_a_socket() -> None:
    for length in (0, 1, 4096, 4097):
        program = [(6, 0, 0, 1)] * length
        assert bool(kernel.attach_errno(program)) is bool(cbpf.findings(program, dialect=cbpf.LINUX))


@needs_seccomp
@pytest.mark.fuzz
def test_random_seccomp_programs(rounds: Rounds) -> None:
    for random in rounds(20):
        programs = [random_programs.seccomp(random) for _ in range(80)]
        programs += [random_programs.wild(random) for _ in range(20)]
        for program, error in zip(programs, kernel.seccomp_errnos(programs), strict=True):
            assert bool(cbpf.findings(program, dialect=cbpf.SECCOMP)) is bool(error), program


@needs_seccomp
@pytest.mark.fuzz
def test_32_bit_verdicts_through_seccomp(rounds: Rounds) -> None:
    arguments = [0x1122334455667788, 0x99AABBCCDDEEFF00, 1, 0x80000000, 2**64 - 1, 0]
    record = seccomp_record(1000, arguments)
    for random in rounds(60, min_checked=0.6):
        program = random_programs.seccomp(random)
        if cbpf.findings(program, dialect=cbpf.SECCOMP):
            continue
        rounds.checked()
        expected = kernel.seccomp_value(program, 1000, arguments)
        for engine in ENGINES:
            assert cbpf.VM(program, dialect=cbpf.SECCOMP, engine=engine).run(record) == expected, program


@needs_seccomp
def test_every_seccomp_opcode_and_offset() -> None:
    programs = [[(code, 0, 0, 4), *[(6, 0, 0, 1)] * 6] for code in range(256)]
    programs += [[(2, 0, 0, 4), (code, 0, 0, 4), (6, 0, 0, 1)] for code in (0x60, 0x61)]
    programs += [[(0x20, 0, 0, offset), (6, 0, 0, 1)] for offset in (*range(80), 0xFFFFF000, 0xFFF00000)]
    for program, error in zip(programs, kernel.seccomp_errnos(programs), strict=True):
        assert bool(cbpf.findings(program, dialect=cbpf.SECCOMP)) is bool(error), program
