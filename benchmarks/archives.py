"""A filter over many compressed captures, next to a pipe of zstd and tcpdump for each, and to a loop."""

import hashlib
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import archive_cluster, archive_pass, synthetic
from benchmarks.archive_model import Inputs, model
from benchmarks.processes import PYTHON, WORKSPACE, output, process, script
from benchmarks.report import Section, at_most, cost_table
from benchmarks.setting import Omitted, Setting, require_memory, require_room, size_text
from benchmarks.timing import Contender, Cost, costs_of
from benchmarks.whole import FILTER

_COUNT: Final = 200
_PACKETS: Final = 15_500  # of an object: 9.6 MB, 5.1 MB as zstd
_SIZE: Final = 10_000_000
_BATCH: Final = 25_000_000  # bytes: many batches for each process, as in larger archives
_LINKS: Final = 4  # of each object, for the pass by a cluster
_BATCH_OF_LINKS: Final = 256_000_000  # the default


def archives(setting: Setting) -> Iterator[Section]:
    """Compare the time and the processor time of a pass over many objects, and their outputs."""
    for tool in ("tcpdump", "zstd", "xargs"):
        if not shutil.which(tool):
            raise Omitted(f"it needs {tool}")
    if find_spec("fsspec") is None:
        raise Omitted("it needs fsspec")
    count = setting.scaled(_COUNT)
    require_room(WORKSPACE, count * _SIZE)
    require_memory(count * _SIZE)
    source = _objects(count)
    target = WORKSPACE / "archive-out"
    with _cluster() as address:
        contenders = list(_contenders(source, target, address))
        _require_equal_outputs(contenders, target)
        costs = costs_of(contenders[:4], rounds=setting.rounds(5))
        yield _section(contenders, costs, count, source)
        yield _model(costs, source, target)
        if address is not None:
            links = _linked(source)
            yield _cluster_section(list(_passes(links, target, address, _BATCH_OF_LINKS)), links, setting.rounds(5))
            shutil.rmtree(links)
    shutil.rmtree(target)
    shutil.rmtree(source)


def _pass(name: str, how: str, source: Path, target: Path, batch: int, *scheduler: str) -> Contender:
    """Return a contender that runs `archive_pass`, and returns its output."""
    command = [PYTHON, archive_pass.__file__, how, str(source), str(target), FILTER, str(batch), *scheduler]
    return process(name, command, before=lambda: _empty(target))._replace(run=lambda: output(command))


def _passes(source: Path, target: Path, address: str, batch: int) -> Iterator[Contender]:
    """Yield the passes by two processes, and by a cluster."""
    yield _pass("cbpf, 2 processes", "processes", source, target, batch)
    yield _pass("cbpf, a dask cluster of 2 processes", "dask", source, target, batch, address)


def _empty(target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()


def _contenders(source: Path, target: Path, address: str | None) -> Iterator[Contender]:
    pipe = f"zstd -dcq {source}/{{}}.zst | tcpdump -r - -w {target}/{{}} '{FILTER}' 2>/dev/null"
    yield _pass("cbpf, 2 processes", "processes", source, target, _BATCH)
    yield script(
        "zstd piped into tcpdump, 2 at a time",
        f'ls {source} | sed s/.zst$// | xargs -P2 -I{{}} sh -c "{pipe}"',
        how="`xargs -P2` around `zstd -dc | tcpdump`",
        before=lambda: _empty(target),
    )
    yield _pass("a loop over filter_capture", "loop", source, target, _BATCH)
    yield _pass("cbpf, this process", "here", source, target, _BATCH)
    if address is not None:
        yield _pass("cbpf, a dask cluster of 2 processes", "dask", source, target, _BATCH, address)


def _section(contenders: list[Contender], costs: list[list[Cost]], count: int, source: Path) -> Section:
    size = sum(path.stat().st_size for path in source.iterdir())
    note = (
        f"{count} objects of {size_text(size / count)} (zstd), {_PACKETS:,} packets each, to files. Complete processes."
        " All outputs are equal."
    )
    goals = [
        at_most("An archive, against a pipe for each object: time", 0.6, _ratio(costs, 0, 1, 0), "{:.2f} times"),
        at_most(
            "An archive, one process, against a pipe for each object: processor time",
            0.5,
            _ratio(costs, 3, 1, 1),
            "{:.2f} times",
        ),
    ]
    return Section("An archive of many objects", *cost_table(contenders[:4], costs), note, goals)


def _model(costs: list[list[Cost]], source: Path, target: Path) -> Section:
    """Return the cost of larger passes: that of one process, without its start, and that of the driver."""
    one = WORKSPACE / "one-object"
    one.mkdir()
    first, *_ = sorted(source.iterdir())
    shutil.copy(first, one)
    start = median(
        round_costs[0].cpu_seconds for round_costs in costs_of(list(_contenders(one, target, None))[3:], rounds=3)
    )
    driver = float(output([PYTHON, archive_pass.__file__, "empty", str(source), str(target), FILTER, str(_BATCH)]))
    size = sum(path.stat().st_size for path in source.iterdir())
    seconds = (median(round_costs[3].cpu_seconds for round_costs in costs) - start) / size
    shutil.rmtree(one)
    return model(Inputs(seconds, start, driver, size / len(list(source.iterdir()))))


def _cluster_section(contenders: list[Contender], source: Path, rounds: int) -> Section:
    """Compare the passes alone: a cluster is running before, and a program that uses it has imported dask."""
    seconds: list[list[float]] = []
    for _ in range(rounds):
        seconds.append([])
        for contender in contenders:
            assert contender.before is not None
            contender.before()
            seconds[-1].append(float(str(contender.run())))
    rows = [
        [contender.name, f"{median(times[index] for times in seconds) * 1e3:,.0f}", contender.how]
        for index, contender in enumerate(contenders)
    ]
    ratio = median(times[1] / times[0] for times in seconds)
    goals = [at_most("A dask cluster against as many processes: time", 1.1, ratio, "{:.2f} times")]
    size = sum(path.stat().st_size for path in source.iterdir())
    note = (
        f"Each object {_LINKS} times, {size_text(size)}, in batches of the default size. Without the imports; the"
        " processes are started by the pass, and the cluster is running before."
    )
    return Section("A pass by a dask cluster", ["contender", "ms", "how"], rows, note, goals)


def _ratio(costs: list[list[Cost]], index: int, other: int, kind: int) -> float:
    return median(round_costs[index][kind] / round_costs[other][kind] for round_costs in costs)


def _objects(count: int) -> Path:
    """Write compressed captures with consecutive times, and return their folder."""
    compress: Callable[[bytes, int], bytes]
    try:
        compress = import_module("compression.zstd").compress
    except ImportError:
        compress = import_module("backports.zstd").compress
    folder = WORKSPACE / "archive"
    folder.mkdir()
    block = synthetic.packets()
    time = synthetic.START
    for number in range(count):
        parts = [synthetic.FILE_HEADER]
        for index in range(number * _PACKETS, (number + 1) * _PACKETS):
            packet = block[index % len(block)]
            parts += (struct.pack("<IIII", *divmod(time, 1_000_000), len(packet), len(packet)), packet)
            time += synthetic.GAP
        (folder / f"{number:04}.pcap.zst").write_bytes(compress(b"".join(parts), 3))
    return folder


def _linked(source: Path) -> Path:
    """Return a folder with several links to each object."""
    folder = WORKSPACE / "archive-links"
    folder.mkdir()
    for path in source.iterdir():
        for number in range(_LINKS):
            (folder / f"{number}-{path.name}").hardlink_to(path)
    return folder


@contextmanager
def _cluster() -> Iterator[str | None]:
    """Run a cluster, and yield its address; None without dask."""
    if find_spec("distributed") is None:
        yield None
        return
    command = [PYTHON, archive_cluster.__file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def _require_equal_outputs(contenders: list[Contender], target: Path) -> None:
    """Stop the benchmark if the outputs of two contenders differ."""
    hashes = {}
    for contender in contenders:
        assert contender.before is not None
        contender.before()
        contender.run()
        files = sorted(path for path in target.iterdir() if path.is_file())
        digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files))
        hashes[contender.name] = (len(files), digest.hexdigest())
    if len({*hashes.values()}) != 1:
        raise SystemExit(f"the outputs of the contenders differ: {hashes}")
