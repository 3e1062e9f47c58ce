"""The limits of proofs: time, memory and the size of the formula; each ends a proof as undecided."""

import pytest

import cbpf
from cbpf.proofs import limits
from cbpf.proofs.limits import Limits
from cbpf.proofs.shrink import shrink
from cbpf.proofs.symbolic_packet import Model
from support.proofs import HARD, program

WEB, MAIL = cbpf.compile("tcp port 80"), cbpf.compile("tcp port 25")


def _expire_after(checks: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the time run out at a number of looks at the clock; return a list with the count of them."""
    looks = [0]

    def has_timed_out(self: Limits) -> bool:
        looks[0] += 1
        return looks[0] > checks

    monkeypatch.setattr(Limits, "has_timed_out", has_timed_out)
    return looks


@pytest.mark.parametrize("query", ["difference", "witness", "dead", "cases"])
def test_the_time_limit_holds_at_every_moment(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the time runs out, the answer is `Undecided`, or a counterexample that is not shrunk."""
    arguments = (WEB, MAIL) if query == "difference" else (WEB,)
    with monkeypatch.context() as patches:
        looks = _expire_after(10**9, patches)
        getattr(cbpf, query)(*arguments)
    undecided = 0
    for checks in range(0, looks[0], 1 + looks[0] // 12):
        with monkeypatch.context() as patches:
            _expire_after(checks, patches)
            try:
                answer = getattr(cbpf, query)(*arguments)
            except cbpf.Undecided as error:
                answer = error
                undecided += error.reason.startswith("timed out after") and error.parameter == "timeout"
            assert answer is not None
    assert undecided


def test_the_terms_of_a_program_are_built_within_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    _expire_after(20, monkeypatch)
    long = program("ldb [0];" + "tax;ldb [x + 1];jset #1,0,1;add x;" * 500 + "ret a")
    with pytest.raises(cbpf.Undecided, match="timed out"):
        cbpf.difference(long, program("ret #1"))


def test_the_size_of_the_formula_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_TERMS_BETWEEN_CHECKS", 1)
    monkeypatch.setattr(limits, "_MAX_TERMS", 40)
    with pytest.raises(cbpf.Undecided, match=r"^the formula has more than 40 terms$"):
        cbpf.difference(WEB, MAIL)


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_SECONDS_BETWEEN_CHECKS", 0)
    monkeypatch.setattr(limits, "_MAX_MEMORY", -1)
    with pytest.raises(cbpf.Undecided, match=r"^the solver needs more than .* MiB of memory$"):
        cbpf.difference(*HARD)


def test_no_run_shrinks_a_packet_after_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(bytes(range(100)), 100, cbpf.Metadata())
    _expire_after(3, monkeypatch)
    runs: list[Model] = []

    def confirm(candidate: Model) -> bool:
        runs.append(candidate)
        return False

    assert shrink(model, confirm, 0, 1000, Limits(10)) == model
    assert len(runs) == 3


def test_many_divisions_do_not_delay_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The solver polls before it has built circuits for all of them, each of which takes 10 ms."""
    looks = _expire_after(600, monkeypatch)
    body = "".join(f"st M[0];ld [{4 * number}];tax;ld M[0];div x;" for number in range(400))
    with pytest.raises(cbpf.Undecided):
        cbpf.difference(program(f"ld [0];{body}ret a"), program(f"ld [4];{body}ret a"))
    assert looks[0] > 600


def test_identical_programs_need_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    _expire_after(0, monkeypatch)
    assert cbpf.difference(WEB, WEB, timeout=1e-9) is None
