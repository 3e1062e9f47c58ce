"""Encoding accepted packets, given as columns, by machine code; `encoder_code` generates it."""

import ctypes
import mmap
import sys
from collections.abc import Callable

from ..._typing import TYPE_CHECKING, Final
from ...engines.llvm import jit
from ...packet.host_order import ByteOrder
from ..file_parts import FileLimits, WrittenPart
from .abi import EncodeRequest
from .current_file import current_file, written_part
from .format_code import NativeEncoding
from .output_memory import AcceptedColumns

if TYPE_CHECKING:
    from ..output import Output
    from .encoder_code import RecordEncoder

BUFFER_SIZE: Final = 1 << 18  # bytes: the buffer remains in the cache until it is written


class PreparedEncoding:
    """The machine code of a `NativeEncoding`, ready to be called."""

    def __init__(self, encoding: NativeEncoding) -> None:
        self.call: Final = encoding.code.function(ctypes.c_uint32, ctypes.c_void_p)
        self.snaplen: Final = encoding.snaplen
        self.limits: Final = (ctypes.c_uint64 * len(encoding.limits))(*encoding.limits)


class Encoder:
    """Encodes packets into a buffer, which is reused, and writes it."""

    def __init__(self) -> None:
        self._buffer = ctypes.c_char.from_buffer(mmap.mmap(-1, BUFFER_SIZE))

    def write_part(
        self,
        encoding: PreparedEncoding,
        accepted: AcceptedColumns,
        origin: int,
        begin: int,
        output: "Output",
        limits: FileLimits,
    ) -> WrittenPart:
        """Encode packets from a row on, as many as the buffer has space for, and write their records.

        *origin* is that of the scan. The part is empty if the first packet does not fit in the format or the buffer, or
        begins another file.
        """
        address = ctypes.addressof(self._buffer)
        request = EncodeRequest(
            columns=accepted.memory,
            rows=accepted.rows,
            origin=origin,
            row=begin,
            count=accepted.row_count,
            limits=ctypes.addressof(encoding.limits),
            snaplen=encoding.snaplen,
            buffer=address,
            capacity=BUFFER_SIZE,
            file=current_file(limits),
        )
        encoding.call(ctypes.addressof(request))
        if request.size:
            ranges, sums = (ctypes.c_uint64 * 2)(address, request.size), ctypes.c_uint64(request.size)
            output.write_ranges(ctypes.addressof(ranges), 1, ctypes.addressof(sums))
        return written_part(request.row, request.file, limits, accepted)


def load_encoder(records: str, byte_order: ByteOrder, codegen: "Callable[[], RecordEncoder]") -> jit.Code:
    """Return the code that encodes packets in a byte order, from the code cache if possible.

    *records* is the name of the format in the key of the cache; *codegen* is called if the code must be generated.
    """
    is_swapped = (byte_order == "<") is not (sys.byteorder == "little")

    def write() -> str:
        from .encoder_code import encoder_code

        return encoder_code(codegen(), swapped=is_swapped)

    return jit.load_cached(f"encode {records}, swapped {is_swapped}", write)
