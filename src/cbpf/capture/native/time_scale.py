"""Times for machine code: the scale of an interface, and bounds of times, as 64-bit numbers."""

from ..._typing import TYPE_CHECKING, Final
from ..base import SECOND, Interface
from .abi import TimeScale

if TYPE_CHECKING:
    from ..times import TimeBounds

_MAX: Final = (1 << 63) - 1
_SIGN: Final = 1 << 63  # added to signed numbers, so that unsigned comparisons order them


def time_scale(interface: Interface) -> TimeScale:
    """Return the scale that computes `Interface.time_ns` in 64 bits."""
    divisor, multiplier, shift = 1, 1, 0
    if SECOND % interface.resolution == 0:
        multiplier = SECOND // interface.resolution
    elif interface.resolution % SECOND == 0:
        divisor = interface.resolution // SECOND
    else:
        multiplier, shift = SECOND, interface.resolution.bit_length() - 1  # a power of 2
    if divisor > _MAX or shift > 96:  # every time stamp is less than a nanosecond
        divisor, multiplier, shift = 1, 0, 0
    offset = interface.offset * SECOND
    if not -_SIGN <= offset <= _MAX:
        return TimeScale(divisor, multiplier, shift, 0, 0)
    limit = ((_MAX - offset + 1) * interface.resolution - 1) // SECOND + 1
    return TimeScale(divisor, multiplier, shift, min(limit, (1 << 64) - 1), offset)


def time_limits(bounds: "TimeBounds") -> tuple[int, int]:
    """Return the first and the last time within bounds, each plus 2**63; the last is less than the first if none is."""
    since = -_SIGN if bounds.since_ns is None else max(bounds.since_ns, -_SIGN)
    last = _MAX if bounds.until_ns is None else min(bounds.until_ns - 1, _MAX)
    return (since + _SIGN, last + _SIGN) if since <= last and since <= _MAX and last >= -_SIGN else (1, 0)
