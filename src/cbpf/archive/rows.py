"""The rows of a manifest: the facts about one object."""

from __future__ import annotations

from .._named_tuple import NamedTuple
from .._typing import Final, Literal
from ..capture.times import TimeBounds
from .listing import Object

MINUTE: Final = 60_000_000_000
"""Nanoseconds."""


class Minute(NamedTuple):
    """The packets of one minute.

    Args:
        minute: The minutes since 1970 (UTC) at its start.
        packets: The number of packets.
        captured_bytes: The bytes captured of the packets.
        wire_bytes: The lengths of the packets on the wire, in bytes.
    """

    minute: int
    packets: int
    captured_bytes: int
    wire_bytes: int


class Row(NamedTuple):
    """The facts about one object of an archive.

    Args:
        path: The path or URL.
        size: The size in bytes, as stored.
        etag: The version of the content that was indexed.
        first_ns: The earliest time stamp, in nanoseconds since 1970 (UTC), or None if no packet has one.
        last_ns: The latest time stamp, or None if no packet has one.
        packets: The number of complete packets.
        captured_bytes: The bytes captured of all packets.
        wire_bytes: The lengths of all packets on the wire, in bytes.
        untimed: The number of packets without a time stamp.
        link_types: The names of the link types of its interfaces, each once.
        is_sorted: Whether each time stamp is at least the preceding one.
        status: "ok", "damaged" (truncated or corrupt after the packets that are counted) or "foreign" (no capture).
        message: The error in one line, without the path; "" for "ok".
        minutes: The packets of each minute in the order of time; None if there are more than 10,080 minutes.
    """

    path: str
    size: int
    etag: str
    first_ns: int | None = None
    last_ns: int | None = None
    packets: int = 0
    captured_bytes: int = 0
    wire_bytes: int = 0
    untimed: int = 0
    link_types: tuple[str, ...] = ()
    is_sorted: bool = True
    status: Literal["ok", "damaged", "foreign"] = "ok"
    message: str = ""
    minutes: tuple[Minute, ...] | None = ()

    @property
    def object(self) -> Object:
        """The object."""
        return Object(self.path, self.size, self.etag)

    def may_contain(self, bounds: TimeBounds | None) -> bool:
        """Return whether a packet may be in the bounds; one without a time stamp has the time 0."""
        if bounds is None or (self.untimed and bounds.contain(0)):
            return True
        if self.first_ns is None or self.last_ns is None:
            return False
        is_after = bounds.since_ns is None or self.last_ns >= bounds.since_ns
        return is_after and (bounds.until_ns is None or self.first_ns < bounds.until_ns)
