"""What the kernel knows about a packet beside its bytes, as a value."""

from typing import Annotated, TypeAlias

from .._record import Record
from .._validators import HalfWord, Word, check_word, instance_of, optional, within
from ..errors import FieldError

HeaderOffset: TypeAlias = Annotated[int, within(-0xFFFF, 0xFFFF, "a header offset")]
OptionalHeaderOffset: TypeAlias = Annotated[int | None, optional(within(-0xFFFF, 0xFFFF, "a header offset"))]


class Device(Record):
    """The network device of a packet: its index, and its hardware type (ARPHRD_*: 1 Ethernet, 772 loopback)."""

    index: Word
    hardware_type: HalfWord = 1


class VlanTag(Record):
    """A VLAN tag that was taken out of the packet: *tci* with priority and VLAN, *tpid* 0x8100 or 0x88a8."""

    tci: HalfWord
    tpid: HalfWord = 0x8100


def _words(place: str, value: object) -> tuple[int, ...]:
    if isinstance(value, tuple | list):
        return tuple(check_word(f"{place}[{index}]", one) for index, one in enumerate(value))
    raise FieldError(f"{place}: {value!r} is no tuple of numbers")


def _bytes(place: str, value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise FieldError(f"{place}: {value!r} is not bytes")


class Metadata(Record):
    """What the extension loads and header windows see (struct sk_buff); all numbers unsigned, host order.

    The defaults are what Linux shows on an AF_UNIX datagram socket.

      protocol: EtherType (0x0800 for IPv4); packet_type: 0 to this host, 1 broadcast, 2 multicast, 3 to
        another host, 4 outgoing (linux/if_packet.h).
      device: None for a packet of no device; then `ifidx` and `hatype` end the run with A as the verdict.
      network_header, link_header: offsets in bytes from packet byte 0; negative where the header came before
        what the socket sees, in `before`; None: there is no link header.
      before: the bytes in front of packet byte 0.
      payload_offset: what `poff` gives; None: what Linux computes from the packet (see `payload_offset`). A packet that
        was cut when it was captured is taken as if it ended there.
      seed: `rand` is a pure function of the seed and of how many numbers were drawn; None: really random.
      draws: the numbers that `rand` gives first, before those of the seed.
    """

    protocol: HalfWord = 0
    packet_type: Annotated[int, within(0, 7, "a packet type")] = 0
    device: Annotated[Device | None, optional(instance_of(Device))] = None
    mark: Word = 0
    queue: HalfWord = 0
    hash: Word = 0
    cpu: Word = 0
    vlan: Annotated[VlanTag | None, optional(instance_of(VlanTag))] = None
    network_header: HeaderOffset = 0
    link_header: OptionalHeaderOffset = None
    before: Annotated[bytes, _bytes] = b""
    payload_offset: Annotated[int | None, optional(check_word)] = None
    seed: Annotated[int | None, optional(within(0, 2**64 - 1, "a seed"))] = None
    draws: Annotated[tuple[int, ...], _words] = ()

    def __post_init__(self) -> None:
        for name in ("network_header", "link_header"):
            offset = getattr(self, name)
            if offset is not None and offset < -len(self.before):
                raise FieldError(
                    f"Metadata.{name}: {offset} lies outside the {len(self.before)} bytes before the packet"
                )
