"""Captures as Arrow tables: `read_table`, and `read_batches` for those that do not fit in memory."""

from contextlib import ExitStack

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Final, Iterable, Mapping
from .._validators import checked, within
from ..capture.sampling import checked_sample
from ..capture.source_stream import Source
from ..capture.times import TimeLimit, time_range
from ..filtering.arguments import with_checks
from ..filtering.bound_filter import Filter, bind_filters, check_filter, is_native_chosen
from ..filtering.sources import as_sources, open_readers, total_size
from ..isa.dialects import PCAP, Dialect
from .column_programs import ColumnPrograms
from .libraries import load_pyarrow
from .schema import Column, checked_definitions, chosen_columns
from .selection import Selection
from .table import TableReading

if TYPE_CHECKING:
    import pyarrow

    from .._options import EngineName

DEFAULT_BATCH_SIZE: Final = 65_536
"""The number of rows of a batch: enough for vectors of all libraries, and about 40 MB of packets."""


@checked(batch_size=within(1, 2**31 - 1, "a number of rows"))
@with_checks("engine", "dialect", "as_socket")
def read_batches(
    source: Source | Iterable[Source],
    *,
    filter: "Filter | None" = None,
    columns: Iterable[str] | None = None,
    define: "Mapping[str, Filter | Column] | None" = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> "pyarrow.RecordBatchReader":
    """Read packets as a stream of Arrow record batches, for captures that do not fit in memory.

    duckdb, polars and other libraries take the result as it is. The columns are these, and those of headers (for
    example "src_ip" and "dst_port"), which are null for packets without the header:

    | name | type | value |
    |---|---|---|
    | number | uint64 | the position of the packet in its capture, from 1 |
    | time | timestamp[ns, UTC] | null for a packet without a time stamp, and for times outside the years 1677 to 2262 |
    | interface | uint32 | the index of the interface in the metadata of the schema |
    | link_type | dictionary of string | the name of the link type |
    | captured | uint32 | the number of bytes captured |
    | length | uint32 | the length of the packet on the wire, in bytes |
    | data | binary_view | the bytes captured |

    The bytes of packets in a file of 16 MB or more are not copied if machine code reads it (`engine`): they are a
    mapping of the file, which lives as long as the last array that refers to it. Until then, a process that opens the
    file for writing waits, at most 45 seconds (Linux, `/proc/sys/fs/lease-break-time`). If it truncates the file after
    that time, an access to the bytes that are missing ends this process by SIGBUS. A file that is replaced, as cbpf
    does with its outputs, is not a problem, and neither is a copy of the column: `column.cast("large_binary")`. The
    bytes of other sources are copied, about 64 MB in a batch.

    The metadata of the schema has the interfaces as JSON under the key "cbpf"; those that a pcapng describes after
    its first packets are missing there, but not in that of `read_table`.

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these, which are read one after
            another.
        filter: Only packets that this filter accepts, as for `cbpf.filter_capture`; None: all packets.
        columns: The names of the columns in their order; None: all columns of the list above, and those of *define*.
        define: Further columns: a name, and an expression, whose column is Boolean; a program, whose column has its
            verdicts, unsigned numbers of 32 bits; or a `Column`, which can have nulls.
        since: Only packets with this time or a later one, in the forms of `cbpf.read_capture`. Times relative to the
            first packet are relative to that of each source.
        until: Only packets with an earlier time, in the same forms.
        sample: Only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers.
        seed: Another choice of packets, 0 to 2**64 - 1.
        batch_size: The maximum number of rows of a batch, 1 to 2**31 - 1.
        engine: The execution engine of the filter and the columns. "auto" is llvm if it is installed and the sources
            are pipes or have 16 MB or more in total, and otherwise compiled Python.
        dialect: The dialect whose rules verify and run the filter and the columns of *define*.
        as_socket: Apply the filter and the columns of *define* to the view that a live packet socket would have had of
            each packet (`cbpf.socket_view`). The data are those captured.

    Returns:
        A `pyarrow.RecordBatchReader`, which closes the sources at its end or by `close`. While it is read, a
        `cbpf.DamagedCapture` is raised after the batches of all complete packets, those of further sources included, if
        a source is truncated or corrupt.

    Raises:
        CaptureError: A source cannot be read or does not begin as a capture, or no packet can have one of the columns
            because of its link type: for pcaps in this call, otherwise after the last batch.
        ExpressionError: An expression is invalid, or fits no interface (`LinkTypeError`): for pcaps in this call,
            otherwise after the last batch.
        FieldError: An argument is out of range, or a column is unknown.
        MissingLibrary: pyarrow is not installed (extra `arrow`), or the library of an engine or compression.
        VerificationError: The dialect rejects a program.

    >>> import cbpf
    >>> with cbpf.arrow.read_batches("examples/traffic.pcap", columns=["length"], batch_size=500) as reader:
    ...     [batch.num_rows for batch in reader]
    [500, 405]
    """
    options = TableOptions(filter, columns, define, since, until, sample, seed, engine, dialect, as_socket)
    table, stack = open_table("read_batches", source, options)
    return load_pyarrow().RecordBatchReader.from_batches(table.schema, table.batches(batch_size, stack))


@with_checks("engine", "dialect", "as_socket")
def read_table(
    source: Source | Iterable[Source],
    *,
    filter: "Filter | None" = None,
    columns: Iterable[str] | None = None,
    define: "Mapping[str, Filter | Column] | None" = None,
    since: TimeLimit | None = None,
    until: TimeLimit | None = None,
    sample: int | None = None,
    seed: int = 0,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> "pyarrow.Table":
    """Read packets as an Arrow table.

    The columns, and the memory that the bytes of the packets occupy, are those of `read_batches`. The metadata of the
    schema has all interfaces of the sources as JSON under the key "cbpf".

    Args:
        source: A path, "-" for standard input, a binary file object, or several of these, which are read one after
            another.
        filter: Only packets that this filter accepts, as for `cbpf.filter_capture`; None: all packets.
        columns: The names of the columns in their order; None: number, time, interface, link_type, captured, length,
            data, and those of *define*.
        define: Further columns: a name, and an expression, whose column is Boolean; a program, whose column has its
            verdicts, unsigned numbers of 32 bits; or a `Column`, which can have nulls.
        since: Only packets with this time or a later one, in the forms of `cbpf.read_capture`.
        until: Only packets with an earlier time, in the same forms.
        sample: Only about one in this number of the packets, 1 to 2**32 - 1, chosen at random by their numbers.
        seed: Another choice of packets, 0 to 2**64 - 1.
        engine: The execution engine of the filter and the columns.
        dialect: The dialect whose rules verify and run the filter and the columns of *define*.
        as_socket: Apply the filter and the columns of *define* to the view that a live packet socket would have had of
            each packet (`cbpf.socket_view`).

    Returns:
        The table, a `pyarrow.Table`.

    Raises:
        CaptureError: A source cannot be read or does not begin as a capture, or no packet can have one of the columns
            because of its link type; `cbpf.DamagedCapture` if a source is truncated or corrupt: `read_batches` returns
            the complete packets first.
        ExpressionError: An expression is invalid, or fits no interface (`LinkTypeError`).
        FieldError: An argument is out of range, or a column is unknown.
        MissingLibrary: pyarrow is not installed (extra `arrow`), or the library of an engine or compression.
        VerificationError: The dialect rejects a program.

    >>> import cbpf
    >>> table = cbpf.arrow.read_table("examples/traffic.pcap", filter="udp", columns=["number", "dst_port"])
    >>> table.slice(0, 2).to_pylist()
    [{'number': 33, 'dst_port': 4789}, {'number': 39, 'dst_port': 53}]
    """
    options = TableOptions(filter, columns, define, since, until, sample, seed, engine, dialect, as_socket)
    table, stack = open_table("read_table", source, options)
    batches = list(table.batches(DEFAULT_BATCH_SIZE, stack))
    return load_pyarrow().Table.from_batches(batches, table.schema).replace_schema_metadata(table.metadata())


class TableOptions(NamedTuple):
    """The arguments of `read_batches` and `read_table` that have the same meaning in both.

    *fills_absent*: a column that no packet can have because of its link type is null, and not an error.
    """

    filter: "Filter | None"
    columns: Iterable[str] | None
    define: "Mapping[str, Filter | Column] | None"
    since: TimeLimit | None
    until: TimeLimit | None
    sample: int | None
    seed: int
    engine: "EngineName"
    dialect: Dialect = PCAP
    as_socket: bool = False
    fills_absent: bool = False


def open_table(caller: str, source: Source | Iterable[Source], options: TableOptions) -> tuple[TableReading, ExitStack]:
    """Open the captures of a table; return the table, and the stack that closes them."""
    load_pyarrow()
    times = time_range(caller, options.since, options.until)
    sample = checked_sample(caller, options.sample, options.seed)
    defined = checked_definitions(f"{caller}.define", options.define)
    names = chosen_columns(f"{caller}.columns", options.columns, defined)
    chosen = [] if options.filter is None else [check_filter(f"{caller}.filter", options.filter)]
    sources = as_sources(source, caller)
    size, engine, dialect = total_size(sources), options.engine, options.dialect
    is_native = is_native_chosen(chosen or [""], engine, size)
    filters = bind_filters(chosen, engine, dialect, size, is_native=is_native, as_socket=options.as_socket)
    selection = Selection(filters[0] if filters else None, times, sample, is_native)
    programs = ColumnPrograms(
        "llvm" if is_native else engine, dialect, as_socket=options.as_socket, fills_absent=options.fills_absent
    )
    with ExitStack() as stack:
        readers = stack.enter_context(open_readers(sources, finds_interfaces=True))
        table = TableReading(readers, selection, names, defined, programs)
        return table, stack.pop_all()
