"""The packets of a capture by number. Captures are streams, so an earlier packet is found by reading again."""

from __future__ import annotations

import os

import cbpf

from .errors import DebuggerError


class PacketSource:
    """The packets of a capture file; one packet is in memory at a time.

    Args:
        path: The file.

    Raises:
        CaptureError: The file cannot be read or does not begin as a capture.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._is_file = os.path.isfile(path)
        self.capture = cbpf.read_capture(path)
        self._next_number = 1
        self._is_usable = True

    def packet(self, number: int) -> cbpf.Packet | None:
        """Return the packet with a number, from 1; None if the capture has fewer packets.

        Raises:
            DamagedCapture: The capture is truncated or corrupt before this packet.
            DebuggerError: The capture is a pipe, which cannot be read again for an earlier packet.
        """
        if number < self._next_number or not self._is_usable:
            self._open_again()
        self._is_usable = False  # also after Ctrl-C while a packet is read
        for packet in self.capture:
            self._next_number = packet.number + 1
            if packet.number == number:
                self._is_usable = True
                return packet
        return None

    def close(self) -> None:
        """Close the file."""
        self.capture.close()

    def _open_again(self) -> None:
        if not self._is_file:
            raise DebuggerError(f"{self.capture.name} is not a file: its packets cannot be read again")
        self.capture.close()
        self.capture = cbpf.read_capture(self._path)
        self._next_number = 1
        self._is_usable = True
