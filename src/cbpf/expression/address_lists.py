"""Expressions with long lists of addresses and ports, which no filter expression could hold.

An entry is an address, a network (`10.0.0.0/8`), or a range (`10.0.0.1-10.0.0.9`); for ports a number or a range.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Set
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from .._options import Direction
from .._record import Record
from .._validators import one_of
from .._validators import text as check_text
from ..errors import FieldError
from ..isa.word_ranges import Ranges, union
from ..optimizer.placeholders import AddressRanges, Placeholders


class HostRanges(NamedTuple):
    """Sorted, disjoint, inclusive ranges of addresses as numbers: 32 and 128 bits."""

    ipv4: Ranges
    ipv6: Ranges


Entry: TypeAlias = tuple[str, object]
"""Where an entry stands, and what it is."""


def _hosts(place: str, value: object) -> HostRanges:
    return value if isinstance(value, HostRanges) else _host_ranges(_entries(place, value))


def _ports(place: str, value: object) -> Ranges:
    return _port_ranges(_entries(place, value))


def _entries(place: str, value: object) -> Iterator[Entry]:
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        raise FieldError(f"{place}: {value!r} is no list; give its entries one by one")
    return ((f"{place}: entry {number}", entry) for number, entry in enumerate(value))


def _host_ranges(entries: Iterable[Entry]) -> HostRanges:
    found: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
    for version, low, high in _read(entries, _host_range, "no address, network or range of addresses"):
        found[version].append((low, high))
    return HostRanges(union(found[4]), union(found[6]))


def _port_ranges(entries: Iterable[Entry]) -> Ranges:
    return union(_read(entries, _port_range, "no port or range of ports, from 0 to 65535"))


def _read(entries: Iterable[Entry], read: Callable[[str], Any], kind: str) -> list[Any]:
    """What the entries mean. Raises `FieldError` for the first that means nothing, with the number of all others."""
    found: list[Any] = []
    wrong: list[str] = []
    for place, entry in entries:
        shown = f"{entry[0]}-{entry[1]}" if isinstance(entry, tuple) and len(entry) == 2 else str(entry)
        try:
            found.append(read(shown.strip()))
        except ValueError as error:
            reason = " (it has bits set behind its prefix)" if "host bits" in str(error) else ""
            wrong.append(f"{place}: {shown!r} is {kind}{reason}")
    if wrong:
        raise FieldError(wrong[0] + (f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""))
    return found


def _host_range(entry: str) -> tuple[int, int, int]:
    """Version, lowest and highest address. Raises ValueError."""
    import ipaddress

    if "/" in entry:
        network = ipaddress.ip_network(entry)
        return network.version, int(network.network_address), int(network.broadcast_address)
    low, separator, high = entry.partition("-")
    first = ipaddress.ip_address(low.strip())
    last = ipaddress.ip_address(high.strip()) if separator else first
    if first.version != last.version or int(first) > int(last):
        raise ValueError("no range")
    return first.version, int(first), int(last)


_PORTS: Final = re.compile(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", re.ASCII)


def _port_range(entry: str) -> tuple[int, int]:
    match = _PORTS.fullmatch(entry)
    if match is None:
        raise ValueError("no number")
    low = int(match[1])
    high = low if match[2] is None else int(match[2])
    if not low <= high <= 0xFFFF:
        raise ValueError("no range")
    return low, high


class Expression(Record):
    """A filter expression, and lists that a packet must match too: addresses, ports, or both.

      text: the expression (pcap-filter(7)); empty: every packet.
      hosts: addresses, networks and ranges, IPv4 and IPv6 mixed, as text or objects of `ipaddress`; ARP counts as in
        `host`. Empty: any.
      ports: numbers and ranges, of TCP, UDP and SCTP. Empty: any.
      direction: which of a packet's two addresses, and ports, must be in the list.

    Raises `FieldError` for the first entry that is none.

    >>> Expression("tcp", hosts=["192.0.2.1", "2001:db8::/32"], ports=[443, "8000-8999"])
    <Expression 'tcp', 1 IPv4 and 1 IPv6 ranges, 2 port ranges>
    """

    text: Annotated[str, check_text] = ""
    hosts: Annotated[HostRanges | Iterable[object], _hosts] = ()
    ports: Annotated[Iterable[object], _ports] = ()
    direction: Annotated[Direction, one_of("src or dst", "src and dst", "src", "dst")] = "src or dst"

    @property
    def lists(self) -> AddressRanges:
        """The lists as ranges of numbers."""
        hosts: HostRanges = self.hosts  # type: ignore[assignment]
        return AddressRanges(hosts.ipv4, hosts.ipv6, self.ports)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        lists = self.lists
        parts = [repr(self.text if len(self.text) <= 80 else self.text[:80] + "...")]
        if lists.hosts or lists.hosts6:
            parts.append(f"{len(lists.hosts)} IPv4 and {len(lists.hosts6)} IPv6 ranges")
        if lists.ports:
            parts.append(f"{len(lists.ports)} port ranges")
        return f"<Expression {', '.join(parts)}>"


def placeholders_beside(numbers: Set[int]) -> Placeholders:
    """Placeholders that are none of the numbers of a program, nor the greatest that a word or a port can be."""
    free = [number for number in range(0xC633_6401, 0xC633_6401 + len(numbers) + 5) if number not in numbers]
    port = next(number for number in range(0xFFFE, 0, -1) if number not in numbers)
    return Placeholders(free[0], (free[1], free[2], free[3], free[4]), port)


def text_with_placeholders(expression: Expression, placeholders: Placeholders) -> str:
    """The expression that libpcap compiles: the text, and one host and one port in place of the lists."""
    import ipaddress

    lists, direction = expression.lists, expression.direction
    hosts = []
    if lists.hosts:
        hosts.append(f"{direction} host {ipaddress.IPv4Address(placeholders.host)}")
    if lists.hosts6:
        words = b"".join(word.to_bytes(4, "big") for word in placeholders.host6)
        hosts.append(f"ip6 {direction} host {ipaddress.IPv6Address(words)}")
    ports = [f"{direction} port {placeholders.port}"] if lists.ports else []
    parts = [" or ".join(hosts), *ports, expression.text.strip()]
    return " and ".join(f"({part})" for part in parts if part)


def read_hosts(content: bytes, *, name: str) -> HostRanges:
    """The ranges in a file, for `Expression.hosts`: an entry a line; blank lines, and what follows a #, are left out.

    Raises `FieldError` with *name*, the file's, and the line of the first that is none.
    """
    return _host_ranges(_lines(content, name))


def read_ports(content: bytes, *, name: str) -> Ranges:
    """The same for `Expression.ports`."""
    return _port_ranges(_lines(content, name))


def _lines(content: bytes, name: str) -> list[Entry]:
    lines = enumerate(content.decode(errors="backslashreplace").splitlines(), 1)
    entries = [(f"{name}: line {number}", line.partition("#")[0].strip()) for number, line in lines]
    found: list[Entry] = [one for one in entries if one[1]]
    if not found:
        raise FieldError(f"{name}: has no entry; a list has at least one")
    return found
