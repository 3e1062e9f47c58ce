"""Random captures in random compressed streams, some of them corrupt, in random pieces."""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, BinaryIO, Final, cast

import pytest

import cbpf
from cbpf.capture.input import Input
from support.captures import as_pcapng, encoded
from support.compressed import FRAME_KINDS, Pieces, content, gzip_member, skippable
from support.hostile_captures import DAMAGES, TRAFFIC_RECORDS, blocks_of_all_kinds, damaged
from support.project import Rounds
from support.scans import FILTERS, Sizes, machine, outcome, shrink

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")

MakeMember = Callable[[bytes], bytes]
INPUT_SIZE: Final = 1 << 14  # bytes of compressed input that may be lost before a corruption


def members(random: Random) -> list[MakeMember]:
    """Return the functions that make members of one family."""
    frames = [make for make in FRAME_KINDS.values() if make is not None]
    families: list[list[MakeMember]] = [
        [lambda data: gzip_member(data, random.randrange(32))],
        [partial(lzma.compress, preset=1)],
        [partial(bz2.compress, compresslevel=1)],
    ]
    return random.choice([*families, *([frames] * 3 if frames else [])])


def compressed(random: Random, data: bytes) -> bytes:
    """Return a stream of several members, with skippable frames where these are valid."""
    makers = members(random)
    is_framed = makers[0] in FRAME_KINDS.values()
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.choice((0, 0, 1, 3))))
    stream = b""
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        if is_framed and random.random() < 0.4:
            stream += skippable(random.randrange(16), random.choice((0, 3, 12, 40_000)))
        stream += random.choice(makers)(data[start:end])
    return stream


def corrupted(random: Random, stream: bytes) -> tuple[bytes, int]:
    """Return a changed stream, and the position of the first byte that differs."""
    changed = random.choice(DAMAGES)(random, stream.ljust(100, b"\0"))[: len(stream) + 5_000]
    position = next((index for index, pair in enumerate(zip(stream, changed)) if pair[0] != pair[1]), None)  # noqa: B905
    return changed, min(len(stream), len(changed)) if position is None else position


def in_pieces(random: Random, stream: bytes) -> list[bytes]:
    size = (
        random.choice((1, 2, 7, 100, 5_000, 1 << 20)) if len(stream) < 3_000 else random.choice((301, 5_000, 1 << 20))
    )
    pieces, start = [], 0
    while start < len(stream):
        end = start + random.randint(1, 2 * size)
        pieces.append(stream[start:end])
        start = end
    return pieces


def read_out(pieces: list[bytes]) -> tuple[bytes, bool]:
    """Return all content before the end or the first error, and whether there was one."""
    parts = []
    try:
        source = Input(cast(BinaryIO, Pieces(pieces)))
        while data := source.read1(1 << 20):
            parts.append(data)
    except cbpf.CaptureError:
        return b"".join(parts), True
    return b"".join(parts), False


@pytest.mark.fuzz
def test_random_pieces_do_not_change_the_content(rounds: Rounds) -> None:
    for random in rounds(120, min_checked=1):
        data = random.randbytes(random.choice((0, 1, 500, 40_000))) + bytes(random.choice((0, 9, 300_000)))
        stream = compressed(random, data)
        if len(stream) >= 10:  # the shortest capture in a stream has more
            assert content(in_pieces(random, stream)) == data
        rounds.checked()


@pytest.mark.fuzz
def test_the_content_before_a_corruption_is_delivered(rounds: Rounds) -> None:
    """Whatever the pieces, only errors of cbpf are raised, and at most 16 KiB of the input are lost."""
    for random in rounds(120, min_checked=0.9):
        data = encoded(random.sample(TRAFFIC_RECORDS, random.choice((3, 100, 400))))
        stream, position = corrupted(random, compressed(random, data))
        results = [read_out(in_pieces(random, stream)) for _ in range(3)]
        shortest, longest = (choose((output for output, _ in results), key=len) for choose in (min, max))
        assert longest.startswith(shortest)
        assert len({is_error for _, is_error in results}) == 1
        before, _ = read_out([stream[: max(0, position - INPUT_SIZE)]])
        assert shortest.startswith(before)
        if position > 10:
            rounds.checked()


def random_capture(random: Random) -> bytes:
    """Return a capture, possibly damaged, often a pcapng with several sections."""
    if random.random() < 0.6:
        return damaged(random)
    sections = [blocks_of_all_kinds(random, random.choice("<>")) for _ in range(2)]
    records = random.sample(TRAFFIC_RECORDS, 200)
    capture = b"".join(random.sample([*sections, as_pcapng(records), as_pcapng(records, ">")], 3))
    return random.choice(DAMAGES)(random, capture) if random.random() < 0.5 else capture


@pytest.mark.fuzz
def test_engines_agree_on_random_compressed_captures(rounds: Rounds, tmp_path: Path) -> None:
    path = tmp_path / "in"
    for random in rounds(80, min_checked=1):
        stream = random_capture(random)
        if random.random() < 0.7:
            stream = compressed(random, stream)
            if random.random() < 0.5:
                stream, _ = corrupted(random, stream)
        path.write_bytes(stream)
        pieces = in_pieces(random, stream)
        expression, is_file = random.choice(FILTERS), random.random() < 0.5
        results = []
        with pytest.MonkeyPatch.context() as patch:
            shrink(patch, Sizes(random.choice((4_096, 20_001, 65_536)), random.choice((1, 2, 5))))
            names: tuple[Any, ...] = ("python", "llvm")
            for engine in names:
                target = BytesIO()
                source: Any = path if is_file else Pieces(pieces)
                outputs = partial(lambda target: [target.getvalue()], target)
                results.append(outcome(outputs, cbpf.filter_capture, source, target, machine(expression, engine)))
        assert results[0] == results[1]
        rounds.checked()
