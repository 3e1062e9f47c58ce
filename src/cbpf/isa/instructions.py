"""The typed instructions of Go's golang.org/x/net/bpf, under its names.

Each type is an immutable value. `assemble()` returns its `RawInstruction`; `str()` returns Go's syntax: decimal
numbers, jumps as relative skips. Decoding is lossless: an instruction without a typed form, or with bits that its
typed form would drop, remains a `RawInstruction`.
"""

from .._record import Record
from .._typing import Final, TypeAlias
from .._validators import Byte, Word
from .enumerations import OPPOSITES, ALUOp, Extension, JumpTest, Register, extension_of
from .instruction_fields import ExtensionField, OperationField, RegisterField, Size, Slot, TestField
from .opcodes import (
    CODE_OF,
    CONDITIONS,
    EXTENSION_OFFSET,
    SCRATCH_SLOTS,
    Action,
    Opcode,
    Operand,
    missing_case,
)
from .raw_instruction import RawInstruction


class TypedInstruction(Record):
    """The base class of the typed instructions, which are immutable values.

    `str` returns the syntax of Go's package bpf, with relative jumps. A value that does not fit its field raises
    `FieldError`.

    >>> instruction = JumpIf(JumpTest.EQUAL, 0x0800, skip_true=2)
    >>> print(instruction)
    jeq #2048,2
    >>> instruction.assemble()
    RawInstruction(op=0x15, jt=2, jf=0, k=2048)
    >>> instruction.replace(val=0x86DD)
    JumpIf(cond=JumpTest.EQUAL, val=34525, skip_true=2, skip_false=0)
    """

    def assemble(self) -> RawInstruction:
        """Encode the instruction.

        Returns:
            The raw instruction. A comparison without an opcode is encoded as its opposite with exchanged skips.
        """
        return self._encode()

    def _encode(self) -> RawInstruction:
        raise NotImplementedError

    def __str__(self) -> str:
        return str(self.assemble())


Instruction: TypeAlias = TypedInstruction | RawInstruction
"""An element of a program: a typed instruction, or a raw one."""


def _raw(action: Action, operand: Operand, size: int = 4, *, jt: int = 0, jf: int = 0, k: int = 0) -> RawInstruction:
    return tuple.__new__(RawInstruction, (CODE_OF[action, operand, size], jt, jf, k))


class LoadConstant(TypedInstruction):
    """Load a constant into a register: `ld #val` or `ldx #val`.

    Args:
        dst: The register.
        val: The constant, an unsigned 32-bit number.
    """

    dst: RegisterField
    val: Word

    def _encode(self) -> RawInstruction:
        return _raw(_LOADS[self.dst], Operand.K, k=self.val)


class LoadScratch(TypedInstruction):
    """Load a scratch slot into a register: `ld M[n]` or `ldx M[n]`.

    Args:
        dst: The register.
        n: The slot, 0 to 15.
    """

    dst: RegisterField
    n: Slot

    def _encode(self) -> RawInstruction:
        return _raw(_LOADS[self.dst], Operand.SCRATCH, k=self.n)


class LoadAbsolute(TypedInstruction):
    """Load packet[off : off + size] into A: `ldb [off]`, `ldh [off]` or `ld [off]`.

    If a byte is missing, the program returns 0. The byte order is big-endian, except in seccomp dialects.

    Args:
        off: The offset from the start of the packet, in bytes: an unsigned 32-bit number.
        size: The number of bytes: 1, 2 or 4.
    """

    off: Word
    size: Size

    def _encode(self) -> RawInstruction:
        return _raw(Action.LOAD_A, Operand.ABSOLUTE, self.size, k=self.off)


class LoadIndirect(TypedInstruction):
    """Load packet[X + off : X + off + size] into A, big-endian: `ldb [x + off]`, `ldh [x + off]` or `ld [x + off]`.

    If a byte is missing, the program returns 0.

    Args:
        off: The offset from byte X of the packet, in bytes: an unsigned 32-bit number.
        size: The number of bytes: 1, 2 or 4.
    """

    off: Word
    size: Size

    def _encode(self) -> RawInstruction:
        return _raw(Action.LOAD_A, Operand.INDIRECT, self.size, k=self.off)


class LoadMemShift(TypedInstruction):
    """Load 4 * (packet[off] & 15), the length in bytes of an IPv4 header at *off*, into X: `ldx 4*([off]&0xf)`.

    If the byte is missing, the program returns 0.

    Args:
        off: The offset from the start of the packet, in bytes: an unsigned 32-bit number.
    """

    off: Word

    def _encode(self) -> RawInstruction:
        return _raw(Action.LOAD_X, Operand.MEMORY_SHIFT, 1, k=self.off)


class LoadExtension(TypedInstruction):
    """Load metadata of the packet, as Linux defines them, into A: `ld #len`, `ld #proto` and so on.

    Args:
        num: The extension.
    """

    num: ExtensionField

    def _encode(self) -> RawInstruction:
        if self.num is Extension.LEN:
            return _raw(Action.LOAD_A, Operand.LENGTH)
        return _raw(Action.LOAD_A, Operand.ABSOLUTE, k=EXTENSION_OFFSET + self.num)


class StoreScratch(TypedInstruction):
    """Store a register into a scratch slot: `st M[n]` or `stx M[n]`.

    Args:
        src: The register.
        n: The slot, 0 to 15.
    """

    src: RegisterField
    n: Slot

    def _encode(self) -> RawInstruction:
        return _raw(_STORES[self.src], Operand.SCRATCH, k=self.n)


class ALUOpConstant(TypedInstruction):
    """Compute A = A op *val*, modulo 2**32: `add #val` and so on.

    Args:
        op: The operation.
        val: The second operand, an unsigned 32-bit number.
    """

    op: OperationField
    val: Word

    def _encode(self) -> RawInstruction:
        return _raw(Action[self.op.name], Operand.K, k=self.val)


class ALUOpX(TypedInstruction):
    """Compute A = A op X, modulo 2**32: `add x` and so on; a division by 0 makes the program return 0.

    Args:
        op: The operation.
    """

    op: OperationField

    def _encode(self) -> RawInstruction:
        return _raw(Action[self.op.name], Operand.X)


class NegateA(TypedInstruction):
    """Compute A = -A, modulo 2**32: `neg`."""

    def _encode(self) -> RawInstruction:
        return _raw(Action.NEGATE, Operand.NONE)


class Jump(TypedInstruction):
    """Skip instructions unconditionally: `ja skip`.

    Args:
        skip: The number of instructions to skip, an unsigned 32-bit number.
    """

    skip: Word

    def _encode(self) -> RawInstruction:
        return _raw(Action.JUMP, Operand.K, k=self.skip)


class JumpIf(TypedInstruction):
    """Compare A with a constant and skip instructions: `jeq #val,skip_true,skip_false` and so on.

    Args:
        cond: The comparison of A with *val*.
        val: The constant, an unsigned 32-bit number.
        skip_true: The number of instructions to skip if the comparison holds, 0 to 255.
        skip_false: The number of instructions to skip if it fails, 0 to 255.
    """

    cond: TestField
    val: Word
    skip_true: Byte = 0
    skip_false: Byte = 0

    def _encode(self) -> RawInstruction:
        return _raw_jump(self, Operand.K, self.val)


class JumpIfX(TypedInstruction):
    """Compare A with X and skip instructions: `jeq x,skip_true,skip_false` and so on.

    Args:
        cond: The comparison of A with X.
        skip_true: The number of instructions to skip if the comparison holds, 0 to 255.
        skip_false: The number of instructions to skip if it fails, 0 to 255.
    """

    cond: TestField
    skip_true: Byte = 0
    skip_false: Byte = 0

    def _encode(self) -> RawInstruction:
        return _raw_jump(self, Operand.X, 0)


class RetA(TypedInstruction):
    """End the program with A as its verdict: `ret a`."""

    def _encode(self) -> RawInstruction:
        return _raw(Action.RETURN, Operand.A)


class RetConstant(TypedInstruction):
    """End the program with a constant as its verdict: `ret #val`.

    Args:
        val: The verdict, an unsigned 32-bit number.
    """

    val: Word

    def _encode(self) -> RawInstruction:
        return _raw(Action.RETURN, Operand.K, k=self.val)


class TAX(TypedInstruction):
    """Copy A to X: `tax`."""

    def _encode(self) -> RawInstruction:
        return _raw(Action.TAX, Operand.NONE)


class TXA(TypedInstruction):
    """Copy X to A: `txa`."""

    def _encode(self) -> RawInstruction:
        return _raw(Action.TXA, Operand.NONE)


_LOADS: Final = {Register.A: Action.LOAD_A, Register.X: Action.LOAD_X}
_STORES: Final = {Register.A: Action.STORE_A, Register.X: Action.STORE_X}
_REGISTERS: Final = {action: register for table in (_LOADS, _STORES) for register, action in table.items()}
_OPERATIONS: Final = {Action[operation.name]: operation for operation in ALUOp}
_WITHOUT_FIELDS: Final = {Action.NEGATE: NegateA, Action.RETURN: RetA, Action.TAX: TAX, Action.TXA: TXA}


def _raw_jump(jump: JumpIf | JumpIfX, operand: Operand, k: int) -> RawInstruction:
    if jump.cond.name in Action.__members__:
        return _raw(Action[jump.cond.name], operand, jt=jump.skip_true, jf=jump.skip_false, k=k)
    return _raw(Action[OPPOSITES[jump.cond].name], operand, jt=jump.skip_false, jf=jump.skip_true, k=k)


def decode(opcode: Opcode, raw: RawInstruction) -> TypedInstruction | None:
    """Return the typed form of *raw*, which has no stray bits; None if it has no typed form."""
    match opcode.action, opcode.operand:
        case ((Action.LOAD_A | Action.LOAD_X), _):
            return _decode_load(opcode, raw.k)
        case (Action.STORE_A | Action.STORE_X) as action, Operand.SCRATCH:
            return StoreScratch(_REGISTERS[action], raw.k) if raw.k < SCRATCH_SLOTS else None
        case action, Operand.K if action in _OPERATIONS:
            return ALUOpConstant(_OPERATIONS[action], raw.k)
        case action, Operand.X if action in _OPERATIONS:
            return ALUOpX(_OPERATIONS[action])
        case action, (Operand.K | Operand.X) as operand if action in CONDITIONS:
            return _decode_jump(action, operand, raw)
        case Action.JUMP, Operand.K:
            return Jump(raw.k)
        case Action.RETURN, Operand.K:
            return RetConstant(raw.k)
        case action, (Operand.NONE | Operand.A) if action in _WITHOUT_FIELDS:
            return _WITHOUT_FIELDS[action]()
    raise missing_case(opcode, "isa.instructions")


def _decode_load(opcode: Opcode, k: int) -> TypedInstruction | None:
    match opcode.action, opcode.operand:
        case action, Operand.K:
            return LoadConstant(_REGISTERS[action], k)
        case action, Operand.SCRATCH:
            return LoadScratch(_REGISTERS[action], k) if k < SCRATCH_SLOTS else None
        case action, Operand.LENGTH:
            return LoadExtension(Extension.LEN) if action is Action.LOAD_A else None
        case Action.LOAD_A, Operand.INDIRECT:
            return LoadIndirect(k, opcode.size)
        case Action.LOAD_X, Operand.MEMORY_SHIFT:
            return LoadMemShift(k)
        case Action.LOAD_A, Operand.ABSOLUTE:
            extension = extension_of(opcode, k)
            return LoadAbsolute(k, opcode.size) if extension is None or opcode.size != 4 else LoadExtension(extension)
    raise missing_case(opcode, "isa.instructions")


def _decode_jump(action: Action, operand: Operand, raw: RawInstruction) -> TypedInstruction:
    """Return the typed form of a conditional jump; as in Go, one with jt = 0 becomes the opposite test."""
    test, skips = JumpTest[action.name], (raw.jt, raw.jf)
    if raw.jt == 0:
        test, skips = OPPOSITES[test], (raw.jf, 0)
    return JumpIf(test, raw.k, *skips) if operand is Operand.K else JumpIfX(test, *skips)
