"""cbpf seccomp format: a policy file in its canonical form."""

from __future__ import annotations

import cbpf

from ...declarations import argument, option, subcommand
from ...failures import UsageError
from ...options import display_name, read_bytes, target_option, write_bytes
from ...streams import echo
from ...values import FILE

_NOT_CANONICAL = 1


@subcommand("seccomp format", "Write a policy file in its canonical form.")
@argument("policy", kind=FILE, required=False)
@option("--check", is_flag=True, help="Write nothing, and print a line if the file is not in its canonical form.")
@target_option
def command(policy: str | None, check: bool, target: str | None) -> int:
    """Write POLICY, by default read from standard input, in its canonical form, with all comments and the same meaning.

    Exit code: 0 success, 1 with --check if the file is not in its canonical form, 2 error.

    \b
      cbpf seccomp format policy.toml
      cbpf seccomp format --check policy.toml
    """
    path = policy or "-"
    if check and target is not None:
        raise UsageError("--check and -w are mutually exclusive")
    text = read_bytes(path).decode(errors="replace")
    canonical = cbpf.seccomp.format_policy(text, source=display_name(path))
    if not check:
        write_bytes(target, canonical.encode())
        return 0
    if canonical == text:
        return 0
    remedy = "" if path == "-" else f"; cbpf seccomp format {path} -w {path} rewrites it"
    echo(f"{display_name(path)}: not in canonical form{remedy}")
    return _NOT_CANONICAL
