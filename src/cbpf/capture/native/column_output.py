"""Accepted packets as columns: code that appends a row for each, and joins the rows of the lanes."""

from ..._typing import Literal
from ...engines.llvm.ir import I32, I64, IRValue
from .abi import (
    COLUMN_STARTS,
    INTERFACES_OFFSET,
    ITEM_SIZES,
    MIN_RECORD_SIZE,
    NO_INTERFACE,
    NUMBERS_OFFSET,
    OPTION_SIZES_OFFSET,
    STARTS_OFFSET,
    STEPS,
    TIMES_OFFSET,
    UNTIMED,
    ColumnOutput,
    column_names,
)
from .codegen import ScannerCodegen


class ColumnOutputCodegen:
    """Generates the code that fills a `ColumnOutput`.

    "records" and "extents": records without a packet are in every output, otherwise in none. "extents": the
    positions are those of records, not of packets. "inputs": only the columns that filters need.
    """

    structure = ColumnOutput
    needs_details = True

    def __init__(self, kind: Literal["packets", "inputs", "records", "extents"]) -> None:
        self._all_records = kind in ("records", "extents")
        self._has_extents = kind == "extents"
        self._names = column_names(kind)
        self.needs_times = "times_ns" in self._names

    def begin(self, code: ScannerCodegen, lane: IRValue, index: IRValue, first: IRValue) -> None:
        """Assign a part of the rows of an output to a lane."""
        part = code.lane_output(lane, index)
        memory = code.output_field("memory", code.output(index)).load(8)
        row = (first - code.input("begin")).binary("udiv", MIN_RECORD_SIZE) + lane * 2
        for name, value in (("memory", memory), ("first", row), ("count", code.function.constant(I64, 0))):
            code.output_field(name, part).store(value)

    def gather(
        self, code: ScannerCodegen, lane: IRValue, index: IRValue, count: IRValue, verdicts: int, *, rejected: bool
    ) -> None:
        """Append the selected records."""
        function = code.function
        part = code.lane_output(lane, index)
        with (
            function.if_then(code.output_memory(part).load(8).ne(0)),
            function.for_range(count) as step,
        ):
            is_selected = code.is_selected(step, verdicts, rejected=rejected)
            is_packet = code.is_packet(lane, step)
            has_row = is_selected | is_packet.eq(0) if self._all_records else is_selected & is_packet.ne(0)
            with function.if_then(has_row):
                self._append(code, lane, part, step)
                code.add(code.output_field("packets", part), is_packet)
                code.add(code.output_field("bytes", part), code.captured(lane, step))

    def _append(self, code: ScannerCodegen, lane: IRValue, part: IRValue, step: IRValue) -> None:
        count = code.output_field("count", part).load(8)
        row = code.output_field("first", part).load(8) + count
        packet = code.row(lane, step)
        captured = code.captured(lane, step)
        start = packet.load(8) - code.input("origin")
        end, wire_length = start + captured, packet.gep(12).load(4)
        if self._has_extents:
            record = code.column(lane * (STEPS + 1) + step, STARTS_OFFSET, 8)
            offset = code.input("base").ptrtoint() - code.input("origin")
            start, end = (offset + bound.load(8) for bound in (record, record.gep(8)))
            wire_length = captured.zext_or_trunc(I32)
        interface = code.column(step, INTERFACES_OFFSET, 4).load(4)
        index = (interface & UNTIMED - 1) + code.input("first_interface").zext_or_trunc(I32)
        none = code.function.constant(I32, NO_INTERFACE)
        values = {
            "starts": start,
            "ends": end,
            "times_ns": code.column(step, TIMES_OFFSET, 8).load(8),
            "numbers": code.column(step, NUMBERS_OFFSET, 4).load(4),
            "wire_lengths": wire_length,
            "interfaces": code.is_packet(lane, step).ne(0).select(index, none),
            "option_sizes": code.column(step, OPTION_SIZES_OFFSET, 4).load(4),
            "timed": (interface < UNTIMED).zext_or_trunc("i8"),
        }
        memory = code.output_memory(part).load_pointer()
        for name in self._names:
            self._cell(code, memory, name, row).store(values[name])
        code.output_field("count", part).store(count + 1)

    def _cell(self, code: ScannerCodegen, memory: IRValue, name: str, row: IRValue) -> IRValue:
        """Return the address of an item of a column."""
        return memory.gep(code.input("rows") * COLUMN_STARTS[name] + row * ITEM_SIZES[name])

    def join(self, code: ScannerCodegen, lane: IRValue, index: IRValue, packets_before: IRValue) -> None:
        """Move the rows of a lane to the end of those of the lanes before it, which have *packets_before* packets."""
        function = code.function
        part, joined = code.lane_output(lane, index), code.output(index)
        memory = code.output_memory(joined).load_pointer()
        first = code.output_field("first", part).load(8)
        end = code.output_field("count", joined).load(8)
        count = code.output_field("count", part).load(8)
        with function.if_then(first.ne(end)):
            for name in self._names:
                size = ITEM_SIZES[name]
                with function.for_range(count) as row:
                    value = self._cell(code, memory, name, first + row).load(size)
                    if name == "numbers":
                        value = value + packets_before.zext_or_trunc(I32)
                    self._cell(code, memory, name, end + row).store(value)
        code.output_field("count", joined).store(end + count)

    def finish(self, code: ScannerCodegen, index: IRValue) -> None:
        """Do nothing: the rows are complete."""
