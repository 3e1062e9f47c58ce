"""`protochain`: a protocol after extension headers. libpcap's loop over the headers is unrolled."""

from ..._typing import Final
from ...isa.opcodes import Action
from ..lexer import Token
from .conditions import Condition, Effect, all_of, any_of, equals
from .context import Context, written
from .network_protocols import check_protocol_number, protocol_number
from .payload_types import IPV4, IPV6, payload_is
from .ports import ipv4_header_length
from .steps import A_TO_X, Steps, add, arithmetic, constant_to_x, indirect, scratch_to_a, store_a

MAX_HEADERS: Final = 8
"""The maximum number of headers that `protochain` skips."""

_IPV6_LENGTH: Final = 40
_IPV6_EXTENSIONS: Final = (0, 60, 43, 44)  # hop-by-hop options, destination options, routing, fragment (RFC 8200)
_AUTHENTICATION: Final = 51  # RFC 4302


def protocol_chain(context: Context, protocol: str | None, token: Token) -> Condition:
    """Return the condition that a protocol follows an IP header and up to eight extension headers."""
    if protocol not in (None, "ip", "ip6"):
        if token.kind == "name":
            protocol_number(context, protocol, token)
        context.reject("qualifier", f"'{written(protocol)}' cannot precede 'protochain'", "'ip' or 'ip6' can")
    number = protocol_number(context, protocol, token)
    check_protocol_number(context, number, 0xFF, token)
    if context.headers.payload.slot is not None:
        fact = f"'protochain' is not possible for link type {context.link_type_name}"
        context.reject("link-type", fact, "the link header must have a fixed length")
    context.warn(
        f"'protochain' looks at {MAX_HEADERS} extension headers at most; libpcap's loop is not a valid program"
    )
    chains = []
    if protocol != "ip6":
        chains.append(_chain(context, IPV4, number))
    if protocol != "ip":
        chains.append(_chain(context, IPV6, number))
    return any_of(chains)


def _chain(context: Context, version: int, number: int) -> Condition:
    """Return the condition for one version of IP; A is the protocol of the header at X from the network header."""
    if version == IPV4:
        start: Steps = (*ipv4_header_length(context), *context.network(9, 1))
        extensions: tuple[int, ...] = ()
    else:
        start = (constant_to_x(_IPV6_LENGTH), *context.network(6, 1))
        extensions = _IPV6_EXTENSIONS
    slot = context.reserve()
    chain: Condition = equals((), number)
    for _ in range(MAX_HEADERS):
        is_extension = any_of([equals((), extension) for extension in extensions])
        skip_extension = all_of((is_extension, Effect(_next_header(context, slot, 1, 8))))
        skip_authentication = all_of((equals((), _AUTHENTICATION), Effect(_next_header(context, slot, 2, 4))))
        chain = any_of((equals((), number), all_of((any_of((skip_extension, skip_authentication)), chain))))
    context.release(slot)
    return all_of((payload_is(context, version), Effect(start), chain))


def _next_header(context: Context, slot: int, extra: int, unit: int) -> Steps:
    """Return the steps that move X to the end of a header, whose length field counts units and not the *extra* ones."""
    network = context.headers.network_header.constant
    return (
        indirect(network, 1),
        store_a(slot),
        indirect(network + 1, 1),
        add(extra),
        arithmetic(Action.MUL, unit),
        add(),
        A_TO_X,
        scratch_to_a(slot),
    )
