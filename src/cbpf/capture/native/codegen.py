"""The sweep as machine code: many walks through one window of a capture at once, and the filters between their steps.

A capture is a linked list: where the next record starts stands in the header of this one, and each header is a
cache miss. So a window is cut into lanes, whose walks advance in turn; after some steps the filters run over what was
walked, while it is in the cache, and what they keep becomes ranges of memory.

Where a lane begins is a guess, and `chained` tells whether each lane ended exactly where the next one began. Only then
is the result that of one walk from the start; otherwise the caller sweeps again with a single lane.
"""

import ctypes
from typing import Any, Final, NamedTuple, Protocol

from ...engines.llvm.ir import I32, I64, Function, Value, module
from .abi import (
    ANY_AT,
    BATCH,
    CLASSES_AT,
    INPUTS,
    LANES_AT,
    NO_PACKET,
    ROW,
    ROWS_AT,
    SMALLEST_RECORD,
    STARTS_AT,
    STEPS,
    VERDICTS_AT,
    Job,
    Lane,
    Output,
)

_SEARCH: Final = 1 << 19  # bytes in which a record must begin: more than the longest packet has
_DEPTH: Final = 4  # plausible records in a row that make a boundary


class Record(NamedTuple):
    """The numbers of a record."""

    address: Value
    captured: Value
    wire: Value
    kind: Value | None  # its class, one byte; None: all are packets of one class


class Container(Protocol):
    """What a container's records look like: each method writes code and gives the values that it computes.

    *otherwise* is a label to go to. alignment: where records begin is a multiple of it.
    """

    alignment: int

    def follow(self, sweep: "Sweep", position: Value, otherwise: str) -> Value:
        """Where the record at *position* ends; at *otherwise* if it does not lie within what can be read."""

    def read(self, sweep: "Sweep", position: Value, following: Value, otherwise: str) -> Record:
        """The numbers of such a record; at *otherwise* if it is not a usual one."""

    def plausible(self, sweep: "Sweep", position: Value) -> Value:
        """The position behind a record of which 32 bytes can be read, or 0 where it looks like none."""


class Sweep:
    """Writes the function; a container says how one record is read and what a plausible one looks like."""

    def __init__(self, container: Container, *, swapped: bool) -> None:
        self.function = Function("entry", I32, job="ptr noalias")
        self._container = container
        self._swapped = swapped
        self._loaded = {name: self._load(name, kind) for name, kind, *_ in Job._fields_[:INPUTS]}
        self.base = self.pointer("base")
        self._lanes = self.function.variable(I64, 0)  # how many there are

    # Numbers of the job and of the capture

    def _load(self, name: str, kind: Any) -> Value:
        field = self._field(name)
        return field.load_pointer() if kind is ctypes.c_void_p else field.load(8)

    def job(self, name: str) -> Value:
        """A number of the job."""
        return self._loaded[name]

    def pointer(self, name: str) -> Value:
        """An address of the job."""
        return self._loaded[name]

    def _field(self, name: str, kind: type[ctypes.Structure] = Job, at: Value | None = None) -> Value:
        return (at or self.function["job"]).at(getattr(kind, name).offset)

    def number(self, position: Value, size: int) -> Value:
        """A number of the capture in its byte order, as 64 bits."""
        loaded = self.base.at(position).load(size)
        return (loaded.swapped() if self._swapped else loaded).to(I64)

    # Memory of the lanes

    def lane(self, index: Value) -> Value:
        """The address of a `Lane`."""
        return self.pointer("scratch").at(index * ctypes.sizeof(Lane) + LANES_AT)

    def of_lane(self, lane: Value, name: str) -> Value:
        """The address of a field of it."""
        return self._field(name, Lane, lane)

    def _column(self, index: Value, at: int, size: int) -> Value:
        return self.pointer("scratch").at(index * size + at)

    def _lane_output(self, lane: Value, output: Value) -> Value:
        index = lane * (self.job("filters") + 1) + output
        return self.pointer("lane_outputs").at(index * ctypes.sizeof(Output))

    # The parts

    def write(self) -> str:
        """The module of the whole function."""
        function = self.function
        self._begin_lanes()
        with function.loop():
            self._walk()
            walked = self._filter_lanes()
            function.leave_when(walked.equals(0))
        self._finish()
        function.give(0)
        return module(function)

    def _begin_lanes(self) -> None:
        """Looks for a record near the start of each lane; a lane without one is left to the lane before it."""
        function = self.function
        least = function.variable(I64, self.job("begin"))  # where the next lane may begin
        length = self.job("stop") - self.job("begin")
        with function.counted(self.job("lanes")) as index:
            target = self.job("begin") + (length * index).binary("udiv", self.job("lanes"))
            known = index.equals(0) & self.job("guess").equals(0)
            found = function.variable(I64, target)
            with function.when(known.equals(0)):
                found.value = self._search(target)
            first = found.value
            with function.when((first >= least.value) & (first < self.job("stop"))):
                self._begin_lane(first)
                least.value = first + 1

    def _begin_lane(self, first: Value) -> None:
        function = self.function
        index = self._lanes.value
        lane = self.lane(index)
        for name, value in (("first", first), ("position", first), ("stop", self.job("stop"))):
            self.of_lane(lane, name).store(value)
        for name in ("steps", "packets", "bytes"):
            self.of_lane(lane, name).store(function.constant(I64, 0))
        with function.when(index.differs(0)):
            self.of_lane(self.lane(index - 1), "stop").store(first)
        with function.counted(self.job("filters") + 1) as output:
            self._begin_output(index, output, first)
        self._lanes.value = index + 1

    def _begin_output(self, lane: Value, output: Value, first: Value) -> None:
        """A lane's own part of the ranges of an output, large enough for all its records."""
        function = self.function
        whole = self.pointer("outputs").at(output * ctypes.sizeof(Output))
        ranges = self._field("ranges", Output, whole).load(8)
        before = (first - self.job("begin")).binary("udiv", 2 * SMALLEST_RECORD) + lane * 2
        part = self._lane_output(lane, output)
        wanted = ranges.differs(0)
        self._field("ranges", Output, part).store(wanted.select(ranges + before * 16, function.constant(I64, 0)))
        for name in ("count", "packets", "bytes"):
            self._field(name, Output, part).store(function.constant(I64, 0))

    def _search(self, target: Value) -> Value:
        """The first plausible boundary from *target* on, or one that lies behind all windows."""
        function = self.function
        candidate = function.variable(
            I64, (target + (self._container.alignment - 1)) & -self._container.alignment % (1 << 64)
        )
        limit = target + _SEARCH
        with function.loop():
            now = candidate.value
            function.leave_when(self._is_boundary(now) | (now >= limit))
            candidate.value = now + self._container.alignment
        now = candidate.value
        return (now >= limit).select(function.constant(I64, (1 << 63) - 1), now)

    def _is_boundary(self, candidate: Value) -> Value:
        """Whether a chain of plausible records begins here, or one that leaves what can be read."""
        function = self.function
        position = function.variable(I64, candidate)
        plausible = function.variable(I64, 0)
        with function.counted(function.constant(I64, _DEPTH)) as depth:
            now = position.value
            readable = now + 32 <= self.job("end")
            with function.when(readable.equals(0)):
                plausible.value = depth.differs(0).to(I64)
            function.leave_when(readable.equals(0))
            following = self._container.plausible(self, now)
            plausible.value = following.differs(0).to(I64)
            function.leave_when(following.equals(0))
            position.value = following
        return plausible.value.differs(0)

    def _walk(self) -> None:
        """Some steps of each lane, in turn: as little as can be, for here the memory is waited for."""
        function = self.function
        with function.counted(self._lanes.value) as index:
            self.of_lane(self.lane(index), "steps").store(function.constant(I64, STEPS))
        with function.counted(function.constant(I64, STEPS)) as step, function.counted(self._lanes.value) as index:
            lane = self.lane(index)
            ended, behind = function.label("ended"), function.label("behind")
            position = self.of_lane(lane, "position").load(8)
            self.unless(position >= self.of_lane(lane, "stop").load(8), ended)
            following = self._container.follow(self, position, ended)
            function.prefetch(self.base.at(following))
            function.prefetch(self.base.at(following + 64))
            self._column(index * (STEPS + 1) + step, STARTS_AT, 8).store(position)
            self.of_lane(lane, "position").store(following)
            function.jump(behind)
            function.start(ended)
            steps = self.of_lane(lane, "steps").load(8)
            self.of_lane(lane, "steps").store((steps < step).select(steps, step))
            function.jump(behind)
            function.start(behind)

    def _filter_lanes(self) -> Value:
        """Reads what was walked and runs the filters over it; how many records that were."""
        function = self.function
        walked = function.variable(I64, 0)
        with function.counted(self._lanes.value) as index:
            lane = self.lane(index)
            steps = self.of_lane(lane, "steps").load(8)
            with function.when(steps.differs(0)):
                end = self._column(index * (STEPS + 1) + steps, STARTS_AT, 8)
                end.store(self.of_lane(lane, "position").load(8))
                count = self._read_lane(index, lane, steps)
                walked.value = walked.value + count
                self._filter_lane(index, count)
        return walked.value

    def _read_lane(self, index: Value, lane: Value, steps: Value) -> Value:
        """Fills the rows of a lane, up to a record that is not as usual, where the lane ends; how many they are."""
        function = self.function
        packets = function.variable(I64, self.of_lane(lane, "packets").load(8))
        size = function.variable(I64, self.of_lane(lane, "bytes").load(8))
        count = function.variable(I64, steps)
        unusual, behind = function.label("unusual"), function.label("behind")
        with function.counted(steps) as step:
            start = self._column(index * (STEPS + 1) + step, STARTS_AT, 8)
            count.value = step
            record = self._container.read(self, start.load(8), start.at(8).load(8), unusual)
            place = index * STEPS + step
            row = self._column(place, ROWS_AT, ROW)
            row.store(record.address)
            row.at(8).store(record.captured.to(I32))
            row.at(12).store(record.wire.to(I32))
            if record.kind is not None:
                self._column(place, CLASSES_AT, 1).store(record.kind)
            packets.value = packets.value + self._is_packet(index, step)
            size.value = size.value + record.captured
            count.value = step + 1
        function.jump(behind)
        function.start(unusual)
        start = self._column(index * (STEPS + 1) + count.value, STARTS_AT, 8)
        self.of_lane(lane, "position").store(start.load(8))
        self.of_lane(lane, "stop").store(function.constant(I64, 0))
        function.jump(behind)
        function.start(behind)
        self.of_lane(lane, "packets").store(packets.value)
        self.of_lane(lane, "bytes").store(size.value)
        return count.value

    def unless(self, truth: Value, label: str) -> None:
        """On, unless *truth* holds: then at *label*."""
        on = self.function.label("on")
        self.function.branch(truth, label, on, rare=True)
        self.function.start(on)

    def _kind(self, lane: Value, index: Value) -> Value:
        return self._column(lane * STEPS + index, CLASSES_AT, 1).load(1)

    def _is_packet(self, lane: Value, index: Value) -> Value:
        """1, or 0 for a block that is no packet."""
        if self._container.alignment == 1:
            return self.function.constant(I64, 1)
        return self._kind(lane, index).differs(NO_PACKET).to(I64)

    def _captured(self, lane: Value, index: Value) -> Value:
        return self._column(lane * STEPS + index, ROWS_AT, ROW).at(8).load(4).to(I64)

    def _filter_lane(self, lane: Value, count: Value) -> None:
        function = self.function
        rest = self._field("ranges", Output, self._lane_output(lane, self.job("filters"))).load(8)
        with function.when(rest.differs(0)), function.counted(count) as step:
            self._column(step, ANY_AT, 4).store(function.constant(I32, 0))
        with function.counted(self.job("filters")) as filter:
            self._match(lane, filter, count)
            with function.when(rest.differs(0)), function.counted(count) as step:
                any = self._column(step, ANY_AT, 4)
                any.store(any.load(4) | self._column(step, VERDICTS_AT, 4).load(4))
            self._gather(lane, filter, count, VERDICTS_AT, keep_zero=False)
        self._gather(lane, self.job("filters"), count, ANY_AT, keep_zero=True)

    def _match(self, lane: Value, filter: Value, count: Value) -> None:
        """The verdicts of a filter; each run of packets of one class is a call."""
        function = self.function
        rows = self._column(lane * STEPS, ROWS_AT, ROW)
        if self._container.alignment == 1:
            self._call(filter, rows, count, function.constant(I64, 0))
            return
        start = function.variable(I64, 0)
        with function.loop():
            first = start.value
            function.leave_when(first >= count)
            kind = self._kind(lane, first)
            end = function.variable(I64, first + 1)
            with function.loop():
                function.leave_when(end.value >= count)
                function.leave_when(self._kind(lane, end.value).differs(kind))
                end.value = end.value + 1
            with function.when(kind.differs(NO_PACKET)):
                self._call(filter, rows.at(first * ROW), end.value - first, kind.to(I64), first)
            with function.when(kind.equals(NO_PACKET)), function.counted(end.value - first) as step:
                self._column(first + step, VERDICTS_AT, 4).store(function.constant(I32, 0))
            start.value = end.value

    def _call(self, filter: Value, rows: Value, count: Value, kind: Value, first: Value | None = None) -> None:
        index = filter * self.job("class_count") + kind
        match = self.pointer("matches").at(index * 8).load_pointer()
        circumstances = self.pointer("circumstances").at(index * 8).load_pointer()
        verdicts = self.pointer("scratch").at(VERDICTS_AT)
        if first is not None:
            verdicts = verdicts.at(first * 4)
        self.function.call(I32, match, rows, count, verdicts, circumstances)

    def _gather(self, lane: Value, output: Value, count: Value, verdicts: int, *, keep_zero: bool) -> None:
        """Adds the records with a verdict, or those without, to the ranges of an output, if it is wanted."""
        function = self.function
        part = self._lane_output(lane, output)
        ranges = self._field("ranges", Output, part).load(8)
        with function.when(ranges.differs(0)), function.counted(count) as step:
            verdict = self._column(step, verdicts, 4).load(4)
            kept = verdict.equals(0) if keep_zero else verdict.differs(0)
            packet = self._is_packet(lane, step)
            with function.when(kept | packet.equals(0)):
                start = self._column(lane * (STEPS + 1) + step, STARTS_AT, 8)
                self._append(
                    part, self.pointer("base").to_number() + start.load(8), start.at(8).load(8) - start.load(8)
                )
                self._add(part, "packets", packet)
                self._add(part, "bytes", self._captured(lane, step))

    def _add(self, output: Value, name: str, number: Value) -> None:
        field = self._field(name, Output, output)
        field.store(field.load(8) + number)

    def _append(self, output: Value, address: Value, size: Value) -> None:
        """A range more, or the last one made longer."""
        function = self.function
        count = self._field("count", Output, output).load(8)
        last = self._field("ranges", Output, output).load_pointer().at(count * 16)
        new, behind = function.label("new"), function.label("behind")
        some, longer = function.label("some"), function.label("longer")
        function.branch(count.equals(0), new, some)
        function.start(some)
        before = last.at(-16)
        function.branch((before.load(8) + before.at(8).load(8)).equals(address), longer, new)
        function.start(longer)
        before.at(8).store(before.at(8).load(8) + size)
        function.jump(behind)
        function.start(new)
        last.store(address)
        last.at(8).store(size)
        self._field("count", Output, output).store(count + 1)
        function.jump(behind)
        function.start(behind)

    def _finish(self) -> None:
        """Whether the lanes make a chain; then what they found becomes one result."""
        function = self.function
        chained = function.variable(I64, self._lanes.value.differs(0).to(I64))
        self._give("position", self.job("begin"))
        with function.counted(self._lanes.value) as index:
            lane = self.lane(index)
            position = self.of_lane(lane, "position").load(8)
            with function.when((index + 1).differs(self._lanes.value)):
                following = self.of_lane(self.lane(index + 1), "first").load(8)
                chained.value = chained.value & following.equals(position).to(I64)
            self._give("position", position)
            for name in ("packets", "bytes"):
                self._give(name, self._field(name).load(8) + self.of_lane(lane, name).load(8))
            with function.counted(self.job("filters") + 1) as output:
                self._join(index, output)
        with function.counted(self.job("filters") + 1) as output:
            self._sum(output)
        self._give("first", self.of_lane(self.lane(function.constant(I64, 0)), "first").load(8))
        self._give("chained", chained.value)

    def _give(self, name: str, value: Value) -> None:
        self._field(name).store(value)

    def _join(self, lane: Value, output: Value) -> None:
        """Puts a lane's ranges behind those of the lanes before it."""
        function = self.function
        part = self._lane_output(lane, output)
        whole = self.pointer("outputs").at(output * ctypes.sizeof(Output))
        for name in ("packets", "bytes"):
            self._add(whole, name, self._field(name, Output, part).load(8))
        with function.counted(self._field("count", Output, part).load(8)) as index:
            one = self._field("ranges", Output, part).load_pointer().at(index * 16)
            self._append(whole, one.load(8), one.at(8).load(8))

    def _sum(self, output: Value) -> None:
        """The lengths of the ranges of an output, batch by batch."""
        function = self.function
        whole = self.pointer("outputs").at(output * ctypes.sizeof(Output))
        count = self._field("count", Output, whole).load(8)
        sums = self._field("sums", Output, whole).load_pointer()
        ranges = self._field("ranges", Output, whole).load_pointer()
        total = function.variable(I64, 0)
        with function.counted(count) as index:
            total.value = total.value + ranges.at((index << 4) + 8).load(8)
            sums.at((index >> BATCH.bit_length() - 1) << 3).store(total.value)
            with function.when((index & BATCH - 1).equals(BATCH - 1)):
                total.value = 0


def sweep_code(container: Container, *, swapped: bool) -> str:
    """(job) -> 0, for one container, in the machine's byte order or the other."""
    return Sweep(container, swapped=swapped).write()
