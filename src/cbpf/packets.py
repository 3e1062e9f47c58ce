"""Packets as buffers: any contiguous buffer of bytes counts as one."""

from typing import Any

from .errors import PacketError
from .socket_buffer import PacketBytes


def as_packet(buffer: Any) -> PacketBytes:
    """The bytes of any buffer, without a copy where its layout allows; raises `PacketError` for anything else."""
    if isinstance(buffer, bytes):
        return buffer
    try:
        view = memoryview(buffer)
        return view.cast("B") if view.c_contiguous else view.tobytes()
    except ValueError as error:
        raise PacketError(f"packet: {error}") from None
    except TypeError:
        raise PacketError(
            f"packet: {type(buffer).__name__!r} object is no buffer; pass bytes, bytearray, memoryview, or an array"
        ) from None
