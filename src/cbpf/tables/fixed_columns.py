"""The columns of a table that the records of a capture contain, apart from the bytes of the packets."""

from .._typing import Any, Callable, Final, Mapping, Sequence
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..errors import TableWarning, warn
from .arrays import numbers
from .interfaces import InterfaceTable
from .libraries import load_compute, load_pyarrow

_MIN_TIME: Final = -(1 << 63)
_MAX_TIME: Final = (1 << 63) - 1


class FixedColumn:
    """A column of a table that is computed of the same rows of the capture.

    *function* returns the array for some packets of a capture; the array has its own memory.
    """

    def __init__(self, function: Callable[[CaptureReader, PacketColumns], Any]) -> None:
        self._function = function
        self._arrays: list[Any] = []

    def append(self, reader: CaptureReader, columns: PacketColumns) -> None:
        """Append the values of some packets."""
        self._arrays.append(self._function(reader, columns))

    def finish(self) -> Any:
        """Return the values that were appended as one array, and begin another."""
        arrays, self._arrays = self._arrays, []
        return arrays[0] if len(arrays) == 1 else load_pyarrow().concat_arrays(arrays)


def fixed_functions(table: InterfaceTable) -> Mapping[str, Callable[[CaptureReader, PacketColumns], Any]]:
    """Return the function of each fixed column; *table* receives the interfaces of the packets."""
    times = Times()
    return {
        "number": lambda reader, columns: _number(columns),
        "time": times.array,
        "interface": lambda reader, columns: _taken("uint32", table.indices(reader), columns),
        "link_type": lambda reader, columns: _link_types(table, reader, columns),
        "captured": lambda reader, columns: captured_lengths(columns),
        "length": lambda reader, columns: numbers("I", columns.wire_lengths, copy=True),
    }


def _number(columns: PacketColumns) -> Any:
    pc = load_compute()
    counted = pc.cast(numbers("I" if columns.native else "Q", columns.numbers), "uint64")
    return pc.add(counted, load_pyarrow().scalar(columns.before, "uint64"))


def captured_lengths(columns: PacketColumns) -> Any:
    """Return the number of captured bytes of each packet."""
    pc = load_compute()
    return pc.cast(pc.subtract(numbers("Q", columns.ends), numbers("Q", columns.starts)), "uint32")


def _taken(kind: str, values: Sequence[int], columns: PacketColumns) -> Any:
    """Return for each packet the value of its interface."""
    return load_pyarrow().array(values, kind).take(numbers("I", columns.interfaces))


def _link_types(table: InterfaceTable, reader: CaptureReader, columns: PacketColumns) -> Any:
    pa = load_pyarrow()
    indices = _taken("int32", table.link_type_indices(reader), columns)
    return pa.DictionaryArray.from_arrays(indices, pa.array(table.link_types, "string"))


class Times:
    """The column of times; the first time that does not fit in 64 bits is reported by a warning."""

    def __init__(self) -> None:
        self._has_warned = False

    def array(self, reader: CaptureReader, columns: PacketColumns) -> Any:
        """Return the times of packets; null for a packet without one, and for a time that does not fit."""
        pa = load_pyarrow()
        stamps, timed = columns.times_ns, columns.timed
        if not isinstance(stamps, memoryview):
            timed = self._timed(reader, columns)
            stamps = [time_ns if is_timed else 0 for time_ns, is_timed in zip(stamps, timed, strict=True)]
        values = numbers("q", stamps, copy=True)
        bitmap = None if all_set(timed) else load_compute().not_equal(numbers("B", timed), 0).buffers()[1]
        return pa.Array.from_buffers(pa.timestamp("ns", "UTC"), len(values), [bitmap, values.buffers()[1]])

    def _timed(self, reader: CaptureReader, columns: PacketColumns) -> Sequence[bool]:
        """Return whether each packet has a time that fits in 64 bits."""
        if min(columns.times_ns, default=0) >= _MIN_TIME and max(columns.times_ns, default=0) <= _MAX_TIME:
            return list(map(bool, columns.timed))
        fits = [_MIN_TIME <= time_ns <= _MAX_TIME for time_ns in columns.times_ns]
        if not self._has_warned:
            self._has_warned = True
            number = columns.before + columns.numbers[fits.index(False)]
            fact = "its time is outside the years 1677 to 2262"
            warn(f"{reader.name}: packet {number}: {fact}; such times are null in the table", TableWarning)
        return [fit and bool(is_timed) for fit, is_timed in zip(fits, columns.timed, strict=True)]


def all_set(flags: Sequence[int]) -> bool:
    """Return whether no flag is 0."""
    return 0 not in (flags.tobytes() if isinstance(flags, memoryview) else flags)
