"""Bindings to libpcap's expression compiler: through cypcap, which bundles libpcap, or through the system's library.

Both bindings are functions of the type `Compiler`, and raise `ExpressionError` with libpcap's own message.
"""

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from .._libpcap import REMEDY, system_libpcap
from .._named_tuple import NamedTuple
from .._typing import Any, Final, Self, TypeAlias
from ..errors import ExpressionError, MissingLibrary
from ..packet.link_types import LinkType, link_type_by_dlt
from .target import Target

RawTuple: TypeAlias = tuple[int, int, int, int]

REJECTS_ALL_MESSAGE: Final = "expression rejects all packets"  # of libpcap's optimiser


class Handle(NamedTuple):
    """The packets that libpcap compiles an expression for: those of a live device or of a capture file.

    Args:
        dlt: The link type as a DLT_ number.
        snaplen: The snapshot length in bytes, which is the verdict on accepted packets.
        file_header: The 24-byte header of a pcap file, or None for a live device. For a file, libpcap rejects
            primitives that need a live socket (`inbound`, `ifindex`), and uses the file's byte order for link types
            whose header is in the byte order of the capturing host (DLT_NULL).
    """

    dlt: int
    snaplen: int
    file_header: bytes | None = None

    @classmethod
    def of(cls, target: Target) -> Self:
        """Return the handle for the packets of a target."""
        handle = cls(target.dlt, target.snaplen)
        if target.file_order is None:
            return handle
        byte_order = "<" if target.file_order == "little" else ">"
        linktype = link_type_by_dlt(target.dlt).linktype
        header = struct.pack(f"{byte_order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, target.snaplen, linktype)
        return handle._replace(file_header=header)

    def for_link_type(self, link_type: LinkType) -> "Handle":
        """Return a handle for the same packets under another link type."""
        if self.file_header is None:
            return self._replace(dlt=link_type.dlt)
        byte_order = "<" if self.file_header[4] else ">"  # the first byte of the major version, 2
        header = self.file_header[:20] + struct.pack(f"{byte_order}I", link_type.linktype)
        return self._replace(dlt=link_type.dlt, file_header=header)


Compiler: TypeAlias = Callable[[str, Handle, bool, int], list[RawTuple]]
"""(expression, handle, optimise, netmask) -> the instructions as (op, jt, jf, k)."""

NETMASK_UNKNOWN: Final = 0xFFFF_FFFF  # PCAP_NETMASK_UNKNOWN (pcap/pcap.h)


@cache
def compiler() -> Compiler:
    """Return the first compiler that is installed. Raises `MissingLibrary` if there is none."""
    for load_compiler in (cypcap_compiler, system_compiler):
        try:
            return load_compiler()
        except MissingLibrary:
            continue
    raise MissingLibrary(f"the front end 'libpcap' needs libpcap: {REMEDY}")


def cypcap_compiler() -> Compiler:
    """Return the compiler of the libpcap that cypcap bundles. Raises `MissingLibrary` without cypcap."""
    try:
        import cypcap
    except ImportError as error:
        raise MissingLibrary(f"cypcap cannot be imported ({error}): pip install 'cbpf[libpcap]'") from None

    def compile_expression(expression: str, handle: Handle, optimize: bool, netmask: int) -> list[RawTuple]:
        try:
            if handle.file_header is None:
                return list(cypcap.compile(handle.dlt, handle.snaplen, expression, optimize, netmask))
            with _pipe_path(handle.file_header) as path, cypcap.open_offline(path) as capture:
                return list(capture.compile(expression, optimize, netmask))
        except cypcap.Error as error:
            raise ExpressionError(str(error.args[-1])) from None

    return compile_expression


@contextmanager
def _pipe_path(data: bytes) -> Iterator[str]:
    """Provide the path of a pipe that contains *data*, for functions that open a file by its path."""
    reader, writer = os.pipe()
    try:
        os.write(writer, data)
        os.close(writer)
        yield f"/dev/fd/{reader}"
    finally:
        os.close(reader)


def system_compiler() -> Compiler:
    """Return the compiler of the system's libpcap. Raises `MissingLibrary` without libpcap.

    Sources: pcap_open_dead(3PCAP), pcap_open_offline(3PCAP), pcap_compile(3PCAP).
    """
    library = system_libpcap()
    import ctypes

    layout = "HBBI"  # struct bpf_insn: code, jt, jf, k

    class CompiledProgram(ctypes.Structure):
        """struct bpf_program: the number of instructions, and a pointer to them."""

        _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))

    def compile_expression(expression: str, handle: Handle, optimize: bool, netmask: int) -> list[RawTuple]:
        capture = ctypes.c_void_p(_open(library, handle))
        program = CompiledProgram()
        try:
            text = ctypes.c_char_p(expression.encode())
            if library.pcap_compile(capture, ctypes.byref(program), text, int(optimize), ctypes.c_uint32(netmask)) != 0:
                raise ExpressionError(library.pcap_geterr(capture).decode(errors="replace"))
            data = ctypes.string_at(program.instructions or 0, program.length * struct.calcsize(layout))
            return list(struct.iter_unpack(layout, data))
        finally:
            library.pcap_freecode(ctypes.byref(program))
            library.pcap_close(capture)

    return compile_expression


def _open(library: Any, handle: Handle) -> int:
    """Return the address of a new pcap_t, without a device or of a capture file without packets."""
    if handle.file_header is None:
        return int(library.pcap_open_dead(handle.dlt, handle.snaplen))
    import ctypes

    message = ctypes.create_string_buffer(256)  # PCAP_ERRBUF_SIZE
    with _pipe_path(handle.file_header) as path:
        capture = library.pcap_open_offline(path.encode(), message)
    if not capture:
        raise ExpressionError(message.value.decode(errors="replace"))
    return int(capture)
