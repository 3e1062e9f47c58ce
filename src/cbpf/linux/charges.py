"""The memory that the kernel charges to a socket for its filter, and the limit at which it rejects one with ENOMEM.

The kernel translates a classic program to eBPF and charges the size of the translation: a header and 8 bytes for each
eBPF instruction. The sum of all charges of a socket must stay below the sysctl net.core.optmem_max. While a filter is
replaced, both programs are charged.

Sources: net/core/filter.c (bpf_convert_filter, __sk_filter_charge), kernel/bpf/core.c; tests compare the sizes with the
charges of a live kernel.
"""

import errno
import os
import socket
import sys
from functools import cache
from pathlib import Path

from .._typing import Final
from ..errors import SocketError
from ..isa.enumerations import extension_of
from ..isa.instructions import RetConstant
from ..isa.opcodes import OPCODE_BY_CODE, Operand
from ..isa.program import Program
from ..isa.translation import translated_size
from .socket_options import attach_program, option_memory

REJECT_ALL: Final = Program([RetConstant(0)])

_EBPF_INSTRUCTION_SIZE: Final = 8
_PROLOGUE: Final = 3
_PROLOGUE_OF_LOADS: Final = 4
_PACKET_LOADS: Final = (Operand.ABSOLUTE, Operand.INDIRECT, Operand.MEMORY_SHIFT)
_KNOWN_MACHINES: Final = ("x86_64", "aarch64")
"""64-bit little-endian machines with fast unaligned loads, for which `translated_size` holds."""
_LIMIT: Final = Path("/proc/sys/net/core/optmem_max")


def translated_length(program: Program) -> int:
    """Return the number of eBPF instructions of the kernel's translation of a valid program."""
    rows = [(OPCODE_BY_CODE[raw.op], raw) for raw in program]
    loads_packet = any(opcode.operand in _PACKET_LOADS and extension_of(opcode, raw.k) is None for opcode, raw in rows)
    body = sum(translated_size(opcode, raw) for opcode, raw in rows)
    return _PROLOGUE + (_PROLOGUE_OF_LOADS if loads_packet else 0) + body


@cache
def _header_size() -> int | None:
    """Return the size of the header of a translated program in this kernel, measured; None if it is not known."""
    if os.uname().machine not in _KNOWN_MACHINES or sys.maxsize < 1 << 32:
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            before = option_memory(probe.fileno())
            attach_program(probe.fileno(), REJECT_ALL)
            charged = option_memory(probe.fileno()) - before
        except OSError:  # a kernel before 4.12, or one that filters system calls
            return None
    return charged - _EBPF_INSTRUCTION_SIZE * translated_length(REJECT_ALL)


def charge(program: Program) -> int | None:
    """Return the bytes that are charged for a valid program; None if they are not known on this machine."""
    header = _header_size()
    return None if header is None else header + _EBPF_INSTRUCTION_SIZE * translated_length(program)


def check_room(place: object, descriptor: int, program: Program, *, replaced: Program | None) -> None:
    """Raise an error if a socket has no room for a filter.

    Args:
        place: The socket, in the message.
        descriptor: Its descriptor.
        program: A valid program.
        replaced: The present filter, if it is replaced by `REJECT_ALL` before the program is attached; else None.
    """
    size, limit = charge(program), _limit()
    if size is None or limit is None:
        return
    used = option_memory(descriptor)
    if replaced is not None:
        used += (charge(REJECT_ALL) or 0) - (charge(replaced) or 0)
    if used + size >= limit:
        in_use = f", and {used:,} are in use" if used else ""
        detaching = "detach the present filter, " if replaced is None and used and size < limit else ""
        raise _no_room(place, size, in_use, detaching, limit, used + size + 1)


def has_room(descriptor: int, program: Program) -> bool:
    """Return whether a socket has room for a filter beside the present one, as far as that is known."""
    size, limit = charge(program), _limit()
    return size is None or limit is None or option_memory(descriptor) + size < limit


def check_size(place: object, program: Program) -> None:
    """Raise an error if a program is larger than a hook permits that does not charge it to a socket."""
    size, limit = charge(program), _limit()
    if size is not None and limit is not None and size > limit:
        raise _no_room(place, size, "", "", limit, size)


def _no_room(place: object, size: int, in_use: str, detaching: str, limit: int, needed: int) -> SocketError:
    fact = f"the program takes {size:,} bytes of memory after its translation{in_use}"
    rule = f"net.core.optmem_max permits {limit:,}"
    remedy = f"{detaching}shorten the program with cbpf.optimize, or set net.core.optmem_max to {needed}"
    return SocketError(errno.ENOMEM, f"{place}: {fact}; {rule}: {remedy}")


def _limit() -> int | None:
    """Return the sysctl net.core.optmem_max; None if it cannot be read, as in namespaces of older kernels."""
    try:
        return int(_LIMIT.read_text())
    except (OSError, ValueError):
        return None
