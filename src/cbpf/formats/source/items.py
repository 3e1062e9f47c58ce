"""The shapes of an instruction in source code.

A group of four fields in any brackets, a group with names of fields, a call of BPF_STMT or BPF_JUMP,
`pack("HBBI", ...)` of Python's struct, and the typed instructions of Go's package bpf.
"""

import re
from collections.abc import Iterator, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa import instructions as typed
from .tokens import Token
from .values import SourceError

OPENING: Final = {"(": ")", "[": "]", "{": "}"}
_KEYS: Final = {"code": "op", "opcode": "op", "op": "op", "jt": "jt", "jf": "jf", "k": "k"}
FIELDS: Final = ("op", "jt", "jf", "k")

# The order of the arguments of the macros and functions that make an instruction, by their name without underscores.
_CALLS: Final = {
    **dict.fromkeys(("bpfstmt", "lsfstmt"), ("op", "k")),
    **dict.fromkeys(("bpfjump", "lsfjump"), ("op", "k", "jt", "jf")),
}
_STRUCTURES: Final = {"sockfilter", "bpfinsn", "rawinstruction", "bpfinstruction"}
_PACKED: Final = re.compile(r"[@=<>!]?HBB[IL]")
_TYPED: Final = {
    name: kind
    for name, kind in vars(typed).items()
    if isinstance(kind, type) and issubclass(kind, typed.TypedInstruction) and kind is not typed.TypedInstruction
}
_MAX_VALUE_LENGTH: Final = 256  # tokens
_MAX_DEPTH: Final = 100  # of brackets
_DEFINING: Final = {"def", "fn", "func"}


class Part(NamedTuple):
    """One element of a group: the indices of its first token and of the one after its last."""

    start: int
    end: int


class Item(NamedTuple):
    """An instruction: its group's opening bracket, the index after it, and how its elements are read.

    Args:
        start: The index of its first token.
        end: The index after its last token.
        group: The index of the opening bracket of its fields.
        order: The names of fields without a key, in order.
        kind: The type of a typed instruction, or None for fields.
        skipped: The number of elements before the first field.
        position: The index of the token of an explicit position, as in `[0] = { ... }`, or None.
    """

    start: int
    end: int
    group: int
    order: tuple[str, ...] = FIELDS
    kind: type[typed.TypedInstruction] | None = None
    skipped: int = 0
    position: int | None = None


def _call_name(token: Token) -> str:
    return token.word.replace("_", "").lower()


class Shapes:
    """The tokens of a file, with the bracket that belongs to each bracket."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        """Match the brackets; raise `SourceError` for one without a partner, and for a deep nest."""
        self.tokens = tokens
        self.match: dict[int, int] = {}
        stack: list[int] = []
        for index, token in enumerate(tokens):
            if token.kind != "mark":
                continue
            if token.text in OPENING:
                stack.append(index)
                if len(stack) > _MAX_DEPTH:
                    raise SourceError(token.offset, f"brackets are nested more than {_MAX_DEPTH} deep")
            elif token.text in OPENING.values():
                if not stack or OPENING[tokens[stack[-1]].text] != token.text:
                    raise SourceError(token.offset, f"{token.text!r} has no opening bracket")
                self.match[stack.pop()] = index
        if stack:
            raise SourceError(tokens[stack[-1]].offset, f"{tokens[stack[-1]].text!r} is not closed")

    def text(self, index: int) -> str:
        """Return the text of the token at *index*, empty outside of the file."""
        return self.tokens[index].text if 0 <= index < len(self.tokens) else ""

    def is_open(self, index: int) -> bool:
        """Return whether an opening bracket is at *index*."""
        return index in self.match

    def parts(self, group: int) -> list[Part]:
        """Return the elements between the brackets of *group*, -1 for the file, without an empty one at the end."""
        start, end = group + 1, self.match.get(group, len(self.tokens))
        parts, index = [], start
        while index < end:
            text = self.tokens[index].text
            if text in (",", ";") and self.tokens[index].kind == "mark":
                parts.append(Part(start, index))
                start = index + 1
            index = self.match.get(index, index) + 1
        return [*parts, Part(start, end)] if start < end else parts

    def groups(self, part: Part) -> Iterator[int]:
        """Yield the indices of the opening brackets in *part*, without those inside other brackets."""
        index = part.start
        while index < part.end:
            if self.is_open(index):
                yield index
            index = self.match.get(index, index) + 1

    def key(self, part: Part) -> tuple[str, int] | None:
        """Return the name of the field that *part* sets, and the index of its value; None without a name."""
        start = part.start + (self.text(part.start) == ".")
        if start + 1 >= part.end or self.tokens[start].kind not in ("name", "string", "char"):
            return None
        name = self.tokens[start].value if self.tokens[start].kind != "name" else self.tokens[start].text
        return (name, start + 2) if self.text(start + 1) in (":", "=") else None

    def field_name(self, part: Part) -> str | None:
        """Return the field of an instruction that *part* sets: op, jt, jf or k."""
        key = self.key(part)
        return _KEYS.get(key[0].lower()) if key else None

    # -- Instructions

    def item(self, start: int, end: int) -> Item | None:
        """Return the instruction that begins at *start*, or None."""
        index, position = start, None
        if self.text(start) == "[" and self.text(self.match.get(start, -2) + 1) == "=":
            position = start + 1
            index = self.match[start] + 2
        index = self._skip_prefix(index, end)
        if index >= end:
            return None
        item = self._named(index, end) if self.tokens[index].kind == "name" else self._group(index)
        return item and item._replace(start=start, position=position)

    def _skip_prefix(self, index: int, end: int) -> int:
        """Return the index after operators that take an address, and after a conversion to a structure."""
        while index < end:
            if self.text(index) in ("&", "*"):
                index += 1
            elif self.text(index) == "(" and self._is_structure(index):
                index = self.match[index] + 1
            else:
                break
        return index

    def _is_structure(self, group: int) -> bool:
        words = self.tokens[group + 1 : self.match[group]]
        is_followed = self.text(self.match[group] + 1) in OPENING or self._is_name(self.match[group] + 1)
        return is_followed and 1 <= len(words) <= 3 and all(word.kind == "name" for word in words)

    def _is_name(self, index: int) -> bool:
        return 0 <= index < len(self.tokens) and self.tokens[index].kind == "name"

    def _named(self, index: int, end: int) -> Item | None:
        token, group = self.tokens[index], index + 1
        is_macro = self.text(group) == "!"
        group += is_macro
        if group >= end or not self.is_open(group):
            return None
        bracket, name = self.text(group), _call_name(token)
        after = self.match[group] + 1
        if name in _CALLS and (bracket == "(" or is_macro):
            return Item(index, after, group, _CALLS[name])
        if token.word == "pack" and bracket == "(" and self._is_packed(group):
            return Item(index, after, group, skipped=1)
        if token.word in _TYPED and bracket in "({" and not is_macro:
            kind = _TYPED[token.word]
            return Item(index, after, group, tuple(kind.__annotations__), kind)
        if bracket == "{" or (bracket == "(" and name in _STRUCTURES):
            return self._fields(group, name in _STRUCTURES)
        return None

    def _is_packed(self, group: int) -> bool:
        parts = self.parts(group)
        first = self.tokens[parts[0].start] if len(parts) == 5 else None
        return first is not None and first.kind in ("string", "char") and bool(_PACKED.fullmatch(first.value))

    def _group(self, index: int) -> Item | None:
        """Return the instruction in brackets without a name; brackets around a single call are skipped."""
        for depth in range(3):
            if not self.is_open(index):
                return None
            found = self._fields(index, True)
            if found:
                return found._replace(end=found.end + depth)
            inner = self._skip_prefix(index + 1, self.match[index])
            if inner < self.match[index] and self.tokens[inner].kind == "name" and self.text(index) in "{(":
                item = self._named(inner, self.match[index])
                closes = item is not None and item.end + (self.text(item.end) == ",") == self.match[index]
                return item._replace(end=self.match[index] + 1 + depth) if item and closes else None
            if self.match.get(inner, -2) + 1 != self.match[index]:
                return None
            index = inner
        return None

    def _fields(self, group: int, allows_positions: bool) -> Item | None:
        parts = self.parts(group)
        names = [self.field_name(part) for part in parts]
        is_instruction = any(name == "op" and not self._has_list(part) for name, part in zip(names, parts, strict=True))
        if not is_instruction and allows_positions and len(parts) == 4 and not any(names):
            is_instruction = all(self._is_scalar(part) for part in parts)
        if not is_instruction and allows_positions and self.text(group) == "(" and len(parts) > 1 and all(names[1:]):
            is_instruction = self._is_scalar(parts[0])  # the opcode by position, the other fields by keyword
        if is_instruction and not self._has_semicolon(parts):
            return Item(group, self.match[group] + 1, group)
        return None

    def _has_list(self, part: Part) -> bool:
        """Return whether the value of a key is a list, as in JSON with a key for the program."""
        key = self.key(part)
        return key is not None and self.text(key[1]) in ("[", "{")

    def _has_semicolon(self, parts: Sequence[Part]) -> bool:
        return any(self.text(part.end) == ";" for part in parts)

    def _is_scalar(self, part: Part) -> bool:
        """Return whether *part* may be a number: it has no other instruction, group in braces, or text."""
        first = self._skip_prefix(part.start, part.end)
        if not 0 < part.end - part.start <= _MAX_VALUE_LENGTH or self.key(part) or self.is_instruction_call(first):
            return False
        kinds = {self.tokens[index].kind for index in range(part.start, part.end)}
        braces = any(self.text(group) == "{" for group in self.groups(part))
        starts_group = self.text(part.start) == "[" or (self.match.get(part.start, -2) + 1 == part.end)
        return not braces and not (starts_group and self._is_list(part.start)) and "string" not in kinds

    def _is_list(self, group: int) -> bool:
        return len(self.parts(group)) != 1

    def is_instruction_call(self, index: int) -> bool:
        """Return whether a call such as BPF_STMT(...) begins at *index*."""
        following = index + 1 + (self.text(index + 1) == "!")
        if not self._is_name(index) or not self.is_open(following):
            return False
        token = self.tokens[index]
        return _call_name(token) in {*_CALLS, *_STRUCTURES} or token.word in _TYPED or token.word == "pack"

    # -- Definitions of functions

    def is_definition(self, item: Item) -> bool:
        """Return whether an item is the head of the definition of a function, such as `def BPF_STMT(code, k):`."""
        is_call = self.text(item.group) == "(" and self._is_name(item.group - 1)
        return is_call and (self.text(item.group - 2) in _DEFINING or self.text(item.end) in ("{", "->"))

    def check_definition(self, item: Item) -> None:
        """Raise `SourceError` unless the parameters are in the usual order."""
        names = []
        for part in self.parts(item.group):
            words = [self.tokens[index] for index in range(part.start, part.end) if self.tokens[index].kind == "name"]
            names.append(next((_KEYS[word.text] for word in words if word.text in _KEYS), ""))
        self._check_parameters(self.tokens[item.group - 1], names, item.order)

    def check_macro(self, group: int) -> None:
        """Raise `SourceError` unless the parameters of `macro_rules! name { ... }` are in the usual order."""
        token = self.tokens[group - 1]
        order = _CALLS.get(_call_name(token))
        if order is not None and self.text(group + 1) in OPENING:
            inner = range(group + 2, self.match[group + 1])
            names = [self.text(index) for index in inner if self.text(index - 1) == "$"]
            self._check_parameters(token, [_KEYS.get(name, "") for name in names], order)

    def _check_parameters(self, token: Token, names: Sequence[str], order: Sequence[str]) -> None:
        if tuple(names) != order:
            fact = f"{token.text[:40]!r} is defined with other parameters than ({', '.join(order)})"
            raise SourceError(token.offset, f"{fact}; write its calls as four fields")
