"""Archives of small captures, the outputs that their filters should have, and workers that are killed."""

from __future__ import annotations

import gzip
import hashlib
import io
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import cbpf
from support.captures import TRAFFIC, VARIANTS, Variant, as_pcapng, decoded, encoded

FILTER: Final = "tcp port 443 or arp"
OBJECTS: Final = 12


def write_archive(folder: Path) -> list[str]:
    """Write captures of several kinds into two folders; return their names in the order of a listing."""
    records = decoded(TRAFFIC.read_bytes())
    size = len(records) // OBJECTS
    names = []
    for index in range(OBJECTS):
        part = records[index * size : (index + 1) * size]
        data = as_pcapng(part) if index % 4 == 3 else encoded(part)
        name = f"day-{index // 6}/{index:02}.{'pcapng' if index % 4 == 3 else 'pcap'}"
        if index % 3 == 1:
            data, name = gzip.compress(data, mtime=0), f"{name}.gz"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        names.append(name)
    return names


def expected_outputs(folder: Path, expression: str = FILTER, **options: Any) -> dict[str, str]:
    """Return the hash of the output for each object, made by `filter_capture`."""
    outputs = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        output = io.BytesIO()
        compress = "gzip" if path.suffix == ".gz" else "none"
        try:
            cbpf.filter_capture(path, output, expression, compress=compress, **options)
        except cbpf.DamagedCapture as damage:
            if damage.summary is None:
                continue
        except cbpf.CaptureError:
            continue
        outputs[str(path.relative_to(folder))] = _hash(output.getvalue())
    return outputs


def outputs(folder: Path) -> dict[str, str]:
    """Return the hash of each object that was written, without receipts."""
    paths = [path for path in folder.rglob("*") if path.is_file() and ".cbpf" not in path.parts]
    return {str(path.relative_to(folder)): _hash(path.read_bytes()) for path in paths}


def receipts(folder: Path) -> list[Path]:
    """Return the receipts of all jobs in a target."""
    return sorted((folder / ".cbpf").rglob("*.json"))


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Functions for workers


def named_length(batch: str) -> tuple[str, int]:
    """Return a batch and its length."""
    return batch, len(batch)


def process_id(batch: str) -> int:
    """Return the number of the worker."""
    return os.getpid()


def kill_by_name(batch: str) -> int:
    """End the worker if the batch is called poison."""
    if batch == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return len(batch)


def kill_once(folder: str, batch: str) -> int:
    """End the worker at the first attempt of each batch whose name begins with "once"."""
    if batch.startswith("once") and _is_first(Path(folder) / batch):
        os.kill(os.getpid(), signal.SIGKILL)
    return len(batch)


def raise_error(batch: str) -> int:
    """Raise an error of the package."""
    raise cbpf.MissingLibrary(f"{batch}: no library")


def _is_first(path: Path) -> bool:
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def processes(begin: Callable[..., None] | None = None, arguments: Sequence[Any] = ()) -> Callable[[], Executor]:
    """Return a function that makes a pool of two processes, in which *begin* is called first."""
    context = multiprocessing.get_context("spawn")
    return partial(ProcessPoolExecutor, 2, mp_context=context, initializer=begin, initargs=tuple(arguments))


def kill_while_writing(flags: str, names: Sequence[str]) -> None:
    """Let this worker be killed once for each of these objects, when a half of the output is written."""
    tasks: Any = import_module("cbpf.archive.tasks")
    original = tasks.filter_capture

    def filter_capture(source: Any, target: Any, *arguments: Any, **options: Any) -> Any:
        name = os.path.basename(str(getattr(source, "name", source)))
        if name in names and _is_first(Path(flags) / name):
            output = io.BytesIO()
            original(source, output, *arguments, **options)
            target.write(output.getvalue()[: len(output.getvalue()) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return original(source, target, *arguments, **options)

    tasks.filter_capture = filter_capture


def variant(linktype: int) -> Variant:
    """Return the little-endian variant of a pcap with a link type."""
    return VARIANTS["little-endian"]._replace(linktype=linktype)


def kill_at(name: str) -> None:
    """Let this worker be killed each time that it begins an object of this name."""
    tasks: Any = import_module("cbpf.archive.tasks")
    original = tasks.filter_object

    def filter_object(job: Any, item: Any) -> Any:
        if os.path.basename(item.path) == name:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(job, item)

    tasks.filter_object = filter_object


def sleeping_process(seconds: int) -> int:
    """Return the number of the worker after some seconds."""
    time.sleep(seconds)
    return os.getpid()


def slow_down(seconds: float) -> None:
    """Let this worker pause before each object, so that a test can interrupt a run."""
    tasks: Any = import_module("cbpf.archive.tasks")
    original = tasks.filter_object

    def filter_object(*arguments: Any) -> Any:
        time.sleep(seconds)
        return original(*arguments)

    tasks.filter_object = filter_object


def kill_after_receipts(target: Path, count: int, process: int) -> threading.Thread:
    """Start a thread that kills a process when a target has a number of receipts."""

    def watch() -> None:
        while len(receipts(target)) < count:
            time.sleep(0.005)
        os.kill(process, signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread
