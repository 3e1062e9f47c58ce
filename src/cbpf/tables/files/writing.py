"""`write_table`: packets of captures to a file of a table, in bounded memory."""

from ..._stdlib import closing, contextmanager
from ..._typing import TYPE_CHECKING, Any, Final, Iterable, Iterator, Mapping, Protocol
from ..._validators import checked, optional, within
from ...capture.output import Output, Target
from ...capture.source_stream import Source
from ...capture.times import TimeLimit
from ...errors import DamagedCapture, FieldError
from ...filtering.arguments import with_checks
from ...filtering.bound_filter import Filter
from ...filtering.sources import as_sources
from ...filtering.targets import choose_targets, open_new_target
from ...isa.dialects import PCAP, Dialect
from ..addresses import Choice
from ..libraries import load_compute
from ..reading import DEFAULT_BATCH_SIZE, TableOptions, open_table
from ..schema import Column
from .arrow_writers import ArrowWriter, ParquetWriter
from .formats import FORMATS, TableFormat, chosen_format
from .line_writers import CsvWriter, JsonLinesWriter, TextWriter

if TYPE_CHECKING:
    from ..._options import EngineName

_MAX_COPIED: Final = 1 << 24
"""The number of bytes of packets that are copied at a time."""


class _Writer(Protocol):
    """A writer of one format."""

    def begin(self) -> None: ...

    def write(self, batch: Any) -> None: ...

    def close(self) -> None: ...


@checked(width=optional(within(1, 2**31 - 1, "a number of characters")))
@with_checks("count", "engine", "dialect", "as_socket")
def write_table(
    source: Source | Iterable[Source],
    target: Target,
    *,
    format: TableFormat | None = None,
    columns: Iterable[str] | None = None,
    define: "Mapping[str, Filter | Column] | None" = None,
    filter: "Filter | None" = None,
    count: int | None = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    width: int | None = None,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> int:
    r"""Write packets of captures as a table to a file, in bounded memory.

    Parquet and Arrow files have the types of `read_batches`, except that data is `large_binary`; `write_capture` makes
    a capture of the table in them. The other formats are for people: addresses of IP and Ethernet, times (ISO 8601,
    UTC) and the bytes of packets (hexadecimal digits) are text there.

    Each format also has the columns `src` and `dst`: the address of IPv4 or IPv6 as text.

    | format | suffixes | content |
    |---|---|---|
    | parquet | .parquet, .pq | Parquet, with row groups of about a million rows or 64 MB |
    | arrow | .arrow, .feather | an Arrow IPC file |
    | arrows | .arrows | an Arrow IPC stream, for pipes |
    | csv | .csv | CSV (RFC 4180) with a header; null is an empty field |
    | jsonl | .jsonl, .ndjson | a JSON object per line |
    | text | .txt | aligned columns with titles, and times without the date; null is "-" |

    By default, Parquet and Arrow files have the seven columns of `read_batches`; CSV and JSON lines have number, time,
    length, src, src_port, dst, dst_port and protocol; text has those without number and protocol.

    A file appears under its name when it is complete, also if a source is damaged: it has the complete packets then.
    After any other error, a file of that name is unchanged.

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these, which are read one after
            another.
        target: A path, "-" for standard output, or a binary file object. The suffix of a compression after that of a
            format, as in "out.csv.zst", compresses the file.
        format: The format; None: that of the suffix.
        columns: The names of the columns in their order; None: those of the format, which are null for link types that
            do not have them, and those of *define*.
        define: Further columns, as for `read_batches`.
        filter: Only packets that this filter accepts, as for `cbpf.filter_capture`; None: all packets.
        count: At most this number of packets; None: no limit.
        since: Only packets with this time or a later one, in the forms of `cbpf.read_capture`.
        until: Only packets with an earlier time, in the same forms.
        sample: Only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers.
        seed: Another choice of packets, 0 to 2**64 - 1.
        width: The number of characters after which lines of the format "text" are truncated; None: no limit.
        engine: The execution engine of the filter and the columns.
        dialect: The dialect whose rules verify and run the filter and the columns of *define*.
        as_socket: Apply the filter and the columns of *define* to the view that a live packet socket would have had of
            each packet (`cbpf.socket_view`).

    Returns:
        The number of rows.

    Raises:
        CaptureError: A source cannot be read or does not begin as a capture, the target cannot be written or is also a
            source, or no packet can have one of *columns* because of its link type; `cbpf.DamagedCapture` if a source
            is truncated or corrupt, after all complete packets have been written.
        ExpressionError: An expression is invalid, or fits no interface (`LinkTypeError`).
        FieldError: An argument is out of range, a column is unknown, or the suffix is not that of a format.
        MissingLibrary: pyarrow is not installed (extra `arrow`), or the library of an engine or compression.
        VerificationError: The dialect rejects a program.

    >>> import io
    >>> import cbpf
    >>> file = io.BytesIO()
    >>> cbpf.arrow.write_table("examples/traffic.pcap", file, format="csv", columns=["src", "dst_port"], count=2)
    2
    >>> file.getvalue()
    b'src,dst_port\n::,\n::,\n'
    """
    chosen = chosen_format("write_table.format", target, format)
    facts = FORMATS[chosen]
    defined = define if isinstance(define, Mapping) else ()  # anything else is an error below
    names = [*facts.columns, *defined] if columns is None else columns
    choice = Choice("write_table", "columns", names, define)
    (file,) = choose_targets([target], None)
    if file.compressor is not None and not facts.is_compressible:
        raise FieldError(f"write_table.format: {chosen} files have their own compression; choose a name without suffix")
    names_to_read = choice.read_names()
    if "data" in names_to_read and "captured" not in names_to_read:
        names_to_read.append("captured")  # for `_parts`
    options = TableOptions(
        filter,
        names_to_read,
        choice.defined,
        since,
        until,
        sample,
        seed,
        engine,
        dialect,
        as_socket,
        fills_absent=columns is None,
    )
    sources = as_sources(source, "write_table")
    table, stack = open_table("write_table", sources, options)
    size = min(count or DEFAULT_BATCH_SIZE, DEFAULT_BATCH_SIZE)
    with closing(stack), open_new_target(file, sources) as (output,), closing(table.batches(size, stack)) as batches:
        writer = _writer(chosen, output, choice, table.schema, width)
        return _write(writer, _parts(batches) if "data" in choice.names else batches, count)


def _writer(format: TableFormat, output: Output, choice: Choice, schema: Any, width: int | None) -> _Writer:
    names = choice.names
    match format:
        case "parquet":
            return ParquetWriter(output, names, schema)
        case "arrow" | "arrows":
            return ArrowWriter(output, names, schema, is_stream=format == "arrows")
        case "csv":
            return CsvWriter(output, names)
        case "jsonl":
            return JsonLinesWriter(output, names)
        case "text":
            return TextWriter(output, names, width)


def _parts(batches: Iterable[Any]) -> Iterator[Any]:
    """Yield the rows of batches with "captured", up to a number of bytes of packets at a time, or one row."""
    pc = load_compute()
    for batch in batches:
        sums = pc.cumulative_sum(batch["captured"].cast("int64"))
        start, before = 0, 0
        while start < batch.num_rows:
            stop = max(start + 1, pc.sum(pc.less_equal(sums, before + _MAX_COPIED)).as_py())
            yield batch.slice(start, stop - start)
            start, before = stop, sums[stop - 1].as_py()


def _write(writer: _Writer, batches: Iterable[Any], count: int | None) -> int:
    """Write batches up to a number of rows, and the end of the file; return the number of rows."""
    rows = 0
    with _abandoned_after_errors(writer):
        writer.begin()
        try:
            for batch in batches:
                part = batch if count is None else batch.slice(0, count - rows)
                writer.write(part)
                rows += part.num_rows
                if rows == count:
                    break
        except DamagedCapture:
            writer.close()
            raise
        writer.close()
    return rows


@contextmanager
def _abandoned_after_errors(writer: _Writer) -> Iterator[None]:
    try:
        yield
    except DamagedCapture:
        raise
    except BaseException:
        if isinstance(writer, ArrowWriter):
            writer.abandon()
        raise
