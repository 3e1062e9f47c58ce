"""The reader of source code: it finds the one list of instructions in a file, and evaluates their fields.

Only the list is read; the code around it may be anything, unless it has instructions of its own or changes the list.
"""

import re

from ..._typing import Final, NoReturn, Sequence
from ...errors import FieldError
from ...isa.enumerations import ALUOp, Extension, JumpTest, Register
from ...isa.opcodes import OPCODE_BY_CODE, WORD_MASK
from ...isa.program import INSTRUCTION_SIZE, Program
from ...isa.raw_instruction import RawInstruction
from .definitions import Names
from .items import FIELDS, Item, Part, Shapes
from .tokens import Token, tokenize
from .values import SourceError, number_value

_ENUMERATIONS: Final = {"op": ALUOp, "cond": JumpTest, "num": Extension, "dst": Register, "src": Register}
_OPERATORS: Final = {"*", "+", "+=", "*=", "["}
_HARMLESS_METHODS: Final = {"into", "try_into", "to_vec", "as_ptr", "as_mut_ptr", "len"}
_MIN_BYTES: Final = 2 * INSTRUCTION_SIZE


class Reader:
    """The lists of instructions among the tokens of a file."""

    def __init__(self, tokens: Sequence[Token], uncertain: Sequence[tuple[int, int]]) -> None:
        self._tokens = tokens
        self._uncertain = uncertain
        self._shapes = Shapes(tokens)
        self._names = Names(tokens)
        self._single_items: list[Item] = []
        self.lists: list[int] = []
        self._find_lists()

    def _find_lists(self) -> None:
        """Find the groups with an element that is an instruction, from the outside in."""
        groups = [-1]
        while groups:
            group = groups.pop()
            if group >= 0 and self._shapes.text(group - 2) == "!" and self._tokens[group - 1].kind == "name":
                self._shapes.check_macro(group)
                continue
            parts = self._shapes.parts(group)
            items = [self._shapes.item(*part) if part.start < part.end else None for part in parts]
            if any(item and not self._shapes.is_definition(item) for item in items):
                self.lists.append(group)
            for part, item in zip(parts, items, strict=True):
                if item and self._shapes.is_definition(item):
                    self._shapes.check_definition(item)
                if item is None:
                    groups += self._inner_groups(part)
        self.lists.sort()

    def _inner_groups(self, part: Part) -> list[int]:
        """Return the groups in *part*; an instruction in the middle of it is noted, and its group left out."""
        inner = []
        for group in self._shapes.groups(part):
            first = group - 1 if group > part.start and self._tokens[group - 1].kind == "name" else group
            first -= self._shapes.text(first) == "!"
            item = self._shapes.item(first, part.end) if self._shapes.text(first - 1) != "." else None
            if item is not None and self._shapes.is_definition(item):
                self._shapes.check_definition(item)
            elif item is not None and self._is_value(first):
                self._single_items.append(item)
            else:
                inner.append(group)
        return inner

    def _is_value(self, index: int) -> bool:
        """Return whether an instruction at *index* is a value, which no name or opening bracket precedes."""
        before = self._tokens[index - 1] if index > 0 else None
        return before is None or before.text in ("=", ")", "&", "return", "=>", "]", "yield")

    # -- The chosen list

    def read(self) -> list[RawInstruction]:
        """Return the instructions of the only list."""
        if len(self.lists) > 1:
            first, second = (self._tokens[max(group, 0)] for group in self.lists[:2])
            fact = "the file has more than one list of instructions; keep one"
            raise SourceError(max(first.offset, second.offset), fact)
        if not self.lists:
            return self._without_list()
        group = self.lists[0]
        items = self._items(group)
        self._check_surroundings(group, items)
        for item in self._single_items:
            raise SourceError(self._tokens[item.start].offset, "an instruction outside of the list; keep one list")
        instructions, errors = [], []
        for index, item in enumerate(items):
            try:
                instructions.append(self._instruction(item, index))
            except SourceError as error:
                errors.append(error)
        if errors:
            errors[0].others = errors[1:]
            raise errors[0]
        self._check_length(group, len(instructions))
        return instructions

    def places(self) -> list[tuple[Token, Token]]:
        """Return the first and the last token of each instruction of the only list; none of a list of bytes."""
        items = self._items(self.lists[0]) if self.lists else self._single_items
        return [(self._tokens[item.start], self._tokens[item.end - 1]) for item in items]

    def _without_list(self) -> list[RawInstruction]:
        if self._is_empty():
            return []
        if len(self._single_items) == 1:
            self._check_surroundings(self._single_items[0].group, self._single_items)
            return [self._instruction(self._single_items[0], 0)]
        if self._single_items:
            offset = self._tokens[self._single_items[1].start].offset
            raise SourceError(offset, "instructions are assigned one by one; write them as one list")
        candidates = [group for group in self._shapes.match if self._is_bytes(group)]
        if len(candidates) == 1:
            return self._bytes(candidates[0])
        for group in sorted(self._shapes.match):
            count = len(self._shapes.parts(group))
            if self._shapes.text(group) in "{[" and count in (2, 3, 5) and self._is_number(group + 1):
                self._fail_count(group, count)
        offset = self._tokens[0].offset if self._tokens else 0
        raise SourceError(offset, "no instructions found; they are rows such as { code, jt, jf, k }, or BPF_STMT(...)")

    def _is_empty(self) -> bool:
        """Return whether the text, or the argument of a call of Program in it, has nothing but brackets."""
        tokens = self._tokens
        for index, token in enumerate(tokens):
            if token.word == "Program" and self._shapes.is_open(index + 1):
                tokens = tokens[index + 1 : self._shapes.match[index + 1] + 1]
                break
        return all(token.text in "[]{}()" for token in tokens)

    def _fail_count(self, group: int, count: int) -> NoReturn:
        fact = f"has {count} numbers; an instruction has four: code, jt, jf, k"
        raise SourceError(self._tokens[group].offset, fact)

    def _is_number(self, index: int) -> bool:
        return self._tokens[index].kind == "number"

    def _items(self, group: int) -> list[Item]:
        items: list[Item] = []
        for part in self._shapes.parts(group):
            index = part.start
            while index < part.end:
                item = self._shapes.item(index, part.end)
                if item is None:
                    self._fail_item(index, part)
                items.append(item)
                index = item.end
        return items

    def _fail_item(self, index: int, part: Part) -> NoReturn:
        token = self._tokens[index]
        if self._shapes.text(index) in ("{", "[", "(") and self._shapes.match[index] < part.end:
            count = len(self._shapes.parts(index))
            if count != 4 and self._is_number(index + 1):
                self._fail_count(index, count)
        shown = ascii(token.text[:40])
        raise SourceError(token.offset, f"expected a row {{ code, jt, jf, k }} or BPF_STMT(...), not {shown}")

    def _check_surroundings(self, group: int, items: Sequence[Item]) -> None:
        """Reject a list of which a part depends on an unknown condition, or which other code changes."""
        before = self._shapes.text(group - 1 - (self._shapes.text(group - 1) == "!"))
        after = self._shapes.match.get(group, len(self._tokens)) + 1
        is_method = self._shapes.text(after) == "." and self._shapes.text(after + 1) not in _HARMLESS_METHODS
        if before in _OPERATORS or self._shapes.text(after) in _OPERATORS or is_method:
            fact = "the list is an operand of another expression; write its result as a list"
            raise SourceError(self._tokens[max(group, 0)].offset, fact)
        start = self._tokens[items[0].start].offset
        end = self._tokens[items[-1].end - 1].offset
        for first, last in self._uncertain:
            if first <= end and last >= start:
                raise SourceError(max(first, 0), "whether this condition holds is not known; keep one branch")
        for index in range(len(self._tokens) - 3):
            field = self._tokens[index + 2]
            is_assignment = self._tokens[index + 3].text.endswith("=") and self._tokens[index + 3].text != "=="
            is_element = self._tokens[index].text == "]" and self._tokens[index + 1].text == "."
            if is_element and is_assignment and field.text in (*FIELDS, "code"):
                raise SourceError(field.offset, "the field of an instruction is changed; write it into the list")

    def _check_length(self, group: int, count: int) -> None:
        """Reject a list whose neighbour `len = N`, as in struct sock_fprog, is another number."""
        for outer, close in self._shapes.match.items():
            if not outer < group < close:
                continue
            for part in self._shapes.parts(outer):
                key = self._shapes.key(part)
                if key and key[0] == "len" and part.end - key[1] == 1 and self._is_number(key[1]):
                    declared = number_value(self._tokens[key[1]])
                    if declared != count:
                        fact = f"declares {declared} instructions, found {count}"
                        raise SourceError(self._tokens[key[1]].offset, fact)

    # -- Instructions

    def _instruction(self, item: Item, index: int) -> RawInstruction:
        first = self._tokens[item.group]
        if item.position is not None and self._names.evaluate(item.position, item.position + 1) != index:
            raise SourceError(self._tokens[item.position].offset, f"expected position {index}; write rows in order")
        try:
            if item.kind is not None:
                return self._typed(item)
            values = self._values(item, FIELDS)
            if "op" not in values:
                raise SourceError(first.offset, "missing key 'op'; the keys are op, jt, jf and k")
            if "k" in values and -(WORD_MASK // 2) - 1 <= values["k"] < 0:
                values["k"] &= WORD_MASK
            return RawInstruction(**values)
        except FieldError as error:
            raise SourceError(first.offset, str(error)) from None

    def _typed(self, item: Item) -> RawInstruction:
        assert item.kind is not None
        defaults = dict.fromkeys(item.order, 0)
        values = defaults | self._values(item, item.order)
        enumerated = {name: self._member(item, name, value) for name, value in values.items()}
        return item.kind(**enumerated).assemble()

    def _member(self, item: Item, name: str, value: int) -> int:
        kind = _ENUMERATIONS.get(name)
        if kind is None:
            return value & WORD_MASK if name in ("val", "off") and -(WORD_MASK // 2) - 1 <= value < 0 else value
        try:
            return kind(value)
        except ValueError:
            raise SourceError(self._tokens[item.group].offset, f"{value} is not a value of {kind.__name__}") from None

    def _values(self, item: Item, allowed: Sequence[str]) -> dict[str, int]:
        """Return the values of the fields of an item by name: those of elements with a key, or by their order.

        In a call, elements with a key may follow others, as in Python.
        """
        parts = self._shapes.parts(item.group)[item.skipped :]
        keys = [self._shapes.key(part) for part in parts]
        if not any(keys) and (len(parts) > len(item.order) or (item.kind is None and len(parts) != len(item.order))):
            self._fail_count_of(item, len(parts))
        allows_positions = not any(keys) or self._shapes.text(item.group) == "("
        positions = min(_leading(keys), len(item.order)) if allows_positions else 0
        values: dict[str, int] = {}
        for position, (part, key) in enumerate(zip(parts, keys, strict=True)):
            token = self._tokens[min(part.start, len(self._tokens) - 1)]
            if key is None and position >= positions:
                raise SourceError(token.offset, f"expected a key; the keys are {_listed(allowed)}")
            name = self._field(item, part, token, allowed) if key else item.order[position]
            if name in values:
                raise SourceError(token.offset, f"duplicate key {name!r}")
            values[name] = self._value(key[1] if key else part.start, part)
        return values

    def _fail_count_of(self, item: Item, count: int) -> NoReturn:
        fact = f"has {count} arguments; expected {_listed(item.order)}"
        raise SourceError(self._tokens[item.group].offset, fact)

    def _field(self, item: Item, part: Part, token: Token, allowed: Sequence[str]) -> str:
        key = self._shapes.key(part)
        assert key is not None
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key[0]).lower() if item.kind else self._shapes.field_name(part)
        if name is None or name not in allowed:
            raise SourceError(token.offset, f"unknown key {key[0][:40]!a}; the keys are {_listed(allowed)}")
        return name

    def _value(self, start: int, part: Part) -> int:
        token = self._tokens[start] if start < part.end else None
        if token is not None and token.kind == "string" and part.end - start == 1:
            parts = tokenize(token.value)
            if len(parts) == 1 and parts[0].kind == "number":
                return number_value(Token("number", parts[0].text, token.offset))
        return self._names.evaluate(start, part.end)

    # -- Bytes

    def _is_bytes(self, group: int) -> bool:
        """Return whether a group has only numbers, at least two instructions of them as bytes."""
        inner = self._tokens[group + 1 : self._shapes.match[group]]
        numbers = [token for token in inner if token.kind == "number"]
        return len(numbers) >= _MIN_BYTES and all(token.kind == "number" or token.text == "," for token in inner)

    def _bytes(self, group: int) -> list[RawInstruction]:
        """Return the instructions of a list of bytes, such as that of `seccomp-tools asm -f c_source`."""
        inner = self._tokens[group + 1 : self._shapes.match[group]]
        numbers = [number_value(token) for token in inner if token.kind == "number"]
        if max(numbers) > 0xFF or len(numbers) % INSTRUCTION_SIZE:
            fact = "a list of numbers is neither rows of four nor the bytes of instructions"
            raise SourceError(self._tokens[group].offset, fact)
        program = [*Program.from_bytes(bytes(numbers))]
        if any(raw.op not in OPCODE_BY_CODE for raw in program) or all(op in OPCODE_BY_CODE for op in numbers[::4]):
            fact = "it is not clear whether these numbers are fields or bytes; write rows { code, jt, jf, k }"
            raise SourceError(self._tokens[group].offset, fact)
        return program


def _leading(keys: Sequence[object]) -> int:
    """Return the number of elements before the first that has a key."""
    return next((position for position, key in enumerate(keys) if key), len(keys))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
