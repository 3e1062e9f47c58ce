"""The program that is attached for an argument: compiled for the socket if it is an expression, and verified."""

from typing import Final

from ..analysis.ethernet_offsets import ethertype_test
from ..errors import ExpressionError, ProgramWarning, quoted, warn
from ..facade.arguments import ProgramSource, as_program, is_expression
from ..isa.dialects import LINUX
from ..isa.program import Program
from ..isa.verifier import verify
from .network_window import from_network_header
from .sockets import FirstByte, Target

_LINK_TYPES: Final = {
    0: "EN10MB",  # no interface
    1: "EN10MB",  # ARPHRD_ETHER
    519: "RAW",  # ARPHRD_RAWIP
    768: "RAW",  # ARPHRD_TUNNEL
    769: "RAW",  # ARPHRD_TUNNEL6
    772: "EN10MB",  # ARPHRD_LOOPBACK
    776: "RAW",  # ARPHRD_SIT
    801: "IEEE802_11",  # ARPHRD_IEEE80211
    803: "IEEE802_11_RADIO",  # ARPHRD_IEEE80211_RADIOTAP
    65534: "RAW",  # ARPHRD_NONE, as of a tun device
}
"""The link types of frames by the type of their device (linux/if_arp.h)."""


def program_for(target: Target, source: ProgramSource, *, hardware_type: int = 0) -> Program:
    """Return the verified program for a socket, and warn of one that hardly fits it.

    Args:
        target: The socket.
        source: A program, or an expression, which is compiled for the packets that the socket sees.
        hardware_type: For a packet socket, the ARPHRD_ number of its interface; 0: it is not bound to an interface.
    """
    expression = is_expression(source)
    program = _verified(_compiled(target, source, hardware_type) if expression else _given(source))
    if target.never_filters:
        fact = "the kernel accepts a filter and never runs it"
        warn(f"{target}: {fact}; of AF_UNIX, it filters datagrams and records", ProgramWarning)
    if not expression:
        _warn_of_ethernet_offsets(program, target, target.first_byte)
    return program


def program_of(source: ProgramSource, *, place: object, first_byte: FirstByte) -> Program:
    """Return a verified program, which must not be an expression, and warn of one that hardly fits its hook.

    Args:
        source: A program.
        place: The hook to which it is attached, in messages.
        first_byte: The position of byte 0 of the packets at the hook.
    """
    if is_expression(source):
        raise _without_meaning(source, place, first_byte)
    program = _verified(_given(source))
    _warn_of_ethernet_offsets(program, place, first_byte)
    return program


def _given(source: ProgramSource) -> Program:
    return Program(as_program(source, link_type="EN10MB"))


def _verified(program: Program) -> Program:
    verify(program, dialect=LINUX)
    return program


def _without_meaning(source: object, place: object, first_byte: FirstByte) -> ExpressionError:
    rule = f"byte 0 is {first_byte.value}, which expressions do not describe; pass a program, as cbpf.parse returns"
    return ExpressionError(f"{quoted(str(source))} cannot be attached: {place}: {rule}")


def _compiled(target: Target, source: ProgramSource, hardware_type: int) -> Program:
    """Compile an expression for the packets that a socket sees."""
    match target.first_byte:
        case FirstByte.LINK:
            return _compile(source, _link_type(target, hardware_type))
        case FirstByte.NETWORK:
            return _compile(source, "RAW")
        case FirstByte.TRANSPORT:
            return from_network_header(_compile(source, "RAW"), source)
    raise _without_meaning(source, target, target.first_byte)


def _link_type(target: Target, hardware_type: int) -> str:
    if hardware_type not in _LINK_TYPES:
        fact = f"the interface has the hardware type {hardware_type} (linux/if_arp.h), whose link type is not known"
        raise ExpressionError(f"{target}: {fact}; compile the expression for its link type, and pass the program")
    return _LINK_TYPES[hardware_type]


def _compile(source: ProgramSource, link_type: str) -> Program:
    """Compile an expression for packets that a socket of this machine receives."""
    return Program(as_program(source, link_type=link_type, dialect=LINUX))


def _warn_of_ethernet_offsets(program: Program, place: object, first_byte: FirstByte) -> None:
    """Warn of a program that is probably for packets with an Ethernet header, where the packets have none."""
    index = ethertype_test(program) if first_byte in (FirstByte.NETWORK, FirstByte.TRANSPORT) else None
    if index is not None:
        fact = f"instruction {index} tests the EtherType of an Ethernet header, and byte 0 is {first_byte.value}"
        warn(f"{place}: {fact}; its offsets are probably those of another hook", ProgramWarning)
