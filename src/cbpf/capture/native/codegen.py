"""The sweep as machine code: many walks through one window of a capture at once, and the filters between their steps.

A capture is a linked list: where the next record starts stands in the header of this one, and each header is a
cache miss. So a window is cut into lanes, whose walks advance in turn; after some steps the filters run over what was
walked, while it is in the cache, and what they keep becomes ranges of memory.

Where a lane begins is a guess, and `chained` tells whether each lane ended exactly where the next one began. Only then
is the result that of one walk from the start; otherwise the caller sweeps again with a single lane.
"""

import ctypes
from typing import Any, Final, NamedTuple, Protocol

from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text
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
    FilterOutput,
    Lane,
    ScanRequest,
)

_SEARCH: Final = 1 << 19  # bytes in which a record must begin: more than the longest packet has
_DEPTH: Final = 4  # plausible records in a row that make a boundary


class RecordCode(NamedTuple):
    """The numbers of a record."""

    address: IRValue
    captured: IRValue
    wire: IRValue
    kind: IRValue | None  # its class, one byte; None: all are packets of one class


class RecordCodegen(Protocol):
    """What a container's records look like: each method writes code and gives the values that it computes.

    *otherwise* is a label to go to. alignment: where records begin is a multiple of it.
    """

    alignment: int

    def follow(self, sweep: "ScannerCode", position: IRValue, otherwise: str) -> IRValue:
        """Where the record at *position* ends; at *otherwise* if it does not lie within what can be read."""

    def read(self, sweep: "ScannerCode", position: IRValue, following: IRValue, otherwise: str) -> RecordCode:
        """The numbers of such a record; at *otherwise* if it is not a usual one."""

    def plausible(self, sweep: "ScannerCode", position: IRValue) -> IRValue:
        """The position behind a record of which 32 bytes can be read, or 0 where it looks like none."""


class ScannerCode:
    """Writes the function; a container says how one record is read and what a plausible one looks like."""

    def __init__(self, container: RecordCodegen, *, swapped: bool) -> None:
        self.function = Function("entry", I32, job="ptr noalias")
        self._container = container
        self._swapped = swapped
        self._loaded = {name: self._load(name, kind) for name, kind, *_ in ScanRequest._fields_[:INPUTS]}
        self.base = self.pointer("base")
        self._lanes = self.function.variable(I64, 0)  # how many there are

    # Numbers of the job and of the capture

    def _load(self, name: str, kind: Any) -> IRValue:
        field = self._field(name)
        return field.load_pointer() if kind is ctypes.c_void_p else field.load(8)

    def job(self, name: str) -> IRValue:
        """A number of the job."""
        return self._loaded[name]

    def pointer(self, name: str) -> IRValue:
        """An address of the job."""
        return self._loaded[name]

    def _field(self, name: str, kind: type[ctypes.Structure] = ScanRequest, at: IRValue | None = None) -> IRValue:
        return (at or self.function["job"]).gep(getattr(kind, name).offset)

    def number(self, position: IRValue, size: int) -> IRValue:
        """A number of the capture in its byte order, as 64 bits."""
        loaded = self.base.gep(position).load(size)
        return (loaded.bswap() if self._swapped else loaded).zext_or_trunc(I64)

    # Memory of the lanes

    def lane(self, index: IRValue) -> IRValue:
        """The address of a `Lane`."""
        return self.pointer("scratch").gep(index * ctypes.sizeof(Lane) + LANES_AT)

    def of_lane(self, lane: IRValue, name: str) -> IRValue:
        """The address of a field of it."""
        return self._field(name, Lane, lane)

    def _column(self, index: IRValue, at: int, size: int) -> IRValue:
        return self.pointer("scratch").gep(index * size + at)

    def _lane_output(self, lane: IRValue, output: IRValue) -> IRValue:
        index = lane * (self.job("filters") + 1) + output
        return self.pointer("lane_outputs").gep(index * ctypes.sizeof(FilterOutput))

    # The parts

    def write(self) -> str:
        """The module of the whole function."""
        function = self.function
        self._begin_lanes()
        with function.loop():
            self._walk()
            walked = self._filter_lanes()
            function.break_if(walked.eq(0))
        self._finish()
        function.ret(0)
        return module_text(function)

    def _begin_lanes(self) -> None:
        """Looks for a record near the start of each lane; a lane without one is left to the lane before it."""
        function = self.function
        least = function.variable(I64, self.job("begin"))  # where the next lane may begin
        length = self.job("stop") - self.job("begin")
        with function.for_range(self.job("lanes")) as index:
            target = self.job("begin") + (length * index).binary("udiv", self.job("lanes"))
            known = index.eq(0) & self.job("guess").eq(0)
            found = function.variable(I64, target)
            with function.if_then(known.eq(0)):
                found.value = self._search(target)
            first = found.value
            with function.if_then((first >= least.value) & (first < self.job("stop"))):
                self._begin_lane(first)
                least.value = first + 1

    def _begin_lane(self, first: IRValue) -> None:
        function = self.function
        index = self._lanes.value
        lane = self.lane(index)
        for name, value in (("first", first), ("position", first), ("stop", self.job("stop"))):
            self.of_lane(lane, name).store(value)
        for name in ("steps", "packets", "bytes"):
            self.of_lane(lane, name).store(function.constant(I64, 0))
        with function.if_then(index.ne(0)):
            self.of_lane(self.lane(index - 1), "stop").store(first)
        with function.for_range(self.job("filters") + 1) as output:
            self._begin_output(index, output, first)
        self._lanes.value = index + 1

    def _begin_output(self, lane: IRValue, output: IRValue, first: IRValue) -> None:
        """A lane's own part of the ranges of an output, large enough for all its records."""
        function = self.function
        whole = self.pointer("outputs").gep(output * ctypes.sizeof(FilterOutput))
        ranges = self._field("ranges", FilterOutput, whole).load(8)
        before = (first - self.job("begin")).binary("udiv", 2 * SMALLEST_RECORD) + lane * 2
        part = self._lane_output(lane, output)
        wanted = ranges.ne(0)
        self._field("ranges", FilterOutput, part).store(wanted.select(ranges + before * 16, function.constant(I64, 0)))
        for name in ("count", "packets", "bytes"):
            self._field(name, FilterOutput, part).store(function.constant(I64, 0))

    def _search(self, target: IRValue) -> IRValue:
        """The first plausible boundary from *target* on, or one that lies behind all windows."""
        function = self.function
        candidate = function.variable(
            I64, (target + (self._container.alignment - 1)) & -self._container.alignment % (1 << 64)
        )
        limit = target + _SEARCH
        with function.loop():
            now = candidate.value
            function.break_if(self._is_boundary(now) | (now >= limit))
            candidate.value = now + self._container.alignment
        now = candidate.value
        return (now >= limit).select(function.constant(I64, (1 << 63) - 1), now)

    def _is_boundary(self, candidate: IRValue) -> IRValue:
        """Whether a chain of plausible records begins here, or one that leaves what can be read."""
        function = self.function
        position = function.variable(I64, candidate)
        plausible = function.variable(I64, 0)
        with function.for_range(function.constant(I64, _DEPTH)) as depth:
            now = position.value
            readable = now + 32 <= self.job("end")
            with function.if_then(readable.eq(0)):
                plausible.value = depth.ne(0).zext_or_trunc(I64)
            function.break_if(readable.eq(0))
            following = self._container.plausible(self, now)
            plausible.value = following.ne(0).zext_or_trunc(I64)
            function.break_if(following.eq(0))
            position.value = following
        return plausible.value.ne(0)

    def _walk(self) -> None:
        """Some steps of each lane, in turn: as little as can be, for here the memory is waited for."""
        function = self.function
        with function.for_range(self._lanes.value) as index:
            self.of_lane(self.lane(index), "steps").store(function.constant(I64, STEPS))
        with function.for_range(function.constant(I64, STEPS)) as step, function.for_range(self._lanes.value) as index:
            lane = self.lane(index)
            ended, behind = function.label("ended"), function.label("behind")
            position = self.of_lane(lane, "position").load(8)
            self.unless(position >= self.of_lane(lane, "stop").load(8), ended)
            following = self._container.follow(self, position, ended)
            function.prefetch(self.base.gep(following))
            function.prefetch(self.base.gep(following + 64))
            self._column(index * (STEPS + 1) + step, STARTS_AT, 8).store(position)
            self.of_lane(lane, "position").store(following)
            function.branch(behind)
            function.begin_block(ended)
            steps = self.of_lane(lane, "steps").load(8)
            self.of_lane(lane, "steps").store((steps < step).select(steps, step))
            function.branch(behind)
            function.begin_block(behind)

    def _filter_lanes(self) -> IRValue:
        """Reads what was walked and runs the filters over it; how many records that were."""
        function = self.function
        walked = function.variable(I64, 0)
        with function.for_range(self._lanes.value) as index:
            lane = self.lane(index)
            steps = self.of_lane(lane, "steps").load(8)
            with function.if_then(steps.ne(0)):
                end = self._column(index * (STEPS + 1) + steps, STARTS_AT, 8)
                end.store(self.of_lane(lane, "position").load(8))
                count = self._read_lane(index, lane, steps)
                walked.value = walked.value + count
                self._filter_lane(index, count)
        return walked.value

    def _read_lane(self, index: IRValue, lane: IRValue, steps: IRValue) -> IRValue:
        """Fills the rows of a lane, up to a record that is not as usual, where the lane ends; how many they are."""
        function = self.function
        packets = function.variable(I64, self.of_lane(lane, "packets").load(8))
        size = function.variable(I64, self.of_lane(lane, "bytes").load(8))
        count = function.variable(I64, steps)
        unusual, behind = function.label("unusual"), function.label("behind")
        with function.for_range(steps) as step:
            start = self._column(index * (STEPS + 1) + step, STARTS_AT, 8)
            count.value = step
            record = self._container.read(self, start.load(8), start.gep(8).load(8), unusual)
            place = index * STEPS + step
            row = self._column(place, ROWS_AT, ROW)
            row.store(record.address)
            row.gep(8).store(record.captured.zext_or_trunc(I32))
            row.gep(12).store(record.wire.zext_or_trunc(I32))
            if record.kind is not None:
                self._column(place, CLASSES_AT, 1).store(record.kind)
            packets.value = packets.value + self._is_packet(index, step)
            size.value = size.value + record.captured
            count.value = step + 1
        function.branch(behind)
        function.begin_block(unusual)
        start = self._column(index * (STEPS + 1) + count.value, STARTS_AT, 8)
        self.of_lane(lane, "position").store(start.load(8))
        self.of_lane(lane, "stop").store(function.constant(I64, 0))
        function.branch(behind)
        function.begin_block(behind)
        self.of_lane(lane, "packets").store(packets.value)
        self.of_lane(lane, "bytes").store(size.value)
        return count.value

    def unless(self, truth: IRValue, label: str) -> None:
        """On, unless *truth* holds: then at *label*."""
        on = self.function.label("on")
        self.function.cbranch(truth, label, on, rare=True)
        self.function.begin_block(on)

    def _kind(self, lane: IRValue, index: IRValue) -> IRValue:
        return self._column(lane * STEPS + index, CLASSES_AT, 1).load(1)

    def _is_packet(self, lane: IRValue, index: IRValue) -> IRValue:
        """1, or 0 for a block that is no packet."""
        if self._container.alignment == 1:
            return self.function.constant(I64, 1)
        return self._kind(lane, index).ne(NO_PACKET).zext_or_trunc(I64)

    def _captured(self, lane: IRValue, index: IRValue) -> IRValue:
        return self._column(lane * STEPS + index, ROWS_AT, ROW).gep(8).load(4).zext_or_trunc(I64)

    def _filter_lane(self, lane: IRValue, count: IRValue) -> None:
        function = self.function
        rest = self._field("ranges", FilterOutput, self._lane_output(lane, self.job("filters"))).load(8)
        with function.if_then(rest.ne(0)), function.for_range(count) as step:
            self._column(step, ANY_AT, 4).store(function.constant(I32, 0))
        with function.for_range(self.job("filters")) as filter:
            self._match(lane, filter, count)
            with function.if_then(rest.ne(0)), function.for_range(count) as step:
                any = self._column(step, ANY_AT, 4)
                any.store(any.load(4) | self._column(step, VERDICTS_AT, 4).load(4))
            self._gather(lane, filter, count, VERDICTS_AT, keep_zero=False)
        self._gather(lane, self.job("filters"), count, ANY_AT, keep_zero=True)

    def _match(self, lane: IRValue, filter: IRValue, count: IRValue) -> None:
        """The verdicts of a filter; each run of packets of one class is a call."""
        function = self.function
        rows = self._column(lane * STEPS, ROWS_AT, ROW)
        if self._container.alignment == 1:
            self._call(filter, rows, count, function.constant(I64, 0))
            return
        start = function.variable(I64, 0)
        with function.loop():
            first = start.value
            function.break_if(first >= count)
            kind = self._kind(lane, first)
            end = function.variable(I64, first + 1)
            with function.loop():
                function.break_if(end.value >= count)
                function.break_if(self._kind(lane, end.value).ne(kind))
                end.value = end.value + 1
            with function.if_then(kind.ne(NO_PACKET)):
                self._call(filter, rows.gep(first * ROW), end.value - first, kind.zext_or_trunc(I64), first)
            with function.if_then(kind.eq(NO_PACKET)), function.for_range(end.value - first) as step:
                self._column(first + step, VERDICTS_AT, 4).store(function.constant(I32, 0))
            start.value = end.value

    def _call(
        self, filter: IRValue, rows: IRValue, count: IRValue, kind: IRValue, first: IRValue | None = None
    ) -> None:
        index = filter * self.job("class_count") + kind
        match = self.pointer("matches").gep(index * 8).load_pointer()
        circumstances = self.pointer("circumstances").gep(index * 8).load_pointer()
        verdicts = self.pointer("scratch").gep(VERDICTS_AT)
        if first is not None:
            verdicts = verdicts.gep(first * 4)
        self.function.call(I32, match, rows, count, verdicts, circumstances)

    def _gather(self, lane: IRValue, output: IRValue, count: IRValue, verdicts: int, *, keep_zero: bool) -> None:
        """Adds the records with a verdict, or those without, to the ranges of an output, if it is wanted."""
        function = self.function
        part = self._lane_output(lane, output)
        ranges = self._field("ranges", FilterOutput, part).load(8)
        with function.if_then(ranges.ne(0)), function.for_range(count) as step:
            verdict = self._column(step, verdicts, 4).load(4)
            kept = verdict.eq(0) if keep_zero else verdict.ne(0)
            packet = self._is_packet(lane, step)
            with function.if_then(kept | packet.eq(0)):
                start = self._column(lane * (STEPS + 1) + step, STARTS_AT, 8)
                self._append(
                    part, self.pointer("base").ptrtoint() + start.load(8), start.gep(8).load(8) - start.load(8)
                )
                self._add(part, "packets", packet)
                self._add(part, "bytes", self._captured(lane, step))

    def _add(self, output: IRValue, name: str, number: IRValue) -> None:
        field = self._field(name, FilterOutput, output)
        field.store(field.load(8) + number)

    def _append(self, output: IRValue, address: IRValue, size: IRValue) -> None:
        """A range more, or the last one made longer."""
        function = self.function
        count = self._field("count", FilterOutput, output).load(8)
        last = self._field("ranges", FilterOutput, output).load_pointer().gep(count * 16)
        new, behind = function.label("new"), function.label("behind")
        some, longer = function.label("some"), function.label("longer")
        function.cbranch(count.eq(0), new, some)
        function.begin_block(some)
        before = last.gep(-16)
        function.cbranch((before.load(8) + before.gep(8).load(8)).eq(address), longer, new)
        function.begin_block(longer)
        before.gep(8).store(before.gep(8).load(8) + size)
        function.branch(behind)
        function.begin_block(new)
        last.store(address)
        last.gep(8).store(size)
        self._field("count", FilterOutput, output).store(count + 1)
        function.branch(behind)
        function.begin_block(behind)

    def _finish(self) -> None:
        """Whether the lanes make a chain; then what they found becomes one result."""
        function = self.function
        chained = function.variable(I64, self._lanes.value.ne(0).zext_or_trunc(I64))
        self._give("position", self.job("begin"))
        with function.for_range(self._lanes.value) as index:
            lane = self.lane(index)
            position = self.of_lane(lane, "position").load(8)
            with function.if_then((index + 1).ne(self._lanes.value)):
                following = self.of_lane(self.lane(index + 1), "first").load(8)
                chained.value = chained.value & following.eq(position).zext_or_trunc(I64)
            self._give("position", position)
            for name in ("packets", "bytes"):
                self._give(name, self._field(name).load(8) + self.of_lane(lane, name).load(8))
            with function.for_range(self.job("filters") + 1) as output:
                self._join(index, output)
        with function.for_range(self.job("filters") + 1) as output:
            self._sum(output)
        self._give("first", self.of_lane(self.lane(function.constant(I64, 0)), "first").load(8))
        self._give("chained", chained.value)

    def _give(self, name: str, value: IRValue) -> None:
        self._field(name).store(value)

    def _join(self, lane: IRValue, output: IRValue) -> None:
        """Puts a lane's ranges behind those of the lanes before it."""
        function = self.function
        part = self._lane_output(lane, output)
        whole = self.pointer("outputs").gep(output * ctypes.sizeof(FilterOutput))
        for name in ("packets", "bytes"):
            self._add(whole, name, self._field(name, FilterOutput, part).load(8))
        with function.for_range(self._field("count", FilterOutput, part).load(8)) as index:
            one = self._field("ranges", FilterOutput, part).load_pointer().gep(index * 16)
            self._append(whole, one.load(8), one.gep(8).load(8))

    def _sum(self, output: IRValue) -> None:
        """The lengths of the ranges of an output, batch by batch."""
        function = self.function
        whole = self.pointer("outputs").gep(output * ctypes.sizeof(FilterOutput))
        count = self._field("count", FilterOutput, whole).load(8)
        sums = self._field("sums", FilterOutput, whole).load_pointer()
        ranges = self._field("ranges", FilterOutput, whole).load_pointer()
        total = function.variable(I64, 0)
        with function.for_range(count) as index:
            total.value = total.value + ranges.gep((index << 4) + 8).load(8)
            sums.gep((index >> BATCH.bit_length() - 1) << 3).store(total.value)
            with function.if_then((index & BATCH - 1).eq(BATCH - 1)):
                total.value = 0


def scanner_code(container: RecordCodegen, *, swapped: bool) -> str:
    """(job) -> 0, for one container, in the machine's byte order or the other."""
    return ScannerCode(container, swapped=swapped).write()
