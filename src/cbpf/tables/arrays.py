"""Columns of numbers as Arrow arrays, and parts of them.

A column of machine code is memory that the scanner uses again: an array of it is valid until the next columns are
requested, unless it is stated to be a copy.
"""

from array import array
from itertools import compress

from .._typing import Any, Final, Mapping, Sequence
from ..capture.packets import PacketColumns
from .libraries import load_compute, load_pyarrow

_TYPES: Final = {"B": "uint8", "I": "uint32", "Q": "uint64", "q": "int64"}
_INPUTS: Final = {"starts": "Q", "ends": "Q", "wire_lengths": "I", "interfaces": "I"}


def numbers(typecode: str, column: Sequence[int], *, copy: bool = False) -> Any:
    """Return a column of numbers as an array; raise `OverflowError` if one does not fit in the type."""
    pa = load_pyarrow()
    data: Any = array(typecode, column) if not isinstance(column, memoryview) else column.tobytes() if copy else column
    return pa.Array.from_buffers(pa.type_for_alias(_TYPES[typecode]), len(column), [None, pa.py_buffer(data)])


def column_of(typecode: str, values: Any) -> memoryview:
    """Return an array without nulls as a column, which keeps its memory alive."""
    view: Any = memoryview(values.buffers()[1] or b"").cast("B").cast(typecode)  # type: ignore[call-overload]
    column: memoryview = view[values.offset : values.offset + len(values)]
    return column


def rows_of(columns: PacketColumns, rows: slice) -> PacketColumns:
    """Return some consecutive rows, without a copy."""
    if rows == slice(0, len(columns.starts)):
        return columns
    names = ("starts", "ends", "times_ns", "numbers", "wire_lengths", "interfaces", "timed", "option_sizes")
    return columns._replace(**{name: getattr(columns, name)[rows] for name in names})


def inputs_of_rows(columns: PacketColumns, mask: Any) -> PacketColumns:
    """Return the rows that a Boolean array selects, with the columns that filters need."""
    taken: Mapping[str, Any]
    if columns.native is not None:
        filter = load_compute().filter
        taken = {
            name: column_of(code, filter(numbers(code, getattr(columns, name)), mask)) for name, code in _INPUTS.items()
        }
    else:
        flags = mask.to_pylist()
        taken = {name: list(compress(getattr(columns, name), flags)) for name in _INPUTS}
    return columns._replace(**taken, times_ns=(), numbers=(), timed=(), option_sizes=())
