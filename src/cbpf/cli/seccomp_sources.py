"""The filters that the subcommands of `cbpf seccomp` read: from files, folders, a process, or a command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import wraps

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Any, Final, TypeAlias
from .declarations import Function, option
from .failures import CommandError, UsageError
from .options import display_name, read_bytes
from .proof_options import new_timeout_option
from .streams import echo
from .values import Integer

Words: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""The words of a command line before and after --."""


_SHOWN_NAMES: Final = 6
_MAX_PID: Final = 4_194_304  # PID_MAX_LIMIT of linux/threads.h

timeout_option: Final = new_timeout_option(10, "Time limit of the solver, which only arithmetic of a filter needs.")


class FilterSource(NamedTuple):
    """A filter with its name for messages: a stack of programs, or a policy.

    Args:
        name: The name.
        filter: The filter.
        names: The name of each program of the stack, or that of the policy.
    """

    name: str
    filter: cbpf.seccomp.Stack | cbpf.seccomp.Policy
    names: tuple[str, ...]

    @property
    def stack(self) -> cbpf.seccomp.Stack:
        """The programs: of a policy, the one that decides as it does."""
        if isinstance(self.filter, cbpf.seccomp.Stack):
            return self.filter
        return cbpf.seccomp.Stack([self.filter.program()], dialect=self.filter.dialect)


class FilterReader(NamedTuple):
    """The options for reading filters.

    Args:
        architecture: That of --arch; None if it is not given.
        capabilities: Those of --cap, which are added to those of a container of Docker.
        kernel_version: That of --kernel-version.
        pid: That of --pid.
        is_traced: Whether --trace is given.
    """

    architecture: str | None
    capabilities: tuple[str, ...]
    kernel_version: str | None
    pid: int | None
    is_traced: bool

    def each(self, words: Words) -> list[FilterSource]:
        """Return the filters of FILTER... (by default, of standard input), --pid PID or --trace -- COMMAND.

        The threads of a command may have several different stacks of filters; every other source is one.
        """
        before, after = words
        if not self.is_live:
            if after:
                raise UsageError("-- COMMAND requires --trace")
            return [self._of_files(before or ("-",))]
        if before:
            raise UsageError(f"FILTER and {'--trace' if self.is_traced else '--pid'} are mutually exclusive")
        return self._live(after)

    def two(self, words: Words) -> tuple[FilterSource, FilterSource]:
        """Return the filters of OLD NEW, OLD... -- NEW..., OLD... --pid PID, or OLD... --trace -- COMMAND."""
        before, after = words
        if self.is_live:
            return self._of_files(before or ("-",)), _only(self._live(after))
        if not after:
            if len(before) != 2:
                raise UsageError(f"expected two filters, got {len(before)}; -- separates two stacks")
            before, after = before[:1], before[1:]
        return self._of_files(before or ("-",)), self._of_files(after)

    @property
    def is_live(self) -> bool:
        """Whether filters of a process or a command are read."""
        return self.pid is not None or self.is_traced

    def _live(self, words: Sequence[str]) -> list[FilterSource]:
        """Return the filters of a process, or those that a command installs."""
        if self.pid is not None:
            if self.is_traced or words:
                raise UsageError("--pid, --trace and -- COMMAND are mutually exclusive")
            return [_of_process(self.pid)]
        if not words:
            raise UsageError("--trace requires -- COMMAND")
        return _of_command(words)

    def _of_files(self, paths: Sequence[str]) -> FilterSource:
        """Return the filter of one file, or the stack of several files and folders."""
        names = [name for path in paths for name in _files_in(path)]
        files = [self._of_file(name) for name in names]
        only = files[0].filter if len(files) == 1 else None
        filter_ = only if isinstance(only, cbpf.seccomp.Policy) else _stack(names, files)
        return FilterSource(", ".join(map(display_name, paths)), filter_, tuple(map(display_name, names)))

    def _of_file(self, path: str) -> cbpf.seccomp.FilterFile:
        name = display_name(path)
        try:
            file = cbpf.seccomp.read_filter(
                read_bytes(path),
                architecture=self.architecture,
                capabilities=(*cbpf.seccomp.DEFAULT_CAPABILITIES, *self.capabilities) if self.capabilities else None,
                kernel_version=self.kernel_version,
                folder=None if path == "-" else os.path.dirname(path) or ".",
                source=name,
            )
        except cbpf.ProgramFormatError as error:
            error.source = name
            raise
        report_omissions(name, file.omissions)
        return file


def _of_process(pid: int) -> FilterSource:
    """Return the filters of a process, or of a thread; report threads of the process that have others."""
    programs = cbpf.seccomp.process_filters(pid)
    threads = cbpf.seccomp.thread_filters(pid)
    others = [str(thread) for thread, each in threads.items() if thread != pid and each != programs]
    if others and pid == next(iter(threads)):
        subject = f"thread {others[0]} has" if len(others) == 1 else f"threads {_abridged(others)} have"
        rule = f"--pid {others[0]} reads those of {'this thread' if len(others) == 1 else 'the first one'}"
        echo(f"cbpf: warning: process {pid}: its {subject} other filters; {rule}", err=True)
    return _live_source(f"process {pid}", cbpf.seccomp.Stack(programs))


def _of_command(words: Sequence[str]) -> list[FilterSource]:
    """Return the stacks of filters that the threads of a command have at their end."""
    trace = cbpf.seccomp.trace_command(words)
    name = display_name(words[0])
    if not trace.filters:
        raise CommandError(f"{name}: the command has installed no filter")
    dialect = cbpf.seccomp.architecture(trace.filters[0].architecture).dialect
    stacks = [cbpf.seccomp.Stack(programs, dialect=dialect) for programs in trace.stacks()]
    places = [f", stack {index} of {len(stacks)}" if len(stacks) > 1 else "" for index in range(1, len(stacks) + 1)]
    return [_live_source(f"{name}{place}", stack) for place, stack in zip(places, stacks, strict=True)]


def _live_source(name: str, stack: cbpf.seccomp.Stack) -> FilterSource:
    """Return the filters of a process, which have numbers as names."""
    return FilterSource(name, stack, tuple(f"filter {index} of {name}" for index in range(1, len(stack) + 1)))


def _only(found: Sequence[FilterSource]) -> FilterSource:
    if len(found) > 1:
        fact = f"its threads have {len(found)} different stacks of filters, and one is expected"
        raise CommandError(f"{found[0].name.partition(',')[0]}: {fact}; cbpf seccomp show prints all of them")
    return found[0]


def names_of(old: FilterSource, new: FilterSource, otherwise: tuple[str, str]) -> tuple[str, str]:
    """Return the names of two filters for sentences, if possible without folders.

    *otherwise* is returned if one of them is a stack, or if they have one name.
    """
    if len(old.names) != 1 or len(new.names) != 1 or old.name == new.name:
        return otherwise
    names = os.path.basename(old.name), os.path.basename(new.name)
    return names if names[0] != names[1] else (old.name, new.name)


def filter_options(command: Function) -> Function:
    """Add the options of `file_options`, --pid and --trace, for the parameter *reader*: a `FilterReader`."""
    of_process = option(
        "--pid",
        kind=Integer(1, _MAX_PID),
        metavar="PID",
        help="Read all filters of a process or thread; needs CAP_SYS_ADMIN.",
    )
    of_command = option(
        "--trace",
        "is_traced",
        is_flag=True,
        help="Run COMMAND, and read the filters that it and its children install; needs no privileges.",
    )
    return file_options(of_process(of_command(command)))


def file_options(command: Function) -> Function:
    """Add --arch, --cap and --kernel-version, for the parameter *reader*: a `FilterReader`."""

    @option(
        "--arch",
        "architecture",
        metavar="NAME",
        help="Architecture for which a profile is compiled (default: the first that it lists), and whose names are "
        "printed for the calls of a filter that does not test the architecture (default: this machine's).",
    )
    @option(
        "--cap",
        "capabilities",
        metavar="NAME",
        multiple=True,
        help="Capability of the container, for profiles of Docker and Podman, beside the 14 that Docker grants; may be "
        "repeated.",
    )
    @option(
        "--kernel-version", metavar="VERSION", help="Version of the kernel, such as 6.1, for profiles; default: newest."
    )
    @wraps(command)
    def wrapper(
        *arguments: Any,
        architecture: str | None,
        capabilities: tuple[str, ...],
        kernel_version: str | None,
        pid: int | None = None,
        is_traced: bool = False,
        **options: Any,
    ) -> int | None:
        reader = FilterReader(architecture, capabilities, kernel_version, pid, is_traced)
        return command(*arguments, reader=reader, **options)

    return wrapper


def report_missing_names() -> None:
    """Report how to get the names of system calls, if they are not available."""
    if not cbpf.seccomp.names_available():
        echo("cbpf: warning: the names of system calls need system-calls: pip install 'cbpf[seccomp]'", err=True)


def number_or_name(text: str) -> int | str:
    """Return the number or the name of a system call."""
    try:
        return int(text, 0)
    except ValueError:
        return text


def _files_in(path: str) -> Iterator[str]:
    """Yield the files of a folder in the order of their names, without hidden ones; or a file itself."""
    if not os.path.isdir(path):
        yield path
        return
    names = sorted(name for name in os.listdir(path) if not name.startswith("."))
    if not names:
        raise CommandError(f"{display_name(path)}: the folder has no files")
    yield from (os.path.join(path, name) for name in names)


def _stack(names: Sequence[str], files: Sequence[cbpf.seccomp.FilterFile]) -> cbpf.seccomp.Stack:
    """Return the stack of several filters, of which the policies are compiled."""
    dialects = {file.dialect.byte_order: display_name(name) for name, file in zip(names, files, strict=True)}
    if len(dialects) > 1:
        little, big = dialects["little"], dialects["big"]
        raise CommandError(f"{little} is for little-endian machines, {big} for big-endian ones; use --arch")
    programs = [
        file.filter.program() if isinstance(file.filter, cbpf.seccomp.Policy) else file.filter for file in files
    ]
    for name, program in zip(names, programs, strict=True):
        try:
            cbpf.verify(program, dialect=files[0].dialect)
        except cbpf.VerificationError as error:
            error.source = display_name(name)
            raise
    return cbpf.seccomp.Stack(programs, dialect=files[0].dialect)


def report_omissions(name: str, omissions: Sequence[cbpf.seccomp.Omission]) -> None:
    """Report the parts of a profile that are not in its policy, one line for each reason."""
    calls: dict[str, list[str]] = {}
    for omission in omissions:
        calls.setdefault(omission.reason, []).extend(omission.names or (omission.place,))
    if calls:
        echo(f"cbpf: {name}: left out of the policy:", err=True)
        for reason, names in calls.items():
            echo(f"  {_abridged(sorted(set(names)))}: {reason}", err=True)


def _abridged(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{', '.join(names[:_SHOWN_NAMES])}{more}"
