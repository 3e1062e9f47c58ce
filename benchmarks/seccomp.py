"""`cbpf seccomp` on filters of the size of Docker's: complete processes, and the sizes of written programs."""

from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from benchmarks.processes import CBPF, WORKSPACE, output, process
from benchmarks.report import Goal, Section, at_most
from benchmarks.seccomp_filters import FOLDER, Filters, filters
from benchmarks.setting import Setting
from benchmarks.timing import costs_of

import cbpf

_EXIT_CODES: Final = (0, 1, 3)
"""Success, a difference or a finding, undecided."""
_MAX_INSTRUCTIONS: Final = 250
_MAX_LONGEST_PATH: Final = 24


class _Case(NamedTuple):
    """A command on filters, with the time that it may take, relative to the optimisation of the first filter."""

    name: str
    words: tuple[str, ...]
    filters: tuple[Path, ...]
    limit: float | None = None

    @property
    def command(self) -> list[str]:
        return [CBPF, *self.words, *map(str, self.filters)]


def seccomp(setting: Setting) -> Iterator[Section]:
    """Measure the commands in turn, by the time of all processors, and then the sizes of written programs."""
    subjects = filters(WORKSPACE / "seccomp")
    yield _processes(subjects, setting)
    yield _sizes(subjects)


def _cases(subjects: Filters) -> list[_Case]:
    first, second = (subjects.first,), (subjects.first, subjects.second)
    return [
        _Case("optimize", ("optimize", "--dialect", "seccomp"), first),
        _Case("show", ("seccomp", "show"), first, 1.0),
        _Case("audit", ("seccomp", "audit"), first, 2.0),
        _Case("diff", ("seccomp", "diff"), second, 1.7),
        _Case("implies", ("seccomp", "implies"), second, 1.7),
        _Case("show, a stack of six", ("seccomp", "show"), subjects.stack, 2.5),
        _Case("policy", ("seccomp", "policy"), first),
        _Case("write, from a profile", ("seccomp", "write", "--arch", "x86_64", "--to", "hex"), subjects.profiles[:1]),
        _Case("show, many single bits", ("seccomp", "show"), (subjects.single_bits,), 10),
        _Case("show, many masks of one argument", ("seccomp", "show"), (subjects.random_masks,), 10),
    ]


def _processes(subjects: Filters, setting: Setting) -> Section:
    cases = _cases(subjects)
    contenders = [process(case.name, case.command, exit_codes=_EXIT_CODES) for case in cases]
    costs = costs_of(contenders, rounds=setting.rounds(7))
    rows, goals = [], []
    for index, (case, contender) in enumerate(zip(cases, contenders, strict=True)):
        seconds = median(round_costs[index].cpu_seconds for round_costs in costs)
        times = median(round_costs[index].cpu_seconds / round_costs[0].cpu_seconds for round_costs in costs)
        if case.limit:
            goals.append(at_most(f"`cbpf seccomp`: {case.name}, optimize", case.limit, times, "{:.1f} times"))
        instructions = sum(len(cbpf.parse(path.read_bytes())) for path in case.filters if path.suffix == ".bpf")
        size = f"{instructions:,}" if instructions else ""
        rows.append([case.name, size, f"{seconds * 1e3:,.0f}", f"{times:.2f}", contender.how])
    source = "filters of $CBPF_SECCOMP_FILTERS" if FOLDER else "made-up filters of the size and the shape of Docker's"
    note = (
        f"Processor time of complete processes with warm bytecode caches, for {source}; times: relative to `cbpf"
        " optimize` of the first filter. `diff` and `implies` compare two versions of it. The last two filters have the"
        f" greatest length; {_undecided(subjects.random_masks)}."
    )
    return Section("Policies of system calls", ["case", "instructions", "ms", "times", "how"], rows, note, goals)


def _undecided(path: Path) -> str:
    """Return the result for a filter whose decision diagram may be too large."""
    answer = output([CBPF, "seccomp", "show", str(path)], exit_codes=(0, 3))
    return "the answer for many masks is exact" if answer else "many masks are undecided (exit code 3)"


def _sizes(subjects: Filters) -> Section:
    """Measure the programs that are written for profiles, and that of the optimised first filter."""
    programs = {f"`cbpf optimize --goal speed`: {subjects.first.name}": _optimized(subjects.first)}
    for path in subjects.profiles:
        target = WORKSPACE / f"{path.stem}-written.bpf"
        output([CBPF, "seccomp", "write", "--arch", "x86_64", str(path), "-w", str(target)])
        programs[f"`cbpf seccomp write`: {path.name}"] = cbpf.parse(target.read_bytes())
    original = cbpf.parse(subjects.first.read_bytes())
    rows, goals = [_size_row(subjects.first.name, original)], []
    for name, program in programs.items():
        rows.append(_size_row(name, program))
        if FOLDER:  # the goals are for the profiles of Docker and Podman
            goals += _size_goals(name, program)
    note = "Each program is proved equal to its profile, or to the filter that was optimised."
    return Section("Written filters of system calls", ["case", "instructions", "longest path"], rows, note, goals)


def _optimized(path: Path) -> cbpf.Program:
    target = WORKSPACE / f"{path.stem}-optimized.bpf"
    options = ["--dialect", "seccomp", "--prove", "--goal", "speed", "--to", "raw"]
    output([CBPF, "optimize", *options, str(path), "-w", str(target)])
    return cbpf.parse(target.read_bytes())


def _size_row(name: str, program: cbpf.Program) -> list[str]:
    return [name, f"{len(program):,}", f"{_longest(program):,}"]


def _size_goals(name: str, program: cbpf.Program) -> list[Goal]:
    return [
        at_most(f"{name}, instructions", _MAX_INSTRUCTIONS, len(program), "{:,}"),
        at_most(f"{name}, longest path", _MAX_LONGEST_PATH, _longest(program), "{:,}"),
    ]


def _longest(program: cbpf.Program) -> int:
    return cbpf.program_info(program, dialect=cbpf.SECCOMP).longest
