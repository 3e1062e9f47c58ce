"""`scan_capture`: packets as a lazy data frame of polars, read when it is collected."""

from contextlib import closing
from decimal import Decimal

from .._typing import TYPE_CHECKING, Any, Callable, Final, Iterable, Iterator, Mapping
from ..capture.sampling import checked_sample
from ..capture.times import TimeLimit, point_in_time, time_range
from ..filtering.arguments import with_checks
from ..filtering.bound_filter import Filter, check_filter
from ..tables.conditions import ConditionPrograms
from ..tables.fields import FIELD_NAMES, field_type
from ..tables.reading import DEFAULT_BATCH_SIZE, TableOptions, open_table
from ..tables.schema import FIXED_COLUMNS, Column, checked_definitions
from ..vm import VM
from .library import load_polars
from .predicates import NOTHING, Pushdown, pushdown
from .sources import ScanSource, ScanSources

if TYPE_CHECKING:
    import polars

    from .._options import EngineName

_CALLER: Final = "scan_capture"


@with_checks("engine")
def scan_capture(
    source: "ScanSource | Iterable[ScanSource]",
    *,
    filter: "Filter | None" = None,
    define: "Mapping[str, Filter | Column] | None" = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    engine: "EngineName" = "auto",
    storage_options: Mapping[str, Any] | None = None,
) -> "polars.LazyFrame":
    """Return the packets of captures as a lazy data frame of polars.

    Nothing is read before the frame is collected. Then only the columns that the query needs are computed, a limit of
    rows ends the scan, and these conditions of filters select packets before they become rows: comparisons (also
    `is_between`) of `time`, `length`, `link_type` and columns of headers with constants that are joined by `&`. polars
    applies all other conditions to the rows.

    The columns are number, time, interface, link_type, captured, length and data, as those of
    `cbpf.arrow.read_batches`; all columns of headers, such as "src_ip" and "dst_port", which are null for packets
    without the header; and those of *define*. The bytes of packets in files of 16 MB or more are not copied, and the
    file remains mapped as long as a frame has them.

    Args:
        source: A path, a pattern of paths ("*", "?", "[...]", and "**" for any number of folders), a URL of fsspec for
            objects of a store (extra `archive`), or several of these, which are read one after another. The column
            interface counts over all files, and within each object of a store.
        filter: Only packets that this filter accepts, as for `cbpf.filter_capture`; None: all packets.
        define: Further columns: a name, and an expression, whose column is Boolean; a program, whose column has its
            verdicts, unsigned numbers of 32 bits; or a `cbpf.arrow.Column`, which can have nulls.
        since: Only packets with this time or a later one, in the forms of `cbpf.read_capture`.
        until: Only packets with an earlier time, in the same forms.
        sample: Only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers.
        seed: Another choice of packets, 0 to 2**64 - 1.
        engine: The execution engine of the filter and the columns, as for `cbpf.arrow.read_batches`.
        storage_options: The options of the driver of a URL, by name.

    Returns:
        A `polars.LazyFrame`. When it is collected, the errors of `cbpf.arrow.read_batches` are raised, except that a
        column that no packet can have is null, and `ArchiveError` if a URL names no object.

    Raises:
        FieldError: An argument is out of range, or a source is not a path: a scan may read it several times.
        MissingLibrary: polars is not installed (extra `polars`).

    >>> import cbpf.polars, polars as pl
    >>> packets = cbpf.polars.scan_capture("examples/traffic.pcap")
    >>> packets.filter(pl.col("dst_port") == 443).select(pl.len(), pl.col("length").sum()).collect().row(0)
    (56, 7047)
    """
    pl = load_polars()
    from polars.io.plugins import register_io_source

    defined = checked_definitions(f"{_CALLER}.define", define)
    chosen = None if filter is None else check_filter(f"{_CALLER}.filter", filter)
    names = (*FIXED_COLUMNS, *FIELD_NAMES, *defined)
    options = TableOptions(chosen, names, defined, since, until, sample, seed, engine, fills_absent=True)
    time_range(_CALLER, since, until)
    checked_sample(_CALLER, sample, seed)
    scan = _Scan(ScanSources(source, storage_options), options)
    schema = {name: _type(pl, name, defined) for name in names}
    return register_io_source(scan.frames, schema=schema, is_pure=True, explain_name="CAPTURE")


def _type(pl: Any, name: str, defined: Mapping[str, Column]) -> Any:
    """Return the type of a column."""
    fixed = {
        "number": pl.UInt64,
        "time": pl.Datetime("ns", "UTC"),
        "interface": pl.UInt32,
        "link_type": pl.Categorical,
        "captured": pl.UInt32,
        "length": pl.UInt32,
        "data": pl.Binary,
    }
    if name in fixed:
        return fixed[name]
    types = {"bool": pl.Boolean, "uint8": pl.UInt8, "uint16": pl.UInt16, "uint32": pl.UInt32}
    return types.get(defined[name].type if name in defined else field_type(name), pl.Binary)


class _Scan:
    """The sources and the options of a scan, which may be read several times."""

    def __init__(self, sources: ScanSources, options: TableOptions) -> None:
        self._sources = sources
        self._options = options

    def frames(
        self, columns: list[str] | None, predicate: Any, row_limit: int | None, batch_size: int | None
    ) -> Iterator[Any]:
        """Yield data frames with these columns (None: all), of the rows that fulfil a predicate.

        A limit is one of the rows before the predicate.
        """
        pl, remaining = load_polars(), row_limit
        options = self._pushed(pushdown(predicate) if row_limit is None else NOTHING)
        if options is None:
            return
        names = list(options.columns or ()) if columns is None else columns
        size = min(batch_size or DEFAULT_BATCH_SIZE, DEFAULT_BATCH_SIZE, max(row_limit or DEFAULT_BATCH_SIZE, 1))
        for batch in self._batches(options._replace(columns=names or ["length"]), size):
            frame = pl.from_arrow(batch)
            if remaining is not None:
                frame = frame.head(remaining)
                remaining -= len(frame)
            yield frame if predicate is None else frame.filter(predicate)
            if remaining == 0:
                return

    def _batches(self, options: TableOptions, size: int) -> Iterator[Any]:
        """Yield the record batches of all sources."""
        for open_sources in self._sources.groups():
            with open_sources() as sources:
                table, stack = open_table(_CALLER, sources, options)
                with closing(table.batches(size, stack)) as batches:
                    yield from batches

    def _pushed(self, pushed: Pushdown) -> TableOptions | None:
        """Return the options with the conditions of a predicate; None: no packet fulfils them."""
        options, (since_ns, until_ns) = self._options, pushed.bounds
        since = _narrowed(options.since, since_ns, max)
        until = _narrowed(options.until, until_ns, min)
        if isinstance(since, Decimal) and isinstance(until, Decimal) and until <= since:
            return None
        options = options._replace(since=since, until=until)
        from ..formats.savefile import Savefile

        if pushed.conditions and not isinstance(options.filter, VM | Savefile):
            options = options._replace(filter=ConditionPrograms(pushed.conditions, options.filter))  # type: ignore[arg-type]
        return options


def _narrowed(given: TimeLimit | None, pushed_ns: int | None, choose: Callable[[int, int], int]) -> TimeLimit | None:
    """Return a limit of times that both a caller and a predicate state, as an exact number of seconds since 1970.

    A limit of the caller that is relative to the first packet remains as it is.
    """
    if given is not None:
        point = point_in_time(_CALLER, given)
        if point.relative:
            return given
        pushed_ns = point.nanoseconds if pushed_ns is None else choose(point.nanoseconds, pushed_ns)
    return None if pushed_ns is None else Decimal(pushed_ns).scaleb(-9)
