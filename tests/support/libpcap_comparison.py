"""Compare the plain code of random expressions with that of libpcap: programs on every packet, and errors.

In the folder `tests`, `python -m support.libpcap_comparison COUNT [SEED]` compares COUNT random expressions, and prints
each expression on which the compilers differ, how many were equal and rejected, and which primitives were compared.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from importlib.util import find_spec
from random import Random
from typing import NamedTuple

import cbpf
from cbpf.expression.address_lists import Expression
from cbpf.expression.front_end import plain_code
from cbpf.expression.libpcap import NETMASK_UNKNOWN, Handle, compiler
from cbpf.expression.names import SYSTEM_NAMES, Lookups
from cbpf.expression.target import Target
from cbpf.isa.instructions import RawInstruction
from support.equal_programs import Code, compare, reads_unwritten_slot
from support.libpcap_differences import difference_of
from support.random_filters import Case, kinds_of_primitives, random_filter

HAS_GENERATOR = find_spec("cbpf.expression.generator") is not None
"""Whether cbpf has a compiler of its own to compare."""


class Result(NamedTuple):
    """The code of an expression, or the reason why a compiler rejects it."""

    code: Code | None
    error: str = ""


class Mismatch(AssertionError):
    """The two compilers differ on an expression."""


def libpcap_result(text: str, handle: Handle, netmask: int) -> Result:
    """Return libpcap's plain code."""
    try:
        return Result(tuple(RawInstruction(*row) for row in compiler()(text, handle, False, netmask)))
    except cbpf.ExpressionError as error:
        return Result(None, str(error))


def our_result(text: str, handle: Handle, netmask: int) -> Result:
    """Return cbpf's plain code."""
    try:
        return Result(plain_code(Expression(text), _target(handle, netmask), Lookups(SYSTEM_NAMES)).instructions)
    except cbpf.ExpressionError as error:
        return Result(None, str(error))


def _target(handle: Handle, netmask: int) -> Target:
    """Return the packets of a handle of libpcap."""
    header = handle.file_header
    order = None if header is None else "little" if header[4] else "big"
    return Target(handle.dlt, handle.snaplen, None if netmask == NETMASK_UNKNOWN else netmask, order)  # type: ignore[arg-type]


def compare_with_libpcap(case: Case) -> str:
    """Return "equal", "rejected", or the reason for leaving an expression out; raise `Mismatch` on a difference."""
    expected, actual = libpcap_result(*case), our_result(*case)
    difference = difference_of(case.text, case.handle)
    if difference is not None:
        return difference
    if expected.code is None or actual.code is None:
        if expected.code is actual.code:
            return "rejected"
        rejecting, message = ("libpcap", expected.error) if expected.code is None else ("cbpf", actual.error)
        raise Mismatch(f"only {rejecting} rejects {case}\n{message}")
    if "protochain" in case.text:
        return "unrolled loop"
    if reads_unwritten_slot(expected.code):
        return "unwritten slot"
    try:
        decision = compare(actual.code, expected.code)
    except cbpf.Undecided as error:
        raise Mismatch(f"undecided: {case}\n{error}") from None
    if decision.counterexample is not None:
        raise Mismatch(f"other verdicts: {case}\n{decision.counterexample}\n\n{cbpf.Program(actual.code)}")
    return "equal"


def main(count: int, seed: str) -> None:
    """Compare a number of random expressions, and print a summary."""
    results: Counter[str] = Counter()
    by_link_type: dict[int, Counter[str]] = defaultdict(Counter)
    primitives: dict[int, set[str]] = defaultdict(set)
    for index in range(count):
        case = random_filter(Random(f"{seed}-{index}"))
        try:
            result = compare_with_libpcap(case)
        except Mismatch as mismatch:
            result = "MISMATCH"
            print(f"{seed}-{index}: {mismatch}\n", flush=True)
        results[result] += 1
        by_link_type[case.handle.dlt][result] += 1
        if result == "equal":
            primitives[case.handle.dlt] |= kinds_of_primitives(case.text)
    for dlt in sorted(by_link_type):
        total, equal = by_link_type[dlt].total(), by_link_type[dlt]["equal"]
        print(f"DLT {dlt:4}: {total:6} expressions, {equal / total:4.0%} equal, {len(primitives[dlt]):4} primitives")
    print(*(f"{name}: {number}" for name, number in results.most_common()), sep=", ")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "comparison")
