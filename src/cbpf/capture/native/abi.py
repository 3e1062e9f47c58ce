"""The memory of a sweep: what native code is told of a window, what it works with, and what it found.

C structures, in the machine's byte order.
"""

import ctypes
from typing import Final

MOST_LANES: Final = 16
STEPS: Final = 128  # of a lane, before the filters run
BATCH: Final = 1024  # ranges that are written at once: IOV_MAX of Linux
SMALLEST_RECORD: Final = 12  # bytes of the smallest block of any container
NO_PACKET: Final = 255  # the class of a block that is no packet: it is always kept
NOT_YET: Final = 254  # the class of packets that no filter has code for yet: they are not usual
MOST_CLASSES: Final = 250


class Lane(ctypes.Structure):
    """One walk: what it has to do, how far it is, and what it found."""

    _fields_ = (
        ("first", ctypes.c_uint64),
        ("position", ctypes.c_uint64),
        ("stop", ctypes.c_uint64),
        ("steps", ctypes.c_uint64),  # taken since the filters ran
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


class FilterOutput(ctypes.Structure):
    """What one filter keeps."""

    _fields_ = (
        ("ranges", ctypes.c_void_p),  # struct iovec: address and length
        ("sums", ctypes.c_void_p),  # of the lengths of each BATCH of ranges
        ("count", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


class ScanRequest(ctypes.Structure):
    """A window and its filters, and what the sweep found. Positions are offsets from *base*.

    begin, stop: records that start from *begin* on and before *stop*; end: so many bytes can be read.
    guess: whether *begin* itself is a guess, from which on a boundary is searched.
    header_size, snaplen: of a pcap; max_length: of a pcapng's block; interfaces: of its section, with the class and the
      snapshot length of each.
    seconds, fractions: what a plausible time stamp looks like: near *seconds*, and below *fractions*.
    filters, matches, circumstances: for each filter and class of packets, the code of `entries.match`.
    outputs: one for each filter, and one for the packets that no filter keeps; ranges null: not wanted.

    first: where the first record began; position: behind the last one; chained: see above; packets, bytes: all walked.
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
        ("circumstances", ctypes.c_void_p),
        ("outputs", ctypes.c_void_p),
        ("lane_outputs", ctypes.c_void_p),
        ("scratch", ctypes.c_void_p),
        ("first", ctypes.c_uint64),
        ("position", ctypes.c_uint64),
        ("chained", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("bytes", ctypes.c_uint64),
    )


INPUTS: Final = [name for name, _ in ScanRequest._fields_].index("first")
ROW: Final = 16

# The scratch memory of a job: what each lane has walked since the filters ran, and the filters' verdicts.
LANES_AT: Final = 0
ROWS_AT: Final = LANES_AT + MOST_LANES * ctypes.sizeof(Lane)
STARTS_AT: Final = ROWS_AT + MOST_LANES * STEPS * ROW
CLASSES_AT: Final = STARTS_AT + MOST_LANES * (STEPS + 1) * 8
VERDICTS_AT: Final = CLASSES_AT + MOST_LANES * STEPS
ANY_AT: Final = VERDICTS_AT + STEPS * 4
SCRATCH_SIZE: Final = ANY_AT + STEPS * 4


def ranges_needed(window: int) -> int:
    """How many ranges the records of a window may make, in the worst case."""
    return window // (2 * SMALLEST_RECORD) + 2 * MOST_LANES + 2
