"""The parts of a manifest: Parquet files of rows, sorted by the earliest time of each object.

A name begins with the number of the run that wrote the part. A part may replace others, which are ignored from then on:
their names are in the metadata of its schema. So a part that appears is all that a change needs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from .._named_tuple import NamedTuple
from .._stdlib import cache
from .._typing import Any, Final
from ..capture.times import TimeBounds
from ..errors import ArchiveError
from .attempts import attempt
from .libraries import load_pyarrow
from .listing import Object
from .rows import MINUTE, Minute, Row
from .stores import Store

VERSION: Final = 1
"""The version of the format of a manifest."""

_KEY: Final = b"cbpf"  # of the metadata of the schema
_GROUP_SIZE: Final = 1024  # rows; statistics of time let a reader skip a group
_WHOLE_SIZE: Final = 1 << 25  # bytes of a remote part up to which it is read at once
OBJECT_COLUMNS: Final = ("path", "size", "etag")
_LIMIT: Final = 1 << 63


@cache
def _schema() -> Any:
    pyarrow = load_pyarrow()
    time, milliseconds = pyarrow.timestamp("ns", "UTC"), pyarrow.timestamp("ms", "UTC")
    minute = pyarrow.struct(
        {
            "start": milliseconds,
            "packets": pyarrow.int64(),
            "captured_bytes": pyarrow.int64(),
            "wire_bytes": pyarrow.int64(),
        }
    )
    fields = {
        "path": pyarrow.string(),
        "size": pyarrow.int64(),
        "etag": pyarrow.string(),
        "first": time,
        "last": time,
        "packets": pyarrow.int64(),
        "captured_bytes": pyarrow.int64(),
        "wire_bytes": pyarrow.int64(),
        "untimed": pyarrow.int64(),
        "link_types": pyarrow.list_(pyarrow.string()),
        "is_sorted": pyarrow.bool_(),
        "status": pyarrow.string(),
        "message": pyarrow.string(),
        "minutes": pyarrow.list_(minute),
    }
    return pyarrow.schema(fields)


def table_of_rows(rows: Iterable[Row]) -> Any:
    """Return rows as an Arrow table, sorted by the earliest time; rows without a time are at the end."""
    ordered = sorted(rows, key=lambda row: (row.first_ns is None, row.first_ns or 0, row.path))
    columns = list(zip(*map(_values, ordered), strict=True)) if ordered else [()] * len(Row._fields)
    pyarrow, schema = load_pyarrow(), _schema()
    arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pyarrow.Table.from_arrays(arrays, schema=schema)


def _values(row: Row) -> tuple[Any, ...]:
    """Return the values of the columns for a row."""
    times = (None if time is None else max(-_LIMIT, min(time, _LIMIT - 1)) for time in (row.first_ns, row.last_ns))
    minutes = None
    if row.minutes is not None:
        minutes = [{**minute._asdict(), "start": minute.minute * (MINUTE // 10**6)} for minute in row.minutes]
        for minute in minutes:
            del minute["minute"]
    return (*row[:3], *times, *row[5:9], list(row.link_types), *row[10:13], minutes)


def rows_of_table(table: Any) -> Iterator[Row]:
    """Yield the rows of an Arrow table with all columns."""
    int64 = load_pyarrow().int64()
    columns = [
        (table[field.name].cast(int64) if field.name in ("first", "last") else table[field.name]).to_pylist()
        for field in _schema()
        if field.name != "minutes"
    ]
    for *values, minutes in zip(*columns, _minutes(table["minutes"]), strict=True):
        row = Row(*values)
        yield row._replace(link_types=tuple(row.link_types), minutes=minutes)


def _minutes(column: Any) -> Iterator[tuple[Minute, ...] | None]:
    """Yield the minutes of each row."""
    pyarrow = load_pyarrow()
    for chunk in column.chunks:
        fields = [field.cast(pyarrow.int64()).to_pylist() for field in chunk.values.flatten()]
        starts = (start // (MINUTE // 10**6) for start in fields[0])
        minutes = list(map(Minute, starts, *fields[1:]))
        offsets = chunk.offsets.to_pylist()
        for index, is_valid in enumerate(chunk.is_valid().to_pylist()):
            yield tuple(minutes[offsets[index] : offsets[index + 1]]) if is_valid else None


def write_part(store: Store, path: str, tables: Iterable[Any], replaces: Sequence[str] = ()) -> None:
    """Write a part, which appears completely or not at all.

    Args:
        store: The store of the manifest.
        path: The path or URL of the part.
        tables: The rows, sorted by the earliest time.
        replaces: The names of the parts whose rows it contains.
    """
    pyarrow, parquet = load_pyarrow(), load_pyarrow("pyarrow.parquet")
    schema = _schema().with_metadata({_KEY: json.dumps({"version": VERSION, "replaces": list(replaces)})})
    with (
        store.create(path) as stream,
        parquet.ParquetWriter(pyarrow.PythonFile(stream, "w"), schema, compression="zstd") as writer,
    ):
        for table in _groups(tables):
            writer.write_table(table.replace_schema_metadata(schema.metadata), row_group_size=_GROUP_SIZE)


def _groups(tables: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows of tables in tables that have the size of a group, the last one excepted."""
    pyarrow = load_pyarrow()
    collected: list[Any] = []
    for table in tables:
        collected.append(table)
        if sum(part.num_rows for part in collected) >= _GROUP_SIZE:
            whole = pyarrow.concat_tables(collected)
            count = whole.num_rows - whole.num_rows % _GROUP_SIZE
            yield whole.slice(0, count)
            collected = [whole.slice(count)]
    if any(part.num_rows for part in collected):
        yield pyarrow.concat_tables(collected)


class Part(NamedTuple):
    """A part whose footer has been read.

    Args:
        path: The path or URL.
        file: The `pyarrow.parquet.ParquetFile`.
        replaces: The names of the parts that it replaces.
    """

    path: str
    file: Any
    replaces: tuple[str, ...]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.file.metadata.num_rows)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def groups(self, bounds: TimeBounds | None) -> list[int]:
        """Return the numbers of the groups of rows in which an object may have a packet in the bounds."""
        metadata = self.file.metadata
        if bounds is None or not metadata.num_row_groups:
            return list(range(metadata.num_row_groups))
        first_group = metadata.row_group(0)
        paths = [first_group.column(index).path_in_schema for index in range(metadata.num_columns)]
        columns = [paths.index(name) for name in ("first", "last", "untimed")]
        return [
            index
            for index in range(metadata.num_row_groups)
            if _may_contain(metadata.row_group(index), columns, bounds)
        ]

    def read(self, groups: Sequence[int], columns: Sequence[str] | None = None) -> Any:
        """Return groups of rows as an Arrow table; None: all columns."""
        names = None if columns is None else list(columns)
        return attempt(self.path, lambda: self.file.read_row_groups(groups, columns=names, use_threads=False))

    def tables(self, bounds: TimeBounds | None, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """Yield the rows in which an object may have a packet in the bounds, in groups, as Arrow tables."""
        times = () if bounds is None else ("first", "last", "untimed")
        needed = None if columns is None else list(dict.fromkeys((*columns, *times)))
        for group in self.groups(bounds):
            table = self.read([group], needed)
            yield table if bounds is None else table.filter(_mask(table, bounds))


def _may_contain(group: Any, columns: Sequence[int], bounds: TimeBounds) -> bool:
    first, last, untimed = (group.column(column).statistics for column in columns)
    if untimed is None or first is None or last is None or (untimed.max and bounds.contain(0)):
        return True
    if not (first.has_min_max and last.has_min_max):  # no object of the group has a time
        return False
    is_after = bounds.since_ns is None or last.max_raw >= bounds.since_ns
    return is_after and (bounds.until_ns is None or first.min_raw < bounds.until_ns)


def _mask(table: Any, bounds: TimeBounds) -> Any:
    """Return a column that states which rows `Row.may_contain` keeps."""
    compute = load_pyarrow("pyarrow.compute")
    first, last = (table[name].cast("int64") for name in ("first", "last"))
    mask = compute.is_valid(first)
    if bounds.since_ns is not None:
        mask = compute.and_kleene(mask, compute.greater_equal(last, bounds.since_ns))
    if bounds.until_ns is not None:
        mask = compute.and_kleene(mask, compute.less(first, bounds.until_ns))
    return compute.or_(mask, compute.greater(table["untimed"], 0)) if bounds.contain(0) else mask


def objects_of_table(table: Any) -> Iterator[Object]:
    """Yield the objects of an Arrow table with the columns of `Object`."""
    return map(Object, *(table[name].to_pylist() for name in OBJECT_COLUMNS))


def open_part(store: Store, listed: Object) -> Part:
    """Return a part of a manifest; raise `ArchiveError` if it is none, or has another version."""
    source = _source(store, listed)
    try:
        file = load_pyarrow("pyarrow.parquet").ParquetFile(source, pre_buffer=True)
        metadata = json.loads((file.schema_arrow.metadata or {})[_KEY])
        version, replaces = metadata["version"], tuple(metadata["replaces"])
    except (KeyError, OSError, TypeError, ValueError) as error:
        raise ArchiveError(f"{listed.path}: is not a part of a manifest; remove it, and index again") from error
    require_version(listed.path, version)
    return Part(listed.path, file, replaces)


def _source(store: Store, listed: Object) -> Any:
    """Return the bytes of a part for pyarrow: a path, memory, or a file of the driver for a large remote part."""
    location = store.locate(listed.path)
    if location.is_local:
        return location.name
    if listed.size <= _WHOLE_SIZE:
        return load_pyarrow().BufferReader(store.read(listed.path))
    return attempt(listed.path, lambda: location.driver.open(location.name, "rb"))


def require_version(path: str, version: object) -> None:
    """Raise `ArchiveError` for a version of the format that this release does not read."""
    if version != VERSION:
        fact = f"is a manifest of version {version}, and this release of cbpf reads version {VERSION}"
        raise ArchiveError(f"{path}: {fact}; index the objects into another manifest")
