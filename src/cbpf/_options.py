"""What callers may choose by name; here, so that a command can list the names without what they choose."""

from typing import Literal, TypeAlias

EngineName: TypeAlias = Literal["auto", "interpreter", "python", "llvm"]
Optimizer: TypeAlias = Literal["cbpf", "libpcap"] | None
Goal: TypeAlias = Literal["size", "speed"]
"""Of the optimiser: few instructions, or few that are executed."""
Direction: TypeAlias = Literal["src or dst", "src and dst", "src", "dst"]
"""Which of a packet's two addresses, and ports, must be in a list."""
