"""The statements of a program in the order of its instructions, with blocks in place of jumps where that is possible.

If only one outcome of a test leads to the instructions that follow it, up to the target of the other outcome, they are
the block of an `if`. All other jumps are `goto`. Jumps go forward, so the order of the instructions remains. A `ret` is
copied to each jump that leads to it.
"""

import re

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...analysis.register_effects import effects_of
from ...isa.dialects import Dialect
from ...isa.listing import listing_line
from ...isa.opcodes import OPCODE_BY_CODE, Action
from ...isa.program import Program
from ...isa.semantics import execute
from ...optimizer.ir.liveness import live_registers
from .machine import CCondition, CMachine

_ASSIGNMENT: Final = re.compile(r"(\w+) = (.*);")
_WORD: Final = re.compile(r"\w+")
_MAX_DEPTH: Final = 6
"""The number of nested blocks; where there would be more, the test is a jump."""


class Line(NamedTuple):
    """A line of C.

    Args:
        depth: The number of blocks around it; -1 for a label of the function.
        code: The code.
        comment: The instruction that it belongs to; empty for the lines before the last one of an instruction.
    """

    depth: int
    code: str
    comment: str = ""


class Body(NamedTuple):
    """The statements of a function.

    Args:
        lines: The lines.
        initialized: The bits of the registers that may be read before they are written, so that they begin with 0.
    """

    lines: list[Line]
    initialized: int


def body_of(program: Program, dialect: Dialect) -> Body:
    """Return the statements of a program that the dialect accepts."""
    writer = _BodyWriter(program, dialect)
    writer.write()
    return Body(_without_unread_variables(writer.lines), writer.live[0])


def _without_unread_variables(lines: list[Line]) -> list[Line]:
    """Return lines without assignments to variables that no line reads; the comments of the instructions remain."""
    while True:
        assigned = [_ASSIGNMENT.fullmatch(line.code) for line in lines]
        values = (found[2] if found else line.code for found, line in zip(assigned, lines, strict=True))
        read = set(_WORD.findall("\n".join(values)))
        kept = [
            line if found is None or found[1] in read else line._replace(code="")
            for found, line in zip(assigned, lines, strict=True)
        ]
        if kept == lines:
            return _with_labelled_statements(lines)
        lines = kept


def _with_labelled_statements(lines: list[Line]) -> list[Line]:
    """Return lines in which a statement follows each label, as C99 demands."""
    return [
        line._replace(code=";") if not line.code and before.code.endswith(":") else line
        for before, line in zip([Line(0, ""), *lines], lines, strict=False)
    ]


class _BodyWriter:
    """The writer of the statements of a program.

    Attributes:
        lines: The lines that were written.
        live: The bits of the registers that are live before each instruction.
    """

    def __init__(self, program: Program, dialect: Dialect) -> None:
        self._program = program
        self._dialect = dialect
        self._machine = CMachine(dialect)
        self._predecessors: list[list[int]] = [[] for _ in program]
        for index, raw in enumerate(program):
            for successor in raw.successors(index):
                self._predecessors[successor].append(index)
        self.live = live_registers(effects_of(program, dialect))
        self._checked: dict[int, int] = {}  # by instruction that is entered: the bytes that the packet has there
        self._labelled: set[int] = set()
        self._ends: list[int] = []  # of the blocks around the current instruction
        self.lines: list[Line] = []

    def write(self) -> None:
        """Write all instructions that are entered: not those that nothing reaches, or of which only copies are left."""
        size = self._dialect.record_size
        if size is not None:
            self._add(f"if (captured < {size})", "    return 0;")
        self._checked[0] = size or 0
        for index in range(len(self._program)):
            while self._ends and self._ends[-1] == index:
                self._ends.pop()
                self._add("}")
            if index in self._checked:
                if index in self._labelled:
                    self.lines.append(Line(len(self._ends) - 1, f"{_label(index)}:"))
                self._write_instruction(index)

    def _write_instruction(self, index: int) -> None:
        machine = self._machine
        after = 0
        for successor in self._program[index].successors(index):
            after |= self.live[successor]
        machine.begin(self._checked[index], after)
        execute(machine, self._program[index], index, self._dialect)
        comment = " ".join(listing_line(self._program[index], index, dialect=self._dialect).split())
        following = index + 1
        if machine.targets is None:
            self._enter(following)
            self._add(*machine.statements, comment=comment)
        elif machine.returned is not None:
            self._add(*machine.statements, f"return {machine.returned.text};", comment=comment)
        elif len(set(machine.targets)) == 1:
            self._add(*self._leaving(machine.targets[0], following), comment=comment)
        else:
            target, other = machine.targets
            self._write_branch(index, machine.condition, target, other, comment)

    def _write_branch(self, index: int, condition: CCondition, target: int, other: int, comment: str) -> None:
        following = index + 1
        if target == following or (other != following and self._is_return(other)):
            condition, target, other = condition.opposite, other, target
        # Now the next instruction, if it is one of the targets, is *other*; of two far ones, *target* may be a `ret`.
        if self._is_return(target) and self._is_return(other):
            self._write_choice(condition, target, other, comment)
            return
        if other == following and not self._is_return(target) and self._is_block(following, target):
            self._add(f"if ({condition.opposite.text}) {{", comment=comment)
            self._enter(following)
            self._enter(target)
            self._ends.append(target)
            return
        (exit_,) = self._leaving(target, None)
        self._add(f"if ({condition.text})", comment=comment)
        self._add(f"    {exit_}", *self._leaving(other, following))

    def _write_choice(self, condition: CCondition, target: int, other: int, comment: str) -> None:
        """Write a test between two verdicts, without the negation of a condition."""
        if condition.sign in ("!=", "!&"):
            condition, target, other = condition.opposite, other, target
        self._add(f"return {condition.text} ? {self._verdict(target)} : {self._verdict(other)};", comment=comment)

    def _leaving(self, target: int, following: int | None) -> list[str]:
        """Return the statement that leads to an instruction; none if it is the next one."""
        if self._is_return(target) and target != following:
            return [f"return {self._verdict(target)};"]
        self._enter(target)
        if target == following:
            return []
        self._labelled.add(target)
        return [f"goto {_label(target)};"]

    def _is_block(self, begin: int, end: int) -> bool:
        """Return whether instructions can be a block: nothing but its first instruction is entered from outside."""
        if len(self._ends) == _MAX_DEPTH or (self._ends and end > self._ends[-1]):
            return False
        return all(
            begin <= predecessor < end or (predecessor == begin - 1 == index - 1)
            for index in range(begin, end)
            for predecessor in self._predecessors[index]
            if not self._is_return(index) or predecessor == index - 1
        )

    def _enter(self, index: int) -> None:
        """Record that the current instruction leads to another one."""
        checked = self._machine.checked
        self._checked[index] = min(checked, self._checked.get(index, checked))

    def _is_return(self, index: int) -> bool:
        return OPCODE_BY_CODE[self._program[index].op].action is Action.RETURN

    def _verdict(self, index: int) -> str:
        """Return the verdict of a `ret`."""
        machine = CMachine(self._dialect)
        execute(machine, self._program[index], index, self._dialect)
        assert machine.returned is not None
        return machine.returned.text

    def _add(self, *statements: str, comment: str = "") -> None:
        """Add lines, the last one with a comment."""
        depth = len(self._ends)
        *first, last = statements or ("",)
        self.lines += [Line(depth, statement) for statement in first]
        if last or comment:
            self.lines.append(Line(depth, last, comment))


def _label(index: int) -> str:
    return f"L{index}"
