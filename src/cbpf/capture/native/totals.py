"""Machine code that sums up columns of packets, for each interface."""

import ctypes
from contextlib import ExitStack
from functools import cache

from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ...engines.llvm import jit
from ...packet.buffers import address_of
from ..packets import PacketColumns
from .abi import NO_INTERFACE

_SIGN: Final = 1 << 63  # added to signed numbers, so that unsigned comparisons order them
_COLUMNS: Final = ("starts", "ends", "times_ns", "wire_lengths", "interfaces", "timed")


class _InterfaceSums(ctypes.Structure):
    """The totals of the packets of an interface, as `info.PacketTotals`; times are greater by 2**63."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("packets", "captured_bytes", "wire_bytes", "earliest", "latest", "smallest", "largest", "truncated"),
            "untimed",
        )
    )


class _TimeOrder(ctypes.Structure):
    """The first and the last time in columns, the number of time stamps, and that of those before the preceding one."""

    _fields_ = (
        ("first", ctypes.c_int64),
        ("last", ctypes.c_int64),
        ("timed", ctypes.c_uint64),
        ("out_of_order", ctypes.c_uint64),
    )


class Sums(NamedTuple):
    """The sums of some columns.

    *totals* has the fields of `info.PacketTotals` by index of the interface; *first_ns* and *last_ns* are those of the
    packets with a time stamp, or None; *other_records* are the positions of the records without a packet.
    """

    totals: dict[int, tuple[Any, ...]]
    first_ns: int | None
    last_ns: int | None
    out_of_order: int
    other_records: list[int]


def sum_columns(columns: PacketColumns, interface_count: int) -> Sums:
    """Sum up columns that the scanner returned; *interface_count* interfaces are described."""
    sums = (_InterfaceSums * interface_count)()
    order = _TimeOrder()
    count = len(columns.starts)
    with ExitStack() as stack:
        addresses = [stack.enter_context(address_of(getattr(columns, name))) for name in _COLUMNS]
        _function()(*addresses, count, ctypes.addressof(sums), ctypes.addressof(order))
    totals = {index: _totals(item) for index, item in enumerate(sums) if item.packets}
    first_ns, last_ns = (order.first, order.last) if order.timed else (None, None)
    others = []
    if sum(item.packets for item in sums) < count:
        rows = zip(columns.starts, columns.interfaces, strict=True)
        others = [start for start, interface in rows if interface == NO_INTERFACE]
    return Sums(totals, first_ns, last_ns, order.out_of_order, others)


def _totals(sums: _InterfaceSums) -> tuple[Any, ...]:
    is_timed = sums.packets > sums.untimed
    times = (sums.earliest - _SIGN, sums.latest - _SIGN) if is_timed else (None, None)
    lengths = sums.smallest, sums.largest, sums.truncated, sums.untimed
    return sums.packets, sums.captured_bytes, sums.wire_bytes, *times, *lengths


@cache
def _function() -> Any:
    pointers = [ctypes.c_void_p] * len(_COLUMNS)
    code = jit.load_cached("sum columns", _write)
    return code.function(ctypes.c_uint32, *pointers, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)


def _write() -> str:
    """Return the module of (columns, number of rows, sums of interfaces, order) -> 0."""
    from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text

    function = Function(
        "entry", I32, **dict.fromkeys(_COLUMNS, "ptr readonly"), count=I64, sums="ptr", order="ptr noalias"
    )

    def field(name: str, structure: type[ctypes.Structure], address: IRValue) -> IRValue:
        return address.gep(getattr(structure, name).offset)

    def item(name: str, row: IRValue, size: int) -> IRValue:
        return function[name].gep(row * size).load(size)

    def add(address: IRValue, number: IRValue | int) -> None:
        address.store(address.load(8) + number)

    def lower(address: IRValue, value: IRValue, is_first: IRValue) -> None:
        old = address.load(8)
        address.store((is_first | (value < old)).select(value, old))

    def raise_to(address: IRValue, value: IRValue) -> None:
        old = address.load(8)
        address.store((value > old).select(value, old))

    last, order = function.variable(I64, 0), function["order"]
    with function.for_range(function["count"]) as row:
        interface = item("interfaces", row, 4)
        with function.if_then(interface.ne(NO_INTERFACE)):
            sums = function["sums"].gep(interface.zext_or_trunc(I64) * ctypes.sizeof(_InterfaceSums))
            captured = item("ends", row, 8) - item("starts", row, 8)
            wire = item("wire_lengths", row, 4).zext_or_trunc(I64)
            packets = field("packets", _InterfaceSums, sums)
            lower(field("smallest", _InterfaceSums, sums), captured, packets.load(8).eq(0))
            raise_to(field("largest", _InterfaceSums, sums), captured)
            add(field("captured_bytes", _InterfaceSums, sums), captured)
            add(field("wire_bytes", _InterfaceSums, sums), wire)
            add(field("truncated", _InterfaceSums, sums), (captured < wire).zext_or_trunc(I64))
            is_timed = item("timed", row, 1).ne(0)
            with function.if_then(is_timed):
                time = item("times_ns", row, 8) ^ _SIGN
                earliest = field("earliest", _InterfaceSums, sums)
                is_first = packets.load(8).eq(field("untimed", _InterfaceSums, sums).load(8))
                lower(earliest, time, is_first)
                raise_to(field("latest", _InterfaceSums, sums), time)
                timed = field("timed", _TimeOrder, order)
                with function.if_then(timed.load(8).eq(0)):
                    field("first", _TimeOrder, order).store(time ^ _SIGN)
                    last.value = time
                add(field("out_of_order", _TimeOrder, order), (time < last.value).zext_or_trunc(I64))
                add(timed, 1)
                last.value = time
            with function.if_then(is_timed.eq(0)):
                add(field("untimed", _InterfaceSums, sums), 1)
            add(packets, 1)
    field("last", _TimeOrder, order).store(last.value ^ _SIGN)
    function.ret(0)
    return module_text(function)
