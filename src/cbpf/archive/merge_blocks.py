"""The packets of a merge as blocks of one pcapng."""

from __future__ import annotations

import struct
from operator import sub

from .._typing import Final
from ..capture.base import Interface, RecordSpan
from ..capture.packet_source import PacketSource, as_records
from ..capture.packets import PacketColumns, items_of
from ..capture.pcapng_writer import ENHANCED, PcapngWriter
from ..capture.reader import CaptureReader
from ..packet.host_order import HOST_BYTE_ORDER

_HEAD: Final = struct.Struct("=IIIIIII")
_TAIL: Final = struct.Struct("=I")
_FIXED_SIZE: Final = 32  # bytes of an enhanced packet block without its packet
_PADDING: Final = (b"", bytes(3), bytes(2), bytes(1))  # by the size of a packet modulo 4


class MergedBlocks:
    """The blocks of a pcapng in the byte order of this host: one section, with each interface of the captures once.

    Times are in nanoseconds.
    """

    def __init__(self) -> None:
        self._source = PacketSource(HOST_BYTE_ORDER)
        self._source.use_nanoseconds()
        self._writer = PcapngWriter()
        self._indices: dict[Interface, int] = {}
        self._descriptions = b""

    def begin(self) -> bytes:
        """Return the header of the section."""
        return self._writer.begin() + self._writer.begin_source(self._source, "target")

    def descriptions(self) -> bytes:
        """Return the blocks that describe new interfaces; they precede all blocks returned so far and not written."""
        blocks, self._descriptions = self._descriptions, b""
        return blocks

    def blocks(self, reader: CaptureReader, columns: PacketColumns) -> list[bytes]:
        """Return a block for each packet of some columns.

        Raises `CaptureError` if a packet does not fit in a pcapng, and `FieldError` for a link type whose headers
        cannot be converted to the byte order of this host.
        """
        indices = [self._index(interface) for interface in reader.container.interfaces]
        is_plain = all(
            interface.link_type.host_order is None or interface.byte_order == HOST_BYTE_ORDER
            for interface in reader.container.interfaces
        )
        times = items_of(columns.times_ns)
        if not is_plain or columns.option_sizes or min(times) < 0:
            return self._encoded(columns, indices)
        starts, ends = items_of(columns.starts), items_of(columns.ends)
        base = starts[0]
        data = columns.source.fetch()(slice(base, ends[-1]))
        head, tail = _HEAD.pack, _TAIL.pack
        rows = zip(
            starts,
            ends,
            map(sub, ends, starts),
            times,
            items_of(columns.wire_lengths),
            items_of(columns.interfaces),
            strict=True,
        )
        return [
            head(
                ENHANCED,
                total := size + -size % 4 + _FIXED_SIZE,
                indices[index],
                time_ns >> 32,
                time_ns & 0xFFFF_FFFF,
                size,
                wire,
            )
            + data[start - base : end - base]
            + _PADDING[size % 4]
            + tail(total)
            for start, end, size, time_ns, wire, index in rows
        ]

    def _index(self, interface: Interface) -> int:
        if interface not in self._indices:
            self._indices[interface] = self._source.add(interface)
            self._descriptions += self._writer.encode(self._source, b"", [], _place)
        return self._indices[interface]

    def _encoded(self, columns: PacketColumns, indices: list[int]) -> list[bytes]:
        """Return a block for each packet, with its comments, and with headers in the byte order of this host."""
        blocks = []
        for piece in columns.pieces():
            for packet in piece:
                number, time_ns, wire_length, data, interface, comments = packet
                row = self._source.row(number, data, time_ns, wire_length, indices[interface], comments)
                blocks.append(self._writer.encode(self._source, *as_records([row]), _place))
        return blocks


def _place(record: RecordSpan) -> str:
    return "merge"
