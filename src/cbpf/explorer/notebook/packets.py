"""The packets of a page in a notebook, as a capture that the page opens."""

from __future__ import annotations

import io
import os
from itertools import islice

import cbpf

from ..._named_tuple import NamedTuple
from ..._text import counted
from ..._typing import Any, Final
from ...reporting.clause_output import shortened
from ..packets import MAX_PACKETS, LoadedCapture
from ..page import capture_bytes

_LISTED: Final = MAX_PACKETS + 1  # so that the page knows that more follow
_DEFAULT_LINK_TYPE: Final = "EN10MB"
_MAX_TEXT: Final = 60  # characters of an expression


class ShownPackets(NamedTuple):
    """The packets that a page shows.

    Args:
        link_type: The name of the link type of the first packet, or of the expression without packets.
        capture: The path of a capture, or its bytes; None: the page opens no capture.
        name: The name of the capture in the page.
        listed: The number of packets that the page lists.
        has_more: Whether the capture has more packets.
        single: The only packet, with its length on the wire, if it is not in a capture.
    """

    link_type: str
    capture: str | bytes | None = None
    name: str = ""
    listed: int = 0
    has_more: bool = False
    single: tuple[bytes, int] | None = None

    def described(self, text: str) -> str:
        """Return a program, as the text of a source, and the number of packets as text for people."""
        program = "a program" if "\n" in text else repr(shortened(text, _MAX_TEXT))
        if self.single is None and self.capture is None:
            return program
        return f"{program}, {'the first ' if self.has_more else ''}{self.counted()}"

    def counted(self) -> str:
        """Return the number of packets as text for people."""
        return counted(1 if self.single is not None else self.listed, "packet")

    def state(self) -> dict[str, Any]:
        """Return the keys of links for a packet that is not in a capture."""
        return {} if self.single is None else {"p": self.single[0].hex(), "w": self.single[1]}

    def loaded(self) -> LoadedCapture | None:
        """Return the capture as the page reads it; None if the page opens no capture."""
        return None if self.capture is None else LoadedCapture(capture_bytes(self.capture), self.name)


def shown_packets(packets: Any, link_type: str | int | cbpf.LinkType | None) -> ShownPackets:
    """Return the packets for the page; see `explore`."""
    name = _DEFAULT_LINK_TYPE if link_type is None else cbpf.link_type(link_type).name
    if packets is None:
        return ShownPackets(name)
    if isinstance(packets, cbpf.Packet):
        return ShownPackets(name, single=(bytes(packets.data), packets.wire_length))
    if isinstance(packets, bytes | bytearray | memoryview):
        return ShownPackets(name, single=(bytes(packets), len(bytes(packets))))
    if isinstance(packets, str | os.PathLike):
        return _of_capture(_path(packets), link_type)
    return _of_capture(_written(packets, link_type), link_type)


def _path(packets: str | os.PathLike[str]) -> str:
    path = os.path.abspath(os.fspath(packets))  # the kernel may change its folder before the page reads it
    cbpf.read_capture(path).close()
    return path


def _of_capture(capture: str | bytes, link_type: Any) -> ShownPackets:
    """Return the packets of a capture, whose first packet has the link type, unless another one is given."""
    name = os.path.basename(capture) if isinstance(capture, str) else "packets.pcapng"
    loaded = LoadedCapture(capture_bytes(capture), name)
    types = [loaded.interface(packet).link_type.name for packet in loaded.packets[:1]]
    first = types[0] if types else _DEFAULT_LINK_TYPE
    if link_type is not None and isinstance(capture, str) and cbpf.link_type(link_type).name != first:
        fact = f"{name} has packets of {first}, not of {cbpf.link_type(link_type).name}"
        raise cbpf.FieldError(f"explore.link_type: {fact}; without link_type, that of the capture is used")
    return ShownPackets(first, capture, name, len(loaded.packets), loaded.has_more)


def _written(packets: Any, link_type: Any) -> bytes:
    """Return the first packets of a source as a pcapng."""
    target = io.BytesIO()
    if isinstance(packets, cbpf.CaptureReader):
        first = [*islice(packets, _LISTED)]  # before its interfaces, which may follow packets
        given = packets.interfaces if link_type is None else None
        cbpf.write_capture(target, first, link_type=link_type, interfaces=given, container="pcapng")
    elif hasattr(packets, "__arrow_c_stream__") or hasattr(packets, "__arrow_c_array__"):
        cbpf.write_capture(target, _first_rows(packets), link_type=link_type, container="pcapng")
    else:
        try:
            first = [*islice(packets, _LISTED)]
        except TypeError:
            expected = "the path of a capture, packets, or a table"
            raise cbpf.FieldError(f"explore.packets: expected {expected}, got {type(packets).__name__}") from None
        cbpf.write_capture(target, first, link_type=link_type, container="pcapng")
    return target.getvalue()


def _first_rows(table: Any) -> Any:
    """Return the first rows of a table, if it has a method for that; polars, pandas, duckdb, and pyarrow have."""
    for name, arguments in (("head", (_LISTED,)), ("limit", (_LISTED,)), ("slice", (0, _LISTED))):
        if callable(method := getattr(table, name, None)):
            return method(*arguments)
    return table
