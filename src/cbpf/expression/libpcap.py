"""libpcap's expression compiler: through cypcap, which bundles it, else through ctypes on the system's library.

Both compilers have one signature. They raise `ExpressionError` with libpcap's own words.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import ExpressionError, MissingLibrary

RawTuple: TypeAlias = tuple[int, int, int, int]


class Handle(NamedTuple):
    """What libpcap compiles an expression for.

    *dlt* and *snaplen* alone stand for a live device. With *file_header*, the 24 bytes of a pcap file, they are those
    of a capture: then libpcap refuses what a file cannot answer, and minds the file's byte order.
    """

    dlt: int
    snaplen: int
    file_header: bytes | None = None


Compiler: TypeAlias = Callable[[str, Handle, bool, int], list[RawTuple]]
"""(expression, handle, optimise, netmask) -> the instructions."""

NETMASK_UNKNOWN: Final = 0xFFFF_FFFF


@cache
def compiler() -> Compiler:
    """The first of the two compilers that can be had here; raises `MissingLibrary` if none can."""
    for make in (cypcap_compiler, system_compiler):
        try:
            return make()
        except MissingLibrary:
            continue
    raise MissingLibrary(
        "filter expressions need libpcap: pip install cypcap, or install the system's (Debian: libpcap0.8)"
    )


def cypcap_compiler() -> Compiler:
    """The compiler of the libpcap that cypcap bundles."""
    try:
        import cypcap
    except ImportError as error:
        raise MissingLibrary(f"cypcap cannot be imported ({error}): pip install cypcap") from None

    def compile_expression(expression: str, handle: Handle, optimize: bool, netmask: int) -> list[RawTuple]:
        try:
            if handle.file_header is None:
                return list(cypcap.compile(handle.dlt, handle.snaplen, expression, optimize, netmask))
            with _as_file(handle.file_header) as path, cypcap.open_offline(path) as capture:
                return list(capture.compile(expression, optimize, netmask))
        except cypcap.Error as error:
            raise ExpressionError(str(error.args[-1])) from None

    return compile_expression


@contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """A path that reads as *data*: the file descriptor of a pipe."""
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)


_SYSTEM_NAMES: Final = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so", "libpcap.A.dylib")


def system_compiler() -> Compiler:
    """The compiler of the system's libpcap: pcap_open_dead(3PCAP) and pcap_compile(3PCAP)."""
    import ctypes

    library = _load_system_library()
    instruction = "HBBI"  # struct bpf_insn: code, jt, jf, k

    class CompiledProgram(ctypes.Structure):
        """struct bpf_program: a count, and a pointer to that many instructions."""

        _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))

    def compile_expression(expression: str, handle: Handle, optimize: bool, netmask: int) -> list[RawTuple]:
        capture = ctypes.c_void_p(_open(library, handle))
        program = CompiledProgram()
        try:
            text = ctypes.c_char_p(expression.encode())
            if library.pcap_compile(capture, ctypes.byref(program), text, int(optimize), ctypes.c_uint32(netmask)) != 0:
                raise ExpressionError(library.pcap_geterr(capture).decode(errors="replace"))
            data = ctypes.string_at(program.instructions or 0, program.length * struct.calcsize(instruction))
            return list(struct.iter_unpack(instruction, data))
        finally:
            library.pcap_freecode(ctypes.byref(program))
            library.pcap_close(capture)

    return compile_expression


def _open(library: Any, handle: Handle) -> int:
    """A pcap_t: of a dead handle, or of a savefile without packets."""
    if handle.file_header is None:
        return int(library.pcap_open_dead(handle.dlt, handle.snaplen))
    import ctypes

    reason = ctypes.create_string_buffer(256)  # PCAP_ERRBUF_SIZE
    with _as_file(handle.file_header) as path:
        capture = library.pcap_open_offline(path.encode(), reason)
    if not capture:
        raise ExpressionError(reason.value.decode(errors="replace"))
    return int(capture)


@cache
def _load_system_library() -> Any:
    import ctypes
    import ctypes.util

    for name in (*_SYSTEM_NAMES, ctypes.util.find_library("pcap")):
        try:
            library = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if library is not None:
            library.pcap_open_dead.restype = library.pcap_open_offline.restype = ctypes.c_void_p
            library.pcap_geterr.restype = ctypes.c_char_p
            return library
    raise MissingLibrary("the system has no libpcap (Debian: libpcap0.8)")
