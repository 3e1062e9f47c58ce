"""Packets as buffers: a single packet is any buffer of bytes; a batch consists of ranges of one buffer."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, repeat
from operator import add
from typing import Any, Final, overload

from ..errors import PacketError
from .skb import PacketBytes


def as_packet(buffer: Any) -> PacketBytes:
    """Return the bytes of any buffer, without a copy if they are contiguous.

    Raises `PacketError` for any other object.
    """
    if isinstance(buffer, bytes):
        return buffer
    try:
        view = memoryview(buffer)
        return view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()
    except ValueError as error:
        raise PacketError(f"packet: {error}") from None
    except TypeError:
        raise PacketError(f"packet: expected a bytes-like object, got {type(buffer).__name__}") from None


class Packets(Sequence[memoryview]):
    """A batch of packets: ranges of one buffer, which is not copied.

    All ranges are checked once, on construction. The columns are copied and read-only; the buffer is not, so a change
    of its content changes the packets. `Packets.of` makes batches of arrays, lists and Arrow columns.

    Args:
        buffer: Any contiguous buffer of bytes.
        positions: The index in *buffer* of each packet's byte 0: 64-bit unsigned integers, in any iterable.
        lengths: The captured length of each packet, in bytes: 32-bit unsigned integers, in any iterable.
        wire_lengths: The length of each packet on the wire, in bytes; by default the captured lengths.

    Raises:
        PacketError: A range exceeds the buffer, the columns have different lengths, a value does not fit its column, or
            *buffer* is not a buffer.

    >>> packets = Packets(b"abcdefgh", positions=[0, 5], lengths=[2, 3])
    >>> [bytes(packet) for packet in packets]
    [b'ab', b'fgh']
    """

    __slots__ = ("buffer", "lengths", "positions", "wire_lengths")

    def __init__(
        self,
        buffer: Any,
        *,
        positions: Iterable[int],
        lengths: Iterable[int],
        wire_lengths: Iterable[int] | None = None,
    ) -> None:
        self.buffer: Final = memoryview(as_packet(buffer))
        self.positions: Final = _column("Q", "positions", positions)
        self.lengths: Final = _column("I", "lengths", lengths)
        self.wire_lengths: Final = self.lengths if wire_lengths is None else _column("I", "wire_lengths", wire_lengths)
        for name in ("lengths", "wire_lengths"):
            if len(getattr(self, name)) != len(self.positions):
                fact = f"has {len(getattr(self, name))} entries, but there are {len(self.positions)} positions"
                raise PacketError(f"Packets.{name}: {fact}")
        if max(map(add, self.positions, self.lengths), default=0) > len(self.buffer):
            self._reject_range()

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

    def _reject_range(self) -> None:
        """Raise `PacketError` for the first range that exceeds the buffer."""
        size = len(self.buffer)
        for index, (position, length) in enumerate(zip(self.positions, self.lengths, strict=True)):
            if position + length > size:
                fact = f"packet {index} is bytes {position} to {position + length}"
                raise PacketError(f"Packets: {fact}; the buffer has {size} bytes")

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> memoryview: ...

    @overload
    def __getitem__(self, index: slice) -> "Packets": ...

    def __getitem__(self, index: int | slice) -> "memoryview | Packets":
        if isinstance(index, slice):
            columns = {name: getattr(self, name)[index] for name in ("positions", "lengths", "wire_lengths")}
            return Packets(self.buffer, **columns)
        position = self.positions[index]
        return self.buffer[position : position + self.lengths[index]]

    def __iter__(self) -> Iterator[memoryview]:
        ends = map(add, self.positions, self.lengths)
        return map(self.buffer.__getitem__, map(slice, self.positions, ends))

    def __repr__(self) -> str:
        return f"<Packets: {len(self)} in {len(self.buffer)} bytes>"


def as_batch(source: Any) -> "Packets | Iterable[Any]":
    """Return *source* as `Packets` if it is a matrix of bytes or an Arrow column, else *source*, an iterable.

    Raises `PacketError` for an object that is neither, such as a single packet.
    """
    if isinstance(source, (Packets, list, tuple)):
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
    if not view.c_contiguous and step == 1 and stride >= width and not view.suboffsets:
        from .buffers import strided_rows

        return Packets(strided_rows(view), positions=range(0, count * stride, stride), lengths=repeat(width, count))
    return Packets(view, positions=range(0, count * width, width), lengths=repeat(width, count))


def _of_arrow(source: Any) -> Packets:
    from .arrow import import_column

    column = import_column(source)
    return Packets(column.buffer, positions=column.positions, lengths=column.lengths)


def _concatenated(buffers: Iterable[Any]) -> Packets:
    parts = [as_packet(buffer) for buffer in buffers]
    lengths = list(map(len, parts))
    positions = accumulate(lengths[:-1], initial=0) if lengths else ()
    return Packets(b"".join(parts), positions=positions, lengths=lengths)


def _column(typecode: str, name: str, numbers: Iterable[int]) -> memoryview:
    """Copy unsigned integers into a read-only column, so later changes to the source cannot invalidate the check."""
    with suppress(TypeError):
        numbers = memoryview(numbers)  # type: ignore[arg-type]  # faster; array() takes `bytes` as raw items otherwise
    try:
        return memoryview(array(typecode, numbers)).toreadonly()
    except (OverflowError, TypeError, ValueError, NotImplementedError) as error:
        raise PacketError(f"Packets.{name}: {error}") from None
