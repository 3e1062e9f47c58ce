"""Words as LLVM values: the semantics writes a program as one function of LLVM's text."""

from typing import Final

from ...isa.dialects import Dialect, FetchOrder
from ...isa.opcodes import SCRATCH_SLOTS, Action, Extension
from ...isa.program import Program
from ...isa.semantics import Header, begin, execute
from .context import ASKED, offset_of
from .ir import I32, I64, Function, Value

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
    def a(self) -> Value:
        return self._a.value

    @a.setter
    def a(self, value: Value) -> None:
        self._a.value = value

    @property
    def x(self) -> Value:
        return self._x.value

    @x.setter
    def x(self, value: Value) -> None:
        self._x.value = value

    def word(self, value: int) -> Value:
        return self._function.constant(I32, value)

    def arithmetic(self, action: Action, left: Value, right: Value) -> Value:
        return left.binary(_INSTRUCTIONS[action], right)

    def compare(self, action: Action, left: Value, right: Value) -> Value:
        if action is Action.BITS_SET:
            return (left & right).differs(0)
        return left.compare(_PREDICATES[action], right)

    def select(self, truth: Value, then: Value, otherwise: Value) -> Value:
        return truth.select(then, otherwise)

    def load_scratch(self, slot: int) -> Value:
        return self._scratch[slot].value

    def store_scratch(self, slot: int, value: Value) -> None:
        self._scratch[slot].value = value

    def captured_length(self) -> Value:
        return self._function["captured"]

    def wire_length(self) -> Value:
        return self._function["wire"]

    def header(self, header: Header) -> Value:
        return self._told(header) if self._windows else self.word(0)

    def fetch(self, base: Value, displacement: int, size: int, byte_order: FetchOrder) -> Value:
        function = self._function
        position = base.to(I64) + displacement
        inside = function.label("inside")
        function.branch(position + size > function["length"], _REJECT, inside, rare=True)
        function.start(inside)
        number = function["memory"].at(position).load(size)
        return (number.swapped() if byte_order == "big" else number).to(I32)

    def lacks_device(self) -> Value:
        return self._told("lacks_device").differs(0)

    def extension(self, extension: Extension, a: Value, x: Value) -> Value:
        if extension is Extension.RAND:
            return self._draw()
        if extension in ASKED:
            return self._ask(extension, a, x)
        return self._told("extensions", extension // 4)

    def return_if(self, truth: Value, verdict: Value) -> None:
        self._function.give_when(truth, verdict)

    def finish(self, verdict: Value) -> None:
        self._function.give(verdict)
        self.has_ended = True

    def jump(self, target: int) -> None:
        self._function.jump(f"i{target}")
        self.has_ended = True

    def branch(self, truth: Value, target_true: int, target_false: int) -> None:
        self._function.branch(truth, f"i{target_true}", f"i{target_false}")
        self.has_ended = True

    def _told(self, field: str, index: int = 0) -> Value:
        return self._function["circumstances"].at(offset_of(field, index)).load(4)

    def _ask(self, extension: Extension, a: Value, x: Value) -> Value:
        """What Python says, by the callback of `Circumstances`."""
        function = self._function
        circumstances = function["circumstances"]
        ask = circumstances.at(offset_of("ask")).load_pointer()
        buffer = circumstances.at(offset_of("buffer")).load_pointer()
        return function.call(I32, ask, self.word(extension), a, x, function["memory"], function["length"], buffer)

    def _draw(self) -> Value:
        """The next random number: a given one, else `socket_buffer.mix` of the seed and the number of the draw."""
        function, circumstances = self._function, self._function["circumstances"]
        draws = circumstances.at(offset_of("draws")).load(8) + 1
        circumstances.at(offset_of("draws")).store(draws)
        number = circumstances.at(offset_of("seed")).load(8) + draws * 0x9E37_79B9_7F4A_7C15
        number = (number ^ number >> 30) * 0xBF58_476D_1CE4_E5B9
        number = (number ^ number >> 27) * 0x94D0_49BB_1331_11EB
        drawn = function.variable(I32, ((number ^ number >> 31) >> 32).to(I32))
        with function.when(draws <= circumstances.at(offset_of("given_count")).load(8), rare=True):
            given = circumstances.at(offset_of("given")).load_pointer()
            drawn.value = given.at((draws - 1) << 2).load(4)
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
            function.jump(f"i{index}")
        function.start(f"i{index}")
        machine.has_ended = False
        execute(machine, raw, index, dialect)
    function.start(_REJECT)
    function.give(0)
    return function
