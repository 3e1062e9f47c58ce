"""The parts of programs without effect, compared with the exact conditions of paths."""

import pytest

from cbpf import SECCOMP
from cbpf.seccomp.diagrams.decision_diagram import FALSE, DecisionDiagram, TooManySteps
from cbpf.seccomp.diagrams.opaque_words import OpaqueWords
from cbpf.seccomp.diagrams.program_diagram import ProgramMeaning
from cbpf.seccomp.diagrams.program_effects import ProgramEffects
from support import random_seccomp
from support.project import Rounds
from support.proofs import program
from support.random_seccomp_filters import random_filter


def effects_of(text: str) -> tuple[list[int], list[int]]:
    """Return the instructions of a program that are not reached, and its constant tests."""
    filter_ = program(text)
    diagram = DecisionDiagram()
    effects = ProgramEffects(diagram, ProgramMeaning(diagram, filter_, SECCOMP, OpaqueWords(diagram)))
    return [index for index in range(len(filter_)) if index not in effects.reached], effects.constant_tests


@pytest.mark.parametrize(
    ("text", "unreached", "constant"),
    [
        ("ld [0];jeq #3,0,1;ret #0;ret #0x7fff0000", [], []),
        ("ld [0];jeq #3,0,3;ld [0];jeq #4,0,1;ret #0;ret #0x7fff0000", [4], [3]),  # the word is loaded again
        ("ld [0];jeq #3,0,0;ret #0", [], []),  # both targets are equal
        ("ld [4];jeq #7,0,4;ld [0];jeq #3,2,0;ld [4];jeq #7,0,1;ret #0;ret #0x7fff0000", [7], [5]),
        ("ld [4];jset #1,0,3;ld [0];jset #2,0,1;ld [4];jset #1,0,1;ret #0;ret #0x7fff0000", [], []),  # joined paths
        ("ld #0;tax;ld [0];div x;jeq #3,0,1;ret #1;ret #2", [4, 5, 6], []),  # a division by 0 ends the run
    ],
)
def test_parts_without_effect(text: str, unreached: list[int], constant: list[int]) -> None:
    assert effects_of(text) == (unreached, constant)


@pytest.mark.fuzz
def test_parts_without_effect_of_random_filters(rounds: Rounds) -> None:
    for random in rounds(60, min_checked=0.7):
        filter_ = random_filter(random, clauses=6) if random.random() < 0.6 else random_seccomp.clauses(random)
        diagram = DecisionDiagram()
        try:
            meaning = ProgramMeaning(diagram, filter_, SECCOMP, OpaqueWords(diagram))
            effects = ProgramEffects(diagram, meaning)
        except TooManySteps:
            continue
        branching = {
            point.instruction
            for point, step in meaning.steps.items()
            if len({successor.instruction for successor in step.successors}) == 2
        }
        reached = {index for index in range(len(filter_)) if meaning.reached(index) != FALSE}
        assert effects.reached == reached
        assert set(effects.constant_tests) == {index for index in reached & branching if FALSE in meaning.branch(index)}
        rounds.checked()
