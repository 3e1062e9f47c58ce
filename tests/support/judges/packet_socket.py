"""AF_PACKET and UDP sockets of the live Linux kernel, as judges of what a program sees of a packet.

A network namespace of its own holds a pair of Ethernet devices, "west" and "east". A frame sent at west
arrives at east. Programs judge it on one of these sockets:

  raw                at east; byte 0 is the Ethernet header
  datagram           at east; byte 0 is the network header
  outgoing           at west, as a copy of what is sent; byte 0 is the Ethernet header
  outgoing_datagram  the same; byte 0 is the network header
  loopback           an AF_INET UDP socket at 127.0.0.1; byte 0 is the UDP header. Here what is sent is not a
                     frame but the payload of a datagram; `loopback_frame` tells the frame around it.

East takes a VLAN tag, the outer one, out of the frame; a tagged frame of less than 20 bytes never arrives.
Frames have 14 to 65553 bytes. Longer than a page less some, they are not linear in memory.

The namespace has no name and no process: it lives as long as the sockets, so it always goes with this
process. It needs root, or user namespaces, and the command `ip`; call nothing but `available` where that
gives a reason, and call from one thread only.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import mmap
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from .kernel import RETURN_K, SO_ATTACH_FILTER, Program, _forked, sock_fprog, verdict_through

Kind: TypeAlias = Literal["raw", "datagram", "outgoing", "outgoing_datagram", "loopback"]
PACKET_KINDS: Final[tuple[Kind, ...]] = ("raw", "datagram", "outgoing", "outgoing_datagram")

WEST_ADDRESS: Final = bytes.fromhex("020000000001")
EAST_ADDRESS: Final = bytes.fromhex("020000000002")
VLANS: Final = (0x8100, 0x88A8)
LOOPBACK_INDEX: Final = 1
WEST_INDEX: Final = 20
EAST_INDEX: Final = 21
MARK: Final = 0xC0FFEE01
"""The mark of every frame and datagram."""

LONGEST_FRAME: Final = 65535 + 14 + 4
ETHERNET_LENGTH: Final = 14
PATIENCE: Final = 2.0
"""Seconds after which a frame is lost."""

_KEEP: Final = [(RETURN_K, 0, 0, 0xFFFFFFFF)]
_DROP: Final = [(RETURN_K, 0, 0, 0)]
_EVERY_PROTOCOL: Final = 3
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_IP_MTU_DISCOVER: Final = 10
_IP_PMTUDISC_DO: Final = 2  # an unconnected socket then gives every packet the identification 0
_SO_MARK: Final = 36
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("9I")
_DROPS: Final = 8  # the last word of SO_MEMINFO
_NO_OUTGOING: Final = [(0x20, 0, 0, 0xFFFFF004), (0x15, 0, 1, 4), (RETURN_K, 0, 0, 0), (RETURN_K, 0, 0, 0xFFFFFFFF)]

_DEVICES: Final = f"""
link set lo up
link add name west index {WEST_INDEX} address {WEST_ADDRESS.hex(":")} mtu 65535 numtxqueues 2 type veth peer \
name east index {EAST_INDEX} address {EAST_ADDRESS.hex(":")} mtu 65535
link set east arp off multicast off up
link set west arp off multicast off up
"""
# West comes last: the one that finds its peer up can send at once, the other when a worker of the kernel says so.


class _Sockets(NamedTuple):
    sender: socket.socket
    witness: socket.socket
    """Sees each frame at east after the sockets that judge there: what they have not got by then was dropped."""
    raw: socket.socket
    datagram: socket.socket
    outgoing: socket.socket
    outgoing_datagram: socket.socket
    loopback_sender: socket.socket
    loopback_tap: socket.socket
    loopback: socket.socket


# -- making them ---------------------------------------------------------------


def _enter_namespace() -> None:
    """Put this process, which must have one thread, into a new network namespace, as its root."""
    library = ctypes.CDLL(None, use_errno=True)
    user = os.geteuid()
    if library.unshare(_CLONE_NEWNET) == 0:
        return
    if library.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no new network namespace")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")


def _make_devices() -> None:
    """West, east and lo, up and silent."""
    ipv6 = Path("/proc/sys/net/ipv6/conf")
    for which in ("all", "default"):
        with contextlib.suppress(FileNotFoundError):
            (ipv6 / which / "disable_ipv6").write_text("1")
    subprocess.run(["ip", "-batch", "-"], input=_DEVICES, text=True, check=True, capture_output=True)


def _packet_socket(device: str, kind: socket.SocketKind, filter_: Program) -> socket.socket:
    """A socket that gets what *filter_* keeps of the frames at *device*, from now on."""
    made = socket.socket(socket.AF_PACKET, kind, 0)
    _attach(made, filter_)
    made.bind((device, _EVERY_PROTOCOL))
    return made


def _make_sockets() -> _Sockets:
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind(("west", 0))
    loopback_sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    loopback = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    loopback_sender.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
    _attach(loopback, _DROP)
    loopback.bind(("127.0.0.1", 7777))
    for one in (sender, loopback_sender):
        one.setsockopt(socket.SOL_SOCKET, _SO_MARK, struct.pack("I", MARK))
    return _Sockets(
        sender,
        # The kernel asks the sockets of a device newest first.
        witness=_packet_socket("east", socket.SOCK_RAW, [(RETURN_K, 0, 0, 1)]),
        raw=_packet_socket("east", socket.SOCK_RAW, _DROP),
        datagram=_packet_socket("east", socket.SOCK_DGRAM, _DROP),
        outgoing=_packet_socket("west", socket.SOCK_RAW, _DROP),
        outgoing_datagram=_packet_socket("west", socket.SOCK_DGRAM, _DROP),
        loopback_sender=loopback_sender,
        loopback_tap=_packet_socket("lo", socket.SOCK_RAW, _DROP),
        loopback=loopback,
    )


@cache
def _sockets() -> _Sockets:
    """Made by a child, which enters the namespace and hands them over."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def task(shared: mmap.mmap) -> None:
        try:
            _enter_namespace()
            _make_devices()
            made = _make_sockets()
            socket.send_fds(theirs, [b"sockets"], [one.fileno() for one in made])
        except BaseException as error:
            reason = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
            shared.write(str(reason).strip().encode()[: mmap.PAGESIZE - 1])

    with ours, theirs:
        reason, _status = _forked(task)
        if message := reason.rstrip(b"\0"):
            raise OSError(message.decode(errors="replace"))
        ours.setblocking(False)
        _data, descriptors, _flags, _address = socket.recv_fds(ours, 16, len(_Sockets._fields))
    made = _Sockets(*(socket.socket(fileno=descriptor) for descriptor in descriptors))
    for one in made:
        one.setblocking(False)
    made.witness.settimeout(PATIENCE)
    return made


def _discard_sockets() -> None:
    """Close them, and with them goes the namespace; the next call makes new ones."""
    if _sockets.cache_info().currsize:
        for one in _sockets():
            one.close()
        _sockets.cache_clear()


atexit.register(_discard_sockets)
# A forked worker must not read from the sockets of its parent.
os.register_at_fork(after_in_child=_discard_sockets)


@cache
def available() -> str | None:
    """None if this machine lets us make the devices and the sockets, else why not, in one sentence."""
    if sys.platform != "linux":
        return f"AF_PACKET sockets need Linux, and this is {sys.platform}."
    if not shutil.which("ip"):
        return "Devices are made with the command ip (iproute2), which is not there."
    frame = EAST_ADDRESS + WEST_ADDRESS + b"\x90\x00" + bytes(46)
    try:
        seen = [delivered([(RETURN_K, 0, 0, k)], frame) for k in (0, 3, 99)]
    except OSError as error:
        return f"No pair of devices in a network namespace: {error}."
    return None if seen == [None, 3, 60] else f"The kernel does not obey AF_PACKET filters: {seen}."


# -- what they see -------------------------------------------------------------


class View(NamedTuple):
    """A packet as a socket sees it; offsets count from its byte 0, which is *before* bytes into *memory*."""

    memory: bytes
    before: int
    network_header: int
    link_header: int
    protocol: int
    packet_type: int
    device: int
    hardware_type: int
    vlan: tuple[int, int] | None
    """TPID and TCI of the tag that was taken out."""

    @property
    def packet(self) -> bytes:
        """What the socket can receive."""
        return self.memory[self.before :]


def view(packet: bytes, *, kind: Kind) -> View:
    """What a socket of this kind sees when *packet* is sent; of a loopback datagram, when it stands in its frame."""
    if kind == "loopback":
        return View(packet, 34, -20, -34, 0x0800, 0, LOOPBACK_INDEX, 772, None)
    if kind in ("raw", "datagram"):
        frame, vlan = _without_tag(packet)
        protocol, network = _protocol(frame), ETHERNET_LENGTH
        packet_type, device = _packet_type(frame), EAST_INDEX
    else:
        frame, vlan = packet, None
        protocol, network = _half(frame, 12), _behind_tags(frame)
        packet_type, device = 4, WEST_INDEX
    before = network if "datagram" in kind else 0
    return View(frame, before, network - before, -before, protocol, packet_type, device, 1, vlan)


def _half(frame: bytes, offset: int) -> int:
    return int.from_bytes(frame[offset : offset + 2], "big")


def _without_tag(frame: bytes) -> tuple[bytes, tuple[int, int] | None]:
    """As skb_vlan_untag."""
    if _half(frame, 12) not in VLANS:
        return frame, None
    return frame[:12] + frame[16:], (_half(frame, 12), _half(frame, 14))


def _protocol(frame: bytes) -> int:
    """As eth_type_trans: a length instead of an EtherType means raw 802.3 (1) or LLC (4)."""
    kind = _half(frame, 12)
    if kind >= 0x600:
        return kind
    return 1 if frame[14:16] == b"\xff\xff" else 4


def _packet_type(frame: bytes) -> int:
    """As eth_skb_pkt_type, at east."""
    if frame[0] & 1:
        return 1 if frame[:6] == b"\xff" * 6 else 2
    return 0 if frame[:6] == EAST_ADDRESS else 3


def _behind_tags(frame: bytes) -> int:
    """As packet_parse_headers: what is sent has its network header behind up to seven VLAN tags.

    It stays behind the Ethernet header if a tag is cut short, if there are more, or before EtherType 0.
    """
    place = ETHERNET_LENGTH
    for _ in range(8):
        if _half(frame, place - 2) not in VLANS:
            return place if _half(frame, place - 2) else ETHERNET_LENGTH
        if len(frame) < place + 4:
            break
        place += 4
    return ETHERNET_LENGTH


# -- asking them ---------------------------------------------------------------

_room: Final = bytearray(1 << 17)


def _attach(judge: socket.socket, program: Program) -> None:
    described, _code = sock_fprog(program)
    judge.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, described)


def delivered(program: Program, packet: bytes, *, kind: Kind = "raw") -> int | None:
    """How many bytes get past *program*, attached to a socket of this kind, when *packet* is sent.

    None if it drops the packet. Raises OSError if the kernel refuses the program, or to send the packet, and
    TimeoutError if the packet never comes to the socket.
    """
    judge = getattr(_sockets(), kind)
    _attach(judge, program)
    try:
        return _send_datagram(packet) if kind == "loopback" else _send_frame(packet, judge)
    except BaseException as error:
        if isinstance(error, TimeoutError) or not isinstance(error, OSError):
            _discard_sockets()  # what was sent must not be taken for the next packet
        raise
    finally:
        if judge.fileno() >= 0:
            _attach(judge, _DROP)


def verdict(program: Program, packet: bytes, *, kind: Kind = "raw") -> int:
    """The unsigned 32-bit value that *program* returns; 0 also if the run aborted.

    A loopback datagram must not be empty. Raises what `delivered` raises, and ValueError if the program is
    too long to be instrumented.
    """
    if kind == "loopback":
        size, floor = len(packet), 8  # a UDP header is never cut off
    else:
        size, floor = delivered(_KEEP, packet, kind=kind) or 0, 0

    def deliver(changed: Program) -> int | None:
        return delivered(changed, packet, kind=kind)

    return verdict_through(deliver, program, size, floor=floor, has_device=True)


def loopback_frame(payload: bytes) -> bytes:
    """The frame in which the UDP socket gets *payload*, the same each time."""
    sockets = _sockets()
    _attach(sockets.loopback_tap, _NO_OUTGOING)
    try:
        _send_datagram(payload)
        return sockets.loopback_tap.recv(1 << 17)
    finally:
        _attach(sockets.loopback_tap, _DROP)


def _send_frame(frame: bytes, judge: socket.socket) -> int | None:
    sockets = _sockets()
    sockets.sender.send(frame)
    sockets.witness.recv_into(_room)
    return _received(judge)


def _send_datagram(payload: bytes) -> int | None:
    sockets = _sockets()
    before, deadline = _dropped(sockets.loopback), time.monotonic() + PATIENCE
    sockets.loopback_sender.sendto(payload, sockets.loopback.getsockname())
    while time.monotonic() < deadline:
        seen = _received(sockets.loopback)
        if seen is not None or _dropped(sockets.loopback) != before:
            return seen
    raise TimeoutError("a loopback datagram was lost")


def _received(judge: socket.socket) -> int | None:
    try:
        return judge.recv_into(_room)
    except BlockingIOError:
        return None


def _dropped(judge: socket.socket) -> int:
    """How many packets this socket has dropped."""
    words = array.array("I", judge.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    return words[_DROPS]
