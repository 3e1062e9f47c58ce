"""`./dev bench`: how fast cbpf is, beside its peers, as Markdown tables (README.md: how to read them)."""

import argparse
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.assembly import assembly
from benchmarks.batches import batches
from benchmarks.chart import svg
from benchmarks.compiling import compiling
from benchmarks.containers import compressed, linear, pcapng
from benchmarks.crossing import crossing
from benchmarks.hot import hot
from benchmarks.one_packet import one_packet
from benchmarks.optimizing import optimizing
from benchmarks.processes import KEPT_CODE, output
from benchmarks.proofs import proofs
from benchmarks.report import Finding, Findings, Section, charts, document, from_json, to_json
from benchmarks.setting import LeftOut, Setting
from benchmarks.split import split
from benchmarks.startup import startup
from benchmarks.whole import whole

import cbpf

TOPICS: Final[dict[str, Callable[[Setting], Iterator[Section]]]] = {
    "whole": whole,
    "linear": linear,
    "pcapng": pcapng,
    "compressed": compressed,
    "split": split,
    "hot": hot,
    "call": one_packet,
    "batch": batches,
    "crossing": crossing,
    "compile": compiling,
    "startup": startup,
    "assembly": assembly,
    "proofs": proofs,
    "optimizer": optimizing,
}

PEERS: Final = ("llvmlite", "cypcap", "dpkt", "scapy")
DOCS: Final = Path(__file__).parents[1] / "docs"
RESULTS: Final = "benchmarks.json"


def machine() -> str:
    """What ran this, in one line, which holds as long as the machine is the same."""
    names = [f"{name} {_version(name)}" for name in ("cbpf", *PEERS)]
    if shutil.which("tcpdump"):
        lines = output(["tcpdump", "--version"]).splitlines()[:2]
        names += [line.replace(" version", "").partition(" (")[0] for line in lines]
    system = f"{os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.machine()}"
    return f"{system}, {platform.python_implementation()} {platform.python_version()}; {', '.join(names)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(missing)"


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "unknown")


def findings(names: list[str], setting: Setting) -> Iterator[tuple[str, Finding]]:
    """What each topic found, printed as soon as it is there; a topic that breaks off is none."""
    where = machine()
    print(f"# Benchmarks\n\n{where}.", flush=True)
    for name in names:
        load = f"{os.getloadavg()[0]:.1f}"
        sections = []
        try:
            for section in TOPICS[name](setting):
                print(f"\n{section.markdown()}", flush=True)
                sections.append(section)
        except (LeftOut, cbpf.MissingLibrary) as reason:
            what = f"`{name}` and what follows in it" if sections else f"`{name}`"
            print(f"\n**Left out: {what}: {reason}.**", flush=True)
        if sections:
            yield name, Finding(where, load, setting.scale, sections)


def write(directory: Path, found: Findings) -> None:
    """Writes what was found beside what earlier runs found of other topics: the figures, the document, the chart."""
    path = directory / RESULTS
    known = from_json(path.read_text()) if path.exists() else {}
    merged = known | dict(found)
    ordered = {name: merged[name] for name in TOPICS if name in merged}
    path.write_text(to_json(ordered))
    (directory / "benchmarks.md").write_text(document(ordered))
    (directory / "benchmarks.svg").write_text(svg(charts(ordered)))


def main() -> None:
    """See `./dev bench --help`."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"all, or some of: {', '.join(TOPICS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply all sizes and repetitions (for a trial)")
    parser.add_argument("--rounds", type=int, default=0, help="so many rounds of everything")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=DOCS,
        metavar="DIRECTORY",
        help="write the documents too, by default docs/",
    )
    parser.add_argument("--draw", action="store_true", help="measure nothing; write docs/ anew from its figures")
    arguments = parser.parse_args()
    if arguments.draw:
        write(arguments.write or DOCS, {})
        return
    wrong = [name for name in arguments.topics if name not in TOPICS]
    if wrong:
        parser.error(f"no such topic: {', '.join(wrong)}; there are {', '.join(TOPICS)}")
    os.environ["XDG_CACHE_HOME"] = str(KEPT_CODE)
    for name, finding in findings(arguments.topics or list(TOPICS), Setting(arguments.scale, arguments.rounds)):
        if arguments.write is not None:
            write(arguments.write, {name: finding})


if __name__ == "__main__":
    main()
