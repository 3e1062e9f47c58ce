"""Random samples of packets: equal for every filter, engine and size of chunks, and of about the right size."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, get_args

import pytest

import cbpf
from cbpf.capture.sampling import Sample
from support.captures import TRAFFIC, as_pcapng, decoded, encoded
from support.command_line import CommandLine
from support.hostile_captures import blocks_of_all_kinds, damaged, traffic
from support.project import Rounds
from support.real_captures import parameters_of, real_captures
from support.scans import SIZES, Outcome, Pieces, outcome, shrink

RECORDS = decoded(TRAFFIC.read_bytes())


def sampled(source: Any, expression: str = "", **options: Any) -> bytes:
    target = BytesIO()
    cbpf.filter_capture(source, target, expression, **options)
    return target.getvalue()


def numbers(capture: bytes) -> set[int]:
    """Return the positions of packets in the sample capture, whose packets all differ in their times."""
    positions = {record: number for number, record in enumerate(RECORDS)}
    assert len(positions) == len(RECORDS)
    return {positions[record] for record in decoded(capture)}


@pytest.mark.parametrize("engine", get_args(cbpf.EngineName))
def test_every_filter_and_engine_selects_from_the_same_packets(engine: Any) -> None:
    if engine == "llvm":
        pytest.importorskip("llvmlite", reason="needs llvmlite")
    everything = numbers(sampled(TRAFFIC, sample=7))
    tcp = numbers(sampled(TRAFFIC, "tcp", sample=7, engine=engine))
    assert tcp == everything & numbers(sampled(TRAFFIC, "tcp"))
    others = numbers(sampled(TRAFFIC, "tcp", sample=7, engine=engine, invert=True))
    assert others == everything - tcp
    targets = [BytesIO(), BytesIO()]
    cbpf.split_capture(TRAFFIC, {"tcp": targets[0]}, rest=targets[1], sample=7, engine=engine)
    assert [numbers(target.getvalue()) for target in targets] == [tcp, others]


def test_the_sample_depends_on_numbers_and_seed_only() -> None:
    expected = sampled(TRAFFIC, sample=5)
    assert sampled(Pieces(TRAFFIC.read_bytes()), sample=5) == expected
    assert sampled(TRAFFIC, sample=5, seed=0) == expected
    assert sampled(TRAFFIC, sample=5, seed=1) != expected
    assert decoded(sampled(BytesIO(as_pcapng(RECORDS)), sample=5, container="pcap")) == decoded(expected)
    assert decoded(sampled([TRAFFIC, TRAFFIC], sample=5)) == 2 * decoded(expected)
    assert decoded(sampled(TRAFFIC, sample=5, count=20)) == decoded(expected)[:20]
    assert sampled(TRAFFIC, sample=1, seed=9) == TRAFFIC.read_bytes()


def test_samples_have_about_the_size_that_is_stated() -> None:
    sizes = [len(numbers(sampled(TRAFFIC, sample=10, seed=seed))) for seed in range(20)]
    assert len(set(sizes)) > 5
    assert abs(sum(sizes) - 1_810) < 5 * 41  # 41: the standard deviation of 18,100 packets, one in 10


class Results(NamedTuple):
    """The copies and the rest of a sample, its counts, and the numbers of its packets, or the errors of each."""

    split: Outcome
    counts: str
    packets: list[int]
    error: str


def results(make_source: Callable[[], Any], engine: Any, **options: Any) -> Results:
    filters, targets = ("tcp", "greater 200"), [BytesIO() for _ in range(3)]
    copied = outcome(
        lambda: [target.getvalue() for target in targets],
        cbpf.split_capture,
        make_source(),
        zip(filters, targets, strict=False),
        rest=targets[-1],
        engine=engine,
        **options,
    )
    options = {"sample": options["sample"], "seed": options["seed"], "engine": engine}
    counts = str(cbpf.count_packets(make_source(), *filters, every="10s", **options))
    read, error = [], ""
    try:
        for packet in cbpf.read_capture(make_source(), filter="tcp", **options):
            read.append(packet.number)  # noqa: PERF401  # those before the error
    except cbpf.DamagedCapture as damage:
        error = str(damage)
    return Results(copied, counts, read, error)


SOURCES: Final[dict[str, Callable[[Path], Any]]] = {
    "file": lambda path: path,
    "pipe": lambda path: Pieces(path.read_bytes()),
    "compressed": lambda path: BytesIO(gzip.compress(path.read_bytes())),
}
CAPTURES: Final[dict[str, Callable[[Random], bytes]]] = {
    "pcap": lambda random: encoded(traffic(random, 600)),
    "pcapng": lambda random: blocks_of_all_kinds(random, "<") + as_pcapng(traffic(random, 600), ">"),
    "truncated": lambda random: as_pcapng(traffic(random, 600))[:-5],
}


@pytest.mark.parametrize(
    ("name", "source", "container"),
    [
        ("pcap", "file", "same"),
        ("pcapng", "file", "pcapng"),
        ("pcapng", "compressed", "same"),
        ("pcap", "pipe", "pcapng"),
        ("truncated", "pipe", "same"),
    ],
)
def test_machine_code_selects_the_packets_of_python(
    name: str, source: str, container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    random = Random(f"{name} {source}")
    shrink(monkeypatch, random.choice(SIZES))
    path = tmp_path / "in"
    path.write_bytes(CAPTURES[name](random))
    options: dict[str, Any] = {"sample": random.choice((2, 3, 10)), "seed": random.choice((0, 2**64 - 1))}
    native, python = (
        results(lambda: SOURCES[source](path), engine, container=container, **options) for engine in ("llvm", "python")
    )
    assert native == python
    assert 10 < len(python.packets) < 400
    assert bool(python.error) is (name == "truncated")


def test_python_chooses_no_packet_where_machine_code_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    path.write_bytes(encoded(traffic(Random(1), 600)))
    expected = sampled(path, "tcp", sample=3, engine="python")
    monkeypatch.delattr(Sample, "contains")
    assert sampled(path, "tcp", sample=3, engine="llvm") == expected
    with pytest.raises(AttributeError):
        sampled(path, "tcp", sample=3, engine="python")


@pytest.mark.fuzz
def test_engines_agree_on_samples_of_damaged_captures(
    rounds: Rounds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    path = tmp_path / "in"
    for random in rounds(2):
        shrink(monkeypatch, random.choice(SIZES))
        path.write_bytes(damaged(random))
        options: dict[str, Any] = {
            "sample": random.choice((1, 2, 7, 2**32 - 1)),
            "seed": random.randrange(2**64),
            "since": random.choice((None, "+3s")),
            "container": random.choice(("same", "pcap", "pcapng")),
            "snaplen": random.choice((None, 40)),
        }
        native, python = (sampled_outcome(path, engine, **options) for engine in ("llvm", "python"))
        assert native == python


def sampled_outcome(path: Path, engine: Any, **options: Any) -> Outcome:
    targets = [BytesIO(), BytesIO()]
    pairs = [("greater 100", targets[0])]
    options |= {"rest": targets[1], "engine": engine}
    return outcome(lambda: [target.getvalue() for target in targets], cbpf.split_capture, path, pairs, **options)


@pytest.mark.parametrize("path", parameters_of(real_captures("*.pcap*")))
def test_engines_agree_on_samples_of_real_captures(path: Path) -> None:
    pytest.importorskip("llvmlite", reason="needs llvmlite")
    native, python = (sampled_outcome(path, engine, sample=2) for engine in ("llvm", "python"))
    assert native == python


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample": 0}, "filter_capture.sample: 0 is not a number of packets (1..4294967295)"),
        ({"seed": -1}, "filter_capture.seed: -1 is not a seed (0..18446744073709551615)"),
    ],
)
def test_invalid_samples_are_rejected(options: dict[str, int], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as raised:
        cbpf.filter_capture("absent.pcap", None, "", **options)  # type: ignore[arg-type]
    assert str(raised.value) == message


def test_the_command_copies_a_sample(cli: CommandLine, traffic: Path) -> None:
    code, out, _ = cli("filter", "-q", "-r", str(traffic), "--sample", "1/5", "--seed", "3", "udp")
    assert (code, out) == (0, sampled(traffic, "udp", sample=5, seed=3))
    code, _, err = cli("filter", "-r", str(traffic), "--count", "--sample", "0.2")
    assert (code, err.splitlines()[0]) == (
        2,
        "cbpf: --sample: '0.2' is not a share of packets; examples: 1/10, 1/1000 (see cbpf filter --help)",
    )
