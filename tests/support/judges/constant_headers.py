"""The constants of the kernel's header files for user space (UAPI), on each architecture.

The headers of all architectures are in the package ziglang of PyPI, those of this machine in linux-libc-dev. gcc
evaluates the constants.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from support.judges.constant_families import FAMILIES, Family

_TYPES: Final = "#include <linux/types.h>\ntypedef long long loff_t;\n"  # FIOQSIZE has the size of loff_t
_32: Final = ("-D__CHAR_BIT__=8", "-D__SIZEOF_LONG__=4", "-D__SIZEOF_POINTER__=4")
_64: Final = ("-D__CHAR_BIT__=8", "-D__SIZEOF_LONG__=8", "-D__SIZEOF_POINTER__=8", "-D__LP64__")
_MIPS: Final = (*_32, "-D_MIPS_SIM=1", "-D_MIPS_SIM_ABI32=1", "-D_MIPS_SZLONG=32")
_MIPS64: Final = (*_64, "-D_MIPS_SIM=3", "-D_MIPS_SIM_ABI64=3", "-D_MIPS_SZLONG=64")
_MIPSN32: Final = (*_32, "-D_MIPS_SIM=2", "-D_MIPS_SIM_NABI32=2", "-D_MIPS_SZLONG=32")
_BIG: Final = ("-D__BIG_ENDIAN__", "-D__MIPSEB__")
_LITTLE: Final = ("-D__LITTLE_ENDIAN__", "-D__MIPSEL__")

_TREES: Final = {
    "x86_64": ("x86", (*_64, "-D__x86_64__")),
    "x32": ("x86", (*_32, "-D__x86_64__", "-D__ILP32__")),
    "i386": ("x86", (*_32, "-D__i386__")),
    "aarch64": ("aarch64", (*_64, "-D__aarch64__")),
    "arm": ("arm", (*_32, "-D__arm__", "-D__ARM_EABI__")),
    "riscv64": ("riscv", (*_64, "-D__riscv", "-D__riscv_xlen=64")),
    "loongarch64": ("loongarch", (*_64, "-D__loongarch__")),
    "s390x": ("s390x", (*_64, "-D__s390__", "-D__s390x__")),
    "s390": ("s390x", (*_32, "-D__s390__")),
    "ppc64le": ("powerpc", (*_64, "-D__powerpc__", "-D__powerpc64__", *_LITTLE)),
    "ppc64": ("powerpc", (*_64, "-D__powerpc__", "-D__powerpc64__", *_BIG)),
    "ppc": ("powerpc", (*_32, "-D__powerpc__", *_BIG)),
    "mips": ("mips", (*_MIPS, *_BIG)),
    "mipsel": ("mips", (*_MIPS, *_LITTLE)),
    "mips64": ("mips", (*_MIPS64, *_BIG)),
    "mipsel64": ("mips", (*_MIPS64, *_LITTLE)),
    "mips64n32": ("mips", (*_MIPSN32, *_BIG)),
    "mipsel64n32": ("mips", (*_MIPSN32, *_LITTLE)),
}
"""By the name of an architecture: that of its headers, and the macros that a compiler for it defines."""

_OWN_ARCHITECTURES: Final = {"x86_64": ("x86_64", "x32", "i386"), "aarch64": ("aarch64",)}


class Headers(NamedTuple):
    """The headers of an architecture: the folders, and the options of gcc."""

    folders: tuple[Path, ...]
    options: tuple[str, ...]


@cache
def headers() -> dict[str, Headers]:
    """Return the headers that are installed, by the name of the architecture."""
    if not shutil.which("gcc"):
        return {}
    spec = importlib.util.find_spec("ziglang")
    for location in (spec and spec.submodule_search_locations) or ():
        root = Path(location, "lib/libc/include")
        return {
            name: Headers((root / f"{tree}-linux-any", root / "any-linux-any"), options)
            for name, (tree, options) in _TREES.items()
        }
    names = _OWN_ARCHITECTURES.get(platform.machine(), ())
    done = subprocess.run(["gcc", "-print-multiarch"], capture_output=True, text=True, check=True)
    folders = (Path("/usr/include", done.stdout.strip()), Path("/usr/include"))
    is_installed = (folders[1] / "linux" / "mman.h").exists()
    return {name: Headers(folders, _TREES[name][1]) for name in names if is_installed}


def version() -> str:
    """Return the version of Linux whose headers are installed, such as "7.2"."""
    folder = next(iter(headers().values())).folders[-1]
    text = (folder / "linux" / "version.h").read_text()
    numbers = dict(re.findall(r"#define LINUX_VERSION_(MAJOR|PATCHLEVEL) (\d+)", text))
    return f"{numbers['MAJOR']}.{numbers['PATCHLEVEL']}"


@cache
def constants(architecture: str) -> dict[str, dict[str, int]]:
    """Return the constants of each family on an architecture, in the order of the headers."""
    tree = headers()[architecture]
    names = dict.fromkeys(name for family in FAMILIES.values() for name in family.headers.split())
    present = [name for name in names if any((folder / name).exists() for folder in tree.folders)]
    source = _TYPES + "".join(f"#include <{name}>\n" for name in present)
    text = subprocess.run(
        [*_command(tree), "-E", "-dD"], input=source, capture_output=True, text=True, check=True
    ).stdout
    chosen = {section: _names(text, family) for section, family in FAMILIES.items()}
    numbers = _values(tree, source, list(dict.fromkeys(name for each in chosen.values() for name in each)))
    return {section: {name: numbers[name] for name in each if name in numbers} for section, each in chosen.items()}


def _names(text: str, family: Family) -> list[str]:
    """Return the names of macros and of members of enums in a preprocessed source that a family has."""
    names = []
    pattern = (
        rf"enum\s+{family.enum}\s*\{{(.*?)\}}" if family.enum else r"enum\s*\w*\s*\{(.*?)\}|^#define (\w+)[ \t]+\S"
    )
    for found in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        if body := found[1]:
            names += re.findall(r"(?:^|,)\s*(\w+)\s*(?==|,|\s*$)", re.sub(r"(?m)^#.*$", "", body))
        else:
            names.append(found[2])
    matching = (name for name in dict.fromkeys(names) if re.fullmatch(family.names, name))
    return [name for name in matching if not re.fullmatch(family.others, name)]


def _values(tree: Headers, source: str, names: list[str]) -> dict[str, int]:
    """Return the numbers of constant expressions; those of other names are left out."""
    while names:
        lines = [f"unsigned long long value_{name} = (unsigned long long)({name});" for name in names]
        done = _compile(tree, source + "#line 1\n" + "\n".join(lines) + "\n")
        failed = {int(line) for line in re.findall(r"^<stdin>:(\d+):\d+: (?:error|note)", done.stderr, re.MULTILINE)}
        if done.returncode == 0:
            found = re.findall(r"^value_(\w+):\n\t\.(?:quad|zero)\t(-?\d+)", done.stdout, re.MULTILINE)
            zeros = re.findall(r"^value_(\w+):\n\t\.zero", done.stdout, re.MULTILINE)
            numbers = {name: int(digits) % 2**64 for name, digits in found} | dict.fromkeys(zeros, 0)
            return {name: numbers[name] for name in names}
        assert failed, done.stderr
        names = [name for line, name in enumerate(names, 1) if line not in failed]
    return {}


def _command(tree: Headers) -> list[str]:
    return ["gcc", "-undef", "-nostdinc", "-w", *(f"-I{folder}" for folder in tree.folders), *tree.options, "-xc", "-"]


def _compile(tree: Headers, source: str) -> subprocess.CompletedProcess[str]:
    command = [*_command(tree), "-S", "-O0", "-fno-zero-initialized-in-bss", "-o", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False)
