"""The meaning of programs as decision diagrams, compared with runs."""

from itertools import pairwise
from random import Random

import pytest

import cbpf
from cbpf import SECCOMP
from cbpf.isa.dialects import Dialect
from cbpf.seccomp import SystemCall
from cbpf.seccomp.diagrams.decision_diagram import FALSE, LEAF, TRUE, DecisionDiagram, TooManySteps
from cbpf.seccomp.diagrams.opaque_words import OpaqueWords
from cbpf.seccomp.diagrams.program_diagram import ComputedVerdict, ProgramMeaning
from cbpf.seccomp.diagrams.record_bits import FIELDS, RECORD_BITS, first_variable
from support.project import Rounds
from support.proofs import program
from support.random_choices import below, pick
from support.random_seccomp_filters import random_filter

BIG = SECCOMP.replace(byte_order="big")
WORDS = (0, 1, 2, 38, 41, 0xFF, 0x40000003, 0xC000003E, 0x40000029, 0x80000000, 0xFFFFFFFF)


def true_bits(call: SystemCall) -> frozenset[int]:
    """Return the variables of the bits of a call that are 1."""
    numbers = (call.audit_arch, call.number, *call.arguments, call.instruction_pointer)
    return frozenset(
        field.first + bit
        for field, number in zip(FIELDS, numbers, strict=True)
        for bit in range(field.bits)
        if number >> field.bits - 1 - bit & 1
    )


def random_call(random: Random) -> SystemCall:
    words = [pick(random, WORDS) if random.random() < 0.8 else below(random, 1 << 32) for _ in range(16)]
    arguments = [words[index] << 32 | words[index + 1] for index in range(0, 12, 2)]
    return SystemCall(words[12], arguments, architecture=words[13], instruction_pointer=words[14] << 32 | words[15])


def meaning_of(text: str, dialect: Dialect = SECCOMP) -> tuple[DecisionDiagram, ProgramMeaning]:
    diagram = DecisionDiagram()
    return diagram, ProgramMeaning(diagram, program(text), dialect, OpaqueWords(diagram))


def test_each_word_of_the_record_has_its_own_variables() -> None:
    for byte_order in ("little", "big"):
        first = [first_variable(offset, byte_order) for offset in range(0, 64, 4)]
        assert sorted(first) == list(range(0, RECORD_BITS, 32))


def random_dialect(random: Random) -> Dialect:
    return pick(random, (SECCOMP.replace(byte_order="little"), BIG))


def test_verdicts_are_those_of_runs(rounds: Rounds) -> None:
    for random in rounds(64):
        dialect = random_dialect(random)
        filter_ = random_filter(random, clauses=8)
        vm = cbpf.VM(filter_, dialect=dialect, engine="python")
        diagram = DecisionDiagram()
        meaning = ProgramMeaning(diagram, filter_, dialect, OpaqueWords(diagram))
        for call in (random_call(random) for _ in range(20)):
            node = meaning.verdict
            bits = true_bits(call)
            while diagram.variables[node] < RECORD_BITS:
                node = (diagram.high if diagram.variables[node] in bits else diagram.low)[node]
            possible = {diagram.leaf_value(leaf) for leaf in diagram.reachable(node) if diagram.is_leaf(leaf)}
            assert vm.run(call.to_bytes(dialect.byte_order)) in possible
            rounds.checked_count += len(possible) == 1
    assert rounds.checked_count > 19 * rounds.count


def test_conditions_of_instructions_and_branches_are_those_of_runs(rounds: Rounds) -> None:
    for random in rounds(16, min_checked=0.8):
        filter_ = random_filter(random, clauses=4)
        vm = cbpf.VM(filter_, dialect=SECCOMP, engine="interpreter")
        diagram = DecisionDiagram()
        meaning = ProgramMeaning(diagram, filter_, SECCOMP, OpaqueWords(diagram))
        if any(RECORD_BITS <= variable < LEAF for variable in diagram.variables):
            continue
        rounds.checked()
        reached = [(index, meaning.reached(index)) for index in range(len(filter_))]
        branches = {
            index: meaning.branch(index) for index, raw in enumerate(filter_) if raw.op & 7 == 5 and raw.jt != raw.jf
        }
        for call in (random_call(random) for _ in range(5)):
            bits = true_bits(call)
            executed = [step.index for step in vm.trace(call.to_bytes(SECCOMP.byte_order))]
            assert executed == [index for index, node in reached if diagram.value(node, bits) == (bool, True)]
            for index, following in pairwise(executed):
                if index in branches:
                    outcomes = [diagram.value(outcome, bits) == (bool, True) for outcome in branches[index]]
                    assert outcomes == [following == index + 1 + jump for jump in filter_[index][1:3]]


def test_a_division_by_zero_ends_the_run_with_kill_thread() -> None:
    diagram, meaning = meaning_of("ld [16];and #3;tax;ld #6;div x;jeq #3,0,1;ret #1;ret #2")
    verdicts = [diagram.value(meaning.verdict, true_bits(SystemCall(0, (value,)))) for value in range(5)]
    assert verdicts == [0, 2, 1, 2, 0]


def test_words_of_many_paths_are_merged() -> None:
    """Sixteen paths lead to the last test, each with another number in A."""
    rows = ["ld #0", "st M[0]"]
    for bit in range(4):
        rows += ["ld [16]", f"jset #{1 << bit},0,3", "ld M[0]", f"add #{1 << bit}", "st M[0]"]
    rows += ["ld M[0]", "jeq #11,0,1", "ret #1", "ret #2"]
    diagram, masked = meaning_of("ld [16];and #15;jeq #11,0,1;ret #1;ret #2")
    summed = ProgramMeaning(diagram, program(";".join(rows)), SECCOMP, OpaqueWords(diagram))
    assert summed.verdict == masked.verdict


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ld [16];sub #5;jeq #2,0,1;ret #1;ret #2", "ld [16];jeq #7,0,1;ret #1;ret #2"),
        ("ld [16];xor #0xff;and #0xff;jeq #0xf0,0,1;ret #1;ret #2", "ld [16];and #255;jeq #15,0,1;ret #1;ret #2"),
        ("ld [16];rsh #8;jge #3,0,1;ret #1;ret #2", "ld [16];jge #0x300,0,1;ret #1;ret #2"),
        ("ld [16];div #3;jgt #9,0,1;ret #1;ret #2", "ld [16];jge #30,0,1;ret #1;ret #2"),
        ("ld [16];mul #4;jeq #8,0,1;ret #1;ret #2", "ld [16];and #0x3fffffff;jeq #2,0,1;ret #1;ret #2"),
        ("ld [16];neg;jeq #-3,0,1;ret #1;ret #2", "ld [16];jeq #3,0,1;ret #1;ret #2"),
        ("ld [16];tax;ld [16];jeq x,0,1;ret #1;ret #2", "ret #1"),
        ("ld [0];st M[0];ld [4];ld M[0];jeq #1,0,1;ret #1;ret #2", "ld [0];jeq #1,0,1;ret #1;ret #2"),
        ("ld [16];jeq #1,1,0;jeq #2,0,1;ret #1;ret #2", "ld [16];sub #1;jgt #1,1,0;ret #1;ret #2"),
        ("ld [16];and #1;add #0x50000;ret a", "ld [16];jset #1,0,1;ret #0x50001;ret #0x50000"),
        ("ld #len;jeq #64,0,1;ret #1;ret #2", "ret #1"),
    ],
)
def test_equivalent_programs_have_one_function(left: str, right: str) -> None:
    diagram = DecisionDiagram()
    opaque = OpaqueWords(diagram)
    functions = {ProgramMeaning(diagram, program(text), SECCOMP, opaque).verdict for text in (left, right)}
    assert len(functions) == 1


@pytest.mark.parametrize("test", ["jeq x", "mul x;jeq #7"])
def test_words_without_a_small_diagram_are_opaque_and_equal_operations_are_equal(test: str) -> None:
    text = f"ld [16];tax;ld [24];{test},0,1;ret #1;ret #2"
    diagram = DecisionDiagram(max_steps=40_000)
    opaque = OpaqueWords(diagram)
    verdicts = {ProgramMeaning(diagram, program(text), SECCOMP, opaque).verdict for _ in range(2)}
    (verdict,) = verdicts
    assert all(diagram.variables[node] >= RECORD_BITS for node in diagram.reachable(verdict))


def test_a_verdict_that_may_be_any_number_is_computed() -> None:
    diagram, meaning = meaning_of("ld [16];ret a")
    assert isinstance(diagram.leaf_value(meaning.verdict), ComputedVerdict)


def test_instructions_that_no_call_reaches_are_found() -> None:
    _, meaning = meaning_of("ld [0];and #1;jgt #1,0,1;ret #1;jgt #0,0,1;ret #2;jeq #0,0,1;ret #3;ret #4")
    assert [index for index in range(9) if meaning.reached(index) == FALSE] == [3, 8]
    assert meaning.branch(6)[1] == FALSE
    assert meaning.reached(0) == TRUE


def test_the_steps_of_a_program_are_limited() -> None:
    bits = [1 << index * 11 % 32 for index in range(99)]
    rows = [f"ld [16];and #{bit | 37 << index % 27};jeq #{bit},0,1;ret #{index}" for index, bit in enumerate(bits)]
    diagram = DecisionDiagram(max_steps=20_000)
    with pytest.raises(TooManySteps):
        ProgramMeaning(diagram, program(";".join([*rows, "ret #99"])), SECCOMP, OpaqueWords(diagram))
