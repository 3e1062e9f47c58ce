"""cbpf seccomp implies: whether one filter allows every system call that another one allows."""

from __future__ import annotations

import json

import cbpf

from ...declarations import argument, option, subcommand
from ...seccomp_sources import FilterReader, Words, filter_options, names_of, report_missing_names, timeout_option
from ...streams import echo
from ...values import FILE

_ALIKE = ", and decides all others alike"


@subcommand("seccomp implies", "Prove that a filter allows all calls of another.")
@argument("filters", kind=FILE, required=False, multiple=True, divided=True, metavar="LEFT... [--] RIGHT...")
@filter_options
@option(
    "--exact",
    is_flag=True,
    help="Also require equal actions, with errno and data, except for calls that only RIGHT allows.",
)
@option("--json", "as_json", is_flag=True, help="Print the calls that violate it as one line of JSON.")
@timeout_option
def command(filters: Words, reader: FilterReader, exact: bool, as_json: bool, timeout: float) -> int:
    """Prove that RIGHT allows every system call that LEFT allows, or print those that it does not allow.

    LEFT is then at least as strict as RIGHT. Calls with the action LOG are allowed calls. With --pid PID or
    --trace -- COMMAND, all FILTERs are LEFT.

    Exit code: 0 implied, 1 not implied, 2 error, 3 undecided.

    \b
      cbpf seccomp implies strict.json profile.json
      cbpf seccomp implies --exact strict.json profile.json
    """
    left, right = reader.two(filters)
    found = cbpf.seccomp.implication_overview(
        left.filter, right.filter, exact=exact, architecture=reader.architecture, timeout=timeout
    )
    names = names_of(left, right, ("LEFT", "RIGHT"))
    if as_json:
        echo(json.dumps(found.as_dict()))
    elif found.differences:
        echo(f"{_refutation(*names, len(found.differences), exact)}\n\n{found.replace(names=names)}")
    else:
        echo(f"implied: {names[1]} allows every system call that {names[0]} allows{_ALIKE if exact else ''}")
    report_missing_names()
    return 1 if found.differences else 0


def _refutation(left: str, right: str, count: int, exact: bool) -> str:
    """Return the sentence about an implication that does not hold."""
    calls = f"{count:,} class{'es' if count > 1 else ''} of calls"
    if exact:
        return f"not implied: {left} and {right} decide {calls} differently, without those that only {right} allows"
    return f"not implied: {left} allows {calls} that {right} does not allow"
