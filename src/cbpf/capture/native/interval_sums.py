"""Machine code that counts the packets of columns by interval of time and by group of interfaces."""

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import cache

from ..._named_tuple import NamedTuple
from ..._typing import Any, Final
from ...engines.llvm import jit
from ...packet.buffers import address_of
from ..packets import PacketColumns

_COLUMNS: Final = ("starts", "ends", "times_ns", "wire_lengths", "interfaces", "timed")
_MAX_SUMS: Final = 1 << 14  # per call


class _Sum(ctypes.Structure):
    """The sums of consecutive packets of one interval and one group; *interval* is 0 for packets without a time."""

    _fields_ = (
        ("interval", ctypes.c_int64),
        ("timed", ctypes.c_uint64),
        ("group", ctypes.c_uint64),
        ("packets", ctypes.c_uint64),
        ("captured_bytes", ctypes.c_uint64),
        ("wire_bytes", ctypes.c_uint64),
    )


class IntervalSum(NamedTuple):
    """The sums of consecutive packets of one interval and one group; *interval* is None for packets without a time."""

    interval: int | None
    group: int
    packets: int
    captured_bytes: int
    wire_bytes: int


def sum_intervals(columns: PacketColumns, groups: Sequence[int], interval_ns: int) -> Iterator[IntervalSum]:
    """Yield the sums of columns that the scanner returned.

    *groups* has a number for each interface, and interval n begins n times *interval_ns* after 1970.
    """
    group_numbers = (ctypes.c_uint32 * len(groups))(*groups)
    sums = (_Sum * min(_MAX_SUMS, len(columns.starts)))()
    for first in range(0, len(columns.starts), _MAX_SUMS):
        rows = slice(first, first + _MAX_SUMS)
        parts = [getattr(columns, name)[rows] for name in _COLUMNS]
        with ExitStack() as stack:
            addresses = [stack.enter_context(address_of(part)) for part in parts]
            count = _function()(
                *addresses, len(parts[0]), ctypes.addressof(group_numbers), interval_ns, ctypes.addressof(sums)
            )
        for item in sums[:count]:
            interval = item.interval if item.timed else None
            yield IntervalSum(interval, item.group, item.packets, item.captured_bytes, item.wire_bytes)


@cache
def _function() -> Any:
    pointers = [ctypes.c_void_p] * len(_COLUMNS)
    code = jit.load_cached("sum intervals", _write)
    return code.function(ctypes.c_uint32, *pointers, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)


def _write() -> str:
    """Return the module of (columns, number of rows, groups, interval_ns, sums) -> number of sums."""
    from ...engines.llvm.ir import I32, I64, Function, IRValue, module_text

    function = Function(
        "entry",
        I32,
        **dict.fromkeys(_COLUMNS, "ptr readonly"),
        count=I64,
        groups="ptr readonly",
        interval_ns=I64,
        sums="ptr noalias",
    )
    length = function["interval_ns"]
    sum_count = function.variable(I64, 0)
    start = function.variable(I64, 0)  # of the interval of the last sum

    def item(name: str, row: IRValue, size: int) -> IRValue:
        return function[name].gep(row * size).load(size)

    def field(name: str) -> IRValue:
        """Return the address of a field of the last sum."""
        return function["sums"].gep((sum_count.value - 1) * ctypes.sizeof(_Sum) + getattr(_Sum, name).offset)

    def interval_of(time: IRValue) -> IRValue:
        """Return the quotient of a signed time and the length of an interval, rounded down."""
        sign = time.binary("ashr", 63)
        return (time ^ sign).binary("udiv", length) ^ sign

    def begin_sum(interval: IRValue, timed: IRValue, group: IRValue) -> None:
        sum_count.value = sum_count.value + 1
        for name, value in (("interval", interval), ("timed", timed), ("group", group)):
            field(name).store(value)
        for name in ("packets", "captured_bytes", "wire_bytes"):
            field(name).store(function.constant(I64, 0))
        start.value = interval * length

    with function.for_range(function["count"]) as row:
        timed = item("timed", row, 1).zext_or_trunc(I64)
        time = timed.ne(0).select(item("times_ns", row, 8), function.constant(I64, 0))
        interface = item("interfaces", row, 4).zext_or_trunc(I64)
        group = function["groups"].gep(interface * 4).load(4).zext_or_trunc(I64)
        differs = function.variable(I64, 1)
        with function.if_then(sum_count.value.ne(0)):
            is_within = time - start.value < length
            is_same = is_within & field("timed").load(8).eq(timed) & field("group").load(8).eq(group)
            differs.value = is_same.eq(0).zext_or_trunc(I64)
        with function.if_then(differs.value.ne(0)):
            begin_sum(interval_of(time), timed, group)
        for name, number in (
            ("packets", function.constant(I64, 1)),
            ("captured_bytes", item("ends", row, 8) - item("starts", row, 8)),
            ("wire_bytes", item("wire_lengths", row, 4).zext_or_trunc(I64)),
        ):
            field(name).store(field(name).load(8) + number)
    function.ret(sum_count.value.zext_or_trunc(I32))
    return module_text(function)
