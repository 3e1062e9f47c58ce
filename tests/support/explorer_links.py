"""The golden links of the explorer page: links with their states, and fragments without a state."""

import json
from typing import Any, Final

from cbpf.explorer.links import DEFAULTS, MAX_FRAGMENT
from support.project import ROOT

_FILE: Final = json.loads((ROOT / "tests" / "golden" / "explorer_links.json").read_text())

LINKS: Final[list[tuple[str, dict[str, Any]]]] = [(fragment, state) for fragment, state in _FILE["links"]]
"""Links that were made once, with their states."""

INVALID: Final[dict[str, tuple[str, str]]] = {
    **{why: (fragment, kind) for why, fragment, kind in _FILE["invalid"]},
    "longer than a link": ("1." + "A" * MAX_FRAGMENT, "long"),
    "1 MB": ("1." + "A" * 1_000_000, "long"),
}
"""Fragments without a state, by their reason, with the kind of the message: "version", "corrupt" or "long"."""

_GOALS: Final = ("size", "speed")
_TABS: Final = ("program", "graph", "passes", "code", "compare", "proofs")
_DIALECTS: Final = ("pcap", "linux", "seccomp")  # of the golden links


def shown(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a page that has opened a state: without defaults, foreign values and captures of its site."""
    valid = {
        key: value
        for key, value in state.items()
        if key in (*DEFAULTS, "p", "w") and type(value) is type(DEFAULTS.get(key, "" if key == "p" else 0))
    }
    for key, choices in (("g", _GOALS), ("t", _TABS), ("d", _DIALECTS)):
        if valid.get(key) not in choices:
            valid.pop(key, None)
    if "p" not in valid:
        valid.pop("w", None)
    return {"s": "", **{key: value for key, value in valid.items() if value != DEFAULTS.get(key)}}
