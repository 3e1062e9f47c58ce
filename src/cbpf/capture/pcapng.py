"""The pcapng format: sections, interfaces, and the blocks that hold packets.

Layouts as in https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html; the checks are those of sf-pcapng.c of
libpcap. Each block is a record; blocks other than packets are records without a packet. Of all options, only the
comments of packets, and the name, the time resolution and the time offset of an interface are read.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from .._typing import TYPE_CHECKING, ClassVar, Final
from ..errors import CaptureError, DamagedCapture
from ..packet.host_order import ByteOrder
from ..packet.link_types import link_type
from .base import (
    BEGIN_SIZE,
    NO_PACKET,
    CaptureFormat,
    Container,
    Interface,
    RecordSpan,
    ScannedBuffer,
    Section,
    has_packet,
)
from .pcapng_writer import (
    BYTE_ORDERS,
    COMMENT,
    ENHANCED,
    HEAD,
    INTERFACE,
    MAX_NAME_LENGTH,
    NAME,
    RESOLUTION,
    SECTION,
    SECTION_MAGIC,
    TRAILER,
    PcapngWriter,
)

if TYPE_CHECKING:
    from .native.format_code import NativeScan, ScanOutput
    from .native.record_codegen import RecordCodegen

_OBSOLETE, _SIMPLE = 2, 3
_MIN_LENGTHS: Final = {SECTION: 28, INTERFACE: 20, _OBSOLETE: 32, _SIMPLE: 16, ENHANCED: 32}  # of blocks, in bytes
_NAMES: Final = {SECTION: "a section header", INTERFACE: "an interface description"}
_OTHER_BLOCKS: Final = {
    4: "name resolution",
    5: "interface statistics",
    9: "systemd journal",
    10: "decryption secrets",
    0x0BAD: "custom",
    0x40000BAD: "custom",
}
_PACKETS: Final = (_OBSOLETE, _SIMPLE, ENHANCED)
_DATA = 28  # offset of the packet in all blocks except simple packet blocks

_END_OF_OPTIONS, _OFFSET = 0, 14
_OPTION_SIZES: Final = {_END_OF_OPTIONS: 0, RESOLUTION: 1, _OFFSET: 8}

_MAX_BLOCK_LENGTH: Final = 16 << 20
_MAX_OPTIONS_LENGTH: Final = 131_072  # of a packet block, for link types whose packets alone may exceed 16 MiB
_MAX_INTERFACES: Final = 65_536


class _InvalidBlock(Exception):
    """The fault of a block: the fact and the rule."""


class Pcapng(Container):
    """A pcapng: its sections, and the interfaces of all of them."""

    kind: ClassVar = "pcapng"

    def __init__(self, begin: bytes, name: str) -> None:
        """Raise `CaptureError` unless *begin*, 16 bytes at least, is the start of a valid section header."""
        self._snaplens: list[int] = []  # of the interfaces of the current section
        self._byte_order: ByteOrder = "<"  # of the current section
        self._position = 0  # of the next buffer in the capture
        self._max_length = _MAX_BLOCK_LENGTH
        try:
            _, length = self._head(begin, 0)
            _check_length(length, self._max_length, SECTION)
            byte_order = _section_byte_order(begin, 0)
            major, minor = struct.unpack_from(f"{byte_order}HH", begin, 12)
            if major != 1 or minor not in (0, 2):
                raise _InvalidBlock(f"unsupported pcapng version {major}.{minor}; versions 1.0 and 1.2 are supported")
        except _InvalidBlock as fault:
            raise CaptureError(f"{name}: {self.place(begin, 1)}: {fault}") from None
        super().__init__(f"{major}.{minor}", record_format="pcapng")

    def scan(self, buffer: bytes, first: int, name: str) -> ScannedBuffer:
        """Return the complete records at the start of a buffer, and advance the state past them."""
        records: list[RecordSpan] = []
        start, packets, needed, damage = 0, 0, HEAD + TRAILER, None
        while len(buffer) - start >= needed:
            before = len(records)
            start = self._scan_enhanced(buffer, start, records)
            packets += len(records) - before
            try:
                block = self._block(buffer, start)
            except _InvalidBlock as fault:
                place = self.place(buffer[start : start + 4], first + packets, start)
                damage = DamagedCapture(f"{name}: {place}: {fault}")
                break
            if isinstance(block, int):
                needed = block
                break
            records.append(block)
            packets += has_packet(block)
            _, _, _, start, _, _ = block
        self._position += start
        return ScannedBuffer(records, needed, damage)

    def needed_size(self, head: bytes) -> int:
        """Return the size of the next block, or of the shortest block if *head* is shorter; 0 if it is corrupt."""
        if len(head) < HEAD + TRAILER:
            return HEAD + TRAILER
        try:
            kind, length = self._head(head, 0)
            _check_length(length, self._max_length, kind)
        except _InvalidBlock:
            return 0
        return length

    def _scan_enhanced(self, buffer: bytes, start: int, records: list[RecordSpan]) -> int:
        """Append valid enhanced packet blocks to *records*; return the start of the first block that is not one."""
        unpack = struct.Struct(f"{self._byte_order}III8xII").unpack_from
        unpack_trailer = struct.Struct(f"{self._byte_order}I").unpack_from
        snaplens, max_length, size = self._snaplens, self._max_length, len(buffer)
        interface_count = len(snaplens)
        first = len(self.interfaces) - interface_count
        while start + 32 <= size:
            kind, length, index, captured, wire = unpack(buffer, start)
            end = start + length
            if kind != ENHANCED or end > size or length > max_length or length & 3 or captured + 32 > length:
                break
            if index >= interface_count or captured > snaplens[index] or unpack_trailer(buffer, end - 4)[0] != length:
                break
            data_start = start + 28
            records.append((start, data_start, data_start + captured, end, wire, first + index))
            start = end
        return start

    def _block(self, buffer: bytes, start: int) -> RecordSpan | int:
        """Return the block at *start*, or the number of bytes it needs if it is incomplete."""
        if len(buffer) - start < HEAD + TRAILER:
            return HEAD + TRAILER
        kind, length = self._head(buffer, start)
        _check_length(length, self._max_length, kind)
        end = start + length
        if end > len(buffer):
            return length
        byte_order = _section_byte_order(buffer, start) if kind == SECTION else self._byte_order
        (trailer,) = struct.unpack_from(f"{byte_order}I", buffer, end - TRAILER)
        if trailer != length and self._position + start > 0:  # libpcap does not check the trailer of the first block
            raise _InvalidBlock(f"block length mismatch: {length} in the header, {trailer} in the trailer")
        read = self._readers.get(kind)
        if read is not None:
            return read(self, buffer, start, end)
        self._count_block(kind)
        return start, end, end, end, 0, NO_PACKET

    def count_other(self, head: bytes) -> None:
        """Count a block without a packet that the native scanner read, given its first 4 bytes."""
        (kind,) = struct.unpack(f"{self._byte_order}I", head)
        self._count_block(kind)

    def _count_block(self, kind: int) -> None:
        self.other_blocks[_OTHER_BLOCKS.get(kind, "unknown")] += 1

    def _head(self, buffer: bytes, start: int) -> tuple[int, int]:
        """Return the type and length of a block; those of a section header are in its own byte order."""
        is_section = buffer[start : start + 4] == SECTION_MAGIC
        byte_order = _section_byte_order(buffer, start) if is_section else self._byte_order
        kind, length = struct.unpack_from(f"{byte_order}II", buffer, start)
        return kind, length

    def _section(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        byte_order = _section_byte_order(buffer, start)
        (major,) = struct.unpack_from(f"{byte_order}H", buffer, start + 12)
        if major != 1:
            raise _InvalidBlock(f"unsupported section version {major}; version 1 is supported")
        self._byte_order = byte_order
        self._snaplens = []
        self.sections.append(Section(byte_order, len(self.interfaces)))
        return start, end, end, end, 0, NO_PACKET

    def _interface(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        if len(self.interfaces) >= _MAX_INTERFACES:
            raise _InvalidBlock(f"describes interface number {_MAX_INTERFACES + 1}; the maximum is {_MAX_INTERFACES}")
        linktype, snaplen = struct.unpack_from(f"{self._byte_order}H2xI", buffer, start + HEAD)
        interface_type = link_type(linktype)
        if not 0 < snaplen <= 0x7FFF_FFFF:
            snaplen = interface_type.max_packet_length
        options = _options(buffer[start + 16 : end - TRAILER], self._byte_order, _OPTION_SIZES)
        details = _interface_details(options, self._byte_order)
        self.interfaces.append(Interface(interface_type, snaplen, self._byte_order, *details))
        self._snaplens.append(snaplen)
        self._max_length = max(self._max_length, 32 + interface_type.max_packet_length + _MAX_OPTIONS_LENGTH)
        return start, end, end, end, 0, NO_PACKET

    def _enhanced(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        index, captured, wire = struct.unpack_from(f"{self._byte_order}I8xII", buffer, start + HEAD)
        return self._packet(start, start + _DATA, end, index, captured, wire)

    def _obsolete(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        index, captured, wire = struct.unpack_from(f"{self._byte_order}H10xII", buffer, start + HEAD)
        return self._packet(start, start + _DATA, end, index, captured, wire)

    def _simple(self, buffer: bytes, start: int, end: int) -> RecordSpan:
        """Return a simple packet block; its captured length is the smaller of the wire and the snapshot length."""
        (wire,) = struct.unpack_from(f"{self._byte_order}I", buffer, start + HEAD)
        captured = min([wire, *self._snaplens[:1]])
        return self._packet(start, start + HEAD + 4, end, 0, captured, wire)

    def _packet(self, start: int, data_start: int, end: int, index: int, captured: int, wire: int) -> RecordSpan:
        interface_count = len(self._snaplens)
        if index >= interface_count:
            fact = f"undefined interface {index}"
            raise _InvalidBlock(f"{fact}; its section has described {interface_count}, counted from 0")
        if captured > self._snaplens[index]:
            rule = f"its interface has a snapshot length of {self._snaplens[index]}"
            raise _InvalidBlock(f"captured length is {captured} bytes; {rule}")
        available = end - TRAILER - data_start
        if captured > available:
            raise _InvalidBlock(f"captured length is {captured} bytes; its block has space for {available}")
        return start, data_start, data_start + captured, end, wire, len(self.interfaces) - interface_count + index

    _readers: Final[dict[int, Callable[["Pcapng", bytes, int, int], RecordSpan]]] = {
        SECTION: _section,
        INTERFACE: _interface,
        _OBSOLETE: _obsolete,
        _SIMPLE: _simple,
        ENHANCED: _enhanced,
    }

    def advance(self, size: int) -> None:
        """Advance the position past *size* bytes of records that the native scanner read."""
        self._position += size

    def place(self, start_of_record: bytes, number: int, offset: int = 0) -> str:
        """Return the name of a record in errors: a packet by its number, any other block by its position.

        *offset* is the position of the record in the buffer.
        """
        if len(start_of_record) >= 4:
            (kind,) = struct.unpack_from(f"{self._byte_order}I", start_of_record)
            if kind in _PACKETS:
                return f"packet {number}"
        return f"block at byte {self._position + offset}"

    def time_ns(self, buffer: bytes, record: RecordSpan) -> int:
        """Return the time of a packet in nanoseconds since 1970 (UTC).

        A simple packet block has no time stamp; its time is that of the time stamp 0.
        """
        start, data_start, _, _, _, index = record
        interface = self.interfaces[index]
        if data_start - start != _DATA:
            return interface.time_ns(0)
        high, low = struct.unpack_from(f"{interface.byte_order}II", buffer, start + 12)
        return interface.time_ns(high << 32 | low)

    def times_ns(self, buffer: bytes, records: Sequence[RecordSpan]) -> Sequence[int | None]:
        """Return the time of each record, or None for simple packet blocks and blocks without a packet."""
        return [self.time_ns(buffer, record) if _has_time(record) else None for record in records]

    def option_sizes(self, records: Sequence[RecordSpan]) -> Sequence[int]:
        """Return the number of bytes of the options of each packet; empty if no packet has options."""
        sizes = [
            (end - data_end - TRAILER) & ~3 if data_start - start == _DATA else 0
            for start, data_start, data_end, end, _, _ in records
        ]
        return sizes if any(sizes) else ()

    def comments_in(self, options: bytes, interface: int) -> tuple[str, ...]:
        """Return the comments in the options of a packet, those before an invalid option."""
        comments: list[str] = []
        with suppress(_InvalidBlock):
            for code, value in _options(options, self.interfaces[interface].byte_order):
                if code == COMMENT:
                    comments.append(value.decode(errors="replace"))
        return tuple(comments)

    def native_scan(self, next_record: bytes, output: "ScanOutput") -> "NativeScan | None":
        """Return the native scan of the current section to an output."""
        from .native.format_code import NativeScan
        from .native.scanner import load_scanner

        settings = {"max_length": self._max_length, "first_interface": self.sections[-1].first_interface}
        return NativeScan(load_scanner("pcapng", self._byte_order, _record_codegen, output), settings)

    def packet_offset(self, *, timed: bool) -> int:
        """Return the size of the part of a packet block before the packet."""
        return _DATA if timed else HEAD + 4

    def record_end(self, fetch: Callable[[slice], bytes], start: int, packet_end: int) -> int:
        """Return the end of a block."""
        (size,) = struct.unpack(f"{self._byte_order}I", fetch(slice(start + 4, start + 8)))
        return int(start + size)


def _record_codegen() -> "RecordCodegen":
    from .native.record_layouts import PcapngCodegen

    return PcapngCodegen()


def _has_time(record: RecordSpan) -> bool:
    start, data_start, _, _, _, interface = record
    return interface != NO_PACKET and data_start - start == _DATA


def _section_byte_order(buffer: bytes, start: int) -> ByteOrder:
    magic = buffer[start + 8 : start + 12]
    if magic not in BYTE_ORDERS:
        fact = f"section header with byte-order magic {magic.hex(' ')}"
        raise _InvalidBlock(f"{fact}; the magic is 1a 2b 3c 4d or its reverse")
    return BYTE_ORDERS[magic]


def _check_length(length: int, max_length: int, kind: int) -> None:
    min_length = _MIN_LENGTHS.get(kind, HEAD + TRAILER)
    if length < min_length:
        rule = f"{_NAMES.get(kind, 'this block type')} has at least {min_length} bytes"
        raise _InvalidBlock(f"block length is {length}; {rule}")
    if length % 4:
        raise _InvalidBlock(f"block length is {length}; block lengths are multiples of 4")
    if length > max_length:
        raise _InvalidBlock(f"block length is {length}; the maximum is {max_length}")


def _options(data: bytes, byte_order: ByteOrder, sizes: Mapping[int, int] = {}) -> Iterator[tuple[int, bytes]]:
    """Yield the code and value of each option, up to the end-of-options mark or the end of the block.

    Raises `_InvalidBlock` for an option that is incomplete, or is not of its size in *sizes*.
    """
    start = 0
    while start < len(data):
        code, size = struct.unpack_from(f"{byte_order}HH", data, start)
        value = data[start + 4 : start + 4 + size]
        if start + 4 + size + -size % 4 > len(data):
            raise _InvalidBlock(f"option {code} of {size} bytes extends beyond the end of its block")
        if size != sizes.get(code, size):
            raise _InvalidBlock(f"option {code} has {size} bytes; its size is {sizes[code]}")
        if code == _END_OF_OPTIONS:
            return
        yield code, value
        start += 4 + size + -size % 4


def _interface_details(options: Iterator[tuple[int, bytes]], byte_order: ByteOrder) -> tuple[int, int, str | None]:
    """Return the resolution, the time offset and the name of an interface."""
    values: dict[int, bytes] = {}
    for code, value in options:
        if code in values and code in _OPTION_SIZES:
            raise _InvalidBlock(f"duplicate option {code}; it may occur once")
        values.setdefault(code, value)
    (exponent,) = values.get(RESOLUTION, b"\x06")
    resolution = 1 << (exponent & 0x7F) if exponent & 0x80 else 10**exponent
    (offset,) = struct.unpack(f"{byte_order}q", values.get(_OFFSET, bytes(8)))
    name = values.get(NAME)
    return resolution, offset, None if name is None else name[:MAX_NAME_LENGTH].decode(errors="replace")


def _open(begin: bytes, name: str) -> Pcapng:
    if len(begin) < BEGIN_SIZE:
        raise CaptureError(f"{name}: file too short: {len(begin)} bytes, but a pcapng section header has 28")
    return Pcapng(begin, name)


PCAPNG_FORMAT: Final = CaptureFormat(
    "pcapng",
    recognizes=lambda begin: begin.startswith(SECTION_MAGIC),
    open=_open,
    writer=lambda sources, snaplen: PcapngWriter(snaplen),
    suffixes=(".pcapng", ".ntar"),
)
