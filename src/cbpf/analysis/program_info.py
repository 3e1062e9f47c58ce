"""A summary of a program: `program_info`."""

from collections import Counter
from collections.abc import Iterator, Sequence

from .._record import JsonRecord
from .._text import Readable, aligned, counted, number_range
from .._typing import Any
from ..isa.dialects import DIALECTS, PCAP, Dialect
from ..isa.enumerations import EXTENSION_WORDS, Extension
from ..isa.opcodes import OPCODE_BY_CODE
from ..isa.program import Instructions
from ..isa.verifier import findings
from .abstract_state import PacketLoad
from .flow import Flow
from .index_ranges import format_ranges


class ProgramInfo(JsonRecord, Readable):
    """The properties of a program, from its `Flow`; `program_info` returns them.

    `str` returns the lines that `cbpf stats` prints.

    Args:
        instructions: The number of instructions.
        blocks: The number of basic blocks.
        unreachable: The indices of the instructions to which the control-flow graph has no path.
        infeasible: The indices of the other instructions that no execution reaches.
        shortest: The length in instructions of the shortest feasible path to a `ret`.
        longest: The length in instructions of the longest feasible path.
        bytes_inspected: The number of leading packet bytes that may be inspected; None if it has no bound.
        loads: The packet loads that executions may make.
        slots_read: The scratch slots that executions may read.
        slots_written: The scratch slots that executions may write.
        extensions: The extension loads that executions may make.
        opcodes: Each mnemonic of the program with its number of occurrences, the most frequent first.
        accepted_by: The names of the dialects that accept the program.
    """

    instructions: int
    blocks: int
    unreachable: tuple[int, ...]
    infeasible: tuple[int, ...]
    shortest: int
    longest: int
    bytes_inspected: int | None
    loads: tuple[PacketLoad, ...]
    slots_read: tuple[int, ...]
    slots_written: tuple[int, ...]
    extensions: tuple[Extension, ...]
    opcodes: tuple[tuple[str, int], ...]
    accepted_by: tuple[str, ...]

    def rows(self, *, dialect: Dialect = PCAP) -> tuple[tuple[str, str], ...]:
        """Return the properties as text.

        Args:
            dialect: The dialect of the program; its packets may be truncated, unless it has records of a fixed size.

        Returns:
            The name and the value of each property.
        """
        return tuple(self._rows(dialect))

    def _rows(self, dialect: Dialect) -> Iterator[tuple[str, str]]:
        yield "program", f"{counted(self.instructions, 'instruction')} in {counted(self.blocks, 'block')}"
        yield "unreachable in the graph", format_ranges(self.unreachable) or "none"
        yield "unreachable on any input", format_ranges(self.infeasible) or "none found"
        truncated = " (fewer for truncated packets)" if dialect.record_size is None else ""
        yield "path length", f"{number_range(self.shortest, self.longest)} instructions{truncated}"
        inspected = "any" if self.bytes_inspected is None else f"at most the first {self.bytes_inspected:,}"
        yield "bytes inspected", inspected
        yield "loads", ", ".join(_loads(self.loads)) or "none"
        yield "scratch", f"reads {_slots(self.slots_read)}, writes {_slots(self.slots_written)}"
        yield "extensions", ", ".join(self.as_dict()["extensions"]) or "none"
        yield "opcodes", ", ".join(f"{name} {count:,}" for name, count in self.opcodes)
        yield "accepted by", ", ".join(self.accepted_by)

    def __str__(self) -> str:
        return "\n".join(aligned(self.rows()))

    def as_dict(self) -> dict[str, Any]:
        """Return the properties as a dictionary that can be converted to JSON.

        Returns:
            Each field by its name: loads and opcodes as dictionaries, extensions by their names in assembly text.
        """
        return super().as_dict() | {
            "extensions": [EXTENSION_WORDS[extension] for extension in self.extensions],
            "opcodes": dict(self.opcodes),
        }


def _loads(loads: Sequence[PacketLoad]) -> list[str]:
    """Return the loaded positions without repetition; fixed ones in the packet come first, merged into ranges."""
    positions: set[int] = set()
    others: dict[str, None] = {}
    for load in loads:
        if load.base is None and load.header == "packet":
            positions.update(range(load.first, load.first + load.size))
        else:
            others[str(load)] = None
    return [*([format_ranges(positions)] if positions else []), *others]


def _slots(slots: Sequence[int]) -> str:
    return ", ".join(f"M[{slot}]" for slot in slots) or "none"


def program_info(program: Instructions, *, dialect: Dialect = PCAP) -> ProgramInfo:
    """Summarise a program: its size, control flow, inputs and opcodes."""
    flow = Flow(program, dialect=dialect)
    opcodes = Counter(OPCODE_BY_CODE[raw.op].mnemonic for raw in flow.program)
    return ProgramInfo(
        instructions=len(flow.program),
        blocks=len(flow.blocks),
        unreachable=flow.unreachable,
        infeasible=flow.infeasible,
        shortest=flow.shortest,
        longest=flow.longest,
        bytes_inspected=flow.bytes_inspected,
        loads=flow.loads,
        slots_read=flow.slots_read,
        slots_written=flow.slots_written,
        extensions=flow.extensions,
        opcodes=tuple(opcodes.most_common()),
        accepted_by=tuple(name for name, other in DIALECTS.items() if not findings(flow.program, dialect=other)),
    )
