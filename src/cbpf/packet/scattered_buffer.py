"""Several buffers at different addresses as one buffer with gaps, which nothing reads."""

from bisect import bisect_right
from collections.abc import Iterable

from .._record import Immutable
from .buffers import memory_at


class ScatteredBuffer(Immutable):
    """Parts of memory as one buffer: an index counts from the first byte of the part with the lowest address.

    Slices are views of the part that contains them, so Python never touches the gaps. `memory` spans the parts and the
    gaps, which may not be mapped: it is for machine code, which reads checked ranges only, and must not be passed on.

    Args:
        parts: The first address of each part and the address after its last byte, in order and with gaps between them.
        owner: The object that keeps the memory valid as long as it lives; each slice holds it.
    """

    __slots__ = ("_starts", "_views", "memory")
    _starts: list[int]
    _views: list[memoryview]
    memory: memoryview

    def __init__(self, parts: list[tuple[int, int]], owner: object) -> None:
        origin, end = parts[0][0], parts[-1][1]
        self._set_once(
            _starts=[start - origin for start, _ in parts],
            _views=[memoryview(memory_at(start, end - start, owner)) for start, end in parts],
            memory=memoryview(memory_at(origin, end - origin, owner)),
        )

    def __len__(self) -> int:
        """Return the number of bytes of all parts."""
        return sum(map(len, self._views))

    def __getitem__(self, range: slice) -> memoryview:
        """Return a range of one part; the caller has checked that a part contains it."""
        index = bisect_right(self._starts, range.start) - 1
        start = self._starts[index]
        return self._views[index][range.start - start : range.stop - start]


def merged(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the same memory as disjoint parts, in the order of addresses; parts that touch become one."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(parts):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(end, result[-1][1])
        else:
            result.append((start, end))
    return result
