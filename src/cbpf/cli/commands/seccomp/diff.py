"""cbpf seccomp diff: the system calls about which two filters, or two stacks of filters, decide differently."""

from __future__ import annotations

import json

import cbpf

from ...declarations import argument, option, subcommand
from ...failures import UsageError
from ...seccomp_sources import FilterReader, Words, filter_options, names_of, report_missing_names, timeout_option
from ...streams import echo
from ...values import FILE


@subcommand("seccomp diff", "Show the system calls about which two filters differ.")
@argument("filters", kind=FILE, required=False, multiple=True, divided=True, metavar="OLD... [--] NEW...")
@filter_options
@option("--json", "as_json", is_flag=True, help="Print the differences as one line of JSON.")
@option("--markdown", "as_markdown", is_flag=True, help="Print the differences as Markdown, for a pull request.")
@timeout_option
def command(filters: Words, reader: FilterReader, as_json: bool, as_markdown: bool, timeout: float) -> int:
    """Print every system call for which OLD and NEW have different actions, with its arguments.

    The differences are grouped: looser, if NEW has a less strict action, such as allow for errno; stricter, if it has a
    stricter one; other errno; and other number, for the data of other actions. With --pid PID or --trace -- COMMAND,
    all FILTERs are OLD.

    Exit code: 0 equal for every call, 1 different, 2 error, 3 undecided.

    \b
      cbpf seccomp diff profile.json strict.json
      cbpf seccomp diff profile.json -- profile.json strict.json
      cbpf seccomp diff --markdown profile.json strict.json
    """
    if as_json and as_markdown:
        raise UsageError("--json and --markdown are mutually exclusive")
    old, new = reader.two(filters)
    found = cbpf.seccomp.difference_overview(
        old.filter, new.filter, architecture=reader.architecture, timeout=timeout
    ).replace(names=names_of(old, new, ("OLD", "NEW")))
    if as_json:
        echo(json.dumps(found.as_dict()))
    elif not found.differences:
        echo("equal: both filters have the same action for every system call")
    else:
        echo(found.markdown() if as_markdown else found)
    report_missing_names()
    return 1 if found.differences else 0
