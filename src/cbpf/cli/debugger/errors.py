"""The errors of commands."""

from __future__ import annotations

from difflib import get_close_matches

from ..._typing import Final, Iterable
from ...reporting.clause_output import shortened
from ..failures import CommandError

_MAX_WORD: Final = 60  # characters in a message


class DebuggerError(CommandError):
    """A command that cannot be executed; the position of the session is unchanged."""


def quoted(word: str) -> str:
    """Return a word for a message: in quotes, and shortened if it is long."""
    return repr(shortened(word, _MAX_WORD))


def unknown_word(word: str, kind: str, known: Iterable[str]) -> DebuggerError:
    """Return the error for a word that is not one of the known ones, with the nearest of them."""
    matches = get_close_matches(word[:_MAX_WORD], list(known), n=1)
    advice = f"; did you mean {matches[0]!r}?" if matches else ""
    return DebuggerError(f"unknown {kind} {quoted(word)}{advice}")
