"""The scripts that complete command lines of `cbpf` in bash, zsh and fish; `completion` answers their queries."""

from __future__ import annotations

from .._typing import Final

SCRIPTS: Final = {"bash": "cbpf.bash", "fish": "cbpf.fish", "zsh": "_cbpf"}
"""The file of the script of each shell, in the folder `scripts`; the wheel installs them below `share` as well."""


def script(shell: str) -> str:
    """Return the completion script of a shell."""
    from importlib.resources import files  # slow to import, and not needed by `cbpf --help`

    return files(__package__).joinpath("scripts", SCRIPTS[shell]).read_text()
