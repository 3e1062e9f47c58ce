"""The program of a page in a notebook, as a source of the page and as its state."""

from __future__ import annotations

import cbpf

from ..._typing import Any
from ..links import DEFAULTS
from ..sources import BadRequest, Settings, read, settings


def page_source(program: Any, dialect: Any, **options: Any) -> Settings:
    """Return a program with its settings, as a source of the page.

    Args:
        program: Instructions, or an expression.
        dialect: One of `cbpf.DIALECTS`.
        options: The other settings of `sources.settings`.

    Raises:
        cbpf.ExpressionError: An expression cannot be compiled.
        cbpf.FieldError: An argument is invalid.
        cbpf.VerificationError: The dialect rejects the program of an expression.
    """
    if not isinstance(dialect, cbpf.Dialect) or cbpf.DIALECTS.get(dialect.name) != dialect:
        raise cbpf.FieldError(f"explore.dialect: {dialect!r} is not a dialect of the page: {', '.join(cbpf.DIALECTS)}")
    try:
        source = settings({"dialect": dialect.name, **options})
    except BadRequest as error:
        raise cbpf.FieldError(str(error).replace("source.", "explore.", 1)) from None
    return source._replace(text=_text(program, source))


def page_state(source: Settings) -> dict[str, Any]:
    """Return a source as the state of a page, with the keys of links that have another value than the default."""
    state = {
        "s": source.text,
        "y": source.link_type,
        "d": source.dialect.name,
        "O": int(source.optimizes),
        "S": source.snaplen,
        "m": source.netmask or "",
        "g": source.goal,
        "L": int(source.live),
    }
    return {key: value for key, value in state.items() if value != DEFAULTS[key]}


def _text(program: Any, source: Settings) -> str:
    """Return a program as a text that the page reads."""
    if isinstance(program, str | cbpf.Expression):
        compiled = cbpf.compile(
            program,
            link_type=source.link_type,
            snaplen=source.snaplen,
            netmask=source.netmask,
            dialect=source.dialect,
            live=source.live,
        )
        cbpf.verify(compiled, dialect=source.dialect)
        if isinstance(program, str) and _page_reads(source._replace(text=program)):
            return program
        return cbpf.render(compiled, "asm")
    return cbpf.render(program, "asm")


def _page_reads(source: Settings) -> bool:
    """Return whether the page compiles an expression: it does not look up names of hosts."""
    subject = read(source)
    return subject.notation == "expression" and not subject.problems
