"""The packets of columns as one batch."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import sub

from ..packet.batch import Packets
from .packets import PacketColumns, items_of


def batch(results: Iterable[PacketColumns]) -> Packets:
    """Return the packets of all columns as a batch; its times are None if one of them does not fit in 64 bits."""
    data = bytearray()
    lengths, wire_lengths, interfaces = array("I"), array("I"), array("I")
    times: array[int] | None = array("q")
    for columns in results:
        if columns.native is None:
            append_data(columns, data, lengths)
        else:
            columns.native.append_data(columns, data, lengths)
        _extend(wire_lengths, columns.wire_lengths)
        _extend(interfaces, columns.interfaces)
        try:
            if times is not None:
                _extend(times, columns.times_ns)
        except OverflowError:
            times = None
    return Packets(
        memoryview(data).toreadonly(),
        positions=accumulate(lengths[:-1], initial=0) if lengths else (),
        lengths=lengths,
        wire_lengths=wire_lengths,
        times_ns=times,
        interfaces=interfaces,
    )


def append_data(columns: PacketColumns, data: bytearray, lengths: "array[int]") -> None:
    """Append the bytes of packets to *data*, and their lengths to *lengths*."""
    for rows in columns.rows_of_pieces():
        data += b"".join(columns.data(rows))
    lengths.extend(map(sub, items_of(columns.ends), items_of(columns.starts)))


def _extend(numbers: "array[int]", column: Sequence[int]) -> None:
    """Append a column to an array, whose type it has if it is a `memoryview`."""
    if isinstance(column, memoryview):
        numbers.frombytes(column.cast("B"))
    else:
        numbers.extend(column)
