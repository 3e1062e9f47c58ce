"""The options that callers choose by name: the command line lists the names without importing the implementations."""

from typing import Final, Literal, TypeAlias, get_args

EngineName: TypeAlias = Literal["auto", "interpreter", "python", "llvm"]
"""The execution engine of a `VM`: the fastest one available, or one by its name."""
FrontEnd: TypeAlias = Literal["cbpf", "libpcap"]
"""The compiler of filter expressions: that of cbpf, or that of libpcap, for comparisons."""
Optimizer: TypeAlias = Literal["cbpf", "libpcap"] | None
"""The optimiser of compiled expressions: that of cbpf, which is exact, that of libpcap, or None for plain code."""
Goal: TypeAlias = Literal["size", "speed"]
"""The goal of the optimiser: the fewest instructions in the program, or the fewest on its longest path."""
Direction: TypeAlias = Literal["src or dst", "src and dst", "src", "dst"]
"""The address, and the port, of a packet that must be in a list: either, both, that of the source or destination."""
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
"""The name of a format of programs."""
FORMAT_NAMES: Final[tuple[str, ...]] = get_args(FormatName)
"""The names of the formats of programs for `parse` and `render`, in alphabetical order."""
