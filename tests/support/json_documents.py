"""The objects that commands print with --json."""

from __future__ import annotations

import json
from typing import Any

from support.command_line import CommandLine, run_here


def documents(*arguments: str, code: int = 0, stdin: bytes | None = None, errors: int = 0) -> list[Any]:
    """Return the objects that a command prints, each on a line; *errors* is the number of lines on stderr."""
    done = run_here(*arguments, "--json") if stdin is None else CommandLine()(*arguments, "--json", stdin=stdin)
    assert (done.exit_code, done.stderr.count("\n")) == (code, errors), done
    assert done.stdout.isascii()
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def document(*arguments: str, code: int = 0, stdin: bytes | None = None) -> Any:
    """Return the only object that a command prints."""
    (only,) = documents(*arguments, code=code, stdin=stdin)
    return only
