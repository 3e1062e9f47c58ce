"""A packet and its metadata during a run, as the kernel's struct sk_buff: the source of extension and window loads.

Source: Linux net/core/filter.c (convert_bpf_extensions, bpf_skb_get_nlattr, bpf_skb_get_nlattr_nest).
"""

import os
from collections.abc import Callable

from .._typing import Final
from ..isa.enumerations import Extension
from ..isa.opcodes import OUT_OF_RANGE
from .metadata import Metadata
from .packet_bytes import PacketBytes

_ATTRIBUTE_HEADER: Final = 4  # bytes of struct nlattr: 16-bit length, 16-bit type; in host order, little-endian here
_ATTRIBUTE_TYPE_MASK: Final = 0x3FFF


class SocketBuffer:
    """One packet of one run.

    `memory` contains the bytes before the packet and the packet. `packet`, `network` and `link`, the names of
    `semantics.HeaderKind`, are the indices in memory of packet byte 0, of the network header and of the link header
    (`OUT_OF_RANGE` if there is none). A buffer counts the random numbers that it returns, so it serves one run only.
    """

    __slots__ = ("_draws", "data", "link", "memory", "metadata", "network", "packet")

    def __init__(self, data: PacketBytes, metadata: Metadata, *, header_windows: bool) -> None:
        """Without *header_windows*, `memory` is the packet alone: loads cannot reach the bytes before it."""
        before = metadata.before if header_windows else b""
        self.data = data
        self.metadata = metadata
        self.packet = len(before)
        self.memory = before + bytes(data) if before else data
        self.network = self.packet + metadata.network_header
        self.link = OUT_OF_RANGE if metadata.link_header is None else self.packet + metadata.link_header
        self._draws = 0

    def lacks_device(self) -> bool:
        """Return whether the packet has no network device."""
        return self.metadata.device is None

    def extension(self, number: int, a: int, x: int) -> int:
        """Return the result of extension load *number* with the registers *a* and *x*.

        The extensions of a device return 0 for a packet without one; the machine ends the run before it calls them.
        """
        return EXTENSIONS[number](self, a, x)

    def next_random(self) -> int:
        """Return the next 32-bit random number: of the metadata's `draws`, then of its seed, or of the system."""
        self._draws += 1
        draws, seed = self.metadata.draws, self.metadata.seed
        if self._draws <= len(draws):
            return draws[self._draws - 1]
        return int.from_bytes(os.urandom(4)) if seed is None else splitmix64(seed, self._draws)

    def find_attribute(self, start: int, length: int, kind: int) -> int:
        """Return the offset of the first netlink attribute of type *kind* in data[start : start + length], or 0."""
        end = start + length
        while end - start >= _ATTRIBUTE_HEADER:
            size = int.from_bytes(self.data[start : start + 2], "little")
            if not _ATTRIBUTE_HEADER <= size <= end - start:
                return 0
            if int.from_bytes(self.data[start + 2 : start + 4], "little") & _ATTRIBUTE_TYPE_MASK == kind:
                return start
            start += size + 3 & ~3
        return 0


def splitmix64(seed: int, draw: int) -> int:
    """Return the upper 32 bits of output *draw*, counted from 1, of the generator SplitMix64 with a 64-bit seed."""
    state = seed + draw * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF_FFFF
    state = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9 & 0xFFFF_FFFF_FFFF_FFFF
    state = (state ^ state >> 27) * 0x94D0_49BB_1331_11EB & 0xFFFF_FFFF_FFFF_FFFF
    return (state ^ state >> 31) >> 32


def _netlink_attribute(buffer: SocketBuffer, a: int, x: int) -> int:
    length = len(buffer.data)
    if length < _ATTRIBUTE_HEADER or a > length - _ATTRIBUTE_HEADER:
        return 0
    return buffer.find_attribute(a, length - a, x)


def _nested_netlink_attribute(buffer: SocketBuffer, a: int, x: int) -> int:
    length = len(buffer.data)
    if length < _ATTRIBUTE_HEADER or a > length - _ATTRIBUTE_HEADER:
        return 0
    size = int.from_bytes(buffer.data[a : a + 2], "little")
    if size > length - a or size < _ATTRIBUTE_HEADER:
        return 0
    return buffer.find_attribute(a + _ATTRIBUTE_HEADER, size - _ATTRIBUTE_HEADER, x)


def _payload_offset(buffer: SocketBuffer, a: int, x: int) -> int:
    metadata = buffer.metadata
    if metadata.payload_offset is not None:
        return metadata.payload_offset
    from .flow_dissector import payload_offset

    before = len(metadata.before)  # dissected even if no load can reach these bytes
    return payload_offset(
        metadata.before + bytes(buffer.data) if before else buffer.data,
        packet_start=before,
        network_header=before + metadata.network_header,
        protocol=metadata.protocol,
        vlan_protocol=metadata.vlan.tpid if metadata.vlan else None,
    )


def _device_index(buffer: SocketBuffer, a: int, x: int) -> int:
    return buffer.metadata.device.index if buffer.metadata.device else 0


def _hardware_type(buffer: SocketBuffer, a: int, x: int) -> int:
    return buffer.metadata.device.hardware_type if buffer.metadata.device else 0


EXTENSIONS: Final[dict[int, Callable[[SocketBuffer, int, int], int]]] = {
    Extension.PROTO: lambda buffer, a, x: buffer.metadata.protocol,
    Extension.TYPE: lambda buffer, a, x: buffer.metadata.packet_type,
    Extension.INTERFACE_INDEX: _device_index,
    Extension.NETLINK_ATTR: _netlink_attribute,
    Extension.NETLINK_ATTR_NESTED: _nested_netlink_attribute,
    Extension.MARK: lambda buffer, a, x: buffer.metadata.mark,
    Extension.QUEUE: lambda buffer, a, x: buffer.metadata.queue,
    Extension.LINK_LAYER_TYPE: _hardware_type,
    Extension.RX_HASH: lambda buffer, a, x: buffer.metadata.hash,
    Extension.CPU_ID: lambda buffer, a, x: buffer.metadata.cpu,
    Extension.VLAN_TAG: lambda buffer, a, x: buffer.metadata.vlan.tci if buffer.metadata.vlan else 0,
    Extension.VLAN_TAG_PRESENT: lambda buffer, a, x: int(buffer.metadata.vlan is not None),
    Extension.PAYLOAD_OFFSET: _payload_offset,
    Extension.RAND: lambda buffer, a, x: buffer.next_random(),
    Extension.VLAN_PROTO: lambda buffer, a, x: buffer.metadata.vlan.tpid if buffer.metadata.vlan else 0,
}
