"""The program that is attached for an argument: compiled for the socket if it is an expression, and verified."""

from .._named_tuple import NamedTuple
from .._typing import Final
from ..analysis.ethernet_offsets import ethertype_test
from ..errors import ExpressionError, ProgramWarning, quoted, warn
from ..facade.arguments import ExpressionSource, ProgramSource, as_program, as_socket_program, is_expression
from ..isa.dialects import LINUX
from ..isa.program import Program
from ..isa.verifier import verify
from .hardware_types import LINK_TYPES
from .sockets import FirstByte, Target

_COOKED: Final = "LINUX_SLL2"
"""The link type of packet sockets that receive no link-layer header."""
_AFTER_ETHERNET: Final = (FirstByte.NETWORK, FirstByte.TRANSPORT, FirstByte.PAYLOAD)
"""Positions of byte 0 where a program for Ethernet frames is a mistake. Data can be anything, also such a frame."""


def program_for(target: Target, source: ProgramSource, *, hardware_type: int = 0) -> Program:
    """Return the verified program for a socket, and warn of one that hardly fits it.

    Args:
        target: The socket.
        source: A program, or an expression, which is compiled for the packets that the socket sees.
        hardware_type: For a packet socket, the ARPHRD_ number of its interface; 0: it is not bound to an interface.
    """
    if is_expression(source):
        program = _compiled(target, source, hardware_type)
    else:
        program = _given(source, target, target.first_byte)
    if target.never_filters:
        fact = "the kernel accepts a filter and never runs it"
        warn(f"{target}: {fact}; of AF_UNIX, it filters datagrams and records", ProgramWarning)
    return program


class Hook(NamedTuple):
    """A place of the kernel, other than a socket filter, that runs programs.

    Args:
        place: The socket, in messages.
        first_byte: The position of byte 0 of the packets.
        reason: The reason why an expression has no meaning there.
    """

    place: Target
    first_byte: FirstByte
    reason: str


def program_of(source: ProgramSource, hook: Hook) -> Program:
    """Return the verified program for a hook, and warn of one that hardly fits it."""
    if is_expression(source):
        raise _without_meaning(source, hook.place, hook.reason)
    return _given(source, hook.place, hook.first_byte)


def program_for_ethernet(source: ProgramSource) -> Program:
    """Return the verified program for packets with an Ethernet header."""
    if is_expression(source):
        return _verified(as_socket_program(source, "link", link_type="EN10MB"))
    return _instructions(source)


def _given(source: ProgramSource, place: Target, first_byte: FirstByte) -> Program:
    """Return the verified program of instructions, and warn of Ethernet offsets where packets begin later."""
    program = _instructions(source)
    index = ethertype_test(program) if first_byte in _AFTER_ETHERNET else None
    if index is not None:
        fact = f"instruction {index} tests the EtherType of an Ethernet header, and byte 0 is {first_byte.value}"
        warn(f"{place}: {fact}; its offsets are probably those of another hook", ProgramWarning)
    return program


def _instructions(source: ProgramSource) -> Program:
    return _verified(Program(as_program(source, link_type="EN10MB")))


def _verified(program: Program) -> Program:
    verify(program, dialect=LINUX)
    return program


def _without_meaning(source: object, place: object, fact: str) -> ExpressionError:
    rule = "pass a program, as cbpf.parse returns"
    return ExpressionError(f"{quoted(str(source))} cannot be attached: {place}: {fact}; {rule}")


def _compiled(target: Target, source: ExpressionSource, hardware_type: int) -> Program:
    """Compile an expression for the packets that a socket sees."""
    if target.is_packet_socket:
        return _verified(as_socket_program(source, "link", link_type=_link_type(target, hardware_type)))
    if target.first_byte in (FirstByte.NETWORK, FirstByte.TRANSPORT):
        return _verified(as_socket_program(source, "network", link_type="RAW"))
    raise _without_meaning(source, target, f"byte 0 is {target.first_byte.value}, which expressions do not describe")


def _link_type(target: Target, hardware_type: int) -> str:
    if target.first_byte is FirstByte.NETWORK:
        return _COOKED
    if hardware_type not in LINK_TYPES:
        fact = f"the interface has the hardware type {hardware_type} (linux/if_arp.h), whose link type is not known"
        rule = "use a socket of type SOCK_DGRAM, or pass a program that is compiled for its link type"
        raise ExpressionError(f"{target}: {fact}; {rule}")
    return LINK_TYPES[hardware_type]
