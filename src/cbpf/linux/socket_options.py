"""Sockets as the C library sees them: their options, and the bytes in their queues.

CPython's methods treat the families differently: `setsockopt` accepts only ints on AF_VSOCK, `getsockopt`
overflows its buffer with SO_GET_FILTER, whose length is a number of instructions, and `recv` waits for the timeout of
the socket object. Functions of this module raise OSError as the kernel does; `failures` explains it.

Sources: asm-generic/socket.h, linux/filter.h, linux/sock_diag.h, net/core/filter.c (sk_get_filter).
"""

import ctypes
import errno
import socket
import struct

from .._c_library import c_library, checked, sock_fprog
from .._named_tuple import NamedTuple
from .._typing import Final
from ..isa.program import INSTRUCTION_SIZE, Program

SOL_SOCKET: Final = 1
SOL_PACKET: Final = 263
SO_TYPE: Final = 3
SO_ATTACH_FILTER: Final = 26
SO_GET_FILTER: Final = 26
SO_DETACH_FILTER: Final = 27
SO_DOMAIN: Final = 39
SO_LOCK_FILTER: Final = 44
SO_MEMINFO: Final = 55
MSG_DONTWAIT: Final = 0x40
ALL_PROTOCOLS: Final = 3  # ETH_P_ALL

_MEMORY_INFO: Final = struct.Struct("9I")
_OPTION_MEMORY: Final = 6  # SK_MEMINFO_OPTMEM
_INT: Final = struct.Struct("i")
_LINK_ADDRESS: Final = struct.Struct("HHiHBB8s")  # struct sockaddr_ll (linux/if_packet.h)


class LinkAddress(NamedTuple):
    """The address of a packet socket.

    Args:
        protocol: Its EtherType; 3 for all protocols, 0 for none.
        interface: The index of its interface; 0 for all.
        hardware_type: The ARPHRD_ number of its interface; 0 without one.
    """

    protocol: int
    interface: int
    hardware_type: int


def set_int(descriptor: int, level: int, option: int, value: int) -> None:
    """Set an option that is an int."""
    data = _INT.pack(value)
    checked(c_library().setsockopt(descriptor, level, option, data, len(data)))


def get_int(descriptor: int, level: int, option: int) -> int:
    """Return an option that is an int."""
    value, size = ctypes.c_int(), ctypes.c_uint(_INT.size)
    checked(c_library().getsockopt(descriptor, level, option, ctypes.byref(value), ctypes.byref(size)))
    return value.value


def set_program(descriptor: int, level: int, option: int, program: Program) -> None:
    """Set an option that is a program."""
    argument, _code = sock_fprog(bytes(program))
    size = ctypes.sizeof(argument)
    checked(c_library().setsockopt(descriptor, level, option, ctypes.byref(argument), size))


def attach_program(descriptor: int, program: Program) -> None:
    """Attach a program as the filter of a socket, in place of the present one."""
    set_program(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, program)


def detach_program(descriptor: int) -> None:
    """Detach the filter of a socket."""
    set_int(descriptor, SOL_SOCKET, SO_DETACH_FILTER, 0)


def attached_program(descriptor: int) -> Program | None:
    """Return the classic program that is attached to a socket; None if there is none."""
    while True:
        length = _get_filter(descriptor, None, 0)
        if not length:
            return None
        buffer = ctypes.create_string_buffer(INSTRUCTION_SIZE * length)
        try:
            length = _get_filter(descriptor, buffer, length)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            continue  # replaced by a longer program since its length was read
        return Program.from_bytes(buffer.raw[: INSTRUCTION_SIZE * length]) if length else None


def _get_filter(descriptor: int, buffer: "ctypes.Array[ctypes.c_char] | None", room: int) -> int:
    """Read the filter into a buffer with room for *room* instructions; return the number of its instructions."""
    length = ctypes.c_uint(room)
    checked(c_library().getsockopt(descriptor, SOL_SOCKET, SO_GET_FILTER, buffer, ctypes.byref(length)))
    return length.value


def option_memory(descriptor: int) -> int:
    """Return the bytes that are charged to a socket against net.core.optmem_max, for its filter and other options."""
    buffer = ctypes.create_string_buffer(_MEMORY_INFO.size)
    size = ctypes.c_uint(_MEMORY_INFO.size)
    checked(c_library().getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, buffer, ctypes.byref(size)))
    return int(_MEMORY_INFO.unpack(buffer.raw)[_OPTION_MEMORY])


def receive_byte(descriptor: int) -> int:
    """Remove one packet from the queue of a socket, without waiting; return its length, 1 at most."""
    buffer = ctypes.create_string_buffer(1)
    return checked(c_library().recv(descriptor, buffer, 1, MSG_DONTWAIT))


def link_address(descriptor: int) -> LinkAddress:
    """Return the address to which a packet socket is bound."""
    buffer = ctypes.create_string_buffer(_LINK_ADDRESS.size)
    size = ctypes.c_uint(_LINK_ADDRESS.size)
    checked(c_library().getsockname(descriptor, buffer, ctypes.byref(size)))
    _, protocol, interface, hardware_type, *_ = _LINK_ADDRESS.unpack(buffer.raw)
    return LinkAddress(socket.ntohs(protocol), interface, hardware_type)


def bind_to_protocol(descriptor: int, protocol: int) -> None:
    """Bind a packet socket to an EtherType; its interface stays the same."""
    interface = link_address(descriptor).interface
    address = _LINK_ADDRESS.pack(socket.AF_PACKET, socket.htons(protocol), interface, 0, 0, 0, b"")
    checked(c_library().bind(descriptor, address, len(address)))
