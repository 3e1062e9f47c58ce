"""The rounds of random tests: seeds, and the share of rounds that must reach their assertions."""

import pytest

from support.project import Rounds


def _rounds(seed: str | None = None, share: float = 1) -> tuple[Rounds, list[str]]:
    """Return rounds without a time limit, and the list in which they record their seeds."""
    seeds: list[str] = []
    return Rounds("test", 0, share, seed, seeds.append), seeds


def test_each_round_has_its_own_seed() -> None:
    rounds, seeds = _rounds()
    values = [random.random() for random in rounds(3)]
    assert seeds == ["test-0-0", "test-0-1", "test-0-2"]
    assert values == [random.random() for random in rounds(3)]
    assert len(set(values)) == 3


def test_a_given_seed_runs_one_round_and_needs_no_share() -> None:
    rounds, seeds = _rounds("test-0-7")
    assert len(list(rounds(100, min_checked=0.5))) == 1
    assert seeds == ["test-0-7"]


def test_a_share_of_the_rounds_is_run() -> None:
    rounds, seeds = _rounds(share=0.25)
    assert len(list(rounds(10))) == 3
    assert seeds == ["test-0-0", "test-0-1", "test-0-2"]


@pytest.mark.parametrize(("checked", "fails"), [(0, True), (49, True), (50, False), (100, False)])
def test_too_few_checked_rounds_fail(checked: int, fails: bool) -> None:
    rounds, _ = _rounds()

    def run() -> None:
        for index, _ in enumerate(rounds(100, min_checked=0.5)):
            if index < checked:
                rounds.checked()

    if fails:
        with pytest.raises(AssertionError, match=f"{checked} of 100 rounds reached their assertions; at least 50%"):
            run()
    else:
        run()
