"""The state of a compilation: where the headers are, the scratch slots in use, and the names that were looked up."""

from ..._named_tuple import NamedTuple
from ..._typing import Any, Final, NoReturn
from ...isa.opcodes import SCRATCH_SLOTS
from ...packet.link_types import link_type_by_dlt
from ..lexer import Token
from ..names import Lookups
from ..problems import ExpressionProblem, ProblemKind
from ..syntax_tree import Span
from ..target import Target
from .link_layers import ETHERNET, UNSET, Headers, Offset, Slot
from .live_headers import first_headers
from .steps import WIRE_LENGTH, Steps, absolute, indirect, scratch_to_x

SHORTEST_RUN: Final = 32
"""The number of identifiers in sequence that become one test of a set (`identifier_runs`)."""


def written(protocol: str | None) -> str:
    """Return the usual spelling of a protocol in expressions: `ether` for the link layer."""
    return "ether" if protocol == "link" else str(protocol)


class Warned(NamedTuple):
    """A warning about a part of the text; some concern only programs for live sockets."""

    span: Span
    fact: str
    concerns_sockets: bool = False


class Context:
    """The state of a compilation.

    Args:
        target: The packets.
        names: The names.
    """

    def __init__(self, target: Target, names: Lookups) -> None:
        self.target = target
        self.headers: Headers = first_headers(target)
        """The positions of the headers for the next primitive: immutable, replaced by `vlan` and the like."""
        self.span = Span(0, 0)
        """The part of the text whose condition is generated."""
        self.warnings: list[Warned] = []
        """The warnings about the program."""
        self.slots: dict[Slot, int] = {}
        """The scratch slots that hold offsets."""
        self._used: set[int] = set()
        self._next = 0
        self._names = names

    @property
    def link_type_name(self) -> str:
        """The name of the link type that is spoken of."""
        return link_type_by_dlt(self.headers.link_type).name

    # Problems

    def reject(
        self,
        kind: ProblemKind,
        fact: str,
        rule: str = "",
        *,
        at: Token | Span | None = None,
        fits_others: bool | None = None,
    ) -> NoReturn:
        """Raise a problem of the part of the text *at*, by default of the whole primitive; see `ExpressionProblem`."""
        span = self.span if at is None else at if isinstance(at, Span) else Span(at.start, at.end)
        raise ExpressionProblem(span, kind, fact, rule, fits_others=fits_others)

    def check_range(self, token: Token | None, kind: str, greatest: int) -> None:
        """Reject an optional number that is too great."""
        if token is not None and token.value > greatest:
            fact = f"{kind} {token.value} is out of range"
            self.reject("range", fact, f"the greatest number is {greatest}", at=token)

    def warn(self, fact: str, *, concerns_sockets: bool = False) -> None:
        """Add a warning about the present part of the text, once."""
        warning = Warned(self.span, fact, concerns_sockets)
        if warning not in self.warnings:
            self.warnings.append(warning)

    # Headers

    @property
    def link_header(self) -> Offset:
        """The start of the link header; rejects the primitive if the packets have none."""
        if self.headers.link.constant == UNSET:
            rule = "'inbound', 'outbound' and 'ifindex' test the metadata that replaces its fields"
            self.reject("live", "a cooked socket receives packets without their link header", rule)
        return self.headers.link

    @property
    def is_before_headers(self) -> bool:
        """Whether the next primitive refers to the first headers of the packet."""
        return self.headers == first_headers(self.target)

    @property
    def may_lack_tag(self) -> bool:
        """Whether Linux may have moved a VLAN tag from the type field of the next primitive to the metadata."""
        return self.target.socket == "link" and self.target.dlt in ETHERNET and self.is_before_headers

    # Loads

    def wire_length(self) -> Steps:
        """Return the step that loads the length of the packet; rejects the primitive where it is another length."""
        if self.target.socket == "network":
            rule = "test the length field of the IP header: 'ip[2:2]', or 'ip6[4:2]', which excludes the header"
            self.reject("live", "the length on a UDP, TCP or raw socket does not include all headers", rule)
        return (WIRE_LENGTH,)

    def load(self, base: Offset, displacement: int, size: int) -> Steps:
        """Return the steps that load *size* bytes at *base* + *displacement* into A."""
        offset = base.plus(displacement)
        if offset.slot is None:
            return (absolute(offset.constant, size),)
        return scratch_to_x(self.slot_of(offset.slot)), indirect(offset.constant, size)

    def link(self, displacement: int, size: int) -> Steps:
        """Return the steps that load from the link header."""
        return self.load(self.link_header, displacement, size)

    def payload(self, displacement: int, size: int) -> Steps:
        """Return the steps that load from the payload of the link layer."""
        return self.load(self.headers.payload, displacement, size)

    def network(self, displacement: int, size: int) -> Steps:
        """Return the steps that load from the network header."""
        return self.load(self.headers.network_header, displacement, size)

    # Scratch slots

    def slot_of(self, name: Slot) -> int:
        """Return the scratch slot that holds an offset until the end of the program."""
        if name not in self.slots:
            self.slots[name] = self.reserve()
        return self.slots[name]

    def hold(self, slot: int) -> Slot:
        """Return the name of a reserved slot that holds an offset from now on."""
        self.slots[slot] = slot
        return slot

    def reserve(self) -> int:
        """Return a scratch slot that is not in use.

        The next one after the slot that was returned last comes first, as in libpcap.
        """
        for distance in range(SCRATCH_SLOTS):
            slot = (self._next + distance) % SCRATCH_SLOTS
            if slot not in self._used:
                self._used.add(slot)
                self._next = slot
                return slot
        rule = f"there are {SCRATCH_SLOTS} scratch slots, and each value that waits for its operator takes one"
        self.reject("range", "the arithmetic needs too many values at once", rule)

    def release(self, slot: int) -> None:
        """Return a scratch slot."""
        self._used.discard(slot)

    # Names

    def look_up(self, token: Token, kind: str, method: str, *arguments: str) -> Any:
        """Return the answer of a method of `Resolver`; *kind* is the kind of the name, which is in *token*."""
        if self._names.resolver is None:
            fact = f"'{token.word}' is the name of a {kind}, which would have to be looked up"
            self.reject("name", fact, "names are not allowed here, only addresses and numbers", at=token)
        return self._names.find(method, *arguments)
