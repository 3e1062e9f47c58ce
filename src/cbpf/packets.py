"""Packets as buffers: one, any contiguous buffer of bytes; many, the ranges of one buffer."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from operator import add, lshift, or_
from typing import Any, Final, overload

from .errors import PacketError
from .socket_buffer import PacketBytes

_LENGTH_MASK: Final = 0xFFFF_FFFF


def as_packet(buffer: Any) -> PacketBytes:
    """The bytes of any buffer, without a copy where its layout allows; raises `PacketError` for anything else."""
    if isinstance(buffer, bytes):
        return buffer
    try:
        view = memoryview(buffer)
        return view.cast("B") if view.c_contiguous else view.tobytes()
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

    Raises `PacketError` for a range that leaves the buffer or columns of unequal length.

    >>> packets = Packets(b"abcdefgh", positions=[0, 5], lengths=[2, 3])
    >>> [bytes(packet) for packet in packets]
    [b'ab', b'fgh']
    """

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
    def of_rows(cls, matrix: Any) -> "Packets":
        """The rows of a two-dimensional buffer of bytes (a numpy array of shape (packets, bytes), say) as packets.

        >>> [bytes(row) for row in Packets.of_rows(memoryview(b"abcdef").cast("B", (2, 3)))]
        [b'abc', b'def']
        """
        try:
            view = memoryview(matrix)
        except TypeError:
            raise PacketError(f"Packets.of_rows: {type(matrix).__name__!r} object is no buffer") from None
        if view.ndim != 2 or view.itemsize != 1:
            raise PacketError(
                f"Packets.of_rows: has {view.ndim} dimensions of {view.itemsize} bytes; packets are rows of bytes"
            )
        count, width = view.shape
        return cls(
            view, positions=range(0, count * width, width) if width else repeat(0, count), lengths=repeat(width, count)
        )

    def _complain(self) -> None:
        size = len(self.buffer)
        for index, (position, length) in enumerate(zip(self.positions, self.lengths, strict=True)):
            if position + length > size:
                raise PacketError(
                    f"Packets: packet {index} is bytes {position} to {position + length} of a buffer of {size} bytes"
                )

    def rows(self, address: int) -> "array[int]":
        """The packets of a buffer that lies at *address*, as native code reads them: two 64-bit words a packet.

        The first is the address of its byte 0, the second its length in the lower and its wire length in the upper half.
        """
        rows = array("Q", bytes(16 * len(self)))
        rows[0::2] = array("Q", map(add, self.positions, repeat(address)))
        rows[1::2] = array("Q", map(or_, self.lengths, map(lshift, self.wire_lengths, repeat(32))))
        return rows

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


def _column(typecode: str, name: str, numbers: Iterable[int]) -> "array[int]":
    """A column of unsigned numbers, copied."""
    try:
        return array(typecode, numbers)
    except (OverflowError, TypeError) as error:
        raise PacketError(f"Packets.{name}: {error}") from None
