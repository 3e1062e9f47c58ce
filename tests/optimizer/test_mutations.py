"""Wrong rewrites must be found: each part of the optimiser is broken in turn, and the prover gives a counterexample."""

from collections.abc import Callable
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.isa.opcodes import Action
from cbpf.optimizer.codegen import emit, instruction_selection, register_plan, switch_lowering
from cbpf.optimizer.ir import diagram, path_facts, range_tests, simplify, value_numbering
from cbpf.optimizer.passes import jump_threading, switch_merging
from support import random_programs
from support.corpus_filters import CORPUS

Sabotage = Callable[[pytest.MonkeyPatch], None]


def _nothing_is_missing(module: Any) -> Sabotage:
    """Requirements are taken for met."""
    return lambda patch: patch.setattr(module, "unsatisfied", lambda *_: {})


def _facts_of_one_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(path_facts.PathFacts, "join", lambda self, other: self)


def _gaps_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A value that is not 5 is taken for one that is below 5."""
    patch.setattr(path_facts.Reasoner, "_relevant", lambda self, value, ranges, node: ranges[:1])


def _bits_of_the_wrong_byte(patch: pytest.MonkeyPatch) -> None:
    right = path_facts.Reasoner._bytes_of

    def wrong(self: path_facts.Reasoner, load: Any) -> Any:
        return [(byte, place ^ 8 if load.size > 1 else place) for byte, place in right(self, load)]

    patch.setattr(path_facts.Reasoner, "_bytes_of", wrong)


def _greater_or_equal(patch: pytest.MonkeyPatch) -> None:
    """`jgt` is taken for `jge`."""
    right = range_tests._accepted
    patch.setattr(
        range_tests,
        "_accepted",
        lambda action, c: right(Action.GREATER_OR_EQUAL if action is Action.GREATER_THAN else action, c),
    )


def _masks_are_prefixes(patch: pytest.MonkeyPatch) -> None:
    right = range_tests._inner_of_constant

    def wrong(table: Any, action: Action, left: int, c: int, ranges: Any) -> Any:
        return (left, ranges) if action is Action.AND else right(table, action, left, c, ranges)

    patch.setattr(range_tests, "_inner_of_constant", wrong)


def _loads_are_skipped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(register_plan, "_entry", lambda plan, held: len(plan.steps))


def _operands_swapped(patch: pytest.MonkeyPatch) -> None:
    right = instruction_selection.InstructionSelector.pair
    patch.setattr(
        instruction_selection.InstructionSelector,
        "pair",
        lambda self, for_a, for_x, held: right(self, for_x, for_a, held),
    )


def _no_carry(patch: pytest.MonkeyPatch) -> None:
    """y + c is taken for y."""
    right = value_numbering.ValueTable.terms
    patch.setattr(value_numbering.ValueTable, "terms", lambda self, one: (right(self, one)[0], 0))


def _divided_by_too_much(patch: pytest.MonkeyPatch) -> None:
    right = simplify._by_power_of_two
    patch.setattr(simplify, "_by_power_of_two", lambda table, action, left, c: right(table, action, left, 2 * c))


def _borders_moved(patch: pytest.MonkeyPatch) -> None:
    right = switch_lowering._shortest_chain

    def moved(one: switch_lowering.ConstantTest) -> switch_lowering.ConstantTest:
        return one._replace(k=(one.k or 0) + (one.action is Action.GREATER_OR_EQUAL))

    def wrong(ranges: Any) -> Any:
        chain = right(ranges)
        return chain._replace(tests=tuple(map(moved, chain.tests)))

    patch.setattr(switch_lowering, "_shortest_chain", wrong)


def _targets_exchanged(patch: pytest.MonkeyPatch) -> None:
    right = emit._Writer._conditional

    def wrong(self: Any, action: Action, k: int | None, on_true: int, on_false: int) -> int:
        return right(self, action, k, *((on_false, on_true) if action is Action.BITS_SET else (on_true, on_false)))

    patch.setattr(emit._Writer, "_conditional", wrong)


SABOTAGES: Final[dict[str, Sabotage]] = {
    "threading past loads": _nothing_is_missing(jump_threading),
    "grouping past loads": _nothing_is_missing(switch_merging),
    "no guards": _nothing_is_missing(diagram),
    "facts of one way": _facts_of_one_way,
    "gaps lost": _gaps_are_lost,
    "wrong byte": _bits_of_the_wrong_byte,
    "jgt as jge": _greater_or_equal,
    "masks as prefixes": _masks_are_prefixes,
    "loads skipped": _loads_are_skipped,
    "operands swapped": _operands_swapped,
    "no carry": _no_carry,
    "divided by too much": _divided_by_too_much,
    "borders moved": _borders_moved,
    "targets exchanged": _targets_exchanged,
}


_TWO_WAYS_MEET = """
    ldb [0]
    jeq #1, first, second
first:
    ldb [1]
    jeq #3, dead, meeting
second:
    ldb [2]
    jeq #4, dead, meeting
meeting:
    ldb [3]
    jeq #8, again, dead
again:
    ldb [0]
    jeq #1, one, other
one:
    ret #1
other:
    ret #2
dead:
    ret #0
"""


def _programs() -> list[cbpf.Program]:
    """The corpus, what ties loads of different widths together, two ways that meet, and random programs."""
    overlapping = cbpf.compile("ip[12:2] = 0x0a01 and (ip[12] = 10 or ip[13] = 2) and ip[14:2] != 5", optimizer=None)
    random = Random("sabotage")
    rows = [random_programs.plausible(random, longest=30, extensions=()) for _ in range(150)]
    raw = [cbpf.Program(one) for one in rows if not cbpf.findings(one)]
    return [overlapping, cbpf.parse(_TWO_WAYS_MEET, format="asm"), *(filter.program() for filter in CORPUS), *raw]


@pytest.mark.parametrize("name", SABOTAGES)
def test_sabotage_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = _programs()
    SABOTAGES[name](monkeypatch)
    for program in programs:
        try:
            optimized = cbpf.optimize(program)
        except (AssertionError, IndexError, KeyError, cbpf.FieldError):  # it broke down, which is not what is asked
            continue
        found = cbpf.difference(program, optimized, longest=262_144)
        if found is not None:
            assert found.left_verdict != found.right_verdict
            return
    pytest.fail(f"{name}: no program was made another, or no difference was found")


def test_the_optimiser_says_what_it_got_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    _loads_are_skipped(monkeypatch)
    with pytest.raises(cbpf.ProofFailed) as caught:
        cbpf.optimize(CORPUS[20].program(), prove=True)
    found = caught.value.difference
    assert isinstance(found, cbpf.Difference)
    assert found.left_verdict != found.right_verdict
