"""Programs for other targets."""

from __future__ import annotations

from .._typing import TYPE_CHECKING
from ..backends import emission
from ..isa.dialects import PCAP, Dialect
from .arguments import LinkTypeName, ProgramSource, as_program

if TYPE_CHECKING:
    from .._options import TargetName


def emit(
    program: ProgramSource,
    *,
    target: TargetName = "c",
    link_type: LinkTypeName = "EN10MB",
    dialect: Dialect = PCAP,
    name: str = "filter",
    main: bool = False,
) -> str | bytes:
    r"""Write a program for a target other than this process.

    Every target has the verdicts of the VM on a packet without metadata, and none reads a byte outside of the packet.

    Args:
        program: The program: instructions, or a filter expression, which is compiled.
        target: The name of the target:

            - "c": a file with the C99 function `uint32_t NAME(const uint8_t *packet, size_t captured, size_t wire)`,
              which needs no library. A comment states the instruction of each line.
            - "llvm": a module of LLVM IR with this function, for little-endian machines of 64 bits.
            - "object": an object file for this machine with this function.
        link_type: The link type for an expression: a name, a LINKTYPE_ number, or a `LinkType`.
        dialect: The dialect whose rules verify the program, and whose meaning it has.
        name: The name of the function: a C identifier.
        main: Whether the C file also has a main function, which copies the packets that the function accepts from
            standard input to standard output, both captures in the format pcap.

    Returns:
        The text, or the bytes of a target that is not text.

    Raises:
        ExpressionError: An expression cannot be compiled.
        FieldError: An argument is invalid.
        MissingLibrary: The target needs llvmlite, which is not installed.
        ProgramFormatError: The target cannot execute an instruction: an extension that it lacks, or a load from a
            header whose position is unknown there.
        VerificationError: The dialect rejects the program.

    >>> print(emit("arp"))  # doctest: +ELLIPSIS
    #include <stddef.h>
    ...
        if (captured < 14)
            return 0;
        a = load_16(packet + 12);        /* (000) ldh [12] */
        return a == 0x806 ? 262144 : 0;  /* (001) jeq #0x806 jt 2 jf 3 */
    }
    <BLANKLINE>
    """
    value = as_program(program, link_type=link_type, dialect=dialect)
    title = program if isinstance(program, str) else ""
    return emission.emit(value, target=target, dialect=dialect, name=name, title=title, main=main)
