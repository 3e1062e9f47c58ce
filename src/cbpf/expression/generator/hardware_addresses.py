"""Addresses of the link layer: Ethernet and its relatives, IEEE 802.11, ARCnet; broadcast and multicast."""

from collections.abc import Callable

from ..._typing import Final, NoReturn
from ...isa.opcodes import Action
from .addresses import directed
from .conditions import Condition, all_of, any_of, equals, has_bits, negation
from .context import Context, written
from .link_layers import ARCNETS, BACNET_MS_TP, ETHERNET, FDDI, IEEE802, IP_OVER_FC, SUNATM, WIRELESS
from .payload_types import IPV4, IPV6, is_not_lane_control, payload_is
from .steps import arithmetic, scratch_to_a, scratch_to_x

BROADCAST: Final = b"\xff\xff\xff\xff\xff\xff"

_FIELDS: Final = {**dict.fromkeys(ETHERNET, (6, 0)), FDDI: (7, 1), IEEE802: (8, 2), IP_OVER_FC: (10, 2)}
"""By link type: the offsets of the source and the destination in the link header."""

At = Callable[[int], Condition]
"""The test of an address at an offset in the link header."""


_WITH_ADDRESSES: Final = "Ethernet, FDDI, token ring, IP over Fibre Channel, IEEE 802.11"


def require_hardware_addresses(context: Context) -> None:
    """Reject an address of the link layer for packets that have none."""
    if not has_hardware_addresses(context):
        _reject_without_addresses(context)


def _reject_without_addresses(context: Context) -> NoReturn:
    fact = f"link type {context.link_type_name} has no Ethernet addresses"
    context.reject("link-type", fact, f"only {_WITH_ADDRESSES} have them")


def has_hardware_addresses(context: Context) -> bool:
    """Return whether the link header has addresses of six bytes."""
    return context.headers.link_type in _FIELDS or context.headers.link_type in WIRELESS


def hardware_address(context: Context, direction: str | None, address: bytes) -> Condition:
    """Return the condition of a MAC address."""
    at = _address_at(context, address)
    if direction in _WIRELESS_FIELDS:
        if context.headers.link_type not in WIRELESS:
            rule = "only IEEE 802.11 frames have this address"
            fact = f"link type {context.link_type_name} has no '{direction}'"
            context.reject("qualifier", fact, rule, fits_others=True)
        return _WIRELESS_FIELDS[direction](context, at)
    return directed(context, direction, lambda side: _side(context, side, at))


def _address_at(context: Context, address: bytes) -> At:
    first, last = int.from_bytes(address[:2], "big"), int.from_bytes(address[2:], "big")
    return lambda offset: all_of((equals(context.link(offset + 2, 4), last), equals(context.link(offset, 2), first)))


def _side(context: Context, side: str, at: At) -> Condition:
    """Return the condition of the source or the destination of a frame."""
    link_type = context.headers.link_type
    if link_type in WIRELESS:
        return _wireless_source(context, at) if side == "src" else _wireless_destination(context, at)
    if link_type not in _FIELDS:
        _reject_without_addresses(context)
    source, destination = _FIELDS[link_type]
    return all_of((_has_frame(context), at(source if side == "src" else destination)))


def _has_frame(context: Context) -> Condition:
    """Return the condition that there is an Ethernet frame at the link header, which a tunnel may lack."""
    headers = context.headers
    if headers.is_inner:
        assert headers.link.slot is not None
        assert headers.payload.slot is not None
        steps = (
            scratch_to_a(context.slot_of(headers.link.slot)),
            scratch_to_x(context.slot_of(headers.payload.slot)),
            arithmetic(Action.SUB),
        )
        return negation(equals(steps, 0))
    return is_not_lane_control(context) if headers.outer == SUNATM else True


# IEEE 802.11: which of four addresses is the source depends on two bits of the frame control field


def _wireless_source(context: Context, at: At) -> Condition:
    def bit(displacement: int, value: int) -> Condition:
        return has_bits(context.link(displacement, 1), value)

    from_ds = any_of((all_of((negation(bit(1, 1)), at(16))), all_of((bit(1, 1), at(24)))))
    data = any_of((all_of((negation(bit(1, 2)), at(10))), all_of((bit(1, 2), from_ds))))
    return _not_control(context, at(10), data)


def _wireless_destination(context: Context, at: At) -> Condition:
    to_ds = has_bits(context.link(1, 1), 1)
    data = any_of((all_of((negation(to_ds), at(4))), all_of((to_ds, at(16)))))
    return _not_control(context, at(4), data)


def _not_control(context: Context, management: Condition, data: Condition) -> Condition:
    """Return the condition of a frame that is not a control frame; those have no source and destination."""
    is_data = has_bits(context.link(0, 1), 8)
    return all_of(
        (
            negation(has_bits(context.link(0, 1), 4)),
            any_of((all_of((negation(is_data), management)), all_of((is_data, data)))),
        )
    )


def _control(context: Context, bits: int, value: int) -> Condition:
    return equals(context.link(0, 1), value, bits)


def _has_two_addresses(context: Context) -> Condition:
    """Return the condition that a frame is not a CTS or an acknowledgement, which have one address only."""
    not_short = all_of((negation(_control(context, 0xF0, 0xC0)), negation(_control(context, 0xF0, 0xD0))))
    return any_of((negation(_control(context, 12, 4)), not_short))


def _is_data(context: Context) -> Condition:
    return has_bits(context.link(0, 1), 8)


_WIRELESS_FIELDS: Final[dict[str | None, Callable[[Context, At], Condition]]] = {
    "addr1": lambda context, at: at(4),
    "addr2": lambda context, at: all_of((_has_two_addresses(context), at(10))),
    "addr3": lambda context, at: all_of((negation(_control(context, 12, 4)), at(16))),
    "addr4": lambda context, at: all_of((equals(context.link(1, 1), 3, 3), at(24))),
    "ra": lambda context, at: all_of((_is_data(context), at(4))),
    "ta": lambda context, at: all_of((_is_data(context), _has_two_addresses(context), at(10))),
}


# ARCnet


def arcnet_address(context: Context, direction: str | None, address: int) -> Condition:
    """Return the condition of an address of one byte."""
    link_type = context.headers.link_type
    if link_type == BACNET_MS_TP:
        source, destination = 4, 3
    elif link_type in ARCNETS:
        source, destination = 0, 1
    else:
        fact = f"link type {context.link_type_name} has no ARCnet addresses"
        context.reject("link-type", fact, "only ARCNET, ARCNET_LINUX and BACNET_MS_TP have them")
    return directed(
        context, direction, lambda side: equals(context.link(source if side == "src" else destination, 1), address)
    )


# Broadcast and multicast


def broadcast(context: Context, protocol: str | None) -> Condition:
    """Return the condition of `broadcast` after a protocol."""
    link_type = context.headers.link_type
    if protocol in (None, "link"):
        if link_type in ARCNETS:
            return arcnet_address(context, "dst", 0)
        if link_type == BACNET_MS_TP:
            return arcnet_address(context, "dst", 0xFF)
        if has_hardware_addresses(context):
            return hardware_address(context, "dst", BROADCAST)
        rule = f"only {_WITH_ADDRESSES}, ARCnet and BACnet have one"
        context.reject("link-type", f"link type {context.link_type_name} has no broadcast address", rule)
    if protocol != "ip":
        context.reject("qualifier", f"'{written(protocol)}' cannot precede 'broadcast'", "'ether' or 'ip' can")
    is_ip = payload_is(context, IPV4)
    if context.target.netmask is None:
        rule = "give it as the argument 'netmask', or test 'ether broadcast'"
        context.reject("netmask", "'ip broadcast' requires the netmask of the network", rule)
    host_bits = ~context.target.netmask & 0xFFFF_FFFF
    destination = context.network(16, 4)
    tests = (equals(destination, 0, host_bits), equals(destination, host_bits, host_bits))
    return all_of((is_ip, any_of(tests)))


def multicast(context: Context, protocol: str | None) -> Condition:
    """Return the condition of `multicast` after a protocol."""
    link_type = context.headers.link_type
    if protocol in (None, "link"):
        if link_type in ARCNETS or link_type == BACNET_MS_TP:
            return broadcast(context, protocol)
        if not has_hardware_addresses(context):
            rule = f"only {_WITH_ADDRESSES}, ARCnet and BACnet have them"
            context.reject("link-type", f"link type {context.link_type_name} has no multicast addresses", rule)
        return _side(context, "dst", lambda offset: has_bits(context.link(offset, 1), 1))
    if protocol == "ip":
        return all_of((payload_is(context, IPV4), equals(context.network(16, 1), 0xE0, 0xF0)))
    if protocol == "ip6":
        return all_of((payload_is(context, IPV6), equals(context.network(24, 1), 0xFF)))
    context.reject("qualifier", f"'{written(protocol)}' cannot precede 'multicast'", "'ether', 'ip' or 'ip6' can")
