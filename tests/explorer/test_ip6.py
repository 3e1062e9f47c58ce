"""IPv6 addresses as text where Python lacks IPv6, against the functions of the C library."""

import random
import socket

from cbpf import _ip6


def test_texts_of_addresses_are_those_of_the_c_library() -> None:
    choose = random.Random(1)
    for _ in range(5_000):
        tail = bytes(choose.choice((0, 0, 1, 255, choose.randrange(256))) for _ in range(16))
        packed = choose.choice((tail, bytes(10) + b"\xff\xff" + tail[:4], bytes(12) + tail[:4]))
        assert _ip6._text(packed) == socket.inet_ntop(socket.AF_INET6, packed)


def test_addresses_are_those_that_the_c_library_reads() -> None:
    choose = random.Random(2)
    parts = ("1", "0", "ab", "FFFF", "::", ":", ":", ":", "1.2.3.4", "01.2.3.4", "12345", "g", "%1", "")
    read = 0
    for _ in range(20_000):
        text = "".join(choose.choice(parts) for _ in range(choose.randrange(14)))
        expected = _result(lambda text: socket.inet_pton(socket.AF_INET6, text), text)
        assert _result(_ip6._packed, text) == expected, text
        read += expected is not None
    assert read > 100


def _result(function: object, text: str) -> object:
    try:
        return function(text)  # type: ignore[operator]
    except OSError:
        return None
