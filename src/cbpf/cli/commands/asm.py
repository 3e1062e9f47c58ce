"""cbpf asm: assembly text to a program, as bpf_asm."""

from __future__ import annotations

import click

import cbpf

from ..options import format_choice, read_program, write_bytes


@click.command("asm", short_help="Assembly to a program, as bpf_asm.")
@click.argument("text", required=False, default="-")
@click.option("-c", "as_c", is_flag=True, help="C initialisers, as bpf_asm -c; the same as --to c.")
@click.option("--to", "target_format", type=format_choice, default="comma", show_default=True)
@click.option("-w", "target", metavar="FILE", help="Write to FILE instead of standard output.")
def command(text: str, as_c: bool, target_format: str, target: str | None) -> None:
    """Assemble TEXT, by default standard input: bpf_asm's language, Go's notation, or a listing."""
    program = read_program(text, "asm")
    write_bytes(target, cbpf.render_bytes(program, "c" if as_c else target_format))
