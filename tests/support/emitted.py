"""Programs for the targets of `cbpf.emit`, with packets, and the verdicts of the interpreter on them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

import cbpf
from support import random_programs
from support.corpus_filters import CORPUS

LARGEST: Final = 262_144
OUTSIDE: Final = cbpf.Metadata(network_header=0xFFFF)
"""Metadata with which no header window is in a packet: as in functions that have the packet alone."""

_ABSOLUTE_LOADS: Final = {0x20: 4, 0x28: 2, 0x30: 1, 0xB1: 1}
_FIRST_WINDOW: Final = 0xFFE0_0000


class Case(NamedTuple):
    """A program that the dialect accepts."""

    program: cbpf.Program
    dialect: cbpf.Dialect

    def verdict(self, packet: bytes, wire_length: int, metadata: cbpf.Metadata = OUTSIDE) -> int:
        """Return the verdict of the interpreter."""
        vm = cbpf.VM(self.program, dialect=self.dialect, engine="interpreter")
        return vm.evaluate(packet, wire_length=wire_length, metadata=metadata)


def corpus_cases(link_type: str | None = None) -> Iterator[Case]:
    """Yield the programs of the corpus, of one link type or of all."""
    for filter in CORPUS:
        if link_type in (None, filter.link_type):
            yield Case(filter.program("cbpf"), cbpf.PCAP)


def random_case(random: Random) -> Case:
    """Return a random program without extensions and loads from headers."""
    while True:
        dialect = random.choice([cbpf.PCAP, cbpf.LINUX])
        make = random.choice([random_programs.plausible, random_programs.wild])
        program = cbpf.Program(cbpf.RawInstruction(*row) for row in make(random, longest=30))
        has_window = any(raw.op in _ABSOLUTE_LOADS and raw.k >= _FIRST_WINDOW for raw in program)
        if not has_window and not cbpf.findings(program, dialect=dialect):
            return Case(program, dialect)


def packets_for(case: Case, random: Random, count: int, *, largest: int = LARGEST) -> list[bytes]:
    """Return packets: random ones, those that end at each load or one byte before, an empty one and the largest."""
    base = random_programs.packet(random) + bytes(64)
    ends = {raw.k + _ABSOLUTE_LOADS[raw.op] for raw in case.program if raw.op in _ABSOLUTE_LOADS}
    lengths = [0, *(end - short for end in sorted(ends) if end < len(base) for short in (0, 1))]
    packets = [random_programs.packet(random)[: random.randrange(120)] for _ in range(count)]
    return [*packets, *(base[:length] for length in lengths), base + bytes(largest - len(base))]
