"""Records that Python filtered, written to one file after another."""

from ..capture.base import RecordWriter, has_packet
from ..capture.file_parts import FileLimits, WrittenPart
from ..capture.output import Output
from .python_run import AcceptedRecords


class DividedRecords:
    """The records that one filter accepted in a chunk, written in parts; *timed*: the limits may have a time."""

    def __init__(self, accepted: AcceptedRecords, *, timed: bool) -> None:
        self.count = len(accepted.records)
        self._accepted = accepted
        self._times = accepted.source.times_ns(accepted.buffer, accepted.records) if timed else [None] * self.count

    def write_part(self, begin: int, writer: RecordWriter, output: Output, limits: FileLimits) -> WrittenPart:
        """Write records from an index on, at most up to the one that begins another file.

        If the sizes of encoded records decide this, they are written one by one, since these are not known before.
        """
        has_sizes = limits.max_size is None or writer.copies(self._accepted.source)
        end, is_complete = self._end(begin, self.count if has_sizes else begin + 1, limits)
        part = self._accepted._replace(records=self._accepted.records[begin:end])
        part.write_to(writer, output)
        return WrittenPart(end, part.packets, part.bytes, is_complete, self._times[end] if is_complete else None)

    def _end(self, begin: int, limit: int, limits: FileLimits) -> tuple[int, bool]:
        """Return the index of the first record that begins another file, or *limit*; and whether there is one."""
        size, packets, records = limits.size, limits.packets, self._accepted.records
        for index in range(begin, limit):
            record = records[index]
            if has_packet(record):
                if limits.is_late(self._times[index]) or limits.is_exceeded(size, packets):
                    return index, True
                packets += 1
            start, _, _, end, _, _ = record
            size += end - start
        return limit, False
