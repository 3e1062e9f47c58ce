"""The targets of programs: names, and what each of them can carry."""

from .._named_tuple import NamedTuple
from .._stdlib import MappingProxyType
from .._typing import TYPE_CHECKING, Final, Iterator
from ..errors import FieldError, ProgramFormatError
from ..isa.dialects import Dialect
from ..isa.listing import listing_line
from ..isa.opcodes import EXTENSION_OFFSET, LINK_OFFSET, NETWORK_OFFSET, OPCODE_BY_CODE, Opcode, Operand
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction

if TYPE_CHECKING:
    from ..isa.enumerations import Extension


class Target(NamedTuple):
    """A target of programs.

    Args:
        name: The name, such as "c".
        description: What is written, as a noun phrase.
        is_text: Whether it is text; otherwise bytes.
        hook: Where the program will run, for messages.
        extensions: The words of the extensions that the target has, beside `len` and `xor_x`.
    """

    name: str
    description: str
    is_text: bool
    hook: str
    extensions: tuple[str, ...] = ()


_ALONE: Final = "a function of the packet alone"

TARGETS: Final = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("c", "a C function in a file of its own", True, _ALONE),
            Target("llvm", "a module of LLVM IR", True, _ALONE),
            Target("object", "an object file for this machine, which a linker takes", False, _ALONE),
        )
    }
)
"""The targets by name. The mapping is read-only."""

_ALWAYS_PRESENT: Final = ("len", "xor_x")


def target_named(name: object) -> Target:
    """Return the target with a name; raise `FieldError` with the known names otherwise."""
    if isinstance(name, str) and name in TARGETS:
        return TARGETS[name]
    raise FieldError(f"target: {name!r} is not one of {', '.join(TARGETS)}")


def check_program(program: Program, dialect: Dialect, target: Target) -> None:
    """Raise `ProgramFormatError` for the first instruction that a target cannot execute."""
    for problem in _problems(program, dialect, target):
        raise ProgramFormatError(problem)


def _problems(program: Program, dialect: Dialect, target: Target) -> Iterator[str]:
    for index, raw in enumerate(program):
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.operand is Operand.ABSOLUTE and raw.k >= LINK_OFFSET:
            fact = _misfit(opcode, raw, dialect, target)
            if fact is not None:
                line = " ".join(listing_line(raw, index, dialect=dialect).split())
                yield f"target {target.name}: {line}: {fact}"


def _misfit(opcode: Opcode, raw: RawInstruction, dialect: Dialect, target: Target) -> str | None:
    """Return the fact that makes a load impossible, and the reason; None if the target has it."""
    from ..isa.enumerations import EXTENSION_WORDS, extension_of

    extension: Extension | None = extension_of(opcode, raw.k) if raw.k >= EXTENSION_OFFSET else None
    if extension is None:
        if not dialect.header_windows:
            return None
        header = "network" if raw.k >= NETWORK_OFFSET else "link-layer"
        return f"it loads from the {header} header, whose position is unknown in {target.hook}"
    word = EXTENSION_WORDS[extension]
    if word in (*_ALWAYS_PRESENT, *target.extensions):
        return None
    present = f"; it has {', '.join(target.extensions)}" if target.extensions else ""
    return f"the extension {word} does not exist in {target.hook}{present}"
