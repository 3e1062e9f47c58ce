"""What a program is and does, summed up."""

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
    """What a program is and does, by its `Flow`: `program_info` makes it.

    instructions, blocks: how many there are.
    unreachable: the indices of instructions to which no way leads. never_reached: of those to which no run comes.
    shortest, longest: the fewest and the most instructions of a run; see `Flow`.
    bytes_deciding: so many bytes of a packet decide at most; None: nothing bounds them.
    loads: those from the packet that runs may make.
    slots_read, slots_written: the scratch slots that runs may use. extensions: what they may ask beside bytes.
    opcodes: how often each mnemonic stands in the program, the most frequent first.
    accepted_by: the names of the dialects that accept it.
    """

    instructions: int
    blocks: int
    unreachable: tuple[int, ...]
    never_reached: tuple[int, ...]
    shortest: int
    longest: int
    bytes_deciding: int | None
    loads: tuple[PacketLoad, ...]
    slots_read: tuple[int, ...]
    slots_written: tuple[int, ...]
    extensions: tuple[Extension, ...]
    opcodes: tuple[tuple[str, int], ...]
    accepted_by: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Every field by its name, in what JSON has; extensions as the assemblers' words."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__match_args__}
        return fields | {
            "loads": [dict(zip(load.__match_args__, load._fields(), strict=True)) for load in self.loads],
            "extensions": [EXTENSION_WORDS[extension] for extension in self.extensions],
            "opcodes": dict(self.opcodes),
        }


def program_info(program: Instructions, *, dialect: Dialect = PCAP) -> ProgramInfo:
    """What a program is and does under *dialect*; raises `VerificationError` if that refuses it.

    >>> from cbpf import compile
    >>> info = program_info(compile("arp"))
    >>> info.longest, info.bytes_deciding, info.accepted_by
    (3, 14, ('pcap', 'linux'))
    """
    flow = Flow(program, dialect=dialect)
    opcodes = Counter(OPCODE_BY_CODE[raw.op].mnemonic for raw in flow.program)
    return ProgramInfo(
        instructions=len(flow.program),
        blocks=len(flow.blocks),
        unreachable=flow.unreachable,
        never_reached=flow.never_reached,
        shortest=flow.shortest,
        longest=flow.longest,
        bytes_deciding=flow.bytes_deciding,
        loads=flow.loads,
        slots_read=flow.slots_read,
        slots_written=flow.slots_written,
        extensions=flow.extensions,
        opcodes=tuple(opcodes.most_common()),
        accepted_by=tuple(name for name, one in DIALECTS.items() if not findings(flow.program, dialect=one)),
    )
