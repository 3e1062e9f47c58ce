"""Filters of tap devices: they select the frames that the process with the device reads."""

import errno
import struct
import sys

from .._c_library import sock_fprog
from .._typing import Final
from ..errors import SocketError
from ..facade.arguments import ProgramSource
from ..isa.program import Program
from .charges import check_size
from .failures import ATTACHING, explained
from .programs import program_for_ethernet
from .sockets import MAX_DESCRIPTOR, HasDescriptor, check_linux, descriptor_of

if sys.platform == "linux":
    import fcntl

_TUNGETIFF: Final = 0x800454D2
_TUNATTACHFILTER: Final = 0x401054D5
_TUNDETACHFILTER: Final = 0x401054D6
_IFF_TAP: Final = 2
_INTERFACE_REQUEST: Final = struct.Struct("16sH22x")  # struct ifreq
_IDENTIFYING: Final = {
    errno.EBADF: "it is closed; pass an open tap device",
    errno.ENOTTY: "it is not a tap device; open /dev/net/tun, and create the interface with TUNSETIFF",
    errno.EBADFD: "it has no interface; create one with TUNSETIFF before the filter is attached",
}


def attach_tap(tap: HasDescriptor | int, program: ProgramSource) -> None:
    """Attach a filter to a tap device, in place of the present one: the process reads only the frames that it accepts.

    Byte 0 is the first byte of the Ethernet header. The verdict 0 drops a frame, and n truncates it to n bytes. Frames
    that are in the queue of the device are read whatever the filter is; they can be read first.

    Args:
        tap: The tap device: an open file or a descriptor of /dev/net/tun, with its interface.
        program: The program, or a filter expression, which is compiled for Ethernet.

    Raises:
        SocketError: *tap* is not a tap device with an interface, or the kernel rejects the program.
        ExpressionError: The expression cannot be compiled.
        VerificationError: The kernel would reject the program.
        FieldError: *tap* is closed, or has no descriptor.
    """
    check_linux()
    descriptor = _descriptor(tap)
    place = _interface(descriptor)
    instructions = program_for_ethernet(program)
    check_size(place, instructions)
    with explained(place, ATTACHING):
        _set_program(descriptor, _TUNATTACHFILTER, instructions)


def detach_tap(tap: HasDescriptor | int) -> None:
    """Detach the filter of a tap device, if it has one: the process reads all frames.

    Args:
        tap: The tap device: an open file or a descriptor of /dev/net/tun, with its interface.

    Raises:
        SocketError: *tap* is not a tap device with an interface.
        FieldError: *tap* is closed, or has no descriptor.
    """
    check_linux()
    descriptor = _descriptor(tap)
    with explained(_interface(descriptor), ATTACHING):
        _set_program(descriptor, _TUNDETACHFILTER, Program())


def _descriptor(tap: HasDescriptor | int) -> int:
    """Return the descriptor of a tap device, which programs open with `os.open` and have as a number."""
    if isinstance(tap, int) and not isinstance(tap, bool) and 0 <= tap <= MAX_DESCRIPTOR:
        return tap
    return descriptor_of(tap, "tap")


def _interface(descriptor: int) -> str:
    """Return the name of a tap device, as the place in messages; raise an error if it is another kind of file."""
    with explained(f"descriptor {descriptor}", _IDENTIFYING):
        reply = fcntl.ioctl(descriptor, _TUNGETIFF, bytes(_INTERFACE_REQUEST.size))
    name, flags = _INTERFACE_REQUEST.unpack(reply)
    place = f"interface {name.rstrip(bytes(1)).decode(errors='replace')!r}"
    if not flags & _IFF_TAP:
        raise SocketError(
            errno.EINVAL, f"{place}: it is a tun device; the kernel filters the frames of tap devices only"
        )
    return place


def _set_program(descriptor: int, request: int, program: Program) -> None:
    argument, _code = sock_fprog(bytes(program))
    fcntl.ioctl(descriptor, request, bytes(argument))
