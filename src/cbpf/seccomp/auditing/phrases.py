"""Parts of the sentences of findings."""

from collections.abc import Iterable

from ..._typing import Final

_SHOWN: Final = 6


def names_text(names: Iterable[str]) -> str:
    """Return names as a list, with the number of those that are left out.

    >>> names_text(["bind", "connect"]), names_text("abcdefgh")
    ('bind, connect', 'a, b, c, d, e, f and 2 more')
    """
    listed = list(dict.fromkeys(names))
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{', '.join(listed[:_SHOWN])}{more}"
