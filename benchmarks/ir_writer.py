"""Writing LLVM IR: the text writer of the llvm engine, compared with llvmlite's IRBuilder.

`LlvmliteMachine` writes the function of `engines.llvm.machine`, instruction by instruction, with llvmlite.ir.
"""

import ctypes
from collections.abc import Iterator
from functools import partial
from statistics import median
from typing import Any, Final

from benchmarks import synthetic
from benchmarks.corpus import ETHERNET
from benchmarks.hot import compiled
from benchmarks.processes import PYTHON, process
from benchmarks.report import Section, table
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired, require_agreement
from benchmarks.whole import FILTER

import cbpf
from cbpf.engines.llvm import entry_points, jit
from cbpf.engines.llvm.machine import filter_function
from cbpf.isa.semantics import begin, execute

_INSTRUCTIONS: Final = {
    "ADD": "add",
    "SUB": "sub",
    "MUL": "mul",
    "DIV": "udiv",
    "MOD": "urem",
    "OR": "or_",
    "AND": "and_",
    "XOR": "xor",
    "SHIFT_LEFT": "shl",
    "SHIFT_RIGHT": "lshr",
}
_PREDICATES: Final = {"EQUAL": "==", "GREATER_THAN": ">", "GREATER_OR_EQUAL": ">="}


def ir_writer(setting: Setting) -> Iterator[Section]:
    """Measure the time to write a filter, and to import the writer."""
    yield _writing(setting)
    yield _importing(setting)


def _writing(setting: Setting) -> Section:
    common = compiled(FILTER)[0]
    _require_equal_verdicts(common)
    rounds = setting.rounds(15)
    text, llvmlite = _times(common, rounds)
    corpus = [_times(compiled(expression)[0], max(1, rounds // 5)) for expression in ETHERNET]
    medians = [median(times) for times in zip(*corpus, strict=True)]
    rows = [
        [f"`{FILTER}`, {len(common)} instructions", f"{text * 1e3:.2f}", f"{llvmlite * 1e3:.2f}"],
        [f"{len(corpus)} expressions, median", f"{medians[0] * 1e3:.2f}", f"{medians[1] * 1e3:.2f}"],
    ]
    note = "From a program to the text of its function, without compiling it; both functions return equal verdicts."
    return Section("Writing LLVM IR", ["case", "text writer, ms", "llvmlite.ir, ms"], rows, note)


def _importing(setting: Setting) -> Section:
    modules = ("cbpf.engines.llvm.ir", "llvmlite.ir", "llvmlite.binding")
    contenders = [
        process("empty interpreter", [PYTHON, "-c", "pass"]),
        *(process(f"import {name}", [PYTHON, "-c", f"import {name}"]) for name in modules),
    ]
    columns = {
        "ms": lambda row: f"{row.seconds * 1e3:.1f}",
        "ms above empty": lambda row: f"{row.more * 1e3:+.1f}",
    }
    note = (
        "Processes with warm bytecode caches. To compile, the engine imports llvmlite.binding, which imports"
        " llvmlite.ir itself; to load code from the disk cache, it imports neither."
    )
    return Section("Importing the writer", *table(paired(contenders, rounds=setting.rounds(15)), columns), note)


def _times(program: cbpf.Program, rounds: int) -> list[float]:
    """Return the seconds per function of both writers."""
    writers = (partial(_text, program), partial(_llvmlite_text, program))
    return [row.seconds for row in paired([Contender("", writer, "") for writer in writers], rounds=rounds)]


def _text(program: cbpf.Program) -> str:
    return filter_function(program, cbpf.PCAP).text()


def _llvmlite_text(program: cbpf.Program) -> str:
    """Return the text of the module that llvmlite.ir writes for a program."""
    machine = LlvmliteMachine(program)
    begin(machine, cbpf.PCAP)
    for index, raw in enumerate(program):
        machine.begin_instruction(index)
        execute(machine, raw, index, cbpf.PCAP)
    return str(machine.module)


def _require_equal_verdicts(program: cbpf.Program) -> None:
    """Stop the benchmark if the functions of both writers return different verdicts."""
    modules = (entry_points.evaluate(filter_function(program, cbpf.PCAP)), _llvmlite_text(program))
    word, size, address = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
    functions = [jit.load(module).function(word, ctypes.c_char_p, size, word, word, address) for module in modules]
    for packet in (*synthetic.packets(100), b"", b"short"):
        length = len(packet)
        text, llvmlite = (function(packet, length, length, length, None) for function in functions)
        require_agreement({"text writer": text, "llvmlite.ir": llvmlite})


class LlvmliteMachine:
    """A `Machine` over an IRBuilder of llvmlite, for programs without extensions and header windows."""

    def __init__(self, program: cbpf.Program) -> None:
        from llvmlite import ir

        self._ir = ir
        self._i1, self._i32, self._i64 = (ir.IntType(bits) for bits in (1, 32, 64))
        self.module = ir.Module()
        pointer = ir.PointerType()
        signature = ir.FunctionType(self._i32, [pointer, self._i64, self._i32, self._i32, pointer])
        function = ir.Function(self.module, signature, "entry")
        self._memory, self._length, self._captured, self._wire, _ = function.args
        self._builder = ir.IRBuilder(function.append_basic_block("entry"))
        self._blocks = [function.append_basic_block(f"i{index}") for index in range(len(program))]
        self._reject = function.append_basic_block("reject")
        ir.IRBuilder(self._reject).ret(self.word(0))
        self._a, self._x, *self._scratch = (self._variable() for _ in range(18))

    def begin_instruction(self, index: int) -> None:
        """Begin the basic block of an instruction."""
        if not self._builder.block.is_terminated:
            self._builder.branch(self._blocks[index])
        self._builder.position_at_end(self._blocks[index])

    def _variable(self) -> Any:
        variable = self._builder.alloca(self._i32)
        self._builder.store(self.word(0), variable)
        return variable

    @property
    def a(self) -> Any:
        return self._builder.load(self._a, typ=self._i32)

    @a.setter
    def a(self, value: Any) -> None:
        self._builder.store(value, self._a)

    @property
    def x(self) -> Any:
        return self._builder.load(self._x, typ=self._i32)

    @x.setter
    def x(self, value: Any) -> None:
        self._builder.store(value, self._x)

    def word(self, value: int) -> Any:
        return self._ir.Constant(self._i32, value)

    def arithmetic(self, action: Any, left: Any, right: Any) -> Any:
        return getattr(self._builder, _INSTRUCTIONS[action.name])(left, right)

    def compare(self, action: Any, left: Any, right: Any) -> Any:
        if action.name == "BITS_SET":
            return self._builder.icmp_unsigned("!=", self._builder.and_(left, right), self.word(0))
        return self._builder.icmp_unsigned(_PREDICATES[action.name], left, right)

    def select(self, condition: Any, then: Any, otherwise: Any) -> Any:
        return self._builder.select(condition, then, otherwise)

    def load_scratch(self, slot: int) -> Any:
        return self._builder.load(self._scratch[slot], typ=self._i32)

    def store_scratch(self, slot: int, value: Any) -> None:
        self._builder.store(value, self._scratch[slot])

    def captured_length(self) -> Any:
        return self._captured

    def wire_length(self) -> Any:
        return self._wire

    def header(self, header: str) -> Any:
        return self.word(0)

    def fetch(self, base: Any, displacement: int, size: int, byte_order: str) -> Any:
        builder, constant = self._builder, partial(self._ir.Constant, self._i64)
        position = builder.add(builder.zext(base, self._i64), constant(displacement))
        out_of_range = builder.icmp_unsigned(">", builder.add(position, constant(size)), self._length)
        in_bounds = builder.append_basic_block("in_bounds")
        builder.cbranch(out_of_range, self._reject, in_bounds).set_weights([1, 2000])
        builder.position_at_end(in_bounds)
        integer = self._ir.IntType(8 * size)
        address = builder.gep(self._memory, [position], source_etype=self._ir.IntType(8))
        value = builder.load(address, typ=integer, align=1)
        if byte_order == "big" and size > 1:
            value = builder.bswap(value)
        return value if size == 4 else builder.zext(value, self._i32)

    def lacks_device(self) -> Any:
        raise NotImplementedError

    def extension(self, extension: int, a: Any, x: Any) -> Any:
        raise NotImplementedError

    def return_if(self, condition: Any, verdict: Any) -> None:
        with self._builder.if_then(condition, likely=False):
            self._builder.ret(verdict)

    def finish(self, verdict: Any) -> None:
        self._builder.ret(verdict)

    def jump(self, target: int) -> None:
        self._builder.branch(self._blocks[target])

    def branch(self, condition: Any, target_true: int, target_false: int) -> None:
        self._builder.cbranch(condition, self._blocks[target_true], self._blocks[target_false])
