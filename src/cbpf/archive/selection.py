"""The objects that an operation reads: all that a source names, or those that a manifest selects by time."""

from __future__ import annotations

from collections.abc import Iterator

from ..capture.times import TimeBounds, TimeLimit, time_range
from ..errors import ArchiveError, FieldError
from .listing import Object
from .manifest import Manifest, is_manifest
from .stores import Store


def period(function: str, since: TimeLimit | None, until: TimeLimit | None) -> TimeBounds | None:
    """Return the times that a user states for an operation, or None if both are None.

    Args:
        function: The name of the operation, for errors.
        since: The first time: an aware `datetime`, seconds since 1970, or text in ISO 8601 format with an offset.
        until: The time after the last one, in the same forms.

    Returns:
        The bounds in nanoseconds since 1970.

    Raises:
        FieldError: A time is not valid, or relative to the first packet of a capture; or no time is between them.
    """
    times = time_range(function, since, until)
    if times is None:
        return None
    for name, time in zip(("since", "until"), times, strict=True):
        if time is not None and time.relative:
            fact = "is relative to the first packet of each object"
            raise FieldError(
                f"{function}.{name}: {fact}; archives need a time with a date, such as 2026-11-27T08:00:00Z"
            )
    return TimeBounds(*(None if time is None else time.nanoseconds for time in times))


class Selection:
    """The objects that an operation reads, to be iterated over once.

    Args:
        store: The store of the source.
        source: A source, as for `Store.list`, or a manifest.
        bounds: The times to which the operation is restricted; a manifest leaves out objects without such packets.
    """

    def __init__(self, store: Store, source: str, bounds: TimeBounds | None = None) -> None:
        self._store = store
        self._source = source
        self._bounds = bounds
        self.manifest = Manifest.open(store, source) if is_manifest(store, source) else None
        """The manifest, if the source is one."""
        self.objects = 0
        """The number of objects that the source names; it is complete after the iteration."""
        self.pruned = 0
        """The number of objects that the manifest leaves out; it is complete after the iteration."""

    def __iter__(self) -> Iterator[Object]:
        if self.manifest is None:
            for listed in self._store.list(self._source):
                self.objects += 1
                yield listed
            return
        total = self.objects = self.manifest.count()
        if not total:
            raise ArchiveError(f"{self._source}: the manifest is empty; index the objects again")
        self.pruned = total
        for listed in self.manifest.objects(self._bounds):
            self.pruned -= 1
            yield listed


def objects_without(target: str, objects: Selection, store: Store, source: str) -> Iterator[Object]:
    """Yield the objects of a source; raise `ArchiveError` if an object to write is one of them, or would be later.

    Args:
        target: The path or URL of the object to write.
        objects: The objects.
        store: The store of the source and the target.
        source: The source of the objects.

    Yields:
        The objects.

    Raises:
        ArchiveError: The source names the target, whether it exists or not.
    """
    path = store.locate(target).path
    is_named = objects.manifest is None and any(scope.contains(path) for scope in store.scopes(source))
    for listed in objects:
        if is_named or listed.path == path:
            raise ArchiveError(f"{path}: the source names this object as well; write to another place")
        yield listed
