"""The packets of a network interface, as they arrive."""

from collections.abc import Generator, Iterable, Iterator, Mapping
from itertools import chain

from .._typing import TYPE_CHECKING, Any, BinaryIO, Final, Literal, Self, TypeAlias, get_args
from .._validators import flag, instance_of, one_of, optional, seconds, text, within
from ..capture.base import SECOND, Interface
from ..capture.live_interface import InterfaceStatistics
from ..capture.packets import Packet
from ..capture.reader import CaptureReader
from ..errors import FieldError
from ..facade.arguments import ProgramSource
from ..filtering.arguments import route_pairs
from ..filtering.bound_filter import Filter
from ..filtering.summary import Summary
from ..packet.af_packet import SocketView, socket_view
from ..packet.host_order import HOST_BYTE_ORDER
from ..packet.link_types import LinkType
from ..packet.link_types import link_type as find_link_type
from .capture_loop import CaptureLoop, RehearsalLoop
from .filter_change import FilterChange, repeated_filter
from .filters import LiveTarget
from .libpcap_handle import HandleOptions, LibpcapHandle
from .packet_stream import PacketStream, prepare_reader
from .recording import Path, RecordedContainer, record, record_routes

if TYPE_CHECKING:
    from ..filtering.rotation import Rotation

CaptureDirection: TypeAlias = Literal["both", "in", "out"]
"""The packets to capture: those that the host receives, those that it sends, or both."""

DEFAULT_BUFFER_SIZE: Final = 1 << 24

_check_snaplen: Final = within(1, 262_144, "a snapshot length")
_check_buffer_size: Final = within(1 << 12, (1 << 31) - 1, "a buffer size in bytes")
_check_count: Final = optional(within(1, 2**63 - 1, "a number of packets"))
_check_seconds: Final = optional(seconds)
_check_direction: Final = one_of(*get_args(CaptureDirection))
_check_packet: Final = instance_of(Packet)
_MAX_BLOCK_TIME: Final = 3600  # seconds


def sniff(
    interface: str,
    filter: ProgramSource = "",
    *,
    snaplen: int = 262_144,
    promiscuous: bool = True,
    monitor: bool = False,
    direction: CaptureDirection = "both",
    link_type: str | int | LinkType | None = None,
    count: int | None = None,
    duration: float | None = None,
    nanoseconds: bool = True,
    clock: str | None = None,
    immediate: bool = False,
    block_time: float = 0.1,
    buffer_size: int = DEFAULT_BUFFER_SIZE,
) -> "Sniffer":
    """Capture the packets of a network interface.

    The system's kernel runs the filter; packets that it rejects cost little. libpcap is required: the extra `libpcap`,
    or the library of the system. Capturing requires privileges: on Linux root, or the capability CAP_NET_RAW.

    Args:
        interface: The name of the interface, such as "eth0"; on Linux, "any" captures on all.
            `network_interfaces` lists them.
        filter: The packets to capture: a filter expression, which is compiled for the link type of the interface, or a
            program for it. By default all packets.
        snaplen: The maximum number of bytes captured of a packet, 1 to 262,144.
        promiscuous: Whether to capture also packets for other hosts that the interface sees.
        monitor: Whether to set a wireless interface to monitor mode.
        direction: "in" for the packets that the host receives, "out" for those that it sends, or "both".
        link_type: The link type of the packets, if the interface has several; by default the usual one.
        count: The number of packets after which the capture ends; None: no limit.
        duration: The time in seconds after which the capture is stopped; None: no limit.
        nanoseconds: Whether times have nanoseconds; False: microseconds.
        clock: The type of time stamps, such as "adapter" (pcap-tstamp(7)); by default that of the host.
        immediate: Whether to deliver each packet when it arrives, at a greater expense of time. By default, packets are
            delivered in blocks, each when it is full or after *block_time*.
        block_time: The time in seconds, 0.001 to 3600, after which a block is delivered although it is not full.
        buffer_size: The size in bytes of the system's buffer for packets that have not been read yet.

    Returns:
        An iterator over the packets, and context manager.

    Raises:
        CaptureError: There is no such interface, it is down, or the privilege to capture is missing.
        ExpressionError: The expression cannot be compiled for the link type of the interface.
        FieldError: An argument is invalid.
        MissingLibrary: libpcap is not installed.
        VerificationError: The system's kernel would reject the program.

    >>> def print_dns_packets() -> None:  # requires privileges
    ...     with sniff("eth0", "udp port 53", duration=60) as sniffer:
    ...         for packet in sniffer:
    ...             print(packet.datetime, packet.wire_length)
    """
    is_immediate = flag("sniff.immediate", immediate)
    milliseconds = round(1000 * min(seconds("sniff.block_time", block_time), _MAX_BLOCK_TIME)) or 1
    options = HandleOptions(
        snaplen=_check_snaplen("sniff.snaplen", snaplen),
        promiscuous=flag("sniff.promiscuous", promiscuous),
        monitor=flag("sniff.monitor", monitor),
        immediate=is_immediate,
        block_time=milliseconds,
        buffer_size=_check_buffer_size("sniff.buffer_size", buffer_size),
        link_type=None if link_type is None else find_link_type(link_type),
        direction=_check_direction("sniff.direction", direction),
        nanoseconds=flag("sniff.nanoseconds", nanoseconds),
        clock=None if clock is None else text("sniff.clock", clock),
    )
    count, duration = _check_count("sniff.count", count), _check_seconds("sniff.duration", duration)
    prepare_reader()
    handle = LibpcapHandle(text("sniff.interface", interface), options)
    loop = CaptureLoop(handle, count=count, duration=duration, block_time=0 if is_immediate else milliseconds / 1000)
    try:
        return Sniffer(loop, filter)
    except BaseException:
        loop.close()
        raise


class Sniffer(Iterator[Packet]):
    """An iterator over the packets of a network interface, which `sniff` returns; as a context manager it closes it.

    One thread iterates or records; other threads may call `stop`, `close`, `set_filter` and `statistics`.

    Args:
        loop: The loop over the packets of an opened interface.
        filter: The first filter; None: the interface has its filter.
    """

    def __init__(self, loop: CaptureLoop, filter: "ProgramSource | None") -> None:
        if not isinstance(loop, CaptureLoop):
            raise FieldError(f"Sniffer.loop: {loop!r} is not the loop of a capture; cbpf.sniff returns a Sniffer")
        handle = loop.handle
        self._loop = loop
        self._target = LiveTarget(handle.interface, handle.link_type, handle.snaplen)
        self._packets = self._iterate()
        self._piece: list[Packet | None] = []
        self._stream: PacketStream | None = None
        self._change: FilterChange | None = None
        if filter is not None:
            handle.set_first_filter(self._target.program(filter))

    @property
    def interface(self) -> Interface:
        """The interface: its name, the link type of its packets, and the snapshot length."""
        name, link_type, snaplen = self._target
        return Interface(link_type, snaplen, HOST_BYTE_ORDER, SECOND, name=name)

    @property
    def link_type(self) -> LinkType:
        """The link type of the packets."""
        return self._target.link_type

    def statistics(self) -> InterfaceStatistics:
        """Return the numbers of packets that the filter accepted so far, and of those that were dropped.

        Returns:
            The counts; after the end of the capture the last ones.
        """
        return self._loop.statistics()

    @property
    def packets_captured(self) -> int:
        """The number of packets that were captured so far, among them those that are not delivered yet."""
        return self._loop.packets

    @property
    def dropped(self) -> int:
        """The number of packets that were dropped so far because the buffer was full."""
        return self.statistics().dropped

    def __iter__(self) -> Iterator[Packet]:
        return self._packets

    def __next__(self) -> Packet:
        return next(self._packets)

    def _iterate(self) -> Iterator[Packet]:
        """Return an iterator that takes no step in Python for each packet."""
        return filter(None, chain.from_iterable(self._pieces()))

    def _pieces(self) -> Generator[list[Packet | None], None, None]:
        """Yield the packets, some at once, with None for those that the filter has rejected since they arrived."""
        for columns in CaptureReader(self.stream()).columns():
            pieces: Iterator[Any] = columns.pieces()
            for self._piece in pieces:
                self._filter_again()  # after the assignment, so that no change of the filter misses these packets
                yield self._piece

    def _filter_again(self) -> None:
        if self._change is not None:
            self._change.apply(self._piece)

    def view(self, packet: Packet) -> SocketView:
        """Return a packet as the filter saw it, with the metadata that is known: VLAN tag, direction, interface.

        libpcap inserts the VLAN tag, which the kernel removes, into the packet again. The direction (`packet_type`) and
        the interface are known on "any", and the index of the interface for the link type LINUX_SLL2.

        Args:
            packet: A packet of this sniffer.

        Returns:
            The bytes and the metadata; see `socket_view`.

        Raises:
            FieldError: *packet* is not a `Packet`.
        """
        packet = _check_packet("view.packet", packet)
        return socket_view(packet.data, self._target.link_type, packet.wire_length)

    def set_filter(self, filter: ProgramSource) -> None:
        """Replace the filter while the capture runs.

        After this call, the iterator returns only packets that the new filter accepts: those that arrived before are
        filtered again. No packet is lost, unless the filter tests metadata that only the kernel has, such as
        `inbound`: then those that arrived before are discarded, and packets of some milliseconds are lost. A file that
        another thread writes has the packets that arrived before as the earlier filter accepted them.

        Args:
            filter: The new filter, as for `sniff`.

        Raises:
            CaptureError: The capture is closed.
            ExpressionError: The expression cannot be compiled for the link type of the interface; the filter is
                unchanged, as after the other errors.
            VerificationError: The system's kernel would reject the program.
        """
        program = self._target.program(filter)
        with self._loop.exclusive():
            self._loop.require_open()
            repeated = repeated_filter(program, self._target)
            packets = self._loop.replace_filter(program, is_repeatable=repeated is not None)
            self._change = FilterChange(repeated, packets)
        self._filter_again()

    def record(
        self,
        target: Path,
        *,
        container: RecordedContainer | None = None,
        compress: str | None = None,
        rotation: "Rotation | None" = None,
    ) -> None:
        """Write the remaining packets to a file, until the end of the capture.

        The file grows while the capture runs. It has complete packets also after an exception, such as one of a full
        disk or of Ctrl-C; `stop` ends the capture without loss.

        Args:
            target: A path, or "-" for standard output.
            container: "pcap" or "pcapng"; by default "pcapng" if the name ends in .pcapng, also before the suffix of a
                compression, and otherwise "pcap". A pcapng has the name of the interface and, at its end, the counts of
                `statistics`.
            compress: The compression, as for `filter_capture`; by default, the suffix of the name decides.
            rotation: Write one file after another, as `filter_capture` does: each appears when it is complete.

        Raises:
            CaptureError: The capture fails, for example because the interface vanishes, or the file cannot be written.
            FieldError: An argument is invalid.
            MissingLibrary: The library of the compression is not installed.
        """
        self._loop.require_open()
        record(self._loop, self._stream, target, container=container, compress=compress, rotation=rotation)

    def split(
        self,
        routes: Mapping[str, Path] | Iterable[tuple[Filter, Path]],
        *,
        rest: Path | None = None,
        container: RecordedContainer | None = None,
        compress: str | None = None,
    ) -> list[Summary]:
        """Write the remaining packets to several files, until the end of the capture, as `split_capture` does.

        Args:
            routes: Filters and their files, as a mapping or as pairs. A packet goes to every file whose filter accepts
                it. These filters run in this process, on the packets that the filter of the capture accepts.
            rest: The file for packets that no filter accepts; None: they are not written.
            container: The format of the files, as for `record`; by default their names decide, which must agree.
            compress: The compression of the files; by default, the suffix of each name decides.

        Returns:
            The counts of each file, and last those of the rest.

        Raises:
            CaptureError: The capture fails, or a file cannot be written.
            ExpressionError: An expression cannot be compiled.
            FieldError: An argument is invalid.
            MissingLibrary: The library of a compression is not installed.
        """
        self._loop.require_open()
        pairs = route_pairs("split.routes", routes)
        return record_routes(self._packet_stream(), pairs, rest, container=container, compress=compress)

    def rehearsal(self) -> "Sniffer":
        """Return a sniffer that receives one empty packet and ends, for a program that gives up privileges.

        If it is iterated or recorded as this one will be, everything is imported that this one needs: the files of
        Python may be unreadable later.

        Returns:
            The sniffer, a context manager. Closing it does not close this one.
        """
        return Sniffer(RehearsalLoop(self._loop.handle), None)

    def stop(self) -> None:
        """End the capture without loss: the iterator returns the packets that have arrived, and then ends.

        A signal handler may call this method.
        """
        self._loop.stop()

    def close(self) -> None:
        """End the capture now. Packets that have not been read are lost; the statistics remain."""
        self._loop.close()

    def stream(self) -> BinaryIO:
        """Return the remaining packets as a binary file object: a pcap with nanoseconds, for `filter_capture`.

        Returns:
            The file object, which is the same in each call. Each read waits until packets arrive.
        """
        return self._packet_stream().as_file()

    def _packet_stream(self) -> PacketStream:
        if self._stream is None:
            self._loop.require_open()
            self._stream = PacketStream(self._loop)
        return self._stream

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
