"""Times of packets, and durations, as text."""

import time

from .._typing import Final
from .base import SECOND

_CYCLE_YEARS: Final = 400  # the period of the Gregorian calendar
_CYCLE: Final = 146_097 * 86_400  # seconds
_DURATIONS: Final = (
    (86_400 * SECOND, "d"),
    (3_600 * SECOND, "h"),
    (60 * SECOND, "min"),
    (SECOND, "s"),
    (1_000_000, "ms"),
    (1_000, "us"),
    (1, "ns"),
)
"""Units in nanoseconds, the largest first."""


def duration_text(duration_ns: int) -> str:
    """Return a duration as a number of each unit that it has.

    >>> duration_text(5_400 * SECOND), duration_text(315_000_000)
    ('1 h 30 min', '315 ms')
    """
    parts = []
    for size, unit in _DURATIONS:
        count, duration_ns = divmod(duration_ns, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts)


def iso_time(time_ns: int) -> str:
    """Return a time, given in nanoseconds since 1970, in ISO 8601 format (UTC).

    Years outside 0 to 9999 have a sign.

    >>> iso_time(1_700_000_000_123_456_789), iso_time(2**63 * SECOND)
    ('2023-11-14T22:13:20.123456789Z', '+292277026596-12-04T15:30:08.000000000Z')
    """
    seconds, nanoseconds = divmod(time_ns, SECOND)
    cycles, seconds = divmod(seconds, _CYCLE)
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    year += cycles * _CYCLE_YEARS
    year_text = f"{year:04}" if 0 <= year <= 9999 else f"{year:+05}"
    return f"{year_text}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nanoseconds:09}Z"
