"""cbpf seccomp policy: a filter as a policy file."""

from __future__ import annotations

import cbpf

from ...declarations import argument, subcommand
from ...failures import CommandError
from ...options import target_option, write_bytes
from ...seccomp_sources import FilterReader, Words, filter_options, report_missing_names, timeout_option
from ...values import FILE


@subcommand("seccomp policy", "Write a filter as a policy file.")
@argument("filters", kind=FILE, required=False, multiple=True, divided=True, metavar="[FILTER]... [-- COMMAND...]")
@filter_options
@target_option
@timeout_option
def command(filters: Words, reader: FilterReader, target: str | None, timeout: float) -> None:
    """Write FILTER, by default read from standard input, as a policy file (TOML), which decides every call as it does.

    Several filters are a stack, the oldest first, and the result is one policy.

    Exit code: 0 success, 2 error, 3 undecided: the filter decides calls by arithmetic.

    \b
      cbpf seccomp policy profile.json
      cbpf seccomp policy profile.json strict.json -w stack.toml
    """
    sources = reader.each(filters)
    if len(sources) != 1:
        raise CommandError(f"{sources[0].name}: {len(sources)} stacks of filters; write one of them")
    report_missing_names()
    text = cbpf.seccomp.policy_text(sources[0].filter, timeout=timeout)
    write_bytes(target, text.encode())
