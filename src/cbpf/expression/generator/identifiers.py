"""Identifiers with their qualifiers: the number, address or name, and its meaning after them."""

from ...isa.opcodes import WORD_MASK
from ..lexer import Token
from ..syntax_tree import Match, Span
from .addresses import (
    Network,
    decnet_address,
    dotted_network,
    ipv4_address,
    ipv4_prefix_mask,
    ipv4_protocols,
    ipv6_network,
    network_address,
    numbered_network,
)
from .conditions import Condition, all_of, any_of, equals, negation
from .context import Context, written
from .ip_text import ipv4_number, ipv4_text, ipv6_number, ipv6_text
from .link_layers import UNSET
from .network_protocols import numbered_protocol, protocol_is
from .ports import checked_port, named_ports, port_bounds, port_protocols, port_range, ports, service


def match(context: Context, node: Match) -> Condition:
    """Return the condition of an identifier with qualifiers."""
    kind, token = node.qualifiers.kind, node.identifier
    if kind in ("port", "portrange"):
        return _ports(context, node)
    if kind == "proto":
        return numbered_protocol(context, node.qualifiers.protocol, token)
    if kind == "protochain":
        from .protocol_chain import protocol_chain

        return protocol_chain(context, node.qualifiers.protocol, token)
    if kind == "gateway":
        return _gateway(context, node)
    if token.kind == "mac":
        return _mac(context, node)
    if token.kind == "arcnet":
        return _arcnet(context, node)
    if token.kind == "name":
        return _named_network(context, node) if kind == "net" else _named_host(context, node)
    if node.qualifiers.protocol == "decnet" and token.kind != "ipv6":
        return decnet_address(context, node.qualifiers.direction, _decnet_number(context, node))
    return network_address(context, node.qualifiers.protocol, node.qualifiers.direction, network(context, node))


# Addresses


def network(context: Context, node: Match) -> Network:
    """Return the network of a number or an IP address after `host`, `net` or neither."""
    token, kind = node.identifier, node.qualifiers.kind
    if node.qualifiers.protocol == "link":
        rule = "'ether' takes one such as 02:00:00:00:00:01"
        context.reject("qualifier", f"'{token.text}' is not an Ethernet address", rule, at=token)
    if node.mask is not None and kind != "net" and not (token.kind == "ipv6" and node.mask.value == 128):
        fact = f"'{_network_text(node, token.text)}' is a network, not one address"
        context.reject("qualifier", fact, "a network follows 'net'", at=Span(token.start, node.mask.end))
    if token.kind == "number":
        return numbered_network(token.value) if kind == "net" else Network((token.value,), (WORD_MASK,))
    if token.kind == "ipv6":
        return _ipv6_network(context, node)
    found = dotted_network(context, token)
    return found if node.mask is None else _masked_network(context, node, found)


def _masked_network(context: Context, node: Match, found: Network) -> Network:
    assert node.mask is not None
    if node.mask.kind == "number":
        mask = ipv4_prefix_mask(context, node.mask)
    else:
        (word,), (own,) = dotted_network(context, node.mask)
        mask = word & own
    (address,), _ = found
    if address & ~mask & WORD_MASK:
        _reject_host_bits(context, node, ipv4_text(address & mask))
    return Network((address,), (mask,))


def _ipv6_network(context: Context, node: Match) -> Network:
    number = ipv6_number(node.identifier.word)
    prefix = 128 if node.mask is None else node.mask.value
    if prefix > 128:
        assert node.mask is not None
        context.reject("address", f"prefix length {prefix} is out of range", "0..128 for IPv6", at=node.mask)
    if number & (1 << 128 - prefix) - 1:
        kept = number >> 128 - prefix << 128 - prefix
        _reject_host_bits(context, node, ipv6_text(kept))
    return ipv6_network(number, prefix)


def _reject_host_bits(context: Context, node: Match, address: str) -> None:
    fact = f"'{_network_text(node, node.identifier.text)}' is not a network: bits outside the mask are set"
    context.reject("address", fact, f"the network is {_network_text(node, address)}", at=node.identifier)


def _network_text(node: Match, address: str) -> str:
    """Return an address with the prefix length or the mask of an identifier."""
    assert node.mask is not None
    return f"{address}{'/' if node.mask.kind == 'number' else ' mask '}{node.mask.text}"


def _decnet_number(context: Context, node: Match) -> int:
    token = node.identifier
    if node.mask is not None:
        context.reject("qualifier", "a DECnet address takes no mask", "an area, a dot and a node", at=node.mask)
    area, separator, number = token.word.partition(".")
    is_number = bool(separator) and area.isdecimal() and number.isdecimal()
    if not is_number or not (int(area) <= 63 and int(number) <= 1023):
        rule = "an area (0..63), a dot and a node (0..1023), such as 10.15"
        context.reject("address", f"'{token.text}' is not a DECnet address", rule, at=token)
    return int(area) << 10 | int(number)


def _named_network(context: Context, node: Match) -> Condition:
    token = node.identifier
    text = context.look_up(token, "network", "network", token.word)
    if text is None:
        rule = "write a network such as 192.0.2.0/24, or a name of networks(5)"
        context.reject("name", f"unknown network '{token.word}'", rule, at=token)
    number = ipv4_number(text)
    found = numbered_network(number)
    return network_address(context, node.qualifiers.protocol, node.qualifiers.direction, found)


def _named_host(context: Context, node: Match) -> Condition:
    protocol, direction, _ = node.qualifiers
    token = node.identifier
    if protocol == "link":
        return _named_station(context, node)
    if protocol == "decnet":
        rule = "an area (0..63), a dot and a node (0..1023), such as 10.15"
        context.reject("qualifier", f"'{token.word}' is not a DECnet address", rule, at=token)
    if protocol != "ip6":
        ipv4_protocols(context, protocol)
    addresses = _addresses(context, token)
    protocol4 = "ip" if protocol is None and context.headers.type_field.constant == UNSET else protocol
    tests = []
    for address in addresses:
        if ":" in address:
            if protocol in (None, "ip6"):
                number = ipv6_number(address)
                tests.append(network_address(context, protocol, direction, ipv6_network(number, 128)))
        elif protocol != "ip6":
            number = ipv4_number(address)
            tests.append(network_address(context, protocol4, direction, Network((number,), (WORD_MASK,))))
    if not tests:
        family = {None: "no", "ip6": "no IPv6"}.get(protocol, "no IPv4")
        context.reject("name", f"unknown host '{token.word}'", f"{family} address was found for this name", at=token)
    return any_of(tests)


def _addresses(context: Context, token: Token) -> tuple[str, ...]:
    return tuple(context.look_up(token, "host", "addresses", token.word))


# Addresses of the link layer


def _mac(context: Context, node: Match) -> Condition:
    from .hardware_addresses import hardware_address

    _require_link_qualifiers(context, node, "an Ethernet address", "ether")
    return hardware_address(context, node.qualifiers.direction, mac_bytes(node.identifier.word))


def _require_link_qualifiers(context: Context, node: Match, kind: str, word: str) -> None:
    """Reject an address of the link layer unless its qualifiers are those of such an address, such as `ether src`."""
    if node.qualifiers.protocol != "link" or node.qualifiers.kind not in (None, "host"):
        token, rule = node.identifier, f"it follows '{word} host', '{word} src' or '{word} dst'"
        context.reject("qualifier", f"'{token.text}' is {kind}", rule, at=token)


def mac_bytes(text: str) -> bytes:
    """Return the six bytes of an Ethernet address in any notation."""
    for separator in ":-":
        if separator in text:
            return bytes(int(part, 16) for part in text.split(separator))
    parts = text.split(".")
    return bytes(int(part, 16) for part in parts) if len(parts) == 6 else bytes.fromhex("".join(parts))


def _arcnet(context: Context, node: Match) -> Condition:
    from .hardware_addresses import arcnet_address

    _require_link_qualifiers(context, node, "an ARCnet address", "link")
    address = int(node.identifier.word.removeprefix("$"), 16)
    return arcnet_address(context, node.qualifiers.direction, address)


def _named_station(context: Context, node: Match) -> Condition:
    """Return the condition of a name of ethers(5)."""
    from .hardware_addresses import hardware_address, require_hardware_addresses

    require_hardware_addresses(context)
    return hardware_address(context, node.qualifiers.direction, _station(context, node.identifier))


def _station(context: Context, token: Token) -> bytes:
    address = context.look_up(token, "Ethernet host", "ethernet_address", token.word)
    if address is None:
        context.reject(
            "name",
            f"unknown Ethernet host '{token.word}'",
            "write an address such as 02:00:00:00:00:01, or a name of ethers(5)",
            at=token,
        )
    return mac_bytes(address)


def _gateway(context: Context, node: Match) -> Condition:
    """Return the condition of a packet that a gateway forwards: its Ethernet address, and not its IPv4 address."""
    from .hardware_addresses import hardware_address, require_hardware_addresses

    protocol, _, _ = node.qualifiers
    token = node.identifier
    if token.kind != "name":
        rule = "for an address write 'ether host MAC and not host ADDRESS'"
        context.reject("qualifier", f"'gateway' takes a host name, not '{token.text}'", rule, at=token)
    if protocol not in (None, "ip", "arp", "rarp"):
        rule = "'ip', 'arp' or 'rarp' can, or nothing"
        context.reject("qualifier", f"'{written(protocol)}' cannot precede 'gateway'", rule)
    require_hardware_addresses(context)
    station = hardware_address(context, None, _station(context, token))
    numbers = [ipv4_number(address) for address in _addresses(context, token) if ":" not in address]
    if not numbers:
        context.reject("name", f"unknown host '{token.word}'", "no IPv4 address was found for this name", at=token)
    others = []
    for name in ipv4_protocols(context, protocol):
        hosts = [ipv4_address(context, name, None, Network((number,), (WORD_MASK,))) for number in numbers]
        others.append(all_of((protocol_is(context, name), negation(any_of(hosts)))))
    return all_of((station, any_of(others)))


# Ports and protocols


def _ports(context: Context, node: Match) -> Condition:
    protocol, direction, kind = node.qualifiers
    token = node.identifier
    protocols = port_protocols(context, protocol)
    if token.kind == "number":
        number = checked_port(context, token.value, token)
        if kind == "port":
            return ports(context, protocols, direction, lambda steps: equals(steps, number))
        return port_range(context, protocols, direction, number, number)
    if token.kind != "name":
        rule = "a port is a number (0..65535) or the name of a service such as 'https'"
        context.reject("qualifier", f"'{token.text}' is not a port", rule, at=token)
    if kind == "port":
        number, found = service(context, token, token.word)
        protocols = named_ports(context, protocol, found, token)
        return ports(context, protocols, direction, lambda steps: equals(steps, number))
    low, high, found = port_bounds(context, token)
    return port_range(context, named_ports(context, protocol, found, token), direction, low, high)
