"""Small captures with known records, and streams that deliver them slowly or fail."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from support.captures import Record, encoded

RECORDS: Final = [
    Record(1_700_000_000, 123_456_789, 60, bytes(range(60))),
    Record(0, 0, 0, b""),
    Record(2**32 - 1, 999_999_999, 70_000, bytes(range(200)) * 10),
    Record(5, 1_000, 64, bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(50)),
]

ARP: Final = RECORDS[3:]
PLAIN: Final = encoded(RECORDS)
HEADER: Final = PLAIN[:24]

CORRECTED_SNAPLEN: Final = {
    "snaplen 0": 262_144,
    "snaplen 2147483648": 262_144,
    "snaplen 4294967295": 262_144,
    "little-endian Kuznetzov": 262_158,
    "big-endian Kuznetzov": 262_158,
    "Kuznetzov with short snaplen": 64,
}
"""The effective snapshot length of each variant for which it differs from the one in the file header."""


def microseconds(record: Record) -> Record:
    return record._replace(nanoseconds=record.nanoseconds // 1000 * 1000)


class Trickle(io.RawIOBase):
    """A stream that returns one byte per read."""

    def __init__(self, data: bytes) -> None:
        self.remaining = memoryview(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        size = min(1, len(buffer), len(self.remaining))
        buffer[:size], self.remaining = self.remaining[:size], self.remaining[size:]
        return size


@contextmanager
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    """Open a pipe and yield its two ends; after 10 seconds the write end is closed, which frees a blocked reader."""
    read_end, write_end = os.pipe()
    writer = cast(BinaryIO, os.fdopen(write_end, "wb", buffering=0))
    rescue = threading.Timer(10, writer.close)
    rescue.start()
    try:
        yield read_end, writer
    finally:
        rescue.cancel()
        writer.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Broken(Trickle):
    """A stream that raises an exception after its bytes."""

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(data)
        self.error = error

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self.remaining:
            raise self.error
        return super().readinto(buffer)
