"""Accepted records as ranges of memory: code that appends them, and joins adjacent ones."""

from ...engines.llvm.ir import I64, IRValue
from .abi import BATCH, MIN_RECORD_SIZE, STARTS_OFFSET, STEPS, FilterOutput
from .codegen import ScannerCodegen


class RangeOutputCodegen:
    """Generates the code that fills a `FilterOutput`; records without a packet are in every output."""

    structure = FilterOutput
    needs_times = False

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
        ranges = code.output_field("ranges", part).load(8)
        with function.if_then(ranges.ne(0)), function.for_range(count) as step:
            is_selected = code.is_selected(step, verdicts, rejected=rejected)
            is_packet = code.is_packet(lane, step)
            with function.if_then(is_selected | is_packet.eq(0)):
                start = code.column(lane * (STEPS + 1) + step, STARTS_OFFSET, 8)
                address = code.input("base").ptrtoint() + start.load(8)
                self._append(code, part, address, start.gep(8).load(8) - start.load(8))
                code.add(code.output_field("packets", part), is_packet)
                code.add(code.output_field("bytes", part), code.captured(lane, step))

    def _append(self, code: ScannerCodegen, output: IRValue, address: IRValue, size: IRValue) -> None:
        """Append a range to an output, or extend the last range if they are adjacent."""
        function = code.function
        count = code.output_field("count", output).load(8)
        end = code.output_field("ranges", output).load_pointer().gep(count * 16)
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
        code.output_field("count", output).store(count + 1)
        function.branch(after)
        function.begin_block(after)

    def join(self, code: ScannerCodegen, lane: IRValue, index: IRValue, packets_before: IRValue) -> None:
        """Append the ranges of a lane to those of the lanes before it."""
        part, joined = code.lane_output(lane, index), code.output(index)
        with code.function.for_range(code.output_field("count", part).load(8)) as number:
            source = code.output_field("ranges", part).load_pointer().gep(number * 16)
            self._append(code, joined, source.load(8), source.gep(8).load(8))

    def finish(self, code: ScannerCodegen, index: IRValue) -> None:
        """Compute the total length of each batch of ranges of an output."""
        function = code.function
        joined = code.output(index)
        count = code.output_field("count", joined).load(8)
        sums = code.output_field("sums", joined).load_pointer()
        ranges = code.output_field("ranges", joined).load_pointer()
        total = function.variable(I64, 0)
        with function.for_range(count) as number:
            total.value = total.value + ranges.gep((number << 4) + 8).load(8)
            sums.gep((number >> BATCH.bit_length() - 1) << 3).store(total.value)
            with function.if_then((number & BATCH - 1).eq(BATCH - 1)):
                total.value = 0
