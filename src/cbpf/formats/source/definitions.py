"""The names that a file defines: `X = 5`, `const X: u32 = 5;`, and the constants of Linux for all others."""

from collections.abc import Sequence

from ..._typing import Final
from .symbols import find_constant, is_system_call
from .tokens import Token
from .values import SourceError, evaluate

_ASSIGNMENTS: Final = {"+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}
_CONTINUING: Final = {"|", "+", "-", "<<", ">>", "&", "^", "*", "(", ",", "=", "~"}
_MAX_DEPTH: Final = 32  # of names whose value contains names
_MAX_VALUE_LENGTH: Final = 100  # tokens


class Names:
    """The values of the names in a file.

    Args:
        tokens: The tokens of the file.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._depth = 0
        self._values: dict[str, set[tuple[str, ...]]] = {}
        self._ranges: dict[str, tuple[int, int]] = {}
        self._architecture = next(
            (token for token in tokens if token.word.startswith("AUDIT_ARCH_") and token.word != "AUDIT_ARCH_X86_64"),
            None,
        )
        for index, token in enumerate(tokens):
            if token.kind == "name" and index + 1 < len(tokens):
                self._collect(index)

    def _collect(self, index: int) -> None:
        token, following = self._tokens[index], self._tokens[index + 1].text
        if index and self._tokens[index - 1].text in (".", "->"):
            return
        if following in _ASSIGNMENTS:
            self._values.setdefault(token.text, set()).update({("=", following), (following, "=")})
        start = index + 2
        if following == ":" and start + 1 < len(self._tokens) and self._tokens[start].kind == "name":
            following, start = self._tokens[start + 1].text, start + 2
        if following in ("=", ":=") or (following == ":" and start - 1 < len(self._tokens) and self._is_walrus(index)):
            start += following == ":"
            end = self._end(start)
            self._values.setdefault(token.text, set()).add(tuple(part.text for part in self._tokens[start:end]))
            self._ranges[token.text] = start, end

    def _is_walrus(self, index: int) -> bool:
        """Return whether `:=` of Go follows."""
        first, second = self._tokens[index + 1 : index + 3] if index + 2 < len(self._tokens) else (None, None)
        return first is not None and second is not None and second.text == "=" and second.offset == first.offset + 1

    def _end(self, start: int) -> int:
        """Return the end of the value that begins at *start*: of its statement, its line, or the list around it."""
        depth = 0
        for index in range(start, min(len(self._tokens), start + _MAX_VALUE_LENGTH)):
            token = self._tokens[index]
            depth += (token.text in "([{") - (token.text in ")]}")
            is_new_line = token.starts_line and index > start and self._tokens[index - 1].text not in _CONTINUING
            if depth < 0 or (depth == 0 and (token.text in (";", ",") or is_new_line)):
                return index
        return min(len(self._tokens), start + _MAX_VALUE_LENGTH)

    def value(self, token: Token) -> int:
        """Return the value of a name; raise `SourceError` if it is unknown or not unique."""
        for name in (token.text, token.word):
            if name in self._values:
                return self._defined(token, name)
        value = find_constant(token.text)
        if value is None:
            fact = f"{token.text[:40]!r} is not defined in this file, and is not a known constant; write its number"
            raise SourceError(token.offset, fact)
        if self._architecture is not None and is_system_call(token.text):
            fact = f"the number of {token.text[:40]!r} depends on the architecture, and the file names "
            raise SourceError(token.offset, f"{fact}{self._architecture.text[:40]}; write the number")
        return value

    def _defined(self, token: Token, name: str) -> int:
        if len(self._values[name]) > 1:
            raise SourceError(token.offset, f"{name[:40]!r} has more than one value in this file; write the number")
        if self._depth >= _MAX_DEPTH:
            raise SourceError(token.offset, f"{name[:40]!r} is defined by itself, or by too many other names")
        self._depth += 1
        try:
            return self.evaluate(*self._ranges[name])
        except SourceError as error:
            raise SourceError(token.offset, f"the value of {name[:40]!r}: {error}"[:200]) from None
        finally:
            self._depth -= 1

    def evaluate(self, start: int, end: int) -> int:
        """Return the value of the constant expression tokens[start:end]."""
        return evaluate(self._tokens, start, end, self.value)
