"""The states of the explorer page for the programs of examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import cbpf
from cbpf.explorer.answers import Answers
from cbpf.explorer.links import DEFAULTS
from cbpf.explorer.site import SAMPLES

(SAMPLE,) = SAMPLES
"""The capture of the examples, which the page of the site can open."""
_ALLOW: Final = "0x7fff0000"  # an action of seccomp, as assembly and C write it
_SHOWN: Final = 60  # characters of an expression in a link
_SHARED: Final = ("y", "d", "S", "m", "g", "L")  # settings of both programs of a comparison
_ANSWERS: Final = Answers()
_UNKNOWN_HOSTS: Final = ("unknown host", "unknown Ethernet host", "unknown network")


class Example(NamedTuple):
    """A program of an example.

    Attributes:
        state: The state of the page, with the keys of `cbpf.explorer.links`.
        name: The name in the link: the expression, or the name of a program.
    """

    state: dict[str, Any]
    name: str


def source(state: Mapping[str, Any], key: str = "s") -> dict[str, Any]:
    """Return the source of a question, as the page makes it of a state; *key* is "s" or "o"."""
    given = {**DEFAULTS, **state}
    return {
        "text": given[key],
        "link_type": given["y"],
        "dialect": given["d"],
        "optimize": given["O"] != 0,
        "snaplen": given["S"],
        "netmask": given["m"],
        "goal": given["g"],
        "live": given["L"] == 1,
    }


def answer(question: str, state: Mapping[str, Any], key: str = "s") -> Any:
    """Return the answer of the page to a question about the source of a state."""
    return json.loads(_ANSWERS.answer(question, json.dumps({"source": source(state, key)})))


def expression(text: str, settings: Mapping[str, Any]) -> Example | None:
    """Return the example of an expression; None for the empty one, and for one with names of hosts.

    The page does not look up hosts, so it would show an error.

    Args:
        text: The expression.
        settings: The settings as keys of a state.
    """
    if not text.strip():
        return None
    state = {**settings, "s": text.strip()}
    problems = answer("check", state).get("problems", [])
    if any(problem["message"].startswith(_UNKNOWN_HOSTS) for problem in problems):
        return None
    return stated(state)


def stated(state: dict[str, Any]) -> Example:
    """Return the example of a state of the page whose source is an expression."""
    name = " ".join(state["s"].split())
    return Example(_shortened(state), name if len(name) <= _SHOWN else f"{name[: _SHOWN - 2]} …")


def program(text: str, name: str, *, dialect: str | None = None, optimizes: bool = False) -> Example | None:
    """Return the example of a program in any notation, or with errors; None if the page takes it for an expression."""
    state = {"s": text, "d": dialect or _dialect(text), "O": int(optimizes)}
    if answer("check", state).get("notation") != "program":
        return None
    return Example(_shortened(state), name)


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
    if any(left.state.get(key) != right.state.get(key) for key in _SHARED) or left.state["s"] == right.state["s"]:
        return None
    return Example(_shortened({**left.state, "o": right.state["s"], "t": "compare"}), f"{left.name} / {right.name}")


def _shortened(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if value is not None and DEFAULTS.get(key) != value}


def _dialect(text: str) -> str:
    """Return the first dialect that accepts a program; seccomp's comes first for a program with its actions."""
    try:
        parsed = cbpf.parse(text)
    except cbpf.CbpfError:
        return "pcap"
    names = ["seccomp"] * (_ALLOW in text) + ["pcap", *cbpf.DIALECTS]
    return next((name for name in names if not cbpf.findings(parsed, dialect=cbpf.DIALECTS[name])), "pcap")
