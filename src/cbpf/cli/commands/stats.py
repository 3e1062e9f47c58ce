"""cbpf stats: print statistics of a program."""

from __future__ import annotations

from collections.abc import Iterator

import cbpf

from ..._text import aligned
from ..._typing import Any, Final
from ..declarations import argument, subcommand
from ..options import as_socket_option, dialect_option, expression_option, json_option, link_type_option
from ..profiling import ProfiledProgram, capture_option, profiled_program
from ..streams import echo, echo_json
from ..values import FILE

_HOT_BLOCKS: Final = 5  # the number of blocks listed


@subcommand("stats", "Print statistics of a program.")
@argument("program", required=False, kind=FILE)
@expression_option
@link_type_option
@capture_option
@as_socket_option
@dialect_option
@json_option
def command(
    program: str | None,
    expression: str | None,
    link_type: str,
    capture: str | None,
    as_socket: bool,
    dialect: cbpf.Dialect,
    as_json: bool,
) -> None:
    """Print statistics of PROGRAM, by default read from standard input.

    They are the size, path lengths, inputs and opcodes of the program, and the dialects that accept it. With -r also:
    the number of instructions executed per packet of a capture, and the blocks that the most packets executed.

    \b
      cbpf stats -e 'tcp port 443' -r in.pcap
    """
    profile = profiled_program(program, expression, link_type, capture, dialect, as_socket)
    info = cbpf.program_info(profile.program, dialect=dialect)
    if as_json:
        echo_json(info.as_dict() | _counts_as_dict(profile.counts))
    else:
        echo("\n".join(aligned([*info.rows(dialect=dialect), *_profile_rows(profile, dialect)])))
    if profile.damage is not None:
        raise profile.damage


def _counts_as_dict(counts: cbpf.ExecutionCounts | None) -> dict[str, Any]:
    return {} if counts is None else {"run": counts.as_dict()}


def _profile_rows(profile: ProfiledProgram, dialect: cbpf.Dialect) -> Iterator[tuple[str, str]]:
    counts = profile.counts
    if counts is None:
        return
    yield "packets", f"{counts.packets:,}, {counts.accepted:,} accepted"
    yield "executed", f"{counts.mean:.1f} instructions per packet, at most {counts.maximum:,}"
    blocks = cbpf.Flow(profile.program, dialect=dialect).blocks
    hottest = sorted(blocks, key=lambda block: -counts.executed[block.start])[:_HOT_BLOCKS]
    shares = (
        f"{cbpf.format_ranges(range(block.start, block.stop))} ({counts.executed[block.start] / counts.packets:.1%})"
        for block in hottest
        if counts.executed[block.start]
    )
    yield "hottest blocks", ", ".join(shares) or "none"
