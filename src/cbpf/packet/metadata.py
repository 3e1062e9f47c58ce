"""The metadata of a packet: the fields of the kernel's struct sk_buff that a program can load."""

from .._record import JsonRecord
from .._typing import Annotated, TypeAlias
from .._validators import HalfWord, Word, check_word, instance_of, optional, within
from ..errors import FieldError

HeaderOffset: TypeAlias = Annotated[int, within(-0xFFFF, 0xFFFF, "a header offset")]
OptionalHeaderOffset: TypeAlias = Annotated[int | None, optional(within(-0xFFFF, 0xFFFF, "a header offset"))]


class Device(JsonRecord):
    """The network device of a packet.

    Args:
        index: Interface index, as `ip link` shows it, an unsigned 32-bit number; the result of `ld ifidx`.
        hardware_type: ARPHRD_ number (linux/if_arp.h), an unsigned 16-bit number: 1 Ethernet (the default),
            772 loopback; the result of `ld hatype`.
    """

    index: Word
    hardware_type: HalfWord = 1


class VlanTag(JsonRecord):
    """A VLAN tag that the kernel has removed from the packet's bytes.

    Args:
        tci: Tag control information, 16 bits in host order: priority (3 bits), drop eligible (1), VLAN identifier (12).
        tpid: EtherType of the tag, in host order: 0x8100 (IEEE 802.1Q, the default) or 0x88A8 (IEEE 802.1ad).
    """

    tci: HalfWord
    tpid: HalfWord = 0x8100


def _words(path: str, value: object) -> tuple[int, ...]:
    if isinstance(value, tuple | list):
        return tuple(check_word(f"{path}[{index}]", word) for index, word in enumerate(value))
    raise FieldError(f"{path}: {value!r} is not a tuple of numbers")


def _bytes(path: str, value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return memoryview(value).tobytes()  # exactly bytes, also for a subclass with other methods
    raise FieldError(f"{path}: {value!r} is not bytes")


class Metadata(JsonRecord):
    """The inputs of a program apart from the packet's bytes: the results of extension loads, and the header offsets.

    All numbers are unsigned and in host order, unless noted. The defaults are the values that Linux gives for a packet
    on an AF_UNIX datagram socket. Source of the fields: Linux struct sk_buff, and net/core/filter.c.

    Args:
        protocol: EtherType, 16 bits: 0x0800 for IPv4.
        packet_type: PACKET_ number (linux/if_packet.h), 0 to 7: 0 to this host, 1 broadcast, 2 multicast, 3 to another
            host, 4 outgoing.
        device: The network device. None: the packet has no device; then the loads `ifidx` and `hatype` end the run,
            and the verdict is A.
        mark: Firewall mark (SO_MARK), 32 bits.
        queue: Queue of the device (skb->queue_mapping), 16 bits.
        hash: Flow hash, 32 bits.
        cpu: Number of the CPU that runs the filter, 32 bits.
        vlan: The outer VLAN tag, removed from the packet's bytes; None: the packet has no such tag.
        network_header: Offset of the network header in bytes from packet byte 0, -65535 to 65535. Negative if that
            header is in *before*.
        link_header: Offset of the link header in bytes from packet byte 0, -65535 to 65535. None: there is no link
            header.
        before: The bytes immediately before packet byte 0, which a socket does not receive but header windows reach.
        payload_offset: Result of the load `poff`, 32 bits. None: computed from the packet as Linux does it; a
            packet that was truncated at capture is taken to end there.
        seed: Seed of `rand`, 64 bits: each result is a function of the seed and of the number of earlier `rand` loads.
            None: the numbers come from `os.urandom`.
        draws: The first results of `rand`, 32 bits each; the seed gives those after them.

    Raises:
        FieldError: A value is out of range, or a header offset is before the first of the bytes in *before*.

    >>> metadata = Metadata(protocol=0x0800, mark=7, vlan=VlanTag(100))
    >>> metadata.replace(mark=8).mark
    8
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
                fact = f"{offset} is outside the {len(self.before)} bytes before the packet"
                raise FieldError(f"Metadata.{name}: {fact}")
