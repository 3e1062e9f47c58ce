"""Live AF_PACKET and UDP sockets of the Linux kernel, as judges of the inputs and the verdict of a program.

A network namespace of its own contains a pair of Ethernet devices, "west" and "east". A frame sent at west
arrives at east. Programs judge the frame on one of these sockets:

  raw                at east; byte 0 is the Ethernet header
  datagram           at east; byte 0 is the network header
  outgoing           at west, as a copy of the frame that is sent; byte 0 is the Ethernet header
  outgoing_datagram  at west, as a copy of the frame that is sent; byte 0 is the network header
  loopback           an AF_INET UDP socket at 127.0.0.1; byte 0 is the UDP header. The packet to send is not a
                     frame but the payload of a datagram; `loopback_frame` returns the frame around it.

East removes the outer VLAN tag of a frame; a tagged frame of less than 20 bytes never arrives. Frames have 14 to
65553 bytes. Frames longer than nearly a page are not linear in memory.

The namespace has no name and no process: it exists as long as the sockets, and so ends with this process. It
needs root, or user namespaces, and the command `ip`. If `available` returns a reason, call no other function.
Call all functions from one thread only.
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

MAX_FRAME_LENGTH: Final = 65535 + 14 + 4
ETHERNET_LENGTH: Final = 14
TIMEOUT: Final = 2.0
"""Seconds after which a frame is taken for lost."""

_ACCEPT_ALL: Final = [(RETURN_K, 0, 0, 0xFFFFFFFF)]
_REJECT_ALL: Final = [(RETURN_K, 0, 0, 0)]
_EVERY_PROTOCOL: Final = 3
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_IP_MTU_DISCOVER: Final = 10
_IP_PMTUDISC_DO: Final = 2  # an unconnected socket then gives every packet the identification 0
_SO_MARK: Final = 36
_SO_MEMINFO: Final = 55
_MEMINFO: Final = struct.Struct("9I")
_DROP_COUNTER: Final = 8  # the last word of SO_MEMINFO
_NO_OUTGOING: Final = [(0x20, 0, 0, 0xFFFFF004), (0x15, 0, 1, 4), (RETURN_K, 0, 0, 0), (RETURN_K, 0, 0, 0xFFFFFFFF)]

_DEVICES: Final = f"""
link set lo up
link add name west index {WEST_INDEX} address {WEST_ADDRESS.hex(":")} mtu 65535 numtxqueues 2 type veth peer \
name east index {EAST_INDEX} address {EAST_ADDRESS.hex(":")} mtu 65535
link set east arp off multicast off up
link set west arp off multicast off up
"""
# West comes last: a device whose peer is up can send immediately; its peer only after work deferred by the kernel.


class _Sockets(NamedTuple):
    sender: socket.socket
    witness: socket.socket
    """Receives each frame at east after the sockets that judge there: they rejected a frame that they lack by then."""
    raw: socket.socket
    datagram: socket.socket
    outgoing: socket.socket
    outgoing_datagram: socket.socket
    loopback_sender: socket.socket
    loopback_tap: socket.socket
    loopback: socket.socket


# -- construction --------------------------------------------------------------


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
    """Create west and east and set them and lo up, without traffic of their own."""
    ipv6 = Path("/proc/sys/net/ipv6/conf")
    for name in ("all", "default"):
        with contextlib.suppress(FileNotFoundError):
            (ipv6 / name / "disable_ipv6").write_text("1")
    subprocess.run(["ip", "-batch", "-"], input=_DEVICES, text=True, check=True, capture_output=True)


def _packet_socket(device: str, kind: socket.SocketKind, filter_: Program) -> socket.socket:
    """Return a socket that receives the frames at *device* that *filter_* accepts, from now on."""
    packet_socket = socket.socket(socket.AF_PACKET, kind, 0)
    _attach(packet_socket, filter_)
    packet_socket.bind((device, _EVERY_PROTOCOL))
    return packet_socket


def _make_sockets() -> _Sockets:
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.bind(("west", 0))
    loopback_sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    loopback = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    loopback_sender.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DO)
    _attach(loopback, _REJECT_ALL)
    loopback.bind(("127.0.0.1", 7777))
    for marked in (sender, loopback_sender):
        marked.setsockopt(socket.SOL_SOCKET, _SO_MARK, struct.pack("I", MARK))
    return _Sockets(
        sender,
        # The kernel delivers to the newest socket of a device first.
        witness=_packet_socket("east", socket.SOCK_RAW, [(RETURN_K, 0, 0, 1)]),
        raw=_packet_socket("east", socket.SOCK_RAW, _REJECT_ALL),
        datagram=_packet_socket("east", socket.SOCK_DGRAM, _REJECT_ALL),
        outgoing=_packet_socket("west", socket.SOCK_RAW, _REJECT_ALL),
        outgoing_datagram=_packet_socket("west", socket.SOCK_DGRAM, _REJECT_ALL),
        loopback_sender=loopback_sender,
        loopback_tap=_packet_socket("lo", socket.SOCK_RAW, _REJECT_ALL),
        loopback=loopback,
    )


@cache
def _sockets() -> _Sockets:
    """Return the sockets, made by a child process that enters the namespace and passes the descriptors back."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def task(shared: mmap.mmap) -> None:
        try:
            _enter_namespace()
            _make_devices()
            child_sockets = _make_sockets()
            socket.send_fds(theirs, [b"sockets"], [sock.fileno() for sock in child_sockets])
        except BaseException as error:
            reason = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
            shared.write(str(reason).strip().encode()[: mmap.PAGESIZE - 1])

    with ours, theirs:
        reason, _status = _forked(task)
        if message := reason.rstrip(b"\0"):
            raise OSError(message.decode(errors="replace"))
        ours.setblocking(False)
        _data, descriptors, _flags, _address = socket.recv_fds(ours, 16, len(_Sockets._fields))
    sockets = _Sockets(*(socket.socket(fileno=descriptor) for descriptor in descriptors))
    for sock in sockets:
        sock.setblocking(False)
    sockets.witness.settimeout(TIMEOUT)
    return sockets


def _discard_sockets() -> None:
    """Close the sockets, which ends the namespace; the next call creates new ones."""
    if _sockets.cache_info().currsize:
        for sock in _sockets():
            sock.close()
        _sockets.cache_clear()


atexit.register(_discard_sockets)
# A forked worker must not read from the sockets of its parent.
os.register_at_fork(after_in_child=_discard_sockets)


@cache
def available() -> str | None:
    """Return None if this machine permits the devices and the sockets, else the reason in one sentence."""
    if sys.platform != "linux":
        return f"AF_PACKET sockets need Linux, and this is {sys.platform}."
    if not shutil.which("ip"):
        return "The command ip (iproute2), which creates the devices, is not installed."
    frame = EAST_ADDRESS + WEST_ADDRESS + b"\x90\x00" + bytes(46)
    try:
        lengths = [delivered([(RETURN_K, 0, 0, k)], frame) for k in (0, 3, 99)]
    except OSError as error:
        return f"No pair of devices in a network namespace: {error}."
    return None if lengths == [None, 3, 60] else f"The kernel does not apply AF_PACKET filters: {lengths}."


# -- the view of each socket ---------------------------------------------------


class View(NamedTuple):
    """A packet as a socket sees it; offsets are relative to its byte 0, which is at index *before* in *memory*."""

    memory: bytes
    before: int
    network_header: int
    link_header: int
    protocol: int
    packet_type: int
    device: int
    hardware_type: int
    vlan: tuple[int, int] | None
    """TPID and TCI of the removed tag."""

    @property
    def packet(self) -> bytes:
        """The bytes that the socket can receive."""
        return self.memory[self.before :]


def view(packet: bytes, *, kind: Kind) -> View:
    """Return the view of a socket of this kind when *packet* is sent; a loopback datagram must be in its frame."""
    if kind == "loopback":
        return View(packet, 34, -20, -34, 0x0800, 0, LOOPBACK_INDEX, 772, None)
    if kind in ("raw", "datagram"):
        frame, vlan = _without_tag(packet)
        protocol, network = _protocol(frame), ETHERNET_LENGTH
        packet_type, device = _packet_type(frame), EAST_INDEX
    else:
        frame, vlan = packet, None
        protocol, network = _half(frame, 12), _network_header_after_tags(frame)
        packet_type, device = 4, WEST_INDEX
    before = network if "datagram" in kind else 0
    return View(frame, before, network - before, -before, protocol, packet_type, device, 1, vlan)


def _half(frame: bytes, offset: int) -> int:
    return int.from_bytes(frame[offset : offset + 2], "big")


def _without_tag(frame: bytes) -> tuple[bytes, tuple[int, int] | None]:
    """Remove the outer tag as skb_vlan_untag does."""
    if _half(frame, 12) not in VLANS:
        return frame, None
    return frame[:12] + frame[16:], (_half(frame, 12), _half(frame, 14))


def _protocol(frame: bytes) -> int:
    """Return the protocol as eth_type_trans does: a length in place of an EtherType means raw 802.3 (1) or LLC (4)."""
    kind = _half(frame, 12)
    if kind >= 0x600:
        return kind
    return 1 if frame[14:16] == b"\xff\xff" else 4


def _packet_type(frame: bytes) -> int:
    """Return the packet type at east as eth_skb_pkt_type does."""
    if frame[0] & 1:
        return 1 if frame[:6] == b"\xff" * 6 else 2
    return 0 if frame[:6] == EAST_ADDRESS else 3


def _network_header_after_tags(frame: bytes) -> int:
    """Return the network header of a sent frame as packet_parse_headers does: after up to seven VLAN tags.

    It is directly after the Ethernet header if a tag is truncated, if there are more tags, or before EtherType 0.
    """
    offset = ETHERNET_LENGTH
    for _ in range(8):
        if _half(frame, offset - 2) not in VLANS:
            return offset if _half(frame, offset - 2) else ETHERNET_LENGTH
        if len(frame) < offset + 4:
            break
        offset += 4
    return ETHERNET_LENGTH


# -- judgement -----------------------------------------------------------------

_receive_buffer: Final = bytearray(1 << 17)


def _attach(judge: socket.socket, program: Program) -> None:
    fprog, _code = sock_fprog(program)
    judge.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, fprog)


def delivered(program: Program, packet: bytes, *, kind: Kind = "raw") -> int | None:
    """Return the number of bytes that a socket of this kind receives through *program* when *packet* is sent.

    Return None if the program rejects the packet. Raise OSError if the kernel rejects the program or cannot send the
    packet, and TimeoutError if the packet does not reach the socket.
    """
    judge = getattr(_sockets(), kind)
    _attach(judge, program)
    try:
        return _send_datagram(packet) if kind == "loopback" else _send_frame(packet, judge)
    except BaseException as error:
        if isinstance(error, TimeoutError) or not isinstance(error, OSError):
            _discard_sockets()  # a delayed packet must not be taken for the next one
        raise
    finally:
        if judge.fileno() >= 0:
            _attach(judge, _REJECT_ALL)


def verdict(program: Program, packet: bytes, *, kind: Kind = "raw") -> int:
    """Return the unsigned 32-bit value that *program* returns; 0 also if the run aborted.

    A loopback datagram must not be empty. Raise OSError and TimeoutError as `delivered` does, and ValueError if
    the program is too long to be instrumented.
    """
    if kind == "loopback":
        size, floor = len(packet), 8  # a UDP header is never truncated
    else:
        size, floor = delivered(_ACCEPT_ALL, packet, kind=kind) or 0, 0

    def deliver(changed: Program) -> int | None:
        return delivered(changed, packet, kind=kind)

    return verdict_through(deliver, program, size, floor=floor, has_device=True)


def loopback_frame(payload: bytes) -> bytes:
    """Return the frame in which the UDP socket receives *payload*; equal payloads have equal frames."""
    sockets = _sockets()
    _attach(sockets.loopback_tap, _NO_OUTGOING)
    try:
        _send_datagram(payload)
        return sockets.loopback_tap.recv(1 << 17)
    finally:
        _attach(sockets.loopback_tap, _REJECT_ALL)


def _send_frame(frame: bytes, judge: socket.socket) -> int | None:
    sockets = _sockets()
    sockets.sender.send(frame)
    sockets.witness.recv_into(_receive_buffer)
    return _received(judge)


def _send_datagram(payload: bytes) -> int | None:
    sockets = _sockets()
    before, deadline = _dropped(sockets.loopback), time.monotonic() + TIMEOUT
    sockets.loopback_sender.sendto(payload, sockets.loopback.getsockname())
    while time.monotonic() < deadline:
        length = _received(sockets.loopback)
        if length is not None or _dropped(sockets.loopback) != before:
            return length
    raise TimeoutError("a loopback datagram was lost")


def _received(judge: socket.socket) -> int | None:
    try:
        return judge.recv_into(_receive_buffer)
    except BlockingIOError:
        return None


def _dropped(judge: socket.socket) -> int:
    """Return the number of packets that this socket has dropped."""
    words = array.array("I", judge.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))
    return words[_DROP_COUNTER]
