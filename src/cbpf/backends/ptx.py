"""A program as a CUDA kernel in PTX, the text that the driver of NVIDIA compiles for its devices."""

from .._typing import Final
from ..engines.llvm.compiler import CrossTarget, assembly_for
from ..engines.llvm.ir import I32, I64, Function, IRValue, module_text
from ..engines.llvm.machine import filter_function
from ..isa.dialects import Dialect
from ..isa.program import Program
from .native import PacketMachine

_TARGET: Final = CrossTarget("nvptx64-nvidia-cuda", "sm_80", "+ptx70")

_PARAMETERS: Final = {
    "memory": "ptr noalias readonly",
    "positions": "ptr noalias readonly",
    "lengths": "ptr noalias readonly",
    "wire_lengths": "ptr noalias readonly",
    "count": I64,
    "verdicts": "ptr noalias",
}
_REGISTERS: Final = ("tid", "ntid", "ctaid", "nctaid")
_DECLARATIONS: Final = "".join(f"declare i32 @llvm.nvvm.read.ptx.sreg.{name}.x()\n" for name in _REGISTERS)


def ptx_kernel(program: Program, dialect: Dialect, name: str) -> str:
    """Return the text of the kernel (memory, positions, lengths, wire lengths, count, verdicts).

    All addresses are of the device: of bytes, of 64-bit positions in *memory*, and of 32-bit numbers. *count* is the
    number of packets, with 64 bits. Any grid of one dimension computes all verdicts.
    """
    filter = filter_function(program, dialect, PacketMachine)
    function = Function(name, "void", **_PARAMETERS)
    function.calling_convention = "ptx_kernel"
    thread, block_size, block, blocks = (_register(function, name) for name in _REGISTERS)
    packet = function.variable(I64, block * block_size + thread)
    with function.loop():
        index = packet.value
        function.break_if(index >= function["count"])
        start = function["memory"].gep(function["positions"].gep(index << 3).load_aligned(8))
        captured, wire = (function[column].gep(index << 2).load_aligned(4) for column in ("lengths", "wire_lengths"))
        verdict = function.call(I32, filter, start, captured.zext_or_trunc(I64), captured, wire, function.null())
        function["verdicts"].gep(index << 2).store_aligned(verdict, 4)
        packet.value = index + blocks * block_size
    function.ret_void()
    return assembly_for(module_text(function, filter) + _DECLARATIONS, _TARGET)


def _register(function: Function, name: str) -> IRValue:
    return function.call(I32, f"@llvm.nvvm.read.ptx.sreg.{name}.x").zext_or_trunc(I64)
