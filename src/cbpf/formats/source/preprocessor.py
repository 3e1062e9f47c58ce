"""The preprocessor of C: conditions, and the macros that a file itself defines.

A condition is true, false or unknown; the code inside an unknown one remains and is marked, as are its definitions.
"""

import re
from collections.abc import Iterable, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final
from .symbols import find_constant
from .tokens import Token, tokenize_body
from .values import SourceError

_DIRECTIVE: Final = re.compile(r"\#[ \t]*(\w+)(?:[ \t]|\\\n)*((?:[^\n]|\n)*)")
_DEFINITION: Final = re.compile(r"([A-Za-z_]\w*)(\([^()]*\))?((?:.|\n)*)", re.ASCII)
_CONDITION_TERM: Final = re.compile(r"(!?)\s*(?:(\d+)|defined\s*(?:\(\s*(\w+)\s*\)|(\w+)))", re.ASCII)

# The macros that compilers for Linux on x86_64 define, and those of other targets.
_PREDEFINED: Final = {
    **dict.fromkeys(("__x86_64__", "__x86_64", "__amd64__", "__linux__", "__linux", "__LP64__", "__GNUC__"), True),
    **dict.fromkeys(("__i386__", "__i386", "__aarch64__", "__arm__", "__ARM_EABI__", "__mips__", "__ILP32__"), False),
    **dict.fromkeys(("__powerpc__", "__powerpc64__", "__riscv", "__s390__", "__s390x__", "__sparc__"), False),
    **dict.fromkeys(("_WIN32", "__APPLE__", "__FreeBSD__", "__OpenBSD__", "__NetBSD__", "__cplusplus"), False),
}
_MAX_EXPANSION: Final = 500_000  # tokens
_MAX_DEPTH: Final = 100  # of macros that expand to macros


class Macro(NamedTuple):
    """A macro: its parameters (None without parentheses), its replacement, and the offset of its definition."""

    parameters: tuple[str, ...] | None
    body: tuple[Token, ...]
    offset: int
    is_certain: bool


class _Condition(NamedTuple):
    """An open condition: the state of its current branch, and the branches before it."""

    state: bool | None
    was_true: bool
    offset: int
    is_after_unknown: bool = False


class Preprocessor:
    """The result of one pass over the tokens of a file: directives are applied, and macros expanded.

    Attributes:
        tokens: The tokens of the file after preprocessing.
        macros: The definitions of each macro: several if branches of unknown conditions define it.
        uncertain: The offsets at which each branch of an unknown condition begins and ends.
        used: The names of the macros that were expanded.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        """Preprocess *tokens*; raise `SourceError`."""
        self._input = tokens
        self._conditions: list[_Condition] = []
        self._expanded_count = 0
        self.tokens: list[Token] = []
        self.macros: dict[str, list[Macro]] = {}
        self.uncertain: list[tuple[int, int]] = []
        self.used: set[str] = set()
        pending: list[Token] = []
        for index, token in enumerate(tokens):
            if token.kind == "directive":
                self.tokens += self.expand(pending)
                pending = []
                self._directive(token, index)
            elif not self._is_skipped():
                pending.append(token)
        self.tokens += self.expand(pending)
        if self._conditions:
            raise SourceError(self._conditions[-1].offset, "#if without #endif")

    def _is_skipped(self) -> bool:
        return bool(self._conditions) and self._conditions[-1].state is False

    # -- Directives

    def _directive(self, token: Token, index: int) -> None:
        match = _DIRECTIVE.match(token.text)
        name, rest = (match[1], re.sub(r"\\\n", " ", match[2])) if match else ("", "")
        rest = re.sub(r"/\*.*?\*/|//.*", " ", rest)
        if name in ("if", "ifdef", "ifndef"):
            is_skipped = self._is_skipped()
            state = False if is_skipped else self._condition(name, rest.strip(), index)
            self._conditions.append(_Condition(state, is_skipped or state is True, token.offset))
        elif name in ("elif", "else", "endif"):
            self._branch(token, name, rest.strip(), index)
        elif self._is_skipped():
            return
        elif name == "define":
            self._define(token, rest)
        elif name == "undef":
            self.macros.pop(rest.strip(), None)

    def _branch(self, token: Token, name: str, rest: str, index: int) -> None:
        if not self._conditions:
            raise SourceError(token.offset, f"#{name} without #if")
        last = self._conditions.pop()
        if last.state is None:
            self.uncertain.append((last.offset, token.offset))
        if name == "endif":
            return
        is_after_unknown = last.is_after_unknown or last.state is None
        state: bool | None = False
        if not (last.was_true or self._is_skipped()):
            state = True if name == "else" else self._condition("if", rest, index)
            state = None if state and is_after_unknown else state
        was_true = last.was_true or state is True
        self._conditions.append(_Condition(state, was_true, token.offset, is_after_unknown))

    def _condition(self, name: str, rest: str, index: int) -> bool | None:
        if name == "if":
            return self._any(self._all(part.split("&&")) for part in rest.split("||"))
        is_defined = self._is_defined(rest)
        if name == "ifndef" and is_defined is None and self._is_guard(rest, index):
            return True
        return is_defined if name == "ifdef" or is_defined is None else not is_defined

    def _is_guard(self, name: str, index: int) -> bool:
        """Return whether the next directive defines *name* as nothing, as the guard of a header does."""
        following = next((token for token in self._input[index + 1 : index + 2] if token.kind == "directive"), None)
        return following is not None and re.fullmatch(rf"#[ \t]*define[ \t]+{name}\s*", following.text) is not None

    def _any(self, states: Iterable[bool | None]) -> bool | None:
        found = [*states]
        return True if True in found else None if None in found else False

    def _all(self, terms: Iterable[str]) -> bool | None:
        states = [self._term(term.strip()) for term in terms]
        return False if False in states else None if None in states else True

    def _term(self, text: str) -> bool | None:
        match = _CONDITION_TERM.fullmatch(text)
        if match is None:
            return None
        state = bool(int(match[2])) if match[2] and len(match[2]) < 20 else self._is_defined(match[3] or match[4] or "")
        return state if state is None or not match[1] else not state

    def _is_defined(self, name: str) -> bool | None:
        macros = self.macros.get(name)
        if macros and macros[-1].is_certain:
            return True
        return _PREDEFINED.get(name)

    def _define(self, token: Token, rest: str) -> None:
        match = _DEFINITION.match(rest)
        if match is None:
            raise SourceError(token.offset, "#define without a name")
        parameters = None
        if match[2] is not None:
            parameters = tuple(name.strip() for name in match[2][1:-1].split(",") if name.strip())
        is_certain = all(condition.state is True for condition in self._conditions)
        macro = Macro(parameters, tuple(tokenize_body(match[3], token.offset)), token.offset, is_certain)
        known = self.macros.setdefault(match[1], [])
        if is_certain:
            known.clear()
        known.append(macro)

    # -- Expansion

    def expand(self, tokens: Sequence[Token]) -> list[Token]:
        """Return *tokens* with each macro replaced; a replacement is at the place of the macro's name."""
        if not self.macros:
            return [*tokens]
        output: list[Token] = []
        stack = [(token, 0) for token in reversed(tokens)]
        while stack:
            token, depth = stack.pop()
            macro = self._macro(token) if token.kind == "name" else None
            if macro is None or (macro.parameters is not None and not (stack and stack[-1][0].text == "(")):
                output.append(token)
                continue
            self.used.add(token.text)
            arguments = self._arguments(token, stack) if macro.parameters is not None else []
            body = _substitute(token, macro, arguments)
            self._expanded_count += len(body)
            if self._expanded_count > _MAX_EXPANSION or depth >= _MAX_DEPTH:
                raise SourceError(token.offset, f"the macro {token.text[:40]!r} expands without end, or to a huge text")
            stack.extend((part, depth + 1) for part in reversed(body))
        return output

    def _macro(self, token: Token) -> Macro | None:
        macros = self.macros.get(token.text)
        if not macros:
            return None
        if len({tuple(part.text for part in macro.body) for macro in macros}) > 1:
            fact = f"{token.text[:40]!r} has different definitions in branches of #if; keep one"
            raise SourceError(token.offset, fact)
        macro = macros[-1]
        known = None if macro.is_certain else find_constant(token.text)
        if known is not None and [part.text for part in macro.body] not in ([str(known)], [hex(known)]):
            fact = f"{token.text[:40]!r} is defined inside of #if, and has another value elsewhere; remove the #if"
            raise SourceError(token.offset, fact)
        return macro

    def _arguments(self, token: Token, stack: list[tuple[Token, int]]) -> list[list[Token]]:
        """Remove the arguments of a macro from the stack, and return them."""
        arguments: list[list[Token]] = [[]]
        depth = 0
        while stack:
            part, _ = stack.pop()
            depth += (part.text in ("(", "[", "{")) - (part.text in (")", "]", "}"))
            if depth == 0:
                return arguments
            if depth == 1 and part.text == ",":
                arguments.append([])
            elif depth > 1 or part.text != "(":
                arguments[-1].append(part)
        raise SourceError(token.offset, f"the arguments of {token.text[:40]!r} are not closed")


def _substitute(token: Token, macro: Macro, arguments: list[list[Token]]) -> list[Token]:
    """Return the replacement of a macro, with its arguments, all at the place of its name."""
    parameters = macro.parameters or ()
    if macro.parameters is not None and len(arguments) != len(parameters) and (parameters or arguments != [[]]):
        fact = f"{token.text[:40]!r} has {len(arguments)} arguments; its definition has {len(parameters)} parameters"
        raise SourceError(token.offset, fact)
    by_name = dict(zip(parameters, arguments, strict=False))
    body: list[Token] = []
    pastes = False
    for part in macro.body:
        if part.text == "##":
            pastes = True
            continue
        replacement = by_name.get(part.text, [part]) if part.kind == "name" else [part]
        if pastes and body and replacement:
            text = body.pop().text + replacement[0].text
            body += tokenize_body(text, token.offset)
            replacement = replacement[1:]
        pastes = False
        body += replacement
    return [Token(part.kind, part.text, token.offset) for part in body]
