"""The generator of the machine code that makes ranges of memory of the extents of records."""

from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text
from .abi import RangeRequest
from .column_access import ColumnAccess, FileAccess
from .range_output import RangeList


def ranges_code() -> str:
    """Return the module that makes ranges; its function takes a `RangeRequest` and returns 0."""
    function = Function("entry", I32, request="ptr noalias")

    def field(name: str) -> IRValue:
        return function["request"].gep(getattr(RangeRequest, name).offset)

    count, origin = field("count").load(8), field("origin").load(8)
    columns = ColumnAccess(field("columns").load_pointer(), field("rows").load(8))
    file, output = FileAccess(function, columns, field("file")), RangeList(function, field("output"))
    next_row = function.variable(I64, field("row").load(8))
    with function.loop():
        row = next_row.value
        function.break_if(row >= count)
        function.break_if(file.begins_another(row))
        start = columns.item("starts", row)
        size = columns.item("ends", row) - start
        output.append(origin + start, size)
        file.add(row, size, columns.item("wire_lengths", row))
        next_row.value = row + 1
    output.sum_up()
    field("row").store(next_row.value)
    file.finish()
    function.ret(0)
    return module_text(function)
