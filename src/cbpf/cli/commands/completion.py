"""cbpf completion: print a shell's completion script."""

from __future__ import annotations

from ..completion_scripts import SCRIPTS, script
from ..declarations import argument, subcommand
from ..streams import echo
from ..values import Choice


@subcommand("completion", "Print the completion script of a shell.")
@argument("shell", metavar="SHELL", kind=Choice(tuple(SCRIPTS)))
def command(shell: str) -> None:
    """Print the script that makes SHELL (bash, fish or zsh) complete subcommands, options and arguments of cbpf.

    For bash, add `source <(cbpf completion bash)` to ~/.bashrc. For zsh, add `source <(cbpf completion zsh)` to
    ~/.zshrc, after compinit. For fish, add `cbpf completion fish | source` to ~/.config/fish/config.fish.

    \b
      cbpf completion bash
    """
    echo(script(shell), nl=False)
