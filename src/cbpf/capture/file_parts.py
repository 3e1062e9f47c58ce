"""The parts of records that are written to one file after another."""

from .._named_tuple import NamedTuple
from .._typing import Final


class FileLimits(NamedTuple):
    """The file that records are written to, and the limits at which another file begins.

    *size* is that of the file in bytes, and *packets* the number of its packets. A packet begins another file if this
    one has packets and more than *max_size* bytes, or if its time is *until_ns* or later; None: no such limit.
    """

    size: int = 0
    packets: int = 0
    max_size: int | None = None
    until_ns: int | None = None

    def is_late(self, time_ns: int | None) -> bool:
        """Return whether a packet begins another file because of its time; None: it has no time stamp."""
        return self.until_ns is not None and time_ns is not None and time_ns >= self.until_ns

    def is_exceeded(self, size: int, packets: int) -> bool:
        """Return whether a packet begins another file because of *size* and *packets*, the present ones of the file."""
        return self.max_size is not None and packets > 0 and size > self.max_size


NO_LIMITS: Final = FileLimits()


class WrittenPart(NamedTuple):
    """Records that were written to a file.

    *end* is the index after them. *packets* and *bytes* count their packets, and the bytes captured of these. If
    *is_complete*, the record at *end* has a packet that begins another file, with the time *time_ns*, if it has one.
    """

    end: int
    packets: int
    bytes: int
    is_complete: bool = False
    time_ns: int | None = None
