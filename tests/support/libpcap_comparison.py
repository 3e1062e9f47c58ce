"""Compare the plain code of random expressions with that of libpcap: programs on every packet, and errors.

In the folder `tests`, `python -m support.libpcap_comparison COUNT [SEED]` compares COUNT random expressions, and prints
each expression on which the compilers differ, how many were equal and rejected, and which primitives were compared.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from random import Random
from typing import NamedTuple

import cbpf
from cbpf.expression.generator.assembler import assemble
from cbpf.expression.generator.generate import generate
from cbpf.expression.libpcap import NETMASK_UNKNOWN, Handle, compiler
from cbpf.expression.names import SYSTEM_NAMES, Lookups, Resolver
from cbpf.expression.parser import parse
from cbpf.expression.primitives import SyntaxProblem
from cbpf.expression.problems import ExpressionProblems
from cbpf.expression.target import Target
from cbpf.isa.raw_instruction import RawInstruction
from support.equal_programs import Code, compare, step_that_shows_equality
from support.libpcap_differences import difference_of
from support.random_filters import Case, kinds_of_primitives, random_filter


class Problem(NamedTuple):
    """An error of an expression: its kind, and its offset in the text."""

    kind: str
    offset: int


class Result(NamedTuple):
    """The code of an expression, or the reason why a compiler rejects it; cbpf reports each problem."""

    code: Code | None
    error: str = ""
    problems: tuple[Problem, ...] = ()


class Mismatch(AssertionError):
    """The two compilers differ on an expression."""


def libpcap_result(text: str, handle: Handle, netmask: int) -> Result:
    """Return libpcap's plain code."""
    try:
        return Result(tuple(RawInstruction(*row) for row in compiler()(text, handle, False, netmask)))
    except cbpf.ExpressionError as error:
        return Result(None, str(error))


def our_result(text: str, handle: Handle, netmask: int, *, names: Resolver | None = SYSTEM_NAMES) -> Result:
    """Return cbpf's plain code."""
    try:
        generated = generate(parse(text), _target(handle, netmask), Lookups(names))
    except SyntaxProblem as problem:
        kind = "syntax" if problem.found.kind != "invalid" else "number"
        return Result(None, str(problem), (Problem(kind, problem.found.start),))
    except ExpressionProblems as error:
        problems = tuple(Problem(problem.kind, problem.span.start) for problem in error.problems)
        return Result(None, "; ".join(f"{problem.kind}: {problem.fact}" for problem in error.problems), problems)
    assembly = assemble(generated.condition, handle.snaplen)
    return Result(assembly.instructions)


def _target(handle: Handle, netmask: int) -> Target:
    target = Target(handle.dlt, handle.snaplen, None if netmask == NETMASK_UNKNOWN else netmask)
    if handle.file_header is None:
        return target
    return target._replace(file_order="little" if handle.file_header[4] else "big")


def compare_with_libpcap(case: Case) -> str:
    """Return "equal", "rejected", or the name of a difference; raise `Mismatch` if there is another one."""
    reason = difference_of(case.text, case.handle)
    if reason is None:
        return check_equal(case)
    expected, actual = libpcap_result(*case), our_result(*case)
    if expected.code is None or actual.code is None:
        return "rejected" if expected.code is actual.code else reason
    _check(actual.code, case)
    is_loop = reason == "protochain"
    return reason if is_loop or not step_that_shows_equality(actual.code, expected.code) else "equal"


def check_equal(case: Case) -> str:
    """Return "equal" or "rejected"; raise `Mismatch` on any difference."""
    expected, actual = libpcap_result(*case), our_result(*case)
    if expected.code is None or actual.code is None:
        if expected.code is actual.code:
            return "rejected"
        rejecting, message = ("libpcap", expected.error) if expected.code is None else ("cbpf", actual.error)
        raise Mismatch(f"only {rejecting} rejects {case}\n{message}")
    _check(actual.code, case)
    try:
        counterexample = compare(actual.code, expected.code).counterexample
    except cbpf.Undecided as error:
        raise Mismatch(f"undecided: {case}\n{error}") from None
    if counterexample is None:
        return "equal"
    raise Mismatch(f"other verdicts: {case}\n{_described(counterexample)}\n\n{cbpf.Program(actual.code)}")


def _check(code: Code, case: Case) -> None:
    """Raise `Mismatch` if a field of an instruction is too large, or if libpcap would reject the program."""
    try:
        cbpf.verify(RawInstruction(*fields) for fields in code)
    except (cbpf.FieldError, cbpf.VerificationError) as error:
        raise Mismatch(f"invalid program: {case}\n{error}") from None


def _described(counterexample: cbpf.Difference) -> str:
    """Return a counterexample in one line; of a long packet, only its end is interesting."""
    packet, verdicts = counterexample.packet, (counterexample.left_verdict, counterexample.right_verdict)
    return f"verdicts {verdicts} on a packet of {len(packet)} bytes that ends with {packet[-80:].hex()}"


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
        except Exception as error:
            error.add_note(f"{seed}-{index}: {case}")
            raise
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
