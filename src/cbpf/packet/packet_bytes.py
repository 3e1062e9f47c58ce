"""The bytes of one packet, from any buffer."""

from .._typing import Any, TypeAlias
from ..errors import PacketError

PacketBytes: TypeAlias = bytes | memoryview
"""The bytes of a packet; a memoryview has one dimension and the format B."""


def as_packet(buffer: Any) -> PacketBytes:
    """Return the bytes of any buffer, without a copy if they are contiguous.

    The result is exactly of one of two types whose length is that of their memory: a subclass of bytes may state
    another length. Raises `PacketError` for any other object.
    """
    if type(buffer) is bytes:
        return buffer
    try:
        view = memoryview(buffer)
        return view.cast("B") if view.c_contiguous and view.nbytes else view.tobytes()
    except ValueError as error:
        raise PacketError(f"packet: {error}") from None
    except TypeError:
        raise PacketError(f"packet: expected a bytes-like object, got {type(buffer).__name__}") from None
