"""cbpf seccomp groups: the groups of system calls that policy files name."""

from __future__ import annotations

import cbpf

from ...declarations import argument, subcommand
from ...streams import echo
from ...values import TEXT


@subcommand("seccomp groups", "List the groups of system calls.")
@argument("group", kind=TEXT, required=False)
def command(group: str | None) -> None:
    """List the groups of system calls that policy files and tables of calls may name, or the members of GROUP.

    The groups are those of systemd, such as @mount. A member is a system call, or another group.

    Exit code: 0 success, 2 error.

    \b
      cbpf seccomp groups
      cbpf seccomp groups @mount
    """
    if group is not None:
        found = cbpf.seccomp.call_group(group)
        echo("\n".join(found.members or found.calls()))
        return
    groups = cbpf.seccomp.call_groups().values()
    width = max(len(each.name) for each in groups)
    for each in groups:
        echo(f"{each.name:{width}}  {each.description}")
