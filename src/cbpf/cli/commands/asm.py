"""cbpf asm: assemble a program, like bpf_asm."""

from __future__ import annotations

import cbpf

from ..declarations import argument, option, subcommand
from ..options import read_program, target_format_option, target_option, write_bytes
from ..values import FILE


@subcommand("asm", "Assemble a program, like bpf_asm.")
@argument("text", required=False, default="-", kind=FILE)
@option("-c", "as_c", is_flag=True, help="Output C initialisers, like bpf_asm -c; short for --to c.")
@target_format_option("comma")
@target_option
def command(text: str, as_c: bool, target_format: str, target: str | None) -> None:
    """Assemble TEXT, by default read from standard input.

    TEXT is a file in bpf_asm or Go syntax, or a listing of tcpdump -d or bpf_dbg.

    \b
      cbpf asm filter.asm
      cbpf asm --to savefile -w filter.cbpf filter.asm
    """
    program = read_program(text, "asm")
    write_bytes(target, cbpf.render_bytes(program, "c" if as_c else target_format))
