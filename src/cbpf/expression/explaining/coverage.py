"""`clause_coverage`: the outcomes that the clauses of an expression have on a table of packets."""

from collections.abc import Iterable

from ..._record import JsonRecord
from ..._typing import Any
from ...capture.base import Interface
from ...packet.link_types import LinkType
from ...packet.packet_bytes import as_packet
from ..names import SYSTEM_NAMES, Lookups, Resolver
from ..syntax_tree import Span
from .clause_program import ClauseProgram, Outcome, as_expression, checked_target


class ClauseCoverage(JsonRecord):
    """The outcomes of a clause of an expression on packets.

    Args:
        span: Its place in the expression.
        text: The clause in canonical form, with the keywords that it has in common with the one before it.
        true: The number of packets for which it is true.
        false: The number of packets for which it is false.
        ended: The number of packets for which it ended the run: at bytes that the packet lacks, or a division by zero.
        not_evaluated: The number of packets whose verdict was decided before it.
        is_constant: Whether it is true, or false, for every packet of the link type.
    """

    span: Span
    text: str
    true: int
    false: int
    ended: int
    not_evaluated: int
    is_constant: bool

    def missing(self) -> str:
        """Return the outcome that no packet has had: "never true", "never false" or "never evaluated"; or no text.

        Returns:
            The text. A clause with a constant outcome lacks nothing but an evaluation.
        """
        if not self.true + self.false + self.ended:
            return "never evaluated"
        if self.is_constant or (self.true and self.false):
            return ""
        return "never false" if self.true else "never true"


def clause_coverage(
    expression: str,
    packets: Iterable[Any],
    *,
    link_type: str | int | LinkType | Interface = "EN10MB",
    netmask: int | str | None = None,
    names: Resolver | None = SYSTEM_NAMES,
) -> tuple[ClauseCoverage, ...]:
    """Return the outcomes that the clauses of an expression have on packets.

    Args:
        expression: The expression in tcpdump's language (pcap-filter(7)).
        packets: The packets: buffers of bytes, or objects with `packet` (or `data`) and `wire_length`, such as `Case`,
            `Packet` and `SocketView`.
        link_type: The link type of the packets, as for `compile`, or their `Interface` in a capture.
        netmask: The netmask of the network that is captured on, as for `compile`; not used with an `Interface`.
        names: The source of the names in the expression, as for `compile`.

    Returns:
        The clauses in the order of the text, with the numbers of packets.

    Raises:
        ExpressionError: The expression cannot be compiled. `LinkTypeError` if the link type is the reason.
        PacketError: A packet is not a buffer of bytes.
        FieldError: An argument is invalid.

    >>> arp, vlan = clause_coverage("arp or vlan", [bytes(20), bytes.fromhex("ffffffffffff 020000000001 0806")])
    >>> arp.true, arp.false, vlan.false, vlan.not_evaluated, vlan.missing()
    (1, 1, 1, 1, 'never true')
    """
    target = checked_target("clause_coverage", link_type, netmask=netmask)
    program = ClauseProgram(as_expression(expression), target, Lookups(names))
    counts: list[dict[Outcome, int]] = [{} for _ in program.parts]
    for packet in packets:
        run = program.run(*_data_and_length(packet))
        for count, (outcome, _) in zip(counts, run.outcomes, strict=True):
            count[outcome] = count.get(outcome, 0) + 1
    return tuple(
        ClauseCoverage(
            part.span,
            part.text,
            count.get("true", 0),
            count.get("false", 0),
            count.get("bytes missing", 0) + count.get("division by zero", 0),
            count.get("not evaluated", 0),
            isinstance(program.conditions[index], bool),
        )
        for index, (part, count) in enumerate(zip(program.parts, counts, strict=True))
        if part.kind == "clause"
    )


def merged(left: Iterable[ClauseCoverage], right: Iterable[ClauseCoverage]) -> tuple[ClauseCoverage, ...]:
    """Return the sums of the coverage of the same clauses by two tables of packets."""
    names = ("true", "false", "ended", "not_evaluated")
    return tuple(
        one.replace(**{name: getattr(one, name) + getattr(other, name) for name in names})
        for one, other in zip(left, right, strict=True)
    )


def _data_and_length(packet: Any) -> tuple[bytes, int]:
    data = bytes(as_packet(getattr(packet, "packet", getattr(packet, "data", packet))))
    return data, getattr(packet, "wire_length", len(data))
