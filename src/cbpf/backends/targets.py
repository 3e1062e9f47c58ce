"""The targets of programs, and the instructions that each of them can execute."""

from .._named_tuple import NamedTuple
from .._stdlib import MappingProxyType
from .._typing import Final, Iterator
from ..errors import FieldError, ProgramFormatError
from ..isa.dialects import Dialect
from ..isa.listing import listing_line
from ..isa.opcodes import EXTENSION_OFFSET, LINK_OFFSET, NETWORK_OFFSET, OPCODE_BY_CODE, Opcode, Operand
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction


class Target(NamedTuple):
    """A target of programs.

    Args:
        name: The name, such as "c".
        place: Where programs run, as a noun phrase.
        extensions: The words of the extensions that exist there, beside `len` and `xor_x`.
        has_headers: Whether loads from the network and the link-layer header are possible.
        has_records: Whether filters of system calls are possible.
    """

    name: str
    place: str
    extensions: tuple[str, ...] = ()
    has_headers: bool = False
    has_records: bool = True


_FUNCTION: Final = "a function of the packet alone"
_OF_SOCKETS: Final = (
    *("proto", "type", "ifidx", "mark", "queue", "rxhash", "cpu", "vlan_tci", "vlan_avail", "vlan_tpid", "rand"),
)

TARGETS: Final = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("c", _FUNCTION),
            Target("llvm", _FUNCTION),
            Target("object", _FUNCTION),
            Target("ebpf-xdp", "an XDP program", ("ifidx", "queue", "cpu", "rand"), has_records=False),
            Target("ebpf-tc", "an eBPF program of tc", _OF_SOCKETS, has_records=False),
            Target("ebpf-socket", "an eBPF program of a socket", _OF_SOCKETS, has_headers=True, has_records=False),
            Target("ptx", _FUNCTION),
            Target("wasm", _FUNCTION),
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
    """Raise `ProgramFormatError` for a dialect, or for the first instruction, that a target cannot execute."""
    if dialect.record_size is not None and not target.has_records:
        fact = f"filters of system calls, of the dialect {dialect.name}, cannot be {target.place}"
        raise ProgramFormatError(f"target {target.name}: {fact}")
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
    """Return why a load with a negative offset is impossible; None if it is possible."""
    from ..isa.enumerations import EXTENSION_WORDS, extension_of

    extension = extension_of(opcode, raw.k) if raw.k >= EXTENSION_OFFSET and dialect.extensions else None
    if extension is None:
        if target.has_headers or not dialect.header_windows:
            return None
        header = "network" if raw.k >= NETWORK_OFFSET else "link-layer"
        return f"it loads from the {header} header, whose position is unknown in {target.place}"
    word = EXTENSION_WORDS[extension]
    if word in (*_ALWAYS_PRESENT, *target.extensions):
        return None
    present = f"; it has {', '.join(target.extensions)}" if target.extensions else ""
    return f"the extension {word} does not exist in {target.place}{present}"
