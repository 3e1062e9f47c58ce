"""Placeholders: constants in a program that represent lists of addresses and ports.

libpcap compiles an expression in which one host and one port take the place of each list. `expand_lists` then replaces
the test of such a constant by a test of the list. The constants of the expression itself must therefore be different.
"""

from collections.abc import Collection, Set
from typing import Final, NamedTuple, TypeAlias

from ..isa.word_ranges import Ranges

IPv6Words: TypeAlias = tuple[int, int, int, int]
"""An IPv6 address as four 32-bit words, the most significant word first."""

_FIRST_ADDRESS: Final = 0xC633_6401  # 198.51.100.1, of TEST-NET-2 (RFC 5737)
_MAX_PORT: Final = 0xFFFE  # the greatest value of a port has a test of its own after range analysis


class AddressRanges(NamedTuple):
    """Sorted, disjoint, inclusive ranges of addresses and ports.

    Args:
        hosts: IPv4 addresses, 32 bits.
        hosts6: IPv6 addresses, 128 bits.
        ports: TCP, UDP and SCTP ports, 16 bits.
    """

    hosts: Ranges = ()
    hosts6: Ranges = ()
    ports: Ranges = ()

    @staticmethod
    def kinds(fields: Collection[str]) -> set[str]:
        """Return the kinds of lists among *fields*: a packet must match one of its family's lists of addresses."""
        return {"hosts" if field == "hosts6" else field for field in fields}


class PlaceholderMismatch(Exception):
    """A program does not test for each placeholder, or has other uses of one."""


class Placeholders(NamedTuple):
    """The constants that represent the lists.

    Args:
        host: The IPv4 address that represents the list of IPv4 addresses.
        host6: The IPv6 address that represents the list of IPv6 addresses.
        port: The port that represents the list of ports.
    """

    host: int
    host6: IPv6Words
    port: int

    @property
    def constants(self) -> tuple[int, ...]:
        """The six constants as they appear in a program."""
        return self.host, self.port, *self.host6

    @property
    def host_text(self) -> str:
        """The IPv4 address in dotted notation."""
        import ipaddress

        return str(ipaddress.IPv4Address(self.host))

    @property
    def host6_text(self) -> str:
        """The IPv6 address in the notation of RFC 4291."""
        import ipaddress

        return str(ipaddress.IPv6Address(b"".join(word.to_bytes(4, "big") for word in self.host6)))


def choose_placeholders(used: Set[int]) -> Placeholders:
    """Return placeholders that differ from the constants *used* in a program."""
    candidates = range(_FIRST_ADDRESS, _FIRST_ADDRESS + len(used) + 5)
    host, *host6 = [constant for constant in candidates if constant not in used][:5]
    port = next(constant for constant in range(_MAX_PORT, 0, -1) if constant not in used)
    return Placeholders(host, (host6[0], host6[1], host6[2], host6[3]), port)
