"""The row of an object: its capture is read once, in bounded memory, by machine code where that is worth its start."""

from __future__ import annotations

from contextlib import closing

from .._typing import TYPE_CHECKING, Final
from ..capture.info import CaptureInfoBuilder
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..errors import CaptureError
from ..filtering.counting import interval_sums
from .listing import Object
from .rows import MINUTE, Minute, Row
from .stores import Store, read_current

if TYPE_CHECKING:
    from ..capture.source_stream import Source

MAX_MINUTES: Final = 10_080
"""The number of minutes of one object that a row contains, a week; one with more has none, and is read by `count`."""


def index_object(store: Store, listed: Object, *, is_native: bool | None = None) -> Row:
    """Return the row of an object.

    Args:
        store: The store of the object.
        listed: The object. If it is replaced while it is read, it is read again.
        is_native: Whether machine code reads the capture; by default if it is worth its start for this object.

    Returns:
        The row, whose etag is that of the content that was read.

    Raises:
        ArchiveError: The store does not return the object, or it is replaced again and again (`ObjectReplaced`).
    """

    def read(current: Object) -> Row:
        with store.open(current) as source:
            return _index(source, current, is_native=is_native)

    return read_current(store, listed, read)


def _index(source: Source, listed: Object, *, is_native: bool | None) -> Row:
    row = Row(*listed)
    try:
        reader = CaptureReader(source)
    except CaptureError as error:
        return row._replace(status="foreign", message=_fact(error, listed))
    with reader:
        minutes = _Minutes()
        builder = CaptureInfoBuilder(reader.container)
        damage: CaptureError | None = None
        try:
            with closing(reader.columns(is_native=is_native)) as results:
                for columns in results:
                    builder.add(columns)
                    minutes.add(columns, len(reader.container.interfaces))
        except CaptureError as error:  # usually a DamagedCapture
            damage = error
        info = builder.info(reader, None, None, None)
    totals = info.totals
    return row._replace(
        first_ns=totals.earliest_ns,
        last_ns=totals.latest_ns,
        packets=totals.packets,
        captured_bytes=totals.captured_bytes,
        wire_bytes=totals.wire_bytes,
        untimed=totals.untimed,
        link_types=tuple(sorted({interface.interface.link_type.name for interface in info.interfaces})),
        is_sorted=info.out_of_order == 0,
        status="ok" if damage is None else "damaged",
        message="" if damage is None else _fact(damage, listed),
        minutes=minutes.rows(),
    )


def _fact(error: CaptureError, listed: Object) -> str:
    return " ".join(str(error).removeprefix(f"{listed.path}: ").split())


class _Minutes:
    """Accumulates the packets of each minute, up to a number of minutes."""

    def __init__(self) -> None:
        self._totals: dict[int, list[int]] | None = {}

    def add(self, columns: PacketColumns, interfaces: int) -> None:
        if self._totals is None:
            return
        for minute, _, *counts in interval_sums(columns, [0] * interfaces, MINUTE):
            if minute is None:
                continue
            totals = self._totals.setdefault(minute, [0, 0, 0])
            for index, count in enumerate(counts):
                totals[index] += count
        if len(self._totals) > MAX_MINUTES:
            self._totals = None

    def rows(self) -> tuple[Minute, ...] | None:
        """Return the minutes in their order, or None if there are too many."""
        if self._totals is None:
            return None
        return tuple(Minute(minute, *counts) for minute, counts in sorted(self._totals.items()))
