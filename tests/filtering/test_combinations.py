"""Python and machine code have equal results for combinations of captures, damage, compression, options and threads.

Hypothesis chooses the combinations: bytes of outputs, counts, packets, warnings and errors are compared.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cbpf
from cbpf.capture.native import choice
from support.captures import KUZNETZOV, MICROSECONDS, NANOSECONDS, Pcapng, Record, Variant, encoded
from support.compressed import FRAME_KINDS
from support.hostile_captures import DAMAGES, SECONDS, TRAFFIC_RECORDS, damaged
from support.scans import FILTERS, Pieces, Sizes, shrink

pytest.importorskip("llvmlite", reason="needs llvmlite")

# Captures


class Item(NamedTuple):
    """A packet of the sample capture, how it is stored, and the number of times that it is repeated."""

    position: int
    captured: int
    time_ns: int  # after SECONDS
    extra: int  # bytes on the wire that are not captured
    kind: str  # of the block in a pcapng
    interface: int
    comments: tuple[bytes, ...]
    repeated: int

    @property
    def data(self) -> bytes:
        """The bytes captured of the packet."""
        return TRAFFIC_RECORDS[self.position].data[: self.captured]


ITEMS: Final = st.lists(
    st.builds(
        Item,
        st.integers(0, len(TRAFFIC_RECORDS) - 1),
        st.sampled_from((2_000, 90, 61, 60, 14, 13, 1, 0)),
        st.integers(0, 30_000_000_000),
        st.sampled_from((0, 0, 1, 1_000)),
        st.sampled_from(("enhanced", "enhanced", "enhanced", "simple", "obsolete", "other", "interface", "section")),
        st.integers(0, 2),
        st.sampled_from(((), (), (), (b"text",), (b"", b"\xff two"))),
        st.sampled_from((1, 1, 1, 5, 40)),
    ),
    max_size=40,
)
ORDERS: Final = st.sampled_from("<>")


def pcap(items: list[Item], order: str, magic: int, version: tuple[int, int], snaplen: int, linktype: int) -> bytes:
    records = []
    for item in items:
        seconds, nanoseconds = divmod(item.time_ns, 1_000_000_000)
        record = Record(SECONDS + seconds, nanoseconds, len(item.data) + item.extra, item.data)
        records += [record] * item.repeated
    return encoded(records, Variant(order, magic, version, snaplen, linktype))


def pcapng(items: list[Item], order: str, resolutions: list[tuple[int, int]], linktypes: list[int]) -> bytes:
    build = Pcapng(order)
    interfaces = [
        build.interface(linktype, options=build.resolution(code, offset=offset))
        for (code, offset), linktype in zip(resolutions, linktypes, strict=True)
    ]
    parts = [build.section(), *interfaces]
    for item in items:
        data, interface = item.data, item.interface
        match item.kind:
            case "simple":
                block = build.simple(data + bytes(-len(data) % 4), wire_length=len(data))
            case "obsolete":
                block = build.obsolete(data, interface=interface, time=item.time_ns)
            case "other":
                block = build.block((4, 5, 0x0BAD)[interface], data + bytes(-len(data) % 4))
            case "interface":
                block = interfaces[interface]
            case "section":
                block = b"".join([build.section(), *interfaces])
            case _:
                options = build.options(*((1, comment) for comment in item.comments))
                time, wire_length = SECONDS * 1_000_000 + item.time_ns // 1000, len(data) + item.extra
                block = build.enhanced(data, interface=interface, time=time, wire_length=wire_length, options=options)
        parts += [block] * item.repeated
    return b"".join(parts)


LINKTYPES: Final = st.sampled_from((1, 1, 1, 101, 113, 0, 147))
PCAPS: Final = st.builds(
    pcap,
    ITEMS,
    ORDERS,
    st.sampled_from((MICROSECONDS, NANOSECONDS, KUZNETZOV)),
    st.sampled_from(((2, 4), (2, 4), (2, 3), (2, 2), (543, 0))),
    st.sampled_from((262_144, 262_144, 61, 0)),
    LINKTYPES,
)
RESOLUTIONS: Final = st.tuples(st.sampled_from((6, 6, 9, 3, 0, 160, 127)), st.sampled_from((0, 0, 1_700_000_000, -3)))
PCAPNGS: Final = st.builds(
    pcapng,
    ITEMS,
    ORDERS,
    st.lists(RESOLUTIONS, min_size=3, max_size=3),
    st.lists(LINKTYPES, min_size=3, max_size=3),
)
SEEDS: Final = st.integers(0, 2**32)
HOSTILE: Final = st.builds(lambda seed: damaged(Random(seed)), SEEDS)

Damage = Callable[[bytes], bytes]
NO_DAMAGE: Final[st.SearchStrategy[Damage]] = st.just(bytes)
DAMAGE: Final[st.SearchStrategy[Damage]] = st.builds(
    lambda change, seed: lambda data: change(Random(seed), data) if len(data) > 24 else data,
    st.sampled_from(DAMAGES),
    SEEDS,
)
COMPRESSIONS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    **{name: compress for name, compress in FRAME_KINDS.items() if compress is not None},
}


def stored(capture: bytes, damage: Damage, compression: str, cut: float, stream_damage: Damage) -> bytes:
    """Return a capture that is damaged, compressed as two members, and damaged again."""
    data, compress = damage(capture), COMPRESSIONS[compression]
    position = int(cut * len(data))
    return stream_damage(compress(data[:position]) + compress(data[position:])) if compression != "none" else data


CAPTURES: Final = st.builds(
    stored,
    PCAPS | PCAPNGS | HOSTILE,
    NO_DAMAGE | DAMAGE,
    st.sampled_from(["none", "none", *COMPRESSIONS]),
    st.floats(0, 1),
    NO_DAMAGE | NO_DAMAGE | DAMAGE,
)

# Work

SOURCES: Final[dict[str, Callable[[Path], Any]]] = {
    "path": lambda path: path,
    "memory": lambda path: BytesIO(path.read_bytes()),
    "pipe": lambda path: Pieces(path.read_bytes()),
}
TIMES: Final = st.sampled_from(
    (
        "+0s",
        "+1ms",
        "+3s",
        "+10s",
        "2026-11-21T00:00:00Z",
        Decimal(SECONDS) + Decimal("5.000001"),
        SECONDS + 20,
        -(2**70),
    )
)
EXPRESSIONS: Final = st.sampled_from((*FILTERS, "ip or ip6", "vlan", "ip and arp", "len > 90 and not udp"))
PERIOD: Final = {"since": TIMES, "until": TIMES}
OPTIONS: Final = {
    **PERIOD,
    "sample": st.sampled_from((1, 2, 3, 50)),
    "seed": st.integers(0, 3),
    "as_socket": st.booleans(),
    "dialect": st.sampled_from((cbpf.PCAP, cbpf.PCAP, cbpf.LINUX)),
}
WRITING: Final = {
    **OPTIONS,
    "snaplen": st.sampled_from((1, 60, 61, 262_144)),
    "container": st.sampled_from(("same", "pcap", "pcapng")),
    "compress": st.sampled_from(("gzip", "xz", *({"zstd", "lz4"} & COMPRESSIONS.keys()))),
}


class Combination(NamedTuple):
    """The function that reads captures, its options, and the sizes of the scanner's windows."""

    captures: list[bytes]
    source: str
    work: str
    expressions: list[str]
    target: str
    options: dict[str, Any]
    sizes: Sizes


def chosen(optional: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def combinations_of(work: str, options: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Combination]:
    return st.builds(
        Combination,
        st.lists(CAPTURES, min_size=1, max_size=1 if work in SINGLE else 3),
        st.sampled_from(sorted(SOURCES)),
        st.just(work),
        st.lists(EXPRESSIONS, min_size=1, max_size=3),
        st.sampled_from(("file", "memory", "none")),
        chosen(options),
        st.builds(Sizes, st.sampled_from((1_000, 4_096, 20_001, 1 << 24)), st.sampled_from((1, 2, 5))),
    )


SINGLE: Final = ("read", "batch", "info")
ROTATIONS: Final = st.builds(
    cbpf.Rotation,
    size=st.sampled_from((1, 500, 3_000, 100_000)),
    files=st.sampled_from((None, None, 2)),
    seconds=st.sampled_from((None, None, 1, 3, 1_000)),
) | st.builds(cbpf.Rotation, seconds=st.sampled_from((1, 3, 1_000)))
ROTATING: Final = {**WRITING, "rotation": ROTATIONS}
COMBINATIONS: Final = st.one_of(
    combinations_of("filter", {**WRITING, "count": st.sampled_from((1, 2, 30)), "invert": st.booleans()}),
    combinations_of("split", WRITING),
    combinations_of("filter", {**ROTATING, "count": st.sampled_from((1, 7, 100)), "invert": st.booleans()}),
    combinations_of("split", ROTATING),
    combinations_of("count", {**OPTIONS, "every": st.sampled_from(("1ms", "1s", "10s"))}),
    combinations_of("read", OPTIONS),
    combinations_of("batch", OPTIONS),
    combinations_of("info", {name: OPTIONS[name] for name in ("since", "until", "sample", "seed")}),
)


@contextmanager
def engine_of(name: str, sizes: Sizes) -> Iterator[None]:
    """Let functions without the parameter *engine* use it, and the scanner small windows."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        shrink(monkeypatch, sizes)
        monkeypatch.setattr(choice, "MIN_NATIVE_SIZE", 0 if name == "llvm" else 1 << 60)
        yield


class Result(NamedTuple):
    """The outputs, and the files of rotated outputs; the result or the packets, the error, and the warnings."""

    outputs: list[bytes | None]
    files: dict[str, bytes]
    returned: Any
    error: str
    warnings: list[str]


def result(combination: Combination, engine: Any, folder: Path) -> Result:
    """Return the result of an engine; files are in a folder of the same name for both."""
    paths = [folder / f"in{index}" for index in range(len(combination.captures))]
    for path, capture in zip(paths, combination.captures, strict=True):
        path.write_bytes(capture)
    sources = [SOURCES[combination.source](path) for path in paths]
    pattern = "" if combination.options.get("rotation") is None else "-%s"  # which a rotation by time requires
    names = [folder / f"out{index}{pattern}" for index in range(len(combination.expressions) + 1)]
    targets_of: dict[str, list[Any]] = {
        "file": names,
        "memory": [BytesIO() for _ in names],
        "none": [None for _ in names],
    }
    targets = targets_of[combination.target]
    returned: list[Any] = []
    error = ""
    with engine_of(engine, combination.sizes), warnings.catch_warnings(record=True) as caught:
        for category in _WARNINGS:
            warnings.simplefilter("always", category)
        try:
            WORK[combination.work](combination, sources, targets, engine, returned)
        except cbpf.CbpfError as raised:
            error = f"{type(raised).__name__}: {raised}"
            returned += [tuple(summary[:4]) for summary in getattr(raised, "summaries", ()) or ()]
    outputs = [_content(target) for target in targets]
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path not in paths}
    for name in files:
        (folder / name).unlink()
    texts = [str(item.message) for item in caught if issubclass(item.category, _WARNINGS)]
    return Result(outputs, files, returned, error, sorted(texts))  # the order depends on the sizes of chunks


_WARNINGS: Final = (cbpf.ExpressionWarning, cbpf.SelectionWarning)


def _content(target: Any) -> bytes | None:
    if isinstance(target, Path):
        return target.read_bytes() if target.exists() else None
    return target.getvalue() if target else None


def _filter(combination: Combination, sources: list[Any], targets: list[Any], engine: Any, returned: list[Any]) -> None:
    text = combination.expressions[0]
    summary = cbpf.filter_capture(sources, targets[0], text, engine=engine, **combination.options)
    returned.append(summary[:4])


def _split(combination: Combination, sources: list[Any], targets: list[Any], engine: Any, returned: list[Any]) -> None:
    routes = list(zip(combination.expressions, targets, strict=False))
    summaries = cbpf.split_capture(sources, routes, rest=targets[-1], engine=engine, **combination.options)
    returned += [summary[:4] for summary in summaries]


def _count(combination: Combination, sources: list[Any], targets: list[Any], engine: Any, returned: list[Any]) -> None:
    counts = cbpf.count_packets(sources, *combination.expressions, engine=engine, **combination.options)
    returned.append(counts)


def _read(combination: Combination, sources: list[Any], targets: list[Any], engine: Any, returned: list[Any]) -> None:
    filter = combination.expressions[0] if len(combination.expressions) > 1 else None
    with cbpf.read_capture(sources[0], filter=filter, engine=engine, **combination.options) as reader:
        for packet in reader:
            returned.append(packet)  # noqa: PERF402  # those before an error


def _batch(combination: Combination, sources: list[Any], targets: list[Any], engine: Any, returned: list[Any]) -> None:
    filter = combination.expressions[0] if len(combination.expressions) > 1 else None
    with cbpf.read_capture(sources[0], filter=filter, engine=engine, **combination.options) as reader:
        batch = reader.packets()
    columns = (batch.positions, batch.lengths, batch.wire_lengths, batch.times_ns, batch.interfaces)
    returned += [bytes(batch.buffer), *(column and column.tolist() for column in columns)]


def _info(combination: Combination, sources: list[Any], targets: list[Any], engine: Any, returned: list[Any]) -> None:
    returned.append(cbpf.capture_info(sources[0], **combination.options))


WORK: Final = {"filter": _filter, "split": _split, "count": _count, "read": _read, "batch": _batch, "info": _info}


def agree(combination: Combination) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        assert result(combination, "llvm", folder) == result(combination, "python", folder)


@given(COMBINATIONS)
@settings(derandomize=True, max_examples=15)
def test_engines_agree_on_combinations(combination: Combination) -> None:
    agree(combination)


@pytest.mark.slow
@given(COMBINATIONS)
@settings(max_examples=500)
def test_engines_agree_on_many_combinations(combination: Combination) -> None:
    agree(combination)


# Rotation

COMPLETE_ROTATIONS: Final = st.builds(
    lambda size: cbpf.Rotation(size=size), st.sampled_from((1, 500, 3_000))
) | st.builds(lambda seconds: cbpf.Rotation(seconds=seconds), st.sampled_from((1, 3, 1_000)))
ROTATED: Final = combinations_of("filter", {**WRITING, "count": st.sampled_from((1, 7, 100)), "invert": st.booleans()})


def written(combination: Combination, target: Path, rotation: cbpf.Rotation | None) -> tuple[Any, list[Any] | None]:
    """Return the counts or the error of a run, and the packets of its files; None after an error other than damage."""
    target.parent.mkdir()
    sources = [BytesIO(capture) for capture in combination.captures]
    with warnings.catch_warnings():
        for category in _WARNINGS:
            warnings.simplefilter("ignore", category)
        try:
            outcome: Any = cbpf.filter_capture(
                sources, target, combination.expressions[0], rotation=rotation, **combination.options
            )[:4]
        except cbpf.DamagedCapture as damage:
            outcome = str(damage)
        except cbpf.CbpfError as error:
            return str(error), None
    files = sorted(target.parent.iterdir(), key=lambda path: int(path.name.removeprefix("f") or 0))
    return outcome, [(*packet[1:4], packet.comments) for path in files for packet in cbpf.read_capture(path)]


@given(ROTATED, COMPLETE_ROTATIONS)
@settings(derandomize=True, max_examples=15)
def test_rotated_files_have_the_packets_of_one_file(combination: Combination, rotation: cbpf.Rotation) -> None:
    name = "f" if rotation.seconds is None else "f%s"
    with TemporaryDirectory() as folder:
        one, several = Path(folder, "one", "f"), Path(folder, "several", name)
        assert written(combination, several, rotation) == written(combination, one, None)
