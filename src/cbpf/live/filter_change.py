"""A change of the filter of a live capture, and the packets that arrived before it."""

from .._named_tuple import NamedTuple
from .._typing import Final
from ..capture.packets import Packet
from ..isa.enumerations import Extension
from ..isa.instructions import LoadExtension
from ..isa.program import Program
from ..packet.af_packet import socket_view
from ..packet.socket_fields import TAG_PROTOCOLS
from ..vm import VM
from .filters import LIVE_DIALECT, LiveTarget

_KNOWN_EXTENSIONS: Final = {
    Extension.LEN,
    Extension.PROTO,
    Extension.PAYLOAD_OFFSET,
    Extension.NETLINK_ATTR,
    Extension.NETLINK_ATTR_NESTED,
    Extension.XOR_X,
    Extension.VLAN_TAG,
    Extension.VLAN_TAG_PRESENT,
    Extension.VLAN_PROTO,
}
"""Those that the bytes of a packet determine, in which libpcap has inserted the VLAN tag."""
_HEADER_WINDOWS: Final = 0x8000_0000  # offsets from here on are negative for the kernel
_TAGS: Final = tuple(number.to_bytes(2, "big") for number in TAG_PROTOCOLS)
_TYPE: Final = slice(12, 14)  # of an Ethernet frame


class RepeatedFilter(NamedTuple):
    """A filter that runs in this process, on packets that the kernel has judged by an earlier one.

    If *reads_bytes_only*, it reads no metadata and no header windows, so that most packets are as the kernel saw them.
    """

    target: LiveTarget
    vm: VM
    reads_bytes_only: bool

    def accepts(self, packet: Packet) -> bool:
        """Return whether the filter accepts a packet of the capture."""
        _, _, wire_length, data, *_ = packet
        if self.target.is_cooked or (self.reads_bytes_only and data[_TYPE] not in _TAGS):
            return self.vm.match(data, wire_length) != 0
        view = socket_view(data, self.target.link_type, wire_length)
        return self.vm.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length) != 0


def repeated_filter(program: Program, target: LiveTarget) -> RepeatedFilter | None:
    """Return a filter for packets that were captured; None if it tests metadata that only the kernel has."""
    extensions = {item.num for item in program.instructions if isinstance(item, LoadExtension)}
    if not target.is_cooked and not extensions <= _KNOWN_EXTENSIONS:
        return None
    has_windows = any(getattr(item, "off", 0) >= _HEADER_WINDOWS for item in program.instructions)
    reads_bytes_only = extensions <= {Extension.LEN} and not has_windows
    return RepeatedFilter(target, VM(program, dialect=LIVE_DIALECT), reads_bytes_only)


class FilterChange(NamedTuple):
    """The new filter, and the number of packets of the capture that an earlier filter accepted.

    They are filtered again; if *filter* is None, they are rejected.
    """

    filter: RepeatedFilter | None
    packets: int

    def apply(self, piece: list[Packet | None]) -> None:
        """Replace the packets that the new filter rejects, of those before the change, by None.

        The list keeps its length: another thread may iterate over it meanwhile.
        """
        for index, packet in enumerate(piece):
            if packet is None:
                continue
            if packet.number > self.packets:
                return
            if self.filter is None or not self.filter.accepts(packet):
                piece[index] = None
