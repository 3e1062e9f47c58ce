"""cbpf seccomp write: the program of a policy."""

from __future__ import annotations

import sys

import cbpf

from ...._text import counted
from ...declarations import argument, option, subcommand
from ...failures import CommandError, UsageError
from ...options import display_name, read_bytes, target_format_option, target_option, write_bytes
from ...seccomp_sources import (
    FilterReader,
    Words,
    filter_options,
    report_omissions,
    timeout_option,
)
from ...streams import echo
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
@option(
    "--enosys",
    is_flag=True,
    help="Let calls with numbers above all that a profile names fail with ENOSYS, as runc does.",
)
@option("--libseccomp", "by_library", is_flag=True, help="Compile a profile by libseccomp, for comparisons.")
@target_format_option("raw")
@target_option
@timeout_option
def command(
    filters: Words,
    reader: FilterReader,
    goal: cbpf.Goal,
    enosys: bool,
    by_library: bool,
    target_format: str,
    target: str | None,
    timeout: float,
) -> int:
    """Write an optimised program that decides every system call as POLICY does, by default read from standard input.

    POLICY is a policy file, a profile, or any other FILTER; of a stack, the result is one program. Before it is
    written, the program is proved equal to the policy. The format raw has the byte order of the architecture.

    With --libseccomp, the program that libseccomp makes is written, and a message states whether it decides any call
    otherwise than the profile demands.

    Exit code: 0 success, 1 libseccomp's program contradicts the profile, 2 error, 3 undecided.

    \b
      cbpf seccomp write policy.toml -w filter.bpf
      cbpf seccomp write --arch aarch64 --to c profile.json
    """
    if enosys and by_library:
        raise UsageError("--enosys and --libseccomp are mutually exclusive")
    is_right = True
    if by_library:
        path = _profile_path(filters, reader, "--libseccomp")
        compiled = _by_library(path, reader)
        is_right = _is_right(display_name(path), compiled, timeout)
        program, byte_order = compiled.program, cbpf.seccomp.ARCHITECTURES[compiled.architectures[0]].byte_order
    else:
        name, policy = _with_enosys(filters, reader) if enosys else _policy(filters, reader, timeout)
        program, byte_order = _compiled(name, policy, goal, timeout), policy.byte_order
    is_swapped = target_format == "raw" and byte_order != sys.byteorder
    write_bytes(target, cbpf.render_bytes(program, "raw-swapped" if is_swapped else target_format))
    return 0 if is_right else 1


def _policy(filters: Words, reader: FilterReader, timeout: float) -> tuple[str, cbpf.seccomp.Policy]:
    """Return the name and the policy of a filter."""
    sources = reader.each(filters)
    if len(sources) != 1:
        raise CommandError(f"{sources[0].name}: {len(sources)} stacks of filters; write one of them")
    source = sources[0].filter
    if isinstance(source, cbpf.seccomp.Policy):
        return sources[0].name, source
    return sources[0].name, cbpf.seccomp.policy(source, timeout=timeout)


def _compiled(name: str, policy: cbpf.seccomp.Policy, goal: cbpf.Goal, timeout: float) -> cbpf.Program:
    """Return the program of a policy, proved equal to it."""
    program = policy.program(goal)
    if cbpf.seccomp.difference(policy, program, dialect=policy.dialect, timeout=timeout):
        raise CommandError(f"{name}: compiler bug: the program is not equal to the policy")
    return program


def _with_enosys(filters: Words, reader: FilterReader) -> tuple[str, cbpf.seccomp.Policy]:
    """Return the name and the policy of a profile, with ENOSYS for numbers beyond it."""
    path = _profile_path(filters, reader, "--enosys")
    result = _profile(path, reader, enosys=True)
    report_omissions(display_name(path), result.omissions)
    return display_name(path), result.policy


def _by_library(path: str, reader: FilterReader) -> cbpf.seccomp.LibseccompProgram:
    """Return libseccomp's program of a profile."""
    result = cbpf.seccomp.compile_profile(_profile(path, reader))
    report_omissions(display_name(path), result.omissions)
    return result


def _is_right(name: str, compiled: cbpf.seccomp.LibseccompProgram, timeout: float) -> bool:
    """Return whether libseccomp's program is equal to cbpf's own for the profile, and report a call if it is not."""
    found = compiled.contradictions(timeout=timeout)
    if found:
        fact = f"{counted(len(found), 'difference')} between the profile and libseccomp's program"
        echo(f"cbpf: {name}: {fact}; the first: {found[0].example()}", err=True)
    return not found


def _profile_path(filters: Words, reader: FilterReader, name: str) -> str:
    """Return the name of the only file of an option for profiles."""
    paths, command = filters
    if len(paths) > 1 or command or reader.is_live:
        raise UsageError(f"{name} requires one profile")
    return paths[0] if paths else "-"


def _profile(path: str, reader: FilterReader, *, enosys: bool = False) -> cbpf.seccomp.ProfilePolicy:
    """Return a profile, for the machine of the options."""
    return cbpf.seccomp.read_profile(
        read_bytes(path).decode(errors="replace"),
        architecture=reader.architecture,
        capabilities=(*cbpf.seccomp.DEFAULT_CAPABILITIES, *reader.capabilities),
        kernel_version=reader.kernel_version,
        enosys=enosys,
        source=display_name(path),
    )
