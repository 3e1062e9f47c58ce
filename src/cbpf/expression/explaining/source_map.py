"""`source_map`: the clause of an expression that each instruction of its plain code belongs to."""

from collections.abc import Iterator

from ..._record import JsonRecord
from ..._validators import flag
from ...capture.base import Interface
from ...isa.dialects import LINUX, PCAP
from ...isa.program import Program
from ...packet.link_types import LinkType
from ..compiler import DEFAULT_SNAPLEN
from ..names import SYSTEM_NAMES, Lookups, Resolver
from ..syntax_tree import Span
from .clause_program import ClauseProgram, as_expression, checked_target


class MappedClause(JsonRecord):
    """A clause of an expression, with its instructions.

    Args:
        span: Its place in the expression.
        text: The clause in canonical form, with the keywords that it has in common with the one before it.
        instructions: The indices of its instructions. A clause has none if it is true, or false, for every packet of
            the link type, or if another clause always decides before it.
    """

    span: Span
    text: str
    instructions: tuple[int, ...]


class SourceMap(JsonRecord):
    """The plain code of an expression, and its clauses; `source_map` returns it.

    Args:
        program: The plain code, which defines the meaning of the expression.
        clauses: The clauses in the order of the text. Instructions of no clause measure headers of variable length, or
            return the verdict.
    """

    program: Program
    clauses: tuple[MappedClause, ...]

    def texts(self) -> tuple[str, ...]:
        """Return the text of the clause of each instruction.

        Returns:
            A text for each instruction; empty for those of no clause.
        """
        texts = [""] * len(self.program)
        for clause in self.clauses:
            for index in clause.instructions:
                texts[index] = clause.text
        return tuple(texts)


def source_map(
    expression: str,
    *,
    link_type: str | int | LinkType | Interface = "EN10MB",
    snaplen: int = DEFAULT_SNAPLEN,
    netmask: int | str | None = None,
    names: Resolver | None = SYSTEM_NAMES,
    live: bool = False,
) -> SourceMap:
    """Return the plain code of an expression, with the clause of each instruction.

    Optimised code has no such map, because one of its instructions may belong to several clauses.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)).
        link_type: The link type of the packets, as for `compile`, or their `Interface` in a capture.
        snaplen: The verdict on accepted packets, as for `compile`; not used with an `Interface`.
        netmask: The netmask of the network that is captured on, as for `compile`; not used with an `Interface`.
        names: The source of the names in the expression, as for `compile`.
        live: Whether the program is for a live Linux packet socket, as for `compile`; not used with an `Interface`.

    Returns:
        The program and its clauses.

    Raises:
        ExpressionError: The expression cannot be compiled. `LinkTypeError` if the link type is the reason.
        FieldError: An argument is invalid.

    >>> mapped = source_map("arp or len < 60")
    >>> for instruction, text in zip(mapped.program, mapped.texts()):
    ...     print(f"{instruction!s:14} {text}".rstrip())
    ldh [12]       arp
    jeq #2054,7    arp
    ld #len        len < 60
    st M[0]        len < 60
    ld #60         len < 60
    st M[1]        len < 60
    ldx M[1]       len < 60
    ld M[0]        len < 60
    jge x,1        len < 60
    ret #262144
    ret #0
    """
    is_live = flag("source_map.live", live)
    target = checked_target("source_map", link_type, snaplen=snaplen, netmask=netmask, is_live=is_live)
    program = ClauseProgram(as_expression(expression), target, Lookups(names), LINUX if is_live else PCAP)
    return SourceMap(program.vm.program, tuple(_clauses(program)))


def _clauses(program: ClauseProgram) -> Iterator[MappedClause]:
    indices: dict[Span, list[int]] = {}
    for index, span in enumerate(program.spans):
        if span is not None:
            indices.setdefault(span, []).append(index)
    for part in program.parts:
        if part.kind == "clause":
            yield MappedClause(part.span, part.text, tuple(indices.get(part.span, ())))
