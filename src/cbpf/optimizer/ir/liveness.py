"""Which registers and slots each instruction reads and writes, and which are still read behind it.

Nothing here says what an instruction does: a machine that only takes notes runs the semantics.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from ...isa.dialects import Dialect, FetchOrder
from ...isa.instructions import RawInstruction
from ...isa.opcodes import JUMPS, OPCODE_BY_CODE, SCRATCH_SLOTS, Action, Extension
from ...isa.semantics import HeaderKind, execute

A: Final = SCRATCH_SLOTS
X: Final = SCRATCH_SLOTS + 1
"""A, X: the registers, numbered after the slots."""


class _Recorder:
    """A `Machine` that notes what an instruction reads before it writes it, and what it writes."""

    def __init__(self) -> None:
        self.reads = self.writes = 0

    def _read(self, place: int) -> int:
        if not self.writes >> place & 1:
            self.reads |= 1 << place
        return 0

    a = property(lambda self: self._read(A), lambda self, value: self.store_scratch(A, value))
    x = property(lambda self: self._read(X), lambda self, value: self.store_scratch(X, value))

    def store_scratch(self, slot: int, value: int) -> None:
        self.writes |= 1 << slot

    def load_scratch(self, slot: int) -> int:
        return self._read(slot)

    def word(self, value: int) -> int:
        return 0

    def arithmetic(self, action: Action, left: int, right: int) -> int:
        return 0

    def compare(self, action: Action, left: int, right: int) -> int:
        return 0

    def select(self, truth: int, then: int, otherwise: int) -> int:
        return 0

    def captured_length(self) -> int:
        return 0

    def wire_length(self) -> int:
        return 0

    def header(self, header: HeaderKind) -> int:
        return 0

    def fetch(self, base: int, displacement: int, size: int, byte_order: FetchOrder) -> int:
        return 0

    def lacks_device(self) -> int:
        return 0

    def extension(self, extension: Extension, a: int, x: int) -> int:
        return 0

    def return_if(self, truth: int, verdict: int) -> None:
        return

    def finish(self, verdict: int) -> None:
        return

    def jump(self, target: int) -> None:
        return

    def branch(self, truth: int, target_true: int, target_false: int) -> None:
        return


class Effect(NamedTuple):
    """An instruction, and the registers and slots that it reads and writes, a bit each."""

    reads: int
    writes: int
    instruction: RawInstruction


def effects_of(program: Sequence[RawInstruction], dialect: Dialect) -> list[Effect]:
    """The effect of each instruction."""
    known: dict[RawInstruction, Effect] = {}
    return [known.get(raw) or known.setdefault(raw, _effect(raw, dialect)) for raw in program]


def _effect(raw: RawInstruction, dialect: Dialect) -> Effect:
    recorder = _Recorder()
    execute(recorder, raw, -1, dialect)
    return Effect(recorder.reads, recorder.writes, raw)


def live_registers(effects: Sequence[Effect]) -> list[int]:
    """For each instruction the registers and slots that are read from there on before they are written: a bit each."""
    live = [0] * (len(effects) + 1)
    for index in range(len(effects) - 1, -1, -1):
        after = 0
        for target in effects[index].instruction.successors(index):
            after |= live[target]
        live[index] = effects[index].reads | (after & ~effects[index].writes)
    return live


def longest_path(effects: Sequence[Effect]) -> int:
    """The most instructions that a run can take."""
    longest = [0] * (len(effects) + 1)
    for index in range(len(effects) - 1, -1, -1):
        successors = effects[index].instruction.successors(index)
        longest[index] = 1 + max((longest[target] for target in successors), default=0)
    return longest[0]


def leaders_of(effects: Sequence[Effect]) -> dict[int, None]:
    """The instructions that begin a block, in order."""
    found = {0}
    for index, effect in enumerate(effects):
        if OPCODE_BY_CODE[effect.instruction.op].action in JUMPS:
            found.update(effect.instruction.successors(index))
    return dict.fromkeys(sorted(found))
