"""`./dev bench`: the speed of cbpf and its peers, as Markdown tables (described in README.md)."""

import argparse
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from benchmarks.archives import archives
from benchmarks.assembly import assembly
from benchmarks.batches import batches
from benchmarks.chart import svg
from benchmarks.compiling import compiling
from benchmarks.compressed import compressed
from benchmarks.compressing import compressing
from benchmarks.containers import convert, linear, pcapng
from benchmarks.crossing import crossing
from benchmarks.emitting import emitting
from benchmarks.explorer import explorer
from benchmarks.expressions import expressions
from benchmarks.hot import hot
from benchmarks.ir_writer import ir_writer
from benchmarks.iterating import iterating
from benchmarks.live import live
from benchmarks.one_packet import one_packet
from benchmarks.optimizing import optimizing
from benchmarks.processes import WARM_CACHE, output
from benchmarks.profiling import profiling
from benchmarks.proofs import proofs
from benchmarks.report import Results, Section, TopicResult, charts, document, from_json, goals_document, to_json
from benchmarks.rotating import rotation
from benchmarks.seccomp import seccomp
from benchmarks.setting import Omitted, Setting
from benchmarks.shape import shape
from benchmarks.split import split
from benchmarks.startup import startup
from benchmarks.tables import tables
from benchmarks.whole import whole

import cbpf

TOPICS: Final[dict[str, Callable[[Setting], Iterator[Section]]]] = {
    "whole": whole,
    "linear": linear,
    "pcapng": pcapng,
    "convert": convert,
    "compressed": compressed,
    "compress": compressing,
    "split": split,
    "archive": archives,
    "shape": shape,
    "iterate": iterating,
    "profile": profiling,
    "tables": tables,
    "live": live,
    "rotation": rotation,
    "hot": hot,
    "call": one_packet,
    "batch": batches,
    "crossing": crossing,
    "emit": emitting,
    "compile": compiling,
    "ir": ir_writer,
    "startup": startup,
    "assembly": assembly,
    "expressions": expressions,
    "proofs": proofs,
    "optimizer": optimizing,
    "seccomp": seccomp,
    "explorer": explorer,
}

PEERS: Final = ("llvmlite", "cypcap", "dpkt", "scapy")
DOCS: Final = Path(__file__).parents[1] / "docs"
RESULTS: Final = "benchmarks.json"
GOALS: Final = Path(__file__).with_name("GOALS.md")


def machine() -> str:
    """Return one line that identifies the machine and the versions of the software."""
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


def measure(names: list[str], setting: Setting) -> Iterator[tuple[str, TopicResult]]:
    """Yield the result of each topic, and print each section when it is measured."""
    description = machine()
    print(f"# Benchmarks\n\n{description}.", flush=True)
    for name in names:
        load = f"{os.getloadavg()[0]:.1f}"
        sections = []
        try:
            for section in TOPICS[name](setting):
                print(f"\n{section.markdown()}", flush=True)
                sections.append(section)
        except (Omitted, cbpf.MissingLibrary) as reason:
            omitted = f"the rest of `{name}`" if sections else f"`{name}`"
            print(f"\n**Omitted: {omitted}: {reason}.**", flush=True)
        if sections:
            yield name, TopicResult(description, load, setting.scale, sections)


def write(directory: Path, results: Results) -> None:
    """Merge new results with those of earlier runs, and write figures, documents and chart."""
    path = directory / RESULTS
    earlier = from_json(path.read_text()) if path.exists() else {}
    merged = earlier | dict(results)
    ordered = {name: merged[name] for name in TOPICS if name in merged}
    path.write_text(to_json(ordered))
    (directory / "benchmarks.md").write_text(document(ordered))
    (directory / "benchmarks.svg").write_text(svg(charts(ordered)))
    goals = GOALS if directory == DOCS else directory / GOALS.name
    goals.write_text(goals_document(ordered))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"all, or some of: {', '.join(TOPICS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply all sizes and repetitions (for a trial)")
    parser.add_argument("--rounds", type=int, default=0, help="number of rounds for every topic")
    parser.add_argument(
        "--write",
        type=Path,
        nargs="?",
        const=DOCS,
        metavar="DIRECTORY",
        help="also write the documents, by default to docs/",
    )
    parser.add_argument("--draw", action="store_true", help="measure nothing; rewrite the documents from their figures")
    arguments = parser.parse_args()
    if arguments.draw:
        write(arguments.write or DOCS, {})
        return
    unknown = [name for name in arguments.topics if name not in TOPICS]
    if unknown:
        parser.error(f"unknown topic: {', '.join(unknown)}; the topics are {', '.join(TOPICS)}")
    os.environ["XDG_CACHE_HOME"] = str(WARM_CACHE)
    for name, result in measure(arguments.topics or list(TOPICS), Setting(arguments.scale, arguments.rounds)):
        if arguments.write is not None:
            write(arguments.write, {name: result})


if __name__ == "__main__":
    main()
