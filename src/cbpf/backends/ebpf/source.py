"""A program as a module of LLVM IR for a hook of eBPF, and as an object file that loaders take."""

from functools import partial

from ..._typing import TYPE_CHECKING, Final
from ...engines.llvm.compiler import CrossTarget, assembly_for, compile_for
from ...engines.llvm.ir import I32, I64, PTR, Function, IRValue, module_text
from ...engines.llvm.machine import MakeMachine, filter_function
from ...errors import ProgramFormatError
from ...isa.dialects import Dialect
from ...isa.program import Program
from .hooks import HOOKS, SKB_LENGTH, Hook
from .machine import ClassifierMachine, SocketMachine, XDPMachine

if TYPE_CHECKING:
    from ..._options import AcceptedFate

_TARGET: Final = CrossTarget("bpfel", "v3")
"""Version 3 of the instruction set, with operations on 32 bits: Linux 5.1 and later."""

_FARTHEST_JUMP: Final = 2**15 - 1
_MOST_INSTRUCTIONS: Final = 24
"""More eBPF instructions than any classic one is compiled to."""

_MACHINES: Final = {"ebpf-xdp": XDPMachine, "ebpf-tc": ClassifierMachine, "ebpf-socket": SocketMachine}

_LICENSE: Final = "Dual BSD/GPL"
_GLOBALS: Final = (
    "declare i64 @llvm.bpf.load.byte(ptr, i64)\n"
    "declare i64 @llvm.bpf.load.half(ptr, i64)\n"
    "declare i64 @llvm.bpf.load.word(ptr, i64)\n"
    f'@_license = global [{len(_LICENSE) + 1} x i8] c"{_LICENSE}\\00", section "license", align 1\n'
)


def ebpf_object(program: Program, dialect: Dialect, target: str, name: str, accept: "AcceptedFate") -> bytes:
    """Return an object file (ELF) for a hook; raise `ProgramFormatError` if the program is too long."""
    ir = ebpf_ir(program, dialect, target, name, accept)
    if len(program) * _MOST_INSTRUCTIONS > _FARTHEST_JUMP:
        _checked_assembly(ir, target)
    return compile_for(ir, _TARGET)


def ebpf_assembly(program: Program, dialect: Dialect, target: str, name: str, accept: "AcceptedFate") -> str:
    """Return the instructions of an object file for a hook as the assembly that LLVM writes and reads."""
    lines = _checked_assembly(ebpf_ir(program, dialect, target, name, accept), target)
    return "\n".join(line.expandtabs(8) for line in lines if line) + "\n"


def _checked_assembly(ir: str, target: str) -> list[str]:
    """Return the lines of the assembly; raise `ProgramFormatError` if jumps may be too far.

    LLVM ends the process at such a jump when it writes an object file.
    """
    lines = assembly_for(ir, _TARGET).splitlines()
    count = sum(map(_is_instruction, lines))
    if count > _FARTHEST_JUMP:
        rule = f"its jumps reach at most {_FARTHEST_JUMP:,}"
        raise ProgramFormatError(f"target {target}: the program has {count:,} eBPF instructions; {rule}")
    return lines


def _is_instruction(line: str) -> bool:
    """Return whether a line of assembly is an instruction, and neither a label nor a directive nor a comment."""
    return line.startswith("\t") and line[1:2] not in (".", "#")


def ebpf_ir(program: Program, dialect: Dialect, target: str, name: str, accept: "AcceptedFate") -> str:
    """Return the module of a program for a hook: (context) -> the result of the hook."""
    hook = HOOKS[target]
    make_machine: MakeMachine = partial(_MACHINES[target], hook=hook)
    filter = filter_function(program, dialect, make_machine, length=PTR)
    function = Function(name, I32, context=PTR)
    function.attributes += f' section "{hook.section}"'
    memory, end, length = _packet(function, hook)
    verdict = function.call(I32, filter, memory, end, length, length, function["context"])
    function.ret(_result(function, hook, verdict, accept))
    return module_text(function, filter) + _GLOBALS


def _packet(function: Function, hook: Hook) -> tuple[IRValue, IRValue, IRValue]:
    """Return the addresses of the packet and of its end, and its length; the addresses are null if it has none."""
    context = function["context"]
    memory = end = function.null()
    if hook.data is not None:
        memory, end = (context.gep(offset).load_aligned(4).zext_or_trunc(I64).inttoptr() for offset in hook.data)
    if hook.section == "xdp":
        return memory, end, (end.ptrtoint() - memory.ptrtoint()).zext_or_trunc(I32)
    return memory, end, context.gep(SKB_LENGTH.offset).load_aligned(4)


def _result(function: Function, hook: Hook, verdict: IRValue, accept: "AcceptedFate") -> IRValue:
    """Return the result of a hook for a verdict."""
    if hook.results is None:
        return verdict
    opposite: AcceptedFate = "drop" if accept == "pass" else "pass"
    accepted, rejected = (function.constant(I32, hook.results[each]) for each in (accept, opposite))
    return verdict.ne(0).select(accepted, rejected)
