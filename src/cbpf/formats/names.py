"""The names of the formats: the command line lists them without importing their implementations."""

from .._typing import Final

FORMAT_NAMES: Final = (
    "asm",
    "c",
    "comma",
    "dbg",
    "decimal",
    "go",
    "hex",
    "iptables",
    "json",
    "python",
    "raw",
    "raw-swapped",
    "savefile",
    "table",
    "tc",
    "tcpdump",
)
"""The names of the formats of programs for `parse` and `render`, in alphabetical order."""
