"""cbpf format: write a filter expression in its canonical form."""

from __future__ import annotations

import cbpf

from ..declarations import argument, option, subcommand
from ..options import expression_file_option, read_expression
from ..streams import echo
from ..values import EXPRESSION, Integer

_NOT_CANONICAL = 1


@subcommand("format", "Write a filter expression in its canonical form.")
@argument("expression", kind=EXPRESSION, required=False, multiple=True)
@expression_file_option
@option(
    "--width",
    metavar="COLUMNS",
    kind=Integer(1),
    help="Break longer lines before 'and' and 'or'; by default, the result is one line.",
)
@option(
    "--check",
    is_flag=True,
    help="Print the canonical form only if the expression differs from it. Line breaks, repeated blanks and comments "
    "are not differences.",
)
def command(expression: tuple[str, ...], expression_file: str | None, width: int | None, check: bool) -> int:
    """Print a filter expression (pcap-filter(7)) in its canonical form, which compiles to the same program.

    Each identifier has its qualifiers, and parentheses show the order in which 'and' and 'or' apply. The expression is
    not compiled, and names are not resolved. -F - reads standard input.

    Exit code: 0 success, 1 with --check if the expression is not in its canonical form, 2 error.

    \b
      cbpf format 'tcp port 80 || 443'
      cbpf format --check 'host 192.0.2.1 or arp and vlan'
    """
    text = read_expression(expression, expression_file)
    canonical = cbpf.format_expression(text, width=width)
    is_different = text.split() != canonical.split()
    if is_different or not check:
        echo(canonical)
    return _NOT_CANONICAL if is_different and check else 0
