"""What the records of each container look like to a sweep: code that reads one, or knows one by its looks."""

from typing import TYPE_CHECKING, Final

from ...engines.llvm.ir import I64, IRValue
from .abi import NO_PACKET, NOT_YET
from .codegen import RecordCode, ScannerCode

if TYPE_CHECKING:
    from ..pcap import LengthOrder

_SECTION_HEADER: Final = 0x0A0D0D0A
_INTERFACE_DESCRIPTION: Final = 1
_PACKET: Final = 2
_SIMPLE_PACKET: Final = 3
_ENHANCED_PACKET: Final = 6


class PcapCodegen:
    """Classic pcap; `capture.pcap` says what a record is."""

    alignment = 1

    def __init__(self, length_order: "LengthOrder") -> None:
        self._order = length_order

    def _lengths(self, sweep: ScannerCode, position: IRValue) -> tuple[IRValue, IRValue]:
        """The captured and the wire length of a record."""
        first, second = sweep.number(position + 8, 4), sweep.number(position + 12, 4)
        if self._order == "smaller is captured":
            exchanged = first > second
            return exchanged.select(second, first), exchanged.select(first, second)
        return (second, first) if self._order == "wire first" else (first, second)

    def follow(self, sweep: ScannerCode, position: IRValue, otherwise: str) -> IRValue:
        """See `Container`."""
        data = position + sweep.job("header_size")
        sweep.unless(data > sweep.job("end"), otherwise)
        captured, _ = self._lengths(sweep, position)
        following = data + captured
        sweep.unless(following > sweep.job("end"), otherwise)
        return following

    def read(self, sweep: ScannerCode, position: IRValue, following: IRValue, otherwise: str) -> RecordCode:
        """See `Container`."""
        captured, wire = self._lengths(sweep, position)
        sweep.unless(captured > sweep.job("snaplen"), otherwise)
        data = sweep.base.ptrtoint() + position + sweep.job("header_size")
        return RecordCode(data, captured, wire, None)

    def plausible(self, sweep: ScannerCode, position: IRValue) -> IRValue:
        """Lengths that fit each other, and a time near the capture's first."""
        captured, wire = self._lengths(sweep, position)
        lengths = captured.ne(0) & (captured <= sweep.job("snaplen")) & (captured <= wire) & (wire <= 1 << 18)
        seconds, fraction = sweep.number(position, 4), sweep.number(position + 4, 4)
        near = (seconds - sweep.job("seconds") + (1 << 26)) < 1 << 27
        plausible = lengths & near & (fraction < sweep.job("fractions"))
        following = position + sweep.job("header_size") + captured
        return plausible.select(following, sweep.function.constant(I64, 0))


class PcapngCodegen:
    """pcapng, within a section: a section header or interface description is not usual; `capture.pcapng` reads it."""

    alignment = 4

    def follow(self, sweep: ScannerCode, position: IRValue, otherwise: str) -> IRValue:
        """See `Container`."""
        sweep.unless(position + 12 > sweep.job("end"), otherwise)
        kind, size = sweep.number(position, 4), sweep.number(position + 4, 4)
        sweep.unless(kind.eq(_SECTION_HEADER) | kind.eq(_INTERFACE_DESCRIPTION), otherwise)
        following = position + size
        unusual = (size < 12) | (size & 3).ne(0) | (size > sweep.job("max_length"))
        sweep.unless(unusual | (following > sweep.job("end")), otherwise)
        return following

    def read(self, sweep: ScannerCode, position: IRValue, following: IRValue, otherwise: str) -> RecordCode:
        """See `Container`."""
        function = sweep.function
        size = following - position
        sweep.unless(sweep.number(following - 4, 4).ne(size), otherwise)
        kind = sweep.number(position, 4)
        header, captured, wire = (function.variable(I64, 0) for _ in range(3))
        interface = function.variable(I64, 0)
        with function.if_then(kind.eq(_ENHANCED_PACKET) | kind.eq(_PACKET)):
            sweep.unless(size < 32, otherwise)
            number = sweep.number(position + 8, 4)
            short = sweep.number(position + 8, 2)
            interface.value = kind.eq(_PACKET).select(short, number)
            header.value = function.constant(I64, 28)
            captured.value, wire.value = sweep.number(position + 20, 4), sweep.number(position + 24, 4)
        with function.if_then(kind.eq(_SIMPLE_PACKET)):
            sweep.unless(size < 16, otherwise)
            header.value = function.constant(I64, 12)
            wire.value = sweep.number(position + 8, 4)
            sweep.unless(sweep.job("interfaces").eq(0), otherwise)
            snaplen = sweep.pointer("snaplens").load(4).zext_or_trunc(I64)
            captured.value = (wire.value < snaplen).select(wire.value, snaplen)
        known = function.variable("i8", NO_PACKET)
        with function.if_then(header.value.ne(0)):
            sweep.unless(interface.value >= sweep.job("interfaces"), otherwise)
            snaplen = sweep.pointer("snaplens").gep(interface.value << 2).load(4).zext_or_trunc(I64)
            sweep.unless((captured.value > snaplen) | (captured.value + header.value + 4 > size), otherwise)
            known.value = sweep.pointer("classes").gep(interface.value).load(1)
            sweep.unless(known.value.eq(NOT_YET), otherwise)
        address = sweep.base.ptrtoint() + position + header.value
        return RecordCode(address, captured.value, wire.value, known.value)

    def plausible(self, sweep: ScannerCode, position: IRValue) -> IRValue:
        """An enhanced packet block of a known interface, whose lengths fit each other."""
        function = sweep.function
        size, captured = sweep.number(position + 4, 4), sweep.number(position + 20, 4)
        kind, interface = sweep.number(position, 4), sweep.number(position + 8, 4)
        named = kind.eq(_ENHANCED_PACKET) & (interface < sweep.job("interfaces"))
        lengths = (size >= 32) & (size & 3).eq(0) & (captured + 32 <= size) & (captured + 1024 > size)
        following = function.variable(I64, 0)
        with function.if_then(named & lengths):
            following.value = position + size
            with function.if_then(following.value <= sweep.job("end")):
                agrees = sweep.number(following.value - 4, 4).eq(size)
                following.value = agrees.select(following.value, function.constant(I64, 0))
        return following.value
