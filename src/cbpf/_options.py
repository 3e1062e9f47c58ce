"""The types of the options that callers choose by name.

The command line lists their names without importing the implementations. The package imports this module for type
checks only: `_typing` has the reason.
"""

from typing import Literal, TypeAlias

EngineName: TypeAlias = Literal["auto", "interpreter", "python", "llvm"]
"""The execution engine of a `VM`: the fastest one available, or one by its name."""
VMEngineName: TypeAlias = EngineName | Literal["cuda"]
"""The execution engine of a `VM`, with that for packets in the memory of a CUDA device."""
FrontEnd: TypeAlias = Literal["cbpf", "libpcap"]
"""The compiler of filter expressions: that of cbpf, or that of libpcap, for comparisons."""
Optimizer: TypeAlias = Literal["cbpf", "libpcap"] | None
"""The optimiser of compiled expressions: that of cbpf, which is exact, that of libpcap, or None for plain code."""
Goal: TypeAlias = Literal["size", "speed"]
"""The goal of the optimiser: the fewest instructions in the program, or the fewest on its longest path."""
Direction: TypeAlias = Literal["src or dst", "src and dst", "src", "dst"]
"""The address, and the port, of a packet that must be in a list: either, both, that of the source or destination."""
TextTarget: TypeAlias = Literal["c", "llvm", "ptx"]
"""The targets of `emit` that are text."""
EbpfTarget: TypeAlias = Literal["ebpf-xdp", "ebpf-tc", "ebpf-socket"]
"""The targets of `emit` that are eBPF programs, by the hook of the kernel."""
BinaryTarget: TypeAlias = Literal["object", EbpfTarget, "wasm"]
"""The targets of `emit` that are bytes."""
TargetName: TypeAlias = TextTarget | BinaryTarget
"""The targets of `emit`."""
AcceptedFate: TypeAlias = Literal["pass", "drop"]
"""The fate of the packets that an eBPF program accepts; the others have the opposite one."""
