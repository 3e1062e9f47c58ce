"""Times that users state: absolute, or relative to the first packet of a capture; and bounds of times."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal, InvalidOperation

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from .._validators import within
from ..errors import FieldError, SelectionWarning, warn
from .base import SECOND
from .time_text import iso_time

TimeLimit: TypeAlias = datetime | timedelta | int | float | Decimal | str
"""A time: absolute (`datetime`, seconds since 1970, text), or relative to the first packet (`timedelta`, "+5m")."""


class PointInTime(NamedTuple):
    """A time in nanoseconds since 1970 (UTC), or since the first packet of a capture if it is *relative*."""

    nanoseconds: int
    relative: bool = False

    def resolve(self, first_ns: int | None) -> int:
        """Return the time since 1970 for a capture whose first packet has the time *first_ns*, or None if it is empty.

        Without packets every time will do.
        """
        return self.nanoseconds + (first_ns or 0) if self.relative else self.nanoseconds


class TimeBounds(NamedTuple):
    """Times in nanoseconds since 1970, from *since_ns* on and before *until_ns*; None: no bound."""

    since_ns: int | None
    until_ns: int | None

    def contain(self, time_ns: int) -> bool:
        """Return whether a time is within the bounds."""
        if self.since_ns is not None and time_ns < self.since_ns:
            return False
        return self.until_ns is None or time_ns < self.until_ns


class TimeRange(NamedTuple):
    """The times from *since* on and before *until*, as a user states them; None: no bound."""

    since: PointInTime | None
    until: PointInTime | None

    def bounds(self, name: str, read_first: Callable[[], int | None]) -> TimeBounds:
        """Return the bounds for a capture; warn if no time is within them.

        *name* is that of the capture. *read_first* returns the time of its first packet; it is called only if a time is
        relative to this packet.
        """
        is_relative = any(time is not None and time.relative for time in self)
        first_ns = read_first() if is_relative else None
        bounds = TimeBounds(*(None if time is None else time.resolve(first_ns) for time in self))
        if first_ns is not None and bounds.since_ns is not None and bounds.until_ns is not None:
            _warn_if_empty(name, bounds.since_ns, bounds.until_ns)
        return bounds


def _warn_if_empty(name: str, since_ns: int, until_ns: int) -> None:
    if until_ns <= since_ns:
        fact = f"until, {iso_time(until_ns)}, is not later than since, {iso_time(since_ns)}"
        warn(f"{name}: no packet is selected: {fact}", SelectionWarning)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?")
_RELATIVE: Final = re.compile(r"\+((\d+(\.\d*)?)(ns|us|ms|s|min|m|h|d)?)+")
_PART: Final = re.compile(r"(\d+(?:\.\d*)?)(ns|us|ms|s|min|m|h|d)?")
_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "": SECOND,
    "m": 60 * SECOND,
    "min": 60 * SECOND,
    "h": 3_600 * SECOND,
    "d": 86_400 * SECOND,
}
_BEYOND_MICROSECONDS: Final = re.compile(r"[.,]\d{6}(\d{1,3})")
_check_duration: Final = within(1, 2**63 - 1, "a duration in nanoseconds")
_PRECISION: Final = Context(prec=60, rounding=ROUND_FLOOR)
_EXAMPLES: Final = "examples: 2026-11-27T08:00:00Z, 1795766400.5, +5m"


def duration_ns(name: str, value: timedelta | int | float | Decimal | str) -> int:
    """Return a duration that a user states, in nanoseconds.

    Args:
        name: The name of the argument, for errors.
        value: A `timedelta`, a number of seconds, or text such as "5m" and "1h30m", in the units of `point_in_time`.

    Returns:
        The duration, 1 to 2**63 - 1.

    Raises:
        FieldError: The value is none of these, or out of range.

    >>> duration_ns("every", "1m30s")
    90000000000
    """
    examples = "examples: 100ms, 90, 5m, 1h30m"
    if isinstance(value, str) and not _RELATIVE.fullmatch(f"+{value.strip()}"):
        raise FieldError(f"{name}: {value!r} is not a duration; {examples}")
    if not isinstance(value, timedelta | int | float | Decimal | str):
        raise FieldError(f"{name}: expected a duration, got {type(value).__name__}; {examples}")
    duration = point_in_time(name, f"+{value.strip()}" if isinstance(value, str) else value).nanoseconds
    _check_duration(name, duration)
    return duration


def time_range(function: str, since: TimeLimit | None, until: TimeLimit | None) -> TimeRange | None:
    """Return the times that a user states for a *function*, or None if both are None.

    Raises `FieldError` for one that is not valid, and if no time of any capture is between them.
    """
    if since is None and until is None:
        return None
    limits = (("since", since), ("until", until))
    start, end = (None if time is None else point_in_time(f"{function}.{name}", time) for name, time in limits)
    if start is not None and end is not None and start.relative == end.relative and end <= start:
        fact = f"{_shown(until)} is not later than since, {_shown(since)}"
        raise FieldError(f"{function}.until: {fact}, so no packet would be selected")
    return TimeRange(start, end)


def _shown(time: object) -> str:
    """Return a time in the form of the user, for errors."""
    return repr(time) if isinstance(time, str) else str(time)


def point_in_time(name: str, value: TimeLimit) -> PointInTime:
    """Return the time that a user states.

    Args:
        name: The name of the argument, for errors.
        value: An aware `datetime`, or seconds since 1970, as a number or a text of digits; ISO 8601 text with an
            offset from UTC, to nanoseconds; a `timedelta`, or text such as "+5m" and "+1h30m" (units ns, us, ms, s, m,
            h and d; seconds without a unit), relative to the first packet.

    Returns:
        The time, rounded down to nanoseconds.

    Raises:
        FieldError: The value is none of these, or a time without an offset from UTC.

    >>> point_in_time("since", "2023-11-14T22:13:20.123456789Z")
    PointInTime(nanoseconds=1700000000123456789, relative=False)
    >>> point_in_time("until", "+1h30m")
    PointInTime(nanoseconds=5400000000000, relative=True)
    """
    if isinstance(value, str):
        return _parse(name, value)
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise FieldError(f"{name}: {value!r} has no offset from UTC; give it a tzinfo, such as datetime.UTC")
        return PointInTime(_of_timedelta(value - _EPOCH))
    if isinstance(value, timedelta):
        return PointInTime(_of_timedelta(value), relative=True)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return PointInTime(_of_seconds(name, Decimal(repr(value) if isinstance(value, float) else value), repr(value)))
    raise FieldError(f"{name}: expected a time, got {type(value).__name__}; {_EXAMPLES}")


def _parse(name: str, text: str) -> PointInTime:
    stripped = text.strip()
    if _RELATIVE.fullmatch(stripped):
        parts = _PART.findall(stripped[1:])
        exact = sum(_of_seconds(name, Decimal(number) * _UNITS[unit] / SECOND, repr(text)) for number, unit in parts)
        return PointInTime(exact, relative=True)
    if _NUMBER.fullmatch(stripped):
        return PointInTime(_of_seconds(name, Decimal(stripped), repr(text)))
    try:
        time = datetime.fromisoformat(stripped)
    except ValueError:
        raise FieldError(f"{name}: {text!r} is not a time; {_EXAMPLES}") from None
    if time.utcoffset() is None:
        raise FieldError(f"{name}: {text!r} has no offset from UTC; write {time.isoformat()}Z, or another offset")
    digits = _BEYOND_MICROSECONDS.search(stripped)
    return PointInTime(_of_timedelta(time - _EPOCH) + (int(digits[1].ljust(3, "0")) if digits else 0))


def _of_timedelta(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1000


def _of_seconds(name: str, seconds: Decimal, shown: str) -> int:
    try:
        return int(seconds.quantize(Decimal("1e-9"), context=_PRECISION).scaleb(9, _PRECISION))
    except (InvalidOperation, ValueError, OverflowError):
        raise FieldError(f"{name}: {shown} is not a number of seconds; {_EXAMPLES}") from None
