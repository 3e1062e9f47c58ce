"""Programs whose offsets count from the IP header, for sockets that see packets from the header after it."""

from ..errors import ExpressionError, quoted
from ..isa.instructions import RawInstruction
from ..isa.opcodes import NETWORK_OFFSET, OPCODE_BY_CODE, WORD_MASK, Operand, extension_of
from ..isa.program import Program


def from_network_header(program: Program, source: object) -> Program:
    """Return a program with the same loads, through the window that begins at the IP header (SKF_NET_OFF).

    Args:
        program: A program for packets that begin with the IP header, and whose loads end before byte 1,044,480.
        source: The expression of the program, for messages.
    """
    return Program([_moved(raw, source) for raw in program])


def _moved(raw: RawInstruction, source: object) -> RawInstruction:
    opcode = OPCODE_BY_CODE[raw.op]
    match opcode.operand:
        case Operand.ABSOLUTE | Operand.INDIRECT | Operand.MEMORY_SHIFT if extension_of(opcode, raw.k) is None:
            return raw._replace(k=raw.k + NETWORK_OFFSET & WORD_MASK)
        case Operand.LENGTH:
            fact = "this socket sees the length from the header after the IP header, not that of the packet"
            raise ExpressionError(f"{quoted(str(source))} cannot be attached: {fact}; remove 'len', 'less', 'greater'")
    return raw
