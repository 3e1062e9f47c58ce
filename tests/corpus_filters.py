"""The expressions of tests/corpus/filters.txt, with their programs."""

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import cbpf

_FILE: Final = Path(__file__).parent / "corpus" / "filters.txt"


class Filter(NamedTuple):
    """An expression for a link type."""

    link_type: str
    expression: str

    def program(self, optimizer: cbpf.Optimizer = None) -> cbpf.Program:
        return _compiled(self, optimizer)


@cache
def _compiled(filter: Filter, optimizer: cbpf.Optimizer) -> cbpf.Program:
    return cbpf.compile(filter.expression, link_type=filter.link_type, optimizer=optimizer)


CORPUS: Final = [
    Filter(*line.split("\t")) for line in _FILE.read_text().splitlines() if line and not line.startswith("#")
]
"""The expressions of tests/corpus, and their programs."""

from pathlib import Path

import cbpf

_FILE = Path(__file__).parent / "corpus" / "filters.txt"


def corpus() -> list[tuple[str, str]]:
    """Link type and expression of each."""
    lines = _FILE.read_text().splitlines()
    found = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(link_type, expression) for link_type, expression in found]


def both_programs(link_type: str, expression: str) -> tuple[cbpf.Program, cbpf.Program]:
    """libpcap's plain code, and what its optimiser makes of it."""
    plain = cbpf.compile(expression, link_type=link_type, optimizer=None)
    return plain, cbpf.compile(expression, link_type=link_type, optimizer="libpcap")
