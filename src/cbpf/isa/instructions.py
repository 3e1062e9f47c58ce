"""The typed instructions of Go's golang.org/x/net/bpf, under its names; `assemble` and `disassemble`.

Each type is an immutable value with `assemble()`, which gives its `RawInstruction`; `str()` is Go's notation:
decimal numbers, jumps as relative skips. Decoding loses nothing: what has no typed form, or carries bits that
its typed form would drop, stays a `RawInstruction`.

>>> print(LoadAbsolute(off=12, size=2))
ldh [12]
>>> assemble([LoadAbsolute(12, 2), RetA()])
(RawInstruction(op=0x28, jt=0, jf=0, k=12), RawInstruction(op=0x16, jt=0, jf=0, k=0))
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

from .._record import Record
from .._validators import Byte, Check, Word, check_word, member, one_of, within
from ..errors import FieldError
from .go_syntax import go_syntax
from .opcodes import (
    CODE_OF,
    CONDITIONS,
    EXTENSION_OFFSET,
    OPCODE_BY_CODE,
    SCRATCH_SLOTS,
    Action,
    ALUOp,
    Extension,
    JumpTest,
    Opcode,
    Operand,
    Register,
    extension_of,
    has_stray_bits,
)

Slot: TypeAlias = Annotated[int, within(0, SCRATCH_SLOTS - 1, "a scratch slot")]
Size: TypeAlias = Annotated[int, one_of(1, 2, 4)]
RegisterField: TypeAlias = Annotated[Register, member(Register)]
OperationField: TypeAlias = Annotated[ALUOp, member(ALUOp)]
TestField: TypeAlias = Annotated[JumpTest, member(JumpTest)]
ExtensionField: TypeAlias = Annotated[Extension, member(Extension)]


class _RawFields(NamedTuple):
    op: int
    jt: int
    jf: int
    k: int


_RAW_CHECKS: Final[tuple[tuple[str, Check], ...]] = (
    ("RawInstruction.op", within(0, 0xFFFF, "an unsigned 16-bit number")),
    ("RawInstruction.jt", within(0, 0xFF, "an unsigned 8-bit number")),
    ("RawInstruction.jf", within(0, 0xFF, "an unsigned 8-bit number")),
    ("RawInstruction.k", check_word),
)


class RawInstruction(_RawFields):
    """One instruction as the machine holds it: struct sock_filter (linux/filter.h), struct bpf_insn (libpcap).

    *op* has 16 bits, *jt* and *jf* 8 (the skips of a conditional jump), *k* 32. Any bit pattern is allowed.
    It is a tuple of these four numbers and compares as one.
    """

    __slots__ = ()

    def __new__(cls, op: int, jt: int = 0, jf: int = 0, k: int = 0) -> Self:
        """Checks that each number fits its field; raises `FieldError`."""
        checked = zip(_RAW_CHECKS, (op, jt, jf, k), strict=True)
        return tuple.__new__(cls, [check(place, value) for (place, check), value in checked])

    def __repr__(self) -> str:
        return f"RawInstruction(op={self.op:#04x}, jt={self.jt}, jf={self.jf}, k={self.k})"

    def __str__(self) -> str:
        return go_syntax(*self)

    def __reduce__(self) -> tuple[type[Self], tuple[int, int, int, int]]:
        return type(self), (self.op, self.jt, self.jf, self.k)

    @classmethod
    def _make(cls, iterable: Iterable[Any]) -> Self:  # type: ignore[override]
        return cls(*iterable)

    def assemble(self) -> "RawInstruction":
        """Itself."""
        return self

    def disassemble(self) -> "Instruction":
        """The typed instruction that assembles to exactly these bits, or itself where there is none."""
        opcode = OPCODE_BY_CODE.get(self.op)
        if opcode is None or has_stray_bits(opcode, self.jt, self.jf, self.k):
            return self
        return _decode(opcode, self) or self

    def successors(self, index: int) -> tuple[int, ...]:
        """Return the indices of the instructions that may run directly after this one.

        A load or a division may also end the program; its successor is the next instruction all the same.

        Args:
            index: The index of this instruction in its program, from 0.

        Returns:
            Two indices for a conditional jump (test holds, test fails; they may be equal), none for `ret` and for
            an undefined opcode, else one. An index may be past the end of a program that no dialect accepts.
        """
        opcode = OPCODE_BY_CODE.get(self.op)
        if opcode is None or opcode.action is Action.RETURN:
            return ()
        following = index + 1
        if opcode.action in CONDITIONS:
            return following + self.jt, following + self.jf
        return (following + self.k,) if opcode.action is Action.JUMP else (following,)


class TypedInstruction(Record):
    """Base of the typed instructions."""

    def assemble(self) -> RawInstruction:
        """The raw instruction."""
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.assemble())


Instruction: TypeAlias = TypedInstruction | RawInstruction


@runtime_checkable
class Setter(Protocol):
    """Whatever a compiled filter can be attached to."""

    def set_bpf(self, filter: Sequence[RawInstruction]) -> None:
        """Attaches the filter to this."""
        ...


def _raw(action: Action, operand: Operand, size: int = 4, *, jt: int = 0, jf: int = 0, k: int = 0) -> RawInstruction:
    return tuple.__new__(RawInstruction, (CODE_OF[action, operand, size], jt, jf, k))


class LoadConstant(TypedInstruction):
    """Loads *val* (32 bits) into register *dst*."""

    dst: RegisterField
    val: Word

    def assemble(self) -> RawInstruction:
        """`ld #val` or `ldx #val`."""
        return _raw(_LOADS[self.dst], Operand.K, k=self.val)


class LoadScratch(TypedInstruction):
    """Loads scratch slot *n* (0 to 15) into register *dst*."""

    dst: RegisterField
    n: Slot

    def assemble(self) -> RawInstruction:
        """`ld M[n]` or `ldx M[n]`."""
        return _raw(_LOADS[self.dst], Operand.SCRATCH, k=self.n)


class LoadAbsolute(TypedInstruction):
    """Loads packet[off : off + size] into A, big-endian; *size* is 1, 2 or 4 bytes. Past the end: verdict 0."""

    off: Word
    size: Size

    def assemble(self) -> RawInstruction:
        """`ldb [off]`, `ldh [off]` or `ld [off]`."""
        return _raw(Action.LOAD_A, Operand.ABSOLUTE, self.size, k=self.off)


class LoadIndirect(TypedInstruction):
    """Loads packet[X + off : X + off + size] into A, big-endian; *size* is 1, 2 or 4 bytes."""

    off: Word
    size: Size

    def assemble(self) -> RawInstruction:
        """`ldb [x + off]`, `ldh [x + off]` or `ld [x + off]`."""
        return _raw(Action.LOAD_A, Operand.INDIRECT, self.size, k=self.off)


class LoadMemShift(TypedInstruction):
    """X = 4 * (packet[off] & 15): the length in bytes of an IPv4 header that begins at *off*."""

    off: Word

    def assemble(self) -> RawInstruction:
        """`ldx 4*([off]&0xf)`."""
        return _raw(Action.LOAD_X, Operand.MEMORY_SHIFT, 1, k=self.off)


class LoadExtension(TypedInstruction):
    """Loads into A what Linux knows of the packet beside its bytes: extension *num*."""

    num: ExtensionField

    def assemble(self) -> RawInstruction:
        """`ld #len` is an instruction of its own; the others are word loads from SKF_AD_OFF + num."""
        if self.num is Extension.LEN:
            return _raw(Action.LOAD_A, Operand.LENGTH)
        return _raw(Action.LOAD_A, Operand.ABSOLUTE, k=EXTENSION_OFFSET + self.num)


class StoreScratch(TypedInstruction):
    """Stores register *src* into scratch slot *n* (0 to 15)."""

    src: RegisterField
    n: Slot

    def assemble(self) -> RawInstruction:
        """`st M[n]` or `stx M[n]`."""
        return _raw(_STORES[self.src], Operand.SCRATCH, k=self.n)


class ALUOpConstant(TypedInstruction):
    """A = A <op> *val*, modulo 2**32."""

    op: OperationField
    val: Word

    def assemble(self) -> RawInstruction:
        """`add #val` and so on."""
        return _raw(Action[self.op.name], Operand.K, k=self.val)


class ALUOpX(TypedInstruction):
    """A = A <op> X, modulo 2**32."""

    op: OperationField

    def assemble(self) -> RawInstruction:
        """`add x` and so on."""
        return _raw(Action[self.op.name], Operand.X)


class NegateA(TypedInstruction):
    """A = -A, modulo 2**32."""

    def assemble(self) -> RawInstruction:
        """`neg`."""
        return _raw(Action.NEGATE, Operand.NONE)


class Jump(TypedInstruction):
    """Skips the following *skip* instructions."""

    skip: Word

    def assemble(self) -> RawInstruction:
        """`ja skip`."""
        return _raw(Action.JUMP, Operand.K, k=self.skip)


class JumpIf(TypedInstruction):
    """Skips *skip_true* instructions if A <cond> *val*, else *skip_false*; 0 to 255 each."""

    cond: TestField
    val: Word
    skip_true: Byte = 0
    skip_false: Byte = 0

    def assemble(self) -> RawInstruction:
        """A negative test becomes its opposite with the skips exchanged."""
        return _raw_jump(self, Operand.K, self.val)


class JumpIfX(TypedInstruction):
    """Skips *skip_true* instructions if A <cond> X, else *skip_false*; 0 to 255 each."""

    cond: TestField
    skip_true: Byte = 0
    skip_false: Byte = 0

    def assemble(self) -> RawInstruction:
        """A negative test becomes its opposite with the skips exchanged."""
        return _raw_jump(self, Operand.X, 0)


class RetA(TypedInstruction):
    """Ends the program with A as its verdict."""

    def assemble(self) -> RawInstruction:
        """`ret a`."""
        return _raw(Action.RETURN, Operand.A)


class RetConstant(TypedInstruction):
    """Ends the program with *val* as its verdict."""

    val: Word

    def assemble(self) -> RawInstruction:
        """`ret #val`."""
        return _raw(Action.RETURN, Operand.K, k=self.val)


class TAX(TypedInstruction):
    """X = A."""

    def assemble(self) -> RawInstruction:
        """`tax`."""
        return _raw(Action.TAX, Operand.NONE)


class TXA(TypedInstruction):
    """A = X."""

    def assemble(self) -> RawInstruction:
        """`txa`."""
        return _raw(Action.TXA, Operand.NONE)


_LOADS: Final = {Register.A: Action.LOAD_A, Register.X: Action.LOAD_X}
_STORES: Final = {Register.A: Action.STORE_A, Register.X: Action.STORE_X}
_REGISTERS: Final = {action: register for table in (_LOADS, _STORES) for register, action in table.items()}
_OPERATIONS: Final = {Action[operation.name]: operation for operation in ALUOp}

# Each test of the machine with its opposite.
_OPPOSITES: Final = {
    JumpTest.EQUAL: JumpTest.NOT_EQUAL,
    JumpTest.GREATER_THAN: JumpTest.LESS_OR_EQUAL,
    JumpTest.GREATER_OR_EQUAL: JumpTest.LESS_THAN,
    JumpTest.BITS_SET: JumpTest.BITS_NOT_SET,
}
_POSITIVES: Final = {negative: positive for positive, negative in _OPPOSITES.items()}


def _raw_jump(jump: JumpIf | JumpIfX, operand: Operand, k: int) -> RawInstruction:
    positive = _POSITIVES.get(jump.cond)
    if positive is None:
        return _raw(Action[jump.cond.name], operand, jt=jump.skip_true, jf=jump.skip_false, k=k)
    return _raw(Action[positive.name], operand, jt=jump.skip_false, jf=jump.skip_true, k=k)


def _decode(opcode: Opcode, raw: RawInstruction) -> TypedInstruction | None:
    """The typed form of *raw*, which carries no stray bits."""
    action, operand, k = opcode.action, opcode.operand, raw.k
    if action in CONDITIONS:
        return _decode_jump(action, operand, raw)
    if action in _OPERATIONS:
        operation = _OPERATIONS[action]
        return ALUOpConstant(operation, k) if operand is Operand.K else ALUOpX(operation)
    match action:
        case Action.LOAD_A | Action.LOAD_X:
            return _decode_load(opcode, k)
        case Action.STORE_A | Action.STORE_X:
            return StoreScratch(_REGISTERS[action], k) if k < SCRATCH_SLOTS else None
        case Action.RETURN:
            return RetConstant(k) if operand is Operand.K else RetA()
        case Action.JUMP:
            return Jump(k)
        case _:
            return {Action.NEGATE: NegateA, Action.TAX: TAX, Action.TXA: TXA}[action]()


def _decode_load(opcode: Opcode, k: int) -> TypedInstruction | None:
    register = _REGISTERS[opcode.action]
    match opcode.operand:
        case Operand.K:
            return LoadConstant(register, k)
        case Operand.SCRATCH:
            return LoadScratch(register, k) if k < SCRATCH_SLOTS else None
        case Operand.LENGTH:
            return LoadExtension(Extension.LEN) if register is Register.A else None
        case Operand.INDIRECT:
            return LoadIndirect(k, opcode.size)
        case Operand.MEMORY_SHIFT:
            return LoadMemShift(k)
        case _:
            extension = extension_of(opcode, k)
            return LoadAbsolute(k, opcode.size) if extension is None or opcode.size != 4 else LoadExtension(extension)


def _decode_jump(action: Action, operand: Operand, raw: RawInstruction) -> TypedInstruction:
    """As Go reads them: a jump with jt = 0 is the opposite test."""
    test, skips = JumpTest[action.name], (raw.jt, raw.jf)
    if raw.jt == 0:
        test, skips = _OPPOSITES[test], (raw.jf, 0)
    return JumpIf(test, raw.k, *skips) if operand is Operand.K else JumpIfX(test, *skips)


def to_raw(instruction: object) -> RawInstruction:
    """One raw instruction from a typed one, a raw one, or any other tuple or list (op, jt, jf, k)."""
    if type(instruction) is RawInstruction:
        return instruction
    if isinstance(instruction, TypedInstruction | RawInstruction):
        return instruction.assemble()
    if isinstance(instruction, tuple | list) and len(instruction) == 4:
        return RawInstruction(*instruction)
    raise FieldError(f"instruction: {instruction!r} is neither an instruction nor four numbers (op, jt, jf, k)")


def assemble(instructions: Iterable[Instruction]) -> tuple[RawInstruction, ...]:
    """The raw form of typed and raw instructions, in order. Checks no program rule: that is the verifier's part."""
    return tuple(map(to_raw, instructions))


def disassemble(raw: Iterable[RawInstruction]) -> tuple[tuple[Instruction, ...], bool]:
    """The typed form of each raw instruction, and whether all have one.

    Lossless: `assemble(disassemble(raw)[0]) == tuple(raw)`.
    """
    instructions = tuple(to_raw(one).disassemble() for one in raw)
    return instructions, not any(type(one) is RawInstruction for one in instructions)
