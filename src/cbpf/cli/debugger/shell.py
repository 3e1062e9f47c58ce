"""The reader of commands, from a terminal or from a script."""

from __future__ import annotations

import cmd
import sys

import cbpf

from ..._typing import Final
from ..failures import CommandError, messages
from ..streams import echo
from .actions import Actions, split_words
from .command_table import COMMANDS, full_name
from .extension_values import EXTENSION_NAMES
from .goals import FIXED_GOALS
from .history import load_readline, read_history, write_history
from .output import show

_REPEATED: Final = ("step", "back", "run", "until")  # by an empty line
_END: Final = "EOF"  # the line that `cmd` makes of the end of the input
_PROMPT: Final = "> "


class Shell(cmd.Cmd):
    """Commands from a terminal: errors are printed, and Ctrl-C interrupts the current one.

    Args:
        actions: The commands.
    """

    prompt = _PROMPT

    def __init__(self, actions: Actions) -> None:
        super().__init__()
        self._actions = actions

    def onecmd(self, line: str) -> bool:
        """Execute a line, and return whether it ends the session."""
        if line == _END:
            echo()
            return True
        word, argument = split_words(line)
        if not word:
            return self._repeat() if not line.strip() else False
        self.lastcmd = line
        try:
            return self._actions.execute(word, argument)
        except (CommandError, cbpf.CbpfError) as error:
            for message in messages(error):
                show(message)
        except KeyboardInterrupt:
            show("interrupted; the position is unchanged")
        return False

    def _repeat(self) -> bool:
        """Repeat the last command, if it moves."""
        word, argument = split_words(self.lastcmd)
        is_repeated = any(word in (name, *COMMANDS[name].aliases) for name in _REPEATED)
        return is_repeated and self.onecmd(f"{full_name(word)} {argument}")

    def completenames(self, text: str, *_: object) -> list[str]:
        """Return the commands that begin with a text."""
        return [f"{name} " for name in COMMANDS if name.startswith(text)]

    def complete_help(self, text: str, *_: object) -> list[str]:
        """Return the commands that begin with a text."""
        return self.completenames(text)

    def complete_until(self, text: str, *_: object) -> list[str]:
        """Return the goals of `until` that begin with a text."""
        return [word for word in (*FIXED_GOALS, "branch") if word.startswith(text)]

    complete_h = complete_help
    complete_u = complete_until

    def complete_set(self, text: str, *_: object) -> list[str]:
        """Return the extension loads that begin with a text."""
        return [f"{name} " for name in EXTENSION_NAMES if name.startswith(text)]

    def complete_load(self, text: str, line: str, begin: int, _: int) -> list[str]:
        """Return the kinds of `load`, or the files that begin with a text."""
        import glob

        if len(line[:begin].split()) < 2:
            return [f"{word} " for word in ("bpf", "pcap", "expression") if word.startswith(text)]
        path = line[:begin].rpartition(" ")[2] + text
        return [found[len(path) - len(text) :] for found in sorted(glob.glob(f"{glob.escape(path)}*"))]


def run_terminal(actions: Actions) -> None:
    """Read commands from the terminal until the end; Ctrl-C at the prompt discards the line."""
    readline = load_readline()
    if readline is not None:
        read_history(readline)
    shell = Shell(actions)
    try:
        while not _read_commands(shell):
            echo()
    finally:
        if readline is not None:
            write_history(readline)


def _read_commands(shell: Shell) -> bool:
    """Read commands until the end, or until Ctrl-C at the prompt; return whether the session has ended."""
    try:
        shell.cmdloop()
    except KeyboardInterrupt:
        return False
    return True


def run_script(actions: Actions) -> None:
    """Execute the lines of standard input, each printed after a prompt, as in a terminal; an error ends the script."""
    sys.stdin.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    for number, line in enumerate(sys.stdin, 1):
        word, argument = split_words(line)
        if not word:
            continue
        echo(f"{_PROMPT}{line.rstrip()}")
        try:
            if actions.execute(word, argument):
                return
        except (CommandError, cbpf.CbpfError) as error:
            lines = [f"standard input:{number}: {message}" for message in messages(error)]
            raise CommandError("\n".join(lines)) from None
