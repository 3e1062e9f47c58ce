"""The continuation after a mistake in the syntax that cannot be corrected: the clauses after it may have others."""

from collections.abc import Iterator

from ..._typing import Final
from ..lexer import Token, tokens
from .mistakes import QUOTATION_MARKS
from .situation import ID_KINDS, Edit

_NEUTRAL: Final = "len >= 0"
"""A condition that can be compiled for all packets, and changes nothing for those after it."""


def without_clause(text: str, offset: int) -> Edit | None:
    """Return the edit that replaces the clause with a mistake at *offset* by a neutral condition.

    The clause ends before an `and` or `or` outside of parentheses that is followed by an identifier with its own
    qualifiers. If the text has none, return None.
    """
    found = tokens(text)
    junctions = list(_junctions(found))
    after = [index for index in junctions if found[index].start > offset and _has_own_qualifiers(found, index + 1)]
    if not after or QUOTATION_MARKS.intersection(text[offset:]):
        return None
    before = [found[index].end for index in junctions if found[index].start < offset]
    return Edit(before[-1] if before else 0, found[after[0]].start, f" {_NEUTRAL} ")


def _junctions(found: list[Token]) -> Iterator[int]:
    """Yield the indices of `and` and `or` outside of parentheses; `src or dst` is one word."""
    depth = 0
    for index, token in enumerate(found[:-1]):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
        is_direction = index > 0 and found[index - 1].word in ("src", "dst") and found[index + 1].word in ("src", "dst")
        if depth == 0 and token.kind in ("keyword", "operator") and token.word in ("and", "or") and not is_direction:
            yield index


def _has_own_qualifiers(found: list[Token], index: int) -> bool:
    while found[index].word in ("not", "("):
        index += 1
    is_misspelt = found[index].kind == "name" and found[index + 1].kind in ID_KINDS
    return found[index].kind not in ID_KINDS or is_misspelt
