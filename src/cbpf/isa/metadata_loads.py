"""The loads of a program that need more than the bytes of the packet: metadata, and the positions of headers."""

from .._typing import Final, Iterator, Sequence
from .dialects import Dialect
from .listing import listing_line
from .opcodes import EXTENSION_OFFSET, LINK_OFFSET, NETWORK_OFFSET, OPCODE_BY_CODE, Opcode, Operand
from .program import Program
from .raw_instruction import RawInstruction

PACKET_ALONE: Final = "a function of the packet alone"
"""The place of programs that have the bytes and the lengths of the packet, as a noun phrase."""
_ALWAYS_PRESENT: Final = ("len", "xor_x")


def impossible_loads(
    program: Program, dialect: Dialect, place: str, *, extensions: Sequence[str] = (), has_headers: bool = False
) -> Iterator[str]:
    """Yield a line for each instruction that cannot be executed in a place: the instruction and the reason.

    Args:
        program: The program, which *dialect* must accept.
        dialect: The dialect.
        place: Where programs run, as a noun phrase.
        extensions: The words of the extensions that exist there, beside `len` and `xor_x`.
        has_headers: Whether loads from the network and the link-layer header are possible.
    """
    for index, raw in enumerate(program):
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.operand is Operand.ABSOLUTE and raw.k >= LINK_OFFSET:
            reason = _reason(opcode, raw, dialect, place, extensions, has_headers)
            if reason is not None:
                line = " ".join(listing_line(raw, index, dialect=dialect).split())
                yield f"{line}: {reason}"


def _reason(
    opcode: Opcode, raw: RawInstruction, dialect: Dialect, place: str, extensions: Sequence[str], has_headers: bool
) -> str | None:
    """Return why a load with a negative offset is impossible; None if it is possible."""
    from .enumerations import EXTENSION_WORDS, extension_of

    extension = extension_of(opcode, raw.k) if raw.k >= EXTENSION_OFFSET and dialect.extensions else None
    if extension is None:
        if has_headers or not dialect.header_windows:
            return None
        header = "network" if raw.k >= NETWORK_OFFSET else "link-layer"
        return f"it loads from the {header} header, whose position is unknown in {place}"
    word = EXTENSION_WORDS[extension]
    if word in (*_ALWAYS_PRESENT, *extensions):
        return None
    present = f"; it has {', '.join(extensions)}" if extensions else ""
    return f"the extension {word} does not exist in {place}{present}"
