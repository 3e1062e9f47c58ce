"""A file whose disk fails from some byte on: on a real block device, which needs root, or simulated in this process."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from cbpf.capture import mapped_file, source_stream

_FIBMAP: Final = 1
_BLOCK_SIZE: Final = 4096


def _command(*arguments: object) -> str:
    return subprocess.run([*map(str, arguments)], check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def failing_disk(folder: Path, data: bytes, bad_from: int) -> Iterator[Path]:
    """Yield a file of *data* on a mounted ext4 whose blocks from the byte *bad_from* of the file on cannot be read.

    The disk is a loop device whose image is truncated. Skips the test where root, its rights, loop devices or mkfs.ext4
    are missing.
    """
    if os.geteuid() or not shutil.which("mkfs.ext4") or not shutil.which("losetup"):
        pytest.skip("needs root, losetup and mkfs.ext4")
    with ExitStack() as stack:
        try:
            path = _make_disk(stack, folder, data, bad_from)
        except (subprocess.CalledProcessError, OSError) as error:
            pytest.skip(f"needs loop devices, mount and FIBMAP: {getattr(error, 'stderr', error)}")
        yield path


def _make_disk(stack: ExitStack, folder: Path, data: bytes, bad_from: int) -> Path:
    """Make and mount the disk; *stack* unmounts and removes it."""
    image, mount = folder / "disk.img", folder / "disk"
    mount.mkdir()
    image.touch()
    os.truncate(image, 3 * len(data) + (8 << 20))
    _command("mkfs.ext4", "-q", "-O", "^has_journal", "-b", _BLOCK_SIZE, image)
    device = _command("losetup", "--find", "--show", image)
    stack.callback(_command, "losetup", "--detach", device)
    with ExitStack() as writable:
        _command("mount", device, mount)
        writable.callback(_command, "umount", mount)
        (mount / "in.pcap").write_bytes(data)
        os.sync()
        block = _physical_block(mount / "in.pcap", bad_from // _BLOCK_SIZE)
    _command("mount", "-o", "ro", device, mount)
    stack.callback(_command, "umount", "--lazy", mount)  # a failed test may still have the file open
    os.truncate(image, block * _BLOCK_SIZE)
    return mount / "in.pcap"


def _physical_block(path: Path, block: int) -> int:
    with path.open("rb") as file:
        answer = fcntl.ioctl(file, _FIBMAP, struct.pack("i", block))
    number: int = struct.unpack("i", answer)[0]
    assert number
    return number


def forget_cached_pages(path: Path) -> None:
    """Remove a file's pages from the page cache, so that they are read from the disk again."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def fail_reads(monkeypatch: pytest.MonkeyPatch, path: Path, bad_from: int) -> None:
    """Simulate a file that cannot be read from a byte on: by read(2), by pread(2), and by access to mapped pages."""
    inode = path.stat().st_ino

    class FailingFile(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(_readable(self.fileno(), self.tell(), -1 if size is None else size))

        def readinto(self, buffer: Any, /) -> int:
            return super().readinto(buffer[: _readable(self.fileno(), self.tell(), len(buffer))])

    def preadv(descriptor: int, buffers: Any, position: int) -> int:
        size = _readable(descriptor, position, len(buffers[0]))
        return original_preadv(descriptor, [buffers[0][:size]], position)

    def pread(descriptor: int, size: int, position: int) -> bytes:
        return original_pread(descriptor, _readable(descriptor, position, size), position)

    def _readable(descriptor: int, position: int, size: int) -> int:
        if os.fstat(descriptor).st_ino != inode:
            return size
        if position >= bad_from:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return min(size, bad_from - position) if size >= 0 else bad_from - position

    def populate(begin: int, end: int) -> bool:
        with suppress(StopIteration):
            return next(answers)
        return False

    answers = iter([True])  # the first page can be read
    original_preadv, original_pread = os.preadv, os.pread
    monkeypatch.setattr(os, "preadv", preadv)
    monkeypatch.setattr(os, "pread", pread)
    monkeypatch.setattr(mapped_file, "populate", populate)
    opened: Any = lambda path, mode, buffering: FailingFile(path)  # noqa: E731
    monkeypatch.setattr(source_stream, "open", opened, raising=False)
