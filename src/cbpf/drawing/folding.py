"""Folding: chains of tests with a common target as one box, so that the graph of a long list can be read.

A chain is a sequence of blocks in program order. Each one after the first is entered from the one before only, and all
of them go to the same target for the same outcome of their tests:

    jeq #22,accept          22, 80 or 443: one box with three tests, and two edges
    jeq #80,accept      =>    true: accept
    jeq #443,accept,reject    false: reject

A block that only continues with the next one is joined with it as well.
"""

from collections.abc import Sequence

from .._named_tuple import NamedTuple
from .._typing import Final
from ..analysis.cfg import Block, Edge

MAX_BLOCKS: Final = 60
"""The number of blocks up to which a graph is drawn in full by default."""
_MIN_TESTS: Final = 3  # of a chain that becomes one box


class DrawnBlock(NamedTuple):
    """A box of a graph: a block, or a chain of blocks as one.

    Args:
        block: The block. One that represents a chain has the instructions of all of its parts, and edges that leave
            the chain.
        parts: The blocks of the flow; more than one for a chain.
    """

    block: Block
    parts: tuple[Block, ...]

    @property
    def tests(self) -> int:
        """The number of tests in the box."""
        return sum(len(part.edges) == 2 for part in self.parts)


def drawn_blocks(blocks: Sequence[Block], *, folds: bool) -> tuple[DrawnBlock, ...]:
    """Return the boxes of a graph, whose numbers are their indices."""
    groups = [group for chain in _chains(blocks) for group in _groups(chain)] if folds else [[each] for each in blocks]
    number_of = {part.number: number for number, group in enumerate(groups) for part in group}
    return tuple(DrawnBlock(_joined(group, number_of), tuple(group)) for group in groups)


def _chains(blocks: Sequence[Block]) -> list[list[Block]]:
    chains: list[list[Block]] = []
    for block in blocks:
        if chains and _continues(chains[-1][-1], block):
            chains[-1].append(block)
        else:
            chains.append([block])
    return chains


def _groups(chain: list[Block]) -> list[list[Block]]:
    """Return the blocks of a chain as one group, or each in its own group if few of them are tests."""
    tests = sum(len(block.edges) == 2 for block in chain)
    is_straight = len(chain) > 1 and tests < 2
    return [chain] if tests >= _MIN_TESTS or is_straight else [[block] for block in chain]


def _continues(before: Block, block: Block) -> bool:
    """Return whether a block belongs to the chain that the block before it ends."""
    if block.predecessors != (before.number,) or block.is_feasible is not before.is_feasible:
        return False
    others = [edge for edge in before.edges if edge.target != block.number]
    if len(before.edges) == 1:
        return not others
    exits = {(edge.outcome, edge.target) for edge in block.edges}
    return len(before.edges) == 2 and len(others) == 1 and (others[0].outcome, others[0].target) in exits


def _joined(group: Sequence[Block], number_of: dict[int, int]) -> Block:
    """Return a group as one block, with the numbers of boxes in place of those of blocks."""
    first, last = group[0], group[-1]
    tests = sum(len(part.edges) == 2 for part in group)
    edges = tuple(
        edge.replace(
            source=number_of[edge.source],
            target=number_of[edge.target],
            condition=edge.condition if tests < 2 else _condition(edge, tests, is_last=_leaves_once(edge, group)),
        )
        for edge in last.edges
    )
    return first.replace(
        number=number_of[first.number],
        stop=last.stop,
        edges=edges,
        predecessors=tuple(sorted({number_of[number] for number in first.predecessors})),
    )


def _leaves_once(edge: Edge, group: Sequence[Block]) -> bool:
    """Return whether only the last block of a group has an edge to this target."""
    return sum(other.target == edge.target for part in group for other in part.edges) == 1


def _condition(edge: Edge, tests: int, *, is_last: bool) -> str:
    outcome = str(edge.outcome).lower()
    return f"all {tests} tests are {outcome}" if is_last else f"one of {tests} tests is {outcome}"
