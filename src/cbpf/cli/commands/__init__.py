"""The subcommands, one module each; each defines `command`."""

from __future__ import annotations

import importlib

from ..._typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..declarations import Command

SECTIONS: Final = {
    "Expressions and programs": ("compile", "lint", "format", "explain", "asm", "disasm", "convert"),
    "Captures": ("capture", "filter", "split", "print", "count", "info"),
    "Programs on packets": ("run", "trace", "why"),
    "Properties of a program": ("verify", "stats", "graph", "optimize"),
    "Questions about all packets": ("diff", "cases"),
    "The command line": ("completion",),
}
"""The subcommands as the help text lists them."""

COMMANDS: Final = tuple(sorted(name for names in SECTIONS.values() for name in names))


def load(name: str) -> Command:
    """Return the subcommand with a name of COMMANDS."""
    command: Command = importlib.import_module(f".{name}", __name__).command
    return command
