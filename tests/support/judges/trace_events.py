"""The arguments of system calls, as the running kernel describes them in its trace events (tracefs).

Each entry point `sys_NAME` has a file `events/syscalls/sys_enter_NAME/format` with the names and C types of its
arguments. Reading it needs root, and a kernel with CONFIG_FTRACE_SYSCALLS. Where tracefs is not mounted, it is mounted
in a namespace of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from typing import Final

_EVENTS: Final = "/sys/kernel/tracing/events/syscalls"
_READ: Final = f"""
[ -d {_EVENTS} ] || mount -t tracefs nodev /sys/kernel/tracing || exit
cat {_EVENTS}/sys_enter_*/format
"""
_FIELD: Final = re.compile(r"\tfield:(.*?);\toffset:(\d+);")
_FIRST_ARGUMENT: Final = 16  # the fields before it are those of all events, and the number of the call

ENTRY_POINTS: Final = {
    "newfstat": "fstat",
    "newlstat": "lstat",
    "newstat": "stat",
    "newuname": "uname",
    "sendfile64": "sendfile",
    "umount": "umount2",
}
"""The names of the calls whose entry points have other names."""


@cache
def _formats() -> str:
    """Return the contents of the files; empty if they cannot be read."""
    if os.geteuid() != 0:
        return ""
    done = subprocess.run(["unshare", "-m", "sh", "-c", _READ], capture_output=True, text=True, check=False)
    return done.stdout


def available() -> str | None:
    """Return None if the trace events can be read, else the reason in one sentence."""
    if os.geteuid() != 0:
        return "Only root reads the trace events of system calls."
    return None if "sys_enter_" in _formats() else "This kernel has no trace events of system calls."


def prototypes() -> dict[str, str]:
    """Return the C prototype of each system call by name, without the type of its result: `close(unsigned int fd)`."""
    result = {}
    for text in _formats().split("name: sys_enter_")[1:]:
        entry = text.split("\n", 1)[0]
        name = ENTRY_POINTS.get(entry, entry)
        fields = [field for field, offset in _FIELD.findall(text) if int(offset) >= _FIRST_ARGUMENT]
        arguments = (re.sub(r"\* (?=\*|\w+$)", "*", field) for field in fields)
        result[name] = f"{name}({', '.join(arguments)})"
    return result
