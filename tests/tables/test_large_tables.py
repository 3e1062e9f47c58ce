"""Captures of gigabytes as tables: positions beyond 2 GiB, and memory that does not grow with the capture."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Final

import pytest

import cbpf
from support.captures import encoded

pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")
pytest.importorskip("llvmlite", reason="needs llvmlite")
pytestmark = pytest.mark.slow

LENGTH: Final = 200_000


def sparse_capture(path: Path, size: int) -> int:
    """Write a pcap of about *size* bytes that occupies a fiftieth of it; return the number of its packets.

    The data of a packet are its number as 8 bytes, followed by zeros.
    """
    if shutil.disk_usage(path.parent).free < size // 20:
        pytest.skip("needs disk space")
    count = size // (LENGTH + 16)
    with path.open("wb") as file:
        file.write(encoded([]))
        for number in range(count):
            file.seek(24 + number * (LENGTH + 16))
            file.write(struct.pack("<IIIIQ", 1_700_000_000, number, LENGTH, LENGTH, number))
        file.truncate(24 + count * (LENGTH + 16))
    return count


def test_positions_beyond_2_gib_are_in_another_buffer(tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    count = sparse_capture(path, 5 << 30)
    with cbpf.arrow.read_batches(path, columns=["data"], batch_size=2**31 - 1) as reader:
        (batch,) = reader
    batch.validate(full=True)
    data = batch["data"]
    buffers = data.buffers()[2:]
    assert len(buffers) == 3
    assert max(buffer.size for buffer in buffers) < 2**31
    for number in (0, 1, *range(10_730, 10_745), *range(21_460, 21_490), count - 1):
        assert data[number].as_py() == number.to_bytes(8, "little") + bytes(LENGTH - 8)


PEAK: Final = """
    import sys
    import cbpf

    source, mode = sys.argv[1:]
    peak = rows = 0
    with open(source, mode):
        for batch in cbpf.arrow.read_batches(source):
            rows += batch.num_rows
            with open("/proc/self/status") as status:
                peak = max(peak, *(int(line.split()[1]) for line in status if line.startswith("RssAnon")))
    print(rows, peak)
"""


FILE_PEAK: Final = """
    import sys
    import threading
    import time
    import cbpf

    source, format = sys.argv[1:]
    columns = ["data"] if format == "csv" else None
    peaks = [0]

    def watch():
        while True:
            with open("/proc/self/status") as status:
                peaks.append(max(int(line.split()[1]) for line in status if line.startswith("RssAnon")))
            time.sleep(0.01)

    threading.Thread(target=watch, daemon=True).start()
    with open("/dev/null", "wb") as target:
        rows = cbpf.arrow.write_table(source, target, format=format, columns=columns, count=5_000)
    print(rows, max(peaks))
"""


@pytest.mark.parametrize("format", ["arrow", "parquet", "csv"])
def test_files_of_long_packets_are_written_in_bounded_memory(format: str, tmp_path: Path) -> None:
    """A gigabyte of packets of 200,000 bytes, of which a batch could have 65,536."""
    path = tmp_path / "in.pcap"
    sparse_capture(path, 1 << 30)
    command = [sys.executable, "-c", textwrap.dedent(FILE_PEAK), str(path), format]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows, peak = map(int, done.stdout.split())
    assert rows == 5_000
    assert peak < 350_000, "kilobytes"


@pytest.mark.parametrize("mode", ["rb", "r+b"], ids=["mapped", "copied"])
def test_memory_does_not_grow_with_the_capture(mode: str, tmp_path: Path) -> None:
    """A file that is open for writing is not mapped."""
    path = tmp_path / "in.pcap"
    peaks = []
    for size in (1 << 30, 5 << 30):
        count = sparse_capture(path, size)
        command = [sys.executable, "-c", textwrap.dedent(PEAK), str(path), mode]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows, peak = map(int, done.stdout.split())
        assert rows == count
        peaks.append(peak)
    assert peaks[1] < 300_000, "kilobytes"
    assert peaks[1] < peaks[0] + 30_000
