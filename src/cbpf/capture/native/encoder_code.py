"""The generator of the machine code that encodes packets, given as columns, as records of a format."""

from ..._named_tuple import NamedTuple
from ..._typing import Final, Protocol
from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text
from .abi import EncodeRequest
from .column_access import ColumnAccess, FileAccess

_NUMBERS: Final = ("row", "count", "snaplen", "capacity")
_ADDRESSES: Final = ("origin", "limits", "buffer")
_BLOCK: Final = 32  # bytes that are copied in one step of a loop


class PacketValues(NamedTuple):
    """The values of a packet: numbers of 64 bits, and the address of its bytes."""

    address: IRValue
    available: IRValue  # the number of bytes captured
    captured: IRValue  # the number of bytes to encode
    wire: IRValue
    interface: IRValue
    time_ns: IRValue
    timed: IRValue


class RecordEncoder(Protocol):
    """Generates the code that writes a packet as a record."""

    def max_size(self, code: "EncoderCodegen", packet: PacketValues) -> IRValue:
        """Return the maximum size of the record; leave the loop if the packet does not fit in the format."""

    def write(self, code: "EncoderCodegen", packet: PacketValues, record: IRValue) -> IRValue:
        """Write the packet to the address *record* and return the size; leave the loop if it does not fit."""


class EncoderCodegen:
    """Generates the function that executes an `EncodeRequest`; *swapped*: in the opposite byte order of the host."""

    def __init__(self, encoder: RecordEncoder, *, swapped: bool) -> None:
        self.function: Final = Function("entry", I32, request="ptr noalias")
        self._encoder = encoder
        self._swapped = swapped
        self._inputs = {name: self._field(name).load(8) for name in _NUMBERS}
        self._inputs |= {name: self._field(name).load_pointer() for name in _ADDRESSES}
        self._columns = ColumnAccess(self._field("columns").load_pointer(), self._field("rows").load(8))

    def text(self) -> str:
        """Return the module with the function, which returns 0."""
        function = self.function
        row = function.variable(I64, self._inputs["row"])
        size = function.variable(I64, 0)
        file = FileAccess(function, self._columns, self._field("file"))
        with function.loop():
            function.break_if(row.value >= self._inputs["count"])
            function.break_if(file.begins_another(row.value))
            packet = self._packet(row.value)
            max_size = self._encoder.max_size(self, packet)
            function.break_if(max_size > self._inputs["capacity"] - size.value)
            record_size = self._encoder.write(self, packet, self._inputs["buffer"].gep(size.value))
            file.add(row.value, record_size, packet.available)
            size.value = size.value + record_size
            row.value = row.value + 1
        self._field("row").store(row.value)
        self._field("size").store(size.value)
        file.finish()
        function.ret(0)
        return module_text(function)

    def _field(self, name: str) -> IRValue:
        return self.function["request"].gep(getattr(EncodeRequest, name).offset)

    def _packet(self, row: IRValue) -> PacketValues:
        columns = self._columns
        start = columns.item("starts", row)
        address = self._inputs["origin"].gep(start)
        available, snaplen = columns.item("ends", row) - start, self._inputs["snaplen"]
        captured = (available > snaplen).select(snaplen, available)
        names = ("wire_lengths", "interfaces", "times_ns", "timed")
        return PacketValues(address, available, captured, *(columns.item(name, row) for name in names))

    def break_at_limit(self, packet: PacketValues) -> None:
        """Leave the loop if as many bytes of the packet would be encoded as the limit of its interface."""
        limit = self._inputs["limits"].gep(packet.interface << 3).load(8)
        self.function.break_if(packet.captured >= limit)

    def load_word(self, address: IRValue) -> IRValue:
        """Return a number of 32 bits in the byte order of the format, as 64 bits."""
        word = address.load(4)
        return (word.bswap() if self._swapped else word).zext_or_trunc(I64)

    def store_words(self, address: IRValue, *words: IRValue) -> None:
        """Store the lower 32 bits of numbers one after another, in the byte order of the format."""
        for index, word in enumerate(words):
            number = word.zext_or_trunc(I32)
            address.gep(4 * index).store(number.bswap() if self._swapped else number)

    def copy(self, source: IRValue, target: IRValue, size: IRValue) -> None:
        """Copy *size* bytes."""
        done = self.function.variable(I64, 0)
        for step in (_BLOCK, 8, 1):
            with self.function.loop():
                position = done.value
                self.function.break_if(position + step > size)
                for offset in range(0, step, 8):
                    number = source.gep(position + offset).load(min(step, 8))
                    target.gep(position + offset).store(number)
                done.value = position + step


def encoder_code(encoder: RecordEncoder, *, swapped: bool) -> str:
    """Return the module that encodes packets; its function takes an `EncodeRequest` and returns 0."""
    return EncoderCodegen(encoder, swapped=swapped).text()
