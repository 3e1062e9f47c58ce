"""The generator of the scanner's machine code, which scans one window in several lanes and runs the filters.

`scanner` explains windows, lanes and chains. The scan proceeds in rounds, until no lane advances:

    _advance_lanes    each lane follows up to STEPS records; only record headers are read
    _filter_lanes     for one lane after another: `_read_lane` writes a row for each record (its packet and lengths),
                      `_match` runs each filter on the rows, `OutputCodegen.gather` appends accepted records to an
                      output, as ranges of memory or as columns

Before the rounds, `_begin_lanes` searches for a boundary for each lane; after them, `_join_lanes` tests whether each
lane ended where the next one began, and joins their outputs.
"""

import ctypes

from ..._typing import Final, Protocol
from ...engines.llvm.ir import I32, I64, IRValue, module_text
from .abi import (
    CLASSES_OFFSET,
    INTERFACES_OFFSET,
    NO_PACKET_CLASS,
    NUMBERS_OFFSET,
    OPTION_SIZES_OFFSET,
    ROW_SIZE,
    ROWS_OFFSET,
    STARTS_OFFSET,
    STEPS,
    TIMES_OFFSET,
    UNION_OFFSET,
    UNTIMED,
    VERDICTS_OFFSET,
)
from .record_codegen import RecordCodegen, RecordValues
from .request_access import RequestAccess

_MAX_SEARCH: Final = 1 << 19  # bytes within which a record must begin: more than the longest packet has
_MIN_CHAIN: Final = 4  # consecutive plausible records that make a boundary
_SIGN: Final = 1 << 63  # added to signed numbers, so that unsigned comparisons order them


class OutputCodegen(Protocol):
    """Generates the code that collects the records that a filter accepts, in a structure of `abi`.

    *index* is the number of a filter, or that of the packets that no filter accepts.
    """

    @property
    def structure(self) -> type[ctypes.Structure]:
        """The structure: its first field is null if the records are not collected; it has *packets* and *bytes*."""

    @property
    def needs_times(self) -> bool:
        """Whether the output collects times."""

    @property
    def needs_details(self) -> bool:
        """Whether the output collects times, numbers, interfaces or sizes of options."""

    def begin(self, code: "ScannerCodegen", lane: IRValue, index: IRValue, first: IRValue) -> None:
        """Assign a part of the memory of an output to a lane that begins at *first*, large enough for its records."""

    def gather(
        self, code: "ScannerCodegen", lane: IRValue, index: IRValue, count: IRValue, verdicts: int, *, rejected: bool
    ) -> None:
        """Add the selected ones of *count* records of a lane to its part of an output."""

    def join(self, code: "ScannerCodegen", lane: IRValue, index: IRValue, packets_before: IRValue) -> None:
        """Append the part of a lane to an output, which has the parts of the lanes before it."""

    def finish(self, code: "ScannerCodegen", index: IRValue) -> None:
        """Complete an output."""


class ScannerCodegen(RequestAccess):
    """Generates the function that executes a `ScanRequest`; *bounded*: only packets in the bounds are accepted."""

    def __init__(self, records: RecordCodegen, output: OutputCodegen, *, swapped: bool, bounded: bool) -> None:
        super().__init__(output.structure, swapped=swapped)
        self._records = records
        self._output = output
        self._bounded = bounded
        self._needs_times = bounded or output.needs_times
        self._needs_details = bounded or output.needs_details
        self._lane_count = self.function.variable(I64, 0)  # lanes for which a boundary was found

    def write(self) -> str:
        """Return the module with the function."""
        function = self.function
        self._begin_lanes()
        with function.loop():
            self._advance_lanes()
            count = self._filter_lanes()
            function.break_if(count.eq(0))
        self._join_lanes()
        function.ret(0)
        return module_text(function)

    def _begin_lanes(self) -> None:
        """Search for a boundary near the start of each lane; a lane without one is covered by the lane before it."""
        function = self.function
        minimum = function.variable(I64, self.input("begin"))  # the position from which the next lane may begin
        length = self.input("stop") - self.input("begin")
        with function.for_range(self.input("lanes")) as index:
            target = self.input("begin") + (length * index).binary("udiv", self.input("lanes"))
            is_boundary = index.eq(0) & self.input("guess").eq(0)
            boundary = function.variable(I64, target)
            with function.if_then(is_boundary.eq(0)):
                boundary.value = self._search(target)
            first = boundary.value
            with function.if_then((first >= minimum.value) & (first < self.input("stop"))):
                self._begin_lane(first)
                minimum.value = first + 1

    def _begin_lane(self, first: IRValue) -> None:
        function = self.function
        index = self._lane_count.value
        lane = self.lane(index)
        for name, value in (("first", first), ("position", first), ("stop", self.input("stop"))):
            self.lane_field(lane, name).store(value)
        for name in ("steps", "packets", "bytes"):
            self.lane_field(lane, name).store(function.constant(I64, 0))
        with function.if_then(index.ne(0)):
            self.lane_field(self.lane(index - 1), "stop").store(first)
        with function.for_range(self.input("filters") + 1) as output:
            part = self.lane_output(index, output)
            for name in ("packets", "bytes"):
                self.output_field(name, part).store(function.constant(I64, 0))
            self._output.begin(self, index, output, first)
        self._lane_count.value = index + 1

    def _search(self, target: IRValue) -> IRValue:
        """Return the first plausible boundary from *target* on, or a position beyond every window."""
        function = self.function
        candidate = function.variable(
            I64, (target + (self._records.alignment - 1)) & -self._records.alignment % (1 << 64)
        )
        limit = target + _MAX_SEARCH
        with function.loop():
            position = candidate.value
            function.break_if(self._is_boundary(position) | (position >= limit))
            candidate.value = position + self._records.alignment
        position = candidate.value
        return (position >= limit).select(function.constant(I64, (1 << 63) - 1), position)

    def _is_boundary(self, candidate: IRValue) -> IRValue:
        """Return whether _MIN_CHAIN plausible records follow each other here, or fewer up to the readable end."""
        function = self.function
        next_start = function.variable(I64, candidate)
        plausible = function.variable(I64, 0)
        with function.for_range(function.constant(I64, _MIN_CHAIN)) as depth:
            start = next_start.value
            readable = start + 32 <= self.input("end")
            with function.if_then(readable.eq(0)):
                plausible.value = depth.ne(0).zext_or_trunc(I64)
            function.break_if(readable.eq(0))
            end = self._records.plausible(self, start)
            plausible.value = end.ne(0).zext_or_trunc(I64)
            function.break_if(end.eq(0))
            next_start.value = end
        return plausible.value.ne(0)

    def _advance_lanes(self) -> None:
        """Advance the lanes in turn by up to STEPS records each.

        Only record headers are read, and the next ones are prefetched: this loop waits for memory.
        """
        function = self.function
        with function.for_range(self._lane_count.value) as index:
            self.lane_field(self.lane(index), "steps").store(function.constant(I64, STEPS))
        with (
            function.for_range(function.constant(I64, STEPS)) as step,
            function.for_range(self._lane_count.value) as index,
        ):
            lane = self.lane(index)
            ended, after = function.label("ended"), function.label("after")
            position = self.lane_field(lane, "position").load(8)
            self.jump_if(position >= self.lane_field(lane, "stop").load(8), ended)
            end = self._records.follow(self, position, ended)
            function.prefetch(self.base.gep(end))
            function.prefetch(self.base.gep(end + 64))
            self.column(index * (STEPS + 1) + step, STARTS_OFFSET, 8).store(position)
            self.lane_field(lane, "position").store(end)
            function.branch(after)
            function.begin_block(ended)
            steps = self.lane_field(lane, "steps").load(8)
            self.lane_field(lane, "steps").store((steps < step).select(steps, step))
            function.branch(after)
            function.begin_block(after)

    def _filter_lanes(self) -> IRValue:
        """Filter the records by which the lanes advanced; return their number."""
        function = self.function
        total = function.variable(I64, 0)
        with function.for_range(self._lane_count.value) as index:
            lane = self.lane(index)
            steps = self.lane_field(lane, "steps").load(8)
            with function.if_then(steps.ne(0)):
                end = self.column(index * (STEPS + 1) + steps, STARTS_OFFSET, 8)
                end.store(self.lane_field(lane, "position").load(8))
                count = self._read_lane(index, lane, steps)
                total.value = total.value + count
                self._filter_lane(index, count)
        return total.value

    def _read_lane(self, index: IRValue, lane: IRValue, steps: IRValue) -> IRValue:
        """Fill the rows of a lane up to a record not handled, which ends the lane; return the number of rows."""
        function = self.function
        packets = function.variable(I64, self.lane_field(lane, "packets").load(8))
        size = function.variable(I64, self.lane_field(lane, "bytes").load(8))
        count = function.variable(I64, steps)
        unhandled, after = function.label("unhandled"), function.label("after")
        with function.for_range(steps) as step:
            start = self.column(index * (STEPS + 1) + step, STARTS_OFFSET, 8)
            count.value = step
            record = self._records.read(self, start.load(8), start.gep(8).load(8), unhandled)
            row_index = index * STEPS + step
            row = self.column(row_index, ROWS_OFFSET, ROW_SIZE)
            row.store(record.address)
            row.gep(8).store(record.captured.zext_or_trunc(I32))
            row.gep(12).store(record.wire.zext_or_trunc(I32))
            if record.packet_class is not None:
                self.column(row_index, CLASSES_OFFSET, 1).store(record.packet_class)
            number = packets.value + self.is_packet(index, step)
            if self._needs_details:
                self._store_details(step, start.load(8), record, number, unhandled)
            packets.value = number
            size.value = size.value + record.captured
            count.value = step + 1
        function.branch(after)
        function.begin_block(unhandled)
        start = self.column(index * (STEPS + 1) + count.value, STARTS_OFFSET, 8)
        self.lane_field(lane, "position").store(start.load(8))
        self.lane_field(lane, "stop").store(function.constant(I64, 0))
        function.branch(after)
        function.begin_block(after)
        self.lane_field(lane, "packets").store(packets.value)
        self.lane_field(lane, "bytes").store(size.value)
        return count.value

    def _store_details(
        self, step: IRValue, position: IRValue, record: RecordValues, number: IRValue, unhandled: str
    ) -> None:
        """Store the time if it is needed, and the number in its lane, the interface and the size of the options."""
        if self._needs_times:
            time_ns = self._records.time_ns(self, position, record, unhandled)
            self.column(step, TIMES_OFFSET, 8).store(time_ns)
        self.column(step, NUMBERS_OFFSET, 4).store(number.zext_or_trunc(I32))
        interface = self.function.constant(I32, 0)
        if record.interface is not None and record.is_timed is not None:
            untimed = record.is_timed.select(interface, self.function.constant(I32, UNTIMED))
            interface = record.interface.zext_or_trunc(I32) | untimed
        self.column(step, INTERFACES_OFFSET, 4).store(interface)
        option_size = self.function.constant(I32, 0) if record.option_size is None else record.option_size
        self.column(step, OPTION_SIZES_OFFSET, 4).store(option_size.zext_or_trunc(I32))

    def _packet_class(self, lane: IRValue, index: IRValue) -> IRValue:
        return self.column(lane * STEPS + index, CLASSES_OFFSET, 1).load(1)

    def is_packet(self, lane: IRValue, index: IRValue) -> IRValue:
        """Return 1 for a record with a packet, otherwise 0."""
        if not self._records.has_classes:
            return self.function.constant(I64, 1)
        return self._packet_class(lane, index).ne(NO_PACKET_CLASS).zext_or_trunc(I64)

    def captured(self, lane: IRValue, index: IRValue) -> IRValue:
        """Return the captured length of a record."""
        return self.row(lane, index).gep(8).load(4).zext_or_trunc(I64)

    def row(self, lane: IRValue, index: IRValue) -> IRValue:
        """Return the address of the row of a record: the address of its packet and two lengths."""
        return self.column(lane * STEPS + index, ROWS_OFFSET, ROW_SIZE)

    def _filter_lane(self, lane: IRValue, count: IRValue) -> None:
        """Run each filter on the rows of a lane, and gather the accepted records and those that no filter accepts."""
        function = self.function
        has_rest = self.output_memory(self.lane_output(lane, self.input("filters"))).load(8).ne(0)
        with function.if_then(has_rest), function.for_range(count) as step:
            self.column(step, UNION_OFFSET, 4).store(function.constant(I32, 0))
        with function.for_range(self.input("filters")) as filter:
            self._match(lane, filter, count)
            with function.if_then(has_rest), function.for_range(count) as step:
                union = self.column(step, UNION_OFFSET, 4)
                union.store(union.load(4) | self.column(step, VERDICTS_OFFSET, 4).load(4))
            self._output.gather(self, lane, filter, count, VERDICTS_OFFSET, rejected=False)
        self._output.gather(self, lane, self.input("filters"), count, UNION_OFFSET, rejected=True)

    def _match(self, lane: IRValue, filter: IRValue, count: IRValue) -> None:
        """Compute the verdicts of a filter; consecutive packets of one class are passed in one call."""
        function = self.function
        rows = self.column(lane * STEPS, ROWS_OFFSET, ROW_SIZE)
        if not self._records.has_classes:
            self._call(filter, rows, count, function.constant(I64, 0))
            return
        start = function.variable(I64, 0)
        with function.loop():
            first = start.value
            function.break_if(first >= count)
            packet_class = self._packet_class(lane, first)
            end = function.variable(I64, first + 1)
            with function.loop():
                function.break_if(end.value >= count)
                function.break_if(self._packet_class(lane, end.value).ne(packet_class))
                end.value = end.value + 1
            with function.if_then(packet_class.ne(NO_PACKET_CLASS)):
                self._call(
                    filter, rows.gep(first * ROW_SIZE), end.value - first, packet_class.zext_or_trunc(I64), first
                )
            with function.if_then(packet_class.eq(NO_PACKET_CLASS)), function.for_range(end.value - first) as step:
                self.column(first + step, VERDICTS_OFFSET, 4).store(function.constant(I32, 0))
            start.value = end.value

    def _call(
        self, filter: IRValue, rows: IRValue, count: IRValue, packet_class: IRValue, first: IRValue | None = None
    ) -> None:
        """Call a filter on *count* rows of one class; its verdicts are stored from index *first* (default 0) on."""
        index = filter * self.input("class_count") + packet_class
        match = self.input("matches").gep(index * 8).load_pointer()
        contexts = self.input("contexts").gep(index * 8).load_pointer()
        verdicts = self.input("scratch").gep(VERDICTS_OFFSET)
        if first is not None:
            verdicts = verdicts.gep(first * 4)
        self.function.call(I32, match, rows, count, verdicts, contexts)

    def is_selected(self, step: IRValue, verdicts: int, *, rejected: bool) -> IRValue:
        """Return whether the packet of a step has a verdict for an output, at this offset, and a time in the bounds."""
        verdict = self.column(step, verdicts, 4).load(4)
        is_selected = verdict.eq(0) if rejected else verdict.ne(0)
        if not self._bounded:
            return is_selected
        time = self.column(step, TIMES_OFFSET, 8).load(8) ^ _SIGN
        return is_selected & (time >= self.input("since")) & (time <= self.input("until"))

    def _join_lanes(self) -> None:
        """Determine whether the lanes form a chain, and join their results."""
        function = self.function
        chained = function.variable(I64, self._lane_count.value.ne(0).zext_or_trunc(I64))
        self.field("position").store(self.input("begin"))
        with function.for_range(self._lane_count.value) as index:
            lane = self.lane(index)
            position = self.lane_field(lane, "position").load(8)
            with function.if_then((index + 1).ne(self._lane_count.value)):
                next_first = self.lane_field(self.lane(index + 1), "first").load(8)
                chained.value = chained.value & next_first.eq(position).zext_or_trunc(I64)
            self.field("position").store(position)
            packets_before = self.field("packets").load(8)
            for name in ("packets", "bytes"):
                self.field(name).store(self.field(name).load(8) + self.lane_field(lane, name).load(8))
            with function.for_range(self.input("filters") + 1) as output:
                self._join_output(index, output, packets_before)
        with function.for_range(self.input("filters") + 1) as output:
            self._output.finish(self, output)
        self.field("first").store(self.lane_field(self.lane(function.constant(I64, 0)), "first").load(8))
        self.field("chained").store(chained.value)

    def _join_output(self, lane: IRValue, output: IRValue, packets_before: IRValue) -> None:
        part = self.lane_output(lane, output)
        for name in ("packets", "bytes"):
            self.add(self.output_field(name, self.output(output)), self.output_field(name, part).load(8))
        self._output.join(self, lane, output, packets_before)


def scanner_code(records: RecordCodegen, output: OutputCodegen, *, swapped: bool, bounded: bool) -> str:
    """Return the module of the scanner for a format; its function takes a `ScanRequest` and returns 0.

    *swapped* captures have the opposite byte order of the host. *bounded*: only packets between the times *since* and
    *until* of the request are accepted.
    """
    return ScannerCodegen(records, output, swapped=swapped, bounded=bounded).write()
