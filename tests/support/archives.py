"""Archives for tests: objects with captures whose packets are known."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final

from cbpf.archive.locations import join
from cbpf.archive.stores import Store
from support.captures import TRAFFIC, Record, decoded, encoded

START: Final = 1_764_230_400  # 2025-11-27T08:00:00Z, the beginning of an hour
TRAFFIC_RECORDS: Final = decoded(TRAFFIC.read_bytes())


def capture(start: int, count: int, step_ns: int = 1_000_000_000) -> bytes:
    """Return a pcap of *count* packets of real traffic, the first at *start* seconds since 1970, in steps of time."""
    records = []
    for index in range(count):
        seconds, nanoseconds = divmod(start * 10**9 + index * step_ns, 10**9)
        record = TRAFFIC_RECORDS[index % len(TRAFFIC_RECORDS)]
        records.append(Record(seconds, nanoseconds, record.wire_length, record.data))
    return encoded(records)


def write_objects(root: str, objects: Mapping[str, bytes], store: Store | None = None) -> None:
    """Write objects below a folder of a store."""
    for name, data in objects.items():
        (store or Store()).write(join(root, name), data)


class InterruptedWrite(Exception):
    """An error that ends the writing of an object."""


def write_and_fail(stream: BinaryIO, size: int) -> None:
    """Write some bytes, and raise `InterruptedWrite`."""
    stream.write(bytes(size))
    raise InterruptedWrite


def kill_in_index(flags: str, names: Sequence[str], *, always: bool = False) -> None:
    """Let this worker be killed when it has indexed one of these objects: once for each, or always."""
    runs: Any = import_module("cbpf.archive.index_run")
    original = runs.index_object

    def index_object(store: Store, listed: Any, **options: Any) -> Any:
        row = original(store, listed, **options)
        name = listed.path.rpartition("/")[2]
        if name in names and (always or not (Path(flags) / name).exists()):
            (Path(flags) / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    runs.index_object = index_object
