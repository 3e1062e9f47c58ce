"""The assembler: bpf_asm's language, Go's syntax, and the listings of tcpdump -d and bpf_dbg.

The grammar is that of Linux tools/bpf (bpf_exp.l, bpf_exp.y). Newlines are whitespace; comments are `; ...`, `/* ...
*/`, and `# ...` where # does not follow a mnemonic; numbers are decimal, 0x, 0b, and octal with a leading 0. The
target of a jump is a label or, as in Go, the number of instructions to skip. In a listing, whose lines begin with
`(000)` or with the labels l0, l1 and so on, a number is the index of the target. An instruction that assembly cannot
express is written in braces: `{ 0x16, 0, 0, 0x40 }`.

Unlike bpf_asm, the assembler reports numbers that do not fit, duplicate labels, and jumps that are backward or too far.
"""

from .._span import Span
from .._typing import Final, NoReturn, TypeAlias
from ..errors import FieldError, Problem, ProgramFormatError
from ..isa.enumerations import EXTENSION_WORDS, Extension
from ..isa.instructions import RetConstant
from ..isa.opcodes import CONDITIONS, EXTENSION_OFFSET, OPCODES, WORD_MASK, Opcode, Operand
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from .assembly_jumps import JumpTarget, UnresolvedJump
from .lexer import ALIASES, MNEMONICS, NEGATED_JUMPS, SourceLines, Token

_OPCODES: Final = {(opcode.mnemonic, opcode.operand): opcode for opcode in OPCODES}
_JUMPS: Final = {opcode.mnemonic for opcode in OPCODES if opcode.action in CONDITIONS}
_ALIAS_OPERANDS: Final = {"ldi": Operand.K, "ldxi": Operand.K, "ldxb": Operand.MEMORY_SHIFT}

_EXTENSIONS: Final = {word: code for code, word in EXTENSION_WORDS.items() if code is not Extension.LEN} | {
    "vlan_pr": Extension.VLAN_TAG_PRESENT,
    "vlanp": Extension.VLAN_TAG_PRESENT,
    "random": Extension.RAND,
}
_LENGTH_WORDS: Final = {"len", "pktlen"}
_REGISTERS: Final = {"a": Operand.A, "x": Operand.X}

# The words that bpf_asm does not know are valid labels.
_UNKNOWN_TO_BPF_ASM: Final = {"pktlen", "random", "vlanp", "xor_x"}
_RESERVED: Final = (MNEMONICS | _EXTENSIONS.keys() | _LENGTH_WORDS | _REGISTERS.keys()) - _UNKNOWN_TO_BPF_ASM

_MAX_CONDITIONAL_SKIP: Final = 255
_MAX_NUMBER_LENGTH: Final = 40  # more than the digits of 32 bits; Python limits the length of the numbers it converts


_Statement: TypeAlias = RawInstruction | UnresolvedJump

# Takes the place of a statement with an error, so that the indices of the others remain.
_PLACEHOLDER: Final = RetConstant(0).assemble()


class _StatementError(Exception):
    """A reported problem that ends the parsing of a statement."""


def parse_assembly(text: str) -> Program:
    """Parse assembly text; raise `ProgramFormatError` with every problem."""
    parser = _Parser(SourceLines(text))
    statements = parser.parse()
    program = [parser.assemble(index, statement) for index, statement in enumerate(statements)]
    if parser.problems:
        raise ProgramFormatError(sorted(parser.problems, key=lambda problem: (problem.line, problem.column)))
    return Program(program)


def assembly_spans(text: str) -> list[Span]:
    """Return the places of the instructions of assembly text, without labels and the numbers of a listing."""
    parser = _Parser(SourceLines(text))
    parser.parse()
    return parser.spans


def _quoted(token: Token) -> str:
    if token.kind == "end":
        return "the end"
    return repr(token.text if len(token.text) <= 40 else token.text[:40] + "...")


class _Parser:
    """Parser of statements; after an invalid statement it continues with the next line or label."""

    def __init__(self, text: SourceLines) -> None:
        self._text = text
        self._tokens = text.tokens
        self._index = 0
        self._token: Token = self._tokens[0]
        self._labels: dict[str, int] = {}
        self._label_tokens: list[Token] = []
        self._statements: list[_Statement] = []
        self._is_listing = False
        self.spans: list[Span] = []
        self.problems: list[Problem] = text.problems

    # -- Tokens

    def _advance(self) -> Token:
        token = self._token
        if token.kind != "end":
            self._index += 1
            self._token = self._tokens[self._index]
        return token

    def _is(self, word: str) -> bool:
        return self._token.word == word

    def _expect(self, text: str) -> Token:
        if not self._is(text):
            self._fail_unexpected(repr(text))
        return self._advance()

    def _fail(self, message: str, token: Token) -> NoReturn:
        """Report a problem and end the statement."""
        self._report(message, token)
        raise _StatementError

    def _fail_unexpected(self, expected: str, token: Token | None = None) -> NoReturn:
        self._fail(f"expected {expected}, not {_quoted(token or self._token)}", token or self._token)

    def _report(self, message: str, token: Token) -> None:
        self.problems.append(self._text.problem(token.offset, message))

    # -- Statements

    def parse(self) -> list[_Statement]:
        while self._token.kind != "end":
            before = self._index
            try:
                self._statement()
            except _StatementError:
                self._statements.append(_PLACEHOLDER)
                self._skip_line(before)
        self._check_labels()
        return self._statements

    def _skip_line(self, before: int) -> None:
        """Advance to the next line, or to a label before it."""
        if self._index == before:
            self._advance()
        while not (self._token.starts_line or self._is_at_label()):
            self._advance()

    def _is_at_label(self) -> bool:
        return self._token.kind == "word" and self._tokens[self._index + 1].text == ":"

    def _statement(self) -> None:
        if self._is("("):
            self._listing_prefix()
        elif self._is_at_label():
            self._label()
        else:
            start = self._token.offset
            self._statements.append(self._braces() if self._is("{") else self._instruction())
            last = self._tokens[self._index - 1]
            self.spans.append(Span(start, last.offset + len(last.text)))

    def _listing_prefix(self) -> None:
        self._advance()
        token = self._advance()
        if not token.text.isdigit() or token.text.lstrip("0") != str(len(self._statements) or ""):
            expected = f"{len(self._statements)}, the index of this instruction"
            self._report(f"expected {expected}, not {_quoted(token)}", token)
        self._expect(")")
        self._is_listing = True

    def _label(self) -> None:
        token = self._advance()
        self._advance()
        if token.word in _RESERVED:
            self._report(f"{_quoted(token)} is a reserved word and cannot be a label", token)
        elif self._labels.setdefault(token.text, len(self._statements)) != len(self._statements):
            self._report(f"duplicate label {_quoted(token)}", token)
        self._label_tokens.append(token)

    def _check_labels(self) -> None:
        count = len(self._statements)
        for token in self._label_tokens:
            if self._labels.get(token.text) == count:
                self._report(f"label {_quoted(token)} is after the last instruction", token)
        if count and [self._labels.get(f"l{index}") for index in range(count)] == list(range(count)):
            self._is_listing = True

    def _instruction(self) -> _Statement:
        token = self._token
        mnemonic = token.word
        if token.kind != "word" or mnemonic not in MNEMONICS:
            self._fail(f"unknown instruction {_quoted(token)}", token)
        self._advance()
        mnemonic = ALIASES.get(mnemonic, mnemonic)
        if mnemonic == "ja":
            opcode = _OPCODES["ja", Operand.K]
            return UnresolvedJump(opcode, 0, (self._target(),))
        if mnemonic in _JUMPS or mnemonic in NEGATED_JUMPS:
            return self._jump(token, mnemonic)
        opcode, k = self._operand(token, mnemonic)
        return RawInstruction(opcode.code, k=k)

    def _jump(self, token: Token, mnemonic: str) -> UnresolvedJump:
        opcode, k = self._operand(token, NEGATED_JUMPS.get(mnemonic, mnemonic))
        if self._is("jt"):
            return UnresolvedJump(opcode, k, self._named_targets())
        self._expect(",")
        first = self._target()
        if not self._is(","):
            return UnresolvedJump(opcode, k, (first,), mnemonic in NEGATED_JUMPS)
        if mnemonic in NEGATED_JUMPS:
            self._fail(f"{_quoted(self._token)} starts a second target; {mnemonic} takes one", self._token)
        self._advance()
        return UnresolvedJump(opcode, k, (first, self._target()))

    def _named_targets(self) -> tuple[JumpTarget, ...]:
        self._expect("jt")
        first = self._target()
        self._expect("jf")
        return first, self._target()

    def _target(self) -> JumpTarget:
        token = self._token
        if token.kind == "word":
            self._advance()
            return JumpTarget(token, token.text, 0)
        if token.kind != "number":
            self._fail_unexpected("a label or a number")
        return JumpTarget(token, None, self._number())

    def _braces(self) -> RawInstruction:
        token, fields = self._advance(), [self._number()]
        for _ in range(3):
            self._expect(",")
            fields.append(self._number())
        self._expect("}")
        if self._is(","):
            self._advance()
        try:
            return RawInstruction(*fields)
        except FieldError as error:
            self._fail(str(error), token)

    # -- Operands

    def _operand(self, token: Token, mnemonic: str) -> tuple[Opcode, int]:
        """Return the opcode of *mnemonic* with the operand that follows, and k."""
        first = self._token
        if (mnemonic, Operand.NONE) in _OPCODES:
            return _OPCODES[mnemonic, Operand.NONE], 0
        if mnemonic == "ret" and self._is_listing and (first.starts_line or first.kind == "end"):
            return _OPCODES["ret", Operand.A], 0
        operand, k = self._any_operand(token.word in ("ldi", "ldxi"))
        opcode = _OPCODES.get((mnemonic, operand))
        if opcode is None or operand is not _ALIAS_OPERANDS.get(token.word, operand):
            self._fail(f"{_quoted(first)} is not an operand of {token.word}", first)
        return opcode, k

    def _any_operand(self, is_immediate: bool) -> tuple[Operand, int]:
        token = self._token
        if self._is("#"):
            self._advance()
            return self._named_value() or (Operand.K, self._number())
        if self._is("["):
            return self._memory()
        if self._is("%") or token.word in _REGISTERS:
            return self._register(), 0
        if self._is("m"):
            self._advance()
            self._expect("[")
            return Operand.SCRATCH, self._closed_number("]")
        if token.kind == "number" or token.text in ("+", "-"):
            return (Operand.K, self._number()) if is_immediate else self._header_length()
        named = self._named_value()
        if named is None:
            self._fail_unexpected("an operand")
        return named

    def _register(self) -> Operand:
        """Parse a, x, %a or %x."""
        if self._is("%"):
            self._advance()
        if self._token.word not in _REGISTERS:
            self._fail_unexpected("a or x")
        return _REGISTERS[self._advance().word]

    def _named_value(self) -> tuple[Operand, int] | None:
        """Parse the word of the packet length or of an extension, if there is one."""
        word = self._token.word
        if word in _LENGTH_WORDS:
            self._advance()
            return Operand.LENGTH, 0
        if word in _EXTENSIONS:
            self._advance()
            return Operand.ABSOLUTE, EXTENSION_OFFSET + _EXTENSIONS[word]
        return None

    def _memory(self) -> tuple[Operand, int]:
        """Parse [k], [x + k] or, as tcpdump prints extensions, [word]."""
        self._advance()
        first = self._token
        if self._is("%") or self._is("x"):
            if self._register() is not Operand.X:
                self._fail_unexpected("x", first)
            if self._is("+"):
                self._advance()
            elif not self._is("-"):
                self._fail_unexpected("'+'")
            return Operand.INDIRECT, self._closed_number("]")
        named = self._named_value()
        if named is not None and named[0] is Operand.ABSOLUTE:
            self._expect("]")
            return named
        return Operand.ABSOLUTE, self._closed_number("]")

    def _header_length(self) -> tuple[Operand, int]:
        """Parse 4*([k]&0xf)."""
        token = self._token
        factor = self._number()
        if factor != 4 or not self._is("*"):
            self._fail_unexpected("an operand such as #5, [5], x or M[5]", token)
        for mark in ("*", "(", "["):
            self._expect(mark)
        k = self._closed_number("]")
        self._expect("&")
        mask = self._token
        if self._number() != 0xF:
            self._fail_unexpected("0xf", mask)
        self._expect(")")
        return Operand.MEMORY_SHIFT, k

    def _closed_number(self, mark: str) -> int:
        value = self._number()
        self._expect(mark)
        return value

    def _number(self) -> int:
        """Parse a number from -2**31 to 2**32 - 1, and return it modulo 2**32."""
        sign = self._advance() if self._token.text in ("+", "-") else None
        token = self._token
        if token.kind != "number":
            self._fail_unexpected("a number")
        self._advance()
        value = self._value(token) * (-1 if sign is not None and sign.text == "-" else 1)
        if not -(WORD_MASK // 2) - 1 <= value <= WORD_MASK:
            self._fail(f"{_quoted(token)} does not fit in 32 bits", token)
        return value & WORD_MASK

    def _value(self, token: Token) -> int:
        text = token.text
        if len(text) > _MAX_NUMBER_LENGTH:
            self._fail(f"{_quoted(token)} does not fit in 32 bits", token)
        is_octal = text.isdigit() and text.startswith("0") and len(text) > 1
        try:
            return int(text, 8 if is_octal else 0)
        except ValueError:
            self._fail(f"invalid octal number {_quoted(token)} (a leading 0 means octal)", token)

    # -- Jump targets

    def assemble(self, index: int, statement: _Statement) -> RawInstruction:
        """Return the instruction at *index*; for an invalid target, report the problem and return a placeholder."""
        if isinstance(statement, RawInstruction):
            return statement
        skips = [self._skip(index, target, statement.is_conditional) for target in statement.targets]
        return _PLACEHOLDER if None in skips else statement.with_skips([skip or 0 for skip in skips])

    def _skip(self, index: int, target: JumpTarget, is_conditional: bool) -> int | None:
        """Return the number of instructions that a jump at *index* skips; None if the target is invalid."""
        target_index = self._target_index(index, target)
        if target_index is None:
            return None
        skip, name = target_index - index - 1, _quoted(target.token)
        if skip < 0:
            fact = f"backward jump to {name} (instruction {target_index})"
            self._report(f"{fact}; only forward jumps are allowed", target.token)
        elif is_conditional and skip > _MAX_CONDITIONAL_SKIP:
            fact = f"jump to {name} skips {skip} instructions"
            self._report(f"{fact}; a conditional jump skips at most {_MAX_CONDITIONAL_SKIP}", target.token)
        else:
            return skip
        return None

    def _target_index(self, index: int, target: JumpTarget) -> int | None:
        """Return the index of the target of a jump at *index*; None for an undefined label."""
        if target.label is None:
            return target.number if self._is_listing else index + 1 + target.number
        if target.label not in self._labels:
            self._report(f"undefined label {_quoted(target.token)}", target.token)
        return self._labels.get(target.label)
