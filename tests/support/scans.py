"""Filter runs of both engines, compared; windows of the scanner are small, so that small captures have many of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from io import BytesIO
from random import Random
from typing import Any, Final, NamedTuple

import pytest

import cbpf
from cbpf.capture import input_buffer, read_ahead
from cbpf.capture.native import run, scanner

FILTERS: Final = ("tcp", "", "arp or udp port 53", "greater 200", "less 1", "ether[0] & 1 = 0 and not tcp")


class Outcome(NamedTuple):
    """The outputs of a filter run, the counts of its summaries (without the duration), and its error."""

    outputs: tuple[bytes | None, ...]
    counts: list[tuple[int, ...]]
    error: str


def outcome(
    outputs: Callable[[], list[bytes | None]], work: Callable[..., Any], *arguments: Any, **options: Any
) -> Outcome:
    """Return the outcome of calling *work*, including an error; *outputs* returns the outputs afterwards."""
    summaries: tuple[cbpf.Summary, ...] = ()
    error = ""
    try:
        done = work(*arguments, **options)
        summaries = (done,) if isinstance(done, cbpf.Summary) else tuple(done)
    except cbpf.CbpfError as raised:
        error = f"{type(raised).__name__}: {raised}"
        summaries = getattr(raised, "summaries", ()) or ()
    return Outcome(tuple(outputs()), [summary[:4] for summary in summaries], error)


@cache
def machine(expression: str, engine: Any) -> cbpf.VM:
    return cbpf.VM(cbpf.compile(expression), engine=engine)


class Pieces(BytesIO):
    """A stream that delivers its bytes in small pieces of different sizes."""

    def read1(self, size: int | None = -1, /) -> bytes:
        random = Random(self.tell())
        return super().read1(min(size or -1, random.choice((1, 20, 700, 5_000, 70_000))))


class Sizes(NamedTuple):
    """The size of windows in bytes, and the number of processors."""

    window: int
    processors: int


SIZES: Final = (Sizes(4_096, 5), Sizes(20_001, 1), Sizes(65_536, 2))


def shrink(monkeypatch: pytest.MonkeyPatch, sizes: Sizes) -> None:
    """Set the size of all windows and the number of processors; the thread that reads ahead starts at once."""
    for name in ("WINDOW_SIZE", "_READ_WINDOW_SIZE", "_FIRST_WINDOW_SIZE", "_MAX_SINGLE_WINDOW_SIZE"):
        monkeypatch.setattr(scanner, name, sizes.window)
    monkeypatch.setattr(read_ahead, "WINDOW_SIZE", sizes.window)
    monkeypatch.setattr(read_ahead, "FREE_SIZE", sizes.window // 4)
    monkeypatch.setattr(input_buffer, "_READ_AHEAD_FROM", 0)
    monkeypatch.setattr(run, "_MIN_LANES_SIZE", 2_000)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(sizes.processors)))
