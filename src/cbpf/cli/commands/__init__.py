"""The subcommands, one module or package each; each defines `command`, and so does this package."""

from __future__ import annotations

from ..declarations import group


@group(
    "",
    "Classic BPF: packet filters and captures.",
    sections={
        "Expressions and programs": ("compile", "lint", "format", "explain", "asm", "disasm", "convert", "emit"),
        "Captures": ("capture", "filter", "split", "print", "count", "table", "top", "info"),
        "Programs on packets": ("run", "trace", "debug", "why"),
        "Properties of a program": ("verify", "stats", "graph", "optimize"),
        "Questions about all packets": ("diff", "cases"),
        "A page in the browser": ("explore", "docs"),
        "Captures in stores of objects": ("archive",),
        "System calls": ("seccomp",),
        "The command line": ("completion",),
    },
    file_advice="cbpf info {0} describes a capture, cbpf stats {0} a program",
    package=__name__,
)
def command() -> None:
    """Compile, verify, run, trace, optimise and compare classic BPF packet filters, and filter captures.

    PROGRAM is a file, or - for standard input. Its format is detected: assembly (bpf_asm or Go syntax), a listing
    (tcpdump -d or bpf_dbg), C (tcpdump -dd or bpf_asm -c), decimal numbers (tcpdump -ddd or bpf_asm), JSON,
    hexadecimal, a cBPF savefile of libpcap, or the bytes of struct sock_filter. -e EXPRESSION replaces PROGRAM.

    Exit code: 0 success, 1 no (a program is rejected, two programs differ), 2 error, 3 undecided.

    \b
      cbpf info in.pcap
      cbpf filter -r in.pcap -w out.pcap 'tcp port 443'
      cbpf diff -e 'tcp port 80' -e 'tcp dst port 80'
    """
