"""Tables as Parquet and Arrow files, with the types of `read_table`; the columns `src` and `dst` are strings.

The bytes of packets are copied: a file of `binary_view` would have those of all packets, also of rejected ones.
"""

from ..._stdlib import suppress
from ..._typing import Any, Final, Protocol, Sequence
from ...capture.output import Output
from ..addresses import ADDRESS_COLUMNS, address_texts
from ..libraries import load_pyarrow

_MAX_BYTES: Final = 1 << 26
"""The number of bytes from which a batch or a row group of a file is complete."""


class _Stream:
    """An output as a file object of pyarrow."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._position = 0
        self.closed = False
        self.is_abandoned = False

    def write(self, data: Any) -> int:
        """Write bytes, unless the file is abandoned; return their number."""
        if not self.is_abandoned:
            self._output.write(memoryview(data))  # type: ignore[arg-type]
        self._position += len(data)
        return len(data)

    def tell(self) -> int:
        """Return the number of bytes written."""
        return self._position

    def flush(self) -> None:
        """Write nothing, since the output has no buffer."""

    def close(self) -> None:
        """Mark the end."""
        self.closed = True


class _BatchWriter(Protocol):
    """The writers of pyarrow."""

    def write_batch(self, batch: Any) -> None: ...

    def close(self) -> None: ...


class ArrowWriter:
    """Writes the columns *names* of batches of a *schema* as an Arrow file, or as an Arrow stream."""

    _max_rows = 1 << 16  # from which a batch or a row group of the file is complete

    def __init__(self, output: Output, names: Sequence[str], schema: Any, *, is_stream: bool = False) -> None:
        self._names = names
        self._is_stream = is_stream
        pa = load_pyarrow()
        types = {name: pa.string() if name in ADDRESS_COLUMNS else schema.field(name).type for name in names}
        if "data" in types:
            types["data"] = pa.large_binary()
        self._schema = pa.schema(list(types.items()), schema.metadata)
        self._stream = _Stream(output)
        self._writer: Any = None
        self._pending: list[Any] = []
        self._rows = self._bytes = 0

    def begin(self) -> None:
        """Write the schema."""
        pa = load_pyarrow()
        self._writer = self._open(pa.PythonFile(self._stream, mode="w"))

    def _open(self, stream: Any) -> _BatchWriter:
        ipc = load_pyarrow().ipc
        options = ipc.IpcWriteOptions(emit_dictionary_deltas=True)  # a later interface may have another link type
        opened: _BatchWriter = (ipc.new_stream if self._is_stream else ipc.new_file)(
            stream, self._schema, options=options
        )
        return opened

    def write(self, batch: Any) -> None:
        """Add the rows of a batch, and write those that were added if there are enough."""
        converted = self._converted(batch)
        self._pending.append(converted)
        self._rows += converted.num_rows
        self._bytes += converted.nbytes
        if self._rows >= self._max_rows or self._bytes >= _MAX_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write the rows that were added since the last time."""
        if self._pending:
            table = load_pyarrow().Table.from_batches(self._pending, self._schema)
            self._pending, self._rows, self._bytes = [], 0, 0
            self._write_group(table)

    def _write_group(self, table: Any) -> None:
        for batch in table.combine_chunks().to_batches():
            self._writer.write_batch(batch)

    def _converted(self, batch: Any) -> Any:
        """Return the columns of the file, with their types."""
        arrays = [address_texts(batch, name) if name in ADDRESS_COLUMNS else batch[name] for name in self._names]
        typed = [array.cast(field.type) for array, field in zip(arrays, self._schema, strict=True)]
        return load_pyarrow().RecordBatch.from_arrays(typed, schema=self._schema)

    def close(self) -> None:
        """Write the remaining rows and the end of the file."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """End the writer after an error, without a complete file."""
        self._stream.is_abandoned = True
        if self._writer is not None:
            with suppress(Exception):  # it may have failed itself
                self._writer.close()


class ParquetWriter(ArrowWriter):
    """Writes the columns of batches as a Parquet file, in row groups of about a million rows or 64 MB."""

    _max_rows = 1 << 20

    def _open(self, stream: Any) -> _BatchWriter:
        import pyarrow.parquet

        encoded = [name for name in self._schema.names if name != "data"]  # few packets are equal
        opened: _BatchWriter = pyarrow.parquet.ParquetWriter(
            stream, self._schema, compression="zstd", use_dictionary=encoded
        )
        return opened

    def _write_group(self, table: Any) -> None:
        self._writer.write_table(table, row_group_size=self._max_rows)
