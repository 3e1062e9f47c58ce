"""cbpf compile: a filter expression to a program."""

from __future__ import annotations

from typing import Any, Final

import click

import cbpf

from ..options import (
    dialect_option,
    expression_file_option,
    link_type_option,
    list_options,
    optimizer_options,
    read_expression,
    write_bytes,
)

_LONGEST_FOR_SOCKETS: Final = 4096  # BPF_MAXINSNS


@click.command("compile", short_help="Filter expression to program, as tcpdump -d.")
@click.argument("expression", nargs=-1)
@link_type_option
@click.option("-s", "snaplen", metavar="BYTES", type=int, default=262144, show_default=True, help="Snapshot length.")
@click.option("-d", "detail", count=True, help="-d: listing (the default); -dd: C; -ddd: decimal numbers.")
@expression_file_option
@click.option("--netmask", metavar="MASK", help="Of the network captured on, for `ip broadcast`: 255.255.255.0.")
@list_options
@optimizer_options
@click.option(
    "--goal",
    type=click.Choice(["size", "speed"]),
    help="Of the optimiser; speed makes trees of long chains, and is the default for lists.",
)
@dialect_option
@click.option("-w", "target", metavar="FILE", help="Write a cBPF savefile of libpcap, with the context.")
def command(
    expression: tuple[str, ...],
    link_type: str,
    snaplen: int,
    detail: int,
    expression_file: str | None,
    netmask: str | None,
    optimizer: Any,
    goal: Any,
    lists: cbpf.Expression | None,
    dialect: cbpf.Dialect,
    target: str | None,
) -> None:
    r"""Print the program of a filter expression (pcap-filter(7)), as tcpdump -d does.

    With --hosts FILE and --ports FILE a packet must match these lists too, which may be as long as you like:

    \b
      cbpf compile --hosts blocked.txt -w blocked.cbpf tcp
      cbpf filter --program blocked.cbpf -r in.pcap -w out.pcap
    """
    text = read_expression(expression, expression_file)
    kind, length = cbpf.link_type(link_type), snaplen or cbpf.DEFAULT_SNAPLEN  # as tcpdump takes -s 0
    program = cbpf.compile(
        lists.replace(text=text) if lists else text,
        link_type=kind,
        snaplen=length,
        netmask=netmask,
        optimizer=optimizer,
        dialect=dialect,
        goal=goal,
    )
    if len(program) > _LONGEST_FOR_SOCKETS:
        fact = f"{len(program):,} instructions are too many for a socket, which takes {_LONGEST_FOR_SOCKETS:,}"
        click.echo(f"cbpf: warning: {fact}; captures can be filtered by them", err=True)
    if target is not None:
        savefile = cbpf.Savefile(
            program,
            snaplen=length,
            link_type=kind.dlt,
            link_type_name=kind.name,
            expression=text,
            optimized=optimizer is not None,
            comment=f"cbpf {cbpf.__version__}",
        )
        write_bytes(target, savefile.to_bytes())
    elif detail < 2:
        click.echo(cbpf.listing(program))
    else:
        click.echo(cbpf.render(program, "c" if detail == 2 else "decimal"), nl=False)
