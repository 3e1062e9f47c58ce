"""The types of the fields of typed instructions, each with the check of its values."""

from .._typing import Annotated, TypeAlias
from .._validators import member, one_of, within
from .enumerations import ALUOp, Extension, JumpTest, Register
from .opcodes import SCRATCH_SLOTS

Slot: TypeAlias = Annotated[int, within(0, SCRATCH_SLOTS - 1, "a scratch slot")]
Size: TypeAlias = Annotated[int, one_of(1, 2, 4)]
RegisterField: TypeAlias = Annotated[Register, member(Register)]
OperationField: TypeAlias = Annotated[ALUOp, member(ALUOp)]
TestField: TypeAlias = Annotated[JumpTest, member(JumpTest)]
ExtensionField: TypeAlias = Annotated[Extension, member(Extension)]
