"""The steps of `compile`: raw instructions from libpcap, one program, one verification."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import pytest

import cbpf
from cbpf.isa import verifier
from support.corpus_filters import CORPUS


class _Counts:
    """The numbers of programs that were constructed and verified."""

    def __init__(self) -> None:
        self.constructed = self.verified = 0

    def rule(self, program: cbpf.Program, dialect: cbpf.Dialect) -> Iterator[cbpf.Finding]:
        """Count a verification: a rule of the verifier that finds nothing."""
        self.verified += 1
        return iter(())


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> _Counts:
    """The counts of the test, which begin at zero."""
    result = _Counts()
    construct = cbpf.Program.__init__

    def count(self: cbpf.Program, *arguments: Any) -> None:
        result.constructed += 1
        construct(self, *arguments)

    monkeypatch.setattr(cbpf.Program, "__init__", count)
    monkeypatch.setattr(verifier, "RULES", (*verifier.RULES, result.rule))
    return result


class _Case(NamedTuple):
    expression: str | cbpf.Expression
    optimizer: cbpf.Optimizer
    verified: int


@pytest.mark.parametrize(
    "case",
    [
        _Case("tcp port 80", "cbpf", 1),
        _Case("arp", "cbpf", 0),  # the optimiser finds no shorter program
        _Case("tcp port 80", "libpcap", 0),
        _Case("tcp port 80", None, 0),
        _Case(cbpf.Expression("tcp", hosts=["10.0.0.0/8", "2001:db8::1"], ports=[80, "8000-8999"]), "cbpf", 1),
        _Case(cbpf.Expression(hosts=[f"10.0.{index}.0/25" for index in range(40)]), "cbpf", 1),
    ],
    ids=str,
)
def test_compile_constructs_one_program_and_verifies_it_once(case: _Case, counts: _Counts) -> None:
    frontend: Literal["cbpf", "libpcap"] = "libpcap" if case.optimizer == "libpcap" else "cbpf"
    cbpf.compile(case.expression, optimizer=case.optimizer, frontend=frontend)
    assert (counts.constructed, counts.verified) == (1, case.verified)


@pytest.mark.parametrize("goal", ["size", "speed"])
@pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")
def test_only_improved_programs_are_verified(goal: Any, counts: _Counts) -> None:
    for filter in CORPUS:
        plain = filter.program()
        counts.constructed = counts.verified = 0
        program = cbpf.compile(filter.expression, link_type=filter.link_type, goal=goal)
        assert (counts.constructed, counts.verified) == (1, program != plain), filter


def test_optimize_verifies_its_argument_and_its_result(counts: _Counts) -> None:
    plain = cbpf.compile("tcp port 80", optimizer=None)
    assert counts.verified == 0
    cbpf.optimize(plain)
    assert counts.verified == 2
