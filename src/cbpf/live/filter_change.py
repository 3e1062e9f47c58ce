"""A change of the filter of a live capture, and the packets that arrived before it."""

from .._named_tuple import NamedTuple
from .._typing import Final
from ..capture.packets import Packet
from ..isa.enumerations import Extension
from ..isa.instructions import LoadExtension
from ..isa.program import Program
from ..packet.af_packet import socket_view
from ..vm import VM
from .filters import LIVE_DIALECT, LiveTarget

_DISORDER_NS: Final = 10**9
"""A time in nanoseconds after which no packet follows that arrived earlier than its predecessors."""


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


class FilterChange(NamedTuple):
    """The new filter, and the packets that an earlier filter accepted.

    Those are the first *packets* of the capture, which had been read, and those with times up to *time_ns*. *vm* runs
    the new filter on them; None: it needs metadata that only the kernel has, so that they are rejected.
    """

    target: LiveTarget
    vm: VM | None
    packets: int
    time_ns: int

    def apply(self, piece: list[Packet | None]) -> None:
        """Replace the packets that arrived before the change, and that the new filter may reject, by None.

        The list keeps its length: another thread may iterate over it meanwhile.
        """
        if not piece or self._is_later(piece[0]):
            return
        for index, packet in enumerate(piece):
            if packet is not None and self._rejects(packet):
                piece[index] = None

    def _is_later(self, first: Packet | None) -> bool:
        """Return whether a packet and all later ones arrived after the change."""
        return first is not None and first.number > self.packets and first.time_ns > self.time_ns + _DISORDER_NS

    def _rejects(self, packet: Packet) -> bool:
        is_earlier = packet.number <= self.packets or packet.time_ns <= self.time_ns
        return is_earlier and (self.vm is None or not self._is_accepted(self.vm, packet))

    def _is_accepted(self, vm: VM, packet: Packet) -> bool:
        if self.target.is_cooked:
            return vm.match(packet.data, packet.wire_length) != 0
        view = socket_view(packet.data, self.target.link_type, packet.wire_length)
        return vm.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length) != 0


def vm_for_earlier_packets(program: Program, target: LiveTarget) -> VM | None:
    """Return a VM for `FilterChange`."""
    loads = (item.num for item in program.instructions if isinstance(item, LoadExtension))
    is_known = target.is_cooked or all(number in _KNOWN_EXTENSIONS for number in loads)
    return VM(program, dialect=LIVE_DIALECT) if is_known else None
