"""Start-up: what a user waits for before anything happens."""

import shutil

from benchmarks.processes import CBPF, PYTHON, process
from benchmarks.timing import Topic, goal


def startup() -> Topic:
    """Whole processes, in turn."""
    imports = ("cbpf", "scapy.all", "dpkt", "cypcap")
    tcpdump = shutil.which("tcpdump")
    contenders = [
        process("empty interpreter", [PYTHON, "-c", "pass"]),
        *(process(f"import {name}", [PYTHON, "-c", f"import {name}"]) for name in imports),
        process("the command", [CBPF, "--help"]),
        *([process("a program in C", [tcpdump, "--version"])] if tcpdump else []),
    ]
    columns = {
        "ms": lambda row: f"{row.seconds * 1e3:.1f}",
        "ms more than empty": lambda row: f"{row.more * 1e3:+.1f}",
        "goal of the import": goal("40 ms more", lambda row: row.more / 0.040, "import cbpf"),
        "goal of the command": goal("120 ms", lambda row: row.seconds / 0.120, "the command"),
    }
    return Topic("Start-up", contenders, 21, columns, "Processes with warm bytecode caches.")
