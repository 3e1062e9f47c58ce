"""The names in expressions: hosts, networks, services and protocols, resolved by the system or by the caller."""

from .._typing import Any, Final, Protocol, Sequence
from ..errors import FieldError


class Resolver(Protocol):
    """The source of the names in expressions, an argument of `compile`. Each name is looked up at most once."""

    def addresses(self, host: str) -> Sequence[str]:
        """Look up a host name.

        Args:
            host: The name.

        Returns:
            The IPv4 and IPv6 addresses in the order of preference; none if the name is unknown.
        """

    def ethernet_address(self, host: str) -> str | None:
        """Look up the Ethernet address of a host, as in ethers(5).

        Args:
            host: The name.

        Returns:
            Six hexadecimal numbers separated by colons, or None if the name is unknown.
        """

    def network(self, name: str) -> str | None:
        """Look up the name of a network, as in networks(5).

        Args:
            name: The name.

        Returns:
            An IPv4 address such as "127.0.0.0", or None if the name is unknown.
        """

    def port(self, service: str, transport: str) -> int | None:
        """Look up the port of a service, as in services(5).

        Args:
            service: The name.
            transport: "tcp" or "udp".

        Returns:
            The port, or None if the service is unknown for this transport.
        """

    def protocol(self, name: str) -> int | None:
        """Look up the number of an IP protocol, as in protocols(5).

        Args:
            name: The name.

        Returns:
            The number, or None if the name is unknown.
        """


class SystemResolver:
    """The system's names: getaddrinfo(3), services(5), protocols(5), /etc/ethers and /etc/networks.

    >>> SystemResolver().addresses("192.0.2.1")
    ('192.0.2.1',)
    """

    def addresses(self, host: str) -> tuple[str, ...]:
        """Look up a host name with getaddrinfo(3).

        Args:
            host: The name.

        Returns:
            The IPv4 and IPv6 addresses in the order of getaddrinfo(3); none if the name is unknown.
        """
        import socket

        try:  # bytes: of text, Python would reject a label that is empty or has more than 63 characters
            found = socket.getaddrinfo(host.encode(), None, 0, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except OSError:
            return ()
        return tuple(str(address[0]) for family, *_, address in found if family in (socket.AF_INET, socket.AF_INET6))

    def ethernet_address(self, host: str) -> str | None:
        """Look up the Ethernet address of a host in /etc/ethers.

        Args:
            host: The name.

        Returns:
            The address as the file spells it, or None if the name is unknown.
        """
        for address, *names in _rows("/etc/ethers"):
            if host in names[:1]:
                return address
        return None

    def network(self, name: str) -> str | None:
        """Look up the name of a network in /etc/networks.

        Args:
            name: The name or an alias.

        Returns:
            The address as the file spells it, or None if the name is unknown.
        """
        for first, *others in _rows("/etc/networks"):
            if others and name in (first, *others[1:]):
                return others[0]
        return None

    def port(self, service: str, transport: str) -> int | None:
        """Look up the port of a service with getaddrinfo(3).

        Args:
            service: The name.
            transport: "tcp" or "udp".

        Returns:
            The port, or None if the service is unknown for this transport.
        """
        import socket

        kind, protocol = {
            "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
            "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
        }[transport]
        try:
            found = socket.getaddrinfo(None, service.encode(), 0, kind, protocol)
        except OSError:
            return None
        return int(found[0][4][1])

    def protocol(self, name: str) -> int | None:
        """Look up the number of an IP protocol with getprotobyname(3).

        Args:
            name: The name.

        Returns:
            The number, or None if the name is unknown.
        """
        import socket

        try:
            return socket.getprotobyname(name)
        except (OSError, ValueError):
            return None


def _rows(path: str) -> list[list[str]]:
    """Return the words of each line of a configuration file, without comments."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.partition("#")[0].split() for line in file]
    except OSError:
        return []
    return [words for words in lines if words]


SYSTEM_NAMES: Final = SystemResolver()
"""The resolver that `compile` uses by default."""


_METHODS: Final = ("addresses", "ethernet_address", "network", "port", "protocol")


class Lookups:
    """The answers of a resolver, each requested once.

    Args:
        resolver: The resolver; None rejects every name.
    """

    def __init__(self, resolver: Resolver | None) -> None:
        if resolver is not None and not all(hasattr(resolver, method) for method in _METHODS):
            raise FieldError(f"names: {resolver!r} is not a Resolver, which has the methods {', '.join(_METHODS)}")
        self.resolver = resolver
        self._answers: dict[tuple[str, ...], Any] = {}

    @property
    def are_unused(self) -> bool:
        """Whether no name has been looked up."""
        return not self._answers

    def find(self, method: str, *arguments: str) -> Any:
        """Return the answer of a method of the resolver."""
        key = (method, *arguments)
        if key not in self._answers:
            self._answers[key] = getattr(self.resolver, method)(*arguments)
        return self._answers[key]

    def known(self, default: Any, method: str, *arguments: str) -> Any:
        """Return the answer of a method if it was requested before, or else a default."""
        return self._answers.get((method, *arguments), default)
