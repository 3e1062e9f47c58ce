"""The subcommands, one module each; each defines `command`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..declarations import Command

COMMANDS: Final = (
    *(
        "asm",
        "cases",
        "compile",
        "completion",
        "convert",
        "count",
        "diff",
        "disasm",
        "explain",
        "filter",
        "format",
        "graph",
    ),
    *("info", "lint", "optimize", "print", "run", "split", "stats", "trace", "verify", "why"),
)

SECTIONS: Final = {
    "Expressions and programs": ("compile", "lint", "format", "explain", "asm", "disasm", "convert"),
    "Captures": ("filter", "split", "print", "count", "info"),
    "Programs on packets": ("run", "trace", "why"),
    "Properties of a program": ("verify", "stats", "graph", "optimize"),
    "Questions about all packets": ("diff", "cases"),
    "The command line": ("completion",),
}
"""The subcommands as the help text lists them; each is in one section."""


def load(name: str) -> Command:
    """Return the subcommand with a name of COMMANDS."""
    command: Command = importlib.import_module(f".{name}", __name__).command
    return command
