"""The generator of the machine code that chooses the packets of a sample."""

from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text
from ...engines.llvm.random_numbers import splitmix64
from .abi import ITEM_SIZES, SampleRequest
from .column_access import ColumnAccess


def sampler_code(*, has_extents: bool) -> str:
    """Return the module that moves the rows of a sample, and all without a packet, to the start of the columns.

    *has_extents*: the columns have extents of records. The function takes a `SampleRequest` and returns 0.
    """
    function = Function("entry", I32, request="ptr noalias")

    def field(name: str) -> IRValue:
        return function["request"].gep(getattr(SampleRequest, name).offset)

    before, seed, interval = (field(name).load(8) for name in ("before", "seed", "interval"))
    columns = ColumnAccess(field("columns").load_pointer(), field("rows").load(8))
    results = {name: function.variable(I64, 0) for name in ("count", "packets", "bytes")}
    with function.for_range(field("count").load(8)) as row:
        is_packet = columns.is_packet(row)
        number = splitmix64(seed, before + columns.item("numbers", row))
        is_sampled = number.binary("urem", interval.zext_or_trunc(I32)).eq(0)
        with function.if_then(is_packet.eq(0) | is_sampled):
            size = columns.item("ends", row) - columns.item("starts", row)
            captured = columns.item("wire_lengths", row) if has_extents else size
            target = results["count"].value
            for name, item_size in ITEM_SIZES.items():
                columns.cell(name, target).store(columns.cell(name, row).load(item_size))
            for name, value in (("count", function.constant(I64, 1)), ("packets", is_packet), ("bytes", captured)):
                results[name].value = results[name].value + value
    for name, result in results.items():
        field(name).store(result.value)
    function.ret(0)
    return module_text(function)
