"""A summary of a program: `program_info`."""

from collections import Counter
from typing import Any

from .._record import Record
from ..isa.dialects import DIALECTS, PCAP, Dialect
from ..isa.opcodes import EXTENSION_WORDS, OPCODE_BY_CODE, Extension
from ..isa.program import Instructions
from ..isa.verifier import findings
from .abstract_state import PacketLoad
from .flow import Flow


class ProgramInfo(Record):
    """The properties of a program, from its `Flow`; `program_info` returns them.

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

    def as_dict(self) -> dict[str, Any]:
        """Return the properties as a dictionary that can be converted to JSON.

        Returns:
            Each field by its name: loads and opcodes as dictionaries, extensions by their names in assembly text.
        """
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__match_args__}
        return fields | {
            "loads": [dict(zip(load.__match_args__, load._fields(), strict=True)) for load in self.loads],
            "extensions": [EXTENSION_WORDS[extension] for extension in self.extensions],
            "opcodes": dict(self.opcodes),
        }


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
