"""cbpf seccomp show: the policy of a filter, or of a stack of filters."""

from __future__ import annotations

import json

import cbpf

from ...declarations import argument, option, subcommand
from ...failures import UsageError
from ...seccomp_sources import (
    FilterReader,
    FilterSource,
    Words,
    filter_options,
    number_or_name,
    report_missing_names,
    timeout_option,
)
from ...streams import echo
from ...values import FILE


@subcommand("seccomp show", "Show the policy of a filter of system calls.")
@argument("filters", kind=FILE, required=False, multiple=True, divided=True, metavar="[FILTER]... [-- COMMAND...]")
@filter_options
@option("--call", metavar="CALL", help="Show one system call, a name or a number, on each architecture, and why.")
@option(
    "--listing", "as_listing", is_flag=True, help="Print the instructions, with names for the words that they test."
)
@option("--json", "as_json", is_flag=True, help="Print the policy as one line of JSON.")
@option("--markdown", "as_markdown", is_flag=True, help="Print the policy as tables in Markdown.")
@timeout_option
def command(
    filters: Words,
    reader: FilterReader,
    call: str | None,
    as_listing: bool,
    as_json: bool,
    as_markdown: bool,
    timeout: float,
) -> None:
    """Print the policy of FILTER, by default read from standard input: the action for each system call.

    The result is exact: it has every call, of every architecture, with all arguments. Several filters, or a folder of
    filters, are a stack, the oldest first. "all others" are all calls that no other line of the section has, also those
    without a name.

    Exit code: 0 success, 2 error, 3 undecided: arithmetic, or tests of too many combinations of bits.

    \b
      cbpf seccomp show profile.json
      cbpf seccomp show --call socket profile.json
      cbpf seccomp show --listing profile.json
    """
    if sum([call is not None, as_listing, as_json, as_markdown]) > 1:
        raise UsageError("--call, --listing, --json and --markdown are mutually exclusive")
    sources = reader.each(filters)
    for index, source in enumerate(sources):
        if len(sources) > 1 and not as_json:
            echo(("\n" if index else "") + source.name)
        if call is not None:
            echo(
                cbpf.seccomp.explain_call(
                    source.filter,
                    number_or_name(call),
                    architecture=reader.architecture,
                    names=() if reader.is_live else source.names,
                    timeout=timeout,
                )
            )
        elif as_listing:
            echo(cbpf.seccomp.listing(source.filter, architecture=reader.architecture))
        else:
            echo(_policy(source, reader, timeout, as_json, as_markdown))
    report_missing_names()


def _policy(source: FilterSource, reader: FilterReader, timeout: float, as_json: bool, as_markdown: bool) -> str:
    overview = cbpf.seccomp.overview(source.filter, architecture=reader.architecture, timeout=timeout)
    if as_json:
        return json.dumps(overview.as_dict())
    return overview.markdown() if as_markdown else str(overview)
