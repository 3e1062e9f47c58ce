"""Numbered Ethernet frames that a thread sends, for tests of filters under load."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import cbpf
from support.namespaces import WEST

KINDS: Final = (1, 2)
"""The kinds of frames, which are sent in turn."""
_NUMBER: Final = slice(15, 23)
_HEADER: Final = bytes.fromhex("020000000002 020000000001 9000")
_MAX_FRAMES: Final = 20_000_000


def accepts(kind: int) -> cbpf.Program:
    """Return a program that accepts the frames of a kind, and nothing else."""
    return cbpf.parse(f"ldh [12]\njeq #0x9000,0,3\nldb [14]\njeq #{kind},0,1\nret #65535\nret #0")


def kind_of(frame: bytes) -> int:
    """Return the kind of a frame."""
    return frame[14]


def number_of(frame: bytes) -> int:
    """Return the number of a frame."""
    return int.from_bytes(frame[_NUMBER], "big")


class Flood:
    """A thread that sends frames from west to east, as fast as it can."""

    def __init__(self) -> None:
        self.sent = 0
        """The number of frames that have been sent; the next one has this number."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._sender.bind((WEST, 0))

    def _run(self) -> None:
        while not self._stop.is_set() and self.sent < _MAX_FRAMES:
            kind = KINDS[self.sent % len(KINDS)]
            self._sender.send(_HEADER + bytes([kind]) + self.sent.to_bytes(8, "big") + bytes(40))
            self.sent += 1

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def wait(self) -> None:
        """Wait until frames have been sent."""
        while self.sent < len(KINDS):
            time.sleep(0.001)

    def stop(self) -> int:
        """Stop sending; return the number of frames that were sent."""
        self._stop.set()
        self._thread.join()
        self._sender.close()
        return self.sent


@contextmanager
def flood() -> Iterator[Flood]:
    """Send frames during a block, whose thread is in the namespace of the devices."""
    sending = Flood()
    sending.start()
    try:
        yield sending
    finally:
        sending.stop()
