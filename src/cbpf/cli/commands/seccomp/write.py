"""cbpf seccomp write: the program of a policy."""

from __future__ import annotations

import sys

import cbpf

from ...declarations import argument, option, subcommand
from ...failures import CommandError, UsageError
from ...options import display_name, read_bytes, target_format_option, target_option, write_bytes
from ...seccomp_sources import FilterReader, Words, filter_options, report_omissions, timeout_option
from ...values import FILE, Choice


@subcommand("seccomp write", "Write the program of a policy.")
@argument("filters", kind=FILE, required=False, multiple=True, divided=True, metavar="[POLICY]... [-- COMMAND...]")
@filter_options
@option(
    "--goal",
    kind=Choice(("speed", "size")),
    metavar="GOAL",
    default="speed",
    shows_default=True,
    help="Short paths (speed), or few instructions (size).",
)
@option("--libseccomp", "by_library", is_flag=True, help="Compile a profile by libseccomp, for comparisons.")
@target_format_option("raw")
@target_option
@timeout_option
def command(
    filters: Words,
    reader: FilterReader,
    goal: cbpf.Goal,
    by_library: bool,
    target_format: str,
    target: str | None,
    timeout: float,
) -> None:
    """Write an optimised program that decides every system call as POLICY does, by default read from standard input.

    POLICY is a policy file, a profile, or any other FILTER; of a stack, the result is one program. Before it is
    written, the program is proved equal to the policy. The format raw has the byte order of the architecture.

    Exit code: 0 success, 2 error, 3 undecided.

    \b
      cbpf seccomp write policy.toml -w filter.bpf
      cbpf seccomp write --arch aarch64 --to c profile.json
    """
    if by_library:
        program, byte_order = _by_library(filters, reader), None
    else:
        program, byte_order = _compiled(filters, reader, goal, timeout)
    is_swapped = target_format == "raw" and byte_order not in (None, sys.byteorder)
    write_bytes(target, cbpf.render_bytes(program, "raw-swapped" if is_swapped else target_format))


def _compiled(filters: Words, reader: FilterReader, goal: cbpf.Goal, timeout: float) -> tuple[cbpf.Program, str]:
    """Return the program of a policy, proved equal to it, and its byte order."""
    sources = reader.each(filters)
    if len(sources) != 1:
        raise CommandError(f"{sources[0].name}: {len(sources)} stacks of filters; write one of them")
    source = sources[0].filter
    policy = source if isinstance(source, cbpf.seccomp.Policy) else cbpf.seccomp.policy(source, timeout=timeout)
    program = policy.program(goal)
    if cbpf.seccomp.difference(policy, program, dialect=policy.dialect, timeout=timeout):
        raise CommandError(f"{sources[0].name}: compiler bug: the program is not equal to the policy")
    return program, policy.byte_order


def _by_library(filters: Words, reader: FilterReader) -> cbpf.Program:
    """Return libseccomp's program of a profile."""
    paths, command = filters
    if len(paths) > 1 or command or reader.is_live:
        raise UsageError("--libseccomp compiles one profile")
    path = paths[0] if paths else "-"
    result = cbpf.seccomp.compile_profile(
        read_bytes(path).decode(errors="replace"),
        architecture=reader.architecture,
        capabilities=(*cbpf.seccomp.DEFAULT_CAPABILITIES, *reader.capabilities),
        kernel_version=reader.kernel_version,
        source=display_name(path),
    )
    report_omissions(display_name(path), result.omissions)
    return result.program
