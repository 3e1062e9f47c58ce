"""The plain code of cbpf: equal to that of libpcap 1.10.6 on every packet, and errors for the same expressions.

`support.libpcap_differences` lists the expressions to which cbpf deliberately gives another meaning.
"""

from __future__ import annotations

import pytest

from support.corpus_filters import CORPUS, Filter
from support.libpcap_comparison import HAS_GENERATOR, compare_with_libpcap
from support.libpcap_release import needs_libpcap
from support.project import Rounds
from support.random_filters import Case, random_filter

pytestmark = pytest.mark.skipif(not HAS_GENERATOR, reason="needs the compiler of cbpf")


@pytest.mark.fuzz
def test_random_expressions_have_the_code_of_libpcap(rounds: Rounds) -> None:
    needs_libpcap(1, 10, 6)
    for random in rounds(1200, min_checked=0.3):
        if compare_with_libpcap(random_filter(random)) == "equal":
            rounds.checked()


@pytest.mark.parametrize("filter", CORPUS, ids=str)
def test_corpus_has_the_code_of_libpcap(filter: Filter) -> None:
    needs_libpcap(1, 10, 6)
    assert compare_with_libpcap(Case.for_device(filter.expression, filter.link_type)) == "equal"
