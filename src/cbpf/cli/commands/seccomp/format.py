"""cbpf seccomp format: a policy file in its canonical form."""

from __future__ import annotations

import cbpf

from ...declarations import argument, option, subcommand
from ...options import display_name, read_bytes, target_option, write_bytes
from ...values import FILE

_NOT_CANONICAL = 1


@subcommand("seccomp format", "Write a policy file in its canonical form.")
@argument("policy", kind=FILE, required=False)
@option("--check", is_flag=True, help="Write the canonical form only if the file differs from it.")
@target_option
def command(policy: str | None, check: bool, target: str | None) -> int:
    """Write POLICY, by default read from standard input, in its canonical form, with all comments and the same meaning.

    Exit code: 0 success, 1 with --check if the file is not in its canonical form, 2 error.

    \b
      cbpf seccomp format policy.toml
      cbpf seccomp format --check policy.toml
    """
    path = policy or "-"
    text = read_bytes(path).decode(errors="replace")
    canonical = cbpf.seccomp.format_policy(text, source=display_name(path))
    if canonical != text or not check:
        write_bytes(target, canonical.encode())
    return _NOT_CANONICAL if check and canonical != text else 0
