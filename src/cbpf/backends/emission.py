"""Writing a program for a target."""

import re

from .._typing import TYPE_CHECKING, Final
from .._validators import flag, one_of
from ..engines.base import require_ctypes
from ..errors import FieldError, MissingLibrary
from ..isa.dialects import Dialect
from ..isa.program import Instructions, Program
from ..isa.verifier import verify
from .targets import Target, check_program, target_named

if TYPE_CHECKING:
    from .._options import AcceptedFate

_WITH_FATES: Final = ("ebpf-xdp", "ebpf-tc")
_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_SCRATCH: Final = re.compile(r"m\d+")
_RESERVED: Final = """
    auto break case char const continue default do double else enum extern float for goto if inline int long register
    restrict return short signed sizeof static struct switch typedef union unsigned void volatile while main a x packet
    captured wire p load_16 load_32 load_16_little load_32_little
"""


def emit_program(
    program: Instructions,
    target: str,
    dialect: Dialect,
    *,
    name: str,
    title: str,
    main: bool,
    accept: "AcceptedFate",
    assembly: bool = False,
) -> str | bytes:
    """Return a program for a target; the arguments are those of `cbpf.emit`, and *title* describes the program."""
    value, chosen = Program(program), target_named(target)
    verify(value, dialect=dialect)
    _check_name(name)
    _check_options(chosen, dialect, main, accept)
    check_program(value, dialect, chosen)
    try:
        if flag("emit.assembly", assembly):
            return _assembly(value, dialect, chosen.name, name, accept)
        return _written(chosen.name, value, dialect, name, title, main, accept)
    except MissingLibrary as error:
        raise MissingLibrary(f"target {chosen.name}: {error}") from None


def _assembly(program: Program, dialect: Dialect, target: str, name: str, accept: "AcceptedFate") -> str:
    if not target.startswith("ebpf-"):
        raise FieldError(f"emit.assembly: the target {target} has none; it is for ebpf-xdp, ebpf-tc and ebpf-socket")
    require_ctypes("LLVM", "the target c needs neither")
    from .ebpf.source import ebpf_assembly

    return ebpf_assembly(program, dialect, target, name, accept)


def _check_options(target: Target, dialect: Dialect, main: bool, accept: object) -> None:
    if flag("emit.main", main) and target.name != "c":
        raise FieldError(f"emit.main: the target {target.name} has no main function; it is for c")
    if main and dialect.record_size is not None:
        raise FieldError(f"emit.main: the main function reads captures, and programs of {dialect.name} do not")
    if one_of("pass", "drop")("emit.accept", accept) == "drop" and target.name not in _WITH_FATES:
        raise FieldError(
            f"emit.accept: the target {target.name} does not drop packets; 'drop' is for {' and '.join(_WITH_FATES)}"
        )


def _check_name(name: object) -> None:
    if (
        not isinstance(name, str)
        or not _NAME.fullmatch(name)
        or name in _RESERVED.split()
        or re.fullmatch(r"m\d+", name)
    ):
        rule = "it has letters of ASCII, digits and _, and is not a word of C or of the written code"
        raise FieldError(f"emit.name: {name!r} is not a name for the function; {rule}")


def _written(
    target: str, program: Program, dialect: Dialect, name: str, title: str, main: bool, accept: "AcceptedFate"
) -> str | bytes:
    """Return the text or the bytes; a target imports only the modules that it needs."""
    if target == "c":
        from .c.source import c_source

        return c_source(program, dialect, name, title, main=main)
    require_ctypes("LLVM", "the target c needs neither")
    match target:
        case "ptx":
            from ..engines.llvm.ptx import ptx_kernel

            return ptx_kernel(program, dialect, name)
        case "wasm":
            from .wasm import wasm_module

            return wasm_module(program, dialect, name)
        case "llvm" | "object":
            from .native import llvm_ir, object_file

            return llvm_ir(program, dialect, name) if target == "llvm" else object_file(program, dialect, name)
    from .ebpf.source import ebpf_object

    return ebpf_object(program, dialect, target, name, accept)
