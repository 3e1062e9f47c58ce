"""The expressions of tests/corpus/filters.txt, with their programs."""

from functools import cache
from typing import Final, NamedTuple

import cbpf
from support.project import TESTS

_FILE: Final = TESTS / "corpus" / "filters.txt"


class Filter(NamedTuple):
    """An expression for a link type."""

    link_type: str
    expression: str

    def __str__(self) -> str:
        return f"{self.link_type}: {self.expression}"

    def program(self, optimizer: cbpf.Optimizer = None) -> cbpf.Program:
        return _compiled(self, optimizer)


@cache
def _compiled(filter: Filter, optimizer: cbpf.Optimizer) -> cbpf.Program:
    return cbpf.compile(filter.expression, link_type=filter.link_type, optimizer=optimizer)


CORPUS: Final = [
    Filter(*line.split("\t")) for line in _FILE.read_text().splitlines() if line and not line.startswith("#")
]
