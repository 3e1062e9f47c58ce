"""From a program to machine code: how long, and what stays in memory."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, Final

from benchmarks import compiling_often
from benchmarks.assembly import SIZE, long_program
from benchmarks.hot import compiled, expressions
from benchmarks.processes import PYTHON, output
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired
from benchmarks.whole import FILTER

import cbpf

_OFTEN: Final = 10_000


def compiling(setting: Setting) -> Iterator[Section]:
    """Short programs and the longest one."""
    common, longest = cbpf.compile(FILTER, optimizer=None), long_program()
    one, one_in_python = paired(
        [Contender("llvm", _make(common), ""), Contender("python", _make(common, engine="python"), "")],
        rounds=setting.rounds(25),
    )
    corpus = [compiled(expression)[0] for expression in expressions()]
    each = [
        row.seconds
        for row in paired([Contender("", _make(program), "") for program in corpus], rounds=setting.rounds(5))
    ]
    whole, whole_in_python = paired(
        [
            Contender("llvm", _make(longest, dialect=cbpf.LINUX), ""),
            Contender("python", _make(longest, dialect=cbpf.LINUX, engine="python"), ""),
        ],
        rounds=setting.rounds(5),
    )
    number = setting.scaled(_OFTEN)
    growth = int(output([PYTHON, compiling_often.__file__, str(number)]))
    rows = [
        [f"`{FILTER}`, {len(common)} instructions", f"{one.seconds * 1e3:.1f}", f"{one_in_python.seconds * 1e3:.2f}"],
        [f"{len(corpus)} expressions, median", f"{median(each) * 1e3:.1f}", ""],
        [f"the dearest of them, {len(corpus[each.index(max(each))])} instructions", f"{max(each) * 1e3:.1f}", ""],
        [f"{SIZE:,} instructions", f"{whole.seconds * 1e3:.0f}", f"{whole_in_python.seconds * 1e3:.0f}"],
    ]
    note = (
        "`VM(program, engine=...).run`: verified, compiled, ready to be called; llvmlite is imported, no code is kept."
        f" {number:,} compilations of different programs in one process left {growth / 1e6:.0f} MB more in memory"
        " (RssAnon)."
    )
    goals = [
        at_most(f"Compile `{FILTER}` ({len(common)} instructions)", 12, one.seconds * 1e3, "{:.1f} ms"),
        at_most(f"Compile {SIZE:,} instructions", 500, whole.seconds * 1e3, "{:.0f} ms"),
        at_most(f"Memory left by {number:,} compilations", 100, growth / 1e6, "{:.0f} MB"),
    ]
    yield Section("Compile time", ["what", "llvm, ms", "python, ms"], rows, note, goals)


def _make(program: cbpf.Program, *, engine: Any = "llvm", dialect: cbpf.Dialect = cbpf.PCAP) -> Callable[[], object]:
    return lambda: cbpf.VM(program, engine=engine, dialect=dialect).run
