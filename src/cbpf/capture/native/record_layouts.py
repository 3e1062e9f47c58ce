"""The records of each format for the scanner: code that reads a record, and code that tests whether it is plausible."""

import ctypes

from ..._typing import Final
from ...engines.llvm.ir import I64, I128, IRValue, Variable
from ..base import SECOND, LengthOrder
from .abi import NO_PACKET_CLASS, UNREADY_CLASS, TimeScale
from .record_codegen import RecordValues
from .request_access import RequestAccess

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE_DESCRIPTION: Final = 1
_OBSOLETE_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_ENHANCED_PACKET: Final = 6
_HEADER_WITH_OPTIONS: Final = 28  # bytes before the packet in a block that may have options after it
_SIMPLE_PACKET_HEADER: Final = 12


class PcapCodegen:
    """Generates the code that reads the records of a pcap; `capture.pcap` documents the format."""

    alignment = 1
    has_classes = False

    def __init__(self, length_order: LengthOrder) -> None:
        self._order = length_order

    def _lengths(self, access: RequestAccess, position: IRValue) -> tuple[IRValue, IRValue]:
        """Return the captured and the wire length of a record."""
        first, second = access.number(position + 8, 4), access.number(position + 12, 4)
        if self._order == "smaller is captured":
            exchanged = first > second
            return exchanged.select(second, first), exchanged.select(first, second)
        return (second, first) if self._order == "wire first" else (first, second)

    def follow(self, access: RequestAccess, position: IRValue, otherwise: str) -> IRValue:
        """Return the end of the record; jump if its header or its packet extends beyond the readable bytes."""
        data = position + access.input("header_size")
        access.jump_if(data > access.input("end"), otherwise)
        captured, _ = self._lengths(access, position)
        end = data + captured
        access.jump_if(end > access.input("end"), otherwise)
        return end

    def read(self, access: RequestAccess, position: IRValue, end: IRValue, otherwise: str) -> RecordValues:
        """Return the values of a record; jump if the packet exceeds the snapshot length."""
        captured, wire = self._lengths(access, position)
        access.jump_if(captured > access.input("snaplen"), otherwise)
        data = access.base.ptrtoint() + position + access.input("header_size")
        return RecordValues(data, captured, wire)

    def time_ns(self, access: RequestAccess, position: IRValue, record: RecordValues, otherwise: str) -> IRValue:
        """Return the time of a record, which fits in 64 bits; jump if its fraction is a second or more."""
        unit = access.function.constant(I64, SECOND).binary("udiv", access.input("fractions"))
        fraction = access.number(position + 4, 4)
        access.jump_if(fraction >= access.input("fractions"), otherwise)
        return access.number(position, 4) * SECOND + fraction * unit

    def plausible(self, access: RequestAccess, position: IRValue) -> IRValue:
        """Return the end of a record with plausible lengths and a time stamp near that of the first record, or 0.

        "Near" is within 2**26 seconds, about two years.
        """
        captured, wire = self._lengths(access, position)
        lengths = captured.ne(0) & (captured <= access.input("snaplen")) & (captured <= wire) & (wire <= 1 << 18)
        seconds, fraction = access.number(position, 4), access.number(position + 4, 4)
        near = (seconds - access.input("seconds") + (1 << 26)) < 1 << 27
        plausible = lengths & near & (fraction < access.input("fractions"))
        end = position + access.input("header_size") + captured
        return plausible.select(end, access.function.constant(I64, 0))


class PcapngCodegen:
    """Generates the code that reads the blocks of a pcapng section; `capture.pcapng` documents the format."""

    alignment = 4
    has_classes = True

    def follow(self, access: RequestAccess, position: IRValue, otherwise: str) -> IRValue:
        """Return the end of the block; jump if it is incomplete, invalid, a section header or interface description."""
        access.jump_if(position + 12 > access.input("end"), otherwise)
        kind, size = access.number(position, 4), access.number(position + 4, 4)
        access.jump_if(kind.eq(_SECTION_HEADER) | kind.eq(_INTERFACE_DESCRIPTION), otherwise)
        end = position + size
        invalid = (size < 12) | (size & 3).ne(0) | (size > access.input("max_length"))
        access.jump_if(invalid | (end > access.input("end")), otherwise)
        return end

    def read(self, access: RequestAccess, position: IRValue, end: IRValue, otherwise: str) -> RecordValues:
        """Return the values of a block; jump if it is invalid or belongs to an interface without machine code."""
        function = access.function
        size = end - position
        access.jump_if(access.number(end - 4, 4).ne(size), otherwise)
        kind = access.number(position, 4)
        header, captured, wire = (function.variable(I64, 0) for _ in range(3))
        interface = function.variable(I64, 0)
        with function.if_then(kind.eq(_ENHANCED_PACKET) | kind.eq(_OBSOLETE_PACKET)):
            access.jump_if(size < 32, otherwise)
            index_of_enhanced, index_of_obsolete = access.number(position + 8, 4), access.number(position + 8, 2)
            interface.value = kind.eq(_OBSOLETE_PACKET).select(index_of_obsolete, index_of_enhanced)
            header.value = function.constant(I64, _HEADER_WITH_OPTIONS)
            captured.value, wire.value = access.number(position + 20, 4), access.number(position + 24, 4)
        with function.if_then(kind.eq(_SIMPLE_PACKET)):
            access.jump_if(size < 16, otherwise)
            header.value = function.constant(I64, _SIMPLE_PACKET_HEADER)
            wire.value = access.number(position + 8, 4)
            access.jump_if(access.input("interfaces").eq(0), otherwise)
            snaplen = access.input("snaplens").load(4).zext_or_trunc(I64)
            captured.value = (wire.value < snaplen).select(wire.value, snaplen)
        packet_class = function.variable("i8", NO_PACKET_CLASS)
        with function.if_then(header.value.ne(0)):
            access.jump_if(interface.value >= access.input("interfaces"), otherwise)
            snaplen = access.input("snaplens").gep(interface.value << 2).load(4).zext_or_trunc(I64)
            access.jump_if((captured.value > snaplen) | (captured.value + header.value + 4 > size), otherwise)
            packet_class.value = access.input("classes").gep(interface.value).load(1)
            access.jump_if(packet_class.value.eq(UNREADY_CLASS), otherwise)
        address = access.base.ptrtoint() + position + header.value
        is_timed = header.value.ne(_SIMPLE_PACKET_HEADER)
        rest = (size - header.value - captured.value - 4) & -4 % (1 << 64)
        option_size = header.value.eq(_HEADER_WITH_OPTIONS).select(rest, function.constant(I64, 0))
        numbers = (captured.value, wire.value, packet_class.value, interface.value, is_timed, option_size)
        return RecordValues(address, *numbers)

    def time_ns(self, access: RequestAccess, position: IRValue, record: RecordValues, otherwise: str) -> IRValue:
        """Return the time of a packet, that of the time stamp 0 for a simple packet block; jump if it does not fit."""
        function = access.function
        assert record.packet_class is not None
        assert record.interface is not None
        assert record.is_timed is not None
        result = function.variable(I64, 0)
        with function.if_then(record.packet_class.ne(NO_PACKET_CLASS)):
            units = function.variable(I64, 0)
            with function.if_then(record.is_timed):
                units.value = (access.number(position + 12, 4) << 32) | access.number(position + 16, 4)
            result.value = self._scaled(access, units, record.interface, otherwise)
        return result.value

    def _scaled(self, access: RequestAccess, units: Variable, interface: IRValue, otherwise: str) -> IRValue:
        """Return a time stamp in nanoseconds, by the `TimeScale` of an interface."""
        function = access.function
        scale = access.input("scales").gep(interface * ctypes.sizeof(TimeScale))
        divisor, multiplier, shift, limit, offset = (
            access.field(name, TimeScale, scale).load(8)
            for name in ("divisor", "multiplier", "shift", "limit", "offset")
        )
        access.jump_if(units.value >= limit, otherwise)
        with function.if_then(divisor.ne(1), rare=True):
            units.value = units.value.binary("udiv", divisor)
        product = units.value.zext_or_trunc(I128) * multiplier.zext_or_trunc(I128)
        return (product >> shift.zext_or_trunc(I128)).zext_or_trunc(I64) + offset

    def plausible(self, access: RequestAccess, position: IRValue) -> IRValue:
        """Return the end of an enhanced packet block of a described interface with consistent lengths, or 0."""
        function = access.function
        size, captured = access.number(position + 4, 4), access.number(position + 20, 4)
        kind, interface = access.number(position, 4), access.number(position + 8, 4)
        is_packet = kind.eq(_ENHANCED_PACKET) & (interface < access.input("interfaces"))
        lengths = (size >= 32) & (size & 3).eq(0) & (captured + 32 <= size) & (captured + 1024 > size)
        end = function.variable(I64, 0)
        with function.if_then(is_packet & lengths):
            end.value = position + size
            with function.if_then(end.value <= access.input("end")):
                agrees = access.number(end.value - 4, 4).eq(size)
                end.value = agrees.select(end.value, function.constant(I64, 0))
        return end.value
