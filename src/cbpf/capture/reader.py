"""Captures as streams: chunks of complete records, and packets one by one."""

from itertools import chain, islice

from .._named_tuple import NamedTuple
from .._stdlib import closing, deque, partial, suppress
from .._typing import TYPE_CHECKING, Final, Generator, Iterator, Literal, NoReturn, Self
from ..errors import CaptureError, DamagedCapture
from ..packet.link_types import LinkType
from .base import BEGIN_SIZE, HEAD_SIZE, Interface, RecordSpan, end_of, packet_count, with_packets
from .input import Input
from .input_buffer import InputBuffer
from .native.choice import is_worthwhile, size_of
from .registry import open_container
from .source_stream import Source

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..packet.batch import Packets
    from .packets import Packet, PacketColumns
    from .sampling import Sample
    from .times import TimeBounds

CHUNK_SIZE: Final = 1 << 20

_MAX_LOOK_AHEAD: Final = 1 << 24
_LOOK_AHEAD_SIZE: Final = 1 << 12  # of each chunk; small because many captures may be open at once


class Chunk(NamedTuple):
    """A buffer, and the complete records at its start."""

    buffer: bytes
    records: list[RecordSpan]


class CaptureReader(Iterator["Packet"]):
    """An iterator over the packets of a capture, which is read once from start to end.

    As a context manager it closes the file on exit, if it opened the file.

    Args:
        source: A path, "-" for standard input, or a binary file object.

    Raises:
        CaptureError: The source cannot be read or does not begin as a capture.
        DamagedCapture: While iterating, after the last complete packet, if the capture is truncated or corrupt.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._is_iterating = False
        self._pieces = self._make_pieces()
        self._packets: Iterator[Packet] = chain.from_iterable(self._pieces)
        self._input = Input(source)
        try:
            begin = self._input.read(BEGIN_SIZE)
            self.container = open_container(begin, self._input)
            self.container.describe_live(getattr(source, "live_interface", None))
        except BaseException:
            self._input.close()
            raise
        self._buffer = InputBuffer(self._input, begin[self.container.header_size :])
        self._count = 0
        self._ahead: deque[Chunk] = deque()

    @property
    def name(self) -> str:
        """The name in error messages: the path, "standard input", or the name of the file object."""
        return self._input.name

    @property
    def compression(self) -> str | None:
        """The compression format: "gzip", "zstd", "lz4", "xz", "lzma", "bzip2", or None."""
        return self._input.compression

    @property
    def file_size(self) -> int | None:
        """The size of the file on disk in bytes, or None if the source is not a regular file."""
        return self._input.size()

    @property
    def interfaces(self) -> tuple[Interface, ...]:
        """The interfaces described so far; a pcap has one, and each block of a pcapng may describe another."""
        return tuple(self.container.interfaces)

    @property
    def link_type(self) -> LinkType:
        """The link type of the first interface; raises `CaptureError` if the capture describes no interface."""
        return self._first_interface().link_type

    @property
    def snaplen(self) -> int:
        """The snapshot length of the first interface in bytes; raises `CaptureError` if there is no interface."""
        return self._first_interface().snaplen

    def _first_interface(self) -> Interface:
        self.look_ahead()
        if not self.container.interfaces:
            raise CaptureError(f"{self.name}: describes no interface and thus no link type")
        return self.container.interfaces[0]

    def __iter__(self) -> "Iterator[Packet]":
        return self._packets  # an iterator in C, whose steps are faster than those of this class

    def __next__(self) -> "Packet":
        return next(self._packets)

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks as they become available; an alternative to iterating over the packets.

        Yields:
            Pairs of a buffer and the list of the complete records at its start.

        Raises:
            DamagedCapture: After the last complete record, if the capture is truncated or corrupt there.
        """
        while (chunk := self.read_chunk(CHUNK_SIZE)) is not None:
            yield chunk

    def read_chunk(self, size: int) -> Chunk | None:
        """Return the next chunk.

        Args:
            size: The approximate size of the chunk in bytes; it contains one record at least.

        Returns:
            A buffer and the list of the complete records at its start, or None at the end of the capture.
        """
        return self._ahead.popleft() if self._ahead else self._read_chunk(size)

    def look_ahead(self) -> None:
        """Read until an interface is described, at most 16 MiB; `chunks` still yields everything that was read."""
        ahead = 0
        while not self.container.interfaces and ahead < _MAX_LOOK_AHEAD:
            chunk = self._read_ahead()
            if chunk is None:
                break
            ahead += len(chunk.buffer)

    def first_time_ns(self) -> int | None:
        """Read until there is a packet; `chunks` still yields everything.

        Returns:
            The time of the first packet that is not yet returned in a chunk, in nanoseconds since 1970 (UTC), or None
            if there is none, or if the capture is damaged before it, which is an error when its chunk is read.
        """
        if not self._count and self.descriptor() is not None:
            # through another reader, so that machine code can still read this file from its first packet on
            with suppress(CaptureError), CaptureReader(self._source) as reader:
                return reader._first_time_ahead()
        return self._first_time_ahead()

    def _first_time_ahead(self) -> int | None:
        chunks = iter(list(self._ahead))
        with suppress(DamagedCapture):
            while (chunk := next(chunks, None) or self._read_ahead()) is not None:
                for record in with_packets(chunk.records):
                    return self.container.time_ns(chunk.buffer, record)
        return None

    def _read_ahead(self) -> Chunk | None:
        chunk = self._read_chunk(_LOOK_AHEAD_SIZE, _LOOK_AHEAD_SIZE)
        if chunk is not None:
            self._ahead.append(chunk)
        return chunk

    def _read_chunk(self, size: int, read_size: int = CHUNK_SIZE) -> Chunk | None:
        """Return a chunk of about *size* bytes, or of the bytes that a live pipe has; None at the end."""
        needed = 0
        while True:
            buffer = self._buffer.peek(max(size, needed))
            records, needed, damage = self.container.scan(buffer, self._count + 1, self.name)
            if records:
                self._buffer.skip(end_of(records))
                self._count += packet_count(records)
                return Chunk(buffer, records)
            if damage is not None:
                raise damage
            if needed > len(self._buffer) and not self._buffer.fill(needed, read_size):
                break
        if self._buffer:
            place = self.container.place(self._buffer.peek(needed), self._count + 1)
            fact = f"{place}: {len(self._buffer)} of its {needed} bytes are present"
            raise DamagedCapture(f"{self.name}: {fact}; the capture is truncated")
        return None

    def complete_record(self) -> bool:
        """Read more bytes if only a part of the next record was read.

        Returns:
            Whether bytes were read; there may still be only a part.
        """
        needed = self.container.needed_size(self._buffer.peek(HEAD_SIZE))
        return not self._ahead and needed > len(self._buffer) and self._buffer.fill(needed, CHUNK_SIZE)

    @property
    def buffer(self) -> memoryview:
        """The bytes that were read but not yet returned in a chunk; they begin at the start of a record.

        Their memory is valid until the next chunk is read. Empty while a chunk that `look_ahead` read is still to be
        returned.
        """
        return memoryview(b"") if self._ahead else self._buffer.view

    def reading_ahead(self) -> "AbstractContextManager[None]":
        """Let a thread read ahead if that is worthwhile.

        Returns:
            A context, after which the capture cannot be read further.
        """
        return self._buffer.reading_ahead()

    @property
    def packets_read(self) -> int:
        """The number of packets before the current position."""
        return self._count

    def advance(self, size: int, packets: int) -> None:
        """Advance past records of the buffer that were read by the native scanner.

        Args:
            size: The number of bytes of these records.
            packets: The number of packets in them.
        """
        self._buffer.skip(size)
        self._count += packets
        self.container.advance(size)

    @property
    def position(self) -> int:
        """The position of the buffer in the capture, in bytes after decompression."""
        return self._buffer.position

    @property
    def source_bytes(self) -> int:
        """The number of bytes read of the source as it is stored."""
        return self._input.source_bytes

    def descriptor(self) -> int | None:
        """Return the descriptor of the source if it can be read at any position from `position` on.

        Returns:
            None for compressed captures, and for sources that are not regular files opened by this reader.
        """
        return None if self._ahead else self._input.file()

    def advance_to(self, position: int, packets: int) -> None:
        """Advance past records of the file that were read by the native scanner.

        Args:
            position: The position in the file, in bytes, of the next record to read.
            packets: The number of packets before it that are not counted yet.
        """
        self.container.advance(position - self.position)
        self._buffer.seek(position)
        self._count += packets

    def _make_pieces(self) -> "Generator[list[Packet], None, None]":
        self._is_iterating = True
        with closing(self.columns()) as results:
            for columns in results:
                yield from columns.pieces()

    def columns(self, *, is_native: bool | None = None) -> "Generator[PacketColumns, None, None]":
        """Yield the remaining packets as columns, each valid until the next is requested.

        Args:
            is_native: Whether machine code reads the capture; by default if it is worth its start.

        Yields:
            The packets of some consecutive records.

        Raises:
            DamagedCapture: After the last complete packet, if the capture is truncated or corrupt.
        """
        return self.selected("packets", is_native=is_native)

    def inputs(self, *, is_native: bool | None = None) -> "Generator[PacketColumns, None, None]":
        """Yield the remaining packets as columns for filters, each valid until the next is requested.

        Those that machine code reads have no times and numbers.

        Args:
            is_native: Whether machine code reads the capture; by default if it is worth its start.

        Yields:
            The packets of some consecutive records.

        Raises:
            DamagedCapture: After the last complete packet, if the capture is truncated or corrupt.
        """
        return self.selected("inputs", is_native=is_native)

    def selected(
        self,
        kind: Literal["packets", "inputs", "records"],
        bounds: "TimeBounds | None" = None,
        sample: "Sample | None" = None,
        *,
        is_native: bool | None = None,
    ) -> "Generator[PacketColumns, None, None]":
        """Yield the selected ones of the remaining packets as columns, each valid until the next is requested.

        Args:
            kind: "packets"; "inputs", as for `inputs`; or "records", which include those without a packet: machine code
                returns them as rows with the interface `NO_INTERFACE`.
            bounds: Only packets with times in these bounds; None: no bounds.
            sample: Only packets in this sample; None: all packets.
            is_native: Whether machine code reads the capture; by default if it is worth its start.

        Yields:
            The selected ones of some consecutive packets.

        Raises:
            DamagedCapture: After the last complete packet, if the capture is truncated or corrupt.
        """
        if is_worthwhile(size_of(self._source)) if is_native is None else is_native:
            from .native.run import all_columns

            yield from all_columns(self, kind, bounds, sample)
            return
        from .packets import columns_within

        before = 0
        for buffer, records in self.chunks():
            yield columns_within(self.container, buffer, records, before, bounds, sample)
            before += packet_count(records)

    def packets(self) -> "Packets":
        """Read the remaining packets.

        Returns:
            A batch for `VM.verdicts`, with the times and interfaces of the packets.

        Raises:
            DamagedCapture: The capture is truncated or corrupt.
        """
        from .batches import batch

        with closing(self._columns_of_iteration() if self._is_iterating else self.columns()) as results:
            return batch(results)

    def remaining_inputs(self) -> "Generator[PacketColumns, None, None]":
        """Yield the packets after those that were iterated over, as by `inputs`.

        Yields:
            Some consecutive packets.

        Raises:
            DamagedCapture: After the last complete packet, if the capture is truncated or corrupt.
        """
        return self._columns_of_iteration() if self._is_iterating else self.inputs()

    def _columns_of_iteration(self) -> "Generator[PacketColumns, None, None]":
        """Yield the packets after those that were iterated over."""
        from .packets import PIECE_SIZE, columns_of_packets

        while packets := list(islice(self._packets, PIECE_SIZE)):
            yield columns_of_packets(packets)

    def close(self) -> None:
        """Close the file, if this reader opened it."""
        has_ended = self._pieces.gi_frame is None  # type: ignore[attr-defined]  # of generator objects
        if self._is_iterating and not has_ended:
            self._pieces.close()
            self._packets = iter(partial(_report_closed, self.name), None)
        self._input.close()

    def park(self) -> None:
        """Close a regular file until it is read again, so that many readers can wait without open files."""
        self._input.park()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _report_closed(name: str) -> NoReturn:
    """Raise the error of a reader that was closed before its last packet."""
    raise CaptureError(f"{name}: the reader is closed")
