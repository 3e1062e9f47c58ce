"""A writer of LLVM IR: functions, typed values with operators, variables and loops, written as text.

Methods have the names of LLVM's IRBuilder, or of the instruction that they write, where there is one. The module does
not import llvmlite, so that text can be written and compared without it. Integers are unsigned throughout, an address
is a `ptr`, and loads and stores do not assume any alignment. Source: the LLVM Language Reference Manual.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..._typing import Final, Literal, TypeAlias

IRType: TypeAlias = Literal["i1", "i8", "i16", "i32", "i64", "i128", "ptr", "void"]

I1: Final = "i1"
I8: Final = "i8"
I16: Final = "i16"
I32: Final = "i32"
I64: Final = "i64"
I128: Final = "i128"
PTR: Final = "ptr"

_BITS: Final[dict[str, int]] = {I1: 1, I8: 8, I16: 16, I32: 32, I64: 64, I128: 128}
_INTEGERS: Final[dict[int, IRType]] = {1: I8, 2: I16, 4: I32, 8: I64}

IROperand: TypeAlias = "IRValue | int"


class IRValue:
    """A value of a function under construction: a parameter, a constant, or the result of an instruction."""

    __slots__ = ("_function", "text", "type")

    def __init__(self, function: "Function", type: IRType, text: str) -> None:
        self._function = function
        self.type: IRType = type
        self.text = text

    def __str__(self) -> str:
        return self.text

    def _operand(self, other: IROperand) -> "IRValue":
        """Return an operand as a value of this value's type."""
        if isinstance(other, int):
            return IRValue(self._function, self.type, str(other))
        assert other.type == self.type, (self.type, other.type)
        return other

    def binary(self, instruction: str, other: IROperand) -> "IRValue":
        """Write an instruction with two operands of one type, such as "udiv"; additions of two constants are folded."""
        if self.text.isdigit() and isinstance(other, int) and instruction == "add":
            return IRValue(self._function, self.type, str((int(self.text) + other) % (1 << _BITS[self.type])))
        return self._function.emit_value(self.type, f"{instruction} {self.type} {self}, {self._operand(other)}")

    def icmp(self, predicate: str, other: IROperand) -> "IRValue":
        """Write an unsigned comparison: eq, ne, ult, ule, ugt or uge."""
        return self._function.emit_value(I1, f"icmp {predicate} {self.type} {self}, {self._operand(other)}")

    def __add__(self, other: IROperand) -> "IRValue":
        return self.binary("add", other)

    def __sub__(self, other: IROperand) -> "IRValue":
        return self.binary("sub", other)

    def __mul__(self, other: IROperand) -> "IRValue":
        return self.binary("mul", other)

    def __and__(self, other: IROperand) -> "IRValue":
        return self.binary("and", other)

    def __or__(self, other: IROperand) -> "IRValue":
        return self.binary("or", other)

    def __xor__(self, other: IROperand) -> "IRValue":
        return self.binary("xor", other)

    def __lshift__(self, other: IROperand) -> "IRValue":
        return self.binary("shl", other)

    def __rshift__(self, other: IROperand) -> "IRValue":
        return self.binary("lshr", other)

    def __lt__(self, other: IROperand) -> "IRValue":
        return self.icmp("ult", other)

    def __le__(self, other: IROperand) -> "IRValue":
        return self.icmp("ule", other)

    def __gt__(self, other: IROperand) -> "IRValue":
        return self.icmp("ugt", other)

    def __ge__(self, other: IROperand) -> "IRValue":
        return self.icmp("uge", other)

    def eq(self, other: IROperand) -> "IRValue":
        """Write a test for equality."""
        return self.icmp("eq", other)

    def ne(self, other: IROperand) -> "IRValue":
        """Write a test for inequality."""
        return self.icmp("ne", other)

    def select(self, then: "IRValue", otherwise: "IRValue") -> "IRValue":
        """Write a choice: *then* if this i1 value is 1, else *otherwise*."""
        return self._function.emit_value(then.type, f"select i1 {self}, {then.type} {then}, {then.type} {otherwise}")

    def zext_or_trunc(self, type: IRType) -> "IRValue":
        """Convert the number to another width: zero-extend it, or discard its upper bits."""
        if type == self.type:
            return self
        if self.text.isdigit():
            return IRValue(self._function, type, str(int(self.text) % (1 << _BITS[type])))
        instruction = "zext" if _BITS[type] > _BITS[self.type] else "trunc"
        return self._function.emit_value(type, f"{instruction} {self.type} {self} to {type}")

    def bswap(self) -> "IRValue":
        """Reverse the order of the bytes of the number."""
        if self.type == I8:
            return self
        return self._function.emit_value(self.type, f"call {self.type} @llvm.bswap.{self.type}({self.type} {self})")

    def sext(self, type: IRType) -> "IRValue":
        """Sign-extend the number to another width."""
        return self._function.emit_value(type, f"sext {self.type} {self} to {type}")

    def inttoptr(self) -> "IRValue":
        """Convert the 64-bit number to an address."""
        return self._function.emit_value(PTR, f"inttoptr i64 {self} to ptr")

    def ptrtoint(self) -> "IRValue":
        """Convert the address to a 64-bit number."""
        return self._function.emit_value(I64, f"ptrtoint ptr {self} to i64")

    def gep(self, offset: IROperand) -> "IRValue":
        """Return the address *offset* bytes after this one."""
        if isinstance(offset, int) and offset == 0:
            return self
        return self._function.emit_value(PTR, f"getelementptr i8, ptr {self}, i64 {offset}")

    def load(self, size: int) -> "IRValue":
        """Load a number of *size* bytes (1, 2, 4 or 8) from this address, in the host's byte order."""
        type = _INTEGERS[size]
        return self._function.emit_value(type, f"load {type}, ptr {self}, align 1")

    def load_aligned(self, size: int) -> "IRValue":
        """Load a number of *size* bytes from this address, which is a multiple of the size."""
        type = _INTEGERS[size]
        return self._function.emit_value(type, f"load {type}, ptr {self}, align {size}")

    def load_pointer(self) -> "IRValue":
        """Load an address from this address."""
        return self._function.emit_value(PTR, f"load ptr, ptr {self}, align 1")

    def store(self, value: "IRValue") -> None:
        """Store *value* at this address."""
        self.store_aligned(value, 1)

    def store_aligned(self, value: "IRValue", alignment: int) -> None:
        """Store *value* at this address, which is a multiple of *alignment*."""
        self._function.emit(f"store {value.type} {value}, ptr {self}, align {alignment}")


def _argument_list(arguments: Iterable[IRValue]) -> str:
    return ", ".join(f"{argument.type} {argument}" for argument in arguments)


class Variable:
    """A variable: a stack slot in the text, which LLVM promotes to registers."""

    def __init__(self, function: "Function", type: IRType, address: str) -> None:
        self._function = function
        self._type: IRType = type
        self._address = address

    @property
    def value(self) -> IRValue:
        """The current value of the variable; reading it writes a load, and assigning to it a store."""
        return self._function.emit_value(self._type, f"load {self._type}, ptr {self._address}")

    @value.setter
    def value(self, value: IROperand) -> None:
        self._function.emit(f"store {self._type} {value}, ptr {self._address}")


class Function:
    """A function under construction, to which instructions are appended.

    Args:
        name: The name of the function.
        result: The type of its result.
        parameters: The type of each parameter, followed by its attributes: `memory="ptr readonly"`.
    """

    def __init__(self, name: str, result: IRType, **parameters: str) -> None:
        self.name = name
        self.result_type: IRType = result
        self.attributes = 'nounwind "no-jump-tables"="true"'
        self.calling_convention = ""
        self._parameters = parameters
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._value_count = 0
        self._label_count = 0
        self._loop_exits: list[str] = []

    def __getitem__(self, parameter: str) -> IRValue:
        return IRValue(self, self._parameters[parameter].split()[0], f"%{parameter}")  # type: ignore[arg-type]

    def constant(self, type: IRType, value: int) -> IRValue:
        """Return a constant."""
        return IRValue(self, type, str(value))

    def null(self) -> IRValue:
        """Return the null address."""
        return IRValue(self, PTR, "null")

    def emit(self, text: str) -> None:
        """Append a line."""
        self._lines.append(text)

    def emit_value(self, type: IRType, text: str) -> IRValue:
        """Append an instruction and return its result."""
        self._value_count += 1
        self._lines.append(f"%v{self._value_count} = {text}")
        return IRValue(self, type, f"%v{self._value_count}")

    def variable(self, type: IRType, initial: IROperand) -> Variable:
        """Create a variable and assign *initial* to it."""
        variable = Variable(self, type, self.alloca(type, 1).text)
        variable.value = initial
        return variable

    def alloca(self, type: IRType, count: int) -> IRValue:
        """Reserve room for *count* numbers on the stack, aligned to 8 bytes; return its address."""
        self._value_count += 1
        self._entry.append(f"%v{self._value_count} = alloca {type}, i32 {count}, align 8")
        return IRValue(self, PTR, f"%v{self._value_count}")

    def call(self, type: IRType, function: "Function | IRValue | str", *arguments: IRValue) -> IRValue:
        """Call a function of this module, or a function at an address, and return its result."""
        name = f"@{function.name}" if isinstance(function, Function) else str(function)
        return self.emit_value(type, f"call {type} {name}({_argument_list(arguments)})")

    def call_void(self, function: IRValue, *arguments: IRValue) -> None:
        """Call a function that has no result, or whose result is not used."""
        self.emit(f"call void {function}({_argument_list(arguments)})")

    def use(self, value: IRValue) -> None:
        """Use a value here, by code of no instruction: its computation is neither removed nor done later."""
        self.emit(f'call void asm sideeffect "", "r"({value.type} {value})')

    def prefetch(self, address: IRValue) -> None:
        """Prefetch the cache line at *address*; an invalid address does not fault."""
        self.emit(f"call void @llvm.prefetch.p0(ptr {address}, i32 0, i32 3, i32 1)")

    def label(self, prefix: str) -> str:
        """Return a new label that begins with *prefix*."""
        self._label_count += 1
        return f"{prefix}{self._label_count}"

    def begin_block(self, label: str) -> None:
        """Begin the basic block of a label; the block before it must be terminated."""
        self.emit(f"{label}:")

    def branch(self, label: str) -> None:
        """Terminate the block with a jump to *label*."""
        self.emit(f"br label %{label}")

    def cbranch(self, condition: IRValue, then: str, otherwise: str, *, rare: bool = False) -> None:
        """Terminate the block with a conditional jump; *rare*: the condition seldom holds."""
        self.emit(f"br i1 {condition}, label %{then}, label %{otherwise}{', !prof !0' if rare else ''}")

    def ret(self, value: IROperand) -> None:
        """Terminate the block by returning *value*."""
        self.emit(f"ret {self.result_type} {value}")

    def ret_void(self) -> None:
        """Terminate the block by returning from a function without a result."""
        self.emit("ret void")

    @contextmanager
    def if_then(self, condition: IRValue, *, rare: bool = False) -> Iterator[None]:
        """Execute the code written in the `with` block only if *condition* holds."""
        then, end = self.label("then"), self.label("endif")
        self.cbranch(condition, then, end, rare=rare)
        self.begin_block(then)
        yield
        self._terminate(end)
        self.begin_block(end)

    @contextmanager
    def loop(self) -> Iterator[None]:
        """Repeat the code written in the `with` block until it calls `break_if` or returns."""
        head, end = self.label("loop"), self.label("endloop")
        self.branch(head)
        self.begin_block(head)
        self._loop_exits.append(end)
        yield
        self._loop_exits.pop()
        self._terminate(head)
        self.begin_block(end)

    @contextmanager
    def for_range(self, count: IROperand) -> Iterator[IRValue]:
        """Repeat the code written in the `with` block for each 64-bit index from 0 to *count* - 1."""
        counter = self.variable(I64, 0)
        with self.loop():
            index = counter.value
            self.break_if(index >= count)
            yield index
            counter.value = index + 1

    def break_if(self, condition: IRValue) -> None:
        """Leave the innermost loop if *condition* holds."""
        body = self.label("body")
        self.cbranch(condition, self._loop_exits[-1], body)
        self.begin_block(body)

    def ret_if(self, condition: IRValue, value: IROperand, *, rare: bool = True) -> None:
        """Return *value* if *condition* holds."""
        with self.if_then(condition, rare=rare):
            self.ret(value)

    def _terminate(self, label: str) -> None:
        """Terminate the block with a jump to *label*, unless it is terminated already."""
        if not self._lines[-1].startswith(("br ", "ret ")):
            self.branch(label)

    def text(self) -> str:
        """Return the definition of the function."""
        parameters = ", ".join(f"{type} %{name}" for name, type in self._parameters.items())
        linkage = "internal" if "alwaysinline" in self.attributes else ""
        words = filter(None, ("define", linkage, self.calling_convention, self.result_type))
        head = f"{' '.join(words)} @{self.name}({parameters}) {self.attributes} {{"
        return "\n".join([head, "entry:", *self._entry, *self._lines, "}"])


_DECLARATIONS: Final = """\
declare i16 @llvm.bswap.i16(i16)
declare i32 @llvm.bswap.i32(i32)
declare i64 @llvm.bswap.i64(i64)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
!0 = !{!"branch_weights", i32 1, i32 2000}
"""


def module_text(*functions: Function) -> str:
    """Return the text of a module of these functions; callers use the first, which is named "entry"."""
    return "\n".join([*(function.text() for function in functions), _DECLARATIONS])
