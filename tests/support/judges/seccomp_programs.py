"""Other programs that read and evaluate filters of system calls, as judges: those of libseccomp, and ceccomp.

`scmp_sys_resolver` is in Debian's package seccomp, ceccomp on PyPI. `scmp_bpf_disasm` and `scmp_bpf_sim` are in no
package: `python -m support.judges.seccomp_programs SOURCE FOLDER`, run in the folder `tests`, compiles them from the
source of libseccomp (`apt-get source libseccomp`) into a folder, for $CBPF_SECCOMP_TOOLS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import cbpf
from cbpf.seccomp import Architecture, SystemCall

FOLDER: Final = os.environ.get("CBPF_SECCOMP_TOOLS", "")
_SOURCES: Final = {
    "scmp_sys_resolver": "Debian's package seccomp has it",
    "scmp_bpf_disasm": "tests/support/judges/seccomp_programs.py compiles it",
    "scmp_bpf_sim": "tests/support/judges/seccomp_programs.py compiles it",
    "ceccomp": "pip install ceccomp",
}
_HEADER_LINES: Final = 2
_ACTIONS: Final = {
    "KILL": "KILL_THREAD",
    "NOTIFY": "USER_NOTIF",
}
"""The names of actions where they differ from those of cbpf."""
_WITH_DATA: Final = ("ERRNO", "TRACE")


def _path(name: str) -> str | None:
    folders = os.pathsep.join(filter(None, [FOLDER, os.environ.get("PATH", "")]))
    return shutil.which(name, path=folders)


def missing(name: str) -> str | None:
    """Return why a program cannot be used; None if it can."""
    return None if _path(name) else f"{name} is not installed; {_SOURCES[name]}"


def _output(name: str, *arguments: str, data: bytes | None = None) -> str:
    done = subprocess.run([_path(name) or name, *arguments], input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.decode().strip()}")
    return done.stdout.decode()


def libseccomp_name(architecture: Architecture) -> str:
    """Return the name that the programs of libseccomp have for an architecture."""
    return architecture.oci.removeprefix("SCMP_ARCH_").lower()


def resolved_numbers(architecture: Architecture, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers that libseccomp has for calls of an architecture, without those that it does not know.

    {}: it does not know the architecture.
    """
    script = 'for each; do "$RESOLVER" -a "$ARCHITECTURE" "$each"; done'
    known = [*names]
    environment = {"RESOLVER": _path("scmp_sys_resolver") or "", "ARCHITECTURE": libseccomp_name(architecture)}
    command = ["sh", "-c", script, "sh", *known]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {}
    found = zip(known, map(int, done.stdout.split()), strict=True)
    return {
        name: number for name, number in found if number >= 0
    }  # a negative one is of a call that socketcall or ipc makes


class Line(NamedTuple):
    """A line of a listing of `scmp_bpf_disasm`: the instruction, its mnemonic, and its operands."""

    raw: tuple[int, int, int, int]
    mnemonic: str
    operands: tuple[str, ...]


def disassembly(program: cbpf.Program, architecture: Architecture) -> list[Line]:
    """Return the lines that `scmp_bpf_disasm` prints for a program."""
    data = program.to_bytes(byte_order=architecture.byte_order)
    output = _output("scmp_bpf_disasm", "-a", libseccomp_name(architecture), data=data)
    lines = []
    for index, line in enumerate(output.splitlines()[_HEADER_LINES:]):
        position, *columns, mnemonic = line.split(maxsplit=6)[:6]
        assert position == f"{index:04}:"
        op, jt, jf, k = (int(column, 16) for column in columns)
        lines.append(Line((op, jt, jf, k), mnemonic, tuple(line.split()[6:])))
    return lines


def simulated(path: Path, call: SystemCall, architecture: Architecture) -> str:
    """Return the action of `scmp_bpf_sim` for a call under the program in a file, as `action_name` writes it."""
    number = call.number - (call.number >> 31 << 32)  # of type int
    options = [word for index, value in enumerate(call.arguments) for word in (f"-{index}", str(value))]
    name = libseccomp_name(architecture)
    output = _output("scmp_bpf_sim", "-f", str(path), "-a", name, "-s", str(number), *options)
    return with_name(output.strip())


def emulated(path: Path, call: SystemCall) -> str:
    """Return the action of ceccomp for a call of x86_64 or x32 under the listing in a file."""
    words = [hex(call.number), *map(hex, call.arguments), "0"]
    output = _output("ceccomp", "emu", "-q", "-c", "never", "-a", "x86_64", str(path), *words)
    return with_name(output.strip().removeprefix("return "), with_data=(*_WITH_DATA, "TRAP"))


def ceccomp_listing(path: Path) -> str:
    """Return the listing of ceccomp for a program in a file, which it reads again."""
    return _output("ceccomp", "disasm", "-c", "never", "-a", "x86_64", str(path))


def action_name(action: cbpf.seccomp.SeccompAction, *, with_data: Sequence[str] = _WITH_DATA) -> str:
    """Return the name of an action, and its data where the programs print it.

    >>> action_name(cbpf.seccomp.SeccompAction(0x50001))
    'ERRNO(1)'
    """
    return f"{action.name}({action.data})" if action.name in with_data else action.name


def with_name(text: str, *, with_data: Sequence[str] = _WITH_DATA) -> str:
    """Return an action as `action_name` writes it."""
    name, bracket, data = text.partition("(")
    name = _ACTIONS.get(name, name)
    return f"{name}{bracket}{data}" if name in with_data else name


def main() -> None:
    """Compile the programs of libseccomp whose source does not need the library."""
    if len(sys.argv) != 3:
        sys.exit("usage: python -m support.judges.seccomp_programs SOURCE FOLDER")
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    template = (source / "include/seccomp.h.in").read_text()
    (target / "seccomp.h").write_text(template.replace("@VERSION_MAJOR@", "0"))
    (target / "configure.h").touch()
    for name in ("scmp_bpf_disasm", "scmp_bpf_sim"):
        files = [str(source / "tools" / f"{each}.c") for each in (name, "util")]
        includes = ["-I", str(target), "-I", str(source / "include")]
        subprocess.run(["gcc", "-O", "-w", *includes, "-o", str(target / name), *files], check=True)


if __name__ == "__main__":
    main()
