"""The headers of pcap files, for expressions that are compiled for the packets of a file."""

import struct

from cbpf.expression.libpcap import Handle
from cbpf.packet.link_types import link_type_by_dlt


def file_header(handle: Handle, byte_order: str) -> bytes:
    """Return the header of a pcap file of packets like those of a handle."""
    linktype = link_type_by_dlt(handle.dlt).linktype
    return struct.pack(f"{byte_order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, handle.snaplen, linktype)
