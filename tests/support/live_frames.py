"""Frames that tests of live captures send at west."""

from typing import Final

_ETHERNET: Final = bytes.fromhex("020000000002 020000000001")
_PORTS: Final = bytes.fromhex("0800 45000024 00000000 40110000 0a000001 0a000002 0035 1234 0010 0000")

ARP: Final = _ETHERNET + bytes.fromhex("0806") + bytes(46)
UDP: Final = _ETHERNET + _PORTS + b"question"
TAGGED: Final = UDP[:12] + bytes.fromhex("81006064") + UDP[12:]
"""A datagram in VLAN 100 with priority 3."""
