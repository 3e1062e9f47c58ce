"""The commands of earlier sessions in a terminal, in $XDG_STATE_HOME/cbpf/debug_history, and completion.

GNU readline and libedit write files of different formats, so each has its own. A history that cannot be read or
written is not an error.
"""

from __future__ import annotations

import os

from ..._stdlib import suppress
from ..._typing import Any, Final

_LENGTH: Final = 1000  # lines


def load_readline() -> Any:
    """Return the module readline, over GNU readline or libedit, with completion by the tabulator; None without it."""
    try:
        import readline
    except ImportError:
        return None
    # `cmd` binds the key in the syntax of GNU readline, and before Python 3.13 in no other.
    if is_libedit(readline):
        readline.parse_and_bind("bind ^I rl_complete")
    return readline


def is_libedit(readline: Any) -> bool:
    """Return whether the module uses libedit, as in the Python of macOS and of python-build-standalone."""
    backend = getattr(readline, "backend", None)  # since Python 3.13
    return backend == "editline" if backend else "libedit" in (readline.__doc__ or "")


def history_path(readline: Any) -> str | None:
    """Return the path of the history file; None if no home folder is known."""
    folder = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(folder):
        folder = os.path.expanduser("~/.local/state")
    name = "debug_history_libedit" if is_libedit(readline) else "debug_history"
    return os.path.join(folder, "cbpf", name) if os.path.isabs(folder) else None


def read_history(readline: Any) -> None:
    """Read the commands of earlier sessions."""
    path = history_path(readline)
    if path is not None:
        readline.set_history_length(_LENGTH)
        with suppress(OSError, ValueError):
            readline.read_history_file(path)


def write_history(readline: Any) -> None:
    """Write the last commands, for later sessions; only the user can read the file."""
    path = history_path(readline)
    if path is not None:
        with suppress(OSError, ValueError):
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            readline.write_history_file(path)
