"""Headers inside headers: each primitive tests the packet with the present positions, and changes those that follow.

The change holds for everything after the primitive in the text, whether the packet matched or not, as in libpcap.
"""

from collections.abc import Callable

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.opcodes import Action
from ..lexer import Token
from .conditions import Condition, Effect, all_of, any_of, equals
from .context import Context
from .link_layers import (
    C_HDLC,
    EN10MB,
    ETHERNET,
    HDLC,
    PPP,
    Headers,
    Offset,
    initial_headers,
)
from .network_protocols import TRANSPORTS
from .payload_types import IPV4, IPV6, MPLS, PPP_MPLS, PPPOE_DISCOVERY, PPPOE_SESSION, payload_is
from .ports import ipv4_header_length, is_first_fragment, transport_header
from .steps import A_TO_X, X_TO_A, Steps, add, arithmetic, constant, indirect, mask, scratch_to_a, store_a

_LABEL_LENGTH: Final = 4
_PPPOE_LENGTH: Final = 6
_PPP_TYPE_LENGTH: Final = 2
_UDP_LENGTH: Final = 8
_BRIDGED_ETHERNET: Final = 0x6558
_GENEVE_PORT: Final = 6081
_VXLAN_PORT: Final = 4789


def mpls(context: Context, label: Token | None) -> Condition:
    """Return the condition of an MPLS label (RFC 3032); later primitives refer to the headers after the label."""
    headers = context.headers
    if headers.labels:
        condition: Condition = equals(context.network(-2, 1), 0, 1)  # not the bottom of the stack
    elif headers.link_type in ETHERNET | {C_HDLC, HDLC}:
        condition = payload_is(context, MPLS)
    elif headers.link_type == PPP:
        condition = payload_is(context, PPP_MPLS)
    else:
        rule = "only Ethernet, PPP and HDLC have them"
        context.reject("link-type", f"link type {context.link_type_name} has no MPLS labels", rule)
    context.check_range(label, "MPLS label", 0xFFFFF)
    if label is not None:
        condition = all_of((condition, equals(context.network(0, 4), label.value << 12, 0xFFFFF000)))
    context.headers = headers._replace(
        network=headers.network + _LABEL_LENGTH,
        plain_network=headers.plain_network + _LABEL_LENGTH,
        labels=headers.labels + 1,
    )
    return condition


def pppoe_discovery(context: Context) -> Condition:
    """Return the condition of a PPPoE discovery packet (RFC 2516)."""
    return payload_is(context, PPPOE_DISCOVERY)


def pppoe_session(context: Context, session: Token | None) -> Condition:
    """Return the condition of a PPPoE session packet (RFC 2516); later primitives refer to the PPP packet inside."""
    context.check_range(session, "PPPoE session", 0xFFFF)
    condition = payload_is(context, PPPOE_SESSION)
    if session is not None:
        condition = all_of((condition, equals(context.network(0, 4), session.value, 0xFFFF)))
    headers = context.headers
    start = headers.network_header.plus(_PPPOE_LENGTH)
    context.headers = initial_headers(PPP)._replace(
        outer=headers.link_type,
        link=start,
        type_field=start,
        payload=start.plus(_PPP_TYPE_LENGTH),
        labels=headers.labels,
    )
    return condition


def lan_emulation(context: Context) -> Condition:
    """Return the condition of an Ethernet frame over ATM (LANE); later primitives refer to the frame."""
    condition = equals(context.link(0, 1), 1, 0x0F)
    headers = context.headers
    context.headers = initial_headers(EN10MB)._replace(
        outer=headers.link_type,
        link=Offset(6),
        type_field=headers.type_field._replace(constant=18),  # after the slot of a tunnel, as in libpcap
        payload=headers.payload._replace(constant=20),
    )
    return condition


# Tunnels over UDP: the position of the inner headers is stored in scratch slots where the packet matches


def geneve(context: Context, network: Token | None) -> Condition:
    """Return the condition of a Geneve packet (RFC 8926); later primitives refer to the packet inside."""
    return _tunnel(context, network, "Geneve network", _GENEVE_PORT, (0xC0, 0), _geneve_positions)


def vxlan(context: Context, network: Token | None) -> Condition:
    """Return the condition of a VXLAN packet (RFC 7348); later primitives refer to the frame inside."""
    return _tunnel(context, network, "VXLAN network", _VXLAN_PORT, (0xFF, 0x08), _vxlan_positions)


class _Slots(NamedTuple):
    """The scratch slots with the positions of the inner headers."""

    type_field: int
    link: int
    payload: int


def _tunnel(
    context: Context,
    network: Token | None,
    kind: str,
    port: int,
    flags: tuple[int, int],
    positions: Callable[[_Slots], Condition],
) -> Condition:
    """Return the condition of a tunnel, which stores the positions of the inner headers where it is true.

    *flags* are a mask of the first byte of the tunnel's header, and the value that it must have.
    """
    context.check_range(network, kind, 0xFFFFFF)
    outer = context.headers
    slots = _Slots(*(context.reserve() for _ in range(3)))

    def over(is_ip6: bool) -> Condition:
        def header(displacement: int, size: int) -> Steps:
            if is_ip6:
                return context.network(40 + displacement, size)
            return transport_header(context, displacement, size)

        tests = [payload_is(context, IPV6 if is_ip6 else IPV4)]
        tests.append(equals(context.network(6 if is_ip6 else 9, 1), TRANSPORTS["udp"]))
        if not is_ip6:
            tests.append(is_first_fragment(context))
        tests.append(equals(header(2, 2), port))
        tests.append(equals(header(_UDP_LENGTH, 1), flags[1], flags[0]))
        if network is not None:
            tests.append(equals(header(_UDP_LENGTH + 4, 4), network.value << 8, 0xFFFFFF00))
        tests.append(Effect((*_start(context, is_ip6), store_a(slots.link))))
        return all_of((*tests, positions(slots)))

    condition = any_of((over(is_ip6=False), over(is_ip6=True)))
    context.headers = Headers(
        link_type=EN10MB,
        outer=outer.link_type,
        is_inner=True,
        family="ether",
        link=Offset(0, context.hold(slots.link)),
        type_field=Offset(0, context.hold(slots.type_field)),
        payload=Offset(0, context.hold(slots.payload)),
        network=0,
        plain_network=outer.plain_network,
        labels=outer.labels,
    )
    return condition


def _start(context: Context, is_ip6: bool) -> Steps:
    """Return the steps that compute the start of the tunnel's header in A."""
    header = context.headers.network_header
    if not is_ip6:
        return *ipv4_header_length(context), X_TO_A, add(header.constant + _UDP_LENGTH)
    distance = header.constant + 40 + _UDP_LENGTH
    return (constant(distance),) if header.slot is None else (scratch_to_a(context.slot_of(header.slot)), add(distance))


def _geneve_positions(slots: _Slots) -> Condition:
    """Store the positions after the header and its options; there may be an Ethernet header, or another protocol."""
    measure = (
        scratch_to_a(slots.link),
        A_TO_X,
        add(2),
        store_a(slots.type_field),
        indirect(0, 1),
        mask(0x3F),
        arithmetic(Action.MUL, 4),
        add(8),
        add(),
        store_a(slots.link),
        indirect(2, 2),
    )
    is_ethernet = equals(measure, _BRIDGED_ETHERNET)
    with_ethernet = (
        scratch_to_a(slots.link),
        add(12),
        store_a(slots.type_field),
        add(2),
        store_a(slots.payload),
    )
    without = (scratch_to_a(slots.link), store_a(slots.payload))
    return any_of((all_of((is_ethernet, Effect(with_ethernet))), Effect(without)))


def _vxlan_positions(slots: _Slots) -> Condition:
    """Store the positions of the Ethernet header after the eight bytes of the header."""
    return Effect(
        (
            scratch_to_a(slots.link),
            add(8),
            store_a(slots.link),
            add(12),
            store_a(slots.type_field),
            add(2),
            store_a(slots.payload),
        )
    )
