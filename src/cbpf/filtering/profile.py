"""Execution profiles of filters on captures."""

from collections.abc import Callable
from contextlib import closing

from .._record import JsonRecord
from .._typing import TYPE_CHECKING, Annotated, TypeAlias
from .._validators import instance_of, optional
from ..analysis.execution_counter import Arguments, ExecutionCounter
from ..analysis.profile import ExecutionCounts
from ..capture.base import Interface
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..capture.source_stream import Source
from ..errors import CaptureError, CbpfError, DamagedCapture
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Instructions, Program
from ..packet.af_packet import socket_view
from ..packet.skb import SocketBuffer
from .arguments import with_checks
from .bound_filter import view_for
from .capture_programs import CapturePrograms

if TYPE_CHECKING:
    from .._options import EngineName, Optimizer
    from ..expression.address_lists import Expression
    from ..formats.savefile import Savefile
    from ..packet.host_view import ViewFunction

_ArgumentsFunction: TypeAlias = Callable[[bytes, int], Arguments]
"""Returns the arguments of a run, given the bytes of a packet and its length on the wire."""


class CaptureProfile(JsonRecord):
    """A program and its execution counts on a capture; `profile_capture` returns it.

    Args:
        program: The program that was run.
        counts: The counts of its executions.
        interface: The first interface that the filter fits; None if the capture describes none.
        damage: The message of the `DamagedCapture` if the capture ends early, or None.
    """

    program: Program
    counts: ExecutionCounts
    interface: Interface | None
    damage: Annotated[str | None, optional(instance_of(str))] = None


@with_checks("optimizer", "engine", "dialect", "as_socket")
def profile_capture(
    source: Source,
    filter: "str | Expression | Savefile | Instructions",
    *,
    optimizer: "Optimizer" = "cbpf",
    engine: "EngineName" = "auto",
    dialect: Dialect = PCAP,
    as_socket: bool = False,
) -> CaptureProfile:
    """Run a filter on all packets of a capture, and count the executions of each instruction.

    The filter runs on the packets as `filter_capture` presents them to it, and not on those of interfaces that it does
    not fit. Large captures are read and counted by machine code if `cbpf[llvm]` is installed.

    Args:
        source: A path, "-" for standard input, or a binary file object.
        filter: An expression, a program, or a savefile.
        optimizer: The optimiser of an expression, as for `compile`.
        engine: The execution engine; "auto" is machine code for large captures, and otherwise Python.
        dialect: The dialect whose rules verify and run the filter.
        as_socket: Apply the filter to the view that a live packet socket would have had of each packet
            (`socket_view`).

    Returns:
        The program and its counts. Those of a truncated or corrupt capture are of its complete packets, and
        `CaptureProfile.damage` has the message.

    Raises:
        CaptureError: The source cannot be read or does not begin as a capture, or an expression compiles to different
            programs for its interfaces.
        ExpressionError: The filter is invalid, or fits no interface (`LinkTypeError`).
        FieldError: An argument is out of range.
        VerificationError: The dialect rejects the program.

    >>> profile = profile_capture("examples/traffic.pcap", "arp")
    >>> profile.counts
    ExecutionCounts(packets=905, accepted=18, executed=(905, 905, 18, 887), taken=(0, 18, 0, 0), maximum=3)
    """
    programs = CapturePrograms(
        filter,
        dialect=dialect,
        optimizer=optimizer,
        optimizes_lists=optimizer is not None,
        as_socket=as_socket,
    )
    with CaptureReader(source) as reader:
        reader.look_ahead()
        programs.prepare([reader])
        return _Profiler(reader, programs, dialect, engine, as_socket=as_socket).profile()


class _Profiler:
    """The profile of one capture: of the packets that the programs fit, which are one program."""

    def __init__(
        self,
        reader: CaptureReader,
        programs: CapturePrograms,
        dialect: Dialect,
        engine: "EngineName",
        *,
        as_socket: bool,
    ) -> None:
        self._reader = reader
        self._programs = programs
        self._dialect = dialect
        self._engine: EngineName = engine
        self._as_socket = as_socket
        self._program: Program | None = None
        self._counter: ExecutionCounter | None = None
        self._functions: dict[int, _ArgumentsFunction | None] = {}
        """By interface: the function for its packets, or None if the programs do not fit them."""
        self._native_views: dict[int, str | None] = {}
        """The interfaces whose packets machine code may read: the argument `link_type` of `Engine.native_columns`."""

    def profile(self) -> CaptureProfile:
        """Read the capture to its end, or to its damage."""
        damage = None
        self._set_program(self._programs.first(self._reader))
        try:
            with closing(self._reader.inputs(is_native=self._engine == "llvm" or None)) as results:
                for columns in results:
                    self._count(columns)
        except DamagedCapture as error:
            damage = error
        if self._program is None or self._counter is None:
            raise self._unfit_error(damage)
        interfaces = enumerate(self._reader.interfaces)
        fitting = (interface for index, interface in interfaces if self._programs.fits(self._reader, index))
        counts = self._counter.counts()
        return CaptureProfile(self._program, counts, next(fitting, None), None if damage is None else str(damage))

    def _set_program(self, program: Program | None) -> None:
        self._program = program
        self._counter = None if program is None else ExecutionCounter(program, self._dialect, self._engine)

    def _count(self, columns: PacketColumns) -> None:
        """Count the executions on packets; the first of a new interface are prepared for."""
        present = columns.distinct_interfaces()
        for interface in present:
            if interface not in self._functions:
                self._add_interface(interface, columns)
        functions = {index: function for index in present if (function := self._functions[index]) is not None}
        if self._counter is None or not functions:
            return
        link_types = {index: self._native_views[index] for index in functions if index in self._native_views}
        counted = self._counter.count_columns(columns, link_types, len(self._reader.interfaces))
        if functions.keys() - counted:
            self._counter.count_runs(
                functions[interface](data, wire_length)
                for data, wire_length, interface in columns.inputs()
                if interface in functions and interface not in counted
            )

    def _add_interface(self, index: int, columns: PacketColumns) -> None:
        """Prepare for the packets of an interface; raise an error if it has another program."""
        interface = self._reader.interfaces[index]
        program = self._programs.program(self._reader, index)
        if program is None:
            self._functions[index] = None
            return
        if self._program is None:
            self._set_program(program)
        elif program != self._program:
            number = columns.before + list(columns.interfaces).index(index) + 1
            fact = f"the expression compiles to a different program for link type {interface.link_type.name}"
            place = f"{self._reader.name}: packet {number}"
            raise CaptureError(f"{place}: {fact}; executions are counted for one program")
        view = view_for(program, interface, as_socket=self._as_socket)
        self._functions[index] = self._arguments_function(interface, view)
        if view is None:
            self._native_views[index] = interface.link_type.name if self._as_socket else None

    def _arguments_function(self, interface: Interface, view: "ViewFunction | None") -> _ArgumentsFunction:
        link_type, header_windows = interface.link_type, self._dialect.header_windows

        def plain(data: bytes, wire_length: int) -> Arguments:
            return (data, wire_length, None) if view is None else (*view(data, wire_length), None)

        def as_socket(data: bytes, wire_length: int) -> Arguments:
            if view is not None:
                data, wire_length = view(data, wire_length)
            received = socket_view(data, link_type, wire_length)
            buffer = SocketBuffer(received.data, received.metadata, header_windows=header_windows)
            return received.data, received.wire_length, buffer

        return as_socket if self._as_socket else plain

    def _unfit_error(self, damage: DamagedCapture | None) -> CbpfError:
        """Return the error of a capture without an interface that the programs fit."""
        if damage is not None:
            return damage
        self._programs.require_fit([self._reader])
        return CaptureError(f"{self._reader.name}: describes no interface and thus no link type")
