"""Rules for addresses and numbers whose meaning depends on their notation."""

from collections.abc import Iterator
from ipaddress import IPv4Address

from ..lexer import Token
from ..syntax_tree import Match, Span
from .findings import Draft
from .tree_view import TreeView


def net_without_prefix(view: TreeView) -> Iterator[Draft]:
    """Find networks of four numbers without a prefix length: one address each."""
    for match in view.every(Match):
        token = match.identifier
        if match.qualifiers.kind != "net" or match.mask is not None:
            continue
        if token.kind == "ipv4" and len(_parts(token)) == 4:
            prefix = _prefix_of_zeros(_parts(token))
            yield Draft(
                match.span,
                f"'{token.text}' is one address, a network of 32 bits",
                f"write a prefix length, such as {token.text}/{prefix}" if prefix else "write 'host' for one address",
                suggestion=view.edited((_span(token), f"{token.text}/{prefix}")) if prefix else "",
            )
        elif token.kind == "ipv6":
            rule = f"write a prefix length, such as {token.text}/64"
            yield Draft(match.span, f"'{token.text}' is one address, a network of 128 bits", rule)


def short_address(view: TreeView) -> Iterator[Draft]:
    """Find hosts of two or three numbers, which are networks."""
    for match in _hosts(view):
        parts = _parts(match.identifier)
        if match.identifier.kind == "ipv4" and len(parts) < 4:
            network = f"{'.'.join(map(str, parts))}{'.0' * (4 - len(parts))}/{8 * len(parts)}"
            yield Draft(
                match.span,
                f"'{match.identifier.text}' has {len(parts)} numbers and is the network {network}",
                "an address has four numbers; write 'net' for a network",
                suggestion=view.text_with({id(match): _as_network(match)}),
                is_equal=True,
            )


def number_as_address(view: TreeView) -> Iterator[Draft]:
    """Find numbers as hosts, which are IPv4 addresses of 32 bits."""
    for match in _hosts(view):
        token = match.identifier
        if token.kind == "number":
            address = IPv4Address(token.value)
            yield Draft(
                match.span,
                f"'{token.text}' is a number of 32 bits, the address {address}",
                "write an address with dots, 'net' for a network or 'port' for a port",
                suggestion=view.edited((_span(token), str(address))),
                is_equal=True,
            )


def _hosts(view: TreeView) -> Iterator[Match]:
    """Yield the identifiers that are hosts of IPv4, IPv6 or ARP."""
    for match in view.every(Match):
        protocol, _, kind = match.qualifiers
        if kind in (None, "host") and protocol not in ("link", "decnet"):
            yield match


def _as_network(match: Match) -> Match:
    return match.replace(qualifiers=match.qualifiers._replace(kind="net"))


def _parts(token: Token) -> list[int]:
    return [int(part, 10) for part in token.text.split(".")] if token.kind == "ipv4" else []


def _prefix_of_zeros(parts: list[int]) -> int:
    """Return the prefix length of an address that ends with zeros; 0 if it does not, or has nothing else."""
    while parts and not parts[-1]:
        parts = parts[:-1]
    return 8 * len(parts) % 32


def _span(token: Token) -> Span:
    return Span(token.start, token.end)
