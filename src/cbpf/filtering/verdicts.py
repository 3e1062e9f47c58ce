"""The verdicts of a filter on all packets of a capture."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

from .._typing import TYPE_CHECKING
from ..capture.native.choice import size_of
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..capture.source_stream import Source
from ..isa.dialects import PCAP, Dialect
from .arguments import with_checks
from .bound_filter import BoundFilter, Filter, is_native_chosen
from .capture_programs import packet_kind

if TYPE_CHECKING:
    from array import array

    from .._options import EngineName


@with_checks("filter", "engine", "dialect", "as_socket")
def capture_verdicts(
    source: Source,
    filter: Filter,
    *,
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> "Iterator[array[int]]":
    """Return the verdicts of a filter on all packets of a capture.

    The capture is read while the result is iterated over, by machine code as in `filter_capture`; memory use does not
    depend on its size. Packets that have arrived through a pipe have their verdicts at once.

    Args:
        source: A path, "-" for standard input, or a binary file object.
        filter: The filter, as for `filter_capture`.
        engine: The execution engine of the filter.
        dialect: The dialect whose rules verify and run the filter.
        as_socket: Apply the filter to the view that a live packet socket would have had of each packet
            (`socket_view`).

    Returns:
        An iterator over arrays of unsigned 32-bit numbers, which have the verdicts of some consecutive packets each. A
        packet of an interface that the filter does not fit has the verdict 0.

    Raises:
        CaptureError: The source cannot be read or does not begin as a capture, when the iteration begins;
            `DamagedCapture` is raised after the last complete packet if the capture is truncated or corrupt.
        ExpressionError: The filter is invalid, or fits no interface (`LinkTypeError`), while iterating.
        FieldError: An argument is out of range.
        VerificationError: The dialect rejects the program.

    >>> from itertools import chain
    >>> verdicts = chain.from_iterable(capture_verdicts("examples/traffic.pcap", "udp port 53"))
    >>> [number for number, verdict in enumerate(verdicts, 1) if verdict][:4]
    [39, 41, 43, 44]
    """
    is_native = is_native_chosen([filter], engine, size_of(source))
    engine = "llvm" if is_native and engine == "auto" else engine
    bound_filter = BoundFilter(filter, engine, dialect, as_socket=as_socket, exact=True)
    return _verdicts(source, bound_filter, is_native=is_native)


def _verdicts(source: Source, bound_filter: BoundFilter, *, is_native: bool) -> "Generator[array[int], None, None]":
    with CaptureReader(source) as reader:
        bound_filter.prepare([reader])
        with closing(reader.inputs(is_native=is_native or None)) as results:
            for columns in results:
                yield column_verdicts(reader, bound_filter, columns)
        bound_filter.require_fit([reader])


def column_verdicts(
    reader: CaptureReader, bound_filter: BoundFilter, columns: PacketColumns, interfaces: Sequence[int] | None = None
) -> "array[int]":
    """Return the verdicts on some packets of a capture; those of interfaces that are not in *interfaces* are 0."""
    from array import array

    chosen = columns.distinct_interfaces()
    if interfaces is not None:
        chosen = [index for index in chosen if index in interfaces]
    matches = {index: bound_filter.match_function(reader, index) for index in chosen}
    verdicts = array("I", bytes(4 * len(columns.starts)))
    if columns.native is not None:
        from ..capture.native.column_matching import match_columns, selections
        from ..engines.llvm.context import default_context

        described = reader.container.interfaces
        codes = {index: bound_filter.native_columns(packet_kind(described[index])) for index in matches}
        for code, selected in selections(codes, len(described)):
            if code is not None and match_columns(code, default_context(), columns, selected, verdicts):
                matches = {index: match for index, match in matches.items() if not selected[index]}
    if matches:
        for row, (data, wire_length, interface) in enumerate(columns.inputs()):
            if interface in matches:
                verdicts[row] = matches[interface](data, wire_length)
    return verdicts
