"""Batches of objects, as many bytes at a time as one task of a worker reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from .._typing import Final, Generic, Self, TypeVar
from .listing import Object

DEFAULT_SIZE: Final = 256_000_000
"""The number of bytes of a batch, as they are stored."""

_MAX_COUNT: Final = 1000  # objects of a batch, whatever their size
_MIN_SIZE: Final = 1 << 16  # bytes that an object counts as, for its requests and its outputs


def batches(objects: Iterable[Object], size: int) -> Iterator[tuple[Object, ...]]:
    """Yield consecutive objects that have a number of bytes together.

    Args:
        objects: The objects, which are requested one at a time.
        size: The maximum number of bytes of a batch; a larger object is a batch of its own.

    Yields:
        One object or more.
    """
    batch: list[Object] = []
    total = 0
    for item in objects:
        item_size = max(item.size, _MIN_SIZE)
        if batch and (total + item_size > size or len(batch) == _MAX_COUNT):
            yield tuple(batch)
            batch, total = [], 0
        batch.append(item)
        total += item_size
    if batch:
        yield tuple(batch)


_Work = TypeVar("_Work")


class Works(Generic[_Work]):
    """The works of a run, one for each batch: those that must be repeated with more programs before new ones.

    An iterator that has ended may have another work after the next result.

    Args:
        objects: The batches.
        make: Returns the work for a batch, when a worker is free.
    """

    def __init__(self, objects: Iterator[tuple[Object, ...]], make: Callable[[tuple[Object, ...]], _Work]) -> None:
        self._objects = objects
        self._make = make
        self._repeated: deque[tuple[Object, ...]] = deque()

    def repeat(self, objects: tuple[Object, ...]) -> None:
        """Add a batch."""
        self._repeated.append(objects)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _Work:
        return self._make(self._repeated.popleft() if self._repeated else next(self._objects))
