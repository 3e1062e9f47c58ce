"""Expressions with lists of addresses and ports that are too long for the text of a filter expression.

An entry is an address, a network (`10.0.0.0/8`) or a range (`10.0.0.1-10.0.0.9`); of a list of ports, a number or a
range. This module parses the entries to ranges of numbers; a list is one test of the program (`generator.sets`).
"""

import re
from collections.abc import Callable, Iterable, Iterator

from .._named_tuple import NamedTuple
from .._record import Record
from .._typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias
from .._validators import one_of
from .._validators import text as check_text
from ..errors import ExpressionError, FieldError
from ..isa.word_ranges import Ranges, union

if TYPE_CHECKING:
    from .._options import Direction


class HostRanges(NamedTuple):
    """Sorted, disjoint, inclusive ranges of addresses as numbers, the first byte of an address most significant.

    Args:
        ipv4: Ranges of 32-bit numbers.
        ipv6: Ranges of 128-bit numbers.
    """

    ipv4: Ranges
    ipv6: Ranges


ListEntry: TypeAlias = tuple[str, object]
"""The location of an entry, for error messages, and the entry."""


def _check_hosts(location: str, value: object) -> HostRanges:
    return value if isinstance(value, HostRanges) else _host_ranges(_entries(location, value))


def _check_ports(location: str, value: object) -> Ranges:
    return _port_ranges(_entries(location, value))


def _entries(location: str, value: object) -> Iterator[ListEntry]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise FieldError(f"{location}: {value!r} is not a list; pass an iterable of entries")
    return ((f"{location}: entry {index}", entry) for index, entry in enumerate(value))


def _host_ranges(entries: Iterable[ListEntry]) -> HostRanges:
    ranges: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for version, low, high in _parse(entries, _host_range, "an address, network or address range"):
        ranges[version].append((low, high))
    return HostRanges(union(ranges[4]), union(ranges[6]))


def _port_ranges(entries: Iterable[ListEntry]) -> Ranges:
    return union(_parse(entries, _port_range, "a port or port range (0..65535)"))


def _parse(entries: Iterable[ListEntry], parse: Callable[[str], Any], kind: str) -> list[Any]:
    """Parse all entries. Raise `FieldError` with the first invalid entry and the number of other invalid entries."""
    parsed: list[Any] = []
    errors: list[str] = []
    for location, entry in entries:
        text = f"{entry[0]}-{entry[1]}" if isinstance(entry, tuple) and len(entry) == 2 else str(entry)
        try:
            parsed.append(parse(text.strip()))
        except ValueError as error:
            reason = " (host bits are set after the prefix)" if "host bits" in str(error) else ""
            errors.append(f"{location}: {text!r} is not {kind}{reason}")
    if errors:
        raise FieldError(errors[0] + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""))
    return parsed


def _host_range(entry: str) -> tuple[int, int, int]:
    """Return the IP version, the lowest and the highest address. Raises ValueError."""
    import ipaddress

    if "/" in entry:
        network = ipaddress.ip_network(entry)
        return network.version, int(network.network_address), int(network.broadcast_address)
    low, separator, high = entry.partition("-")
    first = ipaddress.ip_address(low.strip())
    last = ipaddress.ip_address(high.strip()) if separator else first
    if first.version != last.version or int(first) > int(last):
        raise ValueError("not a range")
    return first.version, int(first), int(last)


_PORTS: Final = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", re.ASCII)


def _port_range(entry: str) -> tuple[int, int]:
    match = _PORTS.fullmatch(entry)
    if match is None:
        raise ValueError("not a number")
    low = int(match[1])
    high = low if match[2] is None else int(match[2])
    if not low <= high <= 0xFFFF:
        raise ValueError("not a range")
    return low, high


class Expression(Record):
    """A filter expression with lists of addresses and ports that a packet must match as well.

    Args:
        text: The expression (pcap-filter(7)); an empty text accepts every packet.
        hosts: Addresses, networks and ranges, IPv4 and IPv6 mixed, as text or as objects of `ipaddress`. They match the
            addresses of IP, ARP and RARP packets, as `host` does. An empty list accepts every address.
        ports: Numbers and ranges (0..65535) of TCP, UDP and SCTP ports. An empty list accepts every port.
        direction: The address, and the port, of a packet that must be in the list: "src or dst" (the default),
            "src and dst", "src" or "dst".

    Raises:
        FieldError: An entry is invalid.

    >>> Expression("tcp", hosts=["192.0.2.1", "2001:db8::/32"], ports=[443, "8000-8999"])
    <Expression 'tcp', 1 IPv4 and 1 IPv6 ranges, 2 port ranges>
    """

    text: Annotated[str, check_text] = ""
    hosts: Annotated[HostRanges | Iterable[object], _check_hosts] = ()
    ports: Annotated[Iterable[object], _check_ports] = ()
    direction: Annotated["Direction", one_of("src or dst", "src and dst", "src", "dst")] = "src or dst"

    @property
    def lists(self) -> tuple[Ranges, Ranges, Ranges]:
        """The lists as ranges of numbers: IPv4 addresses, IPv6 addresses, ports."""
        hosts: HostRanges = self.hosts  # type: ignore[assignment]
        return hosts.ipv4, hosts.ipv6, self.ports  # type: ignore[return-value]

    def __repr__(self) -> str:
        hosts, hosts6, ports = self.lists
        parts = [repr(self.text if len(self.text) <= 80 else self.text[:80] + "...")]
        if hosts or hosts6:
            parts.append(f"{len(hosts)} IPv4 and {len(hosts6)} IPv6 ranges")
        if ports:
            parts.append(f"{len(ports)} port ranges")
        return f"<Expression {', '.join(parts)}>"


def read_hosts(content: bytes, *, name: str) -> HostRanges:
    """Parse a file of addresses for `Expression.hosts`.

    Args:
        content: The bytes of the file: UTF-8 text (or UTF-16 with a byte order mark) with one address, network or
            range per line. Blank lines are ignored, and comments from # to the end of a line.
        name: The name of the file, for error messages.

    Returns:
        The ranges of all entries.

    Raises:
        FieldError: The content is not text, an entry is invalid (the message names its line), or there are no entries.

    >>> read_hosts(b"192.0.2.0/31 # two addresses", name="hosts.txt")
    HostRanges(ipv4=((3221225984, 3221225985),), ipv6=())
    """
    return _host_ranges(_lines(content, name))


def read_ports(content: bytes, *, name: str) -> Ranges:
    r"""Parse a file of ports for `Expression.ports`.

    Args:
        content: The bytes of the file: UTF-8 text (or UTF-16 with a byte order mark) with one port or range per line.
            Blank lines are ignored, and comments from # to the end of a line.
        name: The name of the file, for error messages.

    Returns:
        Sorted, disjoint, inclusive ranges of ports.

    Raises:
        FieldError: The content is not text, an entry is invalid (the message names its line), or there are no entries.

    >>> read_ports(b"443 # a port\n8000-8999", name="ports.txt")
    ((443, 443), (8000, 8999))
    """
    return _port_ranges(_lines(content, name))


def read_expression(content: bytes, *, name: str) -> str:
    r"""Return the expression in a file, as `tcpdump -F` reads it.

    Args:
        content: The bytes of the file: UTF-8 text, or UTF-16 with a byte order mark. Comments extend from # to the end
            of a line.
        name: The name of the file, for error messages.

    Returns:
        The expression. Each character of a comment is replaced by a space, so that line and column of all others
        remain.

    Raises:
        ExpressionError: The content is not text.

    >>> read_expression(b"tcp # all of it\n and port 80", name="filter.txt")
    'tcp            \n and port 80'
    """
    return _uncommented(content, lambda fact: ExpressionError(f"{name}: {fact}")).rstrip()


def _uncommented(content: bytes, error: Callable[[str], Exception]) -> str:
    """Return the text of a file with a space in place of each character of a comment; *error* as for `decode_text`."""
    from ..formats.text_input import decode_text, without_comments

    return without_comments(decode_text(content, error))


def _lines(content: bytes, name: str) -> list[ListEntry]:
    text = _uncommented(content, lambda fact: FieldError(f"{name}: {fact}"))
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    entries: list[ListEntry] = [(f"{name}: line {number}", line) for number, line in lines if line]
    if not entries:
        raise FieldError(f"{name}: has no entries; a list needs at least one")
    return entries
