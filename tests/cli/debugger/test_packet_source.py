"""The packets of a capture by number, in any order and after an interruption."""

from collections.abc import Iterator
from random import Random

import pytest

import cbpf
from cbpf.cli.debugger.packet_source import PacketSource
from support.command_line import PACKETS, TRAFFIC


def test_packets_are_found_in_any_order() -> None:
    random = Random(5)
    source = PacketSource(TRAFFIC)
    for number in [random.randint(1, len(PACKETS) + 3) for _ in range(20)]:
        packet = source.packet(number)
        assert packet == (PACKETS[number - 1] if number <= len(PACKETS) else None)
    source.close()


def test_packets_are_found_after_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: cbpf.CaptureReader) -> Iterator[cbpf.Packet]:
        yield PACKETS[3]
        raise KeyboardInterrupt

    source = PacketSource(TRAFFIC)
    assert source.packet(3) == PACKETS[2]
    with monkeypatch.context() as patch:
        patch.setattr(cbpf.CaptureReader, "__iter__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.packet(9)
    for lost in (4, 5):  # packets that the interrupted iteration had read
        assert next(source.capture).number == lost
    assert source.packet(5) == PACKETS[4]
    source.close()
