"""A pass by machine code: what of a capture is swept, and how it is told what its records are."""

import ctypes
import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Final, NamedTuple, Protocol, Self

from ..capture.base import ByteOrder, Interface
from ..capture.native.abi import MOST_CLASSES, NOT_YET
from ..capture.native.mapped_file import MappedFile
from ..capture.native.scanner import ScannedRecords, Scanner, ScanPlan, scan_file
from ..capture.reader import CaptureReader
from ..packet.buffers import address_of
from .bound_filter import BoundFilter, PacketKind, packet_kind

_SMALLEST_BUFFER: Final = 1 << 21  # that memory is made ready for


class ResultSink(Protocol):
    """Whoever wants what is found."""

    def exceeds(self, found: ScannedRecords) -> bool:
        """Whether more was found than is wanted."""

    def take(self, found: ScannedRecords) -> None:
        """Takes it; its memory is used again after that."""

    def tell(self, reader: CaptureReader) -> None:
        """Hears how far the capture was read."""


class _Stretch(NamedTuple):
    """What a plan depends on, beside the filters: where it changes, a new plan is made."""

    byte_order: ByteOrder
    interfaces: Sequence[Interface]
    ready: int  # kinds of packets that the filters have machine code for


class NativeRun:
    """Sweeps a capture, as far as its records are usual; a context manager."""

    def __init__(
        self, reader: CaptureReader, matchings: Sequence[BoundFilter], wanted: Sequence[bool], *, cautiously: bool
    ) -> None:
        """wanted: see `Plan`; cautiously: see `sweep_file`."""
        self._reader = reader
        self._matchings = matchings
        self._wanted = wanted
        self._cautiously = cautiously
        self._ended = False
        self._file: MappedFile | None = None
        self._stack = ExitStack()
        self._plan: ScanPlan | None = None
        self._stretch: _Stretch | None = None
        self._sweeper: Scanner | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def step(self) -> int:
        """How many bytes a sweep should get on by, if it is to be worth its beginning."""
        return 1 << 20 if self._file is not None else 1 << 13

    def sweep(self, taker: ResultSink) -> None:
        """Sweeps up to the next record that is not usual, or for good if more is found than is wanted."""
        if self._ended:
            return
        if self._file is None and (descriptor := self._reader.descriptor()) is not None:
            self._file = self._stack.enter_context(MappedFile(descriptor, self._reader.name))
        plan = self._make_plan()
        if plan is None:
            return
        if self._file is not None:
            self._sweep_file(self._file, plan, taker)
        elif self._reader.buffer:
            self._sweep_buffer(plan, taker)

    def _sweep_file(self, file: MappedFile, plan: ScanPlan, taker: ResultSink) -> None:
        with closing(scan_file(file, self._reader.position, plan, cautiously=self._cautiously)) as all_found:
            self._cautiously = True  # where it is gone on with, it may end soon again
            for found in all_found:
                if taker.exceeds(found):
                    self._ended = True
                    return
                taker.take(found)
                self._reader.advance_to(found.position, found.packets)
                taker.tell(self._reader)

    def _sweep_buffer(self, plan: ScanPlan, taker: ResultSink) -> None:
        buffer = self._reader.buffer
        if self._sweeper is None or len(buffer) > self._sweeper.window:
            self._sweeper = Scanner(plan, max(len(buffer), _SMALLEST_BUFFER))
        with address_of(buffer) as address:
            found = self._sweeper.scan(address, 0, len(buffer), len(buffer), lanes=1)
            assert found is not None  # a single lane is always a chain
            if taker.exceeds(found):
                self._ended = True
            elif found.position:
                taker.take(found)
                self._reader.advance(found.position, found.packets)
                taker.tell(self._reader)

    def _make_plan(self) -> ScanPlan | None:
        """The plan for the records to come; None: they are Python's."""
        container = self._reader.container
        interfaces = container.section_interfaces
        kinds = list(dict.fromkeys(map(packet_kind, interfaces)))
        ready = [kind for kind in kinds if all(one.native(kind) is not None for one in self._matchings)][:MOST_CLASSES]
        if not ready:
            return None
        stretch = _Stretch(container.sections[-1].byte_order, tuple(interfaces), len(ready))
        if self._plan is None or stretch != self._stretch:
            native_scan = container.native_scan(self._next_record())
            if native_scan is None:
                return None
            self._stretch, self._sweeper = stretch, None
            of_kind = {kind: number for number, kind in enumerate(ready)}
            classes = bytes(of_kind.get(packet_kind(interface), NOT_YET) for interface in interfaces)
            snaplens = [interface.snaplen for interface in interfaces]
            self._plan = ScanPlan(*native_scan, classes, snaplens, self._matches(ready), self._wanted)
        return self._plan

    def _next_record(self) -> bytes:
        if self._file is None:
            return b""
        return os.pread(self._file.descriptor, 16, self._reader.position)

    def _matches(self, ready: list[PacketKind]) -> list[list[int]]:
        """The addresses of the machine code of each filter for each kind."""
        return [
            [ctypes.cast(matching.native(kind), ctypes.c_void_p).value or 0 for kind in ready]
            for matching in self._matchings
        ]
