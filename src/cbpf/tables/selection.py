"""The packets of a table, and the captures that they are in."""

from contextlib import closing

from .._named_tuple import NamedTuple
from .._typing import Generator, Sequence
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..capture.sampling import Sample
from ..capture.times import TimeRange
from ..filtering.bound_filter import BoundFilter
from ..filtering.selection import selected_columns


class Selection(NamedTuple):
    """The packets that a filter accepts (None: all), in a range of times (None: all) and in a sample (None: all)."""

    filter: BoundFilter | None
    times: TimeRange | None
    sample: Sample | None
    is_native: bool

    def prepare(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the errors of the filter that can be found before the first packet."""
        if self.filter is not None:
            self.filter.prepare(readers)

    def require_fit(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the error of the filter if it fits no interface of the captures."""
        if self.filter is not None:
            self.filter.require_fit(readers)

    def columns(self, reader: CaptureReader) -> Generator[PacketColumns, None, None]:
        """Yield the selected packets of a capture as columns, each valid until the next is requested."""
        bounds = None if self.times is None else self.times.bounds(reader.name, reader.first_time_ns)
        if self.filter is None:
            yield from reader.selected("packets", bounds, self.sample, is_native=self.is_native)
            return
        results = selected_columns(
            reader, [self.filter], bounds, self.sample, is_native=self.is_native, stops_early=True
        )
        with closing(results):
            for (columns,) in results:
                yield columns
