"""The errors of commands."""

from __future__ import annotations

from difflib import get_close_matches

from ..._typing import Iterable
from ..failures import CommandError


class DebuggerError(CommandError):
    """A command that cannot be executed; the position of the session is unchanged."""


def unknown_word(word: str, kind: str, known: Iterable[str]) -> DebuggerError:
    """Return the error for a word that is not one of the known ones, with the nearest of them."""
    matches = get_close_matches(word, list(known), n=1)
    advice = f"; did you mean {matches[0]!r}?" if matches else ""
    return DebuggerError(f"unknown {kind} {word!r}{advice}")
