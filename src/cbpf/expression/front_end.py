"""The front end: libpcap's compiler with checks of its input and output.

It takes the text of an expression and returns raw instructions, which no optimiser of cbpf has changed.
"""

import re
from typing import Final, TypeAlias

from ..errors import ExpressionError, LinkTypeError
from ..isa.instructions import RawInstruction, RetConstant
from ..isa.opcodes import OPCODE_BY_CODE, Action
from ..packet.link_types import link_type, link_types
from .libpcap import Handle, compiler

RawInstructions: TypeAlias = tuple[RawInstruction, ...]

MAX_EXPRESSION_LENGTH: Final = 65_535
"""The longest expression in characters: libpcap takes minutes for longer ones, and crashes at three times the size."""

REJECT_ALL: Final[RawInstructions] = (RetConstant(0).assemble(),)
"""The program of an expression that rejects every packet."""

_BLANKS: Final = " \t\r\n"  # of libpcap's scanner
_UNKNOWN_NAME: Final = re.compile("unknown (host|network)")

# Each kind of primitive fits one of these link types; the first fits most expressions
_REPRESENTATIVES: Final = tuple(
    map(link_type, ("EN10MB", "IEEE802_11", "LINUX_SLL2", "PFLOG", "SUNATM", "MTP2_WITH_PHDR"))
)
_MAX_LENGTH_FOR_ALL: Final = 1_000  # characters; compiling a longer expression for all link types may take minutes
_REJECTS_ALL_MESSAGE: Final = "expression rejects all packets"  # of libpcap's optimiser


def raw_instructions(
    text: str, handle: Handle, netmask: int, *, optimize: bool = False, subject: str | None = None
) -> RawInstructions:
    """Return the instructions that libpcap compiles an expression to.

    *optimize* enables libpcap's own optimiser. *subject* names the expression in error messages; by default they quote
    its text. Raises `ExpressionError`; if the expression is valid for another link type, `LinkTypeError`.
    """
    check_text(text)
    subject = subject or quoted(text)
    if not text.strip(_BLANKS) and handle.snaplen:  # of all expressions, only this one fits unknown link types
        return (RetConstant(handle.snaplen).assemble(),)
    try:
        rows = compiler()(text, handle, optimize, netmask)
    except ExpressionError as error:
        if str(error) == _REJECTS_ALL_MESSAGE:
            return REJECT_ALL
        kind = LinkTypeError if fits_another_link_type(text, handle, netmask) else ExpressionError
        raise kind(f"{subject}: {error}") from None
    instructions = tuple(RawInstruction(*row) for row in rows)
    _reject_backward_jumps(instructions, subject)
    return instructions


def fits_another_link_type(text: str, handle: Handle, netmask: int) -> bool:
    """Return whether libpcap compiles an expression for another link type; of a long one, for a representative."""
    candidates = (*_REPRESENTATIVES, *(link_types() if len(text) <= _MAX_LENGTH_FOR_ALL else ()))
    for candidate in candidates:
        if candidate.dlt == handle.dlt:
            continue
        try:
            compiler()(text, handle.for_link_type(candidate), False, netmask)
        except ExpressionError as error:
            if _UNKNOWN_NAME.search(str(error)):
                return False  # without another query to the resolver for each link type
        else:
            return True
    return False


def quoted(text: str) -> str:
    """Return the subject of an error message: the text of an expression, shortened to 80 characters."""
    return f"expression {text!r}" if len(text) <= 80 else f"expression {text[:80]!r}..."


def check_text(text: str) -> None:
    """Raise `ExpressionError` for text that libpcap would misread, or that would make it hang or crash."""
    if len(text) > MAX_EXPRESSION_LENGTH:
        fact = f"has {len(text)} characters; at most {MAX_EXPRESSION_LENGTH} are allowed"
        raise ExpressionError(f"{quoted(text)}: {fact}")
    if "\0" in text:
        fact = f"column {text.index(chr(0)) + 1}: NUL character; libpcap would ignore the text after it"
        raise ExpressionError(f"{quoted(text)}: {fact}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        fact = f"column {error.start + 1}: lone surrogate {text[error.start]!r}; the text must be encodable as UTF-8"
        raise ExpressionError(f"{quoted(text)}: {fact}") from None


def _reject_backward_jumps(instructions: RawInstructions, subject: str) -> None:
    """Raise for a loop. libpcap compiles `protochain` to one, whose jump wraps around to a negative distance."""
    for index, raw in enumerate(instructions):
        if OPCODE_BY_CODE[raw.op].action is Action.JUMP and raw.k >= len(instructions):
            raise ExpressionError(
                f"{subject}: instruction {index} jumps backward: protochain compiles to a loop over the headers, and"
                " only forward jumps are allowed; name each header instead"
            )
