"""`explain_verdict`: the reasons for the verdict of an expression on one packet."""

from collections.abc import Iterator

from ..._record import JsonRecord
from ..._typing import Any, Final
from ..._validators import check_word, flag, optional, seconds
from ...capture.base import Interface
from ...engines.interpreter import Fetched
from ...errors import MissingLibrary, Undecided
from ...isa.dialects import LINUX, PCAP
from ...packet.link_types import LinkType
from ...packet.metadata import Metadata
from ...packet.packet_bytes import as_packet
from ...proofs.nearest import nearest_opposite
from ..address_lists import Expression
from ..names import SYSTEM_NAMES, Lookups, Resolver
from ..syntax_tree import Span
from .clause_program import ClauseProgram, ClauseRun, Outcome, as_expression, checked_target
from .parts import PartKind

_check_timeout: Final = optional(seconds)

_LIVE: Final = LINUX.replace(longest=None, longest_translated_jump=None)
"""The dialect of packets with metadata: as a socket runs programs, but of any length."""


class ExplainedPart(JsonRecord):
    """A part of an expression, with its outcome on a packet.

    Args:
        kind: "clause", or for a combination of parts "and", "or" or "not".
        span: Its place in the expression; that of a list, and of the "and" around it, is empty.
        text: A clause in canonical form, with the keywords that it has in common with the one before it; of other
            parts, the operator.
        depth: The number of parts around it.
        outcome: "true", "false", or "not evaluated" if the verdict was decided before it. "bytes missing": a load past
            the end of the packet ended the run, and "division by zero": a division ended it; both reject the packet.
        loads: The loads that a clause made from the packet, in their order.
    """

    kind: PartKind
    span: Span
    text: str
    depth: int
    outcome: Outcome
    loads: tuple[Fetched, ...]


class ByteChange(JsonRecord):
    """The change of one byte of a packet.

    Args:
        offset: The offset of the byte.
        old: Its value in the packet.
        new: Its value in the changed packet.
        parts: The clauses whose outcome the change inverts, with their outcome and their loads on the changed packet;
            those that read the byte.
    """

    offset: int
    old: int
    new: int
    parts: tuple[ExplainedPart, ...]


class PacketChange(JsonRecord):
    """A change of a packet that inverts the verdict of an expression; the length does not change.

    Args:
        packet: The changed packet.
        changes: The bytes that differ, by their offsets.
        is_smallest: Whether no change of fewer bytes inverts the verdict; False if time was too short for a proof.
    """

    packet: bytes
    changes: tuple[ByteChange, ...]
    is_smallest: bool


class VerdictExplanation(JsonRecord):
    """The reasons for the verdict of an expression on one packet; `explain_verdict` returns it.

    Args:
        expression: The text of the expression.
        packet: The captured bytes.
        wire_length: The length of the packet on the wire, in bytes.
        accepts: Whether the expression accepts the packet.
        parts: The parts of the expression, each before its operands, in the order of the text.
        deciding: The clause that decided, the last one that was evaluated; None if the expression has no clauses, or
            if the measurements reject the packet.
        measured: The loads that measure headers of variable length before all clauses, for link types that have such
            headers.
        change: A change of the packet that inverts the verdict, of as few bytes as possible; None if there is none, or
            if it is not known.
        unknown: The reason why it is not known whether such a change exists; empty otherwise.
    """

    expression: str
    packet: bytes
    wire_length: int
    accepts: bool
    parts: tuple[ExplainedPart, ...]
    deciding: ExplainedPart | None
    measured: tuple[Fetched, ...]
    change: PacketChange | None
    unknown: str

    @property
    def clauses(self) -> tuple[ExplainedPart, ...]:
        """The parts that are clauses."""
        return tuple(part for part in self.parts if part.kind == "clause")

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation as a dictionary that can be converted to JSON.

        Returns:
            The fields by name, as docs/reference/json.md describes them. "deciding" is the index of the clause in
            "parts", or None.
        """
        deciding = None if self.deciding is None else self.parts.index(self.deciding)
        return super().as_dict() | {"deciding": deciding}


def explain_verdict(
    expression: str | Expression,
    packet: Any,
    *,
    link_type: str | int | LinkType | Interface = "EN10MB",
    wire_length: int | None = None,
    metadata: Metadata | None = None,
    netmask: int | str | None = None,
    names: Resolver | None = SYSTEM_NAMES,
    finds_change: bool = True,
    timeout: float | None = 10,
) -> VerdictExplanation:
    """Return the reasons for the verdict of an expression on one packet.

    The expression is compiled to plain code, which defines its meaning, and runs under the dialect PCAP, or with
    metadata as on a live packet socket, under LINUX. The outcomes of the clauses are those of this run.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)); the lists of an `Expression` are clauses as
            well.
        packet: The captured bytes: any contiguous buffer.
        link_type: The link type of the packet, as for `compile`, or its `Interface` in a capture.
        wire_length: The length of the packet on the wire; by default the number of bytes given.
        metadata: The metadata of a live packet, such as those of a `SocketView`, which `vlan`, `inbound`, `outbound`
            and `ifindex` test. They are for the link type of a device, not for an `Interface`.
        netmask: The netmask of the network that is captured on, as for `compile`; not used with an `Interface`.
        names: The source of the names in the expression, as for `compile`.
        finds_change: Whether to search for a change that inverts the verdict, which takes most of the time.
        timeout: The time for this search, in seconds; None: no limit.

    Returns:
        The explanation. Changes of more than one byte require the extra `smt`.

    Raises:
        ExpressionError: The expression cannot be compiled. `LinkTypeError` if the link type is the reason.
        PacketError: *packet* is not a buffer of bytes.
        VerificationError: *metadata* is given, and the dialect LINUX rejects the program, as for a shift by 32.
        FieldError: An argument is invalid.

    >>> why = explain_verdict("arp or vlan 5", bytes.fromhex("ffffffffffff 020000000001 8100 0006 0806"))
    >>> for part in why.parts:
    ...     print("  " * part.depth + part.text, part.outcome, sep=": ")
    or: false
      arp: false
      vlan 5: false
    >>> [(change.offset, change.old, change.new) for change in why.change.changes]
    [(15, 6, 5)]
    """
    target = checked_target("explain_verdict", link_type, netmask=netmask, is_live=metadata is not None)
    _check_timeout("explain_verdict.timeout", timeout)
    data = bytes(as_packet(packet))
    length = len(data) if wire_length is None else check_word("explain_verdict.wire_length", wire_length)
    expression = as_expression(expression)
    program = ClauseProgram(expression, target, Lookups(names), PCAP if metadata is None else _LIVE)
    run = program.run(data, length, metadata)
    change, unknown = None, "it was not searched for"
    if flag("explain_verdict.finds_change", finds_change):
        change, unknown = _change(program, run, data, length, metadata, timeout)
    parts = tuple(_explained(program, run))
    deciding = None if run.last is None else parts[run.last]
    return VerdictExplanation(
        expression.text, data, length, run.accepts, parts, deciding, run.measured, change, unknown
    )


def _explained(program: ClauseProgram, run: ClauseRun) -> Iterator[ExplainedPart]:
    for part, outcome in zip(program.parts, run.outcomes, strict=True):
        yield ExplainedPart(part.kind, part.span, part.text, part.depth, *outcome)


def _change(
    program: ClauseProgram,
    run: ClauseRun,
    packet: bytes,
    wire_length: int,
    metadata: Metadata | None,
    timeout: float | None,
) -> tuple[PacketChange | None, str]:
    """Return the smallest change that inverts the verdict, if there is one, and the reason if this is not known."""
    try:
        nearest = nearest_opposite(program.vm, packet, wire_length, metadata, timeout=timeout)
    except (MissingLibrary, Undecided) as error:
        return None, str(error)
    if nearest is None:
        return None, ""
    changed_run = program.run(nearest.packet, wire_length, metadata)
    inverted = [
        part
        for part, before in zip(_explained(program, changed_run), run.outcomes, strict=True)
        if part.kind == "clause" and part.outcome != before.outcome
    ]
    changes = tuple(
        ByteChange(offset, old, new, tuple(part for part in inverted if _reads(part, offset)))
        for offset, (old, new) in enumerate(zip(packet, nearest.packet, strict=True))
        if old != new
    )
    return PacketChange(nearest.packet, changes, nearest.is_nearest), ""


def _reads(part: ExplainedPart, offset: int) -> bool:
    return any(load.position <= offset < load.position + load.size for load in part.loads)
