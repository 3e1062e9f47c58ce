"""A pair of devices in a network namespace of this process, and a sender of frames at full rate."""

import ctypes
import os
import shutil
import socket
import subprocess
import time
from typing import Final

from benchmarks.setting import Omitted

WEST: Final = "west"
EAST: Final = "east"
FRAME: Final = bytes.fromhex(
    "020000000002 020000000001 08004500 0072 0000 0000 4011 0000 0a000001 0a000002 03e8 0035 005e 0000"
) + bytes(86)

_CLONE_NEWNET: Final = 0x40000000
_DEVICES: Final = """
link set lo up
link add name west address 02:00:00:00:00:01 type veth peer name east address 02:00:00:00:00:02
link set east arp off multicast off up
link set west arp off multicast off up
"""
_BATCH: Final = 256  # frames of a system call


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint),
        ("vector", ctypes.c_void_p),
        ("vector_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("length", ctypes.c_uint),
    )


def enter_namespace() -> None:
    """Put this process into a new network namespace with two devices; it stays there."""
    if not shutil.which("ip") or os.geteuid():
        raise Omitted("needs root and iproute2")
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET):
        raise Omitted(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as file:
        file.write("1")
    subprocess.run(["ip", "-batch", "-"], input=_DEVICES, text=True, check=True)


class Sender:
    """Sends the same frame many times, many with each system call."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((WEST, 0))
        self._frame = ctypes.create_string_buffer(FRAME, len(FRAME))
        self._vector = (ctypes.c_size_t * 2)(ctypes.addressof(self._frame), len(FRAME))  # struct iovec
        self._messages = (_Message * _BATCH)()
        for message in self._messages:
            message.vector, message.vector_length = ctypes.addressof(self._vector), 1
        self._library = ctypes.CDLL(None, use_errno=True)

    def send(self, count: int) -> float:
        """Send frames; return the number that were sent in a second."""
        start, sent = time.perf_counter(), 0
        while sent < count:
            done = self._library.sendmmsg(self._socket.fileno(), self._messages, min(_BATCH, count - sent), 0)
            if done < 0:
                time.sleep(0.0005)  # no memory for more
            sent += max(done, 0)
        return count / (time.perf_counter() - start)

    def close(self) -> None:
        self._socket.close()
