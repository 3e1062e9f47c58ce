"""Writing a program for a target."""

import re

from .._typing import Final
from .._validators import flag
from ..errors import FieldError
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Instructions, Program
from ..isa.verifier import verify
from .targets import Target, check_program, target_named

_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SCRATCH: Final = re.compile(r"m\d+")
_RESERVED: Final = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main a x packet
    captured wire p load_16 load_32 load_16_little load_32_little
"""


def emit(
    program: Instructions,
    *,
    target: str = "c",
    dialect: Dialect = PCAP,
    name: str = "filter",
    title: str = "",
    main: bool = False,
) -> str | bytes:
    """Write a program for a target; see `cbpf.emit`."""
    value, chosen = Program(program), target_named(target)
    verify(value, dialect=dialect)
    _check_name(name)
    if flag("emit.main", main) and chosen.name != "c":
        raise FieldError(f"emit.main: True for the target {chosen.name}; a main function exists in C only")
    if main and dialect.record_size is not None:
        raise FieldError(f"emit.main: True for the dialect {dialect.name}; the main function reads captures")
    check_program(value, dialect, chosen)
    return _written(chosen, value, dialect, name, title or f"A program of {len(value)} instructions", main=main)


def _check_name(name: object) -> None:
    if (
        not isinstance(name, str)
        or not _NAME.fullmatch(name)
        or name in _RESERVED.split()
        or re.fullmatch(r"m\d+", name)
    ):
        raise FieldError(f"emit.name: {name!r} is not the name of a C function, or it has another meaning there")


def _written(target: Target, program: Program, dialect: Dialect, name: str, title: str, *, main: bool) -> str | bytes:
    if target.name == "c":
        from .c.source import c_source

        return c_source(program, dialect, name, title, main=main)
    from .native import llvm_ir, object_file

    return llvm_ir(program, dialect, name) if target.is_text else object_file(program, dialect, name)
