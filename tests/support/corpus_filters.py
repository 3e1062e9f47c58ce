"""The expressions of tests/corpus/filters.txt, with their programs."""

from functools import cache
from typing import Final, Literal, NamedTuple

import cbpf
from support.project import TESTS


class Filter(NamedTuple):
    """An expression, and the name of the link type of its packets."""

    link_type: str
    expression: str

    def __str__(self) -> str:
        return f"{self.link_type}: {self.expression}"

    def program(self, optimizer: cbpf.Optimizer = None) -> cbpf.Program:
        """Return the program of the expression, by default its plain code; each is compiled once."""
        return _compiled(self, optimizer)


@cache
def _compiled(filter: Filter, optimizer: cbpf.Optimizer) -> cbpf.Program:
    frontend: Literal["cbpf", "libpcap"] = "libpcap" if optimizer == "libpcap" else "cbpf"
    return cbpf.compile(filter.expression, link_type=filter.link_type, optimizer=optimizer, frontend=frontend)


def _read() -> list[Filter]:
    """Return the expressions in the order of the file, whose lines are: link type, tab, expression."""
    lines = (TESTS / "corpus" / "filters.txt").read_text().splitlines()
    return [Filter(*line.split("\t")) for line in lines if line and not line.startswith("#")]


CORPUS: Final = _read()
ETHERNET: Final = [filter.expression for filter in CORPUS if filter.link_type == "EN10MB"]
