"""Machine code that computes a column of headers for the packets of columns, in one pass over them.

Without it, each program of the column is another pass, and its verdicts are converted and joined afterwards.
"""

import ctypes
import sys
from contextlib import ExitStack
from functools import cache

from .._lazy import Lazy
from .._typing import TYPE_CHECKING, Any, Final, Sequence
from ..capture.packets import PacketColumns
from ..engines.llvm import jit
from ..isa.dialects import PCAP
from ..packet.buffers import address_of
from .fields import FieldPrograms

if TYPE_CHECKING:
    from ..engines.llvm.ir import Function, IRValue

_COLUMNS: Final = {"starts": 8, "ends": 8, "interfaces": 4}
_PREFETCH_DISTANCE: Final = 40  # packets; `match_columns` has the reason


class FieldCode:
    """The machine code of a column of headers, loaded when it is first used; `field_code` makes it."""

    def __init__(self, programs: FieldPrograms) -> None:
        self._programs = programs

    def fill(self, columns: PacketColumns, selected: bytes, values: bytearray, present: bytearray) -> bool:
        """Compute the values for the packets of some interfaces.

        Args:
            columns: The packets, as columns of machine code.
            selected: A flag for each interface of the capture.
            values: The value of each packet, a number in the host's byte order if it has one program, otherwise bytes.
                Those of other interfaces do not change.
            present: A bit for each packet, the least significant bits first, that becomes 1 if it has a value.

        Returns:
            False, without an effect, if machine code may not read the packets.
        """
        memory = columns.source.address()
        if memory is None:
            return False
        with ExitStack() as stack:
            addresses = [stack.enter_context(address_of(getattr(columns, name))) for name in _COLUMNS]
            outputs = [stack.enter_context(address_of(output)) for output in (values, present)]
            self._function(memory, *addresses, selected, len(columns.starts), *outputs)
        return True

    @Lazy
    def _function(self) -> Any:
        programs = self._programs
        parts = zip(programs.values, programs.widths, strict=True)
        key = " ".join(f"{bytes(program).hex()}:{width}" for program, width in parts)
        code = jit.load_cached(f"column of headers {key} {bytes(programs.validity).hex()}", lambda: _write(programs))
        pointer, number = ctypes.c_void_p, ctypes.c_uint64
        return code.function(ctypes.c_uint32, *[pointer] * 4, ctypes.c_char_p, number, pointer, pointer)


field_code: Final = cache(FieldCode)
"""Return the machine code of some programs, which further captures use again."""


def _write(programs: FieldPrograms) -> str:
    """Return the module of (memory, columns, selected, count, values, present) -> 0."""
    from ..engines.llvm.ir import I8, I32, I64, Function, module_text
    from ..engines.llvm.machine import filter_function

    called = [filter_function(program, PCAP) for program in (*programs.values, programs.validity)]
    for index, program in enumerate(called):
        program.name = f"program{index}"
    columns = dict.fromkeys((*_COLUMNS, "selected"), "ptr noalias readonly")
    outputs = dict.fromkeys(("values", "present"), "ptr noalias")
    function = Function("entry", I32, memory="ptr readonly", **columns, count=I64, **outputs)
    bits = function.variable(I8, 0)
    with function.for_range(function["count"]) as row:
        _prefetch(function, row)
        interface = function["interfaces"].gep(row << 2).load(4).zext_or_trunc(I64)
        with function.if_then(function["selected"].gep(interface).load(1).ne(0)):
            value = _Value(function, row, programs.widths)
            is_present = value.store_number(*called) if len(called) == 2 else value.store_parts(*called)
            bits.value = bits.value | is_present << (row.zext_or_trunc(I8) & 7)
        with function.if_then((row & 7).eq(7) | (row + 1).eq(function["count"])):
            flags = function["present"].gep(row >> 3)
            flags.store(flags.load(1) | bits.value)
            bits.value = 0
    function.ret(0)
    return module_text(function, *called)


def _prefetch(function: "Function", row: "IRValue") -> None:
    """Write the prefetch of the first two cache lines of a later packet."""
    later_row = row + _PREFETCH_DISTANCE
    later = (later_row < function["count"]).select(later_row, row)
    packet = function["memory"].gep(function["starts"].gep(later << 3).load(8))
    function.prefetch(packet)
    function.prefetch(packet.gep(64))


class _Value:
    """Generates the code for the value of the packet of a row; *widths* are those of its parts in bytes."""

    def __init__(self, function: "Function", row: "IRValue", widths: Sequence[int]) -> None:
        from ..engines.llvm.ir import I32

        start = function["starts"].gep(row << 3).load(8)
        length = function["ends"].gep(row << 3).load(8) - start
        captured = length.zext_or_trunc(I32)
        self._function = function
        self._widths = widths
        self._target = function["values"].gep(row * sum(widths))
        # the programs read neither metadata nor the wire length
        self._packet = (function["memory"].gep(start), length, captured, captured, function.null())

    def _run(self, program: "Function") -> "IRValue":
        from ..engines.llvm.ir import I32

        return self._function.call(I32, program, *self._packet)

    def store_number(self, program: "Function", validity: "Function") -> "IRValue":
        """Store the verdict of the only program, which is 0 for a packet without a value; return 0 for these."""
        from ..engines.llvm.ir import I8, I16, I32

        (width,) = self._widths
        verdict = self._run(program)
        self._target.store(verdict.zext_or_trunc(I8 if width == 1 else I16 if width == 2 else I32))
        is_present = self._function.variable(I8, 1)
        with self._function.if_then(verdict.eq(0)):
            is_present.value = self._run(validity).ne(0).zext_or_trunc(I8)
        return is_present.value

    def store_parts(self, *programs: "Function") -> "IRValue":
        """Store the parts of the value, the most significant byte first; return 0 for a packet without a value.

        The last program is that of the validity: a packet may end within the value.
        """
        from ..engines.llvm.ir import I8, I16, I32

        *parts, validity = programs
        is_present = self._run(validity).ne(0)
        with self._function.if_then(is_present):
            target = self._target
            for program, width in zip(parts, self._widths, strict=True):
                part = self._run(program).zext_or_trunc(I16 if width == 2 else I32)
                target.store(part if sys.byteorder == "big" else part.bswap())
                target = target.gep(width)
        return is_present.zext_or_trunc(I8)
