"""The structures that the scanner shares with its machine code: the request, its results, and scratch memory.

C structures in the byte order of the host. The code generator takes the offsets of all fields from here.
"""

import ctypes
from typing import Final

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
      interfaces, classes, snaplens: The interfaces of the section: their number, and the class of packets (one byte)
        and the snapshot length (32 bits) of each.

    The filters:
      filters, class_count: The number of filters and of classes of packets.
      matches, contexts: For each filter and class, the address of its entry point `match` and of its `PacketContext`.
      outputs, lane_outputs: A `FilterOutput` for each filter and one for the packets that no filter accepts; and the
        same number for each lane.
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
# start of the record (and after the last step, its end) and its class; and for each step of the lane whose packets are
# filtered, the verdict of the filter and the bitwise or of the verdicts of all filters.
ROW_SIZE: Final = 16
LANES_OFFSET: Final = 0
ROWS_OFFSET: Final = LANES_OFFSET + MAX_LANES * ctypes.sizeof(Lane)
STARTS_OFFSET: Final = ROWS_OFFSET + MAX_LANES * STEPS * ROW_SIZE
CLASSES_OFFSET: Final = STARTS_OFFSET + MAX_LANES * (STEPS + 1) * 8
VERDICTS_OFFSET: Final = CLASSES_OFFSET + MAX_LANES * STEPS
UNION_OFFSET: Final = VERDICTS_OFFSET + STEPS * 4
SCRATCH_SIZE: Final = UNION_OFFSET + STEPS * 4


def max_ranges(window: int) -> int:
    """Return the maximum number of ranges that the records of a window of this size can form.

    Adjacent records form one range, so at most every other record begins a range; 2 ranges per lane allow for rounding.
    """
    return window // (2 * MIN_RECORD_SIZE) + 2 * MAX_LANES + 2
