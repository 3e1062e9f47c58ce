"""The records of each format for `encoder`: code that writes a packet as a record."""

from ..._typing import Final
from ...engines.llvm.ir import I32, I64, IRValue
from ..base import SECOND
from .abi import NO_INTERFACE
from .encoder_code import EncoderCodegen, PacketValues

_SECONDS_END: Final = 1 << 32  # a pcap has 32 bits for the seconds since 1970
_HEADER: Final = 28  # bytes before the packet in an enhanced or an obsolete packet block
_SIMPLE_HEADER: Final = 12  # bytes before it in a simple packet block
_CAPTURED_OFFSET: Final = 20  # of the captured length in a block that is not simple
_NEGATIVE: Final = 1 << 63  # signed times from here on, as unsigned numbers, are before 1970


class PcapRecordCodegen:
    """Generates the code that writes a record of a pcap in version 2.4; *unit* is that of times, in nanoseconds."""

    def __init__(self, unit: int) -> None:
        self._unit = unit

    def max_size(self, code: EncoderCodegen, packet: PacketValues) -> IRValue:
        """Return the size of the record."""
        code.break_at_limit(packet)
        return packet.captured + 16

    def write(self, code: EncoderCodegen, packet: PacketValues, record: IRValue) -> IRValue:
        """Write the record, unless its time does not fit exactly; return its size."""
        code.function.break_if(packet.time_ns >= _SECONDS_END * SECOND)
        seconds = packet.time_ns.binary("udiv", SECOND)
        nanoseconds = packet.time_ns - seconds * SECOND
        fraction = nanoseconds.binary("udiv", self._unit)
        code.function.break_if((fraction * self._unit).ne(nanoseconds))
        code.store_words(record, seconds, fraction, packet.captured, packet.wire)
        code.copy(packet.address, record.gep(16), packet.captured)
        return packet.captured + 16


class EnhancedPacketCodegen:
    """Generates the code that writes an enhanced packet block; *unit* is that of times, in nanoseconds."""

    def __init__(self, unit: int, block_type: int) -> None:
        self._unit = unit
        self._type = block_type

    def max_size(self, code: EncoderCodegen, packet: PacketValues) -> IRValue:
        """Return the size of the block."""
        code.break_at_limit(packet)
        return _padded(packet.captured) + 32

    def write(self, code: EncoderCodegen, packet: PacketValues, record: IRValue) -> IRValue:
        """Write the block, unless its time does not fit; return its size."""
        function = code.function
        function.break_if(packet.time_ns >= _NEGATIVE)
        units = packet.time_ns.binary("udiv", self._unit)
        padded = _padded(packet.captured)
        size = padded + 32
        record.gep(padded + 24).store(function.constant(I32, 0))  # the padding; the rest is overwritten below
        block_type = function.constant(I64, self._type)
        index = packet.interface.zext_or_trunc(I64)
        code.store_words(record, block_type, size, index, units >> 32, units, packet.captured, packet.wire)
        code.copy(packet.address, record.gep(28), packet.captured)
        code.store_words(record.gep(padded + 28), size)
        return size


class TruncatedBlockCodegen:
    """Generates the code that copies a block of a pcapng, with a packet of at most as many bytes as are to be encoded.

    Its options are preserved. A block without a packet is copied.
    """

    def max_size(self, code: EncoderCodegen, packet: PacketValues) -> IRValue:
        """Return the size of the block."""
        block_size = code.load_word(self._block(code, packet).gep(4))
        available = _padded(packet.available)
        code.function.break_if(block_size < _header_size(code, packet) + available + 4)  # the file has changed
        return block_size - (available - _padded(packet.captured))

    def write(self, code: EncoderCodegen, packet: PacketValues, record: IRValue) -> IRValue:
        """Write the block, and return its size."""
        function, block, size = code.function, self._block(code, packet), self.max_size(code, packet)
        is_truncated = packet.captured < packet.available
        with function.if_then(is_truncated.eq(0)):
            code.copy(block, record, size)
        with function.if_then(is_truncated):
            header, padded = _header_size(code, packet), _padded(packet.captured)
            code.copy(block, record, header)
            code.store_words(record.gep(4), size)
            with function.if_then(packet.timed.ne(0)):
                code.store_words(record.gep(_CAPTURED_OFFSET), packet.captured)
            data, options = record.gep(header), header + padded
            data.gep(padded - 4).store(function.constant(I32, 0))  # the padding; the rest is overwritten below
            code.copy(packet.address, data, packet.captured)
            code.copy(packet.address.gep(_padded(packet.available)), record.gep(options), size - options - 4)
            code.store_words(record.gep(size - 4), size)
        return size

    def _block(self, code: EncoderCodegen, packet: PacketValues) -> IRValue:
        """Return the address of the block."""
        return packet.address.gep(code.function.constant(I64, 0) - _header_size(code, packet))


def _header_size(code: EncoderCodegen, packet: PacketValues) -> IRValue:
    """Return the number of bytes before the packet in its block, or 0 if there is none."""
    enhanced, simple, none = (code.function.constant(I64, size) for size in (_HEADER, _SIMPLE_HEADER, 0))
    return packet.interface.eq(NO_INTERFACE).select(none, packet.timed.ne(0).select(enhanced, simple))


def _padded(size: IRValue) -> IRValue:
    """Return a number of bytes, rounded up to a multiple of 4."""
    return (size + 3) & -4 % (1 << 64)
