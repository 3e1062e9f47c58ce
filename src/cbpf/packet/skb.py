"""A packet with its metadata, as the kernel's sk_buff has them: what extension loads and windows read.

Source: Linux net/core/filter.c (convert_bpf_extensions, bpf_skb_get_nlattr, bpf_skb_get_nlattr_nest).
"""

import os
from collections.abc import Callable
from typing import Final, TypeAlias

from ..isa.opcodes import OUT_OF_RANGE, Extension
from .flow_dissector import payload_offset
from .metadata import Metadata

PacketBytes: TypeAlias = bytes | memoryview
"""The bytes of a packet; a memoryview has one dimension and format B."""

_ATTRIBUTE_HEADER: Final = 4  # struct nlattr: 16-bit length, 16-bit type, in host order
_ATTRIBUTE_TYPE_MASK: Final = 0x3FFF


class SocketBuffer:
    """One packet of one run. `memory` is the bytes before the packet and the packet.

    `packet`, `network` and `link` are the positions of their byte 0 in memory. A buffer counts the random
    numbers that it gave, so it serves one run.
    """

    __slots__ = ("_draws", "data", "link_start", "memory", "metadata", "network_start", "packet_start")

    def __init__(self, data: PacketBytes, metadata: Metadata, *, header_windows: bool) -> None:
        """Without *header_windows* memory is the packet alone, as no load can reach anything else."""
        before = metadata.before if header_windows else b""
        self.data = data
        self.metadata = metadata
        self.packet_start = len(before)
        self.memory = before + bytes(data) if before else data
        self.network_start = self.packet_start + metadata.network_header
        self.link_start = OUT_OF_RANGE if metadata.link_header is None else self.packet_start + metadata.link_header
        self._draws = 0

    def lacks_device(self) -> bool:
        """Whether the packet belongs to no network device."""
        return self.metadata.device is None

    def extension(self, number: int, a: int, x: int) -> int:
        """What extension load *number* gives, with registers *a* and *x*; the device ones only if there is one."""
        return EXTENSIONS[number](self, a, x)

    def next_random(self) -> int:
        """The next 32-bit random number."""
        self._draws += 1
        given, seed = self.metadata.draws, self.metadata.seed
        if self._draws <= len(given):
            return given[self._draws - 1]
        return int.from_bytes(os.urandom(4)) if seed is None else splitmix64(seed, self._draws)

    def find_attribute(self, start: int, length: int, kind: int) -> int:
        """The offset of the first netlink attribute of type *kind* in data[start : start + length], else 0."""
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
    """A 32-bit number from a 64-bit seed and the number of the draw, from 1: SplitMix64, the upper half."""
    number = seed + draw * 0x9E37_79B9_7F4A_7C15 & 0xFFFF_FFFF_FFFF_FFFF
    number = (number ^ number >> 30) * 0xBF58_476D_1CE4_E5B9 & 0xFFFF_FFFF_FFFF_FFFF
    number = (number ^ number >> 27) * 0x94D0_49BB_1331_11EB & 0xFFFF_FFFF_FFFF_FFFF
    return (number ^ number >> 31) >> 32


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
    known = buffer.metadata
    if known.payload_offset is not None:
        return known.payload_offset
    before = len(known.before)  # the bytes before count here even where no load can reach them
    return payload_offset(
        known.before + bytes(buffer.data) if before else buffer.data,
        packet_start=before,
        network_header=before + known.network_header,
        protocol=known.protocol,
        vlan_protocol=known.vlan.tpid if known.vlan else None,
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
