"""cbpf seccomp test: the actions of a filter, compared with a table of system calls."""

from __future__ import annotations

import cbpf

from ...._text import counted
from ...declarations import argument, option, subcommand
from ...failures import UsageError
from ...options import display_name, read_bytes
from ...seccomp_sources import FilterReader, Words, filter_options, report_missing_names
from ...streams import echo
from ...values import FILE


@subcommand("seccomp test", "Test a filter on a table of system calls.")
@argument("words", kind=FILE, required=False, multiple=True, divided=True, metavar="TABLE [FILTER]... [-- COMMAND...]")
@filter_options
@option("--on-kernel", is_flag=True, help="Also compare with the running kernel, which executes none of the calls.")
def command(words: Words, reader: FilterReader, on_kernel: bool) -> int:
    """Run FILTER, by default read from standard input, on the system calls of TABLE, and compare the actions.

    TABLE is a TOML file: each [[test]] has calls, arguments, and the expected action. For each test that fails, a line
    shows the first call that fails, both actions, and the filter that decides. Several filters are a stack, the oldest
    first. With --on-kernel, child processes make the calls under changed copies of the filters that let no call run;
    this needs x86-64, and calls of other architectures are left out with a warning.

    Exit code: 0 all tests pass, 1 a test fails, 2 error.

    \b
      cbpf seccomp test calls.toml profile.json
      cbpf seccomp test calls.toml profile.json strict.json
    """
    before, after = words
    if not before:
        raise UsageError("expected TABLE, and then FILTER")
    table, *filters = before
    if table == "-" and not (filters or reader.is_live):
        raise UsageError("TABLE and FILTER cannot both be standard input")
    text = read_bytes(table).decode(errors="replace")
    tests = cbpf.seccomp.read_call_table(text, source=display_name(table))
    failed = False
    for source in reader.each((tuple(filters), after)):
        report = cbpf.seccomp.check_calls(source.stack, tests, on_kernel=on_kernel)
        for line in report.lines(source.names):
            echo(line)
        for omission in report.omissions:
            calls = counted(omission.count, "call")
            echo(f"cbpf: warning: {calls} not made on the kernel: {omission.reason}", err=True)
        failed |= bool(report.failures)
    if failed:
        report_missing_names()
    return 1 if failed else 0
