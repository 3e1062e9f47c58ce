"""Conditions on columns of a table as a filter, so that other packets never become rows.

A condition on a number is a classic BPF program: that of the column, followed by a comparison of its value. Packets
that do not have the column do not fulfil it, as in SQL.
"""

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Final, Iterator, Literal, Sequence, TypeAlias
from ..capture.base import Interface
from ..expression.names import SYSTEM_NAMES, Lookups
from ..filtering.capture_programs import PacketKind, compile_for_interface
from ..filtering.link_programs import LinkPrograms
from ..isa.dialects import PCAP
from ..isa.enumerations import Extension, JumpTest, Register
from ..isa.instructions import TAX, Jump, JumpIf, LoadConstant, LoadExtension, RetA, RetConstant
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from ..packet.host_order import ByteOrder
from ..packet.link_types import LinkType
from .fields import FIELD_NAMES, field_programs, field_type

if TYPE_CHECKING:
    from ..expression.address_lists import Expression
    from ..isa.program import Instructions

Comparison: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">=", "in"]

_MAX_NUMBER: Final = 0xFFFF_FFFF
_MAX_LISTED: Final = 200  # numbers of a list, whose comparisons jump to the same instruction
_TESTS: Final[dict[Comparison, JumpTest]] = {
    "==": JumpTest.EQUAL,
    "!=": JumpTest.NOT_EQUAL,
    "<": JumpTest.LESS_THAN,
    "<=": JumpTest.LESS_OR_EQUAL,
    ">": JumpTest.GREATER_THAN,
    ">=": JumpTest.GREATER_OR_EQUAL,
}


class Condition(NamedTuple):
    """A comparison of a column with a value: a number, the numbers of a list, or the name of a link type."""

    column: str
    comparison: Comparison
    value: int | str | tuple[int, ...]

    @property
    def is_supported(self) -> bool:
        """Return whether a filter can test it."""
        if self.column == "link_type":
            return isinstance(self.value, str) and self.comparison in ("==", "!=")
        is_number = self.column == "length" or (
            self.column in FIELD_NAMES and not field_type(self.column).startswith("binary")
        )
        return is_number and 0 < len(self.numbers) <= _MAX_LISTED and all(0 <= n <= _MAX_NUMBER for n in self.numbers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Return the numbers of the condition."""
        return self.value if isinstance(self.value, tuple) else (self.value,) if isinstance(self.value, int) else ()


class ConditionPrograms(LinkPrograms):
    """A filter for the packets that fulfil all conditions and that another filter accepts; None: every packet."""

    def __init__(self, conditions: Sequence[Condition], filter: "str | Expression | Instructions | None") -> None:
        super().__init__({})
        self._conditions = conditions
        self._filter = filter
        self._names = Lookups(SYSTEM_NAMES)

    def program(self, kind: PacketKind) -> Program:
        """Return the program for a kind of packets; see `LinkPrograms`."""
        link_type = kind[0]
        values: list[tuple[Program, Condition]] = []
        for condition in self._conditions:
            if condition.column == "link_type":
                if (condition.value == link_type.name) is not (condition.comparison == "=="):
                    return Program([RetConstant(0)])
            elif condition.column != "length" or link_type.host_order is None:  # else of another view of the packet
                value = _value_program(condition.column, link_type)
                if value is None:
                    return Program([RetConstant(0)])
                values.append((value, condition))
        return Program([*_conjunction(values), *self._last(kind)])

    def _last(self, kind: PacketKind) -> Program:
        if self._filter is None:
            return Program([RetConstant(_MAX_NUMBER)])
        from ..expression.address_lists import Expression

        if isinstance(self._filter, str | Expression):
            byte_order: ByteOrder = ">" if kind[1] == ">" else "<"
            interface = Interface(kind[0], kind[0].max_packet_length, byte_order)
            return compile_for_interface(self._filter, interface, PCAP, self._names)
        return Program(self._filter)


def _value_program(column: str, link_type: LinkType) -> Program | None:
    """Return the program whose verdict is the value of a column, and which ends with `ret #0` without it."""
    if column == "length":
        return Program([LoadExtension(Extension.LEN), RetA()])
    programs = field_programs(column, link_type)
    return None if programs is None else programs.values[0]


def _conjunction(values: Sequence[tuple[Program, Condition]]) -> Iterator[RawInstruction]:
    """Yield instructions that reject packets that do not fulfil a condition, and continue after the last one."""
    found = RetA().assemble()
    for program, condition in values:
        for index, raw in enumerate(program):
            yield Jump(len(program) - index - 1).assemble() if raw == found else raw
        test, numbers = _TESTS.get(condition.comparison, JumpTest.EQUAL), condition.numbers
        for index, number in enumerate(numbers):
            yield JumpIf(test, number, skip_true=len(numbers) - index).assemble()
        yield RetConstant(0).assemble()
        yield LoadConstant(Register.A, 0).assemble()  # the registers as at the start of a program
        yield TAX().assemble()
