"""The structures that the scanner shares with its machine code: the request, its results, and scratch memory.

C structures in the byte order of the host. The code generator takes the offsets of all fields from here.
"""

import ctypes
import struct
from itertools import accumulate

from ..._typing import Final, Literal

MAX_LANES: Final = 16
STEPS: Final = 128  # records that a lane advances before the filters run on them
BATCH: Final = 1024  # ranges per writev call: IOV_MAX of Linux
MIN_RECORD_SIZE: Final = 12  # bytes; the smallest is a block of a pcapng without a body

NO_PACKET_CLASS: Final = 255  # the class of a record without a packet, which is always accepted
UNREADY_CLASS: Final = 254  # the class of packets for which a filter has no machine code yet; they end the scan
MAX_CLASSES: Final = 250


class Lane(ctypes.Structure):
    """The state of one lane, and its counts.

    It begins with the record at *first*, and *position* is the position of its next record; the lane ends when that
    is *stop* or greater. *steps* counts the records since the filters last ran; *packets* and *bytes* count all packets
    of the lane and their captured bytes.
    """

    _fields_ = (
        ("first", ctypes.c_uint64),
        ("position", ctypes.c_uint64),
        ("stop", ctypes.c_uint64),
        ("steps", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


class FilterOutput(ctypes.Structure):
    """The records that one filter accepts.

    *ranges* is an array of *count* struct iovec (address and length), or null if they are not collected; *sums* has the
    total length of each BATCH of ranges. *packets* and *bytes* count the packets and their captured bytes.
    """

    _fields_ = (
        ("ranges", ctypes.c_void_p),
        ("sums", ctypes.c_void_p),
        ("count", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


class ColumnOutput(ctypes.Structure):
    """The packets that one filter accepts, as columns.

    *memory* is the address of the columns (COLUMNS), or null if they are not collected. Each has the number of
    rows that the request states; the packets of this output are in *count* of them, from row *first* on.
    *packets* and *bytes* are those of `FilterOutput`.
    """

    _fields_ = (
        ("memory", ctypes.c_void_p),
        ("first", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


COLUMNS: Final[dict[str, Literal["Q", "q", "I", "B"]]] = {
    "starts": "Q",
    "ends": "Q",
    "times_ns": "q",
    "numbers": "I",
    "wire_lengths": "I",
    "interfaces": "I",
    "option_sizes": "I",
    "timed": "B",
}
"""The columns in their order, each with its type as in the module struct.

The packet is bytes *start* to *end* from `ScanRequest.origin` on. *number* counts the packets of the window from 1,
*interface* those of the capture from 0; *option_size* is the number of bytes of the packet's options; *timed* is 0 for
a packet without a time stamp. A record without a packet has the interface NO_INTERFACE, and begins at *start*.

In columns of extents, the record is bytes *start* to *end*, and *wire_length* is the number of bytes captured of
its packet.
"""

_INPUT_COLUMNS: Final = ("starts", "ends", "wire_lengths", "interfaces")

NO_INTERFACE: Final = (1 << 32) - 1

ITEM_SIZES: Final = {name: struct.calcsize(format) for name, format in COLUMNS.items()}
COLUMN_STARTS: Final = dict(zip(COLUMNS, accumulate(ITEM_SIZES.values(), initial=0), strict=False))
"""The start of each column in the memory of a `ColumnOutput`, in bytes for each row of a column."""

ROW_BYTES: Final = sum(ITEM_SIZES.values())


class CurrentFile(ctypes.Structure):
    """The output file that records are written to, and the limits at which another file begins.

    *size* is that of the file in bytes, *packets* the number of its packets, and *bytes* that of their captured bytes.
    A packet begins another file if this one has packets and more than *max_size* bytes, or if the time of the packet,
    plus 2**63, is greater than *last*. Then *is_complete* is 1, otherwise 0.
    """

    _fields_ = (
        ("size", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
        ("max_size", ctypes.c_uint64),
        ("last", ctypes.c_uint64),
        ("is_complete", ctypes.c_uint64),
    )


class EncodeRequest(ctypes.Structure):
    """Packets to encode as records of a format.

    *columns*, of *rows* rows, are those of a `ColumnOutput`, whose positions count from *origin*. The packets are rows
    *row* to *count*; at most *snaplen* bytes of each are encoded. *limits* has a 64-bit number for each interface: a
    packet of which as many bytes would be encoded is not. The records go to *buffer*, which has space for *capacity*
    bytes.

    The results: *row* is the first row that was not encoded, because the buffer was full, the packet did not fit in the
    format, or it begins another file; *size* is the number of bytes in the buffer, and *file* is updated.
    """

    _fields_ = (
        ("columns", ctypes.c_void_p),
        ("rows", ctypes.c_uint64),
        ("origin", ctypes.c_void_p),
        ("row", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("limits", ctypes.c_void_p),
        ("snaplen", ctypes.c_uint64),
        ("buffer", ctypes.c_void_p),
        ("capacity", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("file", CurrentFile),
    )


class SampleRequest(ctypes.Structure):
    """Accepted packets among which those of a sample are chosen, and the results.

    *columns*, of *rows* rows, are those of a `ColumnOutput`; the packets are *count* rows from the first on, and
    *before* packets of the capture precede the window. *seed* and *interval* are those of `sampling.Sample`.

    The results: *count* is the number of rows that remain, and *packets* and *bytes* are those of `FilterOutput`.
    """

    _fields_ = (
        ("columns", ctypes.c_void_p),
        ("rows", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("before", ctypes.c_uint64),
        ("seed", ctypes.c_uint64),
        ("interval", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


class RangeRequest(ctypes.Structure):
    """Extents of records from which ranges of memory are made, and the results.

    *columns*, of *rows* rows, are those of a `ColumnOutput`, whose positions count from *origin*. The records are rows
    *row* to *count*.

    The results: *row* is the first row without a range, *output* has the ranges, and *file* is updated.
    """

    _fields_ = (
        ("columns", ctypes.c_void_p),
        ("rows", ctypes.c_uint64),
        ("origin", ctypes.c_uint64),
        ("row", ctypes.c_uint64),
        ("count", ctypes.c_uint64),
        ("output", FilterOutput),
        ("file", CurrentFile),
    )


class TimeScale(ctypes.Structure):
    """The conversion of the time stamps of a pcapng interface to nanoseconds since 1970.

    A time stamp of n units, n < *limit*, is at (n // *divisor* * *multiplier* >> *shift*) + *offset*, where the product
    has 128 bits. All other time stamps do not fit in 64 bits, or may not.
    """

    _fields_ = (
        ("divisor", ctypes.c_uint64),
        ("multiplier", ctypes.c_uint64),
        ("shift", ctypes.c_uint64),
        ("limit", ctypes.c_uint64),
        ("offset", ctypes.c_int64),
    )


class ScanRequest(ctypes.Structure):
    """A window with its filters, and the results of its scan. Positions are offsets from *base*.

    The window, and how to read it:
      begin, stop: The scan covers the records that start from *begin* on and before *stop*.
      end: The end of the readable bytes.
      guess: Whether *begin* is not a known boundary; then the scan begins at the first plausible one from there on.
      lanes: The number of lanes to begin, MAX_LANES at most.
      header_size, snaplen: The size of a pcap record header and the snapshot length, in bytes.
      max_length: The maximum length of a pcapng block, in bytes.
      seconds, fractions: A time stamp of a pcap is plausible near *seconds* and with fewer units than *fractions*.
      interfaces, classes, snaplens, scales: The interfaces of the section: their number, and the class of packets (one
        byte), the snapshot length (32 bits) and the `TimeScale` of each.

    The input of some outputs:
      origin, rows, first_interface: The address from which `ColumnOutput` counts, the number of rows of a column, and
        the index of the section's first interface.
      since, until: The first and the last time stamp to accept, in nanoseconds since 1970, each plus 2**63.

    The filters:
      filters, class_count: The number of filters and of classes of packets.
      matches, contexts: For each filter and class, the address of its entry point `match` and of its `PacketContext`.
      outputs, lane_outputs: A `FilterOutput` or `ColumnOutput` for each filter and one for the packets that no filter
        accepts; and the same number for each lane.
      scratch: SCRATCH_SIZE bytes of memory.

    The results:
      first: The position of the first record.
      position: The position after the last record, which is that of the next one.
      chained: Whether each lane ended where the next one began; the other results are valid only then.
      packets, bytes: The number of packets in these records, and of the bytes captured of them.
    """

    _fields_ = (
        ("base", ctypes.c_void_p),
        ("begin", ctypes.c_uint64),
        ("stop", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
        ("guess", ctypes.c_uint64),
        ("lanes", ctypes.c_uint64),
        ("header_size", ctypes.c_uint64),
        ("snaplen", ctypes.c_uint64),
        ("max_length", ctypes.c_uint64),
        ("seconds", ctypes.c_uint64),
        ("fractions", ctypes.c_uint64),
        ("interfaces", ctypes.c_uint64),
        ("classes", ctypes.c_void_p),
        ("snaplens", ctypes.c_void_p),
        ("scales", ctypes.c_void_p),
        ("origin", ctypes.c_uint64),
        ("rows", ctypes.c_uint64),
        ("first_interface", ctypes.c_uint64),
        ("since", ctypes.c_uint64),
        ("until", ctypes.c_uint64),
        ("filters", ctypes.c_uint64),
        ("class_count", ctypes.c_uint64),
        ("matches", ctypes.c_void_p),
        ("contexts", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("lane_outputs", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("first", ctypes.c_uint64),
        ("position", ctypes.c_uint64),
        ("chained", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


INPUT_COUNT: Final = [name for name, _ in ScanRequest._fields_].index("first")  # the other fields are results

# The scratch memory, by offset: the lanes; for each step of each lane a row (address, captured and wire length), the
# start of the record (and after the last step, its end) and its class; for each step of the lane whose packets are
# filtered, the verdict of the filter and the bitwise or of the verdicts of all filters; and for each of these steps, if
# the outputs need them, the time stamp, the number of the packet in its lane, its interface plus UNTIMED, and the size
# of its options.
ROW_SIZE: Final = 16
LANES_OFFSET: Final = 0
ROWS_OFFSET: Final = LANES_OFFSET + MAX_LANES * ctypes.sizeof(Lane)
STARTS_OFFSET: Final = ROWS_OFFSET + MAX_LANES * STEPS * ROW_SIZE
CLASSES_OFFSET: Final = STARTS_OFFSET + MAX_LANES * (STEPS + 1) * 8
VERDICTS_OFFSET: Final = CLASSES_OFFSET + MAX_LANES * STEPS
UNION_OFFSET: Final = VERDICTS_OFFSET + STEPS * 4
TIMES_OFFSET: Final = UNION_OFFSET + STEPS * 4
NUMBERS_OFFSET: Final = TIMES_OFFSET + STEPS * 8
INTERFACES_OFFSET: Final = NUMBERS_OFFSET + STEPS * 4
OPTION_SIZES_OFFSET: Final = INTERFACES_OFFSET + STEPS * 4
SCRATCH_SIZE: Final = OPTION_SIZES_OFFSET + STEPS * 4

UNTIMED: Final = 1 << 31  # the packet has no time stamp


def column_names(kind: str) -> tuple[str, ...]:
    """Return the names of the columns of an output of this kind (`ScanOutput.kind`)."""
    return _INPUT_COLUMNS if kind == "inputs" else tuple(COLUMNS)


def max_ranges(window: int) -> int:
    """Return the maximum number of ranges that the records of a window of this size can form.

    Adjacent records form one range, so at most every other record begins a range; 2 ranges per lane allow for rounding.
    """
    return window // (2 * MIN_RECORD_SIZE) + 2 * MAX_LANES + 2


def max_rows(window: int) -> int:
    """Return the maximum number of records that begin in a window; 2 more per lane allow for rounding."""
    return window // MIN_RECORD_SIZE + 2 * MAX_LANES + 2
