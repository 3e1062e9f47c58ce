"""Listings of filters with names for the words that their instructions load, test and return."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from ..._lazy import Lazy
from ..._typing import Final
from ...analysis.abstract_state import Facts
from ...analysis.abstract_value import Known
from ...analysis.flow import Flow
from ...isa.dialects import SECCOMP, Dialect
from ...isa.listing import listing_line
from ...isa.opcodes import CONDITIONS, OPCODE_BY_CODE, WORD_MASK, Action, Operand
from ...isa.program import Program
from ...isa.raw_instruction import RawInstruction
from ...isa.verdicts import SeccompAction
from ..diagrams.decision_diagram import FALSE, DecisionDiagram, Node, TooManySteps
from ..diagrams.filter_functions import Filter, as_filter
from ..diagrams.opaque_words import OpaqueWords
from ..diagrams.program_diagram import ProgramMeaning
from ..diagrams.record_bits import ARCHITECTURE, ARGUMENTS, INSTRUCTION_POINTER, NUMBER, Field, first_variable
from ..diagrams.word_sets import describe_set
from ..names.actions import action_text
from ..names.architectures import Architecture, ArchitectureName, architecture_of
from ..names.constants import constants_of
from ..names.system_calls import call_name
from ..rules import MaskedRanges
from ..stacks import Stack
from ..texts.call_texts import names_for
from ..texts.condition_rendering import constant_name
from ..texts.condition_text import argument_names

_WORD: Final = re.compile(r"\[(\d+):4\]")
_BITS_OF_WORD: Final = re.compile(r"\(?\[(\d+):4\](?: & (\w+)\))?")
_NAMING: Final = frozenset({Action.EQUAL, Action.BITS_SET})
_ARCHITECTURE_TERM: Final = f"[{ARCHITECTURE.offset}:4]"
_NUMBER_TERM: Final = f"[{NUMBER.offset}:4]"
_WORD_NAMES: Final = {ARCHITECTURE.offset: "architecture", NUMBER.offset: "number"}
_FIELDS_OF_TWO_WORDS: Final = (*ARGUMENTS, INSTRUCTION_POINTER)
_COMPARISONS: Final = {
    Action.EQUAL: "=",
    Action.GREATER_THAN: ">",
    Action.GREATER_OR_EQUAL: ">=",
    Action.BITS_SET: "&",
}
_LOADS: Final = frozenset({Action.LOAD_A, Action.LOAD_X})
_COLUMN: Final = 52
_MAX_DECIMAL: Final = 0xFFFF
_MAX_NAME: Final = 40
"""The length of the names of flags from which on a line has only the number."""
_MAX_CALLS: Final = 8
"""The number of calls at an instruction from which on no common name is searched for."""


class ProgramListing:
    """The lines of a program with names.

    Args:
        program: The program.
        dialect: Its dialect.
        names: The architecture whose names the numbers of calls have where the architecture is not known.

    Raises:
        VerificationError: The dialect rejects the program.
    """

    def __init__(self, program: Program, dialect: Dialect, names: Architecture) -> None:
        self._program = program
        self._dialect = dialect
        self._names = names
        self._flow = Flow(program, dialect=dialect)
        self._diagram = DecisionDiagram()
        self._calls: dict[int, tuple[str, Architecture] | None] = {}

    def lines(self) -> Iterator[str]:
        """Yield the line of each instruction."""
        return map(self.line, range(len(self._program)))

    def line(self, index: int) -> str:
        """Return the line of an instruction."""
        raw = self._program[index]
        return f"{listing_line(raw, index, dialect=self._dialect):{_COLUMN}}{self._note(index, raw)}".rstrip()

    def _note(self, index: int, raw: RawInstruction) -> str:
        opcode = OPCODE_BY_CODE[raw.op]
        facts = self._flow.facts(index)
        if facts is None:
            return "(never executed)"
        if opcode.action is Action.RETURN:
            return action_text(SeccompAction(raw.k)) if opcode.operand is Operand.K else self._term(facts.a, index)
        if opcode.action in CONDITIONS:
            right = _number(raw.k) if opcode.operand is Operand.K else self._term(facts.x, index)
            has_name = opcode.action in _NAMING and opcode.operand is Operand.K
            name = self._name(facts, raw.k, index, opcode.action) if has_name else None
            return f"{self._term(facts.a, index)} {_COMPARISONS[opcode.action]} {name or right}"
        if opcode.operand is Operand.ABSOLUTE:
            return self._word(raw.k, index)
        if opcode.operand is Operand.SCRATCH and opcode.action in _LOADS:
            return self._term(facts.scratch[raw.k], index)
        return ""

    def _term(self, word: Known, index: int) -> str:
        """Return the term that a register has, in which names replace the words of the record."""
        return _WORD.sub(lambda match: self._word(int(match[1]), index), word.name)

    def _word(self, offset: int, index: int) -> str:
        """Return the name of a word of the record; of an argument, with its half."""
        if offset in _WORD_NAMES:
            return _WORD_NAMES[offset]
        field = next(field for field in _FIELDS_OF_TWO_WORDS if offset in (field.offset, field.offset + 4))
        is_low = first_variable(offset, self._dialect.byte_order) != field.first
        return f"{self._operand(field, index)}.{'low' if is_low else 'high'}"

    def _operand(self, field: Field, index: int) -> str:
        """Return the name of an argument, if all calls for which an instruction is executed have one name."""
        if field is INSTRUCTION_POINTER:
            return field.name
        position = ARGUMENTS.index(field)
        name, architecture = self._call_at(index) or ("", self._names)
        arguments = argument_names(name, architecture)
        return arguments[position] if position < len(arguments) else f"arg{position}"

    def _name(self, facts: Facts, constant: int, index: int, action: Action) -> str | None:
        """Return the name of a constant that the accumulator is tested for: of an architecture, a call, or a value."""
        if match := _BITS_OF_WORD.fullmatch(facts.a.name):
            is_of_bits = action is Action.BITS_SET or match[2] is not None
            name = self._constant_name(int(match[1]), constant, index, is_of_bits=is_of_bits)
            if name is not None and len(name) <= _MAX_NAME:
                return f"{_number(constant)} ({name})"
        if action is not Action.EQUAL:
            return None
        if facts.a.name == _ARCHITECTURE_TERM:
            row = architecture_of(constant)
            return row.name if row else None
        if facts.a.name == _NUMBER_TERM:
            audit_arch = next((word.value for word in facts.refinements if word.name == _ARCHITECTURE_TERM), None)
            row = self._names if audit_arch is None else architecture_of(audit_arch, constant)
            name = call_name(row, constant) if row else None
            return f"{_number(constant)} ({name})" if name else None
        return None

    def _constant_name(self, offset: int, number: int, index: int, *, is_of_bits: bool) -> str | None:
        """Return the name of a value of the lower half of an argument, or the names of its flags."""
        field = next((field for field in ARGUMENTS if offset in (field.offset, field.offset + 4)), None)
        if field is None or first_variable(offset, self._dialect.byte_order) == field.first:
            return None
        call = self._call_at(index)
        named = constants_of(call[0], ARGUMENTS.index(field), call[1]) if call else {}
        return constant_name(number, named, is_of_bits=is_of_bits)

    # Calls at instructions

    @Lazy
    def _meaning(self) -> ProgramMeaning:
        return ProgramMeaning(self._diagram, self._program, self._dialect, OpaqueWords(self._diagram))

    def _call_at(self, index: int) -> tuple[str, Architecture] | None:
        """Return the name of the call for which an instruction is executed, and one of its architectures.

        None: there are several names, or one without a name.
        """
        if index not in self._calls:
            self._calls[index] = self._find_call(index)
        return self._calls[index]

    def _find_call(self, index: int) -> tuple[str, Architecture] | None:
        try:
            calls = list(islice(self._calls_at(index), _MAX_CALLS))
        except TooManySteps:
            return None
        rows = [architecture_of(*call) for call in calls]
        names = {call_name(row, number) if row else None for row, (_, number) in zip(rows, calls, strict=True)}
        name = names.pop() if len(names) == 1 and len(calls) < _MAX_CALLS else None
        return (name, rows[0]) if name and rows[0] else None

    def _calls_at(self, index: int) -> Iterator[tuple[int, int]]:
        """Yield the architecture and the number of each call for which an instruction is executed."""
        diagram = self._diagram
        for rest, architectures in diagram.split(self._meaning.reached(index), ARCHITECTURE.end).items():
            if rest != FALSE:
                for part, numbers in diagram.split(rest, NUMBER.end).items():
                    if part != FALSE:
                        for architecture in self._architectures(architectures):
                            for number in _members(diagram, numbers, NUMBER):
                                yield architecture, number

    def _architectures(self, architectures: Node) -> Iterable[int]:
        """Return the AUDIT_ARCH of a few architectures; of many ones, that whose names calls have."""
        members = list(islice(_members(self._diagram, architectures, ARCHITECTURE), _MAX_CALLS))
        return members if len(members) < _MAX_CALLS else [self._names.audit_arch]


def _number(constant: int) -> str:
    return str(constant) if constant <= _MAX_DECIMAL else f"{constant:#x}"


def _members(diagram: DecisionDiagram, numbers: Node, field: Field) -> Iterator[int]:
    """Yield the numbers of a set, of which there may be many."""
    match describe_set(diagram, numbers, field):
        case ((MaskedRanges(mask=mask, ranges=ranges),),) if mask == WORD_MASK:
            for low, high in ranges:
                yield from range(low, high + 1)
        case _:
            yield from range(_MAX_CALLS)


def listing(filter: Filter, *, dialect: Dialect = SECCOMP, architecture: ArchitectureName | None = None) -> str:
    r"""Return the listing of a filter, with names for the words that its instructions load, test and return.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`, whose program is listed.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture whose names the calls have where the program does not distinguish architectures;
            None: that of this machine, if the filter has its byte order.

    Returns:
        The lines, without a final newline. The programs of a stack have titles.

    Raises:
        FieldError: An argument is invalid.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> print(listing(parse("ld [0]\njeq #41, 0, 1\nret #0x50001\nret #0x7fff0000"), architecture="x86_64"))
    (000) ld       [0]                                  number
    (001) jeq      #0x29            jt 2 jf 3           number = 41 (socket)
    (002) ret      #0x50001                             errno(EPERM)
    (003) ret      #0x7fff0000                          allow
    """
    source = as_filter(filter, dialect)
    stack = source if isinstance(source, Stack) else Stack([source.program()], dialect=source.dialect)
    names = names_for(stack.dialect.byte_order, architecture)
    texts = ["\n".join(ProgramListing(program, stack.dialect, names).lines()) for program in stack.programs]
    if len(texts) == 1:
        return texts[0]
    titles = [f"filter {number} of {len(texts)}" for number in range(1, len(texts) + 1)]
    return "\n\n".join(f"{title}\n{text}" for title, text in zip(titles, texts, strict=True))
