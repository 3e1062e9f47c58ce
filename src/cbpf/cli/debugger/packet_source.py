"""The packets of a capture by number. Captures are streams, so an earlier packet is found by reading again."""

from __future__ import annotations

import os

import cbpf

from .errors import DebuggerError


class PacketSource:
    """The packets of a capture file; one packet is in memory at a time.

    Args:
        path: The file.

    Attributes:
        path: The file.
        is_file: Whether it can be read again.
        capture: The reader of the file.

    Raises:
        CaptureError: The file cannot be read or does not begin as a capture.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_file = os.path.isfile(path)
        self.capture = cbpf.read_capture(path)
        self._next_number = 1
        self._is_usable = True
        self._last: cbpf.Packet | None = None

    def packet(self, number: int) -> cbpf.Packet | None:
        """Return the packet with a number, from 1; None if the capture has fewer packets.

        Raises:
            DamagedCapture: The capture is truncated or corrupt before this packet.
            DebuggerError: The capture is a pipe, which cannot be read again for an earlier packet.
        """
        if self._last is not None and number == self._last.number:
            return self._last
        if number < self._next_number or not self._is_usable:
            self._open_again()
        self._is_usable = False  # also after Ctrl-C while a packet is read
        for packet in self.capture:
            self._next_number = packet.number + 1
            if packet.number == number:
                self._is_usable = True
                self._last = packet
                return packet
        return None

    def missing_packet(self, number: int) -> cbpf.CaptureError:
        """Return the error for a packet that the capture does not have."""
        return cbpf.CaptureError(f"{self.capture.name}: contains fewer than {number:,} packets")

    def close(self) -> None:
        """Close the file."""
        self.capture.close()

    def _open_again(self) -> None:
        if not self.is_file:
            raise DebuggerError(f"{self.capture.name} is not a file: its packets cannot be read again")
        self.capture.close()
        self.capture = cbpf.read_capture(self.path)
        self._next_number = 1
        self._is_usable = True
