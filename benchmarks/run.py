"""`./dev bench`: how fast cbpf is, beside its peers, as Markdown tables (README.md: how to read them)."""

import os
import platform
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Final

from benchmarks.assembly import assembly
from benchmarks.one_packet import one_packet
from benchmarks.processes import output
from benchmarks.startup import startup
from benchmarks.timing import Topic
from benchmarks.whole_capture import whole_capture

BENCHMARKS: Final[tuple[Callable[[], Topic], ...]] = (
    startup,
    partial(one_packet, "dst"),
    partial(one_packet, "src"),
    assembly,
    whole_capture,
)

PEERS: Final = ("cypcap", "dpkt", "scapy")


def machine() -> str:
    """What ran this, in one line."""
    names = [f"{name} {version(name)}" for name in ("cbpf", *PEERS)]
    if shutil.which("tcpdump"):
        names.append(output(["tcpdump", "--version"]).splitlines()[0].replace(" version", ""))
    load = os.getloadavg()[0]
    system = f"{os.cpu_count()} cores (load {load:.1f} at the start), {platform.system()} {platform.machine()}"
    return f"{system}, {platform.python_implementation()} {platform.python_version()}; {', '.join(names)}."


def main() -> None:
    """Prints each table as soon as it is there."""
    print(f"# Benchmarks\n\n{machine()}")
    for benchmark in BENCHMARKS:
        print(f"\n{benchmark().table()}", flush=True)


if __name__ == "__main__":
    main()
