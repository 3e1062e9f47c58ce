"""Packets as buffers: a single packet is any buffer of bytes; a batch consists of ranges of memory."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, repeat
from operator import add, attrgetter

from .._record import Immutable
from .._typing import TYPE_CHECKING, Any, Final, TypeAlias, final, overload
from ..errors import PacketError
from .batch_columns import TYPECODES, check_ranges, columns
from .device_memory import is_on_device
from .packet_bytes import as_packet

if TYPE_CHECKING:
    from .arrow import ChooseReader
    from .scattered_buffer import ScatteredBuffer


@final
class Packets(Immutable, Sequence[memoryview]):
    """A batch of packets: ranges of one buffer, which is not copied.

    All ranges are checked once, on construction. A batch is immutable: the columns are copied, and its attributes are
    read-only views. The buffer is not copied, so a change of its content changes the packets. `Packets.of` makes
    batches of arrays, lists and Arrow columns, whose packets may be in several buffers. The class cannot be subclassed.

    Args:
        buffer: Any contiguous buffer of bytes.
        positions: The index in *buffer* of each packet's byte 0: 64-bit unsigned integers, in any iterable.
        lengths: The captured length of each packet, in bytes: 32-bit unsigned integers, in any iterable.
        wire_lengths: The length of each packet on the wire, in bytes; by default the captured lengths.
        times_ns: The time stamp of each packet in nanoseconds since 1970 (UTC): 64-bit signed integers; None: unknown.
        interfaces: The index of each packet's interface in `CaptureReader.interfaces`; None: unknown.

    Raises:
        PacketError: A range exceeds the buffer, the columns have different lengths, a value does not fit its column, or
            *buffer* is not a buffer.

    >>> packets = Packets(b"abcdefgh", positions=[0, 5], lengths=[2, 3])
    >>> [bytes(packet) for packet in packets]
    [b'ab', b'fgh']
    """

    __slots__ = ("_buffer", "_copy", "_memory", *[f"_{name}" for name in TYPECODES])
    _buffer: "memoryview | ScatteredBuffer"
    _memory: memoryview  # of the buffer, for machine code
    _copy: "Packets"  # in one buffer; not set before it is needed
    _positions: memoryview
    _lengths: memoryview
    _wire_lengths: memoryview
    _times_ns: memoryview | None
    _interfaces: memoryview | None

    def __init__(
        self,
        buffer: Any,
        *,
        positions: Iterable[int],
        lengths: Iterable[int],
        wire_lengths: Iterable[int] | None = None,
        times_ns: Iterable[int] | None = None,
        interfaces: Iterable[int] | None = None,
    ) -> None:
        memory = memoryview(as_packet(buffer))
        given = {"positions": positions, "lengths": lengths, "times_ns": times_ns, "interfaces": interfaces}
        checked = columns(given | {"wire_lengths": wire_lengths})
        check_ranges(checked["positions"], checked["lengths"], len(memory))
        self._set_columns(memory, checked)

    def _set_columns(self, buffer: "memoryview | ScatteredBuffer", values: dict[str, Any]) -> None:
        """Set the buffer, which is known to contain all ranges, and the columns of `batch_columns`."""
        if values["wire_lengths"] is None:
            values["wire_lengths"] = values["lengths"]
        memory = buffer if isinstance(buffer, memoryview) else buffer.memory
        self._set_once(_buffer=buffer, _memory=memory, **{f"_{name}": column for name, column in values.items()})

    def __init_subclass__(cls) -> None:
        raise TypeError("Packets cannot be subclassed")  # machine code relies on the ranges that were checked

    @property
    def buffer(self) -> memoryview:
        """The bytes of which the packets are ranges: a copy, made at the first use, if they are in several buffers."""
        return memoryview(self._in_one_buffer()._memory)

    @property
    def positions(self) -> memoryview:
        """The index in `buffer` of each packet's byte 0, as read-only 64-bit unsigned integers."""
        return memoryview(self._in_one_buffer()._positions)

    @property
    def lengths(self) -> memoryview:
        """The captured length of each packet in bytes, as read-only 32-bit unsigned integers."""
        return memoryview(self._lengths)

    @property
    def wire_lengths(self) -> memoryview:
        """The length of each packet on the wire in bytes, as read-only 32-bit unsigned integers."""
        return memoryview(self._wire_lengths)

    @property
    def times_ns(self) -> memoryview | None:
        """The time stamp of each packet in nanoseconds since 1970 (UTC), as read-only 64-bit signed integers.

        None if they are unknown, or if one of them does not fit in 64 bits (outside the years 1677 to 2262). It is that
        of the time stamp 0 for a packet without one, as `Packet.time_ns`.
        """
        return None if self._times_ns is None else memoryview(self._times_ns)

    @property
    def interfaces(self) -> memoryview | None:
        """The index of each packet's interface in `CaptureReader.interfaces`, as read-only 32-bit unsigned integers.

        None if they are unknown.
        """
        return None if self._interfaces is None else memoryview(self._interfaces)

    @classmethod
    def of(cls, source: Any, *, wire_lengths: Iterable[int] | None = None) -> "Packets":
        """Return the packets that *source* contains.

        Args:
            source: One of these:

                - `Packets`: returned unchanged.
                - A two-dimensional buffer of bytes, such as a numpy array: its rows. Copied only if the bytes of a row
                  are not adjacent, or if the rows overlap or are in reverse order.
                - An Arrow column of any library with the PyCapsule interface (pyarrow, polars, ...): its values, which
                  are not copied. The memory of the column is released when the last view of a packet is freed.
                - Any iterable of buffers: concatenated.

            wire_lengths: The length of each packet on the wire, in bytes: 32-bit unsigned integers, in any iterable; by
                default those of *source* if it is `Packets`, else the captured lengths.

        Returns:
            The packets, in the order of *source*.

        Raises:
            PacketError: *source* is anything else, or an Arrow column with a null, whose index the message states; or
                a wire length does not fit in 32 bits, or their count differs from that of the packets.

        >>> [bytes(packet) for packet in Packets.of(memoryview(b"abcdef").cast("B", (2, 3)))]
        [b'abc', b'def']
        >>> Packets.of([b"one", b"three"])
        <Packets: 2 in 8 bytes>
        """
        batch = as_batch(source)
        packets = batch if isinstance(batch, Packets) else _concatenated(batch)
        if wire_lengths is None:
            return packets
        return _checked(packets._buffer, columns(packets._columns() | {"wire_lengths": wire_lengths}))

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> memoryview: ...

    @overload
    def __getitem__(self, index: slice) -> "Packets": ...

    def __getitem__(self, index: int | slice) -> "memoryview | Packets":
        if isinstance(index, slice):
            return _checked(self._buffer, columns({name: column[index] for name, column in self._columns().items()}))
        position = self._positions[index]
        return self._buffer[position : position + self._lengths[index]]

    def __iter__(self) -> Iterator[memoryview]:
        ends = map(add, self._positions, self._lengths)
        return map(self._buffer.__getitem__, map(slice, self._positions, ends))

    def __copy__(self) -> "Packets":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        values = {name: array(column.format, column) for name, column in self._columns().items()}
        return _restore, (bytes(self.buffer), values | {"positions": array("Q", self.positions)})

    def _in_one_buffer(self) -> "Packets":
        """Return the packets as ranges of one buffer: this batch, or a copy without other columns, made once."""
        if isinstance(self._buffer, memoryview):
            return self
        if not hasattr(self, "_copy"):
            object.__setattr__(self, "_copy", _concatenated(self))
        return self._copy

    def _columns(self) -> dict[str, memoryview]:
        """Return the columns that are known, by the names of the arguments; positions count in `_buffer`."""
        values = {name: getattr(self, f"_{name}") for name in TYPECODES}
        return {name: column for name, column in values.items() if column is not None}

    def __repr__(self) -> str:
        return f"<Packets: {len(self)} in {len(self._buffer)} bytes>"


Columns: TypeAlias = tuple[memoryview, memoryview, memoryview, memoryview]
"""The buffer, the positions, the lengths and the wire lengths of `Packets`."""

columns_of: Final[Callable[[Packets], Columns]] = attrgetter("_memory", "_positions", "_lengths", "_wire_lengths")
"""Return the columns of a batch for machine code; the caller must not release them, or read other bytes of the buffer.

Only the ranges of the packets are certain to be mapped.
"""


def _checked(buffer: "memoryview | ScatteredBuffer", columns: dict[str, Any]) -> Packets:
    """Return a batch of ranges that are known to be inside the buffer; the columns are those of `batch_columns`."""
    packets = object.__new__(Packets)
    packets._set_columns(buffer, columns)
    return packets


def _restore(buffer: bytes, values: dict[str, Any]) -> Packets:
    return Packets(buffer, **values)


def as_batch(
    source: Any, choose_reader: "ChooseReader | None" = None, *, accepts_devices: bool = False
) -> "Packets | Iterable[Any]":
    """Return *source* as `Packets` if it is a matrix of bytes or an Arrow column, else *source*, an iterable.

    *choose_reader* returns the reader of the ranges of an Arrow column; by default, that in Python. With
    *accepts_devices*, an object in the memory of a CUDA device is returned as well. Raises `PacketError` for any other
    object, such as a single packet.
    """
    if type(source) is Packets or isinstance(source, (list, tuple)):
        return source
    if hasattr(source, "__arrow_c_array__") or hasattr(source, "__arrow_c_stream__"):
        return _of_arrow(source, choose_reader)
    try:
        view = memoryview(source)
    except TypeError:
        if is_on_device(source):
            if not accepts_devices:
                raise PacketError("packets: they are in the memory of a CUDA device; use engine='cuda'") from None
            on_device: Iterable[Any] = source
            return on_device
        if isinstance(source, Iterable) and not isinstance(source, str):
            return source
        raise PacketError(f"packets: {type(source).__name__!r} object does not contain packets; {_ACCEPTED}") from None
    except ValueError as error:
        raise PacketError(f"packets: {error}") from None
    if view.ndim == 2 and view.itemsize == 1:
        return _of_rows(view)
    if view.ndim == 1 and view.format == "O":
        return list(source)
    is_packet = view.ndim == 1 and view.itemsize == 1
    fact = "is a single packet" if is_packet else f"has {view.ndim} dimensions of {view.itemsize} bytes"
    raise PacketError(f"packets: {type(source).__name__!r} object {fact}; {_ACCEPTED}")


_ACCEPTED: Final = "pass a list of buffers, a two-dimensional array of bytes, an Arrow column, or Packets"


def _of_rows(view: memoryview) -> Packets:
    count, width = view.shape or (0, 0)
    stride, step = view.strides or (0, 0)
    if not view.nbytes:
        return Packets(b"", positions=repeat(0, count), lengths=repeat(0, count))
    if not view.c_contiguous and step == 1 and stride >= width and not view.suboffsets and _has_c_api():
        from .buffers import strided_rows

        return Packets(strided_rows(view), positions=range(0, count * stride, stride), lengths=repeat(width, count))
    return Packets(view, positions=range(0, count * width, width), lengths=repeat(width, count))


def _has_c_api() -> bool:
    from .buffers import has_c_api

    return has_c_api()


def _of_arrow(source: Any, choose_reader: "ChooseReader | None") -> Packets:
    if not _has_c_api():
        raise PacketError("packets: Arrow columns need CPython on a 64-bit system; pass a list of buffers")
    from .arrow import import_column

    buffer, ranges = import_column(source) if choose_reader is None else import_column(source, choose_reader)
    numbers = {"positions": memoryview(ranges.positions).cast("Q"), "lengths": memoryview(ranges.lengths).cast("I")}
    return _checked(memoryview(buffer) if isinstance(buffer, bytes) else buffer, dict.fromkeys(TYPECODES) | numbers)


def _concatenated(buffers: Iterable[Any]) -> Packets:
    parts = [as_packet(buffer) for buffer in buffers]
    lengths = list(map(len, parts))
    positions = accumulate(lengths[:-1], initial=0) if lengths else ()
    return Packets(b"".join(parts), positions=positions, lengths=lengths)
