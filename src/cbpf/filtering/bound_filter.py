"""A filter that is applied to captures: its program for each kind of packet, and the VM that runs it."""

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Callable, Final, Iterable, Sequence, TypeAlias
from ..capture.base import Interface
from ..capture.native.choice import is_worthwhile
from ..capture.reader import CaptureReader
from ..errors import FieldError
from ..isa.dialects import Dialect
from ..isa.opcodes import OPCODE_BY_CODE, Operand
from ..isa.program import Instructions, Program
from ..packet.link_types import LinkType
from ..vm import VM
from .capture_programs import CapturePrograms, PacketKind, packet_kind

if TYPE_CHECKING:
    from .._options import EngineName, Optimizer
    from ..capture.native.run import PacketClasses
    from ..expression.address_lists import Expression
    from ..formats.savefile import Savefile
    from ..packet.host_view import ViewFunction
    from .link_programs import LinkPrograms

Filter: TypeAlias = "str | Expression | Instructions | Savefile | VM | LinkPrograms"
"""A filter of captures: an expression, a program, a savefile, or a VM with its engine and dialect."""

MatchFunction: TypeAlias = Callable[[bytes, int], int]
"""Returns a number other than 0 if a packet is accepted, given its bytes and its length on the wire."""

_MIN_OPTIMIZED_SIZE: Final = 100_000_000  # bytes from which compiled Python gains more than the optimiser's start costs


def optimizer_for(size: float, *, is_native: bool) -> "Optimizer":
    """Return the optimiser for the expressions of a run over captures of *size* bytes."""
    return None if is_native or size < _MIN_OPTIMIZED_SIZE else "cbpf"


class _BoundProgram(NamedTuple):
    """A program for packets of one kind.

    *vm* provides its machine code, for the view of a live socket if *socket_link_type* is the name of a link type; it
    is None if machine code cannot be used.
    """

    match: MatchFunction
    vm: VM | None = None
    socket_link_type: str | None = None

    def native_match(self) -> Any:
        """Return the machine code for rows of packets, or None if there is none."""
        if self.vm is None or self.socket_link_type is None:
            return None if self.vm is None else self.vm.native_match
        return self.vm.native_match_for_sockets(self.socket_link_type)

    def native_columns(self) -> Any:
        """Return the machine code for columns of packets, or None if there is none."""
        return None if self.vm is None else self.vm.native_columns(self.socket_link_type)


def native_classes(filters: Sequence["BoundFilter"], interfaces: Sequence[Interface]) -> "PacketClasses | None":
    """Return the classes of packets for which all filters have machine code, or None if there are none."""
    from ..capture.native.abi import MAX_CLASSES, UNREADY_CLASS
    from ..capture.native.run import PacketClasses

    kinds = list(map(packet_kind, interfaces))
    ready = [kind for kind in dict.fromkeys(kinds) if all(filter.native_address(kind) for filter in filters)]
    numbers = {kind: number for number, kind in enumerate(ready[:MAX_CLASSES])}
    if not numbers:
        return None
    matches = tuple(tuple(filter.native_address(kind) for kind in numbers) for filter in filters)
    return PacketClasses(bytes(numbers.get(kind, UNREADY_CLASS) for kind in kinds), matches)


class BoundFilter:
    """A filter with a program for each kind of packet that occurs in the captures.

    It runs on the packets as libpcap presents them to filters (`host_view`), and rejects the packets of an interface
    that an expression or a savefile does not fit (`CapturePrograms`). *as_socket* applies the filter to the view that a
    live packet socket would have had of each packet. With *exact*, the results are the verdicts of the programs; by
    default, those of seccomp filters are replaced by whether they run the system call.
    """

    def __init__(
        self,
        filter: Filter,
        engine: "EngineName",
        dialect: Dialect,
        *,
        as_socket: bool = False,
        exact: bool = False,
        optimizer: "Optimizer" = "cbpf",
    ) -> None:
        self._engine: EngineName = engine
        self._dialect = dialect
        self._exact = exact
        self._as_socket = as_socket
        self._vms_by_program: dict[Program, VM] = {}
        self._bound: dict[PacketKind, _BoundProgram] = {}
        self._misfits: set[PacketKind] = set()  # that the filter does not fit
        if isinstance(filter, VM):
            self._vms_by_program[filter.program] = filter
            filter = filter.program
        elif not isinstance(filter, str):
            self._vms_by_program |= {vm.program: vm for vm in getattr(filter, "vms", ())}  # of `LinkPrograms`
        self._programs = CapturePrograms(
            filter, dialect=dialect, optimizer=optimizer, as_socket=as_socket, check=self._vm
        )

    def prepare(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the errors of the filter that can be found before the first packet."""
        self._programs.prepare(readers)

    def begin(self, reader: CaptureReader) -> None:
        """Begin a capture, and `compile_first`; kinds of packets that do not fit will be warned of again."""
        for kind in self._misfits:
            self._bound.pop(kind, None)
        self.compile_first(reader)

    def compile_first(self, reader: CaptureReader) -> None:
        """Compile the filter for the first interface of a capture, if that is known; raise its errors."""
        if reader.container.interfaces and self._programs.fits(reader, 0):
            self.match_function(reader, 0)

    def require_fit(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the error of the filter if it fits no interface that the captures have described."""
        self._programs.require_fit(readers)

    def match_function(self, reader: CaptureReader, interface: int) -> MatchFunction:
        """Return the filter for packets of an interface, given by its index."""
        described = reader.container.interfaces[interface]
        kind = packet_kind(described)
        program = self._programs.program(reader, interface)
        if kind not in self._bound:
            self._bound[kind] = self._reject(kind) if program is None else self._bind(program, described)
        return self._bound[kind].match

    def native_address(self, kind: PacketKind) -> int:
        """Return the address of the machine code for packets of a kind.

        Return 0 if there is none, or if `match_function` has not been called yet for packets of this kind.
        """
        bound = self._bound.get(kind)
        code = None if bound is None else bound.native_match()
        if code is None:
            return 0
        import ctypes

        return ctypes.cast(code, ctypes.c_void_p).value or 0

    def native_columns(self, kind: PacketKind) -> Any:
        """Return the machine code for columns of packets of a kind, or None in the cases of `native_address`."""
        bound = self._bound.get(kind)
        return None if bound is None else bound.native_columns()

    def _bind(self, program: Program, interface: Interface) -> "_BoundProgram":
        vm, link_type = self._vm(program), interface.link_type
        view = view_for(program, interface, as_socket=self._as_socket)
        match = _match_as_socket(vm, link_type) if self._as_socket else vm.match
        if vm.dialect.record_size is not None and not self._exact:
            match, is_native = _match_of_actions(match, vm.dialect), False
        else:
            is_native = view is None
        if view is not None:
            match = _match_view(match, view)
        return _BoundProgram(match, vm if is_native else None, link_type.name if self._as_socket else None)

    def _reject(self, kind: PacketKind) -> "_BoundProgram":
        from ..isa.instructions import RetConstant

        self._misfits.add(kind)
        vm = self._vm(Program([RetConstant(0)]))
        return _BoundProgram(vm.match, vm)

    def _vm(self, program: Program) -> VM:
        if program not in self._vms_by_program:
            self._vms_by_program[program] = VM(program, engine=self._engine, dialect=self._dialect)
        return self._vms_by_program[program]


def view_for(program: Program, interface: Interface, *, as_socket: bool) -> "ViewFunction | None":
    """Return the function for the view of packets on which a program runs, or None if it is the packet itself."""
    if interface.link_type.host_order is None:
        return None
    from ..packet.host_view import view_function

    uses_length = any(OPCODE_BY_CODE[raw.op].operand is Operand.LENGTH for raw in program)
    return view_function(interface.link_type, interface.byte_order, uses_length=uses_length or as_socket)


def _match_of_actions(match: MatchFunction, dialect: Dialect) -> MatchFunction:
    """Return a function for whether a seccomp filter runs the system call; its other verdicts need not be 0."""
    from ..isa.verdicts import accepts

    return lambda packet, wire_length: accepts(match(packet, wire_length), dialect)


def _match_view(match: MatchFunction, view: "ViewFunction") -> MatchFunction:
    return lambda packet, wire_length: match(*view(packet, wire_length))


def _match_as_socket(vm: VM, link_type: LinkType) -> MatchFunction:
    """Return a function for the verdict that a filter on a live packet socket would have given."""
    from ..packet.af_packet import socket_view

    def match(packet: bytes, wire_length: int) -> int:
        view = socket_view(packet, link_type, wire_length)
        return vm.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)

    return match


def check_filter(path: str, value: Any) -> Filter:
    """Return the value if it may be a filter; the instructions of a program are checked later."""
    if isinstance(value, bytes | bytearray):
        raise FieldError(f"{path}: {value!r} is bytes; an expression is text (parse reads programs)")
    if isinstance(value, str | VM | Iterable):
        return value
    from ..expression.address_lists import Expression
    from ..formats.savefile import Savefile
    from .link_programs import LinkPrograms

    if isinstance(value, Expression | Savefile | LinkPrograms):
        return value
    raise FieldError(f"{path}: {value!r} is not an expression, a program, a savefile or a VM")


def is_native_chosen(filters: Sequence[Filter], engine: "EngineName", size: float) -> bool:
    """Return whether machine code may scan captures of *size* bytes; *engine* is that of the filters without a VM."""
    engines = {filter.engine if isinstance(filter, VM) else engine for filter in filters}
    if "cuda" in engines:  # which has the machine code of the llvm engine
        engines = engines - {"cuda"} | {"llvm"}
    if engines <= {"llvm", "auto"} and "auto" in engines:
        return is_worthwhile(size)
    return engines == {"llvm"}


def bind_filters(
    filters: Sequence[Filter],
    engine: "EngineName",
    dialect: Dialect,
    size: float,
    *,
    is_native: bool,
    as_socket: bool = False,
) -> list[BoundFilter]:
    """Return the filters of a run over captures of *size* bytes, which machine code scans if *is_native*."""
    engine = "llvm" if is_native and engine == "auto" else engine
    optimizer = optimizer_for(size, is_native=is_native)
    return [BoundFilter(filter, engine, dialect, as_socket=as_socket, optimizer=optimizer) for filter in filters]
