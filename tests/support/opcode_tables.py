"""The tables of the package that need an entry for each action or operand of the instruction table."""

from importlib import import_module
from typing import Final, NamedTuple

from cbpf.isa.opcodes import ARITHMETIC_ACTIONS, CONDITIONS, OPCODES, Action, Operand

_WITHOUT_BITS_SET: Final = CONDITIONS - {Action.BITS_SET}  # a test of bits is a comparison of an AND with 0
_OPERANDS: Final = frozenset(opcode.operand for opcode in OPCODES)


class ActionTable(NamedTuple):
    """A table by its module and name, and the keys that it must have."""

    module: str
    name: str
    keys: frozenset[Action] | frozenset[Operand]

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"

    def is_complete(self) -> bool:
        """Return whether the keys of the table are exactly those that it must have."""
        table = getattr(import_module(f"cbpf.{self.module}"), self.name)
        return frozenset(table) == self.keys


TABLES: Final = (
    ActionTable("isa.opcodes", "SIGNS", ARITHMETIC_ACTIONS | CONDITIONS),
    ActionTable("isa.alu", "ARITHMETIC", ARITHMETIC_ACTIONS),
    ActionTable("isa.alu", "COMPARISONS", CONDITIONS),
    ActionTable("isa.instructions", "_OPERATIONS", ARITHMETIC_ACTIONS),
    ActionTable("isa.go_syntax", "_OPPOSITES", _WITHOUT_BITS_SET),
    ActionTable("isa.go_syntax", "_ARGUMENTS", _OPERANDS),
    ActionTable("isa.listing", "_ARGUMENTS", _OPERANDS - {Operand.K}),
    ActionTable("engines.python", "_OPERATORS", ARITHMETIC_ACTIONS | CONDITIONS),
    ActionTable("engines.llvm.machine", "_INSTRUCTIONS", ARITHMETIC_ACTIONS),
    ActionTable("engines.llvm.machine", "_PREDICATES", _WITHOUT_BITS_SET),
    ActionTable("analysis.abstract_value", "_RANGES", ARITHMETIC_ACTIONS),
    ActionTable("analysis.abstract_machine", "_NEGATED_SIGNS", _WITHOUT_BITS_SET),
    ActionTable("analysis.abstract_machine", "_SWAPPED_OPERANDS", _WITHOUT_BITS_SET),
    ActionTable("proofs.terms", "_ARITHMETIC_KINDS", ARITHMETIC_ACTIONS),
    ActionTable("proofs.terms", "_COMPARISON_KINDS", _WITHOUT_BITS_SET),
)


def incomplete_tables() -> list[str]:
    """Return the names of the tables that lack a key, or have one that is not in the instruction table."""
    return [str(table) for table in TABLES if not table.is_complete()]
