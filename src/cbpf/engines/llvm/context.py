"""The packet context: a C structure that passes a packet's metadata to machine code.

Extension loads have three implementations. The inline extensions are numbers that the context holds. RAND is
computed by the machine code from the seed and the number of draws in the context. The callback extensions (netlink
attributes, the payload offset) depend on the packet's bytes: the machine code calls `SocketBuffer.extension` through a
ctypes callback whose address is in the context.
"""

import ctypes
import os
import threading
from collections.abc import Container
from functools import cache

from ..._typing import Any, Final
from ...isa.enumerations import Extension, extension_of
from ...isa.opcodes import OPCODE_BY_CODE
from ...isa.program import Program
from ...packet.metadata import Metadata
from ...packet.skb import SocketBuffer

CALLBACK_EXTENSIONS: Final = (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED, Extension.PAYLOAD_OFFSET)
"""The extensions that are computed in Python, from the bytes of the packet."""

_WITHOUT_FIELD: Final = (*CALLBACK_EXTENSIONS, Extension.RAND, Extension.XOR_X, Extension.LEN)
_INLINE_EXTENSIONS: Final = [extension for extension in Extension if extension not in _WITHOUT_FIELD]

_WORD: Final = ctypes.c_uint32
# extension, A, X, address of memory, length of memory in bytes, address of the SocketBuffer or NULL -> word
_Callback = ctypes.CFUNCTYPE(_WORD, _WORD, _WORD, _WORD, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)


def needs_callback(program: Program) -> bool:
    """Return whether a program loads an extension that is computed in Python."""
    return _loads(program, CALLBACK_EXTENSIONS)


def draws_numbers(program: Program) -> bool:
    """Return whether a program loads random numbers, and so changes the context of its runs."""
    return _loads(program, (Extension.RAND,))


def _loads(program: Program, extensions: Container[Extension | None]) -> bool:
    return any(extension_of(OPCODE_BY_CODE[raw.op], raw.k) in extensions for raw in program)


class PacketContext(ctypes.Structure):
    """The metadata of one packet, or of every packet of a batch, in the host's byte order.

    Machine code counts draws in it, so threads that run at the same time need a context each.
    """

    _fields_ = (
        ("packet", ctypes.c_uint32),  # positions of headers in memory, modulo 2**32
        ("network", ctypes.c_uint32),
        ("link", ctypes.c_uint32),
        ("lacks_device", ctypes.c_uint32),
        ("extensions", ctypes.c_uint32 * 16),  # values of the inline extensions; the index is the extension / 4
        ("seed", ctypes.c_uint64),
        ("draw_count", ctypes.c_uint64),
        ("preset_draws", ctypes.c_void_p),  # uint32 values of the first draws: `Metadata.draws`
        ("preset_count", ctypes.c_uint64),
        ("callback", ctypes.c_void_p),
        ("socket_buffer", ctypes.c_void_p),  # the argument of the callback; NULL: the default metadata
        ("counters", ctypes.c_void_p),  # where the code of `counting` counts; NULL for other code
    )

    keep_alive: Any  # the objects whose addresses are in the structure


def context_for(buffer: SocketBuffer) -> PacketContext:
    """Return the context of one packet, for one run."""
    context = _filled_context(buffer)
    context.keep_alive = buffer
    context.socket_buffer = id(buffer)
    draws = buffer.metadata.draws
    if draws:
        preset = (ctypes.c_uint32 * len(draws))(*draws)
        context.preset_draws, context.preset_count = ctypes.addressof(preset), len(preset)
        context.keep_alive = buffer, preset
    return context


def default_context() -> PacketContext:
    """Return a context with the default metadata, for any number of consecutive runs."""
    context = PacketContext.from_buffer_copy(_default_content())
    context.seed = _random_seed()
    return context


@cache
def _default_content() -> bytes:
    return bytes(_filled_context(SocketBuffer(b"", Metadata(), header_windows=False)))


def _random_seed() -> int:
    return int.from_bytes(os.urandom(8))


def _filled_context(buffer: SocketBuffer) -> PacketContext:
    """Return a context with the metadata of a packet, but without preset draws."""
    seed = buffer.metadata.seed
    context = PacketContext(packet=buffer.packet, network=buffer.network & 0xFFFF_FFFF, link=buffer.link & 0xFFFF_FFFF)
    context.lacks_device = buffer.lacks_device()
    for extension in _INLINE_EXTENSIONS:
        context.extensions[extension // 4] = buffer.extension(extension, 0, 0)
    context.seed = _random_seed() if seed is None else seed
    context.callback = ctypes.cast(_callback(), ctypes.c_void_p).value
    return context


@cache
def _callback() -> Any:
    """Return the callback of all contexts, which lives as long as the process."""

    def load_extension(extension: int, a: int, x: int, memory: int, length: int, buffer: int | None) -> int:
        try:
            if buffer is not None:
                packet: SocketBuffer = ctypes.cast(buffer, ctypes.py_object).value
            else:
                packet = SocketBuffer(ctypes.string_at(memory, length), Metadata(), header_windows=False)
            return packet.extension(extension, a, x)
        except BaseException as error:  # a signal handler's, such as KeyboardInterrupt; ctypes would discard it
            _pending.exception = error
            return 0

    return _Callback(load_extension)


_pending: Final = threading.local()


def raise_interruption() -> None:
    """Raise the exception that interrupted a callback in this thread; call this after each call of machine code."""
    error = getattr(_pending, "exception", None)
    if error is not None:
        _pending.exception = None
        raise error


def offset_of(field: str, index: int = 0) -> int:
    """Return the offset in bytes of a field of the structure, or of an item of `extensions`."""
    offset: int = getattr(PacketContext, field).offset
    return offset + 4 * index
