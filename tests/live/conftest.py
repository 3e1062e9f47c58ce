"""Fixtures of live captures: a pair of devices in a namespace of its own, and a sender of frames."""

import socket
from collections.abc import Callable, Iterator

import pytest

from support import namespaces
from support.libpcap_release import libpcap_is_installed


@pytest.fixture(scope="module")
def namespace() -> Iterator[None]:
    """Put the tests of a module into a namespace with the devices west and east; skip them where this is impossible."""
    reason = namespaces.available()
    if reason is not None:
        pytest.skip(reason)
    if not libpcap_is_installed():
        pytest.skip("libpcap is not installed.")
    with namespaces.veth_pair():
        yield


@pytest.fixture
def send(namespace: None) -> Iterator[Callable[..., None]]:
    """Return a function that sends frames at west."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((namespaces.WEST, 0))

        def send_frames(*frames: bytes) -> None:
            for frame in frames:
                sender.send(frame)

        yield send_frames
