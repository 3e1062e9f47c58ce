"""cbpf filter: the main job. Captures in, the packets that a filter accepts out."""

import sys

import click

import cbpf

from .common import as_socket_option, dialect_option, expression_file_option, read_expression, read_filter


@click.command("filter", short_help="Copy the packets that a filter accepts.")
@click.argument("expression", nargs=-1)
@click.option(
    "-r",
    "sources",
    metavar="FILE",
    multiple=True,
    help="Capture to read, - for standard input (the default); may be repeated.",
)
@click.option("-w", "target", metavar="FILE", help="Capture to write, - for standard output. May be one of those read.")
@expression_file_option
@click.option(
    "-p",
    "program",
    metavar="PROGRAM",
    help="Run this program instead of an expression; a savefile's link type is checked.",
)
@click.option("-c", "count", metavar="COUNT", type=click.IntRange(1), help="Stop when COUNT packets were kept.")
@click.option("--count", "only_count", is_flag=True, help="Print how many packets are kept, and write none.")
@click.option("--invert", is_flag=True, help="Keep the packets that the filter rejects.")
@click.option("-q", "--quiet", is_flag=True, help="No summary on stderr.")
@click.option("--pcap", "as_pcap", is_flag=True, help="Write a pcap, whatever is read; it has one link type.")
@click.option("--pcapng", "as_pcapng", is_flag=True, help="Write a pcapng, whatever is read.")
@dialect_option
@as_socket_option
@click.option("-O", is_flag=True, expose_value=False, help="No optimiser: the default; taken for tcpdump's sake.")
@click.option("-n", is_flag=True, expose_value=False, help="No names: nothing to print; taken for tcpdump's sake.")
def command(
    expression: tuple[str, ...],
    sources: tuple[str, ...],
    target: str | None,
    expression_file: str | None,
    program: str | None,
    count: int | None,
    only_count: bool,
    invert: bool,
    quiet: bool,
    as_pcap: bool,
    as_pcapng: bool,
    dialect: cbpf.Dialect,
    as_socket: bool,
) -> None:
    """Copy the packets that an expression (pcap-filter(7)) accepts, exactly those that tcpdump -O keeps.

    Captures are pcap or pcapng, also compressed by gzip, zstd or lz4. The output is what the input was, uncompressed,
    with its byte order and time resolution. Without -w it is written to standard output. A summary goes to stderr.

      cbpf filter -r in.pcap -w out.pcap 'tcp port 443'
    """
    if program is not None and (expression or expression_file is not None):
        raise click.UsageError("an expression and -p PROGRAM exclude each other")
    if only_count and target is not None:
        raise click.UsageError("--count writes no capture; -w FILE excludes it")
    if as_pcap and as_pcapng:
        raise click.UsageError("--pcap and --pcapng exclude each other")
    if not sources and sys.stdin.isatty():
        raise click.UsageError("no capture to read; give -r FILE")
    chosen = read_filter(program) if program is not None else read_expression(expression, expression_file)
    destination = None if only_count else _destination(target)
    try:
        summary = cbpf.filter_capture(
            list(sources or ["-"]),
            destination,
            chosen,
            container="pcap" if as_pcap else "pcapng" if as_pcapng else "same",
            count=count,
            invert=invert,
            dialect=dialect,
            as_socket=as_socket,
        )
    except cbpf.DamagedCapture as damage:
        if damage.summary is not None:
            _report(damage.summary, only_count, quiet)
        raise
    _report(summary, only_count, quiet)


def _destination(target: str | None) -> str:
    if target is None and sys.stdout.isatty():
        raise click.UsageError("a capture is not written to a terminal; give -w FILE, or --count")
    return "-" if target is None else target


def _report(summary: cbpf.Summary, only_count: bool, quiet: bool) -> None:
    if only_count:
        click.echo(summary.packets_kept)
    if not quiet:
        click.echo(
            f"{summary.packets_seen:,} packets seen, {summary.packets_kept:,} kept;"
            f" {summary.bytes_kept:,} of {summary.bytes_seen:,} bytes; {summary.seconds:.3f} s",
            err=True,
        )
