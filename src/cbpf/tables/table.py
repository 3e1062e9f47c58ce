"""A table that is being read: its schema, and its batches."""

from contextlib import ExitStack, closing

from .._typing import Any, Generator, Iterator, Mapping, Sequence
from ..capture.reader import CaptureReader
from ..errors import DamagedCapture
from .batches import BatchBuilder, TableColumn
from .column_programs import ColumnPrograms
from .data_column import DataColumn
from .fields import FIELD_NAMES
from .fixed_columns import FixedColumn, fixed_functions
from .interfaces import InterfaceTable
from .libraries import load_pyarrow
from .program_columns import ProgramColumn
from .program_values import value_type
from .schema import Column, fixed_type
from .selection import Selection


class TableReading:
    """The columns of some packets of captures, which are read once.

    *names* are those of the columns, of which the caller has *defined* some; *programs* makes the columns of programs.
    """

    def __init__(
        self,
        readers: list[CaptureReader],
        selection: Selection,
        names: Sequence[str],
        defined: Mapping[str, Column],
        programs: ColumnPrograms,
    ) -> None:
        """Raise the errors that can be found before the first packet."""
        self._readers = readers
        self._selection = selection
        self._programs = programs
        self._interfaces = InterfaceTable()
        for reader in readers:
            self._interfaces.indices(reader)
        functions = fixed_functions(self._interfaces)
        self._columns: dict[str, TableColumn] = {}
        for name in names:
            if name in defined:
                self._columns[name] = programs.defined(defined[name])
            elif name in FIELD_NAMES:
                self._columns[name] = programs.field(name)
            else:
                self._columns[name] = DataColumn() if name == "data" else FixedColumn(functions[name])
        selection.prepare(readers)
        programs.prepare(readers)
        self.schema = load_pyarrow().schema(list(map(_typed, self._columns.items())), self.metadata())

    def metadata(self) -> dict[bytes, bytes]:
        """Return the metadata of the schema, with the interfaces that are known."""
        return self._interfaces.metadata()

    def batches(self, size: int, stack: ExitStack) -> Generator[Any, None, None]:
        """Yield the record batches of up to *size* rows; *stack* is closed at the end.

        A damaged capture is an error when the batches of all captures have been yielded. After any other error, its
        capture's complete packets have been yielded.
        """
        builder = BatchBuilder(self._columns, self.schema, size)
        damages: list[str] = []
        with stack:
            try:
                for reader in self._readers:
                    try:
                        yield from self._batches_of(reader, builder)
                    except DamagedCapture as damage:
                        damages.append(str(damage))
                    reader.close()
            except Exception:
                yield from builder.rest()
                raise
            yield from builder.rest()
            if damages:
                raise DamagedCapture("; ".join(damages))
            self._selection.require_fit(self._readers)
            self._programs.require_fit(self._readers)

    def _batches_of(self, reader: CaptureReader, builder: BatchBuilder) -> Iterator[Any]:
        """Yield the batches that the packets of a capture complete."""
        with closing(self._selection.columns(reader)) as results:
            for columns in results:
                yield from builder.add(reader, columns)


def _typed(item: tuple[str, TableColumn]) -> tuple[str, Any]:
    """Return the name and the type of a column."""
    name, column = item
    return name, value_type(column.type) if isinstance(column, ProgramColumn) else fixed_type(name, load_pyarrow())
