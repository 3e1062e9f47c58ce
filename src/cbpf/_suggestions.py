"""The nearest known name to an unknown one, for messages."""

from ._typing import Iterable


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean 'NAME'?" for the known name that is nearest to a word; empty if none is near."""
    from difflib import get_close_matches

    matches = get_close_matches(word, list(known), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
