"""Mutation testing of the optimiser: each mutation breaks one part, and the prover must find a counterexample."""

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.isa.opcodes import Action
from cbpf.optimizer.codegen import emit, instruction_selection, register_plan, switch_lowering
from cbpf.optimizer.ir import diagram, path_facts, range_tests, simplify, value_numbering
from cbpf.optimizer.passes import masked_tests, path_following, shortcuts, switch_merging, test_sharing
from support import random_programs
from support.corpus_filters import CORPUS

Mutation = Callable[[pytest.MonkeyPatch], None]


def _requirements_ignored(module: Any) -> Mutation:
    """Treat all requirements as satisfied in one module."""
    return lambda patch: patch.setattr(module, "unsatisfied", lambda *_: {})


def _join_keeps_one_path(patch: pytest.MonkeyPatch) -> None:
    """Apply the facts of the first edge to all edges."""
    patch.setattr(path_facts.PathFacts, "join", lambda self, other: self)


def _only_first_range(patch: pytest.MonkeyPatch) -> None:
    """Treat a value other than 5 as a value below 5."""
    patch.setattr(path_facts.Reasoner, "_relevant", lambda self, value, ranges, node_id: ranges[:1])


def _shortcuts_without_conditions(patch: pytest.MonkeyPatch) -> None:
    """Take each edge of a known path, whatever the facts are."""
    patch.setattr(shortcuts.Shortcuts, "_is_implied", lambda self, conditions, facts: True)


def _tests_shared_whatever_follows(patch: pytest.MonkeyPatch) -> None:
    """Replace a test by another one although the path from its target leads elsewhere."""
    patch.setattr(test_sharing._TestSharing, "_leads_to", lambda *_: True)


def _other_fixed_bits(patch: pytest.MonkeyPatch) -> None:
    """Compare the bits under a mask with other bits."""
    original = masked_tests._fixed_bits
    patch.setattr(masked_tests, "_fixed_bits", lambda ranges: (original(ranges)[0], original(ranges)[1] ^ 0x10))


def _bits_of_adjacent_byte(patch: pytest.MonkeyPatch) -> None:
    original = path_facts.Reasoner._bytes_of

    def mutated(self: path_facts.Reasoner, load: Any) -> Any:
        return [(byte, shift ^ 8 if load.size > 1 else shift) for byte, shift in original(self, load)]

    patch.setattr(path_facts.Reasoner, "_bytes_of", mutated)


def _greater_than_includes_equal(patch: pytest.MonkeyPatch) -> None:
    """Treat `jgt` as `jge`."""
    original = range_tests._ranges_left_of
    patch.setattr(
        range_tests,
        "_ranges_left_of",
        lambda action, c: original(Action.GREATER_OR_EQUAL if action is Action.GREATER_THAN else action, c),
    )


def _mask_ignored(patch: pytest.MonkeyPatch) -> None:
    """Treat a test of y & c as a test of y."""
    original = range_tests._inner_test_of_constant

    def mutated(table: Any, action: Action, left: int, c: int, ranges: Any) -> Any:
        return (left, ranges) if action is Action.AND else original(table, action, left, c, ranges)

    patch.setattr(range_tests, "_inner_test_of_constant", mutated)


def _code_skipped(patch: pytest.MonkeyPatch) -> None:
    """Enter each node after its loads."""
    patch.setattr(register_plan, "_entry_index", lambda plan, contents: len(plan.code))


def _registers_exchanged(patch: pytest.MonkeyPatch) -> None:
    original = instruction_selection.InstructionSelector._into_pair
    patch.setattr(
        instruction_selection.InstructionSelector,
        "_into_pair",
        lambda self, for_a, for_x, contents: original(self, for_x, for_a, contents),
    )


def _addend_lost(patch: pytest.MonkeyPatch) -> None:
    """Treat y + c as y."""
    original = value_numbering.ValueTable.split_sum
    patch.setattr(value_numbering.ValueTable, "split_sum", lambda self, value: (original(self, value)[0], 0))


def _constant_doubled(patch: pytest.MonkeyPatch) -> None:
    """Multiply and divide by twice the constant."""
    original = simplify._by_power_of_two
    patch.setattr(simplify, "_by_power_of_two", lambda table, action, left, c: original(table, action, left, 2 * c))


def _boundaries_moved(patch: pytest.MonkeyPatch) -> None:
    """Compare with k + 1 in each `jge` of a chain."""
    original = switch_lowering._shortest_chain

    def moved(jump: switch_lowering.ConditionalJump) -> switch_lowering.ConditionalJump:
        return jump._replace(k=(jump.k or 0) + (jump.action is Action.GREATER_OR_EQUAL))

    def mutated(ranges: Any) -> Any:
        chain = original(ranges)
        return chain._replace(jumps=tuple(map(moved, chain.jumps)))

    patch.setattr(switch_lowering, "_shortest_chain", mutated)


def _targets_exchanged(patch: pytest.MonkeyPatch) -> None:
    """Exchange the two targets of each `jset`."""
    original = emit._Emitter._emit_conditional

    def mutated(self: Any, action: Action, k: int | None, on_true: int, on_false: int) -> int:
        targets = (on_false, on_true) if action is Action.BITS_SET else (on_true, on_false)
        return original(self, action, k, *targets)

    patch.setattr(emit._Emitter, "_emit_conditional", mutated)


MUTATIONS: Final[dict[str, Mutation]] = {
    "jump threading ignores requirements": _requirements_ignored(path_following),
    "test grouping ignores requirements": _requirements_ignored(switch_merging),
    "guards removed": _requirements_ignored(diagram),
    "join keeps one path": _join_keeps_one_path,
    "only first range": _only_first_range,
    "shortcuts without conditions": _shortcuts_without_conditions,
    "tests shared whatever follows": _tests_shared_whatever_follows,
    "other fixed bits": _other_fixed_bits,
    "bits of adjacent byte": _bits_of_adjacent_byte,
    "jgt as jge": _greater_than_includes_equal,
    "mask ignored": _mask_ignored,
    "code skipped": _code_skipped,
    "registers exchanged": _registers_exchanged,
    "addend lost": _addend_lost,
    "constant doubled": _constant_doubled,
    "boundaries moved": _boundaries_moved,
    "targets exchanged": _targets_exchanged,
}


_JOINING_PATHS = """
    ldb [0]
    jeq #1, first, second
first:
    ldb [1]
    jeq #3, reject, join
second:
    ldb [2]
    jeq #4, reject, join
join:
    ldb [3]
    jeq #8, again, reject
again:
    ldb [0]
    jeq #1, accept1, accept2
accept1:
    ret #1
accept2:
    ret #2
reject:
    ret #0
"""


_WIRELESS = (
    "type mgt subtype probe-req or type mgt subtype probe-resp",
    "wlan host 02:00:00:00:00:01 or type ctl or not type mgt subtype probe-req",
)


@cache
def _programs() -> list[cbpf.Program]:
    """Return the corpus, programs with overlapping loads, joining paths and long paths, and random programs."""
    overlapping = cbpf.compile("ip[12:2] = 0x0a01 and (ip[12] = 10 or ip[13] = 2) and ip[14:2] != 5", optimizer=None)
    pairs = " or ".join(f"(src host 192.0.2.{n % 15} and dst port {n})" for n in range(30))
    random = Random("sabotage")  # a seed whose programs detect every mutation
    rows = [random_programs.plausible(random, longest=30, extensions=()) for _ in range(150)]
    valid = [cbpf.Program(program) for program in rows if not cbpf.findings(program)]
    special = [overlapping, cbpf.parse(_JOINING_PATHS, format="asm"), cbpf.compile(pairs, optimizer=None)]
    special += [cbpf.compile(text, link_type="IEEE802_11", optimizer=None) for text in _WIRELESS]
    return [*special, *(filter.program() for filter in CORPUS), *valid]


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations_are_detected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = _programs()
    MUTATIONS[name](monkeypatch)
    for program in programs:
        try:
            optimized = cbpf.optimize(program)
        except (AssertionError, IndexError, KeyError, cbpf.FieldError):  # an exception is not a wrong result
            continue
        difference = cbpf.difference(program, optimized, longest=262_144)
        if difference is not None:
            assert difference.left_verdict != difference.right_verdict
            return
    pytest.fail(f"{name}: no program was changed, or no difference was found")


def test_a_failed_proof_carries_the_counterexample(monkeypatch: pytest.MonkeyPatch) -> None:
    _code_skipped(monkeypatch)
    with pytest.raises(cbpf.ProofFailed) as caught:
        cbpf.optimize(CORPUS[20].program(), prove=True)
    assert str(caught.value).startswith("optimiser bug: the optimised program is not equivalent to the input: ")
    difference = caught.value.difference
    assert isinstance(difference, cbpf.Difference)
    assert difference.left_verdict != difference.right_verdict
