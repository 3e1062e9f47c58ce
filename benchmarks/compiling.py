"""The time to compile a program to machine code, and the memory that remains in use."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, Final

from benchmarks import compiling_often
from benchmarks.assembly import SIZE, long_program
from benchmarks.corpus import ETHERNET
from benchmarks.hot import compiled
from benchmarks.processes import PYTHON, output
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired
from benchmarks.whole import FILTER

import cbpf

_COMPILATIONS: Final = 10_000


def compiling(setting: Setting) -> Iterator[Section]:
    """Measure short programs and the longest one."""
    common, longest = cbpf.compile(FILTER, optimizer=None), long_program()
    short, short_in_python = paired(
        [Contender("llvm", _make(common), ""), Contender("python", _make(common, engine="python"), "")],
        rounds=setting.rounds(25),
    )
    corpus = [compiled(expression)[0] for expression in ETHERNET]
    corpus_seconds = [
        row.seconds
        for row in paired([Contender("", _make(program), "") for program in corpus], rounds=setting.rounds(5))
    ]
    long, long_in_python = paired(
        [
            Contender("llvm", _make(longest, dialect=cbpf.LINUX), ""),
            Contender("python", _make(longest, dialect=cbpf.LINUX, engine="python"), ""),
        ],
        rounds=setting.rounds(5),
    )
    count = setting.scaled(_COMPILATIONS)
    growth = int(output([PYTHON, compiling_often.__file__, str(count)]))
    rows = [
        [
            f"`{FILTER}`, {len(common)} instructions",
            f"{short.seconds * 1e3:.1f}",
            f"{short_in_python.seconds * 1e3:.2f}",
        ],
        [f"{len(corpus)} expressions, median", f"{median(corpus_seconds) * 1e3:.1f}", ""],
        [
            f"the slowest of them, {len(corpus[corpus_seconds.index(max(corpus_seconds))])} instructions",
            f"{max(corpus_seconds) * 1e3:.1f}",
            "",
        ],
        [f"{SIZE:,} instructions", f"{long.seconds * 1e3:.0f}", f"{long_in_python.seconds * 1e3:.0f}"],
    ]
    note = (
        "`VM(program, engine=...).run`: verification and compilation; llvmlite is already imported and no code is"
        f" cached. {count:,} compilations of different programs in one process increased its memory (RssAnon) by"
        f" {growth / 1e6:.0f} MB."
    )
    goals = [
        at_most(f"Compile `{FILTER}` ({len(common)} instructions)", 12, short.seconds * 1e3, "{:.1f} ms"),
        at_most(f"Compile {SIZE:,} instructions", 500, long.seconds * 1e3, "{:.0f} ms"),
        at_most(f"Memory growth after {count:,} compilations", 100, growth / 1e6, "{:.0f} MB"),
    ]
    yield Section("Compile time", ["case", "llvm, ms", "python, ms"], rows, note, goals)


def _make(program: cbpf.Program, *, engine: Any = "llvm", dialect: cbpf.Dialect = cbpf.PCAP) -> Callable[[], object]:
    return lambda: cbpf.VM(program, engine=engine, dialect=dialect).run
