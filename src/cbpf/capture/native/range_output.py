"""Accepted records as ranges of memory: code that appends them, and joins adjacent ones."""

from ...engines.llvm.ir import I64, Function, IRValue
from .abi import BATCH, MIN_RECORD_SIZE, STARTS_OFFSET, STEPS, FilterOutput
from .codegen import ScannerCodegen


class RangeList:
    """Generates code for the ranges of the `FilterOutput` at an address."""

    def __init__(self, function: Function, output: IRValue) -> None:
        self._function = function
        self._output = output

    def field(self, name: str) -> IRValue:
        """Return the address of a field."""
        return self._output.gep(getattr(FilterOutput, name).offset)

    def append(self, address: IRValue, size: IRValue) -> None:
        """Append a range, or extend the last range if they are adjacent."""
        function = self._function
        count = self.field("count").load(8)
        end = self.field("ranges").load_pointer().gep(count * 16)
        new, after = function.label("new"), function.label("after")
        not_empty, extend = function.label("not_empty"), function.label("extend")
        function.cbranch(count.eq(0), new, not_empty)
        function.begin_block(not_empty)
        previous = end.gep(-16)
        function.cbranch((previous.load(8) + previous.gep(8).load(8)).eq(address), extend, new)
        function.begin_block(extend)
        previous.gep(8).store(previous.gep(8).load(8) + size)
        function.branch(after)
        function.begin_block(new)
        end.store(address)
        end.gep(8).store(size)
        self.field("count").store(count + 1)
        function.branch(after)
        function.begin_block(after)

    def sum_up(self) -> None:
        """Compute the total length of each batch of ranges."""
        function = self._function
        sums, ranges = self.field("sums").load_pointer(), self.field("ranges").load_pointer()
        total = function.variable(I64, 0)
        with function.for_range(self.field("count").load(8)) as number:
            total.value = total.value + ranges.gep((number << 4) + 8).load(8)
            sums.gep((number >> BATCH.bit_length() - 1) << 3).store(total.value)
            with function.if_then((number & BATCH - 1).eq(BATCH - 1)):
                total.value = 0


class RangeOutputCodegen:
    """Generates the code that fills a `FilterOutput`; records without a packet are in every output."""

    structure = FilterOutput
    needs_times = needs_details = False

    def begin(self, code: ScannerCodegen, lane: IRValue, index: IRValue, first: IRValue) -> None:
        """Assign a part of the ranges of an output to a lane."""
        function = code.function
        ranges = code.output_field("ranges", code.output(index)).load(8)
        offset = (first - code.input("begin")).binary("udiv", 2 * MIN_RECORD_SIZE) + lane * 2
        part = code.lane_output(lane, index)
        collects = ranges.ne(0)
        code.output_field("ranges", part).store(collects.select(ranges + offset * 16, function.constant(I64, 0)))
        code.output_field("count", part).store(function.constant(I64, 0))

    def gather(
        self, code: ScannerCodegen, lane: IRValue, index: IRValue, count: IRValue, verdicts: int, *, rejected: bool
    ) -> None:
        """Append the selected records, or extend the last range by those that are adjacent to it."""
        function = code.function
        part = code.lane_output(lane, index)
        ranges_of_part = RangeList(function, part)
        with function.if_then(code.output_memory(part).load(8).ne(0)), function.for_range(count) as step:
            is_selected = code.is_selected(step, verdicts, rejected=rejected)
            is_packet = code.is_packet(lane, step)
            with function.if_then(is_selected | is_packet.eq(0)):
                start = code.column(lane * (STEPS + 1) + step, STARTS_OFFSET, 8)
                address = code.input("base").ptrtoint() + start.load(8)
                ranges_of_part.append(address, start.gep(8).load(8) - start.load(8))
                code.add(code.output_field("packets", part), is_packet)
                code.add(code.output_field("bytes", part), code.captured(lane, step))

    def join(self, code: ScannerCodegen, lane: IRValue, index: IRValue, packets_before: IRValue) -> None:
        """Append the ranges of a lane to those of the lanes before it."""
        part, joined = code.lane_output(lane, index), code.output(index)
        with code.function.for_range(code.output_field("count", part).load(8)) as number:
            source = code.output_field("ranges", part).load_pointer().gep(number * 16)
            RangeList(code.function, joined).append(source.load(8), source.gep(8).load(8))

    def finish(self, code: ScannerCodegen, index: IRValue) -> None:
        """Compute the total length of each batch of ranges of an output."""
        RangeList(code.function, code.output(index)).sum_up()
