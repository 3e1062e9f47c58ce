"""The compaction of a manifest: one part in place of many, without the rows that are out of date."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence

from .._typing import Any, Final
from ..errors import ArchiveError
from .digests import digest
from .known_objects import digest_of
from .libraries import load_pyarrow
from .manifest import Manifest, in_order
from .manifest_parts import Part, write_part

_LAST: Final = (1 << 63) - 1  # the time of objects without one, for their order


def compact(manifest: Manifest, run: int, is_current: Callable[[str], bool] | None = None) -> int:
    """Write one part in place of all parts of a manifest, and remove these.

    The new part names those that it replaces, so the manifest is complete at each moment, also after an interruption.
    If another run compacts the manifest at the same time, nothing is lost. Memory use grows by some 25 bytes for each
    row, and by a group of rows for each part whose times overlap with those of others.

    Args:
        manifest: The manifest.
        run: The number of this run.
        is_current: Returns whether the object with a path still exists; its row is left out if not. None: all exist.

    Returns:
        The number of rows that were left out because *is_current* was false.
    """
    parts = manifest.parts()
    if not parts:
        return 0
    latest = _latest(parts)
    retained = latest if is_current is None else _current(parts, latest, is_current)
    names = [path.rpartition("/")[2] for path in manifest.part_paths()]  # also those that a part replaces
    name = digest("\n".join(names), 8).hex()
    write_part(manifest.store, manifest.part_path(run, f"compact-{name}"), _merged(parts, retained), names)
    remove_replaced(manifest)
    return sum(latest) - sum(retained)


def _latest(parts: Sequence[Part]) -> bytearray:
    """Return 1 for each row that is the last one of its path, and 0 for the others, in the order of the parts."""
    digests = array("Q")
    for paths in _paths(parts):
        digests.extend(map(digest_of, paths))
    retained, last, number = bytearray(b"\1" * len(digests)), dict[str, int](), 0
    repeated = _repeated(digests)
    if repeated:
        for paths in _paths(parts):
            for path in paths:
                if number in repeated:  # by the path itself, since different paths may have the same digest
                    if path in last:
                        retained[last[path]] = 0
                    last[path] = number
                number += 1
    return retained


def _paths(parts: Iterable[Part]) -> Iterator[list[str]]:
    """Yield the paths of each group of rows."""
    for part in parts:
        for table in part.tables(None, ("path",)):
            yield table["path"].to_pylist()


def _repeated(digests: array[int]) -> set[int]:
    """Return the positions of numbers that occur more than once."""
    pyarrow, compute = load_pyarrow(), load_pyarrow("pyarrow.compute")
    column = pyarrow.Array.from_buffers(pyarrow.uint64(), len(digests), [None, pyarrow.py_buffer(digests)])
    order = compute.sort_indices(column)
    ordered = column.take(order)
    is_same = compute.equal(ordered.slice(1), ordered.slice(0, max(len(ordered) - 1, 0)))
    pairs = compute.indices_nonzero(is_same).to_pylist()
    return {order[index + offset].as_py() for index in pairs for offset in (0, 1)}


def _current(parts: Iterable[Part], latest: bytearray, is_current: Callable[[str], bool]) -> bytearray:
    """Return 1 for each row of *latest* whose object still exists."""
    exists = (is_current(path) for paths in _paths(parts) for path in paths)
    return bytearray(is_latest and is_existing for is_latest, is_existing in zip(latest, exists, strict=True))


class _Rows:
    """The rows of a part that are retained, in the order of time, a group at a time."""

    def __init__(self, part: Part, retained: bytearray) -> None:
        self._tables = self._retained_tables(part, retained)
        self.begin = _time(part.read([0], ("first",)).slice(0, 1)) if part.rows else _LAST
        self.table: Any = None
        """The present rows, which are not empty; None if there are no more."""

    def _retained_tables(self, part: Part, retained: bytearray) -> Iterator[Any]:
        pyarrow, start = load_pyarrow(), 0
        for table in part.tables(None):
            mask = pyarrow.array(map(bool, retained[start : start + table.num_rows]), pyarrow.bool_())
            start += table.num_rows
            yield table.filter(mask)

    def advance(self) -> None:
        """Read the next rows, if the present ones have been taken."""
        while self.table is None or not self.table.num_rows:
            self.table = next(self._tables, None)
            if self.table is None:
                return

    def take(self, limit: int) -> Any:
        """Return the present rows up to a time, which are then gone."""
        compute = load_pyarrow("pyarrow.compute")
        count = compute.sum(compute.less_equal(_times(self.table), limit)).as_py()
        taken, self.table = self.table.slice(0, count), self.table.slice(count)
        return taken

    @property
    def end(self) -> int:
        """The time of the last of the present rows."""
        return _time(self.table.slice(self.table.num_rows - 1))


def _times(table: Any) -> Any:
    """Return the times by which rows are sorted."""
    return table["first"].cast("int64").fill_null(_LAST)


def _time(table: Any) -> int:
    return int(_times(table)[0].as_py())


def _merged(parts: Iterable[Part], retained: bytearray) -> Iterator[Any]:
    """Yield the rows of parts that are retained, in the order of time."""
    pyarrow, start, waiting = load_pyarrow(), 0, []
    for part in parts:
        waiting.append(_Rows(part, retained[start : start + part.rows]))
        start += part.rows
    waiting.sort(key=lambda rows: rows.begin, reverse=True)
    active: list[_Rows] = []
    while waiting or active:
        if not active:
            active = _begun([waiting.pop()])
            continue
        limit = min(rows.end for rows in active)
        while waiting and waiting[-1].begin <= limit:
            begun = _begun([waiting.pop()])
            active += begun
            limit = min([limit, *(rows.end for rows in begun)])
        yield in_order(pyarrow.concat_tables([rows.take(limit) for rows in active]))
        active = _begun(active)


def _begun(sources: list[_Rows]) -> list[_Rows]:
    """Return those sources that have rows, after they were read."""
    for rows in sources:
        rows.advance()
    return [rows for rows in sources if rows.table is not None]


def remove_replaced(manifest: Manifest) -> None:
    """Remove the parts that another one replaces; one that cannot be removed is ignored by all readers."""
    replaced = {name for part in manifest.parts() for name in part.replaces}
    for path in manifest.store.names(manifest.url):
        if path.rpartition("/")[2] in replaced:
            try:
                manifest.store.remove(path)
            except ArchiveError:
                return
