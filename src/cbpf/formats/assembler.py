"""The assembler: bpf_asm's language, Go's notation, and the listings of tcpdump -d and bpf_dbg.

Grammar as Linux tools/bpf (bpf_exp.l, bpf_exp.y): blanks and newlines are alike; comments are `; ...`, `/* ... */`, and
`# ...` in the first column; numbers are decimal, 0x, 0b, and octal with a leading 0. A jump goes to a label or skips a
number of instructions (Go). Lines that begin with `(000)`, or labels that are l0, l1 and so on throughout, tell a
listing: there a number is the index to go to. What no notation shows is written in braces: `{ 0x16, 0, 0, 0x40 }`.

Reported, where bpf_asm is silent: numbers that do not fit, labels that stand twice, jumps backward or too far.
"""

from typing import Final, NamedTuple, NoReturn, TypeAlias

from ..errors import FieldError, Problem, ProgramFormatError
from ..isa.instructions import RawInstruction, RetConstant
from ..isa.opcodes import CONDITIONS, EXTENSION_OFFSET, EXTENSION_WORDS, OPCODES, WORD_MASK, Extension, Opcode, Operand
from ..isa.program import Program
from .lexer import SourceLines, Token

_OPCODES: Final = {(opcode.mnemonic, opcode.operand): opcode for opcode in OPCODES}
_JUMPS: Final = {opcode.mnemonic for opcode in OPCODES if opcode.action in CONDITIONS}
_NEGATIVES: Final = {"jneq": "jeq", "jne": "jeq", "jle": "jgt", "jlt": "jge"}
_ALIASES: Final = {"ldi": "ld", "ldxi": "ldx", "ldxb": "ldx", "jmp": "ja"}
_ALIAS_OPERANDS: Final = {"ldi": Operand.K, "ldxi": Operand.K, "ldxb": Operand.MEMORY_SHIFT}
_MNEMONICS: Final = {opcode.mnemonic for opcode in OPCODES} | _NEGATIVES.keys() | _ALIASES.keys()

_EXTENSIONS: Final = {word: number for number, word in EXTENSION_WORDS.items() if number is not Extension.LEN} | {
    "vlan_pr": Extension.VLAN_TAG_PRESENT,
    "vlanp": Extension.VLAN_TAG_PRESENT,
    "random": Extension.RAND,
}
_LENGTHS: Final = {"len", "pktlen"}
_REGISTERS: Final = {"a": Operand.A, "x": Operand.X}

# The words that bpf_asm knows are no labels; those that only other notations know are.
_RESERVED: Final = (_MNEMONICS | _EXTENSIONS.keys() | _LENGTHS | _REGISTERS.keys()) - {
    "pktlen",
    "random",
    "vlanp",
    "xor_x",
}

_FARTHEST: Final = 255


class _Target(NamedTuple):
    """Where a jump goes: a label, or a number; *token* is where it stands."""

    token: Token
    label: str | None
    number: int


class _Jump(NamedTuple):
    """A jump whose targets are still to be found: one or two; *is_negative*: the one is where the test fails."""

    opcode: Opcode
    k: int
    targets: tuple[_Target, ...]
    is_negative: bool = False

    @property
    def is_conditional(self) -> bool:
        return self.opcode.action in CONDITIONS

    def with_skips(self, skips: list[int]) -> RawInstruction:
        """The instruction that skips so many at each target."""
        if not self.is_conditional:
            return RawInstruction(self.opcode.code, k=skips[0])
        jt, jf = (0, skips[0]) if self.is_negative else (*skips, 0)[:2]
        return RawInstruction(self.opcode.code, jt, jf, self.k)


_Statement: TypeAlias = RawInstruction | _Jump

# Stands for a statement that could not be read, so that the others keep their places.
_PLACEHOLDER: Final = RetConstant(0).assemble()


class _Refused(Exception):
    """A problem that ends the parsing of one statement."""


def parse_assembly(text: str) -> Program:
    """The program of assembly text; raises `ProgramFormatError` with every problem in it."""
    parser = _Parser(SourceLines(text))
    statements = parser.parse()
    program = [parser.assemble(index, statement) for index, statement in enumerate(statements)]
    if parser.problems:
        raise ProgramFormatError(sorted(parser.problems, key=lambda problem: (problem.line, problem.column)))
    return Program(program)


def _shown(token: Token) -> str:
    if token.kind == "end":
        return "the end"
    return repr(token.text if len(token.text) <= 40 else token.text[:40] + "...")


class _Parser:
    """Reads statements from tokens; a broken one is noted, and reading goes on with the next line."""

    def __init__(self, text: SourceLines) -> None:
        self._text = text
        self._tokens = text.tokens
        self._at = 0
        self._token: Token = self._tokens[0]
        self._labels: dict[str, int] = {}
        self._label_tokens: list[Token] = []
        self._statements: list[_Statement] = []
        self._is_listing = False
        self.problems: list[Problem] = text.problems

    # -- Tokens

    def _take(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._at += 1
            self._token = self._tokens[self._at]
        return token

    def _is(self, word: str) -> bool:
        return self._token.word == word

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            self._refuse_unexpected(repr(text))
        return self._take()

    def _refuse_unexpected(self, expected: str, token: Token | None = None) -> NoReturn:
        token = token or self._token
        self._note(f"expected {expected}, not {_shown(token)}", token)
        raise _Refused

    def _refuse(self, message: str, token: Token | None = None) -> NoReturn:
        """Ends the statement; the message goes on after the token's text."""
        token = token or self._token
        self._note(f"{_shown(token)} {message}", token)
        raise _Refused

    def _note(self, message: str, token: Token) -> None:
        self.problems.append(self._text.problem(token.offset, message))

    # -- Statements

    def parse(self) -> list[_Statement]:
        while self._token.kind != "end":
            before = self._at
            try:
                self._statement()
            except _Refused:
                self._statements.append(_PLACEHOLDER)
                self._skip_line(before)
        self._check_labels()
        return self._statements

    def _skip_line(self, before: int) -> None:
        """Goes to the next line, or to a label before it."""
        if self._at == before:
            self._take()
        while not (self._token.starts_line or self._is_at_label()):
            self._take()

    def _is_at_label(self) -> bool:
        return self._token.kind == "word" and self._tokens[self._at + 1].text == ":"

    def _statement(self) -> None:
        if self._is("("):
            self._listing_prefix()
        elif self._is_at_label():
            self._label()
        elif self._is("{"):
            self._statements.append(self._braces())
        else:
            self._statements.append(self._instruction())

    def _listing_prefix(self) -> None:
        self._take()
        token = self._take()
        if not token.text.isdigit() or token.text.lstrip("0") != str(len(self._statements) or ""):
            self._note(f"expected {len(self._statements)}, the number of this instruction, not {_shown(token)}", token)
        self._expect(")")
        self._is_listing = True

    def _label(self) -> None:
        token = self._take()
        self._take()
        if token.word in _RESERVED:
            self._note(f"{_shown(token)} is a word of the language, and no label", token)
        elif self._labels.setdefault(token.text, len(self._statements)) != len(self._statements):
            self._note(f"label {_shown(token)} stands twice", token)
        self._label_tokens.append(token)

    def _check_labels(self) -> None:
        count = len(self._statements)
        for token in self._label_tokens:
            if self._labels.get(token.text) == count:
                self._note(f"label {_shown(token)} stands behind the last instruction", token)
        if count and [self._labels.get(f"l{index}") for index in range(count)] == list(range(count)):
            self._is_listing = True

    def _instruction(self) -> _Statement:
        token = self._token
        mnemonic = token.word
        if token.kind != "word" or mnemonic not in _MNEMONICS:
            self._refuse("is no instruction")
        self._take()
        mnemonic = _ALIASES.get(mnemonic, mnemonic)
        if mnemonic == "ja":
            opcode = _OPCODES["ja", Operand.K]
            return _Jump(opcode, 0, (self._target(),))
        if mnemonic in _JUMPS or mnemonic in _NEGATIVES:
            return self._jump(token, mnemonic)
        opcode, k = self._operand(token, mnemonic)
        return RawInstruction(opcode.code, k=k)

    def _jump(self, token: Token, mnemonic: str) -> _Jump:
        opcode, k = self._operand(token, _NEGATIVES.get(mnemonic, mnemonic))
        if self._is("jt"):
            return _Jump(opcode, k, self._named_targets())
        self._expect(",")
        first = self._target()
        if not self._is(","):
            return _Jump(opcode, k, (first,), mnemonic in _NEGATIVES)
        if mnemonic in _NEGATIVES:
            self._refuse(f"begins a second target; {mnemonic} takes one")
        self._take()
        return _Jump(opcode, k, (first, self._target()))

    def _named_targets(self) -> tuple[_Target, ...]:
        self._expect("jt")
        first = self._target()
        self._expect("jf")
        return first, self._target()

    def _target(self) -> _Target:
        token = self._token
        if token.kind == "word":
            self._take()
            return _Target(token, token.text, 0)
        if token.kind != "number":
            self._refuse_unexpected("a label or a number")
        return _Target(token, None, self._number())

    def _braces(self) -> RawInstruction:
        token, fields = self._take(), [self._number()]
        for _ in range(3):
            self._expect(",")
            fields.append(self._number())
        self._expect("}")
        if self._is(","):
            self._take()
        try:
            raw = RawInstruction(*fields)
        except FieldError as error:
            self._note(str(error), token)
            raise _Refused from None
        return raw

    # -- Operands

    def _operand(self, token: Token, mnemonic: str) -> tuple[Opcode, int]:
        """The opcode of *mnemonic* with the operand that follows, and its k."""
        place = self._token
        if (mnemonic, Operand.NONE) in _OPCODES:
            return _OPCODES[mnemonic, Operand.NONE], 0
        if mnemonic == "ret" and self._is_listing and (place.starts_line or place.kind == "end"):
            return _OPCODES["ret", Operand.A], 0
        operand, k = self._any_operand(token.word in ("ldi", "ldxi"))
        opcode = _OPCODES.get((mnemonic, operand))
        if opcode is None or operand is not _ALIAS_OPERANDS.get(token.word, operand):
            self._refuse(f"is no operand of {token.word}", place)
        return opcode, k

    def _any_operand(self, is_immediate: bool) -> tuple[Operand, int]:
        token = self._token
        if self._is("#"):
            self._take()
            return self._named_value() or (Operand.K, self._number())
        if self._is("["):
            return self._memory()
        if self._is("%") or token.word in _REGISTERS:
            return self._register(), 0
        if self._is("m"):
            self._take()
            self._expect("[")
            return Operand.SCRATCH, self._closed_number("]")
        if token.kind == "number" or token.text in ("+", "-"):
            return (Operand.K, self._number()) if is_immediate else self._header_length()
        named = self._named_value()
        if named is None:
            self._refuse_unexpected("an operand")
        return named

    def _register(self) -> Operand:
        """a, x, %a or %x."""
        if self._is("%"):
            self._take()
        if self._token.word not in _REGISTERS:
            self._refuse_unexpected("a or x")
        return _REGISTERS[self._take().word]

    def _named_value(self) -> tuple[Operand, int] | None:
        """The length or an extension, by its word."""
        word = self._token.word
        if word in _LENGTHS:
            self._take()
            return Operand.LENGTH, 0
        if word in _EXTENSIONS:
            self._take()
            return Operand.ABSOLUTE, EXTENSION_OFFSET + _EXTENSIONS[word]
        return None

    def _memory(self) -> tuple[Operand, int]:
        """[k], [x + k] or, as tcpdump prints extensions, [word]."""
        self._take()
        place = self._token
        if self._is("%") or self._is("x"):
            if self._register() is not Operand.X:
                self._refuse_unexpected("x", place)
            if self._is("+"):
                self._take()
            elif not self._is("-"):
                self._refuse_unexpected("'+'")
            return Operand.INDIRECT, self._closed_number("]")
        named = self._named_value()
        if named is not None and named[0] is Operand.ABSOLUTE:
            self._expect("]")
            return named
        return Operand.ABSOLUTE, self._closed_number("]")

    def _header_length(self) -> tuple[Operand, int]:
        """4*([k]&0xf)."""
        token = self._token
        factor = self._number()
        if factor != 4 or not self._is("*"):
            self._refuse_unexpected("an operand such as #5, [5], x or M[5]", token)
        for mark in ("*", "(", "["):
            self._expect(mark)
        k = self._closed_number("]")
        self._expect("&")
        place = self._token
        if self._number() != 0xF:
            self._refuse_unexpected("0xf", place)
        self._expect(")")
        return Operand.MEMORY_SHIFT, k

    def _closed_number(self, mark: str) -> int:
        number = self._number()
        self._expect(mark)
        return number

    def _number(self) -> int:
        """A number of 32 bits, signed or unsigned, as an unsigned one."""
        sign = self._take() if self._token.text in ("+", "-") else None
        token = self._token
        if token.kind != "number":
            self._refuse_unexpected("a number")
        self._take()
        value = self._value(token) * (-1 if sign is not None and sign.text == "-" else 1)
        if not -(WORD_MASK // 2) - 1 <= value <= WORD_MASK:
            self._refuse("does not fit 32 bits", token)
        return value & WORD_MASK

    def _value(self, token: Token) -> int:
        text = token.text
        if len(text) > 40:
            self._refuse("does not fit 32 bits", token)
        is_octal = text.isdigit() and text.startswith("0") and len(text) > 1
        try:
            return int(text, 8 if is_octal else 0)
        except ValueError:
            self._refuse("is no octal number, which the leading 0 says", token)

    # -- Targets

    def assemble(self, index: int, statement: _Statement) -> RawInstruction:
        """The instruction at *index*; for one whose target is wrong the problem is noted, and a placeholder given."""
        if isinstance(statement, RawInstruction):
            return statement
        skips = [self._skip(index, target, statement.is_conditional) for target in statement.targets]
        return _PLACEHOLDER if None in skips else statement.with_skips([skip or 0 for skip in skips])

    def _skip(self, index: int, target: _Target, is_conditional: bool) -> int | None:
        """How many instructions a jump at *index* passes over; None if it cannot."""
        goal = self._goal(index, target)
        if goal is None:
            return None
        skip = goal - index - 1
        if skip < 0:
            self._note(f"{_shown(target.token)} lies behind, at instruction {goal}; jumps go forward", target.token)
        elif is_conditional and skip > _FARTHEST:
            fact = f"{_shown(target.token)} skips {skip} instructions"
            self._note(f"{fact}; a conditional jump skips at most {_FARTHEST}", target.token)
        else:
            return skip
        return None

    def _goal(self, index: int, target: _Target) -> int | None:
        """The index of the instruction that a jump goes to."""
        if target.label is None:
            return target.number if self._is_listing else index + 1 + target.number
        if target.label not in self._labels:
            self._note(f"{_shown(target.token)} is no label here", target.token)
        return self._labels.get(target.label)
