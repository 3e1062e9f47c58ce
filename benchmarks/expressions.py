"""The compiler of filter expressions next to libpcap's: the corpus, long lists, whole processes, and memory."""

from collections.abc import Callable, Iterator
from typing import Final

import cypcap
from benchmarks import compiling_hosts
from benchmarks.captures import TRAFFIC
from benchmarks.compiling_hosts import host_list
from benchmarks.processes import CBPF, PYTHON, output, process
from benchmarks.report import Section, at_most, table
from benchmarks.setting import Setting
from benchmarks.timing import Contender, Row, paired

import cbpf
from support.corpus_filters import CORPUS

_SNAPLEN: Final = 262_144
_FILTER: Final = "tcp port 80 or udp port 53"
_COLUMNS: Final[dict[str, Callable[[Row], str]]] = {
    "ms": lambda row: f"{row.seconds * 1e3:.2f}",
    "ratio": lambda row: f"{row.ratio:.2f}",
}


def expressions(setting: Setting) -> Iterator[Section]:
    """Measure the corpus, lists of hosts, and complete processes."""
    yield _corpus(setting)
    yield _hosts(setting)
    yield _processes(setting)


def _corpus(setting: Setting) -> Section:
    """Compile each expression of the corpus; the figures are for one of them on average."""
    rows = [(filter.expression, cbpf.link_type(filter.link_type)) for filter in CORPUS]

    def with_cypcap(optimize: bool) -> None:
        for text, link_type in rows:
            list(cypcap.compile(link_type.dlt, _SNAPLEN, text, optimize, 0xFFFF_FFFF))

    def with_cbpf(optimizer: cbpf.Optimizer) -> None:
        for text, link_type in rows:
            cbpf.compile(text, link_type=link_type, optimizer=optimizer)

    contenders = [
        Contender("libpcap, plain", lambda: with_cypcap(False), "`cypcap.compile(..., False)`", len(rows)),
        Contender("cbpf, plain", lambda: with_cbpf(None), "`compile(..., optimizer=None)`", len(rows)),
        Contender("libpcap, optimised", lambda: with_cypcap(True), "`cypcap.compile(..., True)`", len(rows)),
        Contender("cbpf, optimised", lambda: with_cbpf("cbpf"), "`compile(...)`", len(rows)),
    ]
    measured = paired(contenders, rounds=setting.rounds(9))
    note = (
        f"The {len(rows)} expressions of `tests/corpus/filters.txt`; the time for one of them on average. libpcap is C;"
        " its optimiser changes the meaning of some expressions."
    )
    return Section("Compile an expression", *table(measured, _COLUMNS), note)


def _hosts(setting: Setting) -> Section:
    """Compile `host (A or B or ...)` with random addresses."""
    rows, seconds = [], {}
    for count in (100, 1_000, 10_000, 100_000):
        text = host_list(setting.scaled(count))
        if count <= 1_000:
            contender = Contender("", lambda text=text: list(cypcap.compile(1, _SNAPLEN, text, False, 0)), "")  # type: ignore[misc]
            (libpcap,) = paired([contender], rounds=1)
            libpcap_seconds = f"{libpcap.seconds:.2f}"
        else:
            libpcap_seconds = ""
        (own,) = paired([Contender("", lambda text=text: cbpf.compile(text), "")], rounds=setting.rounds(1))  # type: ignore[misc]
        seconds[count] = own.seconds
        memory = int(output([PYTHON, compiling_hosts.__file__, str(setting.scaled(count))]))
        program = cbpf.compile(text)
        rows.append(
            [
                f"{count:,} hosts, {len(text) / 1e3:,.0f} kB of text",
                libpcap_seconds,
                f"{own.seconds:.2f}",
                f"{len(program):,}",
                f"{memory / 1e6:.0f}",
            ]
        )
    note = (
        "`host (A or B or ...)` with random addresses. libpcap: `cypcap.compile` without its optimiser, whose time is"
        " quadratic; it is omitted above 1,000 hosts, and cbpf passes at most 65,535 characters to it. cbpf:"
        " `compile(text)`, optimised for size. Memory: the maximum resident set of a process that imports"
        " cbpf and compiles the text, in MB."
    )
    goals = [
        at_most("Time for 100,000 hosts, relative to 10,000", 15, seconds[100_000] / seconds[10_000], "{:.1f} times")
    ]
    return Section(
        "Long lists in the text", ["case", "libpcap, s", "cbpf, s", "instructions", "memory, MB"], rows, note, goals
    )


def _processes(setting: Setting) -> Section:
    """Measure complete commands with each front end."""
    small = ["filter", "-q", "-r", str(TRAFFIC), "-w", "/dev/null"]
    contenders = [
        process("cbpf compile, libpcap's front end", [CBPF, "compile", "-O", "--frontend", "libpcap", _FILTER]),
        process("cbpf compile", [CBPF, "compile", "-O", _FILTER]),
        process("cbpf compile, optimised", [CBPF, "compile", _FILTER]),
        process("cbpf filter, small capture", [CBPF, *small, _FILTER]),
        process("empty interpreter", [PYTHON, "-c", "pass"]),
    ]
    measured = paired(contenders, rounds=setting.rounds(21))
    note = "Complete processes with warm bytecode caches."
    return Section("Start-up of the compiler", *table(measured, _COLUMNS), note)
