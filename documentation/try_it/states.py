"""The states of the explorer page for the programs of examples."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import cbpf
from cbpf.explorer.site import SAMPLES
from cbpf.explorer.sources import Settings, read

(SAMPLE,) = SAMPLES
"""The capture of the examples, which the page of the site can open."""
_ALLOW: Final = "0x7fff0000"  # an action of seccomp, as assembly and C write it
_SHOWN: Final = 60  # characters of an expression in a link
_UNKNOWN_HOSTS: Final = ("unknown host", "unknown Ethernet host", "unknown network")
_DEFAULTS: Final = {"y": "EN10MB", "d": "pcap", "O": 1}


class Example(NamedTuple):
    """A program of an example.

    Attributes:
        state: The state of the page, with the keys of `cbpf.explorer.links`.
        name: The name in the link: the expression, or the name of a program.
    """

    state: dict[str, Any]
    name: str


def expression(
    text: str, *, link_type: str = "EN10MB", dialect: str | None = None, optimizes: bool = True
) -> Example | None:
    """Return the example of an expression; None for the empty one, and for one with names of hosts.

    The page does not look up hosts, so it would show an error.
    """
    text = text.strip()
    given = dialect or "pcap"
    subject = read(Settings(text, link_type, cbpf.DIALECTS[given], False))
    if not text or any(problem["message"].startswith(_UNKNOWN_HOSTS) for problem in subject.problems):
        return None
    return stated({"s": text, "y": link_type, "d": given, "O": int(optimizes)})


def stated(state: dict[str, Any]) -> Example:
    """Return the example of a state of the page whose source is an expression."""
    name = " ".join(state["s"].split())
    return Example(_shortened(state), name if len(name) <= _SHOWN else f"{name[: _SHOWN - 2]} …")


def program(text: str, name: str, *, dialect: str | None = None, optimizes: bool = False) -> Example | None:
    """Return the example of a program in any notation, or with errors; None if the page takes it for an expression."""
    given = dialect or _dialect(text)
    if read(Settings(text, "EN10MB", cbpf.DIALECTS[given], False)).notation != "program":
        return None
    return Example(_shortened({"s": text, "d": given, "O": int(optimizes)}), name)


def is_program(text: str) -> bool:
    """Return whether a text is a program in any notation, with two instructions or more."""
    try:
        return len(cbpf.parse(text)) > 1
    except cbpf.CbpfError:
        return False


def changed(example: Example, **keys: Any) -> Example:
    """Return an example with other values of some keys of its state; None removes one."""
    return Example(_shortened({**example.state, **keys}), example.name)


def compared(left: Example, right: Example) -> Example | None:
    """Return the comparison of two programs; None if they differ in a setting, of which the page has one for both."""
    if any(left.state.get(key) != right.state.get(key) for key in ("y", "d")) or left.state["s"] == right.state["s"]:
        return None
    return Example(_shortened({**left.state, "o": right.state["s"], "t": "compare"}), f"{left.name} / {right.name}")


def _shortened(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if value is not None and _DEFAULTS.get(key) != value}


def _dialect(text: str) -> str:
    """Return the first dialect that accepts a program; seccomp's comes first for a program with its actions."""
    try:
        parsed = cbpf.parse(text)
    except cbpf.CbpfError:
        return "pcap"
    names = ["seccomp"] * (_ALLOW in text) + ["pcap", *cbpf.DIALECTS]
    return next((name for name in names if not cbpf.findings(parsed, dialect=cbpf.DIALECTS[name])), "pcap")
