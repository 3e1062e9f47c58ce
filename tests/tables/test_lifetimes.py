"""The memory of tables: the bytes of a mapped file live as long as the last array that refers to them."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import textwrap
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.capture.mapped_file import MappedFile
from cbpf.tables import data_column
from support.captures import TRAFFIC, as_pcapng, decoded, encoded
from support.hostile_captures import traffic
from support.scans import Sizes, shrink
from support.tables import read, rows_of

pa = pytest.importorskip("pyarrow", reason="needs pyarrow; ./dev test --all installs it")
pytest.importorskip("llvmlite", reason="needs llvmlite")

RECORDS: Final = decoded(TRAFFIC.read_bytes())
DATA: Final = [record.data for record in RECORDS]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the name of a capture that can be mapped."""
    path = tmp_path / "in.pcap"
    path.write_bytes(TRAFFIC.read_bytes())
    with path.open("rb") as file, MappedFile(file.fileno(), "capture") as mapped:
        if not mapped.is_mapped:
            pytest.skip("needs read leases, and a kernel that reports unreadable pages")
    return path


def descriptors(path: Path) -> int:
    """Return how many descriptors of this process refer to a file."""
    return sum(os.path.realpath(f"/proc/self/fd/{name}") == str(path) for name in os.listdir("/proc/self/fd"))


def mappings(path: Path) -> int:
    """Return how many mappings of a file this process has."""
    return sum(line.rstrip().endswith(str(path)) for line in Path("/proc/self/maps").read_text().splitlines())


def data_buffers(column: Any) -> list[Any]:
    """Return the data buffers of a column of binary_view."""
    return [buffer for chunk in column.chunks for buffer in chunk.buffers()[2:]]


@pytest.mark.parametrize("form", ["pcap", "pcapng"])
def test_the_bytes_of_a_mapped_file_are_not_copied(form: str, path: Path) -> None:
    if form == "pcapng":
        path.write_bytes(as_pcapng(RECORDS * 20))
    column = cbpf.arrow.read_table(path, columns=["data"], engine="llvm")["data"]
    size = path.stat().st_size
    buffers = [buffer for buffer in data_buffers(column) if not buffer.is_mutable]
    assert size * 0.9 < sum(buffer.size for buffer in buffers) <= size
    assert mappings(path) == 1
    assert column.to_pylist() == DATA * (20 if form == "pcapng" else 1)


def test_a_mapping_lives_as_long_as_the_last_array(path: Path) -> None:
    reader = cbpf.arrow.read_batches(path, columns=["number", "data"], engine="llvm", batch_size=100)
    batches = list(reader)
    del reader
    gc.collect()
    assert mappings(path) == 1
    value = batches[-1]["data"][4]
    one = batches[3]["data"].slice(50, 10)
    del batches
    gc.collect()
    assert mappings(path) == 1
    assert one.to_pylist() == DATA[350:360]
    del one
    gc.collect()
    assert value.as_py() == DATA[904]
    del value
    gc.collect()
    assert (descriptors(path), mappings(path)) == (0, 0)


def test_columns_without_data_keep_nothing(path: Path) -> None:
    table = cbpf.arrow.read_table(path, columns=["time", "src_ip"], engine="llvm")
    assert (descriptors(path), mappings(path)) == (0, 0)
    assert table.num_rows == len(RECORDS)


def test_arrays_outlive_the_file(path: Path) -> None:
    column = cbpf.arrow.read_table(path, columns=["data"], engine="llvm")["data"]
    other = path.with_name("other")
    other.write_bytes(bytes(path.stat().st_size))
    other.replace(path)
    assert column.to_pylist() == DATA
    path.unlink()
    assert column.to_pylist() == DATA


def test_the_lease_is_held_until_the_last_array_is_freed(path: Path) -> None:
    table = cbpf.arrow.read_table(path, engine="llvm")

    def can_be_written() -> bool:
        """Return whether a process can open the file for writing without waiting for a lease."""
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except BlockingIOError:
            return False
        return True

    metadata = table.drop(["data"])
    copy = table["data"].cast("large_binary")
    assert not can_be_written()
    del table
    gc.collect()
    assert can_be_written()
    assert (metadata.num_rows, len(copy)) == (len(RECORDS), len(RECORDS))


def test_a_reader_that_is_closed_early_closes_its_sources(path: Path) -> None:
    for columns in (["number"], ["data"]):
        reader = cbpf.arrow.read_batches(path, columns=columns, engine="llvm", batch_size=10)
        first = reader.read_next_batch()
        reader.close()
        del reader
        gc.collect()
        assert first.num_rows == 10
        del first
        gc.collect()
        assert (descriptors(path), mappings(path)) == (0, 0)
    del columns
    cbpf.arrow.read_batches(path, engine="llvm")  # of which no batch is read
    gc.collect()
    assert (descriptors(path), mappings(path)) == (0, 0)


def test_a_child_process_does_not_release_the_lease(path: Path) -> None:
    code = """
        import gc, os, sys
        import cbpf

        table = cbpf.arrow.read_table(sys.argv[1], engine="llvm")
        child = os.fork()
        if not child:
            del table
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        leases = [line for line in open("/proc/locks") if "LEASE" in line and f" {os.getpid()} " in line]
        first = table["data"][0].as_py()
        print(len(leases), first == open(sys.argv[1], "rb").read()[40 : 40 + len(first)])
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 True\n", done.stderr


def test_data_are_cut_where_a_position_does_not_fit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_column, "MAX_SEGMENT", 20_000)
    shrink(monkeypatch, Sizes(10_000, 2))
    for source in (path, BytesIO(path.read_bytes())):
        (batch,) = cbpf.arrow.read_batches(source, columns=["data"], engine="llvm", batch_size=10_000)
        buffers = batch["data"].buffers()[2:]
        assert len(buffers) > path.stat().st_size // 25_000
        assert all(buffer.size <= 20_000 for buffer in buffers)
        assert rows_of([batch]) == [(data,) for data in DATA]


def test_long_packets_end_a_batch_before_its_size() -> None:
    records = [record._replace(data=bytes(200_000), wire_length=200_000) for record in traffic(Random(1), 1_000)]
    capture = encoded(records)
    with cbpf.arrow.read_batches(BytesIO(capture), columns=["data"]) as reader:
        rows = [batch.num_rows for batch in reader]
    assert len(rows) == 3
    assert sum(rows) == 1_000


def test_the_end_of_a_mapping_is_readable_to_the_last_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The views of the last packets, which may have fewer bytes than a view contains, are inside the mapping."""
    path = tmp_path / "in"
    for last in range(14):
        records = [record._replace(data=record.data[:last], wire_length=70) for record in RECORDS[:2]]
        capture = encoded(records)
        padding = -len(capture) % 4096
        capture = encoded([RECORDS[0]._replace(data=bytes(padding + 4096 - 16), wire_length=9_000), *records])
        assert len(capture) % 4096 == 0
        path.write_bytes(capture)
        rows, error = read(path, columns=["data"], engine="llvm")
        assert not error
        assert [data for (data,) in rows] == [bytes(padding + 4080), *(record.data for record in records)]
