"""The results of optimisers for families of long expressions, and for random expressions of several link types."""

from collections.abc import Iterator
from random import Random
from statistics import median
from time import process_time
from typing import Final, Literal

from benchmarks.corpus import random_expression
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting

import cbpf
from support.expression_families import TERMS, expression_of, link_type
from support.wireless_expressions import LINK_TYPES, wireless_expression

_COUNTS: Final = (25, 100, 210, 230, 250, 400)
_MAX_GROWTH: Final = 5
_PROOF_SECONDS: Final = 2


def families(setting: Setting) -> Section:
    """Measure each family of long expressions; the terms are described in `support.expression_families`."""
    rows, growths, longer = [], [], 0
    for family in TERMS:
        for count in map(setting.scaled, _COUNTS):
            plain, libpcap = _compile(family, count, None), _compile(family, count, "libpcap")
            size, seconds = _optimize(plain, setting.rounds(3))
            _, quarter_seconds = _optimize(_compile(family, max(1, count // 4), None), setting.rounds(3))
            growths.append(seconds / quarter_seconds)
            longer += size > len(libpcap)
            rows.append(
                [
                    f"{count:,} x {family}",
                    f"{len(plain):,}",
                    f"{len(libpcap):,}",
                    f"{size:,}",
                    f"{seconds:.2f}",
                    f"{growths[-1]:.1f}",
                ]
            )
    note = (
        "n terms joined by `or`. The last column is the processor time, relative to that for a quarter of the terms."
        " `tests/optimizer/test_families.py` proves shorter expressions of each family."
    )
    goals = [
        at_most("Long families longer than libpcap", 0, longer, "{} expressions"),
        at_most("Time for 4 times the terms, long families, median", _MAX_GROWTH, median(growths), "{:.1f} times"),
    ]
    heading = ["case", "unoptimised", "libpcap", "cbpf, size", "seconds", "growth"]
    return Section("Families of long expressions", heading, rows, note, goals)


def link_types(setting: Setting) -> Section:
    """Measure random expressions of Ethernet and of the link types of IEEE 802.11."""
    rows = []
    count = setting.scaled(100)
    for name in ("EN10MB", *LINK_TYPES):
        libpcap_total = total = longer = undecided = 0
        for plain, libpcap in _random_programs(name, count):
            optimized = cbpf.optimize(plain)
            if _is_equal(plain, optimized) is False:
                raise SystemExit(f"{name}: an optimised program is not equivalent")
            libpcap_total += len(libpcap)
            total += len(optimized)
            if len(optimized) > len(libpcap):
                is_exact = _is_equal(plain, libpcap)
                longer += is_exact is True
                undecided += is_exact is None
        rows.append([name, str(count), f"{libpcap_total:,}", f"{total:,}", str(longer), str(undecided)])
    note = (
        "Longer: cbpf's result is longer than libpcap's, and libpcap's is proved equivalent to its unoptimised code;"
        f" undecided: the proof has no answer within {_PROOF_SECONDS} seconds."
    )
    heading = ["case", "expressions", "libpcap", "cbpf, size", "longer", "longer, undecided"]
    return Section("Random expressions by link type", heading, rows, note, [])


def _compile(family: str, count: int, optimizer: Literal["libpcap"] | None) -> cbpf.Program:
    text = expression_of(family, count)
    return cbpf.compile(text, link_type=link_type(family), optimizer=optimizer, frontend="libpcap")


def _optimize(plain: cbpf.Program, rounds: int) -> tuple[int, float]:
    """Return the number of instructions of the optimised program, and the processor time."""
    times = []
    for _ in range(rounds):
        started = process_time()
        size = len(cbpf.optimize(plain))
        times.append(process_time() - started)
    return size, median(times)


def _random_programs(name: str, count: int) -> Iterator[tuple[cbpf.Program, cbpf.Program]]:
    """Yield libpcap's unoptimised and optimised programs of the first *count* expressions of a seeded stream."""
    attempt = 0
    while count:
        random = Random(f"benchmark {name} {attempt}")
        text = random_expression(random) if name == "EN10MB" else wireless_expression(random)
        attempt += 1
        try:
            plain, libpcap = (
                cbpf.compile(text, link_type=name, optimizer=optimizer, frontend="libpcap")
                for optimizer in (None, "libpcap")
            )
        except cbpf.ExpressionError:  # a primitive that the link type does not have, or that excludes another
            continue
        count -= 1
        yield plain, libpcap


def _is_equal(plain: cbpf.Program, other: cbpf.Program) -> bool | None:
    """Return whether two programs are equivalent; None: undecided."""
    try:
        return cbpf.difference(plain, other, timeout=_PROOF_SECONDS) is None
    except cbpf.Undecided:
        return None
