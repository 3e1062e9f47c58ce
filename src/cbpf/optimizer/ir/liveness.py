"""Liveness analysis: the registers and scratch slots that are read later, by instruction; and the shape of code.

A set of registers and slots is an integer: bits 0 to 15 are the scratch slots, bits 16 and 17 A and X.
"""

from collections.abc import Sequence

from ...analysis.register_effects import Effect
from ...isa.opcodes import JUMPS, OPCODE_BY_CODE


def live_registers(effects: Sequence[Effect]) -> list[int]:
    """Return, per instruction, the bits of the registers and slots that are live before it, and 0 for the end."""
    live = [0] * (len(effects) + 1)
    for index in range(len(effects) - 1, -1, -1):
        after = 0
        for target in effects[index].instruction.successors(index):
            after |= live[target]
        live[index] = effects[index].reads | (after & ~effects[index].writes)
    return live


def longest_path(effects: Sequence[Effect]) -> int:
    """Return the length of the longest path from the first instruction, in instructions."""
    longest = [0] * (len(effects) + 1)
    for index in range(len(effects) - 1, -1, -1):
        successors = effects[index].instruction.successors(index)
        longest[index] = 1 + max((longest[target] for target in successors), default=0)
    return longest[0]


def leaders_of(effects: Sequence[Effect]) -> dict[int, None]:
    """Return the first instructions of all basic blocks, in ascending order."""
    leaders = {0}
    for index, effect in enumerate(effects):
        if OPCODE_BY_CODE[effect.instruction.op].action in JUMPS:
            leaders.update(effect.instruction.successors(index))
    return dict.fromkeys(sorted(leaders))
