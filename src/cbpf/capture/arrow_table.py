"""An Arrow table as the packets of a capture, and the interfaces of its rows."""

from collections.abc import Iterable, Iterator
from itertools import count, repeat

from .._pyarrow import load_pyarrow
from .._typing import TYPE_CHECKING, Any, Final
from ..errors import FieldError
from ..packet.link_types import LinkType, link_type
from .arrow_columns import BatchColumns, TableColumns, first_line
from .base import Interface
from .interface_metadata import METADATA_KEY, decoded_interfaces
from .packets import Packet

if TYPE_CHECKING:
    from ..packet.host_order import ByteOrder
    from .writer import CaptureWriter

_DEFAULT_LINK_TYPE: Final = "EN10MB"


class ArrowTable:
    """The packets of a table, which is read once.

    Args:
        source: An object with the methods of the Arrow PyCapsule interface.

    Raises:
        FieldError: It is not a table, or one of its columns has an unsupported type.
        MissingLibrary: pyarrow is not installed.
    """

    def __init__(self, source: Any) -> None:
        self._batches = _open(source)
        self._columns = TableColumns(self._batches.schema)

    def interfaces(self) -> tuple[Interface, ...]:
        """Return the interfaces that the metadata of the table describes."""
        encoded = (self._batches.schema.metadata or {}).get(METADATA_KEY)
        return () if encoded is None else decoded_interfaces(encoded)

    def packets(
        self,
        writer: "CaptureWriter",
        described: tuple[Interface, ...] | None,
        byte_order: "ByteOrder",
        *,
        has_one: bool,
    ) -> Iterator[Packet]:
        """Yield the packets on the interfaces of a writer (`_RowInterfaces`); *has_one*: all are on its only one."""
        interfaces = _RowInterfaces(writer, described, byte_order)
        number = 1
        for batch in _read(self._batches):
            columns = self._columns.of_batch(batch, number)
            packets = columns.packets()
            indices = repeat(0) if has_one else interfaces.of_batch(columns)
            fields: Any = (columns.times_ns(), packets.wire_lengths, packets, indices)  # `memoryview`, not `bytes`
            yield from map(Packet, count(number), *fields)
            number += len(packets)
        interfaces.require_one()


def _open(source: Any) -> Any:
    """Return a `RecordBatchReader` of a table."""
    pa = load_pyarrow()
    if isinstance(source, pa.RecordBatchReader):
        return source
    try:
        if hasattr(source, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(source)
        batch = pa.record_batch(source)
    except (pa.ArrowException, TypeError, ValueError) as error:
        fact = f"{type(source).__name__!r} object is not a table ({first_line(error)})"
        raise FieldError(f"packets: {fact}; for a column of packets, pass cbpf.Packets.of(column)") from None
    return pa.RecordBatchReader.from_batches(batch.schema, [batch])


def _read(batches: Any) -> Iterator[Any]:
    try:
        yield from batches
    except load_pyarrow().ArrowException as error:
        raise FieldError(f"table: {first_line(error)}") from None


class _RowInterfaces:
    """The interfaces of the rows of a table, as indices in a writer.

    Without *described* interfaces, those of the writer are final: rows refer to them by the column `interface`, or
    belong to the only one. Otherwise, a row belongs to a described interface, or one is added for each pair of
    `interface` and `link_type`, in the order of the packets, whose headers are in the byte order of the file.
    """

    def __init__(
        self, writer: "CaptureWriter", described: tuple[Interface, ...] | None, byte_order: "ByteOrder"
    ) -> None:
        self._writer = writer
        self._described = described
        self._byte_order = byte_order
        self._known: dict[tuple[int | None, str | None], int] = {}

    def of_batch(self, columns: BatchColumns) -> Iterable[int]:
        """Return the index of the interface of each row."""
        pairs = list(zip(columns.interfaces(), columns.link_types(), strict=True))
        for pair in dict.fromkeys(pairs):
            if pair not in self._known:
                self._known[pair] = self._index(*pair, f"packet {columns.number + pairs.index(pair)}")
        return map(self._known.__getitem__, pairs)

    def _index(self, index: int | None, name: str | None, place: str) -> int:
        if self._described is None:
            return index or 0
        if index is not None:
            return index if index < len(self._described) else self._add(name, place)
        candidates = [i for i, interface in enumerate(self._described) if name in (None, interface.link_type.name)]
        if name is None and len(candidates) > 1:
            fact = f"the table describes {len(candidates)} interfaces, but has no column 'interface'"
            raise FieldError(f"{place}: {fact}; pass link_type")
        return candidates[0] if candidates else self._add(name, place)

    def require_one(self) -> None:
        """Add an interface if there is none, as for a table without rows."""
        if not self._writer.interfaces:
            self._add(None, "table")

    def _add(self, name: str | None, place: str) -> int:
        """Add an interface with a link type."""
        try:
            kind: LinkType = link_type(_DEFAULT_LINK_TYPE if name is None else name)
        except FieldError as error:
            raise FieldError(f"{place}: {error}") from None
        return self._writer.add_interface(Interface(kind, kind.max_packet_length, self._byte_order))
