"""Compare the time of two generators of random programs: `random_programs` alone, and driven by Hypothesis.

Run `python -m support.generation_cost` in the folder `tests`.
"""

import time
from random import Random
from typing import Final

from hypothesis import HealthCheck, Phase, given, settings, strategies

from support import random_programs

_COUNT: Final = 300


def own_seconds() -> float:
    """Return the seconds per program with a seeded source of randomness."""
    start = time.perf_counter()
    for index in range(_COUNT):
        random_programs.plausible(Random(f"cost-{index}"))
    return (time.perf_counter() - start) / _COUNT


def hypothesis_seconds() -> float:
    """Return the seconds per program with Hypothesis as the source of randomness, so that it can shrink programs."""
    programs = []

    @settings(
        max_examples=_COUNT,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(strategies.randoms(use_true_random=False, note_method_calls=False))
    def generate(random: Random) -> None:
        programs.append(random_programs.plausible(random))

    start = time.perf_counter()
    generate()
    return (time.perf_counter() - start) / len(programs)


if __name__ == "__main__":
    own, driven = own_seconds(), hypothesis_seconds()
    print(f"random_programs: {own * 1e6:,.0f} us per program; driven by Hypothesis: {driven * 1e6:,.0f} us")
    print(f"ratio: {driven / own:.0f}")
