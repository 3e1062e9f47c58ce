"""Fixtures of live captures: a pair of devices in a namespace of its own, and a sender of frames."""

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
    with namespaces.sending_at(namespaces.WEST) as send_frames:
        yield send_frames
