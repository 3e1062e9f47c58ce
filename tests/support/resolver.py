"""The names of libpcap's tests, without a query to the system: a resolver for `compile`.

The domain libpcap.test is reserved (RFC 6761), so no system knows these names. Lookups ignore case.
"""

from __future__ import annotations

from typing import Final

DOMAIN: Final = ".libpcap.test"
IPV4: Final = "10.20.30.40"
IPV6: Final = "fd00:a1b2:c3d4::1020:3040:5060:7080"
MANY_IPV6: Final = ("fd00:a1b2:c3d4::a0b0:c0d0:e0f0:1278", "fd00:a1b2:c3d4::a0b0:c0d0:e0f0:3456")

ADDRESSES: Final = {
    "noeth-ipv4-noipv6.host123": (IPV4,),
    "noeth-ipv4-ipv6.host123": (IPV4, IPV6),
    "eth-ipv4-noipv6.host123": (IPV4,),
    "eth-ipv4-ipv6.host123": (IPV4, IPV6),
    "noeth-noipv4-ipv6.host123": (IPV6,),
    "eth-noipv4-ipv6.host123": (IPV6,),
    "eth-ipv4x4-noipv6.host357": ("192.168.243.1", "192.168.242.4", "192.168.244.2", "192.168.241.3"),
    "eth-ipv4x4-ipv6x2.host357": (
        *("192.168.241.3", "192.168.244.2", "192.168.242.4", "192.168.243.1"),
        *reversed(MANY_IPV6),
    ),
    "eth-noipv4-ipv6x2.host357": MANY_IPV6,
}
NETWORKS: Final = {"net-10-0-0-0": "10.0.0.0", "net-10-20-0-0": "10.20.0.0", "net-10-20-30-0": "10.20.30.0"}


class TestResolver:
    """A resolver that knows the names of libpcap's tests, and a few services and protocols."""

    __test__ = False  # not a class of tests

    def addresses(self, host: str) -> tuple[str, ...]:
        return ADDRESSES.get(_name(host), ())

    def ethernet_address(self, host: str) -> str | None:
        name = _name(host)
        if not name.startswith("eth-"):
            return None
        return {"host123": "aa:00:04:00:14:0e", "host357": "aa:00:04:00:01:08"}.get(name.partition(".")[2])

    def network(self, name: str) -> str | None:
        return NETWORKS.get(_name(name))

    def port(self, service: str, transport: str) -> int | None:
        services = {"ftp": 21, "ssh": 22, "smtp": 25, "domain": 53, "http": 80}
        return services.get(service) if transport == "tcp" or service == "domain" else None

    def protocol(self, name: str) -> int | None:
        numbers = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "ipv6-icmp": 58, "sctp": 132}
        return numbers.get(name)


def _name(text: str) -> str:
    """Return a name in lower case without the domain; names of other domains are unchanged."""
    return text.lower().removesuffix(DOMAIN)
