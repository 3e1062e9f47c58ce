"""A filter at work on captures: its program for each kind of packet, and the machine that runs it."""

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from .._options import EngineName, Optimizer
from ..capture.base import Interface
from ..capture.pcap import plain_header
from ..errors import CaptureError, ExpressionError, ExpressionWarning, FieldError
from ..expression.address_lists import Expression
from ..expression.compiler import compile_for
from ..expression.libpcap import Handle
from ..formats.savefile import Savefile
from ..isa.dialects import Dialect
from ..isa.program import Instructions, Program
from ..packet.af_packet import socket_view
from ..packet.link_types import LinkType, link_type_by_dlt
from ..vm import VM

Filter: TypeAlias = str | Expression | Instructions | Savefile | VM

MatchFunction: TypeAlias = Callable[[bytes, int], int]
"""(packet, wire length) -> verdict."""

PacketKind: TypeAlias = tuple[LinkType, str]
"""What an expression's program depends on: link type and byte order. Snapshot lengths change only the verdict."""


def packet_kind(interface: Interface) -> PacketKind:
    """The kind of an interface's packets."""
    return interface.link_type, interface.byte_order


class BoundFilter:
    """A filter: its program, where that depends on the link type, and its machine, for each kind of packets."""

    def __init__(
        self,
        filter: Filter,
        engine: EngineName,
        dialect: Dialect,
        *,
        as_socket: bool = False,
        optimizer: Optimizer = "cbpf",
    ) -> None:
        if isinstance(filter, bytes | bytearray):
            raise FieldError(f"filter: {filter!r} is bytes; an expression is text (parse reads programs)")
        self._filter = filter if isinstance(filter, str | Expression | Savefile | VM) else Program(filter)
        self._engine: EngineName = engine
        self._dialect = dialect
        self._as_socket = as_socket
        self._optimizer: Optimizer = "cbpf" if isinstance(filter, Expression) else optimizer
        self._of_program: dict[Program, VM] = {}
        self._machines: dict[PacketKind, VM] = {}

    def prepare(self, interface: Interface | None, name: str) -> None:
        """Raises what is wrong with the filter, as far as the first interface of a capture tells, if that is known."""
        if isinstance(self._filter, Program):
            self._machine(self._filter)
        if interface is not None:
            self.on(interface, name)

    def on(self, interface: Interface, name: str) -> MatchFunction:
        """The filter for packets of an interface; *name* is that of its capture, for errors."""
        kind = packet_kind(interface)
        if kind not in self._machines:
            is_ready = isinstance(self._filter, VM)
            self._machines[kind] = self._filter if is_ready else self._machine(self._program(interface, name))  # type: ignore[assignment]
        machine = self._machines[kind]
        return _match_as_socket(machine, interface.link_type) if self._as_socket else machine.match

    def native(self, kind: PacketKind) -> Any:
        """Its machine code for a kind of packets; None: it has none, or none of the kind was seen yet."""
        machine = self._machines.get(kind)
        return None if machine is None or self._as_socket else machine.native_match

    def _machine(self, program: Program) -> VM:
        if program not in self._of_program:
            self._of_program[program] = VM(program, engine=self._engine, dialect=self._dialect)
        return self._of_program[program]

    def _program(self, interface: Interface, name: str) -> Program:
        filter = self._filter
        if isinstance(filter, str | Expression):
            return self._compiled(filter, interface, name)
        if isinstance(filter, Savefile):
            return _program_for(filter, interface, name)
        assert isinstance(filter, Program)
        return filter

    def _compiled(self, expression: str | Expression, interface: Interface, name: str) -> Program:
        try:
            return compile_for_interface(expression, interface, self._dialect, self._optimizer)
        except ExpressionError as error:
            if not self._machines:
                raise
            raise ExpressionError(f"{name}: link type {interface.link_type.name}: {error}") from None


def compile_for_interface(
    expression: str | Expression, interface: Interface, dialect: Dialect, optimizer: Optimizer = "cbpf"
) -> Program:
    """The program of an expression for packets of an interface, as they stand in a file, to run under *dialect*."""
    header = plain_header(interface, nanoseconds=False)
    handle = Handle(interface.link_type.dlt, interface.snaplen, header.data)
    return compile_for(handle, expression, netmask=0, optimizer=optimizer, dialect=dialect)


def _program_for(savefile: Savefile, interface: Interface, name: str) -> Program:
    """The program of a savefile, which must have been made for the interface's link type."""
    if savefile.link_type != interface.link_type.dlt:
        made_for = link_type_by_dlt(savefile.link_type).name
        raise CaptureError(
            f"{name}: link type {interface.link_type.name} is not {made_for}, which the savefile was made for"
        )
    if savefile.snaplen < interface.snaplen:
        fact = f"the savefile was made for a snapshot length of {savefile.snaplen}, below {interface.snaplen}"
        warnings.warn(f"{name}: {fact}; packets are kept whole", ExpressionWarning, stacklevel=4)
    return savefile.program


def _match_as_socket(machine: VM, link_type: LinkType) -> MatchFunction:
    """The verdict that a filter on a live packet socket would have given on a captured packet."""

    def match(packet: bytes, wire_length: int) -> int:
        view = socket_view(packet, link_type, wire_length)
        return machine.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)

    return match
