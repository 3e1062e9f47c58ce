"""The kernel's header files as a reference for constants: macros of this machine's headers, and of other architectures.

Debian's linux-libc-dev has the headers of this machine, and linux-libc-dev-ARCH-cross those of others; gcc reads them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path("/usr")


class Headers(NamedTuple):
    """The headers of an architecture.

    Attributes:
        package: The folder that the package linux-libc-dev-ARCH-cross installs in /usr; "" for this machine's headers.
        header: The header with the numbers of system calls.
        options: The options of gcc with which the header selects the architecture.
    """

    package: str
    header: str
    options: tuple[str, ...] = ()


_64_BITS: Final = ("-D__LP64__", "-D__BITS_PER_LONG=64", "-D__riscv_xlen=64", "-D__SIZEOF_POINTER__=8")

SYSTEM_CALL_HEADERS: Final = {
    "x86_64": Headers("", "asm/unistd_64.h"),
    "i386": Headers("", "asm/unistd_32.h"),
    "x32": Headers("", "asm/unistd_x32.h", ("-D__X32_SYSCALL_BIT=0x40000000",)),
    "aarch64": Headers("aarch64-linux-gnu", "asm/unistd.h", _64_BITS),
    "riscv64": Headers("riscv64-linux-gnu", "asm/unistd.h", _64_BITS),
    "loongarch64": Headers("aarch64-linux-gnu", "asm-generic/unistd.h", _64_BITS),  # its numbers are the generic ones
    "arm": Headers("arm-linux-gnueabihf", "asm/unistd.h", ("-D__ARM_EABI__",)),
    "s390x": Headers("s390x-linux-gnu", "asm/unistd_64.h"),
    "s390": Headers("s390x-linux-gnu", "asm/unistd_32.h"),
    "ppc64le": Headers("powerpc64le-linux-gnu", "asm/unistd_64.h"),
    "ppc": Headers("powerpc64le-linux-gnu", "asm/unistd_32.h"),
    "mips": Headers("mips-linux-gnu", "asm/unistd.h", ("-D_MIPS_SIM=1", "-D_MIPS_SIM_ABI32=1")),
    "mips64": Headers("mips-linux-gnu", "asm/unistd.h", ("-D_MIPS_SIM=3", "-D_MIPS_SIM_ABI64=3")),
    "mips64n32": Headers("mips-linux-gnu", "asm/unistd.h", ("-D_MIPS_SIM=2", "-D_MIPS_SIM_NABI32=2")),
}
"""By the name of an architecture."""

_NOT_CALLS: Final = re.compile(r"unused\d+|reserved\d+|arch_specific_syscall|syscalls|Linux.*|BASE|.*SYSCALL_\w+")


@cache
def _folders(package: str) -> tuple[Path, ...]:
    """Return the folders in which gcc looks for the headers of a package, without those that do not exist."""
    parts = (f"include/{_multiarch()}", "include") if not package else (f"{package}/include",)
    return tuple(folder for part in parts if (folder := ROOT / part).is_dir())


@cache
def _multiarch() -> str:
    """Return the name of the folder of this machine's own headers, such as x86_64-linux-gnu."""
    return subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True).stdout.strip()


def missing(headers: Headers) -> str | None:
    """Return None if gcc can read the headers, else the reason in one sentence."""
    if not shutil.which("gcc"):
        return "gcc is not installed."
    if not any((folder / headers.header).exists() for folder in _folders(headers.package)):
        return f"{headers.header} of {headers.package or 'this machine'} is not installed."
    return None


def constants(headers: Headers, prefix: str) -> dict[str, int]:
    """Return the numbers of the macros whose names begin with *prefix*, by the rest of their names."""
    folders = [f"-I{folder}" for folder in _folders(headers.package)]
    command = ["gcc", "-E", "-dM", "-undef", "-nostdinc", *folders, *headers.options, "-include", headers.header, "-"]
    output = subprocess.run(command, input="", capture_output=True, text=True, check=True).stdout
    macros = dict(re.findall(r"^#define (\w+)[ \t]+(.*)$", output, re.MULTILINE))

    def expand(text: str) -> str:
        """Replace the names of macros by their numbers."""
        return re.sub(
            r"\b[A-Za-z_]\w*", lambda name: f"({expand(macros[name[0]])})", re.sub(r"\b(\w+?)[UL]+\b", _bare, text)
        )

    names = [name for name in macros if name.startswith(prefix)]
    return {name.removeprefix(prefix): int(eval(expand(macros[name]))) for name in names if _is_number(macros, name)}


def _bare(match: re.Match[str]) -> str:
    """Return a number without the suffix of its type; other words are unchanged."""
    return match[1] if match[1][:1].isdigit() else match[0]


def _is_number(macros: dict[str, str], name: str) -> bool:
    """Return whether a macro is an expression of numbers and of other macros that are."""
    if not re.fullmatch(r"[\w\s()+|<-]+", macros.get(name, "")):
        return False
    return all(_is_number(macros, each) for each in re.findall(r"\b[A-Za-z_]\w*", macros[name]))


def system_calls(headers: Headers) -> dict[str, int]:
    """Return the numbers of the system calls by name."""
    calls = constants(headers, "__NR_") | {f"{name}": value for name, value in constants(headers, "__ARM_NR_").items()}
    return {name: number for name, number in calls.items() if not _NOT_CALLS.fullmatch(name)}
