"""cbpf completion: print a shell's completion script."""

from __future__ import annotations

import click

from ..completion_scripts import SCRIPTS, script


@click.command("completion", short_help="Print the completion script of a shell.")
@click.argument("shell", metavar="SHELL", type=click.Choice(list(SCRIPTS)))
def command(shell: str) -> None:
    """Print the script that makes SHELL (bash, fish or zsh) complete subcommands, options and arguments of cbpf.

    For bash, add `source <(cbpf completion bash)` to ~/.bashrc. For zsh, add `source <(cbpf completion zsh)` to
    ~/.zshrc, after compinit. For fish, add `cbpf completion fish | source` to ~/.config/fish/config.fish.

    \b
      cbpf completion bash
    """
    click.echo(script(shell), nl=False)
