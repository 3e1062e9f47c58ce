"""A filter that is applied to captures: its program for each kind of packet, and the VM that runs it."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .._options import EngineName, Optimizer
from ..capture.base import Interface
from ..capture.pcap import plain_header
from ..capture.reader import CaptureReader
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
"""Returns the verdict on a packet, given its bytes and its length on the wire."""

PacketKind: TypeAlias = tuple[LinkType, str]
"""The link type and the byte order: an expression is compiled once for each pair.

The snapshot length is not part of it: it changes only the number that an accepting program returns.
"""


def packet_kind(interface: Interface) -> PacketKind:
    """Return the kind of the packets of an interface."""
    return interface.link_type, interface.byte_order


class BoundFilter:
    """A filter with a VM for each kind of packet that occurs in the captures.

    *as_socket* applies the filter to the view that a live packet socket would have had of each packet.
    """

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
        self._vms_by_program: dict[Program, VM] = {}
        self._vms: dict[PacketKind, VM] = {}

    def prepare(self, interface: Interface | None, name: str) -> None:
        """Raise the errors of the filter that can be found before the first packet.

        *interface* is the first interface of a capture, if it is known, and *name* the name of the capture in errors.
        """
        if isinstance(self._filter, Program):
            self._vm(self._filter)
        if interface is not None:
            self.match_function(interface, name)

    def match_function(self, interface: Interface, name: str) -> MatchFunction:
        """Return the filter for packets of an interface; *name* is the name of its capture in errors."""
        kind = packet_kind(interface)
        vm = self._vms.get(kind)
        if vm is None:
            vm = self._filter if isinstance(self._filter, VM) else self._vm(self._program(interface, name))
            self._vms[kind] = vm
        return _match_as_socket(vm, interface.link_type) if self._as_socket else vm.match

    def native_match(self, kind: PacketKind) -> Any:
        """Return the machine code for packets of a kind.

        Return None if there is none, or if `match_function` has not been called yet for packets of this kind.
        """
        vm = self._vms.get(kind)
        return None if vm is None or self._as_socket else vm.native_match

    def _vm(self, program: Program) -> VM:
        if program not in self._vms_by_program:
            self._vms_by_program[program] = VM(program, engine=self._engine, dialect=self._dialect)
        return self._vms_by_program[program]

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
            if not self._vms:
                raise
            raise ExpressionError(f"{name}: link type {interface.link_type.name}: {error}") from None


def compile_for_interface(
    expression: str | Expression, interface: Interface, dialect: Dialect, optimizer: Optimizer = "cbpf"
) -> Program:
    """Return the program of an expression for the packets of an interface in a file, to run under *dialect*."""
    header = plain_header(interface, nanoseconds=False)
    handle = Handle(interface.link_type.dlt, interface.snaplen, header.data)
    return compile_for(handle, expression, netmask=0, optimizer=optimizer, dialect=dialect)


def _program_for(savefile: Savefile, interface: Interface, name: str) -> Program:
    """Return the program of a savefile; raise `CaptureError` unless it was compiled for the interface's link type."""
    if savefile.link_type != interface.link_type.dlt:
        expected = link_type_by_dlt(savefile.link_type).name
        fact = f"link type {interface.link_type.name} is not {expected}, for which the savefile was compiled"
        raise CaptureError(f"{name}: {fact}")
    if savefile.snaplen < interface.snaplen:
        fact = f"the savefile was compiled for a snapshot length of {savefile.snaplen}, below {interface.snaplen}"
        warnings.warn(f"{name}: {fact}; packets are not truncated", ExpressionWarning, stacklevel=4)
    return savefile.program


def _match_as_socket(vm: VM, link_type: LinkType) -> MatchFunction:
    """Return a function for the verdict that a filter on a live packet socket would have given."""

    def match(packet: bytes, wire_length: int) -> int:
        view = socket_view(packet, link_type, wire_length)
        return vm.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)

    return match


def prepare(filters: Sequence[BoundFilter], reader: CaptureReader) -> None:
    """Raise the errors of the filters that can be found before the first packet of a capture."""
    interfaces = reader.container.interfaces
    for bound_filter in filters:
        bound_filter.prepare(interfaces[0] if interfaces else None, reader.name)
