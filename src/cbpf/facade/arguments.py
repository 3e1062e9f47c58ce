"""Programs as arguments of public functions: instructions, or an expression, which is compiled."""

from __future__ import annotations

import os

from .._stdlib import contextmanager
from .._typing import TYPE_CHECKING, Iterable, Iterator, NoReturn, TypeAlias, TypeGuard
from ..errors import ExpressionError, FieldError, ProgramFormatError, quoted
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Instructions, Program

if TYPE_CHECKING:
    from .._options import Optimizer
    from ..expression.address_lists import Expression
    from ..expression.target import SocketStart
    from ..packet.link_types import LinkType

ExpressionSource: TypeAlias = "str | Expression"
"""An expression as an argument of a public function."""
ProgramSource: TypeAlias = "Instructions | str | Expression"
"""A program as an argument of a public function: instructions, or an expression."""
LinkTypeName: TypeAlias = "str | int | LinkType"
"""A link type as an argument: a name, a LINKTYPE_ number, or a `LinkType`."""


def as_program(
    source: ProgramSource,
    *,
    link_type: LinkTypeName,
    dialect: Dialect = PCAP,
    optimizer: Optimizer = "cbpf",
    verdict: int | None = None,
) -> Instructions:
    """Return the program of an expression; instructions are returned as they are.

    The compiler is imported for expressions only. *verdict* is that on accepted packets; None: the usual one.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        _reject_bytes(bytes(source))
    if isinstance(source, Iterable) and not isinstance(source, str):
        return source
    if not is_expression(source):
        raise FieldError(f"program: {source!r} is neither a sequence of instructions nor an expression")
    from ..expression.compiler import DEFAULT_SNAPLEN, compile

    snaplen = DEFAULT_SNAPLEN if verdict is None else verdict
    with _other_meanings_named(source):
        return compile(source, link_type=link_type, snaplen=snaplen, dialect=dialect, optimizer=optimizer)


def as_socket_program(source: ExpressionSource, start: SocketStart, *, link_type: LinkTypeName) -> Program:
    """Return the program of an expression for a live Linux socket; see `compile_for_socket`."""
    from ..expression.compiler import compile_for_socket

    with _other_meanings_named(source):
        return compile_for_socket(source, start, link_type=link_type)


@contextmanager
def _other_meanings_named(source: ExpressionSource) -> Iterator[None]:
    """Name the meaning of a text that is not an expression, if it has one."""
    try:
        yield
    except ExpressionError:
        fact = _other_meaning(source) if isinstance(source, str) else None
        if fact is None:
            raise
        raise ExpressionError(f"{quoted(str(source))} is not an expression: {fact}") from None


def as_programs(*sources: ProgramSource, link_type: LinkTypeName, dialect: Dialect) -> tuple[Instructions, ...]:
    """Return the program of each argument; see `as_program`."""
    return tuple(as_program(source, link_type=link_type, dialect=dialect) for source in sources)


def is_expression(source: object) -> TypeGuard[ExpressionSource]:
    """Return whether an argument is an expression, without importing the compiler for text."""
    if isinstance(source, str):
        return True
    from ..expression.address_lists import Expression

    return isinstance(source, Expression)


def _reject_bytes(data: bytes) -> NoReturn:
    """Raise an error that names the content of bytes, and the function that reads them."""
    from ..formats.recognition import foreign_format

    foreign = (foreign_format(data) or "").partition(";")[0]  # without the advice for the command line
    fact = f": {foreign}" if foreign else ""
    reader = "read_capture reads captures" if foreign.endswith("capture") else "parse reads programs"
    raise FieldError(f"program: expected instructions or an expression, got bytes{fact}; cbpf.{reader}")


def _other_meaning(text: str) -> str | None:
    """Return the meaning of a text that is not an expression, if it has one: a file, or a program as text."""
    if len(text) < 4096 and "\0" not in text and os.path.isfile(text):
        return "it is the name of a file; cbpf.parse reads the program that a file contains, cbpf.read_capture packets"
    from ..formats.conversion import parse

    try:
        parse(text)
    except ProgramFormatError:
        return None
    return "it is the text of a program, which cbpf.parse reads"
