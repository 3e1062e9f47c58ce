"""Flow: the blocks of a program, how runs go through them, and what holds at each instruction."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, NoReturn

from ..isa.dialects import PCAP, Dialect
from ..isa.instructions import RawInstruction
from ..isa.opcodes import OPCODE_BY_CODE, Action, Extension, Opcode, Operand, extension_of
from ..isa.program import Instructions, Program
from ..isa.verifier import verify
from .abstract_state import Facts, PacketLoad
from .abstract_value import Known, constant
from .cfg import Block, Walk, advance


class Flow:
    """How runs go through a program that its dialect accepts. Jumps go forward, so one pass finds everything.

    Nothing that it says of runs fails in any run, whatever the packet and its metadata; but it does not see everything:
    `is_possible` may be True where no packet leads. Raises `VerificationError` if *dialect* refuses the program.

    >>> from cbpf import compile
    >>> flow = Flow(compile("arp"))
    >>> [(block.start, block.stop, [edge.condition for edge in block.edges]) for block in flow.blocks]
    [(0, 2, ['[12:2] == 0x806', '[12:2] != 0x806']), (2, 3, []), (3, 4, [])]
    >>> str(flow.facts(2).a), flow.facts(2).captured, flow.longest
    ('[12:2] == 0x806', 14, 3)
    """

    program: Program
    dialect: Dialect
    _walk: Walk
    blocks: tuple[Block, ...]
    loads: tuple[PacketLoad, ...]
    """The loads from the packet that runs may make, in order of their instructions."""

    def __init__(self, program: Instructions, *, dialect: Dialect = PCAP) -> None:
        value = Program(program)
        verify(value, dialect=dialect)
        walk = Walk(value, dialect)
        vars(self).update(program=value, dialect=dialect, blocks=walk.blocks, loads=tuple(walk.loads), _walk=walk)

    @cached_property
    def _number_at(self) -> tuple[int, ...]:
        """The block of each instruction."""
        return tuple(block.number for block in self.blocks for _ in range(block.start, block.stop))

    def block_at(self, index: int) -> Block:
        """The block of instruction *index*; raises `IndexError` if there is no such instruction."""
        return self.blocks[self._number_at[range(len(self.program))[index]]]

    def facts(self, index: int) -> Facts | None:
        """What holds whenever a run comes to instruction *index*; None: no run does."""
        index = range(len(self.program))[index]
        block = self.block_at(index)
        state = self._walk.entries[block.number]
        if state is None or index >= self._walk.ends[block.number]:
            return None
        return advance(state.copy(), self.program, range(block.start, index), self.dialect).state.facts()

    def verdict(self, block: Block) -> Known | None:
        """What is known of the verdict of the `ret` that ends *block*; None: no `ret` does, or no run comes to it.

        A run also ends with verdict 0 where it loads a byte that the packet lacks, or divides by 0.
        """
        facts = self.facts(block.stop - 1)
        opcode = OPCODE_BY_CODE[self.program[block.stop - 1].op]
        if facts is None or opcode.action is not Action.RETURN:
            return None
        return facts.a if opcode.operand is Operand.A else constant(self.program[block.stop - 1].k)

    @cached_property
    def unreachable(self) -> tuple[int, ...]:
        """The instructions to which no way of jumps leads."""
        return tuple(
            index for block in self.blocks if not block.is_reachable for index in range(block.start, block.stop)
        )

    @cached_property
    def never_reached(self) -> tuple[int, ...]:
        """The instructions to which ways lead, but no run: a condition on each way is known to fail."""
        return tuple(
            index
            for block in self.blocks
            if block.is_reachable
            for index in range(self._walk.ends[block.number] if block.is_possible else block.start, block.stop)
        )

    @cached_property
    def shortest(self) -> int:
        """The fewest instructions of a run that does not end early, for want of a byte or at a division by 0."""
        return self._length(min)

    @cached_property
    def longest(self) -> int:
        """No run executes more instructions than this."""
        return self._length(max)

    def _length(self, choose: Callable[..., int]) -> int:
        """The least or the greatest number of instructions of the possible ways from the start to an end."""
        before: dict[int, int] = {0: 0}
        whole: list[int] = []
        early: list[int] = []
        for block in self.blocks:
            if not block.is_possible:
                continue
            end = self._walk.ends[block.number]
            passed = before[block.number] + end - block.start
            ways = [edge for edge in block.edges if edge.is_possible]
            if not ways:
                (early if block.edges or end < block.stop else whole).append(passed)
            for edge in ways:
                before[edge.target] = choose(before.get(edge.target, passed), passed)
        return choose(whole) if whole and choose is min else choose(whole + early)

    @cached_property
    def _rows(self) -> tuple[tuple[RawInstruction, Opcode], ...]:
        """The instructions to which runs may come, with their rows of the table."""
        passed = set(self.unreachable) | set(self.never_reached)
        return tuple((raw, OPCODE_BY_CODE[raw.op]) for index, raw in enumerate(self.program) if index not in passed)

    @cached_property
    def slots_read(self) -> tuple[int, ...]:
        """The scratch slots that runs may read."""
        return self._slots(stored=False)

    @cached_property
    def slots_written(self) -> tuple[int, ...]:
        """The scratch slots that runs may write."""
        return self._slots(stored=True)

    def _slots(self, *, stored: bool) -> tuple[int, ...]:
        stores = (Action.STORE_A, Action.STORE_X)
        rows = [row for row in self._rows if row[1].operand is Operand.SCRATCH]
        return tuple(sorted({raw.k for raw, opcode in rows if (opcode.action in stores) is stored}))

    @cached_property
    def extensions(self) -> tuple[Extension, ...]:
        """What runs may ask about a packet beside its bytes, its length included."""
        found = {extension_of(opcode, raw.k) for raw, opcode in self._rows}
        found |= {Extension.LEN for _, opcode in self._rows if opcode.operand is Operand.LENGTH}
        return tuple(sorted(one for one in found if one is not None))

    @cached_property
    def bytes_deciding(self) -> int | None:
        """So many bytes from the packet's first one decide the verdict at most; None: nothing bounds them.

        Its lengths may decide too, and whatever `extensions` and headers outside the packet tell.
        """
        loads = [load for load in self.loads if load.header in ("packet", "any")]
        ends = [load.last + load.size for load in loads if load.last is not None]
        return max(ends, default=0) if len(ends) == len(loads) else None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flow):
            return NotImplemented
        return (self.program, self.dialect) == (other.program, other.dialect)

    def __hash__(self) -> int:
        return hash((Flow, self.program, self.dialect))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("Flow is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return _flow, (self.program, self.dialect)

    def __repr__(self) -> str:
        return f"<Flow of {len(self.program)} instructions in {len(self.blocks)} blocks, {self.dialect.name}>"


def _flow(program: Program, dialect: Dialect) -> Flow:
    return Flow(program, dialect=dialect)
