"""A filter that is applied to captures: its program for each kind of packet, and the VM that runs it."""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from .._options import EngineName, Optimizer
from ..capture.reader import CaptureReader
from ..errors import FieldError
from ..expression.address_lists import Expression
from ..formats.savefile import Savefile
from ..isa.dialects import Dialect
from ..isa.instructions import RetConstant
from ..isa.program import Instructions, Program
from ..packet.af_packet import socket_view
from ..packet.link_types import LinkType
from ..vm import VM
from .capture_programs import CapturePrograms, PacketKind, packet_kind

Filter: TypeAlias = str | Expression | Instructions | Savefile | VM

MatchFunction: TypeAlias = Callable[[bytes, int], int]
"""Returns the verdict on a packet, given its bytes and its length on the wire."""

_REJECT_ALL: Final = Program([RetConstant(0)])


class BoundFilter:
    """A filter with a VM for each kind of packet that occurs in the captures.

    It rejects the packets of an interface that an expression or a savefile does not fit (`CapturePrograms`).
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
        self._engine: EngineName = engine
        self._dialect = dialect
        self._as_socket = as_socket
        self._vms_by_program: dict[Program, VM] = {}
        self._vms: dict[PacketKind, VM] = {}
        if isinstance(filter, VM):
            self._vms_by_program[filter.program] = filter
            filter = filter.program
        self._programs = CapturePrograms(filter, dialect=dialect, optimizer=optimizer, check=self._vm)

    def prepare(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the errors of the filter that can be found before the first packet."""
        self._programs.prepare(readers)

    def begin(self, reader: CaptureReader) -> None:
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
        if kind not in self._vms:
            self._vms[kind] = self._vm(_REJECT_ALL if program is None else program)
        if program is not None and self._as_socket:
            return _match_as_socket(self._vms[kind], described.link_type)
        return self._vms[kind].match

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


def _match_as_socket(vm: VM, link_type: LinkType) -> MatchFunction:
    """Return a function for the verdict that a filter on a live packet socket would have given."""

    def match(packet: bytes, wire_length: int) -> int:
        view = socket_view(packet, link_type, wire_length)
        return vm.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)

    return match
