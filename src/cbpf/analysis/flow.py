"""The control-flow and value analysis of a program: `Flow`."""

from collections.abc import Callable

from .._lazy import Lazy
from .._record import Immutable
from .._typing import Any, NoReturn
from ..isa.dialects import PCAP, Dialect
from ..isa.enumerations import Extension, extension_of
from ..isa.opcodes import OPCODE_BY_CODE, Action, Opcode, Operand, missing_case
from ..isa.program import Instructions, Program
from ..isa.raw_instruction import RawInstruction
from ..isa.verifier import verify
from .abstract_state import Facts, PacketLoad
from .abstract_value import Known, constant
from .cfg import Block, ForwardAnalysis, interpret


class Flow(Immutable):
    """The basic blocks of a program, and the facts that hold on entry to each instruction."""

    program: Program
    """The program."""
    dialect: Dialect
    """Its dialect."""
    blocks: tuple[Block, ...]
    """The basic blocks, in program order."""
    loads: tuple[PacketLoad, ...]
    """The packet loads that executions may make, in program order."""
    _analysis: ForwardAnalysis

    def __init__(self, program: Instructions, *, dialect: Dialect = PCAP) -> None:
        value = Program(program)
        verify(value, dialect=dialect)
        analysis = ForwardAnalysis(value, dialect)
        self._set_once(
            program=value, dialect=dialect, blocks=analysis.blocks, loads=tuple(analysis.loads), _analysis=analysis
        )

    @Lazy
    def _block_numbers(self) -> tuple[int, ...]:
        """The number of the block of each instruction."""
        return tuple(block.number for block in self.blocks for _ in range(block.start, block.stop))

    def block_at(self, index: int) -> Block:
        """Return the block that contains an instruction.

        Args:
            index: The index of the instruction; a negative one counts from the end of the program.

        Returns:
            The block.

        Raises:
            IndexError: The program has no such instruction.
        """
        return self.blocks[self._block_numbers[range(len(self.program))[index]]]

    def facts(self, index: int) -> Facts | None:
        """Return the facts that hold in every execution on entry to an instruction.

        Args:
            index: The index of the instruction; a negative one counts from the end of the program.

        Returns:
            The facts, or None if no execution reaches the instruction.

        Raises:
            IndexError: The program has no such instruction.
        """
        index = range(len(self.program))[index]
        block = self.block_at(index)
        state = self._analysis.entry_states[block.number]
        if state is None or index >= self._analysis.feasible_stops[block.number]:
            return None
        return interpret(state.copy(), self.program, range(block.start, index), self.dialect).state.facts()

    def verdict(self, block: Block) -> Known | None:
        """Return the possible verdicts of the `ret` that ends a block.

        An execution may also end elsewhere: with verdict 0 at a load of a byte that the packet lacks and at a division
        by 0; and with the value of A as its verdict at the extension loads `ifidx` and `hatype`, if the packet belongs
        to no network device.

        Args:
            block: A block of this flow.

        Returns:
            The verdict as an abstract value; None if no `ret` ends the block, or if no execution reaches the `ret`.

        Raises:
            NotImplementedError: The operand of the `ret` is neither a constant nor A.
        """
        raw = self.program[block.stop - 1]
        opcode = OPCODE_BY_CODE[raw.op]
        facts = self.facts(block.stop - 1)
        if facts is None or opcode.action is not Action.RETURN:
            return None
        match opcode.operand:
            case Operand.A:
                return facts.a
            case Operand.K:
                return constant(raw.k)
        raise missing_case(opcode, "analysis.flow")

    @Lazy
    def unreachable(self) -> tuple[int, ...]:
        """The indices of the instructions to which the graph has no path, ascending."""
        return tuple(
            index for block in self.blocks if not block.is_reachable for index in range(block.start, block.stop)
        )

    @Lazy
    def infeasible(self) -> tuple[int, ...]:
        """The indices of the reachable instructions that no execution reaches, ascending.

        Each path to such an instruction has a condition, load or division that always fails.
        """
        return tuple(
            index
            for block in self.blocks
            if block.is_reachable
            for index in range(
                self._analysis.feasible_stops[block.number] if block.is_feasible else block.start, block.stop
            )
        )

    @Lazy
    def shortest(self) -> int:
        """The length in instructions of the shortest feasible path to a `ret`.

        An execution that ends early, at a load outside the packet or at a division by 0, may be shorter. If each path
        has an instruction that always ends the execution, the shortest path to such an instruction counts.
        """
        return self._path_length(min)

    @Lazy
    def longest(self) -> int:
        """The length in instructions of the longest feasible path: an upper bound for every execution."""
        return self._path_length(max)

    def _path_length(self, choose: Callable[..., int]) -> int:
        """Return the length of the shortest feasible path if *choose* is min, of the longest if it is max."""
        lengths: dict[int, int] = {0: 0}  # by block number: of the path to the block
        complete: list[int] = []  # to a `ret`
        early: list[int] = []  # to an instruction that always ends the execution
        for block in self.blocks:
            if not block.is_feasible:
                continue
            stop = self._analysis.feasible_stops[block.number]
            length = lengths[block.number] + stop - block.start
            edges = [edge for edge in block.edges if edge.is_feasible]
            if not edges:
                (early if block.edges or stop < block.stop else complete).append(length)
            for edge in edges:
                lengths[edge.target] = choose(lengths.get(edge.target, length), length)
        return choose(complete) if complete and choose is min else choose(complete + early)

    @Lazy
    def _feasible_rows(self) -> tuple[tuple[RawInstruction, Opcode], ...]:
        """The instructions that executions may reach, with their rows of the opcode table."""
        skipped = set(self.unreachable) | set(self.infeasible)
        return tuple((raw, OPCODE_BY_CODE[raw.op]) for index, raw in enumerate(self.program) if index not in skipped)

    @Lazy
    def slots_read(self) -> tuple[int, ...]:
        """The numbers of the scratch slots (0 to 15) that executions may read, ascending."""
        return self._slots(stored=False)

    @Lazy
    def slots_written(self) -> tuple[int, ...]:
        """The numbers of the scratch slots (0 to 15) that executions may write, ascending."""
        return self._slots(stored=True)

    def _slots(self, *, stored: bool) -> tuple[int, ...]:
        stores = (Action.STORE_A, Action.STORE_X)
        rows = [row for row in self._feasible_rows if row[1].operand is Operand.SCRATCH]
        return tuple(sorted({raw.k for raw, opcode in rows if (opcode.action in stores) is stored}))

    @Lazy
    def extensions(self) -> tuple[Extension, ...]:
        """The extension loads that executions may make, including the wire length, in the order of their numbers."""
        extensions = {extension_of(opcode, raw.k) for raw, opcode in self._feasible_rows}
        extensions |= {Extension.LEN for _, opcode in self._feasible_rows if opcode.operand is Operand.LENGTH}
        return tuple(sorted(extension for extension in extensions if extension is not None))

    @Lazy
    def bytes_inspected(self) -> int | None:
        """The number of leading packet bytes that executions may inspect, as an upper bound; None if it has no bound.

        Later bytes never affect the verdict. The captured and the wire length, the `extensions`, and header bytes
        outside the packet may affect it.
        """
        loads = [load for load in self.loads if load.header in ("packet", "any")]
        ends = [load.last + load.size for load in loads if load.last is not None]
        return max(ends, default=0) if len(ends) == len(loads) else None

    @Lazy
    def unset_reads(self) -> tuple[tuple[int, str], ...]:
        """The reads of registers and scratch slots that an execution may not have set before, and that are then 0.

        The index of the instruction and "A", "X" or "M[3]", in program order; on each path the first read only. Linux
        rejects programs with such a read of a slot.
        """
        from .unset_reads import unset_reads

        return tuple(unset_reads(self))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Flow):
            return NotImplemented
        return (self.program, self.dialect) == (other.program, other.dialect)

    def __hash__(self) -> int:
        return hash((Flow, self.program, self.dialect))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("Flow is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.program, self.dialect)

    def __repr__(self) -> str:
        return f"<Flow of {len(self.program)} instructions in {len(self.blocks)} blocks, {self.dialect.name}>"


def _restore(cls: type[Flow], program: Program, dialect: Dialect) -> Flow:
    """Return a pickled flow; the `__init__` of a subclass may have other parameters, and is not called."""
    flow = cls.__new__(cls)
    Flow.__init__(flow, program, dialect=dialect)
    return flow
