"""The program of a page in a notebook, as the state of the page."""

from __future__ import annotations

import cbpf

from ..._typing import Any
from ..sources import Settings, read
from .packets import ShownPackets


def page_state(program: Any, packets: ShownPackets, dialect: cbpf.Dialect, *, optimizes: bool) -> dict[str, Any]:
    """Return the state of a page, with the keys of links.

    Raises:
        cbpf.ExpressionError: An expression cannot be compiled.
        cbpf.FieldError: An argument is invalid.
        cbpf.VerificationError: The dialect rejects the instructions.
    """
    if not isinstance(dialect, cbpf.Dialect) or cbpf.DIALECTS.get(dialect.name) != dialect:
        raise cbpf.FieldError(f"explore.dialect: {dialect!r} is not a dialect of the page: {', '.join(cbpf.DIALECTS)}")
    if not isinstance(optimizes, bool):
        raise cbpf.FieldError(f"explore.optimize: {optimizes!r} is neither True nor False")
    state: dict[str, Any] = {"s": "", "y": packets.link_type, "d": dialect.name}
    if not optimizes:
        state["O"] = 0
    if packets.single is not None:
        data, wire_length = packets.single
        state |= {"p": data.hex(), "w": wire_length}
    state["s"] = _text(program, packets.link_type, dialect, optimizes=optimizes)
    return state


def _text(program: Any, link_type: str, dialect: cbpf.Dialect, *, optimizes: bool) -> str:
    """Return a program as a text that the page reads."""
    if isinstance(program, str | cbpf.Expression):
        compiled = cbpf.compile(program, link_type=link_type, dialect=dialect)
        if isinstance(program, str) and _page_reads(Settings(program, link_type, dialect, optimizes)):
            return program
        return cbpf.render(compiled, "asm")
    text = cbpf.render(program, "asm")
    cbpf.verify(cbpf.parse(text), dialect=dialect)
    return text


def _page_reads(source: Settings) -> bool:
    """Return whether the page compiles an expression: it does not look up names of hosts."""
    subject = read(source)
    return subject.notation == "expression" and not subject.problems
