"""The lexer of source code: the tokens that C, Go, Rust, Python and JSON have in common.

Comments are `// ...`, `/* ... */` and, where no preprocessor directive begins, `# ...`.
"""

import re

from ..._named_tuple import NamedTuple
from ..._typing import Final

_DIRECTIVES: Final = "define|undef|include|ifdef|ifndef|if|elif|else|endif|pragma|error|warning|line"
_ATTRIBUTES: Final = "cfg|cfg_attr|rustfmt|allow|deny|warn|expect|repr|derive|test|inline|must_use|doc|no_mangle|clippy"

# No alternative backtracks over more than a token, so the time is linear in the length of the text.
_TOKEN: Final = re.compile(
    rf"""
      (?P<blank> \s+ | \\\n | //[^\n]* )
    | (?P<comment> /\*(?s:.*?)(?:\*/|\Z) )
    | (?P<directive> \#[ \t]*(?:{_DIRECTIVES})\b (?: \\\n | [^\n] )* )
    | (?P<attribute> \#!?\[\s*(?:{_ATTRIBUTES})\b [^\n]*?\] )
    | (?P<hash> \#[^\n]* )
    | (?P<number> (?: 0[xX][0-9a-fA-F_]+ | 0[bB][01_]+ | 0[oO][0-7_]+ | [0-9][0-9_]* )
        (?: [uU][lL]{{0,2}} | [lL]{{1,2}}[uU]? | [iu](?:8|16|32|64|128|size) )? (?![\w.]) )
    | (?P<invalid> [0-9][\w.]* )
    | (?P<string> [bBuUrRL]{{0,2}} (?: \"\"\"(?s:.*?)\"\"\" | "(?:[^"\\\n]|\\.)*" ) | `[^`]*` )
    | (?P<lifetime> (?<=[&<])'[A-Za-z_]\w* )
    | (?P<char> [bBuUrRL]{{0,2}} '(?:[^'\\\n]|\\.)*' )
    | (?P<name> [A-Za-z_]\w* (?: (?:::|\.)[A-Za-z_]\w* )* )
    | (?P<mark> <<=|>>=|<<|>>|&\^|&&|\|\||[-+*/%&|^=!<>]=|->|=>|::|\.\.\.|. )
    """,
    re.VERBOSE | re.ASCII,
)
_UNSPACED_DIRECTIVE: Final = re.compile(r"^[ \t]*\#(?:define|include|ifdef|ifndef|if|pragma|undef)\b", re.MULTILINE)
_BODY_TOKEN_HASHES: Final = re.compile(r"\#\#?")


class Token(NamedTuple):
    """A token: its kind is the name of a group of the pattern; *offset* is its place in the text."""

    kind: str
    text: str
    offset: int
    starts_line: bool = False

    @property
    def word(self) -> str:
        """The last component of a name, such as `BPF_LD` of `libc::BPF_LD`."""
        return re.split(r"::|\.", self.text)[-1]

    @property
    def value(self) -> str:
        """The content of a string, without its quotes."""
        return self.text.lstrip("bBuUrRL").strip("\"'`")


def tokenize(text: str) -> list[Token]:
    """Return the tokens of source code; those of kind "directive" and "attribute" are whole logical lines."""
    has_preprocessor = _UNSPACED_DIRECTIVE.search(text) is not None
    tokens, position, starts_line = [], 0, True
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None, "the last alternative matches any character but a line feed, and \\s that one"
        kind, word = match.lastgroup or "", match[0]
        position = match.end()
        if kind == "directive" and not _is_directive(word, starts_line, has_preprocessor):
            kind, word = "hash", word.partition("\n")[0]
            position = match.start() + len(word)
        if kind in ("blank", "comment", "hash", "lifetime"):
            starts_line = starts_line or "\n" in word
            continue
        tokens.append(Token(kind, word, match.start(), starts_line))
        starts_line = False
    return tokens


def _is_directive(word: str, starts_line: bool, has_preprocessor: bool) -> bool:
    """Return whether # and the name of a directive are one, and not a comment in a language without preprocessor."""
    return starts_line and has_preprocessor if word[1:2] in (" ", "\t") else starts_line


def tokenize_body(text: str, offset: int) -> list[Token]:
    """Return the tokens of the replacement of a macro, in which # and ## are operators; all are placed at *offset*."""
    parts, start = [], 0
    for match in [*_BODY_TOKEN_HASHES.finditer(text), None]:
        end = match.start() if match else len(text)
        parts += [Token(token.kind, token.text, offset) for token in tokenize(text[start:end])]
        if match:
            parts.append(Token("mark", match[0], offset))
            start = match.end()
    return parts
