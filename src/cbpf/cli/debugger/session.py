"""A session: a program, a capture, a position in the run on one packet, and the stops."""

from __future__ import annotations

import cbpf

from ..._typing import Iterator
from .code import Code, Filter, ProgramSet, Settings
from .errors import DebuggerError
from .goals import Goal
from .packet_run import PacketRun
from .packet_source import PacketSource
from .scans import Scans, Skipped, scans_of
from .stops import Stops


class Session:
    """The state of the debugger. A command that fails or is interrupted leaves the position unchanged.

    Args:
        settings: How programs are compiled and run.

    Attributes:
        position: The index of the step that is executed next, in the run on the current packet; None before the run.
        settings: How programs are compiled and run.
        stops: The breakpoints and watches.
    """

    def __init__(self, settings: Settings) -> None:
        self.position: int | None = None
        self.stops = Stops()
        self.settings = settings
        self._programs: ProgramSet | None = None
        self._source: PacketSource | None = None
        self._run: PacketRun | None = None
        self._scans: Scans | None = None
        self._has_scans = False
        """Whether `_scans` is that of the program and the capture; None then means that they are not scanned."""
        self._accepted = self._rejected = 0
        """The verdicts of the runs that `resume` has completed since it began."""
        self._is_resuming = False
        """Whether `resume` has stopped at the position, so that it counts the packet when it continues."""

    # The program and the capture

    def load(self, filter: Filter, path: str, number: int) -> None:
        """Load a program and a capture, and select a packet; the errors are those of both."""
        self._programs = ProgramSet(filter, self.settings)
        self.load_capture(path, number)

    def load_filter(self, filter: Filter) -> None:
        """Replace the program, remove all stops, and go to the start of the current packet.

        Raises:
            CbpfError: The program or the expression is invalid; the old program remains.
        """
        programs = ProgramSet(filter, self.settings)
        if self._source is None:
            programs.any_code(None)
        else:
            programs.prepare(self._source.capture)
        self._programs, self._has_scans = programs, False
        self.stops = Stops()
        if self._run is not None:
            self.select(self._run.number)
        elif self._source is not None:
            self.select(1)

    def load_capture(self, path: str, number: int = 1) -> None:
        """Replace the capture, and select a packet.

        Raises:
            CbpfError: The capture cannot be read, or does not fit the program; the old capture remains.
        """
        source = PacketSource(path)
        try:
            if self._programs is not None:
                self._programs.prepare(source.capture)
            packet = source.packet(number)
            if packet is None:
                raise source.missing_packet(number)
        except BaseException:
            source.close()
            raise
        self.close()
        self._source, self._run, self._has_scans = source, None, False
        if self._programs is not None:
            self._move(self._new_run(packet))

    def close(self) -> None:
        """Close the capture."""
        if self._source is not None:
            self._source.close()

    @property
    def code(self) -> Code:
        """The program for the current packet or, if it has none, for the first interface that it fits."""
        code = None if self._run is None else self._run.code
        if code is None:
            capture = None if self._source is None else self._source.capture
            code = self._required_programs().any_code(capture)
        if code is None:
            raise DebuggerError("the program fits no interface that the capture has described so far")
        return code

    @property
    def is_ready(self) -> bool:
        """Whether a program and a capture are loaded."""
        return self._programs is not None and self._source is not None

    @property
    def run(self) -> PacketRun:
        """The run on the current packet."""
        self._required_programs()
        if self._source is None:
            raise DebuggerError("no capture is loaded; load one with: load pcap FILE")
        if self._run is None:
            self.select(1)
        assert self._run is not None
        return self._run

    def change_settings(self, settings: Settings) -> None:
        """Run programs in another manner, and go to the start of the current packet."""
        self.settings, self._has_scans = settings, False
        if self._run is not None:
            self.select(self._run.number)

    # Positions

    def select(self, number: int) -> None:
        """Go to the start of the run on a packet."""
        if self._source is None:
            raise DebuggerError("no capture is loaded; load one with: load pcap FILE")
        packet = self._source.packet(number)
        if packet is None:
            raise self._source.missing_packet(number)
        self._required_programs()
        self._accepted = self._rejected = 0
        self._move(self._new_run(packet))

    def step(self, count: int) -> Iterator[str]:
        """Go forwards by a number of instructions, 1 or more; from the last one of a run into the next packet.

        If the run ends earlier, go to the start of the next packet. Yields a line for each such change.
        """
        run, position = self.run, self.position
        lines = []
        if not run.steps or position == len(run.steps) - 1:
            run, line = self._following(run)
            lines.append(line)
            position = None
        target = (-1 if position is None else position) + count
        if target >= len(run.steps):
            lines.append(f"packet {run.number}: {cbpf.describe_verdict(run.verdict, dialect=run.dialect)}")
            run, line = self._following(run)
            lines.append(line)
            self._move(run)
        else:
            self._move(run, target)
        yield from lines

    def step_back(self, count: int) -> None:
        """Go back by a number of instructions of the current run."""
        self.run  # noqa: B018 (an error if nothing is loaded)
        if self.position is None:
            raise DebuggerError("the run has not begun, so no step can be taken back")
        if count > self.position:
            raise DebuggerError(f"cannot go back by {count:,}: the run began {self.position:,} steps ago")
        self.position -= count

    def resume(self, limit: int | None) -> Iterator[str]:
        """Run until a stop, to the end of the capture, or over a number of packets.

        At the end, yields the numbers of accepted and rejected packets, and goes to the first packet. A packet whose
        last instruction was reached in another manner is not counted.
        """
        run, start = self.run, self._next_position
        accepted, rejected = self._accepted, self._rejected
        if 0 < start == len(run.steps) and not self._is_resuming:
            run, start = self._following(run)[0], 0
        stop = None if limit is None else run.number + limit
        self._begin_scans()
        following: PacketRun | None = run
        while following is not None:
            run = following
            position = self.stops.first(run, start)
            if position is not None:
                self._move(run, position)
                self._accepted, self._rejected, self._is_resuming = accepted, rejected, True
                return
            skipped = self._skip(run, stop)
            accepted += skipped.accepted + run.accepts
            rejected += skipped.rejected + (not run.accepts)
            following = None if skipped.number is None else self._run_on(skipped.number)
            start = 0
        yield f"bpf passes:{accepted} fails:{rejected}"
        self.select(1)
        if skipped.damage is not None:
            raise skipped.damage

    def go_back(self) -> None:
        """Run backwards to the previous stop in the run on the current packet."""
        run = self.run
        for position in reversed(range(self.position or 0)):
            if self.stops.stop_at(run, position):
                self.position = position
                return
        raise DebuggerError(f"no breakpoint or watch stops the run on packet {run.number} before this position")

    def search(self, goal: Goal) -> bool:
        """Go to the first position that reaches a goal, in this packet or a later one; return whether there is one."""
        run: PacketRun | None = self.run
        start = self._next_position
        scans = self._begin_scans()
        while run is not None:
            position = goal.find(run, start)
            if position is not None:
                self._move(run, None if position < 0 else position)
                return True
            number = run.number + 1 if scans is None else goal.next_packet(scans, run.number + 1)
            run, start = None if number is None else self._run_on(number), 0
        return False

    # Scans

    def _begin_scans(self) -> Scans | None:
        """Return the scans for a command that begins; None if the packets are run one by one."""
        scans = self._current_scans()
        if scans is not None:
            scans.begin()
        return scans

    def _current_scans(self) -> Scans | None:
        """Return the scans of the capture; None if its packets are run one by one."""
        if not self._has_scans:
            assert self._source is not None
            self._scans = scans_of(self._source, self._required_programs(), self.settings)
            self._has_scans = True
        return self._scans

    def _skip(self, run: PacketRun, stop: int | None) -> Skipped:
        """Find the packet after that of a run, and before packet *stop*, on which a run may stop."""
        start, scans = run.number + 1, self._current_scans()
        if start == stop:
            return Skipped(None, 0, 0)
        if scans is not None:
            return scans.skip(start, stop, self.stops.all)
        try:
            return Skipped(None if self._run_on(start) is None else start, 0, 0)
        except cbpf.CaptureError as error:
            return Skipped(None, 0, 0, error)

    # Packets

    @property
    def _next_position(self) -> int:
        return 0 if self.position is None else self.position + 1

    def _move(self, run: PacketRun, position: int | None = None) -> None:
        self._run, self.position, self._is_resuming = run, position, False

    def _following(self, run: PacketRun) -> tuple[PacketRun, str]:
        """Return the run on the next packet, or on the first one after the last, and a line about that."""
        following = self._run_on(run.number + 1)
        if following is not None:
            return following, "(next packet)"
        assert self._source is not None
        first = self._source.packet(1)
        assert first is not None
        return self._new_run(first), "(going back to first packet)"

    def _run_on(self, number: int) -> PacketRun | None:
        """Return the run on a packet; None if the capture has fewer packets."""
        assert self._source is not None
        packet = self._source.packet(number)
        return None if packet is None else self._new_run(packet)

    def _new_run(self, packet: cbpf.Packet) -> PacketRun:
        assert self._source is not None
        capture = self._source.capture
        code = self._required_programs().code(capture, packet.interface)
        return PacketRun(packet, capture.interfaces[packet.interface], code, self.settings)

    def _required_programs(self) -> ProgramSet:
        if self._programs is None:
            raise DebuggerError("no program is loaded; load one with: load bpf FILE")
        return self._programs
