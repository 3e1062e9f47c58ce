"""What native code is told about a packet beside its bytes: a C structure, and the way back into Python.

Most extensions are numbers in it. Random numbers are drawn from its state by the native code itself; what must
look at the packet (netlink attributes, the payload offset) is asked of `SocketBuffer` through a callback.
"""

import ctypes
import os
import threading
from functools import cache
from typing import Any, Final

from ...isa.opcodes import OPCODE_BY_CODE, Extension, extension_of
from ...isa.program import Program
from ...packet.metadata import Metadata
from ...packet.skb import SocketBuffer

CALLBACK_EXTENSIONS: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED, Extension.PAYLOAD_OFFSET)
"""The extensions that are computed from the packet, in Python."""


def needs_callback(program: Program) -> bool:
    """Whether a program has one of them."""
    return any(extension_of(OPCODE_BY_CODE[raw.op], raw.k) in CALLBACK_EXTENSIONS for raw in program)


_INLINE_EXTENSIONS: Final = [
    one for one in Extension if one not in (*CALLBACK_EXTENSIONS, Extension.RAND, Extension.XOR_X, Extension.LEN)
]

# (number, a, x, memory, length of memory, the SocketBuffer or null) -> word
_WORD: Final = ctypes.c_uint32
_Ask = ctypes.CFUNCTYPE(_WORD, _WORD, _WORD, _WORD, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)


class PacketContext(ctypes.Structure):
    """One packet's, or those of every packet of a batch; not to be shared by threads that run at the same time."""

    _fields_ = (
        ("packet", ctypes.c_uint32),
        ("network", ctypes.c_uint32),
        ("link", ctypes.c_uint32),
        ("lacks_device", ctypes.c_uint32),
        ("extensions", ctypes.c_uint32 * 16),  # by their number / 4
        ("seed", ctypes.c_uint64),
        ("draws", ctypes.c_uint64),
        ("given", ctypes.c_void_p),  # the numbers that are drawn first
        ("given_count", ctypes.c_uint64),
        ("ask", ctypes.c_void_p),
        ("buffer", ctypes.c_void_p),
    )

    owned: Any  # what the pointers point to


def context_for(buffer: SocketBuffer) -> PacketContext:
    """The circumstances of one packet, which is run once."""
    filled = _filled(buffer)
    filled.owned = buffer
    filled.buffer = id(buffer)
    draws = buffer.metadata.draws
    if draws:
        given = (ctypes.c_uint32 * len(draws))(*draws)
        filled.given, filled.given_count = ctypes.addressof(given), len(draws)
        filled.owned = buffer, given
    return filled


def default_context() -> PacketContext:
    """The default metadata, for any number of packets one after the other."""
    filled = PacketContext.from_buffer_copy(_defaults())
    filled.seed = _fresh_seed()
    return filled


@cache
def _defaults() -> bytes:
    return bytes(_filled(SocketBuffer(b"", Metadata(), header_windows=False)))


def _fresh_seed() -> int:
    return int.from_bytes(os.urandom(8))


def _filled(buffer: SocketBuffer) -> PacketContext:
    seed = buffer.metadata.seed
    filled = PacketContext(packet=buffer.packet, network=buffer.network & 0xFFFF_FFFF, link=buffer.link & 0xFFFF_FFFF)
    filled.lacks_device = buffer.lacks_device()
    for extension in _INLINE_EXTENSIONS:
        filled.extensions[extension // 4] = buffer.extension(extension, 0, 0)
    filled.seed = _fresh_seed() if seed is None else seed
    filled.ask = ctypes.cast(_ask(), ctypes.c_void_p).value
    return filled


@cache
def _ask() -> Any:
    """The callback, which lives as long as the process."""

    def ask(number: int, a: int, x: int, memory: int, length: int, buffer: int | None) -> int:
        try:
            if buffer is not None:
                known: SocketBuffer = ctypes.cast(buffer, ctypes.py_object).value
                return known.extension(number, a, x)
            packet = ctypes.string_at(memory, length)
            return SocketBuffer(packet, Metadata(), header_windows=False).extension(number, a, x)
        except BaseException as error:  # a signal's, as Ctrl-C's; ctypes would drop it
            _interrupted.by = error
            return 0

    return _Ask(ask)


_interrupted: Final = threading.local()


def raise_interruption() -> None:
    """Raises what came while native code of this thread asked; to be called after each of its calls."""
    error = getattr(_interrupted, "by", None)
    if error is not None:
        _interrupted.by = None
        raise error


def offset_of(field: str, index: int = 0) -> int:
    """The position of a field in the structure, in bytes."""
    offset: int = getattr(PacketContext, field).offset
    return offset + 4 * index
