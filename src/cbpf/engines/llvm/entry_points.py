"""The entry points of machine code: functions that run a filter on one packet or on many.

Each entry point is a module of its own, with the filter inlined, so that only the entry points that are used are
compiled. Arguments are listed as in C; lengths are in bytes, and numbers are in the host's byte order.
"""

from ..._typing import Final
from .ir import I32, I64, PTR, Function, IRValue, module_text
from .object_layout import BYTES_OFFSET, SIZE_OFFSET, TYPE_OFFSET

_PREFETCH_DISTANCE: Final = 12  # packets; the memory system serves about this many requests at once
_SCANNED_DISTANCE: Final = 40  # packets; after a scan, their headers are in a cache that other cores share


def match(filter: Function) -> str:
    """Return the module of (rows, count, verdicts, context) -> 0, which runs the filter on packets at any addresses.

    A row is {address: u64, captured length: u32, wire length: u32}; a verdict is a u32.
    """
    function = Function(
        "entry", I32, rows="ptr noalias readonly", count=I64, verdicts="ptr noalias", context="ptr noalias"
    )
    with function.for_range(function["count"]) as index:
        row = function["rows"].gep(index << 4)
        captured, wire = row.gep(8).load(4), row.gep(12).load(4)
        packet = row.load_pointer()
        verdict = function.call(I32, filter, packet, captured.zext_or_trunc(I64), captured, wire, function["context"])
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_ranges(filter: Function) -> str:
    """Return the module of (memory, positions, lengths, wire lengths, count, verdicts, context) -> 0.

    The columns are those of `Packets`: positions are u64, lengths u32; a verdict is a u32.
    """
    columns = dict.fromkeys(("positions", "lengths", "wire_lengths"), "ptr noalias readonly")
    function = Function("entry", I32, memory="ptr", **columns, count=I64, verdicts="ptr noalias", context="ptr noalias")
    with function.for_range(function["count"]) as index:
        position = function["positions"].gep(_index_ahead(function, index) << 3).load(8)
        _prefetch_packet(function, function["memory"].gep(position))
        packet = function["memory"].gep(function["positions"].gep(index << 3).load(8))
        captured = function["lengths"].gep(index << 2).load(4)
        wire = function["wire_lengths"].gep(index << 2).load(4)
        verdict = function.call(I32, filter, packet, captured.zext_or_trunc(I64), captured, wire, function["context"])
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_columns(filter: Function) -> str:
    """Return the module of (memory, starts, ends, wire lengths, interfaces, selected, count, verdicts, context) -> 0.

    It runs the filter on the packets of the selected interfaces; the verdicts of other packets do not change. The
    columns are those of a scan: starts and ends are u64 and count from *memory*, wire lengths and interfaces u32;
    *selected* has a byte for each interface, and a verdict is a u32.
    """
    names = ("starts", "ends", "wire_lengths", "interfaces", "selected")
    columns = dict.fromkeys(names, "ptr noalias readonly")
    function = Function("entry", I32, memory=PTR, **columns, count=I64, verdicts="ptr noalias", context="ptr noalias")
    with function.for_range(function["count"]) as index:
        ahead = function["starts"].gep(_index_ahead(function, index, _SCANNED_DISTANCE) << 3).load(8)
        _prefetch_packet(function, function["memory"].gep(ahead))
        interface = function["interfaces"].gep(index << 2).load(4).zext_or_trunc(I64)
        with function.if_then(function["selected"].gep(interface).load(1).ne(0)):
            start = function["starts"].gep(index << 3).load(8)
            length = function["ends"].gep(index << 3).load(8) - start
            wire = function["wire_lengths"].gep(index << 2).load(4)
            packet, captured = function["memory"].gep(start), length.zext_or_trunc(I32)
            verdict = function.call(I32, filter, packet, length, captured, wire, function["context"])
            function["verdicts"].gep(index << 2).store(verdict)
    function.ret(0)
    return module_text(function, filter)


def match_objects(filter: Function) -> str:
    """Return the module of (addresses of objects, count, verdicts, context, type of bytes) -> number of verdicts.

    The code stops before the first object that is not of the type `bytes`; a verdict is a u32.
    """
    function = Function(
        "entry",
        I64,
        objects="ptr noalias readonly",
        count=I64,
        verdicts="ptr noalias",
        context="ptr noalias",
        bytes=PTR,
    )
    with function.for_range(function["count"]) as index:
        ahead = function["objects"].gep(_index_ahead(function, index) << 3).load_pointer()
        _prefetch_packet(function, ahead.gep(BYTES_OFFSET))
        packet = function["objects"].gep(index << 3).load_pointer()
        function.ret_if(packet.gep(TYPE_OFFSET).load_pointer().ne(function["bytes"]), index)
        verdict = call_filter(
            function, filter, packet.gep(BYTES_OFFSET), packet.gep(SIZE_OFFSET).load(8), function["context"]
        )
        function["verdicts"].gep(index << 2).store(verdict)
    function.ret(function["count"])
    return module_text(function, filter)


def _index_ahead(function: Function, index: IRValue, distance: int = _PREFETCH_DISTANCE) -> IRValue:
    """Return the index of the packet to prefetch while packet *index* is filtered."""
    ahead = index + distance
    return (ahead < function["count"]).select(ahead, index)


def _prefetch_packet(function: Function, packet: IRValue) -> None:
    """Prefetch the first two cache lines of a packet; the first may also hold the size of its bytes object."""
    function.prefetch(packet)
    function.prefetch(packet.gep(64))


def evaluate(filter: Function) -> str:
    """Return the module of (memory, its length, captured length, wire length, context) -> verdict."""
    function = Function("entry", I32, memory="ptr", length=I64, captured=I32, wire=I32, context="ptr")
    names = ("memory", "length", "captured", "wire", "context")
    function.ret(function.call(I32, filter, *(function[name] for name in names)))
    return module_text(function, filter)


def call_filter(function: Function, filter: Function, packet: IRValue, length: IRValue, context: IRValue) -> IRValue:
    """Call the filter on a packet that was not truncated."""
    return function.call(I32, filter, packet, length, length.zext_or_trunc(I32), length.zext_or_trunc(I32), context)
