"""cbpf compile: a filter expression to a program."""

import click

import cbpf

from .common import expression_file_option, read_expression


@click.command("compile", short_help="Filter expression to program, as tcpdump -d.")
@click.argument("expression", nargs=-1)
@click.option("-y", "link_type", metavar="LINKTYPE", default="EN10MB", show_default=True, help="Name or number.")
@click.option("-s", "snaplen", metavar="BYTES", type=int, default=262144, show_default=True, help="Snapshot length.")
@click.option("-d", "detail", count=True, help="-d: listing (the default); -dd: C; -ddd: decimal numbers.")
@expression_file_option
@click.option("--netmask", metavar="MASK", help="Of the network captured on, for `ip broadcast`: 255.255.255.0.")
@click.option("--optimizer", type=click.Choice(["none", "libpcap"]), default="none", show_default=True)
@click.option("-O", is_flag=True, expose_value=False, help="No optimiser: the default; taken for tcpdump's sake.")
def command(
    expression: tuple[str, ...],
    link_type: str,
    snaplen: int,
    detail: int,
    expression_file: str | None,
    netmask: str | None,
    optimizer: str,
) -> None:
    """Print the program of a filter expression (pcap-filter(7)), as tcpdump -d does."""
    program = cbpf.compile(
        read_expression(expression, expression_file),
        link_type=link_type,
        snaplen=snaplen or cbpf.DEFAULT_SNAPLEN,  # as tcpdump takes -s 0
        netmask=netmask,
        optimizer="libpcap" if optimizer == "libpcap" else None,
    )
    if detail < 2:
        click.echo(cbpf.listing(program))
    else:
        click.echo(cbpf.render(program, "c" if detail == 2 else "decimal"), nl=False)
