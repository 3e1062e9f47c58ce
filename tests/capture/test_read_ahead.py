"""Captures that a thread reads ahead: equal results from all sources, live pipes, and no thread that remains."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from cbpf._output import OutputFiles
from cbpf.capture import input_buffer, read_ahead
from cbpf.capture.base import HEAD_SIZE
from cbpf.capture.mapped_file import MappedFile
from cbpf.capture.native import choice, scanner
from cbpf.capture.reader import Chunk
from cbpf.filtering.python_run import PythonRun
from support.captures import as_pcapng, encoded
from support.compressed import FRAME_KINDS, Pieces, gzip_member
from support.hostile_captures import DAMAGES, TRAFFIC_RECORDS, damaged
from support.project import Rounds
from support.sample_captures import ARP, PLAIN, pipe
from support.scans import FILTERS, SIZES, machine, outcome, shrink

pytest.importorskip("llvmlite", reason="the native engine needs llvmlite")
pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")

LONG: Final = encoded(TRAFFIC_RECORDS)
ACCEPT_ALL: Final = cbpf.VM(cbpf.parse("ret #1"), engine="llvm")
ACCEPT_ARP: Final = cbpf.VM(cbpf.parse("ldh [12]\njeq #0x806,0,1\nret #1\nret #0"), engine="llvm")


@pytest.fixture(autouse=True)
def all_threads_end() -> Iterator[None]:
    """Fail a test that leaves a thread."""
    before = set(threading.enumerate())
    yield
    assert not {thread for thread in threading.enumerate() if not isinstance(thread, threading.Timer)} - before


@pytest.fixture
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink(monkeypatch, SIZES[0])


# Sources


@contextmanager
def fed(data: bytes, size: int, buffering: int) -> Iterator[BinaryIO]:
    """Yield the read end of a pipe to which a thread writes *size* bytes at a time."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with open(write_end, "wb", buffering=0) as writer, suppress(BrokenPipeError):
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])

    thread = threading.Thread(target=write)
    with open(read_end, "rb", buffering=buffering) as reader:
        thread.start()
        yield reader
    thread.join()


def source_of(random: Random, stack: ExitStack, data: bytes, path: Path, *, in_pieces: bool) -> Any:
    """Return a source with these bytes: a file or memory; or a pipe or file object that returns few at a time."""
    path.write_bytes(data)
    size = random.choice((1, 7, 4_096, 100_000)) if len(data) < 9_000 else random.choice((777, 4_096, 100_000))
    kinds: list[Callable[[], Any]] = [
        lambda: path,
        lambda: BytesIO(data),
        lambda: stack.enter_context(path.open("rb")),
    ]
    pieces: list[Callable[[], Any]] = [
        lambda: Pieces(data[start : start + size] for start in range(0, len(data), size)),
        lambda: stack.enter_context(fed(data, size, random.choice((0, 8_192)))),
    ]
    return random.choice([*kinds, *pieces] if in_pieces else kinds)()


def compressions() -> list[Callable[[bytes], bytes]]:
    import bz2
    import lzma

    frames = [make for make in FRAME_KINDS.values() if make is not None]
    return [bytes, partial(gzip_member, flags=0), partial(lzma.compress, preset=0), bz2.compress, *frames]


def random_capture(random: Random) -> bytes:
    """Return a capture, often with packets longer than a window, or a damaged one."""
    if random.random() < 0.4:
        return damaged(random)
    records = random.sample(TRAFFIC_RECORDS, random.choice((0, 5, 300)))
    for _ in range(random.choice((0, 0, 1, 3))):
        record = random.choice(TRAFFIC_RECORDS)
        data = record.data + random.randbytes(random.choice((3_000, 70_000, 200_000)))
        records.insert(random.randint(0, len(records)), record._replace(data=data, wire_length=len(data)))
    return random.choice((encoded, as_pcapng))(records)


@pytest.mark.fuzz
def test_engines_agree_on_all_sources(rounds: Rounds, tmp_path: Path) -> None:
    path = tmp_path / "in"
    for random in rounds(60, min_checked=1):
        compress = random.choice(compressions())
        data = compress(random_capture(random))
        in_pieces = random.random() < 0.7
        if compress is bytes or not in_pieces:  # pieces determine how much of a corrupt compressed stream is output
            data = random.choice(DAMAGES)(random, data.ljust(100, b"\0"))
        expression, count = random.choice(FILTERS), random.choice((None, None, None, 1, 40))
        results = []
        for engine in ("python", "llvm"):
            with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
                shrink(patch, random.choice(SIZES))
                source = (
                    BytesIO(data) if engine == "python" else source_of(random, stack, data, path, in_pieces=in_pieces)
                )
                target = BytesIO()
                outputs = partial(lambda target: [target.getvalue()], target)
                done = outcome(outputs, cbpf.filter_capture, source, target, machine(expression, engine), count=count)
                name = source if isinstance(source, Path) else getattr(source, "name", "capture")
                results.append(done._replace(error=done.error.replace(f" {name}: ", " capture: ", 1)))
        assert results[0] == results[1]
        rounds.checked()


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("compress", compressions(), ids=lambda compress: getattr(compress, "__name__", "stream"))
def test_records_longer_than_all_windows_are_read(compress: Callable[[bytes], bytes]) -> None:
    long = TRAFFIC_RECORDS[0]._replace(data=Random(1).randbytes(250_000), wire_length=250_000)
    capture = encoded([*TRAFFIC_RECORDS[:9], long, TRAFFIC_RECORDS[9], long, long, *TRAFFIC_RECORDS[10:50]])
    for source in (BytesIO(compress(capture)), Pieces([compress(capture)])):
        target = BytesIO()
        cbpf.filter_capture(cast(BinaryIO, source), target, ACCEPT_ALL)
        assert target.getvalue() == capture


@pytest.mark.parametrize("container", [encoded, as_pcapng])
def test_records_that_end_in_the_next_window_are_read_by_machine_code(
    container: Callable[[Any], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks: list[Chunk] = []
    original = PythonRun.filter

    def filter(self: PythonRun, chunk: Chunk, remaining: int | None) -> Any:
        chunks.append(chunk)
        return original(self, chunk, remaining)

    shrink(monkeypatch, SIZES[1])
    monkeypatch.setattr(PythonRun, "filter", filter)
    capture, target = container(TRAFFIC_RECORDS * 9), BytesIO()
    assert len(capture) > (1 << 20) + 10 * SIZES[1].window  # a pcapng begins with a chunk of 1 MiB
    cbpf.filter_capture(BytesIO(gzip_member(capture, 0)), target, ACCEPT_ALL)
    assert target.getvalue() == capture
    assert len(chunks) <= 1  # the blocks at the start of a pcapng


@pytest.mark.parametrize("container", [encoded, as_pcapng])
def test_the_start_of_a_record_determines_the_bytes_it_needs(container: Callable[[Any], bytes]) -> None:
    """`needed_size` returns the size that `scan` requires, for each start of a record, and changes no state."""
    capture = container(TRAFFIC_RECORDS[:3])
    with cbpf.read_capture(BytesIO(capture)) as reader:
        buffer, records = next(reader.chunks())
        for record in records:
            data = buffer[record[0] : record[3]]
            needed = [reader.container.needed_size(data[:size]) for size in range(HEAD_SIZE + 1)]
            assert set(needed) == {needed[0], len(data)}
            assert needed[12 if needed[0] == 12 else 16] == len(data)
            corrupt = data[:4] + b"\xff\xff\xff\xff" + b"\xff" * 16
            assert reader.container.needed_size(corrupt) == 0


# Live pipes


class Gate(BytesIO):
    """A target that sets an event when it has received *size* bytes."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self.is_reached = threading.Event()

    def write(self, data: Any, /) -> int:
        count = super().write(data)
        if self.tell() >= self._size:
            self.is_reached.set()
        return count


def read_live(target: BinaryIO, read_end: int, **options: Any) -> threading.Thread:
    """Start a thread that filters the packets from a pipe."""

    def run() -> None:
        with open(read_end, "rb", buffering=0, closefd=False) as source, suppress(cbpf.DamagedCapture):
            cbpf.filter_capture(cast(BinaryIO, source), target, ACCEPT_ARP, **options)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("part", [b"", b"a part of a record"])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_packets_are_written_while_a_pipe_that_is_read_ahead_pauses(part: bytes, is_compressed: bool) -> None:
    deflate = zlib.compressobj(wbits=31)

    def stored(data: bytes) -> bytes:
        return deflate.compress(data) + deflate.flush(zlib.Z_SYNC_FLUSH) if is_compressed else data

    expected = encoded([record for record in TRAFFIC_RECORDS if record.data[12:14] == b"\x08\x06"] + ARP)
    target = Gate(len(expected))
    with pipe() as (read_end, writer):
        thread = read_live(target, read_end)
        writer.write(stored(LONG))
        writer.write(stored(PLAIN[24:] + part))
        assert target.is_reached.wait(8)
        assert not writer.closed
        assert target.getvalue() == expected
        writer.close()
        thread.join()


@pytest.mark.usefixtures("small_windows")
def test_a_limit_ends_the_run_while_a_pipe_pauses() -> None:
    with pipe() as (read_end, writer):
        thread = read_live(BytesIO(), read_end, count=1)
        writer.write(LONG)
        thread.join(8)
        assert not thread.is_alive()
        assert not writer.closed


# Ends other than that of the input


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_exceptions_of_the_consumer_end_the_thread(error: type[BaseException]) -> None:
    def fail(count: int) -> None:
        raise error

    with pipe() as (read_end, writer), open(read_end, "rb", buffering=0, closefd=False) as source:
        writer.write(LONG[:60_000])  # as much as a pipe holds without a reader
        with pytest.raises(error):
            cbpf.filter_capture(cast(BinaryIO, source), None, ACCEPT_ALL, progress=fail)
        with pytest.raises(error):
            cbpf.filter_capture(BytesIO(gzip_member(LONG, 0)), None, ACCEPT_ALL, progress=fail)


@pytest.mark.usefixtures("small_windows")
def test_a_signal_ends_a_run_that_waits_for_a_pipe() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pipe() as (read_end, writer), open(read_end, "rb", buffering=0, closefd=False) as source:
            writer.write(LONG[:60_000])  # as much as a pipe holds without a reader
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(TimeoutError):
                cbpf.filter_capture(cast(BinaryIO, source), None, ACCEPT_ALL)
            assert not writer.closed
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("small_windows")
def test_a_child_process_cannot_continue_to_read() -> None:
    """The child has no thread that reads; it reports this and does not wait. The parent is not disturbed."""
    children: list[int] = []

    def fork(count: int) -> None:
        if not children:
            children.append(os.fork())
            if not children[0]:
                signal.alarm(20)

    try:
        summary = cbpf.filter_capture(BytesIO(gzip_member(LONG, 0)), None, ACCEPT_ALL, progress=fork)
    except cbpf.CaptureError as error:
        os._exit(0 if "the process was forked while it read the capture" in str(error) else 1)
    except BaseException:
        os._exit(2)
    if not children[0]:
        os._exit(3)
    assert os.waitpid(children[0], 0)[1] == 0
    assert summary.packets_seen == len(TRAFFIC_RECORDS)


_STARTS: Final = {"threads": "start", "files": "eventfd"}


@pytest.mark.usefixtures("small_windows")
@pytest.mark.parametrize("limit", _STARTS)
def test_captures_are_read_without_a_thread_where_there_is_none(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("can't start new thread") if limit == "threads" else OSError(24, "Too many open files")

    monkeypatch.setattr(threading.Thread if limit == "threads" else os, _STARTS[limit], fail)
    target = BytesIO()
    cbpf.filter_capture(BytesIO(gzip_member(LONG, 0)), target, ACCEPT_ALL)
    assert target.getvalue() == LONG


def test_a_short_capture_is_read_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr(read_ahead.ReadAhead, "__init__", fail)
    assert len(LONG) < input_buffer._READ_AHEAD_FROM
    assert cbpf.filter_capture(BytesIO(gzip_member(LONG, 0)), None, ACCEPT_ALL).packets_seen == len(TRAFFIC_RECORDS)


@pytest.mark.parametrize("kind", ["zstd", "lz4"])
def test_a_compressed_file_is_mapped_after_the_outputs_are_open(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be one of them: opening it for writing would wait for the end of the mapping."""
    compress = FRAME_KINDS[kind]
    if compress is None:
        pytest.skip("needs zstd and lz4: the extra 'compressed'")
    path, events = tmp_path / "capture", []

    def spy(owner: type, method: str) -> None:
        original = getattr(owner, method)

        def call(*arguments: Any, **named: Any) -> Any:
            events.append(method)
            return original(*arguments, **named)

        monkeypatch.setattr(owner, method, call)

    spy(OutputFiles, "open")
    spy(MappedFile, "view")
    path.write_bytes(compress(encoded(TRAFFIC_RECORDS * 5)))
    summary = cbpf.filter_capture(path, path, ACCEPT_ALL)
    assert (summary.packets_seen, summary.packets_accepted) == (5 * len(TRAFFIC_RECORDS),) * 2
    assert (events[0], set(events[1:])) == ("open", {"view"})
    assert cbpf.filter_capture(path, None, ACCEPT_ALL).packets_seen == summary.packets_accepted


# Memory


PEAK: Final = """
import sys
import cbpf

def progress(read):
    global peak
    with open("/proc/self/status") as status:
        peak = max(peak, *(int(line.split()[1]) for line in status if line.startswith("RssAnon")))

peak = 0
cbpf.filter_capture(sys.argv[1], None, cbpf.parse("ret #1"), engine="llvm", progress=progress)
print(peak)
"""


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_memory_does_not_grow_with_a_decompression_bomb(kind: str, tmp_path: Path) -> None:
    """Anonymous memory in kilobytes, for 40 MB and for 200 MB."""
    path, peaks = tmp_path / "in", []
    compress = partial(gzip_member, flags=0) if kind == "gzip" else FRAME_KINDS[kind]
    if compress is None:
        pytest.skip(f"needs a library for {kind}: the extra 'compressed'")
    block = encoded([TRAFFIC_RECORDS[0]._replace(data=bytes(200_000), wire_length=200_000)] * 200)[24:]
    member = compress(block)
    for count in (1, 5):
        path.write_bytes(compress(encoded([])) + member * count)
        done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout))
    assert 0 < peaks[1] < peaks[0] + 8_000


@pytest.mark.parametrize(("owner", "name"), [(read_ahead.ReadAhead, "_fill"), (scanner.Scanner, "scan")])
def test_a_thread_may_collect_the_run_that_it_works_for(
    owner: Any, name: str, small_windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's garbage collector runs in any thread, and ends a run to which nothing refers any more."""
    dropped, calls, unraisable = threading.Event(), Counter[threading.Thread](), list[Any]()
    original = getattr(owner, name)

    def called(*arguments: Any, **options: Any) -> Any:
        thread = threading.current_thread()
        calls[thread] += 1
        if calls[thread] > 1 and thread is not threading.main_thread():
            dropped.wait(60)
            gc.collect()
        return original(*arguments, **options)

    path, before = tmp_path / "a.pcap", set(threading.enumerate())
    path.write_bytes(LONG)
    monkeypatch.setattr(owner, name, called)
    monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 0)
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    gc.disable()
    try:
        reader = cbpf.read_capture(path if name == "scan" else BytesIO(LONG))
        while not (threads := set(threading.enumerate()) - before):
            next(reader)
        del reader
        dropped.set()
        for thread in threads:
            thread.join(60)
    finally:
        gc.enable()
    assert [str(error.exc_value) for error in unraisable] == []
