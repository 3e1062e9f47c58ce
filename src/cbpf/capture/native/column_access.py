"""Generated code that loads and stores the items of columns."""

from ..._typing import Final
from ...engines.llvm.ir import I64, Function, IRValue
from .abi import COLUMN_STARTS, ITEM_SIZES, NO_INTERFACE, CurrentFile

_SIGN: Final = 1 << 63  # added to signed numbers, so that unsigned comparisons order them
_COUNTS: Final = ("size", "packets", "bytes")


class ColumnAccess:
    """Generates code for the columns of *rows* rows at an address."""

    def __init__(self, columns: IRValue, rows: IRValue) -> None:
        self._columns = columns
        self._rows = rows

    def cell(self, name: str, row: IRValue) -> IRValue:
        """Return the address of an item of a column."""
        return self._columns.gep(self._rows * COLUMN_STARTS[name] + row * ITEM_SIZES[name])

    def item(self, name: str, row: IRValue) -> IRValue:
        """Return an item of a column, as 64 bits."""
        return self.cell(name, row).load(ITEM_SIZES[name]).zext_or_trunc(I64)

    def is_packet(self, row: IRValue) -> IRValue:
        """Return 1 for a record with a packet, otherwise 0."""
        return self.item("interfaces", row).ne(NO_INTERFACE).zext_or_trunc(I64)


class FileAccess:
    """Generates code for the `CurrentFile` at an address, which receives the records of columns."""

    def __init__(self, function: Function, columns: ColumnAccess, file: IRValue) -> None:
        self._columns = columns
        self._file = file
        self._limits = {name: self._field(name).load(8) for name in ("max_size", "last")}
        self._counts = {
            name: function.variable(I64, self._field(name).load(8)) for name in ("size", "packets", "bytes")
        }
        self._is_complete = function.variable(I64, 0)

    def _field(self, name: str) -> IRValue:
        return self._file.gep(getattr(CurrentFile, name).offset)

    def begins_another(self, row: IRValue) -> IRValue:
        """Return whether the record of a row begins another file."""
        time = self._columns.item("times_ns", row) ^ _SIGN
        is_late = self._columns.item("timed", row).ne(0) & (time > self._limits["last"])
        is_exceeded = self._counts["packets"].value.ne(0) & (self._counts["size"].value > self._limits["max_size"])
        begins_another = self._columns.is_packet(row).ne(0) & (is_late | is_exceeded)
        self._is_complete.value = begins_another.zext_or_trunc(I64)
        return begins_another

    def add(self, row: IRValue, size: IRValue, captured: IRValue) -> None:
        """Count the record of a row, with *size* bytes in the file and *captured* bytes of its packet."""
        for name, number in zip(_COUNTS, (size, self._columns.is_packet(row), captured), strict=True):
            count = self._counts[name]
            count.value = count.value + number

    def finish(self) -> None:
        """Store the counts."""
        for name, count in (*self._counts.items(), ("is_complete", self._is_complete)):
            self._field(name).store(count.value)
