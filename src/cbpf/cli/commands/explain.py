"""cbpf explain: what the optimiser made of an expression, step by step, with a proof."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from time import perf_counter
from typing import Any

import click

import cbpf

from ..options import dialect_option, expression_file_option, flow_of, goal_option, link_type_option, read_expression
from ..packet_output import describe_verdict, packet_lines

_GAP = "   "


@click.command("explain", short_help="What the optimiser made of an expression, with a proof.")
@click.argument("expression", nargs=-1)
@link_type_option
@expression_file_option
@dialect_option
@goal_option
@click.option("--timeout", metavar="SECONDS", type=float, default=30, show_default=True, help="For each proof.")
@click.option("-w", "target", metavar="FILE", help="Write the packet on which libpcap's optimiser errs as a capture.")
def command(
    expression: tuple[str, ...],
    link_type: str,
    expression_file: str | None,
    dialect: cbpf.Dialect,
    goal: Any,
    timeout: float,
    target: str | None,
) -> None:
    """Show a filter expression's program as libpcap writes it, and as it is optimised here.

    Below: what each pass did, the proof that both are equal, and what libpcap's own optimiser makes of it: if that
    keeps other packets, one of them. The proofs need the extra smt.
    """
    text = read_expression(expression, expression_file)
    plain = cbpf.compile(text, link_type=link_type, optimizer=None)
    found = cbpf.optimize(plain, dialect=dialect, goal=goal)
    for line in _side_by_side(plain, found, dialect):
        click.echo(line)
    click.echo()
    for line in _passes(plain, dialect, goal):
        click.echo(line)
    click.echo()
    click.echo(f"proof        {_proof(plain, found, dialect, timeout)[0]}")
    own = cbpf.compile(text, link_type=link_type, optimizer="libpcap")
    answer, difference = _proof(plain, own, dialect, timeout)
    click.echo(f"libpcap -O   {len(own)} instructions, {answer}")
    if difference is not None:
        _show(difference, dialect)
        if target is None:
            click.echo("             (-w FILE writes it, for tcpdump -r FILE with and without -O)")
        else:
            cbpf.write_capture(target, [(difference.packet, difference.wire_length)], link_type=link_type)


def _side_by_side(plain: cbpf.Program, found: cbpf.Program, dialect: cbpf.Dialect) -> Iterator[str]:
    """The two listings, with their sizes and paths above."""
    heads = [
        f"{name}: {len(one)} instructions, {_span(flow.shortest, flow.longest)} of them run"
        for name, one in (("plain", plain), ("optimised", found))
        for flow in [flow_of(one, dialect)]
    ]
    listings = [cbpf.listing(one).expandtabs(8).splitlines() for one in (plain, found)]
    width = max(map(len, (heads[0], *listings[0])))
    yield f"{heads[0]:{width}}{_GAP}{heads[1]}"
    for left, right in zip_longest(*listings, fillvalue=""):
        yield f"{left:{width}}{_GAP}{right}".rstrip()


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low} to {high}"


def _passes(plain: cbpf.Program, dialect: cbpf.Dialect, goal: Any) -> Iterator[str]:
    """How long the program would be after each pass."""
    yield f"{len(plain):6,}       as libpcap writes it"
    before = len(plain)
    for stage in cbpf.optimization_stages(plain, dialect=dialect, goal=goal):
        change = len(stage.program) - before
        yield f"{len(stage.program):6,} {f'{change:+,}' if change else '':>5} {stage.name}"
        before = len(stage.program)


def _proof(
    plain: cbpf.Program, other: cbpf.Program, dialect: cbpf.Dialect, timeout: float
) -> tuple[str, cbpf.Difference | None]:
    """Whether another program is equal to the plain one, in words; and where not."""
    started = perf_counter()
    try:
        difference = cbpf.difference(plain, other, dialect=dialect, longest=262_144, timeout=timeout)
    except cbpf.MissingLibrary as error:
        return f"not tried: {error}", None
    except cbpf.Undecided as error:
        return f"undecided: {error}", None
    took = f"({(perf_counter() - started) * 1e3:.1f} ms)"
    if difference is None:
        return f"the same verdict on every packet {took}", None
    return f"another verdict on some packets {took}", difference


def _show(difference: cbpf.Difference, dialect: cbpf.Dialect) -> None:
    plain, own = (describe_verdict(one, dialect) for one in (difference.left_verdict, difference.right_verdict))
    click.echo(f"             plain code {plain}, libpcap's optimised code {own}")
    for line in packet_lines(difference.packet, difference.wire_length, difference.metadata, dialect):
        click.echo(f"             {line}")
