"""cbpf seccomp run: a command under a filter of system calls."""

from __future__ import annotations

import sys

import cbpf

from ...declarations import argument, option, subcommand
from ...failures import CommandError, UsageError
from ...seccomp_sources import FilterReader, Words, file_options
from ...values import FILE


@subcommand("seccomp run", "Run a command under a filter of system calls.")
@argument("words", kind=FILE, required=False, multiple=True, divided=True, metavar="FILTER... -- COMMAND...")
@file_options
@option("--log", is_flag=True, help="Have the kernel log the calls that the filter does not allow.")
def command(words: Words, reader: FilterReader, log: bool) -> None:
    """Put this process under FILTER, and replace it by COMMAND; the exit code is then that of COMMAND.

    Several filters are installed as a stack, the oldest first. The filters are for COMMAND and all its children, and
    nobody can remove them. They also decide about the last calls of cbpf itself, so they must allow execve.
    no_new_privs is set, so that no privilege is needed, and COMMAND gets none by set-user-ID.

    Exit code: 0 success of COMMAND, 2 error.

    \b
      cbpf seccomp run policy.toml -- ls
    """
    filters, words_of_command = words
    if not (filters and words_of_command):
        raise UsageError("expected FILTER -- COMMAND")
    (source,) = reader.each((filters, ()))
    stack = source.stack
    if stack.dialect.byte_order != sys.byteorder:
        fact = f"the filter is for {stack.dialect.byte_order}-endian machines, and this one is {sys.byteorder}-endian"
        raise CommandError(f"{source.name}: {fact}")
    cbpf.seccomp.execute(stack.programs, words_of_command, log=log)
