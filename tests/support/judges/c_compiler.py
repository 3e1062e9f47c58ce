"""C compilers as judges: functions of the C target, compiled with all warnings and with sanitizers, and run on packets.

Each packet is in memory of exactly its size, so that AddressSanitizer reports every byte that is read outside of it.
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

COMPILERS: Final = ("gcc", "clang")
WARNINGS: Final = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror")
SANITIZERS: Final = ("-g", "-fsanitize=undefined,address", "-fno-sanitize-recover=all")

_MAIN: Final = """
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
typedef uint32_t filter_function(const uint8_t *, size_t, size_t);
%(declarations)s
static filter_function *const filters[] = {%(names)s};
int main(void)
{
    uint32_t row[3], verdict;
    while (fread(row, 4, 3, stdin) == 3) {
        uint8_t *packet = malloc(row[1] ? row[1] : 1);
        if (fread(packet, 1, row[1], stdin) != row[1]) return 3;
        verdict = filters[row[0]](row[1] ? packet : packet + 1, row[1], row[2]);
        fwrite(&verdict, 4, 1, stdout);
        free(packet);
    }
    return 0;
}
"""


def available(compiler: str) -> str | None:
    """Return None if a compiler with its sanitizers is installed, else the reason."""
    if shutil.which(compiler) is None:
        return f"{compiler} is not installed"
    command = [compiler, *SANITIZERS, "-x", "c", "-", "-o", "/dev/null"]
    result = subprocess.run(command, input=b"int main(void) { return 0; }", capture_output=True, check=False)
    return None if result.returncode == 0 else f"{compiler} has no sanitizers here"


class Functions:
    """Functions named f0, f1 and so on, compiled together.

    Raises:
        AssertionError: The compiler has a warning or an error.
    """

    def __init__(self, compiler: str, sources: Sequence[str], folder: Path) -> None:
        self._path = folder / f"filters-{compiler}"
        names = [f"f{index}" for index in range(len(sources))]
        declarations = "\n".join(f"filter_function {name};" for name in names)
        main = _MAIN % {"declarations": declarations, "names": ", ".join(names)}
        files = [folder / "main.c", folder / "filters.c"]
        files[0].write_text(main)
        files[1].write_text(_joined(sources))
        compile_one(compiler, files[1], folder / "filters.o", *SANITIZERS)
        command = [compiler, *SANITIZERS, str(files[0]), str(folder / "filters.o"), "-o", str(self._path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr[:4000]

    def verdicts(self, runs: Sequence[tuple[int, bytes, int]]) -> list[int]:
        """Return the verdict of each run: the index of a function, a packet, and its length on the wire."""
        rows = b"".join(struct.pack("=III", index, len(packet), wire) + packet for index, packet, wire in runs)
        result = subprocess.run([self._path], input=rows, capture_output=True, check=False)
        assert result.returncode == 0, result.stderr.decode()[:4000]
        return list(struct.unpack(f"={len(result.stdout) // 4}I", result.stdout))


def _joined(sources: Sequence[str]) -> str:
    """Return sources as one file: their helper functions once each."""
    helpers: dict[str, None] = {}
    functions = []
    for source in sources:
        head, comment, function = source.partition("/*\n")
        helpers |= dict.fromkeys(re.findall(r"^static .*?^}$", head, re.MULTILINE | re.DOTALL))
        functions.append(comment + function)
    declarations = re.findall(r"^uint32_t \w+\(.*\)$", "\n".join(functions), re.MULTILINE)
    includes = "#include <stddef.h>\n#include <stdint.h>\n"
    prototypes = "".join(f"{declaration};\n" for declaration in declarations)
    return includes + "\n".join(helpers) + "\n" + prototypes + "\n".join(functions)


def compile_one(compiler: str, source: Path, target: Path, *options: str) -> None:
    """Compile a file with all warnings as errors."""
    command = [compiler, "-c", *WARNINGS, *options, str(source), "-o", str(target)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[:4000]
