"""cbpf explain: show how the optimiser changes the program of an expression, with a proof."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from time import perf_counter

import cbpf

from ..._named_tuple import NamedTuple
from ..._text import counted, number_range
from ..._typing import Any, Final
from ...packet.packet_text import packet_lines
from ...reporting.clause_output import plain_lines
from ..declarations import argument, option, subcommand
from ..failures import UNDECIDED, undecided_message
from ..options import dialect_option, expression_file_option, flow_of, goal_option, link_type_option, read_expression
from ..proof_options import timeout_option
from ..streams import echo
from ..values import EXPRESSION, FILE

_MAX_CLAUSE: Final = 24  # characters beside an instruction
_GAP: Final = "   "
_INDENT: Final = " " * 13
_LONGEST_PACKET: Final = 262_144  # bytes; libpcap's maximum snapshot length


@subcommand("explain", "Show how an expression is optimised, with a proof.")
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@link_type_option
@expression_file_option
@dialect_option
@goal_option
@timeout_option
@option("-w", "target", kind=FILE, help="Write the packet whose verdict libpcap's optimiser changes as a capture.")
def command(
    expression: tuple[str, ...],
    link_type: str,
    expression_file: str | None,
    dialect: cbpf.Dialect,
    goal: Any,
    timeout: float,
    target: str | None,
) -> int:
    """Show the plain program of a filter expression with its clauses, and the program as optimised by cbpf.

    Instructions of optimised programs belong to no clause, because one test may serve several clauses.

    Also show the size of the program after each pass, the proof that both programs are equivalent, and whether
    libpcap's own optimiser preserves all verdicts, with a counterexample if it does not. The proofs require the extra
    smt (pip install 'cbpf[smt]').

    Exit code: 0 success, 2 error, 3 one of the proofs has no answer within the time limit.

    \b
      cbpf explain tcp port 80
    """
    text = read_expression(expression, expression_file)
    mapped = cbpf.source_map(text, link_type=link_type)
    plain = mapped.program
    optimized = cbpf.optimize(plain, dialect=dialect, goal=goal)
    for line in _listings(mapped, optimized, dialect):
        echo(line)
    echo()
    for line in _pass_lines(plain, dialect, goal):
        echo(line)
    echo()
    proof = _compare(plain, optimized, dialect, timeout)
    echo(f"proof        {proof.answer}")
    is_decided = proof.is_decided
    try:
        libpcap_program = cbpf.compile(text, link_type=link_type, optimizer="libpcap", frontend="libpcap")
    except (cbpf.MissingLibrary, cbpf.ExpressionError) as error:  # libpcap 1.10 does not have all primitives
        echo(f"libpcap -O   not compared: {error}")
    else:
        is_decided &= _compare_with_libpcap(plain, libpcap_program, dialect, timeout, target, link_type)
    return 0 if is_decided else UNDECIDED


def _compare_with_libpcap(
    plain: cbpf.Program,
    libpcap: cbpf.Program,
    dialect: cbpf.Dialect,
    timeout: float,
    target: str | None,
    link_type: str,
) -> bool:
    """Show whether libpcap's optimised program has the same verdicts, and return whether that is decided."""
    comparison = _compare(plain, libpcap, dialect, timeout)
    echo(f"libpcap -O   {counted(len(libpcap), 'instruction')}, {comparison.answer}")
    difference = comparison.difference
    if difference is not None:
        _print_difference(difference, dialect)
        if target is None:
            echo(f"{_INDENT}(-w FILE writes this packet; compare tcpdump -r FILE with and without -O)")
        else:
            cbpf.write_capture(target, [(difference.packet, difference.wire_length)], link_type=link_type)
    return comparison.is_decided


def _listings(mapped: cbpf.SourceMap, optimized: cbpf.Program, dialect: cbpf.Dialect) -> Iterator[str]:
    """Yield the two listings side by side, below their sizes and path lengths; the plain one with its clauses."""
    headings = [
        f"{name}: {counted(len(program), 'instruction')}, path length {number_range(flow.shortest, flow.longest)}"
        for name, program in (("plain", mapped.program), ("optimised", optimized))
        for flow in [flow_of(program, dialect)]
    ]
    listings = [
        list(plain_lines(mapped, _MAX_CLAUSE)),
        cbpf.listing(optimized, dialect=dialect).expandtabs(8).split("\n"),
    ]
    width = max(map(len, (headings[0], *listings[0])))
    yield f"{headings[0]:{width}}{_GAP}{headings[1]}"
    for left, right in zip_longest(*listings, fillvalue=""):
        yield f"{left:{width}}{_GAP}{right}".rstrip()


def _pass_lines(plain: cbpf.Program, dialect: cbpf.Dialect, goal: Any) -> Iterator[str]:
    """Yield the size that the program has after each pass, with the change."""
    yield f"{len(plain):6,}       plain code"
    before = len(plain)
    for stage in cbpf.optimization_stages(plain, dialect=dialect, goal=goal):
        change = len(stage.program) - before
        yield f"{len(stage.program):6,} {f'{change:+,}' if change else '':>5} {stage.name}"
        before = len(stage.program)


class _Comparison(NamedTuple):
    """Whether another program is equivalent to the plain one, in words, and a counterexample if it is not."""

    answer: str
    difference: cbpf.Difference | None = None
    is_decided: bool = True


def _compare(plain: cbpf.Program, other: cbpf.Program, dialect: cbpf.Dialect, timeout: float) -> _Comparison:
    started = perf_counter()
    try:
        difference = cbpf.difference(plain, other, dialect=dialect, longest=_LONGEST_PACKET, timeout=timeout)
    except cbpf.MissingLibrary as error:
        return _Comparison(f"not attempted: {error}")
    except cbpf.Undecided as error:
        return _Comparison(undecided_message(error), is_decided=False)
    duration = f"({(perf_counter() - started) * 1e3:.1f} ms)"
    if difference is None:
        return _Comparison(f"identical verdicts on all packets {duration}")
    return _Comparison(f"different verdicts on some packets {duration}", difference)


def _print_difference(difference: cbpf.Difference, dialect: cbpf.Dialect) -> None:
    verdicts = (difference.left_verdict, difference.right_verdict)
    plain, libpcap = (cbpf.describe_verdict(verdict, dialect=dialect) for verdict in verdicts)
    echo(f"{_INDENT}plain code {plain}, libpcap's optimised code {libpcap}")
    for line in packet_lines(difference.packet, difference.wire_length, difference.metadata, dialect):
        echo(f"{_INDENT}{line}")
