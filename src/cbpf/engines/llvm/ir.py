"""A writer of LLVM IR: typed values with operators, variables, loops. It knows text only, and imports nothing.

Integers are unsigned throughout; addresses are `PTR`, and memory has no alignment. Source: the LLVM Language
Reference.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias

Type: TypeAlias = Literal["i1", "i8", "i16", "i32", "i64", "ptr"]

I1: Final = "i1"
I8: Final = "i8"
I16: Final = "i16"
I32: Final = "i32"
I64: Final = "i64"
PTR: Final = "ptr"

_BITS: Final[dict[str, int]] = {I1: 1, I8: 8, I16: 16, I32: 32, I64: 64}
_INTEGERS: Final[dict[int, Type]] = {1: I8, 2: I16, 4: I32, 8: I64}

Operand: TypeAlias = "IRValue | int"


class IRValue:
    """A value of a function that is being written: a constant or the result of an instruction."""

    __slots__ = ("_function", "text", "type")

    def __init__(self, function: "Function", type: Type, text: str) -> None:
        self._function = function
        self.type: Type = type
        self.text = text

    def __str__(self) -> str:
        return self.text

    def _same(self, other: Operand) -> "IRValue":
        if isinstance(other, int):
            return IRValue(self._function, self.type, str(other))
        assert other.type == self.type, (self.type, other.type)
        return other

    def binary(self, instruction: str, other: Operand) -> "IRValue":
        """The result of an instruction with two operands of one type."""
        if self.text.isdigit() and isinstance(other, int) and instruction == "add":
            return IRValue(self._function, self.type, str((int(self.text) + other) % (1 << _BITS[self.type])))
        return self._function.emit_value(self.type, f"{instruction} {self.type} {self}, {self._same(other)}")

    def icmp(self, predicate: str, other: Operand) -> "IRValue":
        """An unsigned comparison: eq, ne, ult, ule, ugt, uge."""
        return self._function.emit_value(I1, f"icmp {predicate} {self.type} {self}, {self._same(other)}")

    def __add__(self, other: Operand) -> "IRValue":
        return self.binary("add", other)

    def __sub__(self, other: Operand) -> "IRValue":
        return self.binary("sub", other)

    def __mul__(self, other: Operand) -> "IRValue":
        return self.binary("mul", other)

    def __and__(self, other: Operand) -> "IRValue":
        return self.binary("and", other)

    def __or__(self, other: Operand) -> "IRValue":
        return self.binary("or", other)

    def __xor__(self, other: Operand) -> "IRValue":
        return self.binary("xor", other)

    def __lshift__(self, other: Operand) -> "IRValue":
        return self.binary("shl", other)

    def __rshift__(self, other: Operand) -> "IRValue":
        return self.binary("lshr", other)

    def __lt__(self, other: Operand) -> "IRValue":
        return self.icmp("ult", other)

    def __le__(self, other: Operand) -> "IRValue":
        return self.icmp("ule", other)

    def __gt__(self, other: Operand) -> "IRValue":
        return self.icmp("ugt", other)

    def __ge__(self, other: Operand) -> "IRValue":
        return self.icmp("uge", other)

    def eq(self, other: Operand) -> "IRValue":
        """Whether the two are the same."""
        return self.icmp("eq", other)

    def ne(self, other: Operand) -> "IRValue":
        """Whether the two are not the same."""
        return self.icmp("ne", other)

    def select(self, then: "IRValue", otherwise: "IRValue") -> "IRValue":
        """*then* where this truth holds, else *otherwise*."""
        return self._function.emit_value(then.type, f"select i1 {self}, {then.type} {then}, {then.type} {otherwise}")

    def zext_or_trunc(self, type: Type) -> "IRValue":
        """The same number in another width: zeros in front, or the upper bits cut off."""
        if type == self.type:
            return self
        if self.text.isdigit():
            return IRValue(self._function, type, str(int(self.text) % (1 << _BITS[type])))
        instruction = "zext" if _BITS[type] > _BITS[self.type] else "trunc"
        return self._function.emit_value(type, f"{instruction} {self.type} {self} to {type}")

    def bswap(self) -> "IRValue":
        """The number with its bytes in the other order."""
        if self.type == I8:
            return self
        return self._function.emit_value(self.type, f"call {self.type} @llvm.bswap.{self.type}({self.type} {self})")

    def ptrtoint(self) -> "IRValue":
        """The address as a 64-bit number."""
        return self._function.emit_value(I64, f"ptrtoint ptr {self} to i64")

    def gep(self, offset: Operand) -> "IRValue":
        """The address *offset* bytes behind this one."""
        if isinstance(offset, int) and offset == 0:
            return self
        return self._function.emit_value(PTR, f"getelementptr i8, ptr {self}, i64 {offset}")

    def load(self, size: int) -> "IRValue":
        """The number of *size* bytes at this address, in the machine's order."""
        type = _INTEGERS[size]
        return self._function.emit_value(type, f"load {type}, ptr {self}, align 1")

    def load_pointer(self) -> "IRValue":
        """The address that is stored at this one."""
        return self._function.emit_value(PTR, f"load ptr, ptr {self}, align 1")

    def store(self, value: "IRValue") -> None:
        """Writes *value* to this address."""
        self._function.emit(f"store {value.type} {value}, ptr {self}, align 1")


class Variable:
    """A place for one value that changes; LLVM makes a register of it."""

    def __init__(self, function: "Function", type: Type, address: str) -> None:
        self._function = function
        self._type: Type = type
        self._address = address

    @property
    def value(self) -> IRValue:
        """Its value now."""
        return self._function.emit_value(self._type, f"load {self._type}, ptr {self._address}")

    @value.setter
    def value(self, value: Operand) -> None:
        self._function.emit(f"store {self._type} {value}, ptr {self._address}")


class Function:
    """A function as it is written, instruction after instruction."""

    def __init__(self, name: str, result: Type, **parameters: str) -> None:
        """*parameters*: the type of each, with attributes behind it: `memory="ptr readonly"`."""
        self.name = name
        self.result_type: Type = result
        self.attributes = 'nounwind "no-jump-tables"="true"'
        self._parameters = parameters
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._values = 0
        self._labels = 0
        self._leaving: list[str] = []

    def __getitem__(self, parameter: str) -> IRValue:
        return IRValue(self, self._parameters[parameter].split()[0], f"%{parameter}")  # type: ignore[arg-type]

    def constant(self, type: Type, number: int) -> IRValue:
        """A constant number."""
        return IRValue(self, type, str(number))

    def null(self) -> IRValue:
        """The address of nothing."""
        return IRValue(self, PTR, "null")

    def emit(self, text: str) -> None:
        """Writes a line."""
        self._lines.append(text)

    def emit_value(self, type: Type, text: str) -> IRValue:
        """Writes an instruction; its result."""
        self._values += 1
        self._lines.append(f"%v{self._values} = {text}")
        return IRValue(self, type, f"%v{self._values}")

    def variable(self, type: Type, initial: Operand) -> Variable:
        """A new variable, which holds *initial* from here on."""
        variable = Variable(self, type, self.alloca(type, 1).text)
        variable.value = initial
        return variable

    def alloca(self, type: Type, count: int) -> IRValue:
        """The address of room on the stack for so many numbers; for structures too."""
        self._values += 1
        self._entry.append(f"%v{self._values} = alloca {type}, i32 {count}, align 8")
        return IRValue(self, PTR, f"%v{self._values}")

    def call(self, type: Type, function: "Function | IRValue", *arguments: IRValue) -> IRValue:
        """The result of a call: of a function of this module, or of one at an address."""
        name = f"@{function.name}" if isinstance(function, Function) else str(function)
        return self.emit_value(type, f"call {type} {name}({', '.join(f'{one.type} {one}' for one in arguments)})")

    def call_void(self, function: IRValue, *arguments: IRValue) -> None:
        """A call for what it does."""
        self.emit(f"call void {function}({', '.join(f'{one.type} {one}' for one in arguments)})")

    def prefetch(self, address: IRValue) -> None:
        """Asks for the cache line at *address*, which may lie anywhere."""
        self.emit(f"call void @llvm.prefetch.p0(ptr {address}, i32 0, i32 3, i32 1)")

    def label(self, word: str) -> str:
        """A new label."""
        self._labels += 1
        return f"{word}{self._labels}"

    def begin_block(self, label: str) -> None:
        """Begins the block of this label; the one before must have ended."""
        self.emit(f"{label}:")

    def branch(self, label: str) -> None:
        """Ends the block: on at *label*."""
        self.emit(f"br label %{label}")

    def cbranch(self, truth: IRValue, then: str, otherwise: str, *, rare: bool = False) -> None:
        """Ends the block: on at one of two labels. *rare*: the first is hardly ever taken."""
        self.emit(f"br i1 {truth}, label %{then}, label %{otherwise}{', !prof !0' if rare else ''}")

    def ret(self, value: Operand) -> None:
        """Ends the function with its result."""
        self.emit(f"ret {self.result_type} {value}")

    @contextmanager
    def if_then(self, truth: IRValue, *, rare: bool = False) -> Iterator[None]:
        """What is written inside runs only where *truth* holds."""
        inside, behind = self.label("when"), self.label("behind")
        self.cbranch(truth, inside, behind, rare=rare)
        self.begin_block(inside)
        yield
        self._end_in(behind)
        self.begin_block(behind)

    @contextmanager
    def loop(self) -> Iterator[None]:
        """What is written inside is repeated until it leaves."""
        head, behind = self.label("loop"), self.label("behind")
        self.branch(head)
        self.begin_block(head)
        self._leaving.append(behind)
        yield
        self._leaving.pop()
        self._end_in(head)
        self.begin_block(behind)

    @contextmanager
    def for_range(self, count: Operand) -> Iterator[IRValue]:
        """What is written inside is repeated with a 64-bit number that counts from 0 up to below *count*."""
        counter = self.variable(I64, 0)
        with self.loop():
            now = counter.value
            self.break_if(now >= count)
            yield now
            counter.value = now + 1

    def break_if(self, truth: IRValue) -> None:
        """Leaves the innermost loop where *truth* holds."""
        on = self.label("on")
        self.cbranch(truth, self._leaving[-1], on)
        self.begin_block(on)

    def ret_if(self, truth: IRValue, value: Operand, *, rare: bool = True) -> None:
        """Ends the function with *value* where *truth* holds."""
        with self.if_then(truth, rare=rare):
            self.ret(value)

    def _end_in(self, label: str) -> None:
        """Ends the block with a jump, if it has not ended."""
        if not self._lines[-1].startswith(("br ", "ret ")):
            self.branch(label)

    def text(self) -> str:
        """The function as LLVM reads it."""
        parameters = ", ".join(f"{type} %{name}" for name, type in self._parameters.items())
        linkage = "internal " if "alwaysinline" in self.attributes else ""
        head = f"define {linkage}{self.result_type} @{self.name}({parameters}) {self.attributes} {{"
        return "\n".join([head, "entry:", *self._entry, *self._lines, "}"])


_DECLARATIONS: Final = """\
declare i16 @llvm.bswap.i16(i16)
declare i32 @llvm.bswap.i32(i32)
declare i64 @llvm.bswap.i64(i64)
declare void @llvm.prefetch.p0(ptr, i32, i32, i32)
!0 = !{!"branch_weights", i32 1, i32 2000}
"""


def module_text(*functions: Function) -> str:
    """The text of a module of these functions; the first is the one to call."""
    return "\n".join([*(function.text() for function in functions), _DECLARATIONS])
