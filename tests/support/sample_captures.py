"""Small captures with known records, and sources that deliver them slowly, or fail."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from support.captures import (
    Record,
    encoded,
)

RECORDS: Final = [
    Record(1_700_000_000, 123_456_789, 60, bytes(range(60))),
    Record(0, 0, 0, b""),
    Record(2**32 - 1, 999_999_999, 70_000, bytes(range(200)) * 10),
    Record(5, 1_000, 64, bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(50)),
]


ARP: Final = RECORDS[3:]


PLAIN: Final = encoded(RECORDS)


HEADER: Final = PLAIN[:24]


# The snapshot length in effect, where it is not that of the file header.
CORRECTED_SNAPLEN: Final = {
    "snaplen 0": 262_144,
    "snaplen 2147483648": 262_144,
    "snaplen 4294967295": 262_144,
    "little-endian Kuznetzov": 262_158,
    "big-endian Kuznetzov": 262_158,
    "Kuznetzov with short snaplen": 64,
}


def microseconds(record: Record) -> Record:
    return record._replace(nanoseconds=record.nanoseconds // 1000 * 1000)


class Trickle(io.RawIOBase):
    """Gives a byte at a time."""

    def __init__(self, data: bytes) -> None:
        self.rest = memoryview(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        size = min(1, len(buffer), len(self.rest))
        buffer[:size], self.rest = self.rest[:size], self.rest[size:]
        return size


@contextmanager
def pipe() -> Iterator[tuple[int, BinaryIO]]:
    """A pipe's two ends; a reader that hangs is freed in the end, by closing the other end."""
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
    """Gives some bytes, then an exception."""

    def __init__(self, data: bytes, error: BaseException) -> None:
        super().__init__(data)
        self.error = error

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        if not self.rest:
            raise self.error
        return super().readinto(buffer)
