"""Programs that are written for packets with an Ethernet header, judged from their loads."""

from .._typing import Final
from ..isa.dialects import LINUX
from ..isa.opcodes import CONDITIONS, OPCODE_BY_CODE, Operand
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from ..isa.verifier import findings
from .flow import Flow

_ETHERTYPE: Final = "[12:2]"
"""The name of the half-word at offset 12, which is the EtherType of an Ethernet header."""
_ETHERTYPES: Final = frozenset({0x0800, 0x0806, 0x8035, 0x8100, 0x86DD, 0x8847, 0x8848, 0x8863, 0x8864, 0x88A8})
"""IPv4, ARP, RARP, VLAN, IPv6, MPLS, PPPoE, and the outer VLAN tag of IEEE 802.1ad."""


def ethertype_test(program: Program) -> int | None:
    """Return the index of the first instruction that compares the half-word at offset 12 with an EtherType.

    None: no execution reaches such an instruction, or Linux rejects the program. At a hook that begins at the IP
    header, the half-word is the first half of the source address of IPv4, which is rarely such a number.
    """
    candidates = [index for index, raw in enumerate(program) if raw.k in _ETHERTYPES and _is_comparison(raw)]
    if not candidates or findings(program, dialect=LINUX):
        return None
    flow = Flow(program, dialect=LINUX)
    for index in candidates:
        facts = flow.facts(index)
        if facts is not None and facts.a.name == _ETHERTYPE:
            return index
    return None


def _is_comparison(raw: RawInstruction) -> bool:
    """Return whether an instruction compares the accumulator with its constant."""
    opcode = OPCODE_BY_CODE.get(raw.op)
    return opcode is not None and opcode.operand is Operand.K and opcode.action in CONDITIONS
