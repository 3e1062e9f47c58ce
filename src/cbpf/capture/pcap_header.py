"""The header of a pcap, and the layout of its records.

Byte order and field layouts as in pcap-savefile(5); the older variants as in sf-pcap.c of libpcap.
"""

import struct

from .._named_tuple import NamedTuple
from .._typing import Final
from ..errors import CaptureError
from ..packet.host_order import ByteOrder
from ..packet.link_types import LinkType, link_type
from .base import SECOND, Interface, LengthOrder

FILE_HEADER_SIZE: Final = 24


class _Variant(NamedTuple):
    nanoseconds: bool
    record_header_size: int


_VARIANTS: Final = {  # by magic number
    0xA1B2C3D4: _Variant(nanoseconds=False, record_header_size=16),
    0xA1B23C4D: _Variant(nanoseconds=True, record_header_size=16),
    0xA1B2CD34: _Variant(nanoseconds=False, record_header_size=24),  # Alexey Kuznetzov's patched libpcap
}
_BYTE_ORDERS: Final[tuple[ByteOrder, ...]] = ("<", ">")


class PcapLayout(NamedTuple):
    """The layout of the records: captures with equal layouts represent the same packet by the same bytes."""

    byte_order: ByteOrder
    nanoseconds: bool
    record_header_size: int
    length_order: LengthOrder


class FileHeader(NamedTuple):
    """A file header: *data* is its 24 bytes; *snaplen* is in bytes, as libpcap corrects it."""

    data: bytes
    layout: PcapLayout
    snaplen: int
    link_type: LinkType

    @property
    def interface(self) -> Interface:
        """The only interface of a pcap."""
        resolution = SECOND if self.layout.nanoseconds else 1_000_000
        return Interface(self.link_type, self.snaplen, self.layout.byte_order, resolution)


def is_pcap(begin: bytes) -> bool:
    """Return whether a capture begins with the magic number of a pcap."""
    return len(begin) >= 4 and any(_magic(begin, order) in _VARIANTS for order in _BYTE_ORDERS)


def parse_header(data: bytes, name: str) -> FileHeader:
    """Return the file header at the start of a capture; raise `CaptureError` if it is not supported."""
    if len(data) < FILE_HEADER_SIZE:
        raise CaptureError(f"{name}: file too short: {len(data)} bytes, but a pcap header has {FILE_HEADER_SIZE}")
    byte_order, variant = _identify(data)
    major, minor, _, _, snaplen, linktype = struct.unpack_from(f"{byte_order}HHiIII", data, 4)
    length_order = _length_order(major, minor, name)
    header_type = link_type(linktype & 0x03FF_FFFF)  # the upper bits hold the length of the frame check sequence
    if not 0 < snaplen <= 0x7FFF_FFFF:
        snaplen = header_type.max_packet_length
    layout = PcapLayout(byte_order, *variant, length_order)
    return FileHeader(data[:FILE_HEADER_SIZE], layout, snaplen + _uncounted(layout, header_type), header_type)


def _uncounted(layout: PcapLayout, header_type: LinkType) -> int:
    """Return the number of bytes of a packet that the snapshot length in the header does not count."""
    is_kuznetzov = layout.record_header_size == 24  # his libpcap did not count the Ethernet header when capturing
    return 14 if is_kuznetzov and header_type.name == "EN10MB" else 0


def _identify(data: bytes) -> tuple[ByteOrder, _Variant]:
    magics: list[tuple[ByteOrder, int]] = [(byte_order, _magic(data, byte_order)) for byte_order in _BYTE_ORDERS]
    return next((byte_order, _VARIANTS[magic]) for byte_order, magic in magics if magic in _VARIANTS)


def _magic(data: bytes, byte_order: ByteOrder) -> int:
    return int.from_bytes(data[:4], "little" if byte_order == "<" else "big")


def _length_order(major: int, minor: int, name: str) -> LengthOrder:
    if major < 2 or ((major != 2 or minor > 4) and (major, minor) != (543, 0)):
        raise CaptureError(
            f"{name}: byte 4: unsupported pcap version {major}.{minor}; versions 2.0 to 2.4 and 543.0 are supported"
        )
    if minor < 3 or major == 543:
        return "wire first"
    return "smaller is captured" if minor == 3 else "captured first"


def merged_header(headers: list[FileHeader]) -> FileHeader:
    """Return a header that suits the packets of all captures: the first one if nothing is lost under it."""
    first = headers[0]
    if all(header[1:] == first[1:] and header.data[16:] == first.data[16:] for header in headers):
        return first
    snaplen = max(header.snaplen for header in headers)
    if any(header.layout != first.layout for header in headers):
        nanoseconds = any(header.layout.nanoseconds for header in headers)
        return plain_header(first.interface._replace(snaplen=snaplen), nanoseconds=nanoseconds)
    end = struct.pack(f"{first.layout.byte_order}I", first.link_type.linktype)
    return with_snaplen(first._replace(data=first.data[:20] + end, snaplen=0), snaplen)


def with_snaplen(header: FileHeader, snaplen: int) -> FileHeader:
    """Return a header with a snapshot length; the same header if it has it already."""
    if header.snaplen == snaplen:
        return header
    counted = max(snaplen - _uncounted(header.layout, header.link_type), 1)  # 0 would be no limit
    field = struct.pack(f"{header.layout.byte_order}I", counted)
    return header._replace(data=header.data[:16] + field + header.data[20:], snaplen=snaplen)


def plain_header(interface: Interface, *, nanoseconds: bool) -> FileHeader:
    """Return the header of a capture of this interface in version 2.4, the current variant of the format."""
    magic = next(magic for magic, variant in _VARIANTS.items() if variant == (nanoseconds, 16))
    header_type, snaplen, byte_order = interface[:3]
    data = struct.pack(f"{byte_order}IHHiIII", magic, 2, 4, 0, 0, snaplen, header_type.linktype)
    return FileHeader(data, PcapLayout(byte_order, nanoseconds, 16, "captured first"), snaplen, header_type)
