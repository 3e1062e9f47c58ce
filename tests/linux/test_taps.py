"""Filters of tap devices, in a network namespace of the test."""

import fcntl
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

import cbpf
from cbpf.linux import attach_tap, detach_tap
from support import namespaces

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_TAP, IFF_NO_PI = 1, 2, 0x1000
ARP = bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(46)
OTHER = bytes.fromhex("ffffffffffff 020000000001 9000") + bytes(46)

pytestmark = [
    pytest.mark.skipif(namespaces.available() is not None, reason=str(namespaces.available())),
    pytest.mark.skipif(not os.path.exists("/dev/net/tun"), reason="this machine has no /dev/net/tun"),
]


@contextmanager
def device(kind: int) -> Iterator[int]:
    """Return the descriptor of an interface `device` that is up, in a new namespace; without traffic of its own."""
    with namespaces.network_namespace(), ExitStack() as stack:
        namespaces.disable_ipv6()
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        stack.callback(os.close, descriptor)
        if kind:
            fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", b"device", kind | IFF_NO_PI))
            namespaces.ip("link set device multicast off up")
        yield descriptor


def send(*frames: bytes) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind(("device", 0))
        for frame in frames:
            sender.send(frame)


def read(descriptor: int) -> list[bytes]:
    frames = []
    while True:
        try:
            frames.append(os.read(descriptor, 2000))
        except BlockingIOError:
            return frames


@pytest.mark.parametrize("program", ["arp", cbpf.compile("arp", dialect=cbpf.LINUX)])
def test_the_process_reads_the_accepted_frames(program: Any) -> None:
    with device(IFF_TAP) as tap:
        attach_tap(tap, program)
        send(OTHER, ARP)
        assert read(tap) == [ARP]
        detach_tap(tap)
        detach_tap(tap)  # without a filter, nothing happens
        send(OTHER, ARP)
        assert read(tap) == [OTHER, ARP]


def test_verdicts_truncate_frames_of_a_file_object() -> None:
    with device(IFF_TAP) as tap, open(os.dup(tap), "r+b", buffering=0) as file:
        attach_tap(file, [cbpf.RetConstant(20)])
        send(ARP)
        assert read(tap) == [ARP[:20]]


def test_programs_of_taps_are_checked() -> None:
    with device(IFF_TAP) as tap:
        attach_tap(tap, "arp")
        with pytest.raises(cbpf.VerificationError, match="has no instructions"):
            attach_tap(tap, [])
        with pytest.raises(cbpf.ExpressionError, match="column 5"):
            attach_tap(tap, "udp prot 53")
        with pytest.raises(cbpf.SocketError, match="interface 'device': the program takes"):
            attach_tap(tap, [cbpf.LoadAbsolute(0, 1)] * 4000 + [cbpf.RetA()])
        send(OTHER, ARP)
        assert read(tap) == [ARP]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (IFF_TUN, "interface 'device': it is a tun device; the kernel filters the frames of tap"),
        (0, "has no interface"),
    ],
)
def test_other_devices_are_named(kind: int, message: str) -> None:
    with device(kind) as descriptor:
        calls: list[Callable[[], None]] = [lambda: attach_tap(descriptor, "arp"), lambda: detach_tap(descriptor)]
        for call in calls:
            with pytest.raises(cbpf.SocketError, match=message):
                call()


def test_other_files_are_named() -> None:
    with open(os.devnull) as file, socket.socket() as sock:
        for other in (file, sock, sock.fileno()):
            with pytest.raises(cbpf.SocketError, match="it is not a tap device; open /dev/net/tun"):
                attach_tap(other, "arp")
    with pytest.raises(cbpf.FieldError, match="is closed; pass an open tap"):
        attach_tap(file, "arp")
    with pytest.raises(cbpf.SocketError, match="descriptor 1000000: it is closed; pass an open tap device"):
        attach_tap(1_000_000, "arp")
    with pytest.raises(cbpf.FieldError, match="is a number"):
        attach_tap(1 << 70, "arp")
    for value in (-1, True, "tap0", None):
        with pytest.raises(cbpf.FieldError, match="tap: "):
            attach_tap(value, "arp")  # type: ignore[arg-type]
