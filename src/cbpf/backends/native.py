"""A program as LLVM IR with the signature of the C target, and as an object file for this machine."""

from .._typing import Final
from ..engines.llvm.compiler import compile_module, compiling
from ..engines.llvm.ir import I32, I64, Function, module_text
from ..engines.llvm.machine import PacketMachine, filter_function
from ..isa.dialects import Dialect
from ..isa.program import Program

_PARAMETERS: Final = {"packet": "ptr noalias readonly", "captured": I64, "wire": I64}


def llvm_ir(program: Program, dialect: Dialect, name: str) -> str:
    """Return a module with the function (packet, captured length, wire length) -> verdict.

    Lengths have 64 bits, as size_t of 64-bit machines; the verdict has 32.
    """
    filter = filter_function(program, dialect, PacketMachine)
    function = Function(name, I32, **_PARAMETERS)
    captured, wire = function["captured"], function["wire"].zext_or_trunc(I32)
    verdict = function.call(
        I32, filter, function["packet"], captured, captured.zext_or_trunc(I32), wire, function.null()
    )
    function.ret(verdict)
    return module_text(function, filter)


def object_file(program: Program, dialect: Dialect, name: str) -> bytes:
    """Return an object file of this machine with the function of `llvm_ir`."""
    with compiling:
        return compile_module(llvm_ir(program, dialect, name))
