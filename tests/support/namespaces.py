"""Network namespaces with pairs of Ethernet devices, for tests that send packets.

A namespace has no name and no process: it ends with the last of its sockets and threads. Making one in the present
process needs root. The devices are made by `ip` of iproute2, which a judge of the tests needs as well; a Python library
for netlink would be a further dependency for three lines of commands.
"""

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

WEST: Final = "west"
EAST: Final = "east"

_CLONE_NEWNET: Final = 0x40000000
_IPV6: Final = Path("/proc/sys/net/ipv6/conf")
_PAIR: Final = """
link set lo up
link add name west address 02:00:00:00:00:01 type veth peer name east address 02:00:00:00:00:02
link set east arp off multicast off up
link set west arp off multicast off up
"""


@cache
def available() -> str | None:
    """Return None if this process can make namespaces with devices, else the reason in one sentence."""
    if sys.platform != "linux":
        return f"Network namespaces need Linux, and this is {sys.platform}."
    if not shutil.which("ip"):
        return "The command ip (iproute2), which creates the devices, is not installed."
    try:
        with veth_pair():
            return None
    except OSError as error:
        return f"No pair of devices in a network namespace: {error}."


@contextlib.contextmanager
def network_namespace() -> Iterator[None]:
    """Put this thread, and the threads and processes that it starts in the block, into a new network namespace."""
    library = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        if library.unshare(_CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            library.setns(home, _CLONE_NEWNET)
    finally:
        os.close(home)


def disable_ipv6() -> None:
    """Disable IPv6 on the devices to come, so that they have no traffic of their own."""
    for name in ("all", "default"):
        with contextlib.suppress(FileNotFoundError):
            (_IPV6 / name / "disable_ipv6").write_text("1")


def ip(*lines: str) -> None:
    """Run commands of `ip`; raise OSError with its message if one fails."""
    result = subprocess.run(["ip", "-batch", "-"], input="\n".join(lines), text=True, capture_output=True)
    if result.returncode != 0:
        raise OSError(result.stderr.strip() or "ip failed")


@contextlib.contextmanager
def veth_pair() -> Iterator[None]:
    """Make a namespace with the devices lo, and west and east: a frame sent at one arrives at the other."""
    with network_namespace():
        disable_ipv6()
        ip(_PAIR)
        yield


@contextlib.contextmanager
def sending_at(device: str) -> Iterator[Callable[..., None]]:
    """Yield a function that sends frames at a device."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((device, 0))

        def send(*frames: bytes) -> None:
            for frame in frames:
                sender.send(frame)

        yield send
