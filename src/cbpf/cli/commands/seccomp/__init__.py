"""cbpf seccomp: the subcommands for filters of system calls."""

from __future__ import annotations

from ...declarations import group


@group(
    "seccomp",
    "Show, audit and compare filters of system calls.",
    sections={
        "A filter": ("show", "audit", "test", "run"),
        "Two filters": ("diff", "implies"),
        "A policy": ("write", "policy", "format", "groups"),
    },
    file_advice="cbpf seccomp show {} shows the policy of a filter",
    package=__name__,
)
def command() -> None:
    """Show the policies of filters of system calls (seccomp), and the calls in which two of them differ.

    FILTER is a file, or - for standard input: a program in any format, a profile of an OCI runtime, Docker or Podman
    (JSON), or a policy file (TOML). A folder is a stack of the filters in it, in the order of their names. Several
    filters are a stack as well, the oldest first: Linux takes the most restrictive of their actions.

    Exit code: 0 success or yes, 1 no, 2 error, 3 undecided.

    \b
      cbpf seccomp show profile.json
      cbpf seccomp diff profile.json strict.json
    """
