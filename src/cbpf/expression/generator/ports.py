"""Ports of TCP, UDP and SCTP: `port` and `portrange`."""

from collections.abc import Callable

from ..._typing import Final
from ...isa.opcodes import Action
from ..lexer import Token, tokens
from .addresses import directed
from .conditions import Condition, all_of, any_of, equals, exceeds, has_bits, negation, reaches
from .context import Context, written
from .network_protocols import TRANSPORTS
from .payload_types import IPV4, IPV6, payload_is
from .steps import A_TO_X, Steps, add, arithmetic, header_length_to_x, indirect, mask, scratch_to_x

_PORT_PROTOCOLS: Final = ("sctp", "tcp", "udp")
_MAX_PORT: Final = 0xFFFF
_FRAGMENT_OFFSET: Final = 0x1FFF


def ports(
    context: Context, protocols: tuple[str, ...], direction: str | None, test: Callable[[Steps], Condition]
) -> Condition:
    """Return the condition of a port in IPv6 and IPv4 packets; *test* is that of the field, which the steps load."""

    def over_ip6() -> Condition:
        return directed(context, direction, lambda side: test(context.network(40 + _field(side), 2)))

    def over_ip() -> Condition:
        return directed(context, direction, lambda side: test(transport_header(context, _field(side), 2)))

    numbers = [TRANSPORTS[protocol] for protocol in protocols]
    return any_of(
        (
            all_of(
                (
                    payload_is(context, IPV6),
                    any_of([all_of((equals(context.network(6, 1), number), over_ip6())) for number in numbers]),
                )
            ),
            all_of(
                (
                    payload_is(context, IPV4),
                    any_of(
                        [
                            all_of((equals(context.network(9, 1), number), is_first_fragment(context), over_ip()))
                            for number in numbers
                        ]
                    ),
                )
            ),
        )
    )


def port_range(context: Context, protocols: tuple[str, ...], direction: str | None, low: int, high: int) -> Condition:
    """Return the condition of `portrange`."""
    return ports(
        context,
        protocols,
        direction,
        lambda steps: all_of((reaches(steps, low), negation(exceeds(steps, high)))),
    )


def is_first_fragment(context: Context) -> Condition:
    """Return the condition that an IPv4 packet is not a later fragment, which has no transport header."""
    return negation(has_bits(context.network(6, 2), _FRAGMENT_OFFSET))


def ipv4_header_length(context: Context) -> Steps:
    """Return the steps that load the length of the IPv4 header, plus the variable part of its offset, into X."""
    header = context.headers.network_header
    if header.slot is None:
        return (header_length_to_x(header.constant),)
    slot = context.slot_of(header.slot)
    return (
        scratch_to_x(slot),
        indirect(header.constant, 1),
        mask(0x0F),
        arithmetic(Action.SHIFT_LEFT, 2),
        add(),
        A_TO_X,
    )


def transport_header(context: Context, displacement: int, size: int) -> Steps:
    """Return the steps that load from the header after an IPv4 header."""
    return *ipv4_header_length(context), indirect(context.headers.network_header.constant + displacement, size)


def _field(side: str) -> int:
    return 0 if side == "src" else 2


def port_protocols(context: Context, protocol: str | None) -> tuple[str, ...]:
    """Return the protocols whose ports are meant after a protocol, or after none."""
    if protocol is None:
        return _PORT_PROTOCOLS
    if protocol not in _PORT_PROTOCOLS:
        context.reject("qualifier", f"'{written(protocol)}' has no ports", "only 'tcp', 'udp' and 'sctp' have ports")
    return (protocol,)


def checked_port(context: Context, number: int, token: Token) -> int:
    """Return a port after a check of its range."""
    if number > _MAX_PORT:
        context.reject("range", f"port {number} is out of range", f"a port is a number from 0 to {_MAX_PORT}", at=token)
    return number


def service(context: Context, token: Token, name: str) -> tuple[int, str | None]:
    """Return the port of a service, and its only protocol if it does not have the same port for TCP and UDP."""
    tcp: int | None = context.look_up(token, "service", "port", name, "tcp")
    udp: int | None = context.look_up(token, "service", "port", name, "udp")
    if tcp is None and udp is None:
        context.reject(
            "name", f"unknown port '{name}'", "a port is a number (0..65535), or a name of services(5)", at=token
        )
    if tcp is None:
        assert udp is not None
        return udp, "udp"
    return tcp, None if tcp == udp else "tcp"


def named_ports(context: Context, protocol: str | None, found: str | None, token: Token) -> tuple[str, ...]:
    """Return the protocols of a port that was found by its name; *found* is its only protocol, or None for any."""
    if found is None:
        return port_protocols(context, protocol)
    if protocol not in (None, found):
        fact = f"'{token.text}' is a port of {found}, not of {protocol}"
        context.reject("name", fact, f"write '{found} port', or the number of the port", at=token)
    return (found,)


def port_bounds(context: Context, token: Token) -> tuple[int, int, str | None]:
    """Return the ports of a range such as `80-90` or `http-https`, and their only protocol."""
    low, separator, high = token.word.partition("-")
    if not separator or not low or not high or "-" in high:
        rule = "a range is two ports with a hyphen and no blanks between them, such as 8000-8080"
        context.reject("range", f"'{token.text}' is not a range of ports", rule, at=token)
    (first, first_protocol), (last, last_protocol) = _end(context, token, low), _end(context, token, high)
    return min(first, last), max(first, last), first_protocol if first_protocol == last_protocol else None


def _end(context: Context, token: Token, text: str) -> tuple[int, str | None]:
    number = tokens(text)[0]
    if number.kind == "number" and number.text == text:
        return checked_port(context, number.value, token), None
    return service(context, token, text)
