"""The optimiser: each result is proved equivalent to its input, for the corpus and for random programs."""

from random import Random
from typing import Any, Final

import pytest

import cbpf
from support import random_expressions, random_programs
from support.corpus_filters import CORPUS, Filter
from support.judges import kernel
from support.project import Rounds
from support.random_choices import pick

DIALECTS: Final = {dialect.name: dialect for dialect in (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)}
MAX_LENGTH: Final = 262_144

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")
needs_sockets = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))


def assert_equivalent(program: cbpf.Program, optimized: cbpf.Program, dialect: cbpf.Dialect = cbpf.PCAP) -> None:
    assert not cbpf.findings(optimized, dialect=dialect.replace(longest=None))
    assert cbpf.difference(program, optimized, dialect=dialect, longest=MAX_LENGTH, timeout=60) is None


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_corpus_is_equivalent_and_never_longer(filter: Filter) -> None:
    """Results are not longer than the input, nor than the result of libpcap's optimiser where that is equivalent."""
    program, libpcap = filter.program(), filter.program("libpcap")
    assert_equivalent(program, cbpf.optimize(program, goal="speed"))
    assert_equivalent(program, cbpf.optimize(program))
    optimized = cbpf.optimize(program)
    assert len(optimized) <= len(program)
    if cbpf.difference(program, libpcap, longest=MAX_LENGTH) is None:
        assert len(optimized) <= len(libpcap)


def test_total_length_of_the_corpus() -> None:
    """The bound is the total length that a prototype reached: 1,258 instructions."""
    assert sum(len(cbpf.optimize(filter.program())) for filter in CORPUS) <= 1258


def test_corpus_is_equivalent_for_linux() -> None:
    for filter in CORPUS:
        program = filter.program()
        assert_equivalent(program, cbpf.optimize(program, dialect=cbpf.LINUX), cbpf.LINUX)


def test_truncated_packets_have_equal_verdicts() -> None:
    """Run each kind of packet of the example capture, truncated to each length up to 80 bytes."""
    kinds: dict[object, bytes] = {}
    with cbpf.read_capture("examples/traffic.pcap") as capture:
        for packet in capture:
            protocol = packet.data[20:24:3] if packet.data[12:14] == b"\x08\0" else packet.data[20]
            kinds.setdefault((packet.data[12:14], protocol), packet.data)
    assert len(kinds) > 8
    lengths = [(data, length) for data in kinds.values() for length in range(min(len(data), 80) + 1)]
    everything = b"".join(kinds.values())
    truncated = cbpf.Packets(
        everything,
        positions=[everything.index(data) for data, _ in lengths],
        lengths=[length for _, length in lengths],
        wire_lengths=[len(data) for data, _ in lengths],
    )
    for filter in CORPUS:
        if filter.link_type == "EN10MB":
            program = filter.program()
            programs = program, cbpf.optimize(program), cbpf.optimize(program, goal="speed")
            vms = [cbpf.VM(variant, engine="python") for variant in programs]
            assert len({tuple(vm.verdicts(truncated)) for vm in vms}) == 1, filter


def _compiled(random: Random) -> cbpf.Program:
    while True:
        try:
            return cbpf.compile(random_expressions.expression(random), optimizer=None)
        except cbpf.ExpressionError:  # two protocols that exclude each other
            continue


@pytest.mark.fuzz
def test_random_expressions_are_equivalent(rounds: Rounds) -> None:
    for random in rounds(120):
        program = _compiled(random)
        optimized = cbpf.optimize(program, goal=pick(random, ("size", "size", "speed")))
        assert len(optimized) <= len(program)
        assert_equivalent(program, optimized)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", DIALECTS)
def test_random_programs_are_equivalent(rounds: Rounds, name: str) -> None:
    for random in rounds(120, min_checked=0.6):
        program = _random_program(random, name)
        if not cbpf.findings(program, dialect=DIALECTS[name]):
            rounds.checked()
            optimized = cbpf.optimize(program, dialect=DIALECTS[name])
            assert len(optimized) <= len(program)
            try:
                assert cbpf.difference(program, optimized, dialect=DIALECTS[name], longest=MAX_LENGTH) is None
            except cbpf.Undecided:  # occasionally, for a product of products
                _assert_equal_verdicts(random, program, optimized, DIALECTS[name])


def _assert_equal_verdicts(random: Random, program: cbpf.Program, other: cbpf.Program, dialect: cbpf.Dialect) -> None:
    vms = [cbpf.VM(variant, dialect=dialect) for variant in (program, other)]
    for seed in range(2000):
        packet = random_programs.packet(random)
        if dialect.record_size is not None:
            packet = (packet + bytes(64))[:64]
        metadata = cbpf.Metadata(seed=seed, device=cbpf.Device(seed) if seed % 2 else None)
        assert len({vm.evaluate(packet, metadata=metadata) for vm in vms}) == 1, packet.hex()


def _random_program(random: Random, name: str) -> cbpf.Program:
    if name == "seccomp":
        return cbpf.Program(random_programs.seccomp(random))
    longest = pick(random, (8, 24, 60))
    return cbpf.Program(random_programs.plausible(random, longest=longest, extensions=random_programs.EXTENSIONS))


@needs_sockets
@pytest.mark.fuzz
def test_kernel_verdicts_are_equal(rounds: Rounds) -> None:
    for random in rounds(200, min_checked=0.9):
        program = cbpf.Program(random_programs.plausible(random))
        if cbpf.findings(program, dialect=cbpf.LINUX):
            continue
        rounds.checked()
        optimized = cbpf.optimize(program, dialect=cbpf.LINUX)
        for _ in range(4):
            packet = random_programs.packet(random)
            assert kernel.verdict(list(optimized), packet) == kernel.verdict(list(program), packet)


def test_optimising_twice_never_lengthens() -> None:
    for filter in CORPUS:
        optimized = cbpf.optimize(filter.program())
        assert len(cbpf.optimize(optimized)) <= len(optimized)


# -- long programs ----------------------------------------------------------------------------------------------


def _hosts(count: int) -> str:
    random = Random(count)
    addresses = [
        [1 + int(random.random() * 223), *(int(random.random() * 256) for _ in range(3))] for _ in range(count)
    ]
    return " or ".join(f"host {'.'.join(map(str, address))}" for address in addresses)


def test_many_hosts_become_a_tree_for_speed() -> None:
    program = cbpf.compile(_hosts(120), optimizer=None)
    small, fast = cbpf.optimize(program, dialect=cbpf.LINUX), cbpf.optimize(program, goal="speed")
    assert len(small) < 500
    assert cbpf.Flow(fast).longest < 48
    assert not cbpf.findings(small, dialect=cbpf.LINUX)
    assert cbpf.difference(small, fast, timeout=120) is None


def test_program_with_exponentially_many_values_is_unchanged() -> None:
    """Each of thirty branches doubles the number of values that M[0] can have."""
    lines = ["ld #len", "st M[0]"]
    for bit in range(30):
        lines += [f"ldb [{bit}]", f"jset #1, even{bit}, odd{bit}", f"even{bit}: ld M[0]", "add #1", "st M[0]"]
        lines += [f"ja next{bit}", f"odd{bit}: ld M[0]", "mul #3", "st M[0]", f"next{bit}: ldx #0"]
    program = cbpf.parse("\n".join([*lines, "ld M[0]", "ret a"]), format="asm")
    assert cbpf.optimize(program) == program
    assert cbpf.optimization_stages(program) == ()


def test_program_with_exponentially_long_sum_is_unchanged() -> None:
    program = cbpf.parse("ld [0]\n" + "tax\nadd x\n" * 40 + "ret a", format="asm")
    assert cbpf.optimize(program) == program


def test_unreachable_code_is_removed() -> None:
    program = cbpf.parse("ld #1\njeq #1, yes, no\nno: ldb [x + 7]\nret a\nyes: ret #5", format="asm")
    assert cbpf.optimize(program) == cbpf.Program([cbpf.RetConstant(5)])


# -- effects that must remain -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("ld #rand\nmod #100\njlt #1,1\nret #0\nret #1", 5),  # accepts one packet in a hundred
        ("ld #rand\nst M[0]\nld #rand\nldx M[0]\njeq x,1\nret #0\nret #1", 7),  # two draws give two numbers
        ("ld #7\nld #ifidx\nret #9", 3),  # without a device the verdict is 7
        ("ldb [9]\nldh [3]\nret #9", 2),  # one load rejects all packets shorter than 10 bytes
        ("ldx #4\nld [0]\ndiv x\nret #9", 2),  # a divisor that is never 0
        ("ld [0]\ntax\nld #1\ndiv x\nret #9", 4),  # a divisor that may be 0
    ],
)
def test_effects_are_preserved(text: str, length: int) -> None:
    program = cbpf.parse(text)
    optimized = cbpf.optimize(program, dialect=cbpf.LINUX)
    assert_equivalent(program, optimized, cbpf.LINUX)
    assert len(optimized) == length


def test_wide_shifts_follow_the_dialect() -> None:
    """A shift by 33 is a shift by 1 in Linux, and gives 0 in libpcap."""
    program = cbpf.parse("ld [0]\nldx #33\nlsh x\nret a")
    assert cbpf.optimize(program)[-1] == cbpf.RetConstant(0).assemble()
    assert cbpf.ALUOpConstant(cbpf.ALUOp.SHIFT_LEFT, 1) in cbpf.optimize(program, dialect=cbpf.LINUX).instructions


def test_seccomp_policies_become_trees() -> None:
    """Of 200 tests of the system call number. A seccomp record always has 64 bytes, so no guard is needed."""
    tests = "\n".join(f"jeq #{3 * index},{200 - index}" for index in range(200))
    program = cbpf.parse(f"ld [0]\n{tests}\nret #0x50001\nret #0x7fff0000")
    fast = cbpf.optimize(program, dialect=cbpf.SECCOMP, goal="speed")
    assert cbpf.Flow(fast, dialect=cbpf.SECCOMP).longest < 20 < cbpf.Flow(program, dialect=cbpf.SECCOMP).longest
    assert_equivalent(program, fast, cbpf.SECCOMP)


# -- the public functions ---------------------------------------------------------------------------------------


def test_result_with_proof_is_the_same() -> None:
    program = cbpf.compile("tcp port 443", optimizer=None)
    assert cbpf.optimize(program, prove=True) == cbpf.compile("tcp port 443")


def test_last_stage_is_the_result() -> None:
    program = cbpf.compile("tcp port 443", optimizer=None)
    stages = cbpf.optimization_stages(program)
    assert stages[-1].program == cbpf.optimize(program)
    for stage in stages:
        assert_equivalent(program, stage.program)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"goal": "fast"}, "optimize.goal: 'fast' is not one of 'size', 'speed'"),
        ({"dialect": "linux"}, "dialect: 'linux' is not a Dialect; use cbpf.LINUX"),
        ({"prove": 1}, "optimize.prove: 1 is neither True nor False"),
    ],
)
def test_invalid_arguments_are_rejected(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        cbpf.optimize([cbpf.RetA()], **arguments)
    assert str(caught.value) == message


def test_invalid_programs_are_rejected() -> None:
    with pytest.raises(cbpf.VerificationError, match="no-return"):
        cbpf.optimize(cbpf.parse("ld #1"))


def test_tree_longer_than_the_dialect_allows_remains_a_chain() -> None:
    rows: list[Any] = [cbpf.LoadAbsolute(0, 4)]
    for index in range(1990):
        rows += [cbpf.JumpIf(cbpf.JumpTest.NOT_EQUAL, index * 7, 1), cbpf.RetConstant(1 + index % 2)]
    program = cbpf.Program([*rows, cbpf.RetConstant(0)])
    assert not cbpf.findings(program, dialect=cbpf.LINUX)
    fast, fast_for_linux = (
        cbpf.optimize(program, goal="speed", dialect=dialect) for dialect in (cbpf.PCAP, cbpf.LINUX)
    )
    assert not cbpf.findings(fast_for_linux, dialect=cbpf.LINUX)
    assert cbpf.Flow(fast).longest < 64
    assert len(fast_for_linux) <= len(program)


def test_input_may_be_longer_than_the_dialect_allows() -> None:
    program = cbpf.parse("ld #1\n" * 5000 + "ret #1")
    assert cbpf.optimize(program, dialect=cbpf.LINUX) == cbpf.Program([cbpf.RetConstant(1)])


def test_targets_beyond_255_instructions_are_reached() -> None:
    program = _far_jumps()
    assert_equivalent(program, cbpf.optimize(program, goal="size"))
    assert_equivalent(program, cbpf.optimize(program, goal="speed"))


def _far_jumps() -> cbpf.Program:
    """Return tests whose targets are more than 255 instructions away."""
    rows: list[Any] = [cbpf.LoadAbsolute(0, 4)]
    for index in range(300):
        distance = 2 * (300 - index) - 1 + 3 * (index % 5)
        rows += [cbpf.JumpIf(cbpf.JumpTest.NOT_EQUAL, index * 7, 1), cbpf.Jump(distance)]
    rows.append(cbpf.RetConstant(0))
    for index in range(5):
        rows += [cbpf.LoadAbsolute(index + 40, 1), cbpf.ALUOpConstant(cbpf.ALUOp.ADD, 1), cbpf.RetA()]
    return cbpf.Program(rows)


def test_a_long_path_that_no_packet_takes() -> None:
    """The facts of the path contradict each other at a switch that has no edge to the node that rejects."""
    pytest.importorskip("cypcap")
    text = "udp dst and src portrange (9-25 or not 29-32) or not (byte 16 & 255 and src port 58 and 80)"
    plain = cbpf.compile(text, link_type="JUNIPER_FRELAY", frontend="libpcap", optimizer=None)
    assert_equivalent(plain, cbpf.optimize(plain))
