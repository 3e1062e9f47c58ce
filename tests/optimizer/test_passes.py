"""The passes of the optimiser: each changes a program and shows an example, and an incorrect one is detected."""

import doctest
import sys
from typing import Final

import pytest

import cbpf
from cbpf.optimizer import pipeline
from cbpf.optimizer.ir.diagram import Diagram, NodeId
from support.corpus_filters import CORPUS

PASSES: Final = pipeline.PASSES | pipeline.FINAL_PASSES


SIMILAR_TESTS: Final = "wlan host 02:00:00:00:00:01 or type ctl or not type mgt subtype probe-req"
"""An expression for IEEE 802.11 whose program has tests that can be shared; those of the corpus have none."""


@pytest.mark.parametrize("name", PASSES)
def test_each_pass_changes_a_program(name: str) -> None:
    wireless = cbpf.compile(SIMILAR_TESTS, link_type="IEEE802_11", optimizer=None)
    programs = (wireless, *(filter.program() for filter in CORPUS))
    assert any(name in (stage.name for stage in cbpf.optimization_stages(program)) for program in programs)


@pytest.mark.parametrize("name", PASSES)
def test_the_module_of_each_pass_has_an_example(name: str) -> None:
    """An example shows a program before the pass, and another one after it."""
    run_pass = PASSES[name]
    module = sys.modules[run_pass.__module__]
    examples = [example.source for example in doctest.DocTestParser().get_examples(module.__doc__ or "")]
    assert any(f"{run_pass.__name__}(" in source for source in examples)


def _reject(diagram: Diagram, root: NodeId) -> NodeId:
    """Return the root of an incorrect diagram, which rejects every packet."""
    return diagram.reject


@pytest.mark.parametrize("table", ["PASSES", "FINAL_PASSES"])
def test_an_added_pass_runs_and_its_result_is_proved(table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = cbpf.compile("udp port 53", optimizer=None)
    correct = cbpf.optimize(program)
    monkeypatch.setitem(getattr(pipeline, table), "made-up", _reject)
    assert "made-up" in [stage.name for stage in cbpf.optimization_stages(program)]
    assert cbpf.optimize(program) == cbpf.Program([cbpf.RetConstant(0)]) != correct
    with pytest.raises(cbpf.ProofFailed):
        cbpf.optimize(program, prove=True)
