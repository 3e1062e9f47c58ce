"""The records of each format for `encoder`: code that writes a packet as a record."""

from typing import Final

from ...engines.llvm.ir import I32, I64, IRValue
from ..base import SECOND
from .encoder_code import EncoderCodegen, PacketValues

_SECONDS_END: Final = 1 << 32  # a pcap has 32 bits for the seconds since 1970
_NEGATIVE: Final = 1 << 63  # signed times from here on, as unsigned numbers, are before 1970


class PcapRecordCodegen:
    """Generates the code that writes a record of a pcap in version 2.4; *unit* is that of times, in nanoseconds."""

    max_overhead: Final = 16  # bytes of the header

    def __init__(self, unit: int) -> None:
        self._unit = unit

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

    max_overhead: Final = 28 + 3 + 4  # bytes of the header, the padding and the trailer

    def __init__(self, unit: int, block_type: int) -> None:
        self._unit = unit
        self._type = block_type

    def write(self, code: EncoderCodegen, packet: PacketValues, record: IRValue) -> IRValue:
        """Write the block, unless its time does not fit; return its size."""
        function = code.function
        function.break_if(packet.time_ns >= _NEGATIVE)
        units = packet.time_ns.binary("udiv", self._unit)
        padded = (packet.captured + 3) & -4 % (1 << 64)
        size = padded + 32
        record.gep(padded + 24).store(function.constant(I32, 0))  # the padding; the rest is overwritten below
        block_type = function.constant(I64, self._type)
        index = packet.interface.zext_or_trunc(I64)
        code.store_words(record, block_type, size, index, units >> 32, units, packet.captured, packet.wire)
        code.copy(packet.address, record.gep(28), packet.captured)
        code.store_words(record.gep(padded + 28), size)
        return size
