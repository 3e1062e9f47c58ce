"""The columns of a table of packets: their names and types, and their values in a record batch.

The columns are those of `cbpf.arrow.read_table`; all but `data` may be absent.
"""

from collections.abc import Callable, Iterable
from itertools import repeat

from .._pyarrow import load_pyarrow
from .._suggestions import suggestion
from .._typing import Any, Final
from ..errors import FieldError, PacketError
from ..packet.batch import Packets


class TableColumns:
    """The columns of a schema that are used.

    Raises:
        FieldError: The column `data` is missing, or a column has an unsupported type.
    """

    def __init__(self, schema: Any) -> None:
        if "data" not in schema.names:
            names = ", ".join(schema.names) or "no columns"
            raise FieldError(f"table: the column 'data' is missing; it has {names}{suggestion('data', schema.names)}")
        self._indices: dict[str, int] = {}
        for name, (kind, is_valid) in _RULES.items():
            indices = schema.get_all_field_indices(name)
            if len(indices) > 1:
                raise FieldError(f"table: there are {len(indices)} columns {name!r}; one must remain")
            for index in indices:
                type = schema.field(index).type
                if not is_valid(type):
                    raise FieldError(f"table: column {name!r} has the type {type}; it must be {kind}")
                self._indices[name] = index

    def of_batch(self, batch: Any, number: int) -> "BatchColumns":
        """Return the columns of a record batch, whose first packet has a number in the table.

        Raises `FieldError` for a null in a column other than `time`.
        """
        columns = {name: batch.column(index) for name, index in self._indices.items()}
        for name, column in columns.items():
            if column.null_count and name != "time":
                row = column.is_null().to_pylist().index(True)
                raise FieldError(f"packet {number + row}: {name} is null")
        return BatchColumns(columns, number, batch.num_rows)


class BatchColumns:
    """The columns of a record batch; *number* is that of its first packet, counted from 1."""

    def __init__(self, columns: dict[str, Any], number: int, row_count: int) -> None:
        self._columns = columns
        self.number = number
        self.row_count = row_count

    def packets(self) -> Packets:
        """Return the bytes of the packets, with their lengths on the wire."""
        try:
            lengths = self._numbers("length") if "length" in self._columns else None
            return Packets.of(self._columns["data"], wire_lengths=lengths)
        except PacketError as error:
            raise PacketError(f"table: column 'data', from packet {self.number} on: {error}") from None

    def times_ns(self) -> Iterable[int | None]:
        """Return times in nanoseconds since 1970 (UTC); 0 for null, as in `Packet.time_ns`; None: there are none."""
        if "time" not in self._columns:
            return repeat(None, self.row_count)
        pa, column = load_pyarrow(), self._columns["time"]
        return items(_cast("time", column, pa.timestamp("ns", column.type.tz)).fill_null(0), "q")

    def interfaces(self) -> Iterable[int | None]:
        """Return the indices of the interfaces; None: there are none."""
        return self._numbers("interface") if "interface" in self._columns else repeat(None, self.row_count)

    def link_types(self) -> Iterable[str | None]:
        """Return the names of the link types; None: there are none."""
        if "link_type" not in self._columns:
            return repeat(None, self.row_count)
        names: list[str] = self._columns["link_type"].to_pylist()
        return names

    def _numbers(self, name: str) -> memoryview:
        """Return unsigned numbers of 32 bits."""
        return items(_cast(name, self._columns[name], load_pyarrow().uint32()), "I")


def _cast(name: str, column: Any, type: Any) -> Any:
    try:
        return column.cast(type)
    except load_pyarrow().ArrowException as error:
        raise FieldError(f"table: column {name!r}: {first_line(error)}") from None


def first_line(error: BaseException) -> str:
    """Return the first line of the text of an error."""
    return str(error).split("\n")[0]


def items(column: Any, typecode: Any) -> memoryview:
    """Return the numbers of an array of pyarrow without nulls; *typecode* is that of `array` for its type."""
    buffer = column.buffers()[1]
    items: memoryview = memoryview(buffer if buffer else b"").cast("B").cast(typecode)
    return items[column.offset : column.offset + len(column)]


def _is_of(*kinds: str) -> Callable[[Any], bool]:
    """Return a test of a type: whether it is of one of these kinds, named as the functions of `pyarrow.types`."""
    return lambda type: any(getattr(load_pyarrow().types, f"is_{kind}")(type) for kind in kinds)


_is_text: Final = _is_of("string", "large_string", "string_view")

_RULES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "data": ("binary", _is_of("binary", "large_binary", "binary_view", "fixed_size_binary")),
    "time": ("a timestamp", _is_of("timestamp")),
    "interface": ("an integer", _is_of("integer")),
    "link_type": ("text", lambda type: _is_text(type.value_type if _is_of("dictionary")(type) else type)),
    "length": ("an integer", _is_of("integer")),
}
