"""Random samples of packets: equal for every filter, engine and size of chunks, and of about the right size."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import pytest

import cbpf
from support.captures import TRAFFIC, as_pcapng, decoded
from support.command_line import CommandLine
from support.scans import Pieces

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
