"""A program as one C function, without other functions or libraries: C99, or C++."""

import os
import re

from ..._typing import Final
from ...isa.dialects import Dialect
from ...isa.program import Program
from .machine import LOADS, VARIABLES
from .structure import Body, Line, body_of

_INDENTATION: Final = "    "
_MAX_COMMENT_COLUMN: Final = 48

_SIGNATURE: Final = "uint32_t {name}(const uint8_t *packet, size_t captured, size_t wire)"
_DESCRIPTION: Final = """\
/*
 * {title}
 *
 * packet: the bytes that were captured. captured: their number, at most 2147483647. wire: the length of the packet on
 * the wire. Returns {verdict}.
 */"""

_FORMULAS: Final = {
    "load_16": "(uint32_t)p[0] << 8 | p[1]",
    "load_32": "(uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]",
    "load_16_little": "(uint32_t)p[1] << 8 | p[0]",
    "load_32_little": "(uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0]",
}


def c_source(program: Program, dialect: Dialect, name: str, title: str, *, main: bool = False) -> str:
    """Return the C source of a program that the dialect accepts, and that the target can execute.

    Args:
        program: The program.
        dialect: The dialect.
        name: The name of the function.
        title: The first line of the comment before it.
        main: Whether the file has a main function that filters a capture.
    """
    body = body_of(program, dialect)
    code = "\n".join(line.code for line in body.lines)
    words = set(re.findall(r"\w+", code))
    verdict = "the action of seccomp" if dialect.record_size else "0 to reject the packet"
    parts = [
        "#include <stddef.h>\n#include <stdint.h>",
        *(_helper(load) for load in LOADS.values() if load in words),
        f"{_DESCRIPTION.format(title=_in_comment(title), verdict=verdict)}\n{_SIGNATURE.format(name=name)}\n{{",
    ]
    declarations = [
        *_declarations(body, words),
        *(f"{_INDENTATION}(void){name};" for name in ("packet", "captured", "wire") if name not in words),
    ]
    text = "\n\n".join(parts)
    end = ["}", *([_main_function(name)] if main else []), ""]
    return "\n".join([text, *declarations, *([""] if declarations else []), *_aligned(body.lines), *end])


def _in_comment(text: str) -> str:
    """Return a text as one line of a comment."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.replace("*/", "* /").replace("??/", "?? /").split())


def _main_function(name: str) -> str:
    path = os.path.join(os.path.dirname(__file__), "main.c")
    with open(path, encoding="ascii") as stream:
        return stream.read().replace("@NAME@", name).rstrip("\n")


def _helper(name: str) -> str:
    return f"static uint32_t {name}(const uint8_t *p)\n{{\n{_INDENTATION}return {_FORMULAS[name]};\n}}"


def _declarations(body: Body, words: set[str]) -> list[str]:
    """Return the declaration of the variables that are used."""
    names = [
        f"{name} = 0" if body.initialized >> register & 1 else name
        for register, name in enumerate(VARIABLES)
        if name in words
    ]
    return [f"{_INDENTATION}uint32_t {', '.join(names)};"] if names else []


def _aligned(lines: list[Line]) -> list[str]:
    """Return lines with their indentation, and with their comments in one column where they fit."""
    codes = [_INDENTATION * (line.depth + 1) + line.code for line in lines]
    column = min(max(map(len, codes), default=0), _MAX_COMMENT_COLUMN) + 2
    return [
        f"{code.ljust(column - 2)}  /* {line.comment} */" if line.comment else code.rstrip()
        for code, line in zip(codes, lines, strict=True)
    ]
