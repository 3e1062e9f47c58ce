"""Captures that a thread reads one after another, in memory that it reuses."""

from __future__ import annotations

import gzip
import io
import threading

import pytest

import cbpf
from cbpf.capture import read_ahead, reused_memory
from cbpf.capture.input import Input
from cbpf.capture.native.choice import size_of
from cbpf.engines.base import llvm_is_installed
from support.captures import TRAFFIC

CONTENT = TRAFFIC.read_bytes()
LONG = CONTENT + CONTENT[24:] * 30  # above the size from which a thread reads ahead


def filtered(data: bytes, expression: str) -> bytes:
    output = io.BytesIO()
    cbpf.filter_capture(io.BytesIO(data), output, expression)
    return output.getvalue()


@pytest.mark.parametrize("data", [CONTENT, LONG, gzip.compress(LONG, 1)], ids=["short", "long", "gzip"])
def test_captures_in_reused_memory_have_the_same_results(data: bytes) -> None:
    expected = [filtered(data, expression) for expression in ("tcp", "arp", "")]
    for _ in range(2):
        with reused_memory.reused_memory():
            assert [filtered(data, expression) for expression in ("tcp", "arp", "")] == expected


def test_the_second_capture_is_read_into_the_memory_of_the_first() -> None:
    with reused_memory.reused_memory():
        first = reused_memory.buffer_of(1 << 20)
    with reused_memory.reused_memory():
        assert reused_memory.buffer_of(1 << 20) is first
        assert reused_memory.buffer_of(1 << 20) is not first


def test_large_buffers_are_not_retained() -> None:
    with reused_memory.reused_memory():
        large = reused_memory.buffer_of(1 << 24)
    with reused_memory.reused_memory():
        assert reused_memory.buffer_of(1 << 24) is not large


def test_buffers_outside_the_block_are_not_shared() -> None:
    assert reused_memory.buffer_of(1 << 20) is not reused_memory.buffer_of(1 << 20)


def test_each_thread_has_its_own_memory() -> None:
    buffers = []

    def take() -> None:
        with reused_memory.reused_memory():
            buffers.append(reused_memory.buffer_of(1 << 20))

    for _ in range(2):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert buffers[0] is not buffers[1]


@pytest.mark.skipif(not llvm_is_installed(), reason="llvmlite is not installed.")
def test_no_thread_reads_ahead_in_reused_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Counted(read_ahead.ReadAhead):
        def __init__(self, source: Input) -> None:
            started.append(source)
            super().__init__(source)

    monkeypatch.setattr(read_ahead, "ReadAhead", Counted)
    data = gzip.compress(LONG, 1)
    with reused_memory.reused_memory():
        cbpf.filter_capture(io.BytesIO(data), None, "tcp", engine="llvm")
    assert not started
    cbpf.filter_capture(io.BytesIO(data), None, "tcp", engine="llvm")
    assert started


def test_the_size_of_a_file_in_memory_leaves_its_position() -> None:
    source = io.BytesIO(CONTENT)
    source.seek(24)
    assert size_of(source) == len(CONTENT)
    assert source.tell() == 24


def test_captures_that_one_thread_reads_keep_no_buffers() -> None:
    """A merge opens thousands of captures one after another, each with a buffer of its own."""
    with reused_memory.single_thread():
        assert reused_memory.reads_alone()
        assert len(reused_memory.buffer_of(1 << 20)) == 1 << 20
        assert not reused_memory._memory.used
    assert not reused_memory.reads_alone()
