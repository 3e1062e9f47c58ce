"""The writer of programs as Python code, with the typed instructions."""

from enum import Enum

from .._typing import Final
from ..isa.instructions import Instruction
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction

_OPTIONAL: Final = ("skip_true", "skip_false")  # fields that are 0 by default


def render_python(program: Program) -> str:
    """Return Python code that constructs the program, one instruction per line."""
    lines = [f"        {_instruction(instruction)},\n" for instruction in program.instructions]
    content = f"\n    [\n{''.join(lines)}    ]\n" if lines else "[]"
    return f"import cbpf\n\nprogram = cbpf.Program({content})\n"


def _instruction(instruction: Instruction) -> str:
    if isinstance(instruction, RawInstruction):
        return f"cbpf.{instruction!r}"
    shown = (f"{name}={_value(value)}" for name, value in vars(instruction).items() if value or name not in _OPTIONAL)
    return f"cbpf.{type(instruction).__name__}({', '.join(shown)})"


def _value(value: object) -> str:
    return f"cbpf.{value!r}" if isinstance(value, Enum) else repr(value)
