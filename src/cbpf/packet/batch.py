"""Packets as buffers: one, any contiguous buffer of bytes; many, the ranges of one buffer."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import accumulate, repeat
from operator import add
from typing import Any, Final, overload

from ..errors import PacketError
from .skb import PacketBytes


def as_packet(buffer: Any) -> PacketBytes:
    """The bytes of any buffer, without a copy where its layout allows; raises `PacketError` for anything else."""
    if isinstance(buffer, bytes):
        return buffer
    try:
        view = memoryview(buffer)
        return view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()
    except ValueError as error:
        raise PacketError(f"packet: {error}") from None
    except TypeError:
        raise PacketError(
            f"packet: {type(buffer).__name__!r} object is no buffer; pass bytes, bytearray, memoryview, or an array"
        ) from None


class Packets(Sequence[memoryview]):
    """Many packets in one buffer, as its ranges; nothing is copied, and every range is checked once, here.

      buffer: any contiguous buffer of bytes. It is read whenever the packets are: what changes it changes them.
      positions, lengths: where each packet begins and how many bytes of it are there: integers, in any iterable.
      wire_lengths: how many bytes each had; by default as many as are there.

    The columns are copied, and read-only from then on. Raises `PacketError` for a range that leaves the buffer or
    columns of unequal length. `Packets.of` makes them of arrays and lists.

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
                raise PacketError(f"Packets.{name}: {len(getattr(self, name))} for {len(self.positions)} positions")
        if max(map(add, self.positions, self.lengths), default=0) > len(self.buffer):
            self._complain()

    @classmethod
    def of(cls, source: Any) -> "Packets":
        """The packets that *source* holds, whatever it is.

          Packets: themselves.
          A two-dimensional buffer of bytes, a numpy array say: its rows; copied only where a row is not in one piece.
          An Arrow column of any library with the PyCapsule interface (pyarrow, polars, ...): its values. Those of
            binary, large_binary and fixed_size_binary are read where they lie; several chunks are joined, and so
            is binary_view, which is scattered by nature: a copy.
          Any iterable of buffers: joined, a copy.

        Raises `PacketError` for anything else; for an Arrow column with a null, with its index.

        >>> [bytes(packet) for packet in Packets.of(memoryview(b"abcdef").cast("B", (2, 3)))]
        [b'abc', b'def']
        >>> Packets.of([b"one", b"three"])
        <Packets: 2 in 8 bytes>
        """
        batch = as_batch(source)
        return batch if isinstance(batch, Packets) else _joined(batch)

    def _complain(self) -> None:
        size = len(self.buffer)
        for index, (position, length) in enumerate(zip(self.positions, self.lengths, strict=True)):
            if position + length > size:
                raise PacketError(
                    f"Packets: packet {index} is bytes {position} to {position + length} of a buffer of {size} bytes"
                )

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
    """`Packets` where *source* holds them in one piece or is an Arrow column, else the iterable that it is."""
    if isinstance(source, (Packets, list, tuple)):
        return source
    if hasattr(source, "__arrow_c_array__") or hasattr(source, "__arrow_c_stream__"):
        return _of_arrow(source)
    try:
        view = memoryview(source)
    except TypeError:
        if isinstance(source, Iterable) and not isinstance(source, str):
            return source
        raise PacketError(f"packets: {type(source).__name__!r} object holds no packets; {_TAKEN}") from None
    except ValueError as error:
        raise PacketError(f"packets: {error}") from None
    if view.ndim == 2 and view.itemsize == 1:
        return _of_rows(view)
    if view.ndim == 1 and view.format == "O":
        return list(source)
    single = view.ndim == 1 and view.itemsize == 1
    fact = "is a single packet" if single else f"has {view.ndim} dimensions of {view.itemsize} bytes"
    raise PacketError(f"packets: {type(source).__name__!r} object {fact}; {_TAKEN}")


_TAKEN: Final = "pass a list of buffers, a two-dimensional array of bytes, an Arrow column, or Packets"


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
    assert column is not None
    return Packets(column.buffer, positions=column.positions, lengths=column.lengths)


def _joined(buffers: Iterable[Any]) -> Packets:
    parts = [as_packet(buffer) for buffer in buffers]
    lengths = list(map(len, parts))
    positions = accumulate(lengths[:-1], initial=0) if lengths else ()
    return Packets(b"".join(parts), positions=positions, lengths=lengths)


def _column(typecode: str, name: str, numbers: Iterable[int]) -> memoryview:
    """A column of unsigned numbers, copied: who changes the original or asks this one to change changes no range."""
    with suppress(TypeError):
        numbers = memoryview(numbers)  # type: ignore[arg-type]  # faster, and of `bytes` the numbers too
    try:
        return memoryview(array(typecode, numbers)).toreadonly()
    except (OverflowError, TypeError, ValueError, NotImplementedError) as error:
        raise PacketError(f"Packets.{name}: {error}") from None
