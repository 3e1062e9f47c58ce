"""The optimiser: every result proved equal to its input, on the corpus and on random expressions and programs."""

from random import Random
from typing import Any, Final

import pytest

import cbpf
from support import random_expressions, random_programs
from support.corpus_filters import CORPUS, Filter
from support.judges import kernel
from support.project import Rounds

DIALECTS: Final = {dialect.name: dialect for dialect in (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)}
LONGEST: Final = 262_144

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")
needs_sockets = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))


def assert_equal(program: cbpf.Program, optimized: cbpf.Program, dialect: cbpf.Dialect = cbpf.PCAP) -> None:
    assert not cbpf.findings(optimized, dialect=dialect.replace(longest=None))
    assert cbpf.difference(program, optimized, dialect=dialect, longest=LONGEST, timeout=60) is None


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_the_corpus_is_proved_and_never_longer(filter: Filter) -> None:
    """Not longer than the input, nor than what libpcap makes of it where that is the same program."""
    program, libpcap = filter.program(), filter.program("libpcap")
    assert_equal(program, cbpf.optimize(program, goal="speed"))
    assert_equal(program, cbpf.optimize(program))
    optimized = cbpf.optimize(program)
    assert len(optimized) <= len(program)
    if cbpf.difference(program, libpcap, longest=LONGEST) is None:
        assert len(optimized) <= len(libpcap)


def test_the_corpus_as_a_whole() -> None:
    """The sum of all lengths, which a prototype brought to 1,258."""
    assert sum(len(cbpf.optimize(filter.program())) for filter in CORPUS) <= 1258


def test_the_corpus_under_the_rules_of_linux() -> None:
    for filter in CORPUS:
        program = filter.program()
        assert_equal(program, cbpf.optimize(program, dialect=cbpf.LINUX), cbpf.LINUX)


def test_every_truncation_of_every_kind_of_packet() -> None:
    """On the VM, beside the proof: packets of the shipped capture, cut to each length up to 80 bytes."""
    kinds: dict[object, bytes] = {}
    with cbpf.read_capture("examples/traffic.pcap") as capture:
        for packet in capture:
            kinds.setdefault((packet.data[12:14], packet.data[20:24:3], len(packet.data) // 100), packet.data)
    assert len(kinds) > 8
    for filter in CORPUS:
        if filter.link_type == "EN10MB":
            program = filter.program()
            machines = [cbpf.VM(one) for one in (program, cbpf.optimize(program), cbpf.optimize(program, goal="speed"))]
            for data in kinds.values():
                for length in range(min(len(data), 80) + 1):
                    verdicts = {machine.evaluate(data[:length], wire_length=len(data)) for machine in machines}
                    assert len(verdicts) == 1, (filter, data[:length].hex())


def _compiled(random: Random) -> cbpf.Program:
    while True:
        try:
            return cbpf.compile(random_expressions.expression(random), optimizer=None)
        except cbpf.ExpressionError:  # a protocol that excludes another
            continue


@pytest.mark.fuzz
def test_random_expressions(rounds: Rounds) -> None:
    for random in rounds(120):
        program = _compiled(random)
        optimized = cbpf.optimize(program, goal=random_programs._pick(random, ("size", "size", "speed")))
        assert len(optimized) <= len(program)
        assert_equal(program, optimized)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", DIALECTS)
def test_random_programs(rounds: Rounds, name: str) -> None:
    for random in rounds(120, min_checked=0.6):
        program = _random_program(random, name)
        if not cbpf.findings(program, dialect=DIALECTS[name]):
            rounds.checked()
            optimized = cbpf.optimize(program, dialect=DIALECTS[name])
            assert len(optimized) <= len(program)
            try:
                assert cbpf.difference(program, optimized, dialect=DIALECTS[name], longest=LONGEST) is None
            except cbpf.Undecided:  # a product of products, now and then; then only runs can tell
                _assert_alike_in_runs(random, program, optimized, DIALECTS[name])


def _assert_alike_in_runs(random: Random, program: cbpf.Program, other: cbpf.Program, dialect: cbpf.Dialect) -> None:
    machines = [cbpf.VM(one, dialect=dialect) for one in (program, other)]
    for seed in range(2000):
        packet = random_programs.packet(random)
        if dialect.record_size is not None:
            packet = (packet + bytes(64))[:64]
        metadata = cbpf.Metadata(seed=seed, device=cbpf.Device(seed) if seed % 2 else None)
        assert len({machine.evaluate(packet, metadata=metadata) for machine in machines}) == 1, packet.hex()


def _random_program(random: Random, name: str) -> cbpf.Program:
    if name == "seccomp":
        return cbpf.Program(random_programs.seccomp(random))
    longest = random_programs._pick(random, (8, 24, 60))
    return cbpf.Program(random_programs.plausible(random, longest=longest, extensions=random_programs.EXTENSIONS))


@needs_sockets
@pytest.mark.fuzz
def test_the_live_kernel_sees_no_difference(rounds: Rounds) -> None:
    for random in rounds(200, min_checked=0.9):
        program = cbpf.Program(random_programs.plausible(random))
        if cbpf.findings(program, dialect=cbpf.LINUX):
            continue
        rounds.checked()
        optimized = cbpf.optimize(program, dialect=cbpf.LINUX)
        for _ in range(4):
            packet = random_programs.packet(random)
            assert kernel.verdict(list(optimized), packet) == kernel.verdict(list(program), packet)


def test_optimising_again_changes_no_length() -> None:
    for filter in CORPUS:
        once = cbpf.optimize(filter.program())
        assert len(cbpf.optimize(once)) <= len(once)


# -- long programs ----------------------------------------------------------------------------------------------


def _hosts(count: int) -> str:
    random = Random(count)
    numbers = [[1 + int(random.random() * 223), *(int(random.random() * 256) for _ in range(3))] for _ in range(count)]
    return " or ".join(f"host {'.'.join(map(str, one))}" for one in numbers)


def test_many_hosts_are_a_tree_for_speed() -> None:
    program = cbpf.compile(_hosts(250), optimizer=None)
    assert len(program) > 7_000
    small, fast = cbpf.optimize(program, dialect=cbpf.LINUX), cbpf.optimize(program, goal="speed")
    assert len(small) < 1000
    assert cbpf.Flow(fast).longest < 64
    assert not cbpf.findings(small, dialect=cbpf.LINUX)
    assert cbpf.difference(small, fast, timeout=120) is None


def test_a_program_that_doubles_its_values_stays_as_it_is() -> None:
    """Each of thirty diamonds doubles the number of values that M[0] can have."""
    lines = ["ld #len", "st M[0]"]
    for bit in range(30):
        lines += [f"ldb [{bit}]", f"jset #1, even{bit}, odd{bit}", f"even{bit}: ld M[0]", "add #1", "st M[0]"]
        lines += [f"ja next{bit}", f"odd{bit}: ld M[0]", "mul #3", "st M[0]", f"next{bit}: ldx #0"]
    program = cbpf.parse("\n".join([*lines, "ld M[0]", "ret a"]), format="asm")
    assert cbpf.optimize(program) == program
    assert cbpf.optimization_stages(program) == ()


def test_a_sum_that_doubles_itself_stays_as_it_is() -> None:
    program = cbpf.parse("ld [0]\n" + "tax\nadd x\n" * 40 + "ret a", format="asm")
    assert cbpf.optimize(program) == program


def test_dead_ways_do_not_cost_anything() -> None:
    program = cbpf.parse("ld #1\njeq #1, yes, no\nno: ldb [x + 7]\nret a\nyes: ret #5", format="asm")
    assert cbpf.optimize(program) == cbpf.Program([cbpf.RetConstant(5)])


# -- what no packet filter should lose --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("ld #rand\nmod #100\njlt #1,1\nret #0\nret #1", 5),  # one draw in a hundred
        ("ld #rand\nst M[0]\nld #rand\nldx M[0]\njeq x,1\nret #0\nret #1", 7),  # two draws are two numbers
        ("ld #7\nld #ifidx\nret #9", 3),  # without a device the verdict is 7
        ("ldb [9]\nldh [3]\nret #9", 2),  # one load is enough to reject what is shorter than ten bytes
        ("ldx #4\nld [0]\ndiv x\nret #9", 2),  # a divisor that is never 0
        ("ld [0]\ntax\nld #1\ndiv x\nret #9", 4),  # one that may be
    ],
)
def test_effects_are_kept(text: str, length: int) -> None:
    program = cbpf.parse(text)
    optimized = cbpf.optimize(program, dialect=cbpf.LINUX)
    assert_equal(program, optimized, cbpf.LINUX)
    assert len(optimized) == length


def test_dialects_differ() -> None:
    """A shift by 33 is one by 1 in Linux, and gives 0 in libpcap."""
    program = cbpf.parse("ld [0]\nldx #33\nlsh x\nret a")
    assert cbpf.optimize(program)[-1] == cbpf.RetConstant(0).assemble()
    assert cbpf.ALUOpConstant(cbpf.ALUOp.SHIFT_LEFT, 1) in cbpf.optimize(program, dialect=cbpf.LINUX).instructions


def test_seccomp_policies_become_trees() -> None:
    """Two hundred system calls, each its own test; a record is always whole, so nothing but the number is loaded."""
    tests = "\n".join(f"jeq #{3 * number},{200 - number}" for number in range(200))
    program = cbpf.parse(f"ld [0]\n{tests}\nret #0x50001\nret #0x7fff0000")
    fast = cbpf.optimize(program, dialect=cbpf.SECCOMP, goal="speed")
    assert cbpf.Flow(fast, dialect=cbpf.SECCOMP).longest < 20 < cbpf.Flow(program, dialect=cbpf.SECCOMP).longest
    assert_equal(program, fast, cbpf.SECCOMP)


# -- the call ---------------------------------------------------------------------------------------------------


def test_a_proof_with_the_result() -> None:
    program = cbpf.compile("tcp port 443", optimizer=None)
    assert cbpf.optimize(program, prove=True) == cbpf.compile("tcp port 443")


def test_stages_end_in_the_result() -> None:
    program = cbpf.compile("tcp port 443", optimizer=None)
    stages = cbpf.optimization_stages(program)
    assert stages[-1].program == cbpf.optimize(program)
    for stage in stages:
        assert_equal(program, stage.program)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"goal": "fast"}, "optimize.goal: 'fast' is not one of 'size', 'speed'"),
        ({"dialect": "linux"}, "dialect: 'linux' is not a Dialect; use cbpf.LINUX"),
        ({"prove": 1}, "optimize.prove: 1 is neither True nor False"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        cbpf.optimize([cbpf.RetA()], **arguments)
    assert str(caught.value) == words


def test_a_program_that_is_none_is_refused() -> None:
    with pytest.raises(cbpf.VerificationError, match="no-return"):
        cbpf.optimize(cbpf.parse("ld #1"))


def test_a_tree_that_a_dialect_does_not_take_stays_a_chain() -> None:
    rows: list[Any] = [cbpf.LoadAbsolute(0, 4)]
    for number in range(1990):
        rows += [cbpf.JumpIf(cbpf.JumpTest.NOT_EQUAL, number * 7, 1), cbpf.RetConstant(1 + number % 2)]
    program = cbpf.Program([*rows, cbpf.RetConstant(0)])
    assert not cbpf.findings(program, dialect=cbpf.LINUX)
    fast, fast_for_linux = (cbpf.optimize(program, goal="speed", dialect=one) for one in (cbpf.PCAP, cbpf.LINUX))
    assert not cbpf.findings(fast_for_linux, dialect=cbpf.LINUX)
    assert cbpf.Flow(fast).longest < 64
    assert len(fast_for_linux) <= len(program)


def test_a_program_may_be_longer_than_its_dialect_takes() -> None:
    program = cbpf.parse("ld #1\n" * 5000 + "ret #1")
    assert cbpf.optimize(program, dialect=cbpf.LINUX) == cbpf.Program([cbpf.RetConstant(1)])


def test_jumps_reach_as_far_as_they_can() -> None:
    program = _far_jumps()
    assert_equal(program, cbpf.optimize(program, goal="size"))
    assert_equal(program, cbpf.optimize(program, goal="speed"))


def _far_jumps() -> cbpf.Program:
    """Tests whose targets are farther away than 255 instructions."""
    rows: list[Any] = [cbpf.LoadAbsolute(0, 4)]
    for number in range(600):
        ahead = 2 * (600 - number) - 1 + 3 * (number % 5)
        rows += [cbpf.JumpIf(cbpf.JumpTest.NOT_EQUAL, number * 7, 1), cbpf.Jump(ahead)]
    rows.append(cbpf.RetConstant(0))
    for number in range(5):
        rows += [cbpf.LoadAbsolute(number + 40, 1), cbpf.ALUOpConstant(cbpf.ALUOp.ADD, 1), cbpf.RetA()]
    return cbpf.Program(rows)
