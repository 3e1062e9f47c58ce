"""The targets of programs, and the instructions that each of them can execute."""

from .._named_tuple import NamedTuple
from .._stdlib import MappingProxyType
from .._typing import Final
from ..errors import FieldError, ProgramFormatError
from ..isa.dialects import Dialect
from ..isa.metadata_loads import PACKET_ALONE, impossible_loads
from ..isa.program import Program


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


_OF_SOCKETS: Final = (
    *("proto", "type", "ifidx", "mark", "queue", "rxhash", "cpu", "vlan_tci", "vlan_avail", "vlan_tpid", "rand"),
)

TARGETS: Final = MappingProxyType(
    {
        target.name: target
        for target in (
            Target("c", PACKET_ALONE),
            Target("llvm", PACKET_ALONE),
            Target("object", PACKET_ALONE),
            Target("ebpf-xdp", "an XDP program", ("ifidx", "queue", "cpu", "rand"), has_records=False),
            Target("ebpf-tc", "an eBPF program of tc", _OF_SOCKETS, has_records=False),
            Target("ebpf-socket", "an eBPF program of a socket", _OF_SOCKETS, has_headers=True, has_records=False),
            Target("ptx", PACKET_ALONE),
            Target("wasm", PACKET_ALONE),
        )
    }
)
"""The targets by name. The mapping is read-only."""


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
    loads = impossible_loads(
        program, dialect, target.place, extensions=target.extensions, has_headers=target.has_headers
    )
    for problem in loads:
        raise ProgramFormatError(f"target {target.name}: {problem}")
