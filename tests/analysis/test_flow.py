"""Flow: its graph is compared with brute force, and its claims with executions of the interpreter."""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.analysis import abstract_machine, abstract_state, abstract_value, cfg
from cbpf.analysis.abstract_machine import AbstractMachine
from cbpf.analysis.abstract_value import Known
from cbpf.analysis.flow import Flow
from cbpf.isa.opcodes import OPCODE_BY_CODE, Action
from support import random_programs
from support.corpus_filters import CORPUS, ETHERNET
from support.project import Rounds


class Word(int):
    """A 32-bit number with the arithmetic of the machine, to evaluate the terms that are names of words."""


def _operation(method: str) -> Any:
    def operate(self: int, other: int) -> Word:
        return Word(getattr(int, method)(int(self), int(other)) & 0xFFFFFFFF)

    return operate


_METHODS = ("add", "sub", "mul", "mod", "or", "and", "xor", "lshift", "rshift")
for _python, _method in [*((f"__{name}__", f"__{name}__") for name in _METHODS), ("__truediv__", "__floordiv__")]:
    setattr(Word, _python, _operation(_method))


class Execution:
    """One execution of a program, in which terms can be evaluated."""

    def __init__(self, vm: cbpf.VM, packet: bytes, wire_length: int | None) -> None:
        self.packet = packet
        self.byte_order = vm.dialect.byte_order
        self.length = len(packet) if wire_length is None else wire_length
        self.steps = list(vm.trace(packet, wire_length=wire_length))
        self.before = {}
        a, x, scratch = 0, 0, tuple([0] * 16)
        for step in self.steps:
            self.before[step.index] = a, x, scratch
            a, x, scratch = step.a, step.x, step.scratch

    def _load(self, position: int, size: int) -> Word:
        """Return the result of a load; as a named load is claimed to have succeeded, the packet must have its bytes."""
        data = self.packet[position : position + size]
        assert len(data) == size, f"a load of {size} bytes at {position} was never executed"
        return Word(int.from_bytes(data, self.byte_order))

    def value(self, name: str) -> int | None:
        """Return the value of a term; None if it depends on inputs other than the packet and its lengths."""
        text = re.sub(r"(?:\b([ax])|M\[(\d+)\])@(\d+)", lambda match: self._register(*match.groups()), name)
        while (changed := re.sub(r"\[([^][]*):(\d)\]", r"load(\1, \2)", text)) != text:
            text = changed
        if "[" in text or set(re.findall(r"\b[A-Za-z_]\w*", text)) - {"load", "len", "captured"}:
            return None
        text = re.sub(r"\b(0x[0-9a-f]+|\d+)\b", r"Word(\1)", text)
        scope = {"Word": Word, "load": self._load, "len": Word(self.length), "captured": Word(len(self.packet))}
        return int(eval(text, scope))

    def _register(self, register: str | None, slot: str | None, index: str) -> str:
        if int(index) not in self.before:
            return "unknown"
        a, x, scratch = self.before[int(index)]
        return f"({a if register == 'a' else x if register else scratch[int(slot or 0)]})"


def check_execution(flow: Flow, execution: Execution) -> int:
    """Assert that each claim of *flow* holds in an execution; return the number of terms evaluated."""
    evaluated = 0
    for step in execution.steps:
        facts = flow.facts(step.index)
        assert facts is not None, f"{step.index} is reached"
        a, x, scratch = execution.before[step.index]
        for word, value in zip((facts.a, facts.x, *facts.scratch), (a, x, *scratch), strict=True):
            assert word.may_be(value), (step.index, str(word), value)
            assert word.low <= value <= word.high
            evaluated += _check_name(execution, word, value)
        assert facts.captured <= len(execution.packet)
        evaluated += sum(_check_refinement(execution, word) for word in facts.refinements)
        for name in facts.loads:
            execution.value(name)
        _check_load(flow, step)
    for step, following in pairwise(execution.steps):
        block = flow.block_at(step.index)
        if step.index == block.stop - 1:
            target = flow.block_at(following.index).number
            [edge] = [edge for edge in block.edges if edge.target == target and edge.outcome in (None, step.taken)]
            assert edge.is_feasible
    return evaluated


def _check_name(execution: Execution, word: Known, actual: int) -> bool:
    value = execution.value(word.name)
    assert value is None or value == actual, (word.name, value, actual)
    return value is not None


def _check_refinement(execution: Execution, word: Known) -> bool:
    value = execution.value(word.name)
    assert value is None or word.may_be(value), (str(word), value)
    return value is not None


def _check_load(flow: Flow, step: cbpf.Step) -> None:
    if step.fetched is None:
        return
    loads = [load for load in flow.loads if load.index == step.index]
    if not loads:  # a load that no packet can satisfy
        assert step.fetched.value is None
    elif loads[0].header == "packet":
        [load] = loads
        assert load.size == step.fetched.size
        assert load.first <= step.fetched.position
        assert load.last is None or step.fetched.position <= load.last


def random_execution(random: Random) -> tuple[Flow, Execution]:
    """Return a random program that its dialect accepts, executed on a random packet."""
    while True:
        dialect = (cbpf.PCAP, cbpf.LINUX, cbpf.SECCOMP)[int(random.random() * 3)]
        if dialect is cbpf.SECCOMP:
            program, packet = random_programs.seccomp(random), bytes(int(random.random() * 256) for _ in range(64))
        else:
            program = random_programs.plausible(random, extensions=random_programs.EXTENSIONS)
            packet = random_programs.packet(random)
        if not cbpf.findings(program, dialect=dialect):
            wire_length = None if random.random() < 0.5 else int(random.random() * 2**32)
            return Flow(program, dialect=dialect), Execution(cbpf.VM(program, dialect=dialect), packet, wire_length)


@pytest.mark.fuzz
def test_claims_hold_in_executions_of_random_programs(rounds: Rounds) -> None:
    evaluated = 0
    for random in rounds(1500):
        flow, execution = random_execution(random)
        evaluated += check_execution(flow, execution)
        assert len(execution.steps) <= flow.longest
    assert evaluated > 0


@pytest.mark.fuzz
def test_claims_hold_in_executions_of_expressions(rounds: Rounds) -> None:
    flows: dict[str, tuple[Flow, cbpf.VM]] = {}
    for random in rounds(400):
        expression = ETHERNET[int(random.random() * len(ETHERNET))]
        if expression not in flows:
            program = cbpf.compile(expression)
            flows[expression] = Flow(program), cbpf.VM(program)
        flow, vm = flows[expression]
        packet = random_programs.packet(random)
        execution = Execution(vm, packet, None)
        check_execution(flow, execution)
        if execution.steps[-1].fetched is None:  # otherwise it may have ended at a load outside the packet
            assert flow.shortest <= len(execution.steps) <= flow.longest
        if flow.bytes_inspected is not None:
            truncated = packet[: flow.bytes_inspected]
            assert vm.evaluate(truncated, wire_length=len(packet)) == vm.evaluate(packet)


def _exchange_edges(machine: Any, truth: Any, outcome: bool, target: int) -> Any:
    return edge_of(machine, truth, not outcome, target)._replace(outcome=outcome)


edge_of = AbstractMachine._edge
state_facts = abstract_state.AbstractState.facts
MUTATIONS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "the edges of a branch are exchanged": lambda patch: patch.setattr(AbstractMachine, "_edge", _exchange_edges),
    "intervals are 4 bits too narrow": lambda patch: patch.setattr(
        abstract_machine, "interval", lambda name, low=0, high=2**32 - 1: abstract_value.interval(name, low, high >> 4)
    ),
    "sums do not wrap": lambda patch: patch.setitem(
        abstract_value._RANGES, Action.ADD, lambda left, right: (min(left.low + right.low, 2**32 - 1), 2**32 - 1)
    ),
    "the captured length is one byte too high": lambda patch: patch.setattr(
        abstract_state.AbstractState, "facts", lambda self: state_facts(self).replace(captured=self.captured.low + 1)
    ),
    "only the first incoming edge counts": lambda patch: patch.setattr(
        cfg, "join_states", lambda states, index: states[0].copy()
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_mutations_of_the_analysis_are_detected(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks of the claims fail if the analysis is incorrect."""
    MUTATIONS[mutation](monkeypatch)
    with pytest.raises(AssertionError):
        _check_many()


def _check_many() -> None:
    for seed in range(2000):
        check_execution(*random_execution(Random(f"mutation {seed}")))


def successors(program: cbpf.Program, index: int) -> set[int]:
    """Return the successors of an instruction, from its fields."""
    raw = program[index]
    action = OPCODE_BY_CODE[raw.op].action
    if action in (Action.EQUAL, Action.GREATER_THAN, Action.GREATER_OR_EQUAL, Action.BITS_SET):
        return {index + 1 + raw.jt, index + 1 + raw.jf}
    if action is Action.JUMP:
        return {index + 1 + raw.k}
    return set() if action is Action.RETURN else {index + 1}


def paths(program: cbpf.Program, start: int = 0) -> Iterator[tuple[int, ...]]:
    """Yield each path from an instruction to a `ret`."""
    following = successors(program, start)
    if not following:
        yield (start,)
    for index in following:
        for rest in paths(program, index):
            yield start, *rest


@pytest.mark.fuzz
def test_blocks_and_dominators_match_all_paths(rounds: Rounds) -> None:
    for random in rounds(400, min_checked=0.9):
        program = cbpf.Program(random_programs.plausible(random, longest=14))
        if cbpf.findings(program):
            continue
        rounds.checked()
        flow, all_paths = Flow(program), list(paths(program))
        reached = set().union(*all_paths)
        assert set(flow.unreachable) == set(range(len(program))) - reached
        assert [index for block in flow.blocks for index in range(block.start, block.stop)] == list(range(len(program)))
        for block in flow.blocks:
            for index in range(block.start, block.stop - 1):
                assert successors(program, index) == {index + 1}
            assert {flow.blocks[edge.target].start for edge in block.edges} == successors(program, block.stop - 1)
            assert set(block.predecessors) == {
                other.number for other in flow.blocks for edge in other.edges if edge.target == block.number
            }
            prefixes = [set(path[: path.index(block.start)]) for path in all_paths if block.start in path]
            common = set.intersection(*prefixes) if prefixes else set()
            expected = flow.block_at(max(common)).number if common else None
            assert block.dominator == expected, program


@pytest.mark.fuzz
def test_shortest_and_longest_match_all_feasible_paths(rounds: Rounds) -> None:
    for random in rounds(400, min_checked=0.9):
        program = cbpf.Program(random_programs.plausible(random, longest=14))
        if cbpf.findings(program):
            continue
        rounds.checked()
        flow = Flow(program)
        feasible = {
            (block.stop - 1, flow.blocks[edge.target].start)
            for block in flow.blocks
            for edge in block.edges
            if edge.is_feasible
        }
        ends = {block.stop - 1 for block in flow.blocks}
        lengths = [
            len(path)
            for path in paths(program)
            if all(step in feasible for step in pairwise(path) if step[0] in ends)
            and not set(path) & set(flow.infeasible)
        ]
        if lengths:
            assert flow.shortest == min(lengths)
            assert flow.longest >= max(lengths)
        if not flow.infeasible and all(
            any(edge.is_feasible for edge in block.edges) for block in flow.blocks if block.edges
        ):
            assert flow.longest == max(lengths)


ENDS = "; yes: ret #1; no: ret #2; other: ret #3"


@pytest.mark.parametrize(
    ("text", "infeasible"),
    [
        ("ld #5; jeq #5,yes,no", {2}),
        ("ldh [12]; jeq #0x800,l,other; l: ldh [12]; jeq #0x800,yes,no", {2}),
        ("ldh [12]; jeq #0x800,l,other; l: jgt #0x7ff,yes,no", {2}),
        ("ldh [12]; jeq #0x800,other,l; l: ld [0]; ldh [12]; jeq #0x800,yes,no", {1}),
        ("ldb [0]; jgt #255,yes,no", {1}),
        ("ldb [0]; and #3; jgt #3,yes,no", {1}),
        ("ldb [0]; jset #0x100,yes,no", {1}),
        ("ldb [0]; jset #6,other,l; l: and #6; jeq #0,yes,no", {2}),
        ("ld len; jge #20,l,other; l: jge #20,yes,no", {2}),
        ("ld len; tax; ld [0]; jgt x,l,other; l: jgt x,yes,no", {2}),
        ("ld len; tax; ld [0]; jgt x,other,l; l: jgt x,yes,no", {1}),
        ("ld len; tax; jeq x,yes,no", {2}),
        ("ldx len; ld #5; jgt x,l,other; l: txa; jge #5,yes,no", {1}),
        ("ldb [0]; tax; ld #300; jgt x,yes,no", {2}),
        ("ldb [0]; tax; ldb [1]; add #256; jeq x,yes,no", {1}),
        ("ld [0]; jeq #1,l,k; k: jeq #2,l,other; l: jgt #2,yes,no", {1}),
        ("ldh [12]; jeq #1,l,k; k: jeq #2,l,other; l: jeq #1,other,m; m: jeq #2,yes,no", {2}),
        ("ld #0; tax; ld #1; div x; jeq #1,yes,no", {1, 2}),
        ("ld len; tax; ld #1; div x; txa; jeq #0,yes,no", {1}),
        ("ld [0x80000000]; jeq #1,yes,no", {1, 2}),
        ("ldx #0x7fffffff; ld [x + 1]; jeq #1,yes,no", {1, 2}),
        ("ld [0]; st M[0]; ldx M[0]; jeq x,yes,no", {2}),
        ("ld rand; tax; ld rand; jeq x,yes,no", set()),
        ("ld len; jeq #0,yes,no", set()),
        ("ld [0]; jge #5,l,other; l: ld [4]; jge #5,yes,no", set()),
        ("ld [0]; lsh #8; jge #5,l,other; l: jset #0xff,yes,no", set()),
    ],
)
def test_conditions_that_always_fail_are_found(text: str, infeasible: set[int]) -> None:
    flow = Flow(cbpf.parse((text + ENDS).replace("; ", "\n")))
    ends = {flow.program[block.start].k: block for block in flow.blocks if not block.edges}
    assert {k for k, block in ends.items() if block.is_reachable and not block.is_feasible} == infeasible


def test_facts_after_a_join_hold_on_both_incoming_edges() -> None:
    program = cbpf.parse(
        "ldh [12]\njeq #0x800,1,0\njeq #0x86dd,0,4\nldb [20]\nst M[1]\nldx 4*([14]&0xf)\nret #1\nret #0"
    )
    flow = Flow(program)
    facts = flow.facts(3)
    assert facts is not None
    assert str(facts.a) == "[12:2] in {0x800, 0x86dd}"
    assert (facts.captured, facts.loads) == (14, ("[12:2]",))
    facts = flow.facts(6)
    assert facts is not None
    assert (str(facts.x), facts.captured) == ("(([14:1] & 0xf) << 2) in 0..0x3c", 21)
    assert facts.scratch[1].name == "[20:1]"
    assert [str(known) for known in facts.refinements] == ["[12:2] in {0x800, 0x86dd}"]


def test_loads_slots_and_extensions_are_reported() -> None:
    flow = Flow(cbpf.compile("tcp port 443"))
    assert "[(([14:1] & 0xf) << 2) + 16:2] within 16..77" in [str(load) for load in flow.loads]
    assert flow.bytes_inspected == 78
    flow = Flow(cbpf.parse("ld [0]\ntax\nst M[3]\nldb [x + 1]\nld M[3]\nld len\nld mark\nret a"))
    assert (flow.bytes_inspected, flow.slots_read, flow.slots_written) == (None, (3,), (3,))
    assert flow.extensions == (cbpf.Extension.LEN, cbpf.Extension.MARK)
    flow = Flow(cbpf.parse("ldb [0xfff00009]\nldb [0xffe0000c]\nldx #3\nldb [x + 1]\nret a"), dialect=cbpf.LINUX)
    assert [str(load) for load in flow.loads] == ["network header 9", "link header 12", "4"]
    assert Flow(cbpf.parse("ret #1")).bytes_inspected == 0
    facts = Flow(cbpf.parse("ld [60]\nret #1"), dialect=cbpf.SECCOMP).facts(0)
    assert facts is not None
    assert facts.captured == 64


def test_invalid_arguments_are_rejected() -> None:
    with pytest.raises(cbpf.VerificationError, match="the last instruction"):
        Flow(cbpf.parse("ld #1"))
    with pytest.raises(cbpf.VerificationError):
        Flow(cbpf.compile("arp"), dialect=cbpf.SECCOMP)
    with pytest.raises(cbpf.FieldError, match=r"use cbpf\.LINUX"):
        Flow(cbpf.parse("ret #1"), dialect="linux")  # type: ignore[arg-type]
    flow = Flow(cbpf.parse("ret #1"))
    for index in (1, -2):
        with pytest.raises(IndexError):
            flow.facts(index)
    with pytest.raises(AttributeError, match="immutable"):
        flow.blocks = ()
    assert flow.facts(-1) == flow.facts(0)


def test_unreachable_instructions_have_blocks_and_no_facts() -> None:
    flow = Flow(cbpf.parse("ja 2\nld #1\njeq #1,0,0\nret #1\nret #2"))
    assert flow.unreachable == (1, 2, 4)
    assert flow.facts(1) is None
    assert [(block.is_reachable, block.dominator) for block in flow.blocks] == [
        (True, None),
        (False, None),
        (True, 0),
        (False, None),
    ]
    assert flow.blocks[1].edges[0].outcome is None
    assert flow.verdict(flow.blocks[3]) is None


def test_edges_of_a_block_that_no_execution_leaves_have_conditions() -> None:
    flow = Flow(cbpf.parse("ld [0x80000000]\njeq #1,0,1\nret #1\nret #0"))
    assert [(edge.condition, edge.is_feasible) for edge in flow.blocks[0].edges] == [
        ("a@1 == 1", False),
        ("a@1 != 1", False),
    ]
    assert (flow.shortest, flow.longest, flow.infeasible) == (1, 1, (1, 2, 3))


def test_a_flow_is_an_immutable_value() -> None:
    import pickle

    flow = Flow(cbpf.compile("arp"))
    assert pickle.loads(pickle.dumps(flow)) == flow == Flow(cbpf.compile("arp"))
    assert hash(flow) == hash(Flow(cbpf.compile("arp")))
    assert flow != Flow(cbpf.compile("arp"), dialect=cbpf.LINUX)
    assert flow != "flow"
    assert repr(flow) == "<Flow of 4 instructions in 3 blocks, pcap>"


def test_remembered_words_and_loads_are_bounded() -> None:
    """Long chains of tests and of loads take linear time, as the analysis remembers at most 64 words and 64 loads."""
    rows = [(0x28, 0, 0, 12)] + [(0x15, 0, 0, index) for index in range(1000)] + [(0x06, 0, 0, 0)]
    flow = Flow(rows)
    assert flow.longest == 1002
    rows = [row for index in range(1000) for row in ((0x28, 0, 0, index), (0x15, 0, 1, index))] + [(0x06, 0, 0, 0)] * 2
    flow = Flow(rows)
    facts = flow.facts(-1)
    assert facts is not None
    assert len(facts.loads) <= 64
    assert len(facts.refinements) <= 64


def test_optimized_programs_have_no_infeasible_instructions() -> None:
    """The facts of the optimiser are finer than those of a flow: it leaves nothing that a flow calls infeasible."""
    plain = [filter.program() for filter in CORPUS]
    assert sum(len(Flow(program).infeasible) for program in plain) > 200
    assert all(not Flow(cbpf.optimize(program)).infeasible for program in plain)


def test_a_flow_does_not_relate_overlapping_loads() -> None:
    """A flow knows a load by its name; the optimiser knows the bits of each byte, and removes the second test."""
    program = cbpf.parse("ldh [12]\njeq #0x800,0,3\nldb [12]\njeq #8,0,1\nret #1\nret #0")
    assert Flow(program).infeasible == ()
    assert len(cbpf.optimize(program)) == 4
