"""cbpf compile: compile a filter expression."""

from __future__ import annotations

import cbpf

from ..._typing import Any, Final
from ...reporting.clause_output import clause_lines, plain_lines
from ..declarations import argument, option, subcommand
from ..failures import UsageError
from ..options import (
    expression_file_option,
    link_type_option,
    list_options,
    names_option,
    netmask_option,
    new_dialect_option,
    optimizer_options,
    read_expression,
    snaplen_option,
    write_bytes,
)
from ..streams import echo
from ..values import EXPRESSION, FILE, Choice

_MAX_SOCKET_PROGRAM: Final = 4096  # instructions: BPF_MAXINSNS of linux/bpf_common.h


@subcommand("compile", "Compile a filter expression, like tcpdump -d.")
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@link_type_option
@snaplen_option
@option("-d", "detail", counted=True, help="Output format: -d a listing (the default), -dd C, -ddd decimal numbers.")
@expression_file_option
@netmask_option
@list_options
@names_option
@optimizer_options
@option(
    "--frontend",
    kind=Choice(("cbpf", "libpcap")),
    default="cbpf",
    shows_default=True,
    help="Compiler of the plain code: cbpf's own, or libpcap's for comparisons.",
)
@option(
    "--goal",
    kind=Choice(("size", "speed")),
    shows_default="speed with --hosts or --ports, else size",
    help="Optimise for size (fewer instructions) or for speed: chains of tests become trees, which are longer but have "
    "shorter paths.",
)
@new_dialect_option(
    "BPF dialect whose arithmetic the optimiser preserves.", default=None, shows_default="linux with --live, else pcap"
)
@option(
    "--live",
    is_flag=True,
    help="Compile for a live Linux packet socket: the kernel has VLAN tags, direction and interface as metadata.",
)
@option(
    "--show",
    kind=Choice(("ast", "clauses", "plain")),
    help="Print, instead of the program: the syntax tree of the expression (ast), its clauses with their instructions "
    "and the bytes that they load (clauses), or the plain code with the clause of each instruction (plain).",
)
@option("--lint", is_flag=True, help="Also warn of mistakes in the expression, like cbpf lint.")
@option(
    "-w",
    "target",
    kind=FILE,
    help="Write a cBPF savefile of libpcap, with link type, snapshot length and expression, instead of printing.",
)
def command(
    expression: tuple[str, ...],
    link_type: str,
    snaplen: int,
    detail: int,
    expression_file: str | None,
    netmask: str | None,
    names: cbpf.Resolver | None,
    optimizer: Any,
    frontend: Any,
    goal: Any,
    lists: cbpf.Expression | None,
    dialect: cbpf.Dialect | None,
    live: bool,
    show: str | None,
    lint: bool,
    target: str | None,
) -> None:
    """Print the program of a filter expression (pcap-filter(7)), like tcpdump -d.

    An empty expression accepts all packets. With --hosts FILE and --ports FILE, packets must also match these lists,
    whose length is not limited; -w writes the program to a file for cbpf filter.

    \b
      cbpf compile tcp port 80
      cbpf compile --hosts blocked.txt -w blocked.cbpf tcp
      cbpf filter --program blocked.cbpf -r in.pcap -w out.pcap
      cbpf compile --live vlan 5 and udp port 53
    """
    if names is None and frontend == "libpcap":
        raise UsageError("--no-names and --frontend libpcap are mutually exclusive")
    text = read_expression(expression, expression_file)
    if show is not None:
        if target is not None or detail:
            raise UsageError("--show and -d or -w are mutually exclusive")
        if lists is not None:
            raise UsageError("--show and --hosts or --ports are mutually exclusive")
    kind, length = cbpf.link_type(link_type), snaplen or cbpf.DEFAULT_SNAPLEN  # -s 0 as in tcpdump
    if show == "ast":
        echo(cbpf.tree_listing(text))
        return
    if show is not None:
        mapped = cbpf.source_map(text, link_type=kind, snaplen=length, netmask=netmask, names=names, live=live)
        for line in plain_lines(mapped) if show == "plain" else clause_lines(mapped):
            echo(line)
        return
    program = cbpf.compile(
        lists.replace(text=text) if lists else text,
        link_type=kind,
        snaplen=length,
        netmask=netmask,
        names=names,
        optimizer=optimizer,
        frontend=frontend,
        dialect=dialect,
        goal=goal,
        lint=lint,
        live=live,
    )
    if len(program) > _MAX_SOCKET_PROGRAM:
        fact = f"{len(program):,} instructions exceed the limit of a socket, {_MAX_SOCKET_PROGRAM:,}"
        echo(f"cbpf: warning: {fact}; the program can still filter captures", err=True)
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
        echo(cbpf.listing(program))
    else:
        echo(cbpf.render(program, "c" if detail == 2 else "decimal"), nl=False)
