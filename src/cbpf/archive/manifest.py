"""A manifest: the objects of an archive as a folder of Parquet parts, from which times select without a listing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from .._record import Record
from .._typing import Any, Final, Self
from ..capture.times import TimeBounds
from ..errors import ArchiveError
from .libraries import load_pyarrow
from .listing import MARKER, Object, has_pattern
from .locations import join
from .manifest_parts import (
    VERSION,
    Part,
    objects_of_table,
    open_part,
    require_version,
    rows_of_table,
    table_of_rows,
    write_part,
)
from .rows import Row
from .stores import Store

_SUFFIX: Final = ".parquet"


def is_manifest(store: Store, source: str) -> bool:
    """Return whether a source is a manifest; errors have the name of the source, and not that of the marker."""
    if source.startswith("@") or has_pattern(source):
        return False
    path = store.locate(source).path
    try:
        return store.exists(join(source, MARKER))
    except ArchiveError as error:
        fact = str(error).removeprefix(f"{store.locate(join(source, MARKER)).path}: ")
        raise ArchiveError(f"{path}: {fact}") from None


class Manifest(Record):
    """A manifest in a store; its parts are read when they are needed.

    Args:
        store: The store.
        url: The path or URL of the folder.
    """

    store: Store
    url: str

    @classmethod
    def open(cls, store: Store, url: str) -> Self:
        """Return a manifest.

        Args:
            store: The store.
            url: The path or URL of the folder.

        Returns:
            The manifest.

        Raises:
            ArchiveError: The folder is not a manifest, or one of another version.
        """
        path = join(url, MARKER)
        if not store.exists(path):
            raise ArchiveError(f"{url}: is not a manifest: it does not contain {MARKER}; cbpf archive index makes one")
        try:
            version = json.loads(store.read(path))["version"]
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError):
            raise ArchiveError(f"{path}: is not the description of a manifest") from None
        require_version(url, version)
        return cls(store, url)

    @classmethod
    def open_or_create(cls, store: Store, url: str) -> Self:
        """Return a manifest, which is made if the folder is none."""
        if not store.exists(join(url, MARKER)):
            store.write(join(url, MARKER), json.dumps({"format": "cbpf manifest", "version": VERSION}).encode())
        return cls.open(store, url)

    def part_path(self, run: int, name: str) -> str:
        """Return the path of a part that a run writes."""
        return join(self.url, f"{run:08d}-{name}{_SUFFIX}")

    def part_paths(self) -> list[str]:
        """Return the paths of all parts in the order of their runs, also of those that another one replaces."""
        return [listed.path for listed in self._listed()]

    def last_run(self) -> int:
        """Return the number of the last run that wrote a part; 0 if there is none."""
        runs = [path.rpartition("/")[2].partition("-")[0] for path in self.part_paths()]
        return max((int(run) for run in runs if run.isdecimal()), default=0)

    def _listed(self) -> list[Object]:
        objects = self.store.objects_in(self.url)
        return sorted(listed for listed in objects if listed.path.endswith(_SUFFIX))

    def parts(self) -> list[Part]:
        """Return the current parts in the order of their runs; a part that another one replaces is left out."""
        try:
            return self._parts()
        except ArchiveError:  # a compaction has removed a part since it was listed
            return self._parts()

    def _parts(self) -> list[Part]:
        parts = [open_part(self.store, listed) for listed in self._listed()]
        replaced = {name for part in parts for name in part.replaces}
        return [part for part in parts if part.name not in replaced]

    def objects(self, bounds: TimeBounds | None = None) -> Iterator[Object]:
        """Yield the objects in which a packet may be in the bounds, in the order of their earliest times.

        Args:
            bounds: The bounds of time; None: all objects.

        Yields:
            The objects.
        """
        for table in self._tables(bounds, ("path", "size", "etag", "first")):
            yield from objects_of_table(table)

    def rows(self, bounds: TimeBounds | None = None) -> Iterator[Row]:
        """Yield the rows in which a packet may be in the bounds, in the order of their earliest times.

        Args:
            bounds: The bounds of time; None: all rows.

        Yields:
            The rows.
        """
        for table in self._tables(bounds, None):
            yield from rows_of_table(table)

    def _tables(self, bounds: TimeBounds | None, columns: Sequence[str] | None) -> Iterator[Any]:
        """Yield rows as Arrow tables, in the order of time; of one part, group by group."""
        parts = self.parts()
        if len(parts) == 1:
            yield from parts[0].tables(bounds, columns)
            return
        tables = [table for part in parts for table in part.tables(bounds, columns)]
        if tables:
            yield in_order(latest_rows(load_pyarrow().concat_tables(tables)))

    def count(self) -> int:
        """Return the number of rows."""
        return sum(part.rows for part in self.parts())

    def write(self, run: int, name: str, rows: Sequence[Row]) -> None:
        """Write a part with these rows."""
        write_part(self.store, self.part_path(run, name), [table_of_rows(rows)])


def latest_rows(table: Any) -> Any:
    """Return the last row of each path, of an Arrow table with the rows of runs one after another."""
    pyarrow = load_pyarrow()
    numbered = table.select(["path"]).append_column("number", pyarrow.array(range(table.num_rows), pyarrow.int64()))
    numbers = numbered.group_by("path").aggregate([("number", "max")])["number_max"]
    return table if len(numbers) == table.num_rows else table.take(numbers)


def in_order(table: Any) -> Any:
    """Return an Arrow table sorted by the earliest time; rows without a time are at the end."""
    compute = load_pyarrow("pyarrow.compute")
    keys = [("first", "ascending"), ("path", "ascending")]
    return table.take(compute.sort_indices(table, sort_keys=keys))
