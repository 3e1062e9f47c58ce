"""Conditions from text: `family < 38 or = 39 or > 40 and type & 0xf = SOCK_STREAM`; `condition_rendering` writes them.

    conditions  = condition { "and" condition }
    condition   = operand test { "or" [ operand ] test }      (tests of one operand)
    test        = [ "&" number ] relation value
    relation    = "=" | "!=" | "<" | "<=" | ">" | ">="
    value       = number [ ".." number ]              (a range, after "=" or "!=")
    number      = term { "|" term }
    term        = decimal, hexadecimal or octal digits, or a constant such as AF_INET

An operand is the name of an argument, arg0 to arg5, instruction_pointer, number or architecture. Numbers are unsigned
and have 64 bits. A relation compares all 64 bits of an argument, or those under the mask after "&": `& 0xffffffff`
selects the lower half. The mask is also that of the next tests after "or", up to the next operand or mask.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Final, NoReturn
from ...errors import FieldError
from ...isa.word_ranges import Ranges, complement, union
from ..names.architectures import Architecture, ArchitectureName
from ..names.architectures import architecture as architecture_named
from ..names.arguments import arguments_of
from ..names.constants import constant, constant_names
from ..rules import ARCHITECTURE, INSTRUCTION_POINTER, NUMBER, OPERAND_MASK, Condition, MaskedRanges

OTHER_OPERANDS: Final = {INSTRUCTION_POINTER: "instruction_pointer", NUMBER: "number", ARCHITECTURE: "architecture"}
"""The names of the operands that are not arguments."""

_ARGUMENTS: Final = {f"arg{index}": index for index in range(6)}
_PLAIN_NAMES: Final = _ARGUMENTS | {name: operand for operand, name in OTHER_OPERANDS.items()}
_RELATIONS: Final = ("=", "!=", "<", "<=", ">", ">=")
_RANGES: Final[Mapping[str, Callable[[int, int], tuple[int, int]]]] = {
    "<": lambda value, upper: (0, value - 1),
    "<=": lambda value, upper: (0, value),
    ">": lambda value, upper: (value + 1, upper),
    ">=": lambda value, upper: (value, upper),
}


class _Token(NamedTuple):
    """A token of a text, and its column, from 1."""

    text: str
    column: int


def parse_conditions(
    text: str, calls: Sequence[str] = (), architecture: ArchitectureName | None = None
) -> tuple[Condition, ...]:
    """Return the conditions of a text.

    Args:
        text: Conditions, joined by `and`.
        calls: The names of the system calls that they are about: the names of their arguments are operands, where they
            have the same position in all calls.
        architecture: The architecture of the calls, or its name; None for x86-64.

    Returns:
        The conditions, in order; none for an empty text.

    Raises:
        FieldError: The text is not a condition (the message has the column), or the architecture is unknown.

    >>> parse_conditions("family = AF_ALG", ["socket"])
    (Condition(operand=0, alternatives=(MaskedRanges(mask=18446744073709551615, ranges=((38, 38),)),)),)
    """
    row = None if architecture is None else architecture_named(architecture)
    return tuple(_Parser(text, operands_of(calls, row), row).conditions())


def parse_number(text: str, architecture: Architecture | None) -> int:
    """Return the number of a text: digits or constants, joined by "|".

    >>> parse_number("CLONE_NEWUSER|CLONE_NEWPID|1", None) == 0x30000001
    True
    """
    return _Parser(text, {}, architecture).number()


def operands_of(calls: Sequence[str], architecture: Architecture | None) -> Mapping[str, int]:
    """Return the operands by name: those that every text has, and the arguments of the calls."""
    named = [set(zip(argument_names(call, architecture), range(6), strict=False)) for call in calls]
    return dict(set.intersection(*named) if named else ()) | _PLAIN_NAMES


def argument_names(call: str, architecture: Architecture | None = None) -> tuple[str, ...]:
    """Return the names of the arguments of a call in texts: the kernel's, or arg0 to arg5.

    The kernel's names of some arguments, such as the `arg2` of prctl, which is its second one, are not used.

    >>> argument_names("prctl")
    ('option', 'arg1', 'arg2', 'arg3', 'arg4')
    """
    arguments = arguments_of(call, architecture or "x86_64")
    return tuple(f"arg{index}" if each.name in _PLAIN_NAMES else each.name for index, each in enumerate(arguments))


class _Parser:
    """A reader of conditions, from left to right."""

    def __init__(self, text: str, operands: Mapping[str, int], architecture: Architecture | None) -> None:
        self._tokens = list(_tokens(text))
        self._end = len(text) + 1
        self._next = 0
        self._operands = operands
        self._architecture = architecture

    def conditions(self) -> Iterator[Condition]:
        while self._next < len(self._tokens):
            yield self._condition()
            if self._next < len(self._tokens):
                self._expect("and", "'and' or 'or'")
                if self._next == len(self._tokens):
                    self._fail("a condition is expected after 'and'")

    def number(self) -> int:
        value = self._number()
        if self._next < len(self._tokens):
            self._fail(f"{self._peek().text!r} is not expected after a number")
        return value

    def _condition(self) -> Condition:
        operand, name = self._operand()
        alternatives = [self._test(OPERAND_MASK)]
        while self._take("or"):
            mask = alternatives[-1].mask
            token = self._peek()
            if token.text in self._operands:
                if self._operands[token.text] != operand:
                    self._fail(f"'or' joins tests of one operand, here {name!r}; write a rule for each operand")
                self._next += 1
                mask = OPERAND_MASK
            alternatives.append(self._test(mask))
        return Condition(operand, tuple(_merged(alternatives)))

    def _operand(self) -> tuple[int, str]:
        token = self._peek()
        if token.text not in self._operands:
            known = ", ".join(name for name in self._operands if name not in _PLAIN_NAMES) or "arg0 to arg5"
            fact = f"{token.text!r} is not an operand" if token.text else "an operand is expected"
            self._fail(fact + (suggestion(token.text, self._operands) or f"; known are {known}"))
        self._next += 1
        return self._operands[token.text], token.text

    def _test(self, mask: int) -> MaskedRanges:
        if self._take("&"):
            mask = self._number()
        relation = self._peek().text
        if relation not in _RELATIONS:
            self._fail(f"a relation is expected: {', '.join(_RELATIONS)}")
        self._next += 1
        low = high = self._number()
        if relation in ("=", "!=") and self._take(".."):
            high = self._number()
            if high < low:
                self._next -= 1
                self._fail(f"{high:#x} is below {low:#x}, the first number of the range")
        elif relation in ("=", "!=") and low & ~mask:
            self._next -= 1
            self._fail(f"{low:#x} has bits that the mask {mask:#x} does not have")
        elif relation not in ("=", "!="):
            low, high = _RANGES[relation](low, mask)
        ranges: Ranges = ((low, high),) if low <= high else ()
        return MaskedRanges(mask, complement(ranges, mask) if relation == "!=" else ranges)

    def _number(self) -> int:
        value = self._term()
        while self._take("|"):
            value |= self._term()
        return value

    def _term(self) -> int:
        token = self._peek()
        value = _number_of(token.text)
        if value is None:
            value = self._constant(token.text)
        if value > OPERAND_MASK:
            self._fail(f"{token.text} exceeds 64 bits")
        self._next += 1
        return value

    def _constant(self, name: str) -> int:
        """Return the number of a constant on the architecture."""
        found = constant(name)
        if found is None:
            fact = f"{name!r} is not a number or a constant" if name else "a number is expected"
            self._fail(fact + suggestion(name, constant_names()))
        number = found.number_on(self._architecture)
        if number is None:
            row = self._architecture or architecture_named("x86_64")
            self._fail(f"{name} is not defined on {row.name}; a rule may list the architectures that have it")
        return number

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else _Token("", self._end)

    def _take(self, text: str) -> bool:
        found = self._peek().text == text
        self._next += found
        return found

    def _expect(self, text: str, rule: str) -> None:
        if not self._take(text):
            self._fail(f"{self._peek().text!r} is not expected; {rule} follows a condition")

    def _fail(self, fact: str) -> NoReturn:
        raise FieldError(f"column {self._peek().column}: {fact}")


def _merged(tests: Iterable[MaskedRanges]) -> Iterator[MaskedRanges]:
    """Yield tests of an operand, in which neighbours that have the same mask are one."""
    for mask, group in groupby(tests, key=lambda test: test.mask):
        yield MaskedRanges(mask, union(bounds for test in group for bounds in test.ranges))


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        start = position
        if text[position].isspace():
            position += 1
            continue
        if _is_word(text[position]):
            while position < len(text) and _is_word(text[position]):
                position += 1
        else:
            position += 2 if text[position : position + 2] in ("!=", "<=", ">=", "==", "..") else 1
        word = text[start:position]
        yield _Token("=" if word == "==" else word, start + 1)


def normal_spaces(text: str) -> str:
    """Return a condition with one space between its tokens, and none in ranges and around "|".

    >>> normal_spaces("flags&CLONE_FS | CLONE_VM==0")
    'flags & CLONE_FS|CLONE_VM = 0'
    """
    return re.sub(r" (\||\.\.) ", r"\1", " ".join(token.text for token in _tokens(text)))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _number_of(text: str) -> int | None:
    """Return an unsigned number; None if the text is not one."""
    try:
        return int(text, 0) if text[:1].isdigit() else None
    except ValueError:
        return None
