"""The machine of the llvm engine: words are LLVM values, so that the semantics writes a function of LLVM IR.

Instruction n of the program begins the basic block `i<n>`. A, X and the scratch slots are variables, which LLVM turns
into registers. Every load from the packet is preceded by one comparison with the length of the memory, which jumps to
the block `reject` if a byte is missing.
"""

from collections.abc import Callable

from ..._typing import Final, TypeAlias
from ...isa.dialects import Dialect, FetchOrder
from ...isa.enumerations import Extension
from ...isa.opcodes import OUT_OF_RANGE, SCRATCH_SLOTS, Action
from ...isa.program import Program
from ...isa.semantics import HeaderKind, begin, execute
from .context import CALLBACK_EXTENSIONS, offset_of
from .ir import I32, I64, Function, IRType, IRValue
from .random_numbers import splitmix64

_INSTRUCTIONS: Final = {
    Action.ADD: "add",
    Action.SUB: "sub",
    Action.MUL: "mul",
    Action.DIV: "udiv",
    Action.MOD: "urem",
    Action.OR: "or",
    Action.AND: "and",
    Action.XOR: "xor",
    Action.SHIFT_LEFT: "shl",
    Action.SHIFT_RIGHT: "lshr",
}
_PREDICATES: Final = {Action.EQUAL: "eq", Action.GREATER_THAN: "ugt", Action.GREATER_OR_EQUAL: "uge"}

_REJECT: Final = "reject"  # the label of the block that returns 0


class LLVMMachine:
    """A `Machine` whose words are i32 values of a function under construction, and whose conditions are i1 values."""

    def __init__(self, function: Function, dialect: Dialect) -> None:
        self._function = function
        self._dialect = dialect
        self._length = function["length"]
        self._a = function.variable(I32, 0)
        self._x = function.variable(I32, 0)
        self._scratch = [function.variable(I32, 0) for _ in range(SCRATCH_SLOTS)]
        self.is_terminated = False  # whether the current block ends with a jump or a return

    @property
    def a(self) -> IRValue:
        return self._a.value

    @a.setter
    def a(self, value: IRValue) -> None:
        self._a.value = value

    @property
    def x(self) -> IRValue:
        return self._x.value

    @x.setter
    def x(self, value: IRValue) -> None:
        self._x.value = value

    def word(self, value: int) -> IRValue:
        return self._function.constant(I32, value)

    def arithmetic(self, action: Action, left: IRValue, right: IRValue) -> IRValue:
        return left.binary(_INSTRUCTIONS[action], right)

    def compare(self, action: Action, left: IRValue, right: IRValue) -> IRValue:
        if action is Action.BITS_SET:
            return (left & right).ne(0)
        return left.icmp(_PREDICATES[action], right)

    def select(self, condition: IRValue, then: IRValue, otherwise: IRValue) -> IRValue:
        return condition.select(then, otherwise)

    def load_scratch(self, slot: int) -> IRValue:
        return self._scratch[slot].value

    def store_scratch(self, slot: int, value: IRValue) -> None:
        self._scratch[slot].value = value

    def captured_length(self) -> IRValue:
        return self._function["captured"]

    def wire_length(self) -> IRValue:
        return self._function["wire"]

    def header(self, header: HeaderKind) -> IRValue:
        return self._context_field(header) if self._dialect.header_windows else self.word(0)

    def fetch(self, base: IRValue, displacement: int, size: int, byte_order: FetchOrder) -> IRValue:
        position = base.zext_or_trunc(I64) + displacement
        self._reject_if(position + size > self._length)
        value = self._bytes_at(position, size)
        return (value.bswap() if byte_order == "big" else value).zext_or_trunc(I32)

    def lacks_device(self) -> IRValue:
        return self._context_field("lacks_device").ne(0)

    def extension(self, extension: Extension, a: IRValue, x: IRValue) -> IRValue:
        if extension is Extension.RAND:
            return self._next_draw()
        if extension in CALLBACK_EXTENSIONS:
            return self._call_python(extension, a, x)
        return self._context_field("extensions", extension // 4)

    def return_if(self, condition: IRValue, verdict: IRValue) -> None:
        self._function.ret_if(condition, verdict)

    def finish(self, verdict: IRValue) -> None:
        self._function.ret(verdict)
        self.is_terminated = True

    def jump(self, target: int) -> None:
        self._function.branch(f"i{target}")
        self.is_terminated = True

    def branch(self, condition: IRValue, target_true: int, target_false: int) -> None:
        self._function.cbranch(condition, f"i{target_true}", f"i{target_false}")
        self.is_terminated = True

    def begin_instruction(self, index: int) -> None:
        """Begin the block of an instruction, which the instruction before it reaches unless it ends with a jump."""
        if not self.is_terminated:
            self._function.branch(f"i{index}")
        self._function.begin_block(f"i{index}")
        self.is_terminated = False

    def _reject_if(self, condition: IRValue) -> None:
        """End the run with verdict 0 if the condition holds, which is rare."""
        in_bounds = self._function.label("in_bounds")
        self._function.cbranch(condition, _REJECT, in_bounds, rare=True)
        self._function.begin_block(in_bounds)

    def write_ends(self) -> None:
        """Write the blocks to which other code jumps at the end of a run."""
        self._function.begin_block(_REJECT)
        self._function.ret(0)

    def _bytes_at(self, position: IRValue, size: int) -> IRValue:
        """Return the number, in the host's byte order, in *size* bytes of the memory that are within its length."""
        return self._function["memory"].gep(position).load(size)

    def _context_field(self, field: str, index: int = 0) -> IRValue:
        return self._function["context"].gep(offset_of(field, index)).load(4)

    def _call_python(self, extension: Extension, a: IRValue, x: IRValue) -> IRValue:
        """Call Python for the value of an extension, through the callback of `PacketContext`."""
        function = self._function
        context = function["context"]
        callback = context.gep(offset_of("callback")).load_pointer()
        buffer = context.gep(offset_of("socket_buffer")).load_pointer()
        return function.call(I32, callback, self.word(extension), a, x, function["memory"], function["length"], buffer)

    def _next_draw(self) -> IRValue:
        """Return the next random number: a preset one, or that of the seed and the number of the draw."""
        function, context = self._function, self._function["context"]
        draw = context.gep(offset_of("draw_count")).load(8) + 1
        context.gep(offset_of("draw_count")).store(draw)
        result = function.variable(I32, splitmix64(context.gep(offset_of("seed")).load(8), draw))
        with function.if_then(draw <= context.gep(offset_of("preset_count")).load(8), rare=True):
            preset_draws = context.gep(offset_of("preset_draws")).load_pointer()
            result.value = preset_draws.gep((draw - 1) << 2).load(4)
        return result.value


class PacketMachine(LLVMMachine):
    """The machine of functions that have the packet, and no metadata: header windows are outside of every packet."""

    def header(self, header: HeaderKind) -> IRValue:
        return self.word(0 if header == "packet" else OUT_OF_RANGE)


class DefaultPacketMachine(LLVMMachine):
    """The machine of packets with the default metadata (`Metadata()`): the network header begins at byte 0.

    The link header does not exist. Extensions are not supported.
    """

    def header(self, header: HeaderKind) -> IRValue:
        return self.word(OUT_OF_RANGE if header == "link" else 0)


MakeMachine: TypeAlias = Callable[[Function, Dialect], LLVMMachine]


def filter_function(
    program: Program, dialect: Dialect, make_machine: MakeMachine = LLVMMachine, *, length: IRType = I64
) -> Function:
    """Return the function of a program: (memory, its length, captured length, wire length, context) -> verdict.

    Lengths are in bytes; *length* is the type of the second parameter, of which other machines may have another use.
    Every entry point inlines the function.
    """
    function = Function(
        "classic_filter",
        I32,
        memory="ptr noalias readonly",
        length=length,
        captured=I32,
        wire=I32,
        context="ptr noalias",
    )
    function.attributes += " alwaysinline"
    machine = make_machine(function, dialect)
    begin(machine, dialect)
    for index, raw in enumerate(program):
        machine.begin_instruction(index)
        execute(machine, raw, index, dialect)
    machine.write_ends()
    return function
