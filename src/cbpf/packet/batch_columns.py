"""The columns of a batch of packets: integers of fixed size in memory that cannot change."""

from array import array
from collections.abc import Iterable, Mapping
from contextlib import suppress
from operator import add

from .._typing import Any, Final
from ..errors import PacketError

TYPECODES: Final = {"positions": "Q", "lengths": "I", "wire_lengths": "I", "times_ns": "q", "interfaces": "I"}
"""The types of the columns, by the names of the parameters of `Packets`, as those of `array`."""
_OPTIONAL: Final = ("wire_lengths", "times_ns", "interfaces")


def columns(values: Mapping[str, Iterable[int] | None]) -> dict[str, Any]:
    """Return integers as columns, by their names in TYPECODES; None for optional ones that are not known.

    Raises `PacketError` if a number does not fit its column, or if two columns have different lengths.
    """
    result: dict[str, Any] = dict.fromkeys(TYPECODES)
    for name, numbers in values.items():
        if numbers is not None or name not in _OPTIONAL:
            result[name] = _column(TYPECODES[name], name, numbers)
    count = len(result["positions"])
    for name, column in result.items():
        if column is not None and len(column) != count:
            raise PacketError(f"Packets.{name}: has {len(column)} entries, but there are {count} positions")
    return result


def check_ranges(positions: memoryview, lengths: memoryview, size: int) -> None:
    """Raise `PacketError` for the first range that exceeds a buffer of *size* bytes."""
    if max(map(add, positions, lengths), default=0) <= size:
        return
    for index, (position, length) in enumerate(zip(positions, lengths, strict=True)):
        if position + length > size:
            fact = f"packet {index} is bytes {position} to {position + length}"
            raise PacketError(f"Packets: {fact}; the buffer has {size} bytes")


def _column(typecode: Any, name: str, numbers: Any) -> memoryview:
    """Copy integers into a column that cannot change, so that the check of the ranges remains valid.

    Its memory is that of a `bytes` object: an array would be returned by `memoryview.obj`, and can be written.
    """
    with suppress(TypeError):
        numbers = memoryview(numbers)  # faster; array() takes `bytes` as raw items otherwise
    try:
        if isinstance(numbers, memoryview) and (numbers.format, numbers.ndim) == (typecode, 1) and len(numbers):
            return memoryview(numbers.tobytes()).cast(typecode)
        data = array(typecode, numbers)
    except (OverflowError, TypeError, ValueError, NotImplementedError, MemoryError) as error:
        raise PacketError(f"Packets.{name}: {error or 'too many numbers'}") from None
    return memoryview(data.tobytes()).cast(typecode) if data else memoryview(data).toreadonly()
