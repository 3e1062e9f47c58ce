"""The names that expressions of the page may contain: services and protocols, but no hosts.

The page has no resolver, and sends no queries. The numbers are those of IANA's registries.
"""

from __future__ import annotations

from .._typing import Final

_TCP_AND_UDP: Final = {
    "echo": 7, "discard": 9, "daytime": 13, "chargen": 19, "time": 37, "domain": 53, "kerberos": 88, "sunrpc": 111,
    "ntp": 123, "netbios-ns": 137, "netbios-dgm": 138, "netbios-ssn": 139, "snmp": 161, "snmp-trap": 162, "ldap": 389,
    "https": 443, "microsoft-ds": 445, "submissions": 465, "ldaps": 636, "rtsp": 554, "imaps": 993, "pop3s": 995,
    "openvpn": 1194, "ms-sql-s": 1433, "mysql": 3306, "rdp": 3389, "sip": 5060, "sip-tls": 5061, "postgresql": 5432,
    "nfs": 2049, "radius": 1812, "radius-acct": 1813,
}  # fmt: skip
_TCP: Final = {
    "ftp-data": 20, "ftp": 21, "ssh": 22, "telnet": 23, "smtp": 25, "whois": 43, "finger": 79, "http": 80, "pop3": 110,
    "nntp": 119, "imap2": 143, "imap": 143, "bgp": 179, "irc": 194, "login": 513, "shell": 514, "printer": 515,
    "submission": 587, "rsync": 873, "http-alt": 8080,
}  # fmt: skip
_UDP: Final = {
    "bootps": 67, "bootpc": 68, "tftp": 69, "xdmcp": 177, "syslog": 514, "route": 520, "ripng": 521,
    "dhcpv6-client": 546, "dhcpv6-server": 547, "http-alt": 8080, "mdns": 5353,
}  # fmt: skip
_PORTS: Final = {"tcp": _TCP_AND_UDP | _TCP, "udp": _TCP_AND_UDP | _UDP}
_PROTOCOLS: Final = {
    "hopopt": 0, "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "st": 5, "tcp": 6, "egp": 8, "igp": 9, "pup": 12,
    "udp": 17, "hmp": 20, "rdp": 27, "dccp": 33, "ipv6": 41, "ipv6-route": 43, "ipv6-frag": 44, "rsvp": 46, "gre": 47,
    "esp": 50, "ah": 51, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "eigrp": 88, "ospf": 89, "pim": 103,
    "vrrp": 112, "l2tp": 115, "isis": 124, "sctp": 132, "udplite": 136,
}  # fmt: skip


class PageNames:
    """A `Resolver` of services and protocols that needs neither a network nor files."""

    def addresses(self, host: str) -> tuple[str, ...]:
        """Return the addresses of a host, which are not known."""
        return ()

    def ethernet_address(self, host: str) -> str | None:
        """Return the Ethernet address of a host, which is not known."""
        return None

    def network(self, name: str) -> str | None:
        """Return the address of a network, which is not known."""
        return None

    def port(self, service: str, transport: str) -> int | None:
        """Return the port of a service for "tcp" or "udp"."""
        return _PORTS.get(transport, {}).get(service)

    def protocol(self, name: str) -> int | None:
        """Return the number of an IP protocol."""
        return _PROTOCOLS.get(name)


PAGE_NAMES: Final = PageNames()
