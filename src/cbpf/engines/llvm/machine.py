"""Words as LLVM values: the semantics writes a program as one function of LLVM's text."""

from typing import Final

from ...isa.dialects import Dialect, FetchOrder
from ...isa.opcodes import SCRATCH_SLOTS, Action, Extension
from ...isa.program import Program
from ...isa.semantics import HeaderKind, begin, execute
from .context import CALLBACK_EXTENSIONS, offset_of
from .ir import I32, I64, Function, IRValue

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

_REJECT: Final = "reject"


class LLVMMachine:
    """A `Machine` whose words are 32-bit values of a function that is being written, and whose truths are i1."""

    def __init__(self, function: Function, dialect: Dialect) -> None:
        self._function = function
        self._windows = dialect.header_windows
        self._a = function.variable(I32, 0)
        self._x = function.variable(I32, 0)
        self._scratch = [function.variable(I32, 0) for _ in range(SCRATCH_SLOTS)]
        self.has_ended = False  # whether control goes on elsewhere than at the next instruction

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

    def select(self, truth: IRValue, then: IRValue, otherwise: IRValue) -> IRValue:
        return truth.select(then, otherwise)

    def load_scratch(self, slot: int) -> IRValue:
        return self._scratch[slot].value

    def store_scratch(self, slot: int, value: IRValue) -> None:
        self._scratch[slot].value = value

    def captured_length(self) -> IRValue:
        return self._function["captured"]

    def wire_length(self) -> IRValue:
        return self._function["wire"]

    def header(self, header: HeaderKind) -> IRValue:
        return self._told(header) if self._windows else self.word(0)

    def fetch(self, base: IRValue, displacement: int, size: int, byte_order: FetchOrder) -> IRValue:
        function = self._function
        position = base.zext_or_trunc(I64) + displacement
        inside = function.label("inside")
        function.cbranch(position + size > function["length"], _REJECT, inside, rare=True)
        function.begin_block(inside)
        number = function["memory"].gep(position).load(size)
        return (number.bswap() if byte_order == "big" else number).zext_or_trunc(I32)

    def lacks_device(self) -> IRValue:
        return self._told("lacks_device").ne(0)

    def extension(self, extension: Extension, a: IRValue, x: IRValue) -> IRValue:
        if extension is Extension.RAND:
            return self._draw()
        if extension in CALLBACK_EXTENSIONS:
            return self._ask(extension, a, x)
        return self._told("extensions", extension // 4)

    def return_if(self, truth: IRValue, verdict: IRValue) -> None:
        self._function.ret_if(truth, verdict)

    def finish(self, verdict: IRValue) -> None:
        self._function.ret(verdict)
        self.has_ended = True

    def jump(self, target: int) -> None:
        self._function.branch(f"i{target}")
        self.has_ended = True

    def branch(self, truth: IRValue, target_true: int, target_false: int) -> None:
        self._function.cbranch(truth, f"i{target_true}", f"i{target_false}")
        self.has_ended = True

    def _told(self, field: str, index: int = 0) -> IRValue:
        return self._function["circumstances"].gep(offset_of(field, index)).load(4)

    def _ask(self, extension: Extension, a: IRValue, x: IRValue) -> IRValue:
        """What Python says, by the callback of `Circumstances`."""
        function = self._function
        circumstances = function["circumstances"]
        ask = circumstances.gep(offset_of("ask")).load_pointer()
        buffer = circumstances.gep(offset_of("buffer")).load_pointer()
        return function.call(I32, ask, self.word(extension), a, x, function["memory"], function["length"], buffer)

    def _draw(self) -> IRValue:
        """The next random number: a given one, else `socket_buffer.mix` of the seed and the number of the draw."""
        function, circumstances = self._function, self._function["circumstances"]
        draws = circumstances.gep(offset_of("draws")).load(8) + 1
        circumstances.gep(offset_of("draws")).store(draws)
        number = circumstances.gep(offset_of("seed")).load(8) + draws * 0x9E37_79B9_7F4A_7C15
        number = (number ^ number >> 30) * 0xBF58_476D_1CE4_E5B9
        number = (number ^ number >> 27) * 0x94D0_49BB_1331_11EB
        drawn = function.variable(I32, ((number ^ number >> 31) >> 32).zext_or_trunc(I32))
        with function.if_then(draws <= circumstances.gep(offset_of("given_count")).load(8), rare=True):
            given = circumstances.gep(offset_of("given")).load_pointer()
            drawn.value = given.gep((draws - 1) << 2).load(4)
        return drawn.value


def filter_function(program: Program, dialect: Dialect) -> Function:
    """The program: (memory, its length, captured length, wire length, circumstances) -> verdict."""
    function = Function(
        "filter",
        I32,
        memory="ptr noalias readonly",
        length=I64,
        captured=I32,
        wire=I32,
        circumstances="ptr noalias",
    )
    function.attributes += " alwaysinline"
    machine = LLVMMachine(function, dialect)
    begin(machine, dialect)
    for index, raw in enumerate(program):
        if not machine.has_ended:
            function.branch(f"i{index}")
        function.begin_block(f"i{index}")
        machine.has_ended = False
        execute(machine, raw, index, dialect)
    function.begin_block(_REJECT)
    function.ret(0)
    return function
