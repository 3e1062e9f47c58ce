"""The registers and scratch slots that each instruction reads and writes.

The effects are recorded by a `Machine` that runs the semantics, so this module contains no rules of its own about
instructions. A set of registers and slots is an integer: bits 0 to 15 are the scratch slots, bits 16 and 17 A and X.
"""

from .._named_tuple import NamedTuple
from .._typing import Sequence
from ..isa.dialects import Dialect
from ..isa.raw_instruction import RawInstruction
from ..isa.semantics import execute
from .register_machine import RegisterMachine


class _EffectRecorder(RegisterMachine):
    """A `Machine` that records the reads before a write, and the writes, of an instruction."""

    def __init__(self) -> None:
        self.reads = self.writes = 0

    def load_scratch(self, slot: int) -> int:
        if not self.writes >> slot & 1:
            self.reads |= 1 << slot
        return 0

    def store_scratch(self, slot: int, value: int) -> None:
        self.writes |= 1 << slot


class Effect(NamedTuple):
    """An instruction, and the registers and slots that it reads and writes.

    Args:
        reads: Bits of the registers and slots that are read before they are written.
        writes: Bits of the registers and slots that are written.
        instruction: The instruction.
    """

    reads: int
    writes: int
    instruction: RawInstruction


def effects_of(program: Sequence[RawInstruction], dialect: Dialect) -> list[Effect]:
    """Return the effect of each instruction."""
    cache: dict[RawInstruction, Effect] = {}
    return [cache.get(raw) or cache.setdefault(raw, _effect(raw, dialect)) for raw in program]


def _effect(raw: RawInstruction, dialect: Dialect) -> Effect:
    recorder = _EffectRecorder()
    execute(recorder, raw, -1, dialect)  # the index does not matter: the recorder ignores jump targets
    return Effect(recorder.reads, recorder.writes, raw)
