"""Basic blocks, and the one pass over a program that finds what holds in each."""

from collections.abc import Iterable, Iterator

from .._record import Record
from ..isa.dialects import Dialect
from ..isa.opcodes import CONDITIONS, OPCODE_BY_CODE, Action
from ..isa.program import Program
from ..isa.semantics import begin, execute
from .abstract_machine import AbstractMachine, OutgoingEdge
from .abstract_state import AbstractState, PacketLoad, join_states, unknown_state


class Edge(Record):
    """A way from one block to another, both by their numbers.

    outcome: of the test at the end of *source* for which it is taken; None: always.
    condition: what then holds, in words (`[12:2] == 0x800`); empty: nothing.
    is_possible: some run may take it, as far as is known.
    """

    source: int
    target: int
    outcome: bool | None
    condition: str
    is_possible: bool


class Block(Record):
    """Instructions that runs pass in a row: those from *start* up to *stop*, without *stop*.

    number: its place among the blocks, which are in order of their instructions.
    edges: the ways out, that of a test that holds first; none: a `ret` ends it.
    predecessors: the numbers of the blocks with an edge to here.
    dominator: the number of the last other block that each way from the start to here passes; None: there is none.
    is_reachable: some way of jumps leads here from the start.
    is_possible: some run may come here, as far as is known: on no way here must a condition fail.
    """

    number: int
    start: int
    stop: int
    edges: tuple[Edge, ...]
    predecessors: tuple[int, ...]
    dominator: int | None
    is_reachable: bool
    is_possible: bool

    def __len__(self) -> int:
        return self.stop - self.start


def advance(state: AbstractState, program: Program, indices: Iterable[int], dialect: Dialect) -> AbstractMachine:
    """The machine after these instructions, which follow each other, or where every run ends; it changes *state*."""
    machine = AbstractMachine(state, dialect)
    for machine.index in indices:
        execute(machine, program[machine.index], machine.index, dialect)
        if machine.is_over:
            break
    return machine


class Walk:
    """One pass in order of the instructions.

    blocks: what it found. loads: those from the packet that runs may make.
    entries: by block, the state in which runs come to it; None: none comes.
    ends: by block, the index behind its last instruction that a run may execute.
    """

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self.entries: list[AbstractState | None] = []
        self.ends: list[int] = []
        self.loads: list[PacketLoad] = []
        self._program = program
        self._dialect = dialect
        self._starts = _starts(program)
        self._number_at = {start: number for number, start in enumerate(self._starts)}
        self._arriving: dict[int, list[AbstractState]] = {0: [_first(dialect)]}
        self._reachable = {0}
        edges = [self._pass(number) for number in range(len(self._starts))]
        self.blocks = tuple(self._blocks(edges))

    def _pass(self, number: int) -> tuple[Edge, ...]:
        """Goes through a block, and gives its ways out."""
        start, stop = self._range(number)
        arriving = self._arriving.pop(number, None)
        entry = join_states(arriving, start) if arriving else None
        self.entries.append(entry)
        is_possible, state = entry is not None, entry.copy() if entry else unknown_state(start)
        machine = advance(state, self._program, range(start, stop), self._dialect)
        self.ends.append(machine.index + 1)
        if is_possible:
            self.loads += machine.loads
        if machine.is_over:  # in the middle, and the ways out are never taken
            is_possible = False
            machine = advance(unknown_state(stop - 1), self._program, (stop - 1,), self._dialect)
        ways = [OutgoingEdge(stop, None, machine.state)] if machine.ways is None else machine.ways
        return tuple(self._edge(number, way, machine.condition, is_possible) for way in ways)

    def _edge(self, number: int, way: OutgoingEdge, condition: tuple[str, str], is_possible: bool) -> Edge:
        target = self._number_at[way.target]
        if number in self._reachable:
            self._reachable.add(target)
        if is_possible and way.state is not None:
            self._arriving.setdefault(target, []).append(way.state)
        words = "" if way.outcome is None else condition[not way.outcome]
        return Edge(number, target, way.outcome, words, is_possible and way.state is not None)

    def _range(self, number: int) -> tuple[int, int]:
        following = number + 1
        stop = self._starts[following] if following < len(self._starts) else len(self._program)
        return self._starts[number], stop

    def _blocks(self, edges: list[tuple[Edge, ...]]) -> Iterator[Block]:
        predecessors: list[list[int]] = [[] for _ in edges]
        for edge in (one for ways in edges for one in ways):
            predecessors[edge.target].append(edge.source)
        dominators = _dominators(predecessors, self._reachable)
        for number, ways in enumerate(edges):
            yield Block(
                number,
                *self._range(number),
                ways,
                tuple(predecessors[number]),
                dominators[number],
                number in self._reachable,
                self.entries[number] is not None,
            )


def _first(dialect: Dialect) -> AbstractState:
    """The state before the first instruction."""
    machine = AbstractMachine(AbstractState(), dialect)
    begin(machine, dialect)
    return machine.state


def _starts(program: Program) -> list[int]:
    """The indices at which blocks begin: the first, the targets of jumps, and what follows a jump or a `ret`."""
    starts = {0}
    for index, raw in enumerate(program):
        action = OPCODE_BY_CODE[raw.op].action
        if action in CONDITIONS:
            starts |= {index + 1, index + 1 + raw.jt, index + 1 + raw.jf}
        elif action is Action.JUMP:
            starts |= {index + 1, index + 1 + raw.k}
        elif action is Action.RETURN:
            starts.add(index + 1)
    return sorted(starts - {len(program)})


def _dominators(predecessors: list[list[int]], reachable: set[int]) -> list[int | None]:
    """The immediate dominator of each block: where the ways to its reachable predecessors last were one."""
    dominators: list[int | None] = []
    depths: list[int] = []
    for number, sources in enumerate(predecessors):
        common: int | None = None
        for source in sources if number in reachable else ():
            if source in reachable:
                common = source if common is None else _common(common, source, dominators, depths)
        dominators.append(common)
        depths.append(0 if common is None else depths[common] + 1)
    return dominators


def _common(one: int, other: int, dominators: list[int | None], depths: list[int]) -> int:
    """The deepest block that dominates both, or is one of them."""
    while one != other:
        if depths[one] < depths[other]:
            one, other = other, one
        above = dominators[one]
        assert above is not None
        one = above
    return one
