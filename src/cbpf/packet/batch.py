"""Packets as buffers: a single packet is any buffer of bytes; a batch consists of ranges of one buffer."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, repeat
from operator import add, attrgetter

from .._record import Immutable
from .._typing import Any, Final, Literal, TypeAlias, final, overload
from ..errors import PacketError
from .packet_bytes import as_packet


@final
class Packets(Immutable, Sequence[memoryview]):
    """A batch of packets: ranges of one buffer, which is not copied.

    All ranges are checked once, on construction. A batch is immutable: the columns are copied, and its attributes are
    read-only views. The buffer is not copied, so a change of its content changes the packets. `Packets.of` makes
    batches of arrays, lists and Arrow columns. The class cannot be subclassed.

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

    __slots__ = ("_buffer", "_interfaces", "_lengths", "_positions", "_times_ns", "_wire_lengths")
    _buffer: memoryview
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
        columns = {"positions": _column("Q", "positions", positions), "lengths": _column("I", "lengths", lengths)}
        wire = columns["lengths"] if wire_lengths is None else _column("I", "wire_lengths", wire_lengths)
        columns["wire_lengths"] = wire
        optional = {
            "times_ns": None if times_ns is None else _column("q", "times_ns", times_ns),
            "interfaces": None if interfaces is None else _column("I", "interfaces", interfaces),
        }
        for name, column in (columns | optional).items():
            if column is not None and len(column) != len(columns["positions"]):
                fact = f"has {len(column)} entries, but there are {len(columns['positions'])} positions"
                raise PacketError(f"Packets.{name}: {fact}")
        if max(map(add, columns["positions"], columns["lengths"]), default=0) > len(memory):
            _reject_range(memory, columns["positions"], columns["lengths"])
        self._set_once(_buffer=memory, **{f"_{name}": column for name, column in (columns | optional).items()})

    def __init_subclass__(cls) -> None:
        raise TypeError("Packets cannot be subclassed")  # machine code relies on the ranges that were checked

    @property
    def buffer(self) -> memoryview:
        """The bytes of which the packets are ranges."""
        return memoryview(self._buffer)

    @property
    def positions(self) -> memoryview:
        """The index in `buffer` of each packet's byte 0, as read-only 64-bit unsigned integers."""
        return memoryview(self._positions)

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
    def of(cls, source: Any) -> "Packets":
        """Return the packets that *source* contains.

        Args:
            source: One of these:

                - `Packets`: returned unchanged.
                - A two-dimensional buffer of bytes, such as a numpy array: its rows. Copied only if the bytes of a row
                  are not adjacent, or if the rows overlap or are in reverse order.
                - An Arrow column of any library with the PyCapsule interface (pyarrow, polars, ...): its values. One
                  chunk of binary, large_binary or fixed_size_binary is not copied; several chunks, and binary_view,
                  whose values are in several buffers, are concatenated.
                - Any iterable of buffers: concatenated.

        Returns:
            The packets, in the order of *source*.

        Raises:
            PacketError: *source* is anything else, or an Arrow column with a null, whose index the message states.

        >>> [bytes(packet) for packet in Packets.of(memoryview(b"abcdef").cast("B", (2, 3)))]
        [b'abc', b'def']
        >>> Packets.of([b"one", b"three"])
        <Packets: 2 in 8 bytes>
        """
        batch = as_batch(source)
        return batch if isinstance(batch, Packets) else _concatenated(batch)

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> memoryview: ...

    @overload
    def __getitem__(self, index: slice) -> "Packets": ...

    def __getitem__(self, index: int | slice) -> "memoryview | Packets":
        if isinstance(index, slice):
            return Packets(self._buffer, **{name: column[index] for name, column in self._columns().items()})
        position = self._positions[index]
        return self._buffer[position : position + self._lengths[index]]

    def __iter__(self) -> Iterator[memoryview]:
        ends = map(add, self._positions, self._lengths)
        return map(self._buffer.__getitem__, map(slice, self._positions, ends))

    def __copy__(self) -> "Packets":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        columns = {name: array(column.format, column) for name, column in self._columns().items()}
        return _restore, (bytes(self._buffer), columns)

    def _columns(self) -> dict[str, Any]:
        """Return the columns that are known, by the names of the arguments."""
        names = ("positions", "lengths", "wire_lengths", "times_ns", "interfaces")
        columns = {name: getattr(self, f"_{name}") for name in names}
        return {name: column for name, column in columns.items() if column is not None}

    def __repr__(self) -> str:
        return f"<Packets: {len(self)} in {len(self._buffer)} bytes>"


Columns: TypeAlias = tuple[memoryview, memoryview, memoryview, memoryview]
"""The buffer, the positions, the lengths and the wire lengths of `Packets`."""

columns_of: Final[Callable[[Packets], Columns]] = attrgetter("_buffer", "_positions", "_lengths", "_wire_lengths")
"""Return the columns of a batch, which the caller must not release."""


def _restore(buffer: bytes, columns: dict[str, Any]) -> Packets:
    return Packets(buffer, **columns)


def _reject_range(buffer: memoryview, positions: memoryview, lengths: memoryview) -> None:
    """Raise `PacketError` for the first range that exceeds the buffer."""
    for index, (position, length) in enumerate(zip(positions, lengths, strict=True)):
        if position + length > len(buffer):
            fact = f"packet {index} is bytes {position} to {position + length}"
            raise PacketError(f"Packets: {fact}; the buffer has {len(buffer)} bytes")


def as_batch(source: Any) -> "Packets | Iterable[Any]":
    """Return *source* as `Packets` if it is a matrix of bytes or an Arrow column, else *source*, an iterable.

    Raises `PacketError` for an object that is neither, such as a single packet.
    """
    if type(source) is Packets or isinstance(source, (list, tuple)):
        return source
    if hasattr(source, "__arrow_c_array__") or hasattr(source, "__arrow_c_stream__"):
        return _of_arrow(source)
    try:
        view = memoryview(source)
    except TypeError:
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


def _of_arrow(source: Any) -> Packets:
    if not _has_c_api():
        raise PacketError("packets: Arrow columns need CPython on a 64-bit system; pass a list of buffers")
    from .arrow import import_column

    column = import_column(source)
    return Packets(column.buffer, positions=column.positions, lengths=column.lengths)


def _concatenated(buffers: Iterable[Any]) -> Packets:
    parts = [as_packet(buffer) for buffer in buffers]
    lengths = list(map(len, parts))
    positions = accumulate(lengths[:-1], initial=0) if lengths else ()
    return Packets(b"".join(parts), positions=positions, lengths=lengths)


def _column(typecode: Literal["Q", "q", "I"], name: str, numbers: Iterable[int]) -> memoryview:
    """Copy integers into a column that cannot change, so that the check of the ranges remains valid.

    Its memory is that of a `bytes` object: an array would be returned by `memoryview.obj`, and can be written.
    """
    with suppress(TypeError):
        numbers = memoryview(numbers)  # type: ignore[arg-type]  # faster; array() takes `bytes` as raw items otherwise
    try:
        if isinstance(numbers, memoryview) and (numbers.format, numbers.ndim) == (typecode, 1) and len(numbers):
            return memoryview(numbers.tobytes()).cast(typecode)
        data = array(typecode, numbers)
    except (OverflowError, TypeError, ValueError, NotImplementedError, MemoryError) as error:
        raise PacketError(f"Packets.{name}: {error or 'too many numbers'}") from None
    return memoryview(data.tobytes()).cast(typecode) if data else memoryview(data).toreadonly()
