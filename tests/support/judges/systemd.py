"""The groups of system calls of systemd, as the installed systemd-analyze prints them."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Final

_COMMAND: Final = "systemd-analyze"


def available() -> str | None:
    """Return None if systemd-analyze is installed, else the reason in one sentence."""
    return None if shutil.which(_COMMAND) else f"{_COMMAND} is not installed."


def version() -> str:
    """Return the version of systemd with that of its package, such as "252.38-1~deb12u1"."""
    found = re.match(r"systemd \d+ \((.+)\)", _output("--version"))
    assert found
    return found[1]


def call_groups() -> dict[str, list[str]]:
    """Return the members of each group, calls and groups, by its name, without @known.

    The text has a line for each group, and below it indented lines: comments, and the members.
    """
    groups: dict[str, list[str]] = {}
    members: list[str] = []
    for line in _output("syscall-filter").splitlines():
        word = line.strip()
        if line.startswith("#"):
            members = []  # those after it are in no group
        elif line.startswith("@"):
            members = groups[word] = []
        elif word and not word.startswith("#"):
            members.append(word)
    del groups["@known"]
    return groups


def _output(argument: str) -> str:
    return subprocess.run([_COMMAND, argument], capture_output=True, text=True, check=True).stdout
