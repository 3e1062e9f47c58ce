"""The reads of registers and scratch slots before a write."""

from .._typing import TYPE_CHECKING, Final, Iterator
from ..isa.opcodes import SCRATCH_SLOTS
from .register_effects import effects_of

if TYPE_CHECKING:
    from .flow import Flow

_NAMES: Final = (*(f"M[{slot}]" for slot in range(SCRATCH_SLOTS)), "A", "X")
"""The names of slots and registers by their bits."""


def unset_reads(flow: "Flow") -> Iterator[tuple[int, str]]:
    """Yield the index and the name of each read that an execution may make before a write, on each path the first."""
    effects = effects_of(flow.program, flow.dialect)
    infeasible = set(flow.infeasible)
    written_before = {0: 0}  # by block number: the bits that every path to it has written or read
    for block in flow.blocks:
        if not block.is_feasible:
            continue
        written = written_before[block.number]
        for index in range(block.start, block.stop):
            if index in infeasible:
                break
            unset = effects[index].reads & ~written
            yield from ((index, name) for bit, name in enumerate(_NAMES) if unset >> bit & 1)
            written |= effects[index].writes | unset
        for edge in block.edges:
            if edge.is_feasible:
                written_before[edge.target] = written_before.get(edge.target, written) & written
