"""cbpf diff: whether two programs agree on every packet, and a packet if they do not."""

from __future__ import annotations

from typing import Any, Final

import click

import cbpf

from ..options import dialect_option, display_name, link_type_option, read_program
from ..packet_output import changed_metadata, describe_verdict, packet_lines, question_options
from ..trace_diff import WIDTH, columns

_DIFFERENT: Final = 1
_LONGEST_NAME: Final = 90

# What is proved, and what is refuted, by relation and what counts of a verdict.
_YES: Final = {
    ("equal", "exact"): "equal: both give the same verdict on",
    ("equal", "keep"): "equal: both keep the same among",
    ("implies", "exact"): "implied: right gives the verdict of left where left keeps, on",
    ("implies", "keep"): "implied: right keeps what left keeps, of",
}
_NO: Final = {"equal": "different", "implies": "not implied"}


@click.command("diff", short_help="Whether two programs agree on every packet, by proof.")
@click.argument("paths", nargs=-1, metavar="[LEFT] [RIGHT]")
@click.option(
    "-e",
    "expressions",
    metavar="EXPRESSION",
    multiple=True,
    help="A filter expression in place of a program; programs of files come first.",
)
@link_type_option
@dialect_option
@click.option(
    "--relation",
    type=click.Choice(["equal", "implies"]),
    default="equal",
    show_default=True,
    help="implies: right keeps all that left keeps.",
)
@click.option(
    "--verdicts",
    type=click.Choice(["exact", "keep"]),
    help="What counts of a verdict: all of it (as equal has it by default), or whether it keeps (as implies).",
)
@question_options
@click.option("-w", "target", metavar="FILE", help="Write the packet on which they differ as a capture.")
@click.pass_context
def command(
    context: click.Context,
    /,
    paths: tuple[str, ...],
    expressions: tuple[str, ...],
    link_type: str,
    dialect: cbpf.Dialect,
    relation: Any,
    verdicts: Any,
    target: str | None,
    **limits: Any,
) -> None:
    """Prove that two programs agree on every packet, or show one on which they do not.

    LEFT and RIGHT are programs in any notation, or expressions by -e: `cbpf diff -e 'tcp port 80' -e tcp`,
    `cbpf diff old.c -e 'tcp port 443'`.

    Exit code: 0 equal (implied), 1 different, 2 error, 3 undecided within the time.
    """
    if len(paths) + len(expressions) != 2:
        raise click.UsageError(f"two programs are compared, not {len(paths) + len(expressions)}")
    names = [*map(display_name, paths), *(f"-e {expression!r}" for expression in expressions)]
    compiled = (cbpf.compile(expression, link_type=link_type) for expression in expressions)
    programs = [*map(read_program, paths), *compiled]
    left, right = (_machine(*pair, dialect) for pair in zip(names, programs, strict=True))
    verdicts = verdicts or ("exact" if relation == "equal" else "keep")
    found = cbpf.difference(
        left.program, right.program, dialect=dialect, relation=relation, verdicts=verdicts, **limits
    )
    if found is None:
        click.echo(f"{_YES[relation, verdicts]} every {_range(dialect, **limits)}")
        return
    if target is not None:
        _write(target, found, link_type)
    _show(_NO[relation], names, left, right, found)
    context.exit(_DIFFERENT)


def _machine(name: str, program: cbpf.Program, dialect: cbpf.Dialect) -> cbpf.VM:
    found = cbpf.findings(program, dialect=dialect)
    if found:
        named = (finding.replace(fact=f"of {_brief(name)}: {finding.fact}") for finding in found)
        raise cbpf.VerificationError(named)
    return cbpf.VM(program, dialect=dialect, engine="interpreter")


def _range(dialect: cbpf.Dialect, shortest: int, longest: int, timeout: float) -> str:
    return "system call" if dialect.record_size is not None else f"packet of {shortest} to {longest} bytes"


def _show(answer: str, names: list[str], left: cbpf.VM, right: cbpf.VM, found: cbpf.Difference) -> None:
    verdicts = (found.left_verdict, found.right_verdict)
    one, other = (describe_verdict(verdict, left.dialect) for verdict in verdicts)
    click.echo(f"{answer}: left {one}, right {other}")
    for side, name, machine in zip(("left", "right"), names, (left, right), strict=True):
        click.echo(f"  {side + ':':6} {_brief(name)}, {len(machine.program)} instructions")
    click.echo()
    for line in packet_lines(found.packet, found.wire_length, found.metadata, left.dialect):
        click.echo(line)
    click.echo()
    click.echo(f"{'left':{WIDTH}}   right")
    for line in columns(left, right, found):
        click.echo(line)


def _brief(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 3]}..."


def _write(target: str, found: cbpf.Difference, link_type: str) -> None:
    cbpf.write_capture(target, [(found.packet, found.wire_length)], link_type=link_type)
    known = changed_metadata(found.metadata)
    if known:
        click.echo(f"cbpf: warning: a capture does not hold the metadata: {known}", err=True)
