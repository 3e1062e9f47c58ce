"""The packets that machine code accepts, written in another format than that of their capture, or truncated.

Machine code encodes them too. A packet that does not fit in the format, or that decides it, is left to
`RecordWriter.encode`, so each rule and error message exists only once.
"""

from collections.abc import Hashable

from .._named_tuple import NamedTuple
from .._typing import Final
from ..capture.base import NO_PACKET, RecordSpan, RecordWriter
from ..capture.file_parts import NO_LIMITS, FileLimits, WrittenPart
from ..capture.native.abi import NO_INTERFACE
from ..capture.native.encoder import Encoder, PreparedEncoding
from ..capture.native.output_memory import AcceptedColumns
from ..capture.native.run import NativeRun
from ..capture.native.scanner import ScannedRecords
from ..capture.output import Output
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from .divided_records import DividedRecords
from .python_run import AcceptedRecords

_MAX_ROWS: Final = 64  # records that Python encodes before machine code is tried again


class ConvertedResult(NamedTuple):
    """The result of a scan, whose accepted packets are converted."""

    packets: int
    bytes: int
    accepted: "list[ConvertedRecords]"


class Conversion:
    """The conversion of the packets of a capture, which *native* reads as columns."""

    def __init__(self, reader: CaptureReader, native: NativeRun) -> None:
        self._reader = reader
        self._native = native
        self._encoder = Encoder()
        self._encodings: dict[RecordWriter, tuple[Hashable, PreparedEncoding | None]] = {}

    def result(self, result: ScannedRecords, before: int) -> ConvertedResult:
        """Return a result to be written; *before* is the number of packets in the capture before it."""
        accepted = [
            ConvertedRecords(self, output, self._native.columns(result, index, before) if output.row_count else None)
            for index, output in enumerate(result.accepted)
            if isinstance(output, AcceptedColumns)
        ]
        return ConvertedResult(result.packets, result.bytes, accepted)

    def write_part(
        self,
        writer: RecordWriter,
        accepted: AcceptedColumns,
        origin: int | None,
        begin: int,
        output: Output,
        limits: FileLimits,
    ) -> WrittenPart:
        """Write records from a row on by machine code, which may write none of them.

        *origin* is the address of their source, or None if machine code may not read it.
        """
        encoding = self._encoding(writer)
        if encoding is None or origin is None:
            return WrittenPart(begin, 0, 0)
        return self._encoder.write_part(encoding, accepted, origin, begin, output, limits)

    def _encoding(self, writer: RecordWriter) -> PreparedEncoding | None:
        key = (writer.record_format, len(self._reader.container.interfaces))
        known_key, prepared = self._encodings.get(writer, (None, None))
        if key != known_key:
            encoding = writer.native_encoding(self._reader.container)
            prepared = None if encoding is None else PreparedEncoding(encoding)
            self._encodings[writer] = key, prepared
        return prepared

    def records(self, columns: PacketColumns, rows: slice) -> AcceptedRecords:
        """Return some rows as records, for Python."""
        container, fetch = self._reader.container, columns.source.fetch()
        parts: list[bytes] = []
        records: list[RecordSpan] = []
        numbers: dict[RecordSpan, int] = {}
        start = 0
        names = ("starts", "ends", "numbers", "wire_lengths", "interfaces", "timed")
        for position, position_end, number, wire_length, interface, timed in zip(
            *(getattr(columns, name)[rows] for name in names), strict=True
        ):
            has_packet = interface != NO_INTERFACE
            offset = container.packet_offset(timed=bool(timed)) if has_packet else 0
            begin = position - offset
            part = fetch(slice(begin, container.record_end(fetch, begin, position_end)))
            data, data_end, end = start + offset, start + position_end - begin, start + len(part)
            record = (start, data, data_end, end, wire_length, interface if has_packet else NO_PACKET)
            parts.append(part)
            records.append(record)
            numbers[record] = columns.before + number
            start = end
        name = self._reader.name
        return AcceptedRecords(container, b"".join(parts), records, lambda record: f"{name}: packet {numbers[record]}")


class ConvertedRecords:
    """The packets of a result that one filter accepted; *columns* is None if there are none."""

    def __init__(self, conversion: Conversion, accepted: AcceptedColumns, columns: PacketColumns | None) -> None:
        self.packets: Final[int] = accepted.packets
        self.bytes: Final[int] = accepted.bytes
        self.count: Final[int] = accepted.row_count
        self._accepted = accepted
        self._conversion = conversion
        self._columns = columns
        self._step = 1  # the number of records that Python encodes if machine code does not

    def write_to(self, writer: RecordWriter, output: Output) -> None:
        """Write the records in the format of *writer*, up to the first that does not fit in it, which is an error."""
        begin = 0
        while begin < self.count and not writer.discards:
            begin = self.write_part(begin, writer, output, NO_LIMITS).end

    def write_part(self, begin: int, writer: RecordWriter, output: Output, limits: FileLimits) -> WrittenPart:
        """Write records from an index on, at most up to the one that begins another file."""
        columns = self._columns
        assert columns is not None
        part = self._conversion.write_part(writer, self._accepted, columns.source.address(), begin, output, limits)
        if part.end > begin or part.is_complete:
            self._step = 1
            return part
        rows = slice(begin, min(begin + self._step, self.count))
        self._step = min(2 * self._step, _MAX_ROWS)
        records = self._conversion.records(columns, rows)
        part = DividedRecords(records, timed=limits.until_ns is not None).write_part(0, writer, output, limits)
        return part._replace(end=begin + part.end)
