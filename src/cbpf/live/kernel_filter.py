"""The filter of a packet socket that libpcap has opened, attached without libpcap (Linux).

pcap_setfilter runs the new program itself on the packets that arrived before, for a block or two, and its interpreter
knows few extensions and no header windows. Here, only the kernel filters. It also counts: the number of packets that it
has put into the ring separates the packets that an earlier filter accepted from all later ones.
"""

from collections.abc import Callable

from .._typing import Final
from ..isa.dialects import LINUX
from ..isa.enumerations import Extension, JumpTest, Register
from ..isa.instructions import JumpIf, LoadConstant, LoadExtension, RetConstant
from ..isa.program import Program
from ..isa.verifier import verify
from ..linux.charges import REJECT_ALL, check_room, has_room
from ..linux.failures import ATTACHING, explained
from ..linux.queues import await_deliveries
from ..linux.socket_options import ALL_PROTOCOLS, attach_program, attached_program, bind_to_protocol, link_address

NO_PROTOCOL: Final = 0x00FF
"""An EtherType that no packet has: those of frames begin at 0x600, and Linux uses few smaller ones (if_ether.h)."""
_OUTGOING: Final = 4  # PACKET_OUTGOING
_SENT_TWICE: Final = (280, 772)
"""ARPHRD_CAN and ARPHRD_LOOPBACK: libpcap drops the outgoing one of the two copies of a packet."""


class KernelFilter:
    """The filter of a packet socket, which is bound to `NO_PROTOCOL` until it has the first one.

    *count* returns the number of packets that the kernel has put into the ring.
    """

    def __init__(self, interface: str, descriptor: int, direction: str, count: Callable[[], int]) -> None:
        self._interface = interface
        self._descriptor = descriptor
        self._direction = _effective_direction(direction, link_address(descriptor).hardware_type)
        self._count = count

    def begin(self, program: Program | None) -> None:
        """Receive packets from now on; attach a program before, unless the socket has one already."""
        with explained(self._interface, ATTACHING):
            if program is not None:
                attach_program(self._descriptor, self._checked(program))
            bind_to_protocol(self._descriptor, ALL_PROTOCOLS)

    def replace(self, program: Program, *, is_repeatable: bool) -> int:
        """Replace the filter; return the number of packets, from the first one, that an earlier filter accepted.

        If *is_repeatable*, the caller can run the program on these packets. Then it replaces the filter at once, so
        that no packet is lost, and the number may include packets that it has accepted already. Otherwise, the number
        is exact; nothing is accepted for some milliseconds.
        """
        program = self._checked(program)
        if is_repeatable and has_room(self._descriptor, program):
            return self._exchange(program)
        earlier = self._exchange(REJECT_ALL)
        with explained(self._interface, ATTACHING):
            attach_program(self._descriptor, program)
        return earlier

    def reject_all(self) -> int:
        """Let no further packet arrive; return the number of packets that have arrived."""
        return self._exchange(REJECT_ALL)

    def _exchange(self, program: Program) -> int:
        """Attach a program; return the number of packets that have arrived when the previous one judges no more."""
        with explained(self._interface, ATTACHING):
            attach_program(self._descriptor, program)
        await_deliveries()
        return self._count()

    def _checked(self, program: Program) -> Program:
        """Return the program to attach for a verified program; raise an error if the socket has no room for it."""
        program = _for_direction(program, self._direction)
        check_room(self._interface, self._descriptor, program, replaced=attached_program(self._descriptor))
        return program


def _effective_direction(direction: str, hardware_type: int) -> str:
    """Return the direction of the packets that libpcap delivers (pcap-linux.c, linux_check_direction)."""
    return "in" if direction == "both" and hardware_type in _SENT_TWICE else direction


def _for_direction(program: Program, direction: str) -> Program:
    """Return a program that also rejects the packets of another direction.

    libpcap would drop them, so that the ring had packets that are never delivered.
    """
    if direction == "both":
        return program
    skips = {"skip_true": 1} if direction == "out" else {"skip_false": 1}
    is_outgoing = JumpIf(JumpTest.EQUAL, _OUTGOING, **skips)
    test = [LoadExtension(Extension.TYPE), is_outgoing, RetConstant(0), LoadConstant(Register.A, 0)]
    directed = Program([*test, *program])
    verify(directed, dialect=LINUX)  # its length
    return directed
