"""cbpf cases: test packets for a program."""

from __future__ import annotations

from typing import Any

import click

import cbpf

from ..options import dialect_option, expression_option, link_type_option, program_or_expression
from ..packet_output import changed_metadata, format_bytes, question_options


@click.command("cases", short_help="Test packets that go everywhere in a program.")
@click.argument("program", required=False)
@expression_option
@link_type_option
@dialect_option
@question_options
@click.option("-w", "target", metavar="FILE", help="Write the packets as a capture, in place of the list.")
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    dialect: cbpf.Dialect,
    target: str | None,
    **limits: Any,
) -> None:
    """Make packets that reach every instruction of PROGRAM, both sides of every branch, and the ends of all loads.

    Each is shown with its verdict and what it is there for, by the numbers of `cbpf disasm`: an instruction runs, a
    test is true or false, a load just fits into the packet or lacks a byte. `cbpf run PROGRAM cases.pcap` shows the
    verdicts on a capture that was written.
    """
    loaded = program_or_expression(program, expression, link_type)
    found = cbpf.cases(loaded, dialect=dialect, **limits)
    if target is not None:
        cbpf.write_capture(target, [(case.packet, case.wire_length) for case in found], link_type=link_type)
        _warn(found)
        return
    for number, case in enumerate(found, 1):
        click.echo(f"{number}: {_lengths(case)}, verdict {case.verdict}: {', '.join(case.reasons)}")
        click.echo(f"    {format_bytes(case.packet)}")
        known = changed_metadata(case.metadata)
        if known:
            click.echo(f"    metadata: {known}")


def _lengths(case: cbpf.Case) -> str:
    captured = len(case.packet)
    return f"{captured} bytes" if captured == case.wire_length else f"{captured} of {case.wire_length} bytes"


def _warn(found: tuple[cbpf.Case, ...]) -> None:
    count = sum(1 for case in found if changed_metadata(case.metadata))
    if count:
        click.echo(f"cbpf: warning: a capture does not hold the metadata of {count} packets", err=True)
