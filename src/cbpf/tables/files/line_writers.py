"""Tables as lines of text: CSV, JSON, and aligned columns.

A batch is one array of lines, which pyarrow joins of the columns, so that no packet is a Python object.
"""

import json

from ..._typing import Any, Final, Sequence
from ...capture.output import Output
from ..addresses import ADDRESS_COLUMNS, address_texts
from ..libraries import load_compute, load_pyarrow
from ..text_values import is_textual, texts

_NULL: Final = "-"
"""A value that a packet does not have, in aligned columns."""

_ELLIPSIS: Final = "..."
_DATE_LENGTH: Final = len("2026-11-27T")


class LineWriter:
    """Writes the columns *names* of batches as lines."""

    def __init__(self, output: Output, names: Sequence[str]) -> None:
        self._output = output
        self._names = names

    def begin(self) -> None:
        """Write the start of the file."""

    def write(self, batch: Any) -> None:
        """Write a line for each row."""
        columns = [self._texts(batch, name) for name in self._names]
        self._write(self._lines(columns, [is_textual(name, _type(batch, name)) for name in self._names]))

    def close(self) -> None:
        """Write the end of the file."""

    def _lines(self, columns: list[Any], textual: list[bool]) -> Any:
        """Return the lines without their ends, given the columns as large strings, and whether each is text."""
        raise NotImplementedError

    def _texts(self, batch: Any, name: str) -> Any:
        """Return a column as large strings."""
        values = address_texts(batch, name) if name in ADDRESS_COLUMNS else texts(name, batch[name])
        return load_compute().cast(values, load_pyarrow().large_string())

    def _write(self, lines: Any) -> None:
        joined = joined_values([lines, large_text("\n")], "", "")
        _, offsets, data = joined.buffers()
        ends = memoryview(offsets).cast("q")
        self._output.write(memoryview(data or b"")[ends[joined.offset] : ends[joined.offset + len(joined)]])  # type: ignore[arg-type]


def _type(batch: Any, name: str) -> Any:
    return load_pyarrow().string() if name in ADDRESS_COLUMNS else batch[name].type


def large_text(text: str) -> Any:
    """Return a text as a scalar of pyarrow."""
    return load_pyarrow().scalar(text, load_pyarrow().large_string())


def joined_values(columns: Sequence[Any], separator: str, null: str) -> Any:
    """Return the values of each row of large strings as one string, with *null* in place of nulls."""
    join = load_compute().binary_join_element_wise
    return join(*columns, large_text(separator), null_handling="replace", null_replacement=null)


class CsvWriter(LineWriter):
    """Writes CSV (RFC 4180) with a header; a null is an empty field. No value needs quotation marks."""

    def begin(self) -> None:
        """Write the header."""
        import csv
        import io

        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerow(self._names)
        self._output.write(header.getvalue().encode())

    def _lines(self, columns: list[Any], textual: list[bool]) -> Any:
        return joined_values(columns, ",", "")


class JsonLinesWriter(LineWriter):
    """Writes a JSON object for each row, with null for a value that a packet does not have."""

    def _lines(self, columns: list[Any], textual: list[bool]) -> Any:
        pieces = []
        for index, (name, column, is_text) in enumerate(zip(self._names, columns, textual, strict=True)):
            pieces.append(large_text(f"{',' if index else '{'}{json.dumps(name)}:"))
            pieces.append(_quoted(column) if is_text else column)
        return joined_values([*pieces, large_text("}")], "", "null")


def _quoted(column: Any) -> Any:
    """Return values between quotation marks; none has a character that JSON escapes."""
    mark = large_text('"')
    return load_compute().binary_join_element_wise(mark, column, mark, large_text(""), null_handling="emit_null")


class TextWriter(LineWriter):
    """Writes columns of equal width, with numbers on the right; they become wider where a later batch needs it.

    Times are without the date.

    *width* is the number of characters of a line, the last of which are "..." if it is truncated; None: no limit.
    """

    def __init__(self, output: Output, names: Sequence[str], width: int | None) -> None:
        super().__init__(output, names)
        self._width = width
        self._widths: list[int] = []

    def _texts(self, batch: Any, name: str) -> Any:
        values = super()._texts(batch, name)
        return load_compute().utf8_slice_codeunits(values, _DATE_LENGTH, -1) if name == "time" else values

    def close(self) -> None:
        """Write the titles of a table without rows."""
        if not self._widths:
            pa = load_pyarrow()
            empty = pa.array([], pa.large_string())
            self._write(self._lines([empty for _ in self._names], [True for _ in self._names]))

    def _lines(self, columns: list[Any], textual: list[bool]) -> Any:
        pa, pc = load_pyarrow(), load_compute()
        if not self._widths:
            self._widths = [0 for _ in self._names]
            columns = [
                pa.concat_arrays([pa.array([name], pa.large_string()), pc.fill_null(column, _NULL)])
                for name, column in zip(self._names, columns, strict=True)
            ]
        else:
            columns = [pc.fill_null(column, _NULL) for column in columns]
        longest = [pc.max(pc.utf8_length(column)).as_py() for column in columns]
        self._widths = list(map(max, self._widths, longest))
        padded = [
            (pc.utf8_rpad if is_text else pc.utf8_lpad)(column, width=width)
            for column, is_text, width in zip(columns, textual, self._widths, strict=True)
        ]
        return self._within_width(pc.utf8_rtrim_whitespace(joined_values(padded, "  ", "")))

    def _within_width(self, lines: Any) -> Any:
        pc = load_compute()
        if self._width is None:
            return lines
        shortened = pc.utf8_slice_codeunits(lines, 0, max(0, self._width - len(_ELLIPSIS)))
        marked = joined_values([shortened, large_text(_ELLIPSIS[: self._width])], "", "")
        return pc.if_else(pc.greater(pc.utf8_length(lines), self._width), marked, lines)
