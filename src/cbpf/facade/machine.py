"""The virtual machine."""

from .. import vm
from .._typing import TYPE_CHECKING
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource, as_program

if TYPE_CHECKING:
    from .._options import VMEngineName


class VM(vm.VM):
    """A verified program that can be run on packets.

    A verdict is the unsigned 32-bit number that the program returns, never clipped to the packet's length: 0 rejects
    the packet, n > 0 accepts it (a socket delivers up to n bytes of it; a capture filter writes the complete record).
    A load of a byte that the packet does not have rejects it; no content of a packet makes a run raise an error.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        engine: The implementation that runs the program. "interpreter" is the reference implementation. "python"
            compiles the program to Python source and is much faster. "llvm" compiles it to machine code and needs
            the extra `llvm`. "auto", the default, uses "python" for single packets ("interpreter" for programs of
            more than 20,000 instructions) and, if installed, "llvm" for calls of `verdicts` with at least 100,000
            packets. "cuda" runs batches (`verdicts`) on a device of NVIDIA, and everything else as "llvm"; it needs
            the extra `cuda`, a driver and a device. It is not available to a process that is forked from one that has
            used it.
        dialect: The rules by which the program is verified and executed; `PCAP` by default.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.

    Raises:
        ExpressionError: The expression cannot be compiled.
        VerificationError: The dialect rejects the program; the exception holds all findings.
        MissingLibrary: The engine is "llvm" or "cuda", and llvmlite or cuda-core is not installed.
        ProgramFormatError: The engine is "cuda", and the program loads metadata or from header windows.
        FieldError: The engine is unknown, *dialect* is not a `Dialect`, or *program* contains another object.

    >>> from cbpf import JumpIf, JumpTest, LoadAbsolute, RetConstant
    >>> arp = VM([LoadAbsolute(12, 2), JumpIf(JumpTest.NOT_EQUAL, 0x0806, 1), RetConstant(4096), RetConstant(0)])
    >>> arp.run(bytes.fromhex("ffffffffffff 020000000001 0806"))
    4096
    >>> arp.run(b"short")
    0

    The steps of a run show the registers:

    >>> for step in arp.trace(bytes.fromhex("ffffffffffff 020000000001 0806")):
    ...     print(step.index, step.instruction, step.a, step.verdict)
    0 ldh [12] 2054 None
    1 jneq #2054,1 2054 None
    2 ret #4096 2054 4096
    """

    def __init__(
        self,
        program: ProgramSource,
        *,
        engine: "VMEngineName" = "auto",
        dialect: Dialect = PCAP,
        link_type: LinkTypeName = "EN10MB",
    ) -> None:
        super().__init__(as_program(program, link_type=link_type, dialect=dialect), engine=engine, dialect=dialect)
