"""IP addresses and networks: `host` and `net` with numbers, IPv4 and IPv6 addresses; DECnet addresses."""

from collections.abc import Callable

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.opcodes import WORD_MASK
from ..lexer import Token
from .conditions import Condition, all_of, any_of, equals
from .context import Context, written
from .payload_types import ARP, DECNET, IPV4, IPV6, RARP, payload_is
from .steps import Steps


class Network(NamedTuple):
    """An IPv4 or IPv6 network: words of 32 bits, the most significant first.

    Args:
        words: The address: one word, or four.
        masks: The mask, in as many words.
    """

    words: tuple[int, ...]
    masks: tuple[int, ...]


def directed(context: Context, direction: str | None, test: Callable[[str], Condition]) -> Condition:
    """Return the combination of a test for the source and one for the destination.

    *test* returns the condition for "src" or "dst".
    """
    if direction in ("src", "dst"):
        return test(direction)
    if direction == "src and dst":
        return all_of((test("src"), test("dst")))
    if direction in (None, "src or dst"):
        return any_of((test("src"), test("dst")))
    context.reject(
        "qualifier", f"'{direction}' is for Ethernet addresses in IEEE 802.11 frames", "write 'src' or 'dst'"
    )


_IPV4_FIELDS: Final = {"ip": (IPV4, 12, 16), "arp": (ARP, 14, 24), "rarp": (RARP, 14, 24)}
"""By protocol: the type of the payload, and the offsets of the source and the destination."""


def ipv4_protocols(context: Context, protocol: str | None) -> tuple[str, ...]:
    """Return the protocols in whose headers an IPv4 address is looked for."""
    if protocol in _IPV4_FIELDS:
        return (protocol,)
    if protocol is not None:
        rule = "only 'ip', 'arp' and 'rarp' have IPv4 addresses; join other tests with 'and'"
        context.reject("qualifier", f"'{written(protocol)}' cannot precede an IPv4 address", rule)
    return ("ip",) if context.headers.labels else ("ip", "arp", "rarp")


def ipv4_address(context: Context, protocol: str | None, direction: str | None, network: Network) -> Condition:
    """Return the condition of an IPv4 address or network in IP, ARP and RARP packets."""
    (word,), (mask,) = network
    return ipv4_address_in(context, protocol, direction, lambda load: _masked(load, word, mask))


def ipv4_address_in(
    context: Context, protocol: str | None, direction: str | None, test: Callable[[Steps], Condition]
) -> Condition:
    """Return the condition of the IPv4 addresses of a packet; *test* is that of one address, which the steps load."""

    def in_fields(name: str) -> Condition:
        kind, source, destination = _IPV4_FIELDS[name]

        def in_field(side: str) -> Condition:
            is_kind = payload_is(context, kind)  # reserves its scratch slots first, as in libpcap
            return all_of((is_kind, test(context.network(source if side == "src" else destination, 4))))

        return directed(context, direction, in_field)

    return any_of([in_fields(name) for name in ipv4_protocols(context, protocol)])


def ipv6_address(context: Context, protocol: str | None, direction: str | None, network: Network) -> Condition:
    """Return the condition of an IPv6 address or network."""
    if protocol not in (None, "ip6"):
        rule = "only 'ip6' has IPv6 addresses; join other tests with 'and'"
        context.reject("qualifier", f"'{written(protocol)}' cannot precede an IPv6 address", rule)

    def in_field(side: str) -> Condition:
        start = 8 if side == "src" else 24
        words = [
            _masked(context.network(start + 4 * index, 4), word, mask)
            for index, (word, mask) in enumerate(zip(network.words, network.masks, strict=True))
        ]
        return all_of((payload_is(context, IPV6), *words))  # reserves its scratch slots last, as in libpcap

    return directed(context, direction, in_field)


def _masked(steps: Steps, word: int, mask: int) -> Condition:
    return equals(steps, word, None if mask == WORD_MASK else mask)


def network_address(context: Context, protocol: str | None, direction: str | None, network: Network) -> Condition:
    """Return the condition of an address or network of either version."""
    test = ipv4_address if len(network.words) == 1 else ipv6_address
    return test(context, protocol, direction, network)


# Reading addresses


def ipv6_network(number: int, prefix: int) -> Network:
    """Return an IPv6 network."""
    mask = (1 << 128) - (1 << 128 - prefix)
    return Network(_words(number), _words(mask))


def _words(number: int) -> tuple[int, ...]:
    return tuple(number >> shift & WORD_MASK for shift in (96, 64, 32, 0))


def dotted_network(context: Context, token: Token) -> Network:
    """Return the network of two to four numbers with dots: its mask has 8 bits for each of them."""
    parts = token.word.split(".")
    for part in parts:
        if not part.isdecimal() or int(part) > 0xFF:
            rule = f"each part is a decimal number (0..255), and '{part}' is not"
            context.reject("address", f"'{token.text}' is not an IPv4 address", rule, at=token)
    number = 0
    for part in parts:
        number = number << 8 | int(part)
    missing = 8 * (4 - len(parts))
    return Network((number << missing,), (WORD_MASK << missing & WORD_MASK,))


def numbered_network(number: int) -> Network:
    """Return the network of a number, moved up by bytes until its first byte is not 0, and its mask with it."""
    mask = WORD_MASK
    if number:
        while not number & 0xFF00_0000:
            number, mask = number << 8, mask << 8 & WORD_MASK
    return Network((number,), (mask,))


def ipv4_prefix_mask(context: Context, token: Token) -> int:
    """Return the mask of a prefix length."""
    if token.value > 32:
        context.reject("address", f"prefix length {token.value} is out of range", "0..32 for IPv4", at=token)
    return WORD_MASK << 32 - token.value & WORD_MASK


def decnet_address(context: Context, direction: str | None, address: int) -> Condition:
    """Return the condition of a DECnet address, in long and short headers with and without padding."""
    little = swapped(address)

    def in_field(side: str) -> Condition:
        is_decnet = payload_is(context, DECNET)
        short, long = (3, 15) if side == "src" else (1, 7)
        headers = [
            variant
            for kind, field in ((2, short), (6, long))
            for variant in (
                all_of((equals(context.network(2, 1), kind, 7), equals(context.network(2 + field, 2), little))),
                all_of(
                    (
                        equals(context.network(2, 2), swapped(kind << 8 | _ONE_BYTE_OF_PADDING), swapped(0x07FF)),
                        equals(context.network(3 + field, 2), little),
                    )
                ),
            )
        ]
        return all_of((is_decnet, any_of(headers)))

    return directed(context, direction, in_field)


_ONE_BYTE_OF_PADDING: Final = 0x81


def swapped(number: int) -> int:
    """Return a number of 16 bits with its bytes in the other order."""
    return (number & 0xFF) << 8 | number >> 8
