"""Captures as tables in other tools, as their documentation shows it: the same columns for each packet.

Run as a script, it prints the sums of some columns, which show that two tools agree.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

COLUMNS: Final = ("time", "length", "protocol", "src_ip", "dst_ip", "src_port", "dst_port")
TSHARK_FIELDS: Final = (
    *("frame.time_epoch", "frame.len", "ip.proto", "ipv6.nxt", "ip.src", "ip.dst"),
    *("tcp.srcport", "tcp.dstport", "udp.srcport", "udp.dstport"),
)
"""The fields of tshark for these columns; those of the transport layer have names of their own for TCP and UDP."""

Row: TypeAlias = tuple[Any, ...]


def dpkt_rows(path: str) -> Iterator[Row]:
    """Yield a row for each packet, decoded by dpkt."""
    import dpkt
    from dpkt.ethernet import Ethernet
    from dpkt.ip import IP
    from dpkt.ip6 import IP6
    from dpkt.tcp import TCP
    from dpkt.udp import UDP

    with Path(path).open("rb") as file:
        for time, data in dpkt.pcap.Reader(file):
            protocol = src_ip = dst_ip = src_port = dst_port = None
            network = Ethernet(data).data
            if isinstance(network, (IP, IP6)):
                protocol = network.p
                if isinstance(network, IP):
                    src_ip, dst_ip = int.from_bytes(network.src), int.from_bytes(network.dst)
                if isinstance(network.data, (TCP, UDP)):
                    src_port, dst_port = network.data.sport, network.data.dport
            yield time, len(data), protocol, src_ip, dst_ip, src_port, dst_port


def scapy_rows(path: str) -> Iterator[Row]:
    """Yield a row for each packet, decoded by scapy."""
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.layers.inet6 import IPv6
    from scapy.utils import PcapReader

    with PcapReader(path) as packets:
        for packet in packets:
            protocol = src_ip = dst_ip = src_port = dst_port = None
            if IP in packet:
                protocol = packet[IP].proto
                src_ip, dst_ip = packet[IP].src, packet[IP].dst
            elif IPv6 in packet:
                protocol = packet[IPv6].nh
            for layer in (TCP, UDP):
                if layer in packet:
                    src_port, dst_port = packet[layer].sport, packet[layer].dport
            yield float(packet.time), len(packet), protocol, src_ip, dst_ip, src_port, dst_port


def cbpf_table(path: str) -> Any:
    """Return the table of all packets."""
    import cbpf

    return cbpf.arrow.read_table(path, columns=COLUMNS, engine="llvm")


def table_of(rows: Callable[[str], Iterator[Row]]) -> Callable[[str], Any]:
    """Return a function that makes a table of the rows of a capture."""

    def table(path: str) -> Any:
        import pyarrow

        return pyarrow.table(dict(zip(COLUMNS, zip(*rows(path), strict=True), strict=True)))

    return table


TABLES: Final = {"cbpf": cbpf_table, "dpkt": table_of(dpkt_rows), "scapy": table_of(scapy_rows)}


def sums(table: Any) -> str:
    """Return the number of rows, and the sums of columns that are numbers in all tools."""
    import pyarrow.compute as compute

    columns = ("length", "protocol", "src_port", "dst_port")
    return " ".join(map(str, (table.num_rows, *(compute.sum(table[name].cast("int64")) for name in columns))))


def tshark_sums(text: str) -> str:
    """Return the text of `sums` for the output of tshark."""
    rows = [line.split("\t") for line in text.splitlines()]
    lengths = [int(row[1]) for row in rows]
    protocols = [int(row[2] or row[3] or 0) for row in rows]
    ports = ([int(row[tcp] or row[tcp + 2] or 0) for row in rows] for tcp in (6, 7))
    return " ".join(map(str, (len(rows), sum(lengths), sum(protocols), *map(sum, ports))))


if __name__ == "__main__":
    tool, path = sys.argv[1:]
    print(sums(TABLES[tool](path)))
