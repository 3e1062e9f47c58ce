"""Wrong arguments of the public names of cbpf.linux: each is an error in one line."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

import cbpf
from cbpf import linux
from support.judges import kernel

pytestmark = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))

ALL = cbpf.parse("ret #65535")


class Transport:
    """An object with the method of asyncio's transports, which have no descriptor."""

    def get_extra_info(self, name: str) -> None: ...


NOT_SOCKETS = {
    "None": (None, "None has no descriptor; pass an object with fileno()"),
    "number": (5, "5 is a number; pass the socket object, not its descriptor"),
    "transport": (Transport(), 'has no descriptor; pass its get_extra_info("socket")'),
    "closed": (socket.socket(), "is closed; pass an open socket"),
}
NOT_SOCKETS["closed"][0].close()  # type: ignore[union-attr]
WITH_SOCKETS: dict[str, Callable[[Any], object]] = {
    "FilteredSocket": linux.FilteredSocket,
    "attach": lambda sock: linux.attach(sock, ALL),
    "detach": linux.detach,
    "lock": linux.lock,
    "filter_of": linux.filter_of,
    "attach_reuseport": lambda sock: linux.attach_reuseport(sock, ALL),
    "detach_reuseport": linux.detach_reuseport,
    "fanout": lambda sock: linux.fanout([sock], ALL),
}
WITHOUT_SOCKETS: dict[str, list[tuple[Callable[[Any], object], str]]] = {
    "packet_socket": [
        (lambda _: linux.packet_socket(None, ALL), "interface: None is not text"),  # type: ignore[arg-type]
        (lambda _: linux.packet_socket("lo", None), "program: None is neither"),  # type: ignore[arg-type]
        (lambda _: linux.packet_socket("lo", ALL, kind=7), "kind: 7 is neither"),  # type: ignore[arg-type]
        (lambda _: linux.packet_socket("lo", ALL, protocol="ip"), "protocol: 'ip' is not"),  # type: ignore[arg-type]
        (lambda _: linux.packet_socket("lo", ALL, lock=1), "lock: 1 is neither"),  # type: ignore[arg-type]
    ],
    "attach": [
        (lambda sock: linux.attach(sock, None), "program: None is neither"),  # type: ignore[arg-type]
        (lambda sock: linux.attach(sock, ALL, lock=None), "lock: None is neither"),  # type: ignore[arg-type]
        (lambda sock: linux.attach(sock, ALL, discard_queued=2), "discard_queued: 2 is neither"),  # type: ignore[arg-type]
    ],
    "fanout": [
        (lambda _: linux.fanout(None, ALL), "sockets: None is not"),  # type: ignore[arg-type]
        (lambda _: linux.fanout([], ALL), "sockets: there is none"),
        (lambda sock: linux.fanout([sock], ALL), "is not a packet socket"),
    ],
    "attach_tap": [(lambda _: linux.attach_tap(None, ALL), "tap: None has no descriptor")],  # type: ignore[arg-type]
    "detach_tap": [(lambda _: linux.detach_tap("tap0"), "tap: 'tap0' has no descriptor")],  # type: ignore[arg-type]
    "check_ebpf": [
        (lambda _: linux.check_ebpf(None), "program: None is neither"),  # type: ignore[arg-type]
        (lambda _: linux.check_ebpf(ALL, [5]), "packet: expected a bytes-like object, got int"),  # type: ignore[list-item]
        (lambda _: linux.check_ebpf(ALL, target="wasm"), "target: 'wasm' is not one of ebpf-xdp"),  # type: ignore[arg-type]
        (lambda _: linux.check_ebpf(ALL, accept="keep"), "accept: 'keep'"),  # type: ignore[arg-type]
    ],
}
RESULTS = {"EbpfCheck", "EbpfDifference"}


def test_the_tables_have_all_public_names() -> None:
    assert {*WITH_SOCKETS, *WITHOUT_SOCKETS, *RESULTS} == set(linux.__all__)


@pytest.mark.parametrize("use", WITH_SOCKETS.values(), ids=WITH_SOCKETS)
@pytest.mark.parametrize(("argument", "message"), NOT_SOCKETS.values(), ids=NOT_SOCKETS)
def test_what_is_not_an_open_socket_is_named(use: Callable[[Any], object], argument: object, message: str) -> None:
    with pytest.raises(cbpf.FieldError) as caught:
        use(argument)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", WITHOUT_SOCKETS)
def test_other_arguments_are_named(name: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for use, message in WITHOUT_SOCKETS[name]:
            with pytest.raises(cbpf.CbpfError) as caught:
                use(sock)
            assert message in str(caught.value)
            assert "\n" not in str(caught.value)
