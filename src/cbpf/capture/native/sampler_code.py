"""The generator of the machine code that chooses the packets of a sample: rows that remain, or ranges of records."""

from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text
from ...engines.llvm.random_numbers import splitmix64
from .abi import COLUMN_STARTS, ITEM_SIZES, NO_INTERFACE, SampleRequest
from .range_output import RangeList


class _SamplerCodegen:
    """Generates the loads and stores of a `SampleRequest`."""

    def __init__(self) -> None:
        self.function = Function("entry", I32, request="ptr noalias")
        names = ("rows", "count", "before", "seed", "interval", "origin")
        self.inputs = {name: self.field(name).load(8) for name in names}
        self._columns = self.field("columns").load_pointer()
        self.output = RangeList(self.function, self.field("output"))

    def field(self, name: str) -> IRValue:
        """Return the address of a field."""
        return self.function["request"].gep(getattr(SampleRequest, name).offset)

    def cell(self, name: str, row: IRValue) -> IRValue:
        """Return the address of an item of a column."""
        return self._columns.gep(self.inputs["rows"] * COLUMN_STARTS[name] + row * ITEM_SIZES[name])

    def item(self, name: str, row: IRValue) -> IRValue:
        """Return an item of a column, as 64 bits."""
        return self.cell(name, row).load(ITEM_SIZES[name]).zext_or_trunc(I64)

    def is_packet(self, row: IRValue) -> IRValue:
        """Return 1 for a record with a packet, otherwise 0."""
        return self.item("interfaces", row).ne(NO_INTERFACE).zext_or_trunc(I64)

    def is_sampled(self, row: IRValue) -> IRValue:
        """Return whether a packet is in the sample, as `Sample.contains` does."""
        number = splitmix64(self.inputs["seed"], self.inputs["before"] + self.item("numbers", row))
        return number.binary("urem", self.inputs["interval"].zext_or_trunc(I32)).eq(0)

    def count_packet(self, captured: IRValue, is_packet: IRValue) -> None:
        """Add a packet, or none, to the counts of the output."""
        for name, number in (("packets", is_packet), ("bytes", captured)):
            field = self.output.field(name)
            field.store(field.load(8) + number)


def sampled_columns_code() -> str:
    """Return the module that moves the rows of a sample, and all without a packet, to the start of the columns."""
    code = _SamplerCodegen()
    function = code.function
    count = function.variable(I64, 0)
    with function.for_range(code.inputs["count"]) as row:
        is_packet = code.is_packet(row)
        with function.if_then(is_packet.eq(0) | code.is_sampled(row)):
            code.count_packet(code.item("ends", row) - code.item("starts", row), is_packet)
            for name, size in ITEM_SIZES.items():
                code.cell(name, count.value).store(code.cell(name, row).load(size))
            count.value = count.value + 1
    code.field("count").store(count.value)
    function.ret(0)
    return module_text(function)


def sampled_ranges_code() -> str:
    """Return the module that makes ranges of the extents of records: those of a sample, and all without a packet."""
    code = _SamplerCodegen()
    function = code.function
    with function.for_range(code.inputs["count"]) as row:
        is_packet = code.is_packet(row)
        with function.if_then(is_packet.eq(0) | code.is_sampled(row)):
            start = code.item("starts", row)
            code.output.append(code.inputs["origin"] + start, code.item("ends", row) - start)
            code.count_packet(code.item("wire_lengths", row), is_packet)
    code.output.sum_up()
    function.ret(0)
    return module_text(function)
