"""Kernels of CUDA in PTX, the text that the driver of NVIDIA compiles for its devices.

All parameters of the kernels have 64 bits: addresses on the device, and numbers. Every grid of one dimension does all
of the work: a thread takes one index after the other, at the distance of the number of threads.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from ..._typing import Final
from ...isa.dialects import Dialect
from ...isa.program import Program
from .compiler import CrossTarget, assembly_for
from .ir import I32, I64, Function, IRValue, module_text
from .machine import MakeMachine, PacketMachine, filter_function

MIN_CAPABILITY: Final = (8, 0)
"""The compute capability, major and minor, from which devices can run the kernels."""
_TARGET: Final = CrossTarget("nvptx64-nvidia-cuda", "sm_80", "+ptx70")
_READ: Final = "ptr noalias readonly"
_WRITTEN: Final = "ptr noalias"
_REGISTERS: Final = ("tid", "ntid", "ctaid", "nctaid")
_DECLARATIONS: Final = "".join(f"declare i32 @llvm.nvvm.read.ptx.sreg.{name}.x()\n" for name in _REGISTERS)


def ptx_kernel(program: Program, dialect: Dialect, name: str, make_machine: MakeMachine = PacketMachine) -> str:
    """Return the text of the kernel (memory, positions, lengths, wire lengths, count, verdicts).

    All addresses are of the device: of bytes, of 64-bit positions in *memory*, and of 32-bit numbers. *count* is the
    number of packets.
    """
    filter = filter_function(program, dialect, make_machine)
    columns = {"positions": _READ, "lengths": _READ, "wire_lengths": _READ}
    function = _kernel(name, memory=_READ, **columns, count=I64, verdicts=_WRITTEN)
    with _indices(function) as index:
        start = function["memory"].gep(function["positions"].gep(index << 3).load_aligned(8))
        captured, wire = (function[column].gep(index << 2).load_aligned(4) for column in ("lengths", "wire_lengths"))
        verdict = function.call(I32, filter, start, captured.zext_or_trunc(I64), captured, wire, function.null())
        function["verdicts"].gep(index << 2).store_aligned(verdict, 4)
    return _text(function, filter)


def rows_kernel(name: str) -> str:
    """Return the text of the kernel (count, stride, width, positions, lengths) that writes the ranges of equal rows.

    Packet i is at the position i * *stride*, modulo 2**64, and has *width* bytes. The two addresses are those of 64-bit
    and of 32-bit numbers, *count* of each.
    """
    function = _kernel(name, count=I64, stride=I64, width=I64, positions=_WRITTEN, lengths=_WRITTEN)
    width = function["width"].zext_or_trunc(I32)
    with _indices(function) as index:
        function["positions"].gep(index << 3).store_aligned(index * function["stride"], 8)
        function["lengths"].gep(index << 2).store_aligned(width, 4)
    return _text(function)


def check_kernel(name: str) -> str:
    """Return the text of the kernel (positions, lengths, count, size, flag) that searches for ranges outside of memory.

    For each range that exceeds a memory of *size* bytes, it writes the index of the packet, plus 1, to the 64-bit
    number at *flag*. The index of one of several such packets remains.
    """
    function = _kernel(name, positions=_READ, lengths=_READ, count=I64, size=I64, flag=_WRITTEN)
    size = function["size"]
    with _indices(function) as index:
        position = function["positions"].gep(index << 3).load_aligned(8)
        length = function["lengths"].gep(index << 2).load_aligned(4).zext_or_trunc(I64)
        # With the position at most *size*, the difference does not wrap.
        exceeds = (position > size) | (length > size - position)
        with function.if_then(exceeds, rare=True):
            function["flag"].store_aligned(index + 1, 8)
    return _text(function)


def _kernel(name: str, **parameters: str) -> Function:
    function = Function(name, "void", **parameters)
    function.calling_convention = "ptx_kernel"
    return function


@contextmanager
def _indices(function: Function) -> Iterator[IRValue]:
    """Execute the code written in the `with` block for each index below *count* that this thread has; then return."""
    thread, block_size, block, blocks = (_register(function, name) for name in _REGISTERS)
    next_index = function.variable(I64, block * block_size + thread)
    with function.loop():
        index = next_index.value
        function.break_if(index >= function["count"])
        yield index
        next_index.value = index + blocks * block_size
    function.ret_void()


def _register(function: Function, name: str) -> IRValue:
    return function.call(I32, f"@llvm.nvvm.read.ptx.sreg.{name}.x").zext_or_trunc(I64)


def _text(*functions: Function) -> str:
    return assembly_for(module_text(*functions) + _DECLARATIONS, _TARGET)
