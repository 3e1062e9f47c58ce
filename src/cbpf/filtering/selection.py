"""The packets that filters accept, as columns: machine code and Python read a capture in turn."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

from .._typing import TYPE_CHECKING
from ..capture.packets import PacketColumns, columns_of_records
from ..capture.reader import CaptureReader, Chunk
from .bound_filter import BoundFilter, native_classes
from .python_run import PythonRun

if TYPE_CHECKING:
    from ..capture.sampling import Sample
    from ..capture.times import TimeBounds


def selected_columns(
    reader: CaptureReader,
    filters: Sequence[BoundFilter],
    bounds: "TimeBounds | None",
    sample: "Sample | None" = None,
    *,
    is_native: bool,
    stops_early: bool = False,
) -> Generator[list[PacketColumns], None, None]:
    """Yield the columns of the packets that each filter accepts, for the records of a capture in their order.

    Columns are valid until the next are requested. *stops_early* avoids work far ahead of the current record.
    """
    collects = [*(True for _ in filters), False]
    python = PythonRun(reader, filters, collects, bounds, sample)
    for bound_filter in filters:
        bound_filter.begin(reader)
    if not is_native:
        for chunk in reader.chunks():
            yield from _python_columns(python, chunk)
        return

    from ..capture.native.format_code import ScanOutput
    from ..capture.native.run import NativeRun
    from ..capture.native.scanner import ScannedRecords

    classify, output = partial(native_classes, filters), ScanOutput("packets", bounds, sample)
    with (
        NativeRun(reader, classify, collects, output, stops_early=stops_early) as native,
        closing(native.results(partial(_python_columns, python), lambda result: True)) as results,
    ):
        for result in results:
            if isinstance(result, ScannedRecords):
                yield [native.columns(result, index, python.packets) for index in range(len(filters))]
                python.skip(result.packets)
            else:
                yield result


def _python_columns(python: PythonRun, chunk: Chunk) -> Iterator[list[PacketColumns]]:
    """Yield the selected packets of a chunk, and then raise the error of a filter, if there is one."""
    before = python.packets
    result = python.filter(chunk, None)
    yield [
        columns_of_records(accepted.source, accepted.buffer, accepted.records, before, accepted.numbers(chunk.records))
        for accepted in result.accepted[:-1]
    ]
    if result.error is not None:
        raise result.error
