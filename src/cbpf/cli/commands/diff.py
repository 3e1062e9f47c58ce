"""cbpf diff: prove two programs equal on every packet, or find a counterexample."""

from __future__ import annotations

import cbpf

from ..._text import counted
from ..._typing import Any, Final
from ...packet.packet_text import changed_metadata
from ...reporting.documents import ANSWERS, diff_document
from ...reporting.trace_diff import COLUMN_WIDTH, side_by_side
from ..declarations import argument, option, subcommand
from ..failures import CommandError, UsageError, abridged
from ..options import dialect_option, display_name, json_option, link_type_option, read_program
from ..proof_options import proof_options
from ..streams import echo, echo_json
from ..values import EXPRESSION, FILE, Choice

_DIFFERENT: Final = 1
_MAX_NAME_LENGTH: Final = 90

_PROVED: Final = {
    ("equal", "exact"): "equal: both give the same verdict on every {packet}",
    ("equal", "accept"): "equal: both accept or both reject every {packet}",
    ("implies", "exact"): "implied: right gives the same verdict on every {packet} that left accepts",
    ("implies", "accept"): "implied: right accepts every {packet} that left accepts",
}
"""The answer if the proof succeeds, by the relation and the compared part of the verdict."""


@subcommand("diff", "Prove two programs equal, or find a counterexample.")
@argument("paths", required=False, multiple=True, metavar="[LEFT] [RIGHT]", kind=FILE)
@option(
    "-e",
    "expressions",
    kind=EXPRESSION,
    multiple=True,
    help="Compare the program of a filter expression; may be given twice. With one file, the file is LEFT.",
)
@link_type_option
@dialect_option
@option(
    "--relation",
    kind=Choice(("equal", "implies")),
    default="equal",
    shows_default=True,
    help="Relation to prove. equal: both programs agree; implies: RIGHT accepts every packet that LEFT accepts.",
)
@option(
    "--verdicts",
    kind=Choice(("exact", "accept")),
    help="Compare exact verdicts (the default for equal), or only whether a packet is accepted (accept, the default "
    "for implies).",
)
@proof_options
@option("-w", "target", kind=FILE, help="Write the counterexample as a capture.")
@json_option
def command(
    paths: tuple[str, ...],
    expressions: tuple[str, ...],
    link_type: str,
    dialect: cbpf.Dialect,
    relation: Any,
    verdicts: Any,
    target: str | None,
    as_json: bool,
    **limits: Any,
) -> int:
    """Prove that two programs agree on every packet, or show a packet on which they differ, with both traces.

    LEFT and RIGHT are programs in any format, or expressions given by -e.

    Exit code: 0 equal (implied), 1 different (not implied), 2 error, 3 undecided within the time limit.

    \b
      cbpf diff -e 'tcp port 80' -e tcp
      cbpf diff old.c -e 'tcp port 443'
      cbpf diff --relation implies -e 'tcp port 80' -e tcp
    """
    if len(paths) + len(expressions) != 2:
        raise UsageError(f"expected two programs, got {len(paths) + len(expressions)}")
    names = [*map(display_name, paths), *(f"-e {expression!r}" for expression in expressions)]
    compiled = (cbpf.compile(expression, link_type=link_type) for expression in expressions)
    programs = [*map(read_program, paths), *compiled]
    left, right = (_vm(*pair, dialect) for pair in zip(names, programs, strict=True))
    verdicts = verdicts or ("exact" if relation == "equal" else "accept")
    difference = cbpf.difference(
        left.program, right.program, dialect=dialect, relation=relation, verdicts=verdicts, **limits
    )
    if difference is not None and target is not None:
        _write_packet(target, difference, link_type)
    if as_json:
        vms = (left, right)
        echo_json(_document(names, vms, difference, relation=relation, verdicts=verdicts, **limits))
    elif difference is None:
        echo(_PROVED[relation, verdicts].format(packet=_scope(dialect, **limits)))
    else:
        _print_difference(ANSWERS[relation, False], names, left, right, difference)
    return 0 if difference is None else _DIFFERENT


def _vm(name: str, program: cbpf.Program, dialect: cbpf.Dialect) -> cbpf.VM:
    findings = cbpf.findings(program, dialect=dialect)
    if findings:
        raise CommandError("\n".join(abridged(findings, _shortened(name))))
    return cbpf.VM(program, dialect=dialect, engine="interpreter")


def _document(
    names: list[str],
    vms: tuple[cbpf.VM, cbpf.VM],
    difference: cbpf.Difference | None,
    *,
    timeout: float,  # which is not part of the answer
    **question: Any,
) -> dict[str, Any]:
    programs = [vm.program for vm in vms]
    return diff_document(names, programs, difference, dialect=vms[0].dialect, **question)


def _scope(dialect: cbpf.Dialect, shortest: int, longest: int, timeout: float) -> str:
    return "system call" if dialect.record_size is not None else f"packet of {shortest:,} to {longest:,} bytes"


def _print_difference(
    answer: str, names: list[str], left: cbpf.VM, right: cbpf.VM, difference: cbpf.Difference
) -> None:
    """Print the answer, the two programs, the packet on which they differ, and both traces."""
    verdicts, *packet = difference.describe(dialect=left.dialect).splitlines()
    echo(f"{answer}: {verdicts}")
    for side, name, vm in zip(("left", "right"), names, (left, right), strict=True):
        echo(f"  {side + ':':6} {_shortened(name)}, {counted(len(vm.program), 'instruction')}")
    echo()
    for line in packet:
        echo(line)
    echo()
    echo(f"{'left':{COLUMN_WIDTH}}   right")
    for line in side_by_side(left, right, difference):
        echo(line)


def _shortened(name: str) -> str:
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[: _MAX_NAME_LENGTH - 3]}..."


def _write_packet(target: str, difference: cbpf.Difference, link_type: str) -> None:
    cbpf.write_capture(target, [(difference.packet, difference.wire_length)], link_type=link_type)
    metadata = changed_metadata(difference.metadata)
    if metadata:
        echo(f"cbpf: warning: metadata cannot be stored in a capture: {metadata}", err=True)
