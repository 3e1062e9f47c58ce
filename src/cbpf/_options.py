"""The options that callers choose by name: the command line lists the names without importing the implementations."""

from typing import Final, Literal, TypeAlias, get_args

EngineName: TypeAlias = Literal["auto", "interpreter", "python", "llvm"]
"""The execution engine of a `VM`."""
Optimizer: TypeAlias = Literal["cbpf", "libpcap"] | None
"""The optimiser of compiled expressions; None for none."""
Goal: TypeAlias = Literal["size", "speed"]
"""The optimiser's goal: the fewest instructions of the program, or the fewest executed instructions."""
Direction: TypeAlias = Literal["src or dst", "src and dst", "src", "dst"]
"""Which of a packet's two addresses, or two ports, must be in a list."""
FormatName: TypeAlias = Literal[
    "asm",
    "c",
    "comma",
    "dbg",
    "decimal",
    "go",
    "hex",
    "json",
    "python",
    "raw",
    "raw-swapped",
    "savefile",
    "table",
    "tcpdump",
]
"""A format of programs, of `formats.registry`."""
FORMAT_NAMES: Final[tuple[str, ...]] = get_args(FormatName)
"""The names of the formats of programs, in alphabetical order."""
