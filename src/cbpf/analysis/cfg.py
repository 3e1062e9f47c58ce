"""The control-flow graph: basic blocks, edges and dominators, from one forward pass over a program."""

from collections.abc import Iterable, Iterator

from .._record import JsonRecord
from ..isa.dialects import Dialect
from ..isa.opcodes import JUMPS, OPCODE_BY_CODE, Action
from ..isa.program import Program
from ..isa.semantics import begin, execute
from .abstract_machine import AbstractMachine, OutgoingEdge
from .abstract_state import AbstractState, PacketLoad, join_states, unknown_state


class Edge(JsonRecord):
    """An edge of the control-flow graph.

    Args:
        source: The number of the block that the edge leaves.
        target: The number of the block that the edge enters.
        outcome: The outcome of the source block's test for which the edge is taken; None if it is unconditional.
        condition: The condition of the edge as text, such as `[12:2] == 0x800`; empty if it is unconditional.
        is_feasible: Whether an execution may take the edge, as far as the analysis knows.
    """

    source: int
    target: int
    outcome: bool | None
    condition: str
    is_feasible: bool


class Block(JsonRecord):
    """A basic block: consecutive instructions that are entered at the first one only and left at the last one only.

    An execution may also end within a block: at a load outside the packet, or at a division by 0.

    Args:
        number: The index of the block in `Flow.blocks`, which is in program order.
        start: The index of its first instruction.
        stop: The index after its last instruction.
        edges: The outgoing edges, that of the true outcome first; empty if the block ends with a `ret`.
        predecessors: The numbers of the blocks with an edge to this block, ascending.
        dominator: The number of the immediate dominator: the last other block on every path from the entry to this
            block. None for the entry block and for unreachable blocks.
        is_reachable: Whether the graph has a path from the entry to this block.
        is_feasible: Whether an execution may enter the block, as far as the analysis knows: False if each path to it
            has a condition that always fails. Implies `is_reachable`.
    """

    number: int
    start: int
    stop: int
    edges: tuple[Edge, ...]
    predecessors: tuple[int, ...]
    dominator: int | None
    is_reachable: bool
    is_feasible: bool

    def __len__(self) -> int:
        return self.stop - self.start


def interpret(state: AbstractState, program: Program, indices: Iterable[int], dialect: Dialect) -> AbstractMachine:
    """Execute consecutive instructions abstractly, until the last one or until every execution ends.

    Args:
        state: The state before the first instruction; it is modified.
        program: The program.
        indices: The consecutive indices of the instructions.
        dialect: The dialect of the program.

    Returns:
        The machine, whose index is that of the last instruction executed.
    """
    machine = AbstractMachine(state, dialect)
    for machine.index in indices:
        execute(machine, program[machine.index], machine.index, dialect)
        if machine.is_terminated:
            break
    return machine


class ForwardAnalysis:
    """One forward pass over a program, which computes its graph and the abstract state on entry to each block.

    Attributes:
        blocks: The basic blocks, in program order.
        loads: The packet loads that executions may make, in program order.
        entry_states: The state on entry to each block; None if no execution enters it.
        feasible_stops: For each block, the index after the last instruction that an execution may reach.
    """

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self.entry_states: list[AbstractState | None] = []
        self.feasible_stops: list[int] = []
        self.loads: list[PacketLoad] = []
        self._program = program
        self._dialect = dialect
        self._starts = _block_starts(program)
        self._block_at = {start: block for block, start in enumerate(self._starts)}
        self._incoming: dict[int, list[AbstractState]] = {0: [_initial_state(dialect)]}
        self._reachable = {0}
        edges = [self._analyse(block) for block in range(len(self._starts))]
        self.blocks = tuple(self._blocks(edges))

    def _analyse(self, block: int) -> tuple[Edge, ...]:
        """Interpret a block abstractly, and return its outgoing edges."""
        start, stop = self._range(block)
        incoming = self._incoming.pop(block, None)
        entry = join_states(incoming, start) if incoming else None
        self.entry_states.append(entry)
        is_feasible, state = entry is not None, entry.copy() if entry else unknown_state(start)
        machine = interpret(state, self._program, range(start, stop), self._dialect)
        self.feasible_stops.append(machine.index + 1)
        if is_feasible:
            self.loads += machine.loads
        if machine.is_terminated:  # the edges exist, but no execution takes them
            is_feasible = False
            machine = interpret(unknown_state(stop - 1), self._program, (stop - 1,), self._dialect)
        outgoing = [OutgoingEdge(stop, None, machine.state)] if machine.edges is None else machine.edges
        return tuple(self._edge(block, edge, machine.condition, is_feasible) for edge in outgoing)

    def _edge(self, block: int, outgoing: OutgoingEdge, condition: tuple[str, str], is_feasible: bool) -> Edge:
        """Return an edge of the graph, and pass its state to the target block."""
        target = self._block_at[outgoing.target]
        if block in self._reachable:
            self._reachable.add(target)
        if is_feasible and outgoing.state is not None:
            self._incoming.setdefault(target, []).append(outgoing.state)
        text = "" if outgoing.outcome is None else condition[not outgoing.outcome]
        return Edge(block, target, outgoing.outcome, text, is_feasible and outgoing.state is not None)

    def _range(self, block: int) -> tuple[int, int]:
        following = block + 1
        stop = self._starts[following] if following < len(self._starts) else len(self._program)
        return self._starts[block], stop

    def _blocks(self, edges_of_blocks: list[tuple[Edge, ...]]) -> Iterator[Block]:
        predecessors: list[list[int]] = [[] for _ in edges_of_blocks]
        for edge in (edge for edges in edges_of_blocks for edge in edges):
            predecessors[edge.target].append(edge.source)
        dominators = _dominators(predecessors, self._reachable)
        for block, edges in enumerate(edges_of_blocks):
            yield Block(
                block,
                *self._range(block),
                edges,
                tuple(predecessors[block]),
                dominators[block],
                block in self._reachable,
                self.entry_states[block] is not None,
            )


def _initial_state(dialect: Dialect) -> AbstractState:
    """Return the state before the first instruction."""
    machine = AbstractMachine(AbstractState(), dialect)
    begin(machine, dialect)
    return machine.state


def _block_starts(program: Program) -> list[int]:
    """Return the index of the first instruction of each block, ascending."""
    starts = {0}
    for index, raw in enumerate(program):
        action = OPCODE_BY_CODE[raw.op].action
        if action in JUMPS or action is Action.RETURN:
            starts |= {index + 1, *raw.successors(index)}
    return sorted(starts - {len(program)})


def _dominators(predecessors: list[list[int]], reachable: set[int]) -> list[int | None]:
    """Return the immediate dominator of each block.

    As the graph is acyclic and the blocks are in topological order, one pass suffices: the immediate dominator of a
    block is the deepest common dominator of its reachable predecessors (Cooper, Harvey and Kennedy, 2001).
    """
    dominators: list[int | None] = []
    depths: list[int] = []
    for block, sources in enumerate(predecessors):
        common: int | None = None
        for source in sources if block in reachable else ():
            if source in reachable:
                common = source if common is None else _common_dominator(common, source, dominators, depths)
        dominators.append(common)
        depths.append(0 if common is None else depths[common] + 1)
    return dominators


def _common_dominator(first: int, second: int, dominators: list[int | None], depths: list[int]) -> int:
    """Return the deepest block that dominates both blocks; a block dominates itself."""
    while first != second:
        if depths[first] < depths[second]:
            first, second = second, first
        dominator = dominators[first]
        assert dominator is not None
        first = dominator
    return first
