"""The job in other libraries, as their documentation shows it; run as a script, a loop over a capture.

The filter is `tcp port PORT`, or `ip and tcp port PORT`: no VLAN tag, no MPLS label, no later fragment.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

Check: TypeAlias = Callable[[bytes], object]


def dpkt_check(port: int, *, ipv6: bool) -> Check:
    """Return a function that dissects a packet with dpkt and compares its ports."""
    from dpkt.ethernet import ETH_TYPE_IP, ETH_TYPE_IP6, Ethernet
    from dpkt.tcp import TCP

    network_types = (ETH_TYPE_IP, ETH_TYPE_IP6) if ipv6 else (ETH_TYPE_IP,)

    def check(packet: bytes) -> bool:
        if int.from_bytes(packet[12:14], "big") not in network_types:
            return False
        segment = Ethernet(packet).data.data
        return isinstance(segment, TCP) and port in (segment.sport, segment.dport)

    return check


def scapy_check(port: int, *, ipv6: bool) -> Check:
    """Return a function that dissects a packet with scapy and compares its ports."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6
    from scapy.layers.l2 import Ether

    network_types = (IP, IPv6) if ipv6 else (IP,)

    def check(packet: bytes) -> bool:
        network = Ether(packet).payload
        segment = network.payload
        is_tcp = isinstance(network, network_types) and isinstance(segment, TCP)
        return is_tcp and port in (segment.sport, segment.dport)

    return check


def cypcap_loop(path: str, port: int) -> int:
    """Count the packets that libpcap's filter accepts."""
    import cypcap

    with cypcap.open_offline(path) as capture:
        capture.setfilter(f"tcp port {port}", optimize=False)
        return sum(1 for _ in capture)


def dpkt_loop(path: str, port: int) -> int:
    """Count the packets that dpkt_check accepts."""
    import dpkt

    check = dpkt_check(port, ipv6=True)
    with Path(path).open("rb") as file:
        return sum(bool(check(packet)) for _, packet in dpkt.pcap.Reader(file))


def scapy_loop(path: str, port: int) -> int:
    """Count the packets that scapy_check accepts."""
    from scapy.utils import RawPcapReader

    check = scapy_check(port, ipv6=True)
    with RawPcapReader(path) as packets:
        return sum(bool(check(packet)) for packet, _ in packets)


LOOPS: Final = {"cypcap": cypcap_loop, "dpkt": dpkt_loop, "scapy": scapy_loop}

if __name__ == "__main__":
    peer, path, port = sys.argv[1:]
    print(LOOPS[peer](path, int(port)))
