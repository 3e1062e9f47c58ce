"""Shell completion: the answers to the queries of the scripts in `completion_scripts`.

A script runs `cbpf` with the variable _CBPF_COMPLETE and the command line up to the cursor in COMP_LINE. The answer has
a line per completion: its type, its value and its description, separated by tabs. Type "file" makes the shell complete
the name of a file, and "plain" is a value.
"""

from __future__ import annotations

import os

from click import shell_completion

from .._typing import Any, Final
from . import QUERY_VARIABLE
from .click_parser import group
from .completion_scripts import SCRIPTS, script

_CURSOR: Final = "\0"


def answer_query() -> int:
    """Print the answer to the query of a script, and return the exit code."""
    for shell in SCRIPTS:
        shell_completion.add_completion_class(type("_Completion", (_Completion,), {"name": shell}))
    return shell_completion.shell_complete(group, {}, "cbpf", QUERY_VARIABLE, os.environ[QUERY_VARIABLE])


class _Completion(shell_completion.ShellComplete):
    """The answer to a query; only the scripts differ between the shells."""

    def source(self) -> str:
        """Return the script of the shell, for those who know click's `_CBPF_COMPLETE=bash_source cbpf`."""
        return script(self.name)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the complete arguments, and the one before the cursor; quotes may be open."""
        words = shell_completion.split_arg_string(os.environ.get("COMP_LINE", "") + _CURSOR)
        return words[1:-1], words[-1].removesuffix(_CURSOR)

    def format_completion(self, item: shell_completion.CompletionItem[Any]) -> str:
        """Return the line of a completion."""
        return f"{item.type}\t{item.value}\t{item.help or ''}".rstrip("\t")
