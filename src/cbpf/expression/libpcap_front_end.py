"""The front end of libpcap: its compiler with checks of its input and output, for comparisons with cbpf's own.

The text of an error is that of libpcap, which has no place.
"""

import re

from .._typing import Final
from ..errors import ExpressionError, LinkTypeError
from ..isa.instructions import RetConstant
from ..isa.opcodes import OPCODE_BY_CODE, Action
from ..isa.raw_instruction import RawInstruction
from .front_end import REJECT_ALL, Code, RawInstructions, check_characters, error_at
from .libpcap import NETMASK_UNKNOWN, REJECTS_ALL_MESSAGE, Handle, RawTuple, compiler
from .target import Target, link_types_to_try

MAX_EXPRESSION_LENGTH: Final = 65_535
"""The longest expression in characters: libpcap takes minutes for longer ones, and crashes at three times the size."""

_BLANKS: Final = " \t\r\n"  # of libpcap's scanner
_SYNTAX_ERROR: Final = re.compile(
    "can't parse filter expression: syntax error|syntax error in filter expression"
    "|number .* (overflows 32 bits|contains non-.* digit)|bogus (IPv6|ethernet) address"
)
_UNKNOWN_NAMES: Final = ("unknown host", "unknown network")

_MAX_LENGTH_FOR_ALL: Final = 1_000  # characters; compiling a longer expression for all link types may take minutes


def libpcap_code(text: str, target: Target, *, optimize: bool = False) -> Code:
    """Return the code that libpcap compiles an expression to; *optimize* enables its own optimiser.

    Raises `ExpressionError`; if the expression is valid for another link type, `LinkTypeError`.
    """
    handle = Handle.of(target)
    netmask = NETMASK_UNKNOWN if target.netmask is None else target.netmask
    return Code(_instructions(text, handle, netmask, optimize=optimize))


def _instructions(text: str, handle: Handle, netmask: int, *, optimize: bool) -> RawInstructions:
    _check_text(text)
    if not text.strip(_BLANKS) and handle.snaplen:  # of all expressions, only this one fits unknown link types
        return (RetConstant(handle.snaplen).assemble(),)
    message, rows = _compiled(text, handle, netmask, optimize=optimize)
    if message == REJECTS_ALL_MESSAGE:
        return REJECT_ALL
    if message is not None:
        raise _error(text, message, handle, netmask) from None
    instructions = tuple(RawInstruction(*row) for row in rows)
    _reject_backward_jumps(instructions, text)
    return instructions


def _compiled(text: str, handle: Handle, netmask: int, *, optimize: bool = False) -> tuple[str | None, list[RawTuple]]:
    """Return libpcap's error message, or None and the instructions."""
    try:
        return None, compiler()(text, handle, optimize, netmask)
    except ExpressionError as error:
        return str(error), []


def _error(text: str, message: str, handle: Handle, netmask: int) -> ExpressionError:
    """Return the error for a text that libpcap rejects with *message*."""
    fits = not _SYNTAX_ERROR.match(message) and fits_another_link_type(text, handle, netmask)
    printable = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(message.split()))
    return (LinkTypeError if fits else ExpressionError)(printable, expression=text)


def fits_another_link_type(text: str, handle: Handle, netmask: int) -> bool:
    """Return whether libpcap compiles an expression for another link type; of a long one, for a representative."""
    for candidate in link_types_to_try(all_types=len(text) <= _MAX_LENGTH_FOR_ALL):
        if candidate.dlt == handle.dlt:
            continue
        message, _ = _compiled(text, handle.for_link_type(candidate), netmask)
        if message is None:
            return True
        if any(name in message for name in _UNKNOWN_NAMES):
            return False  # without another query to the resolver for each link type
    return False


def _check_text(text: str) -> None:
    """Raise `ExpressionError` for text that libpcap would misread, or that would make it hang or crash."""
    if len(text) > MAX_EXPRESSION_LENGTH:
        fact = f"has {len(text)} characters; at most {MAX_EXPRESSION_LENGTH} are allowed"
        raise ExpressionError(fact, expression=text)
    check_characters(text)


def _reject_backward_jumps(instructions: RawInstructions, text: str) -> None:
    """Raise for a loop. libpcap compiles `protochain` to one, whose jump wraps around to a negative distance."""
    for index, raw in enumerate(instructions):
        if OPCODE_BY_CODE[raw.op].action is Action.JUMP and raw.k >= len(instructions):
            fact = (
                f"instruction {index} jumps backward: protochain compiles to a loop over the headers, and"
                " only forward jumps are allowed; name each header instead"
            )
            raise error_at(text, text.find("protochain"), fact)
