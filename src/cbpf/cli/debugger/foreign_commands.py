"""Commands of pdb and gdb that this debugger does not have, with their replacements."""

from __future__ import annotations

from ..._typing import Final

_ADVICE: Final = {
    "until N goes to instruction N once": "tbreak advance jump j",
    "breakpoint N if CONDITION replaces the condition of a breakpoint": "condition cond",
    "run continues to the next stop, as often as it is repeated": "ignore",
    "each step shows A, X and the scratch slots; print EXPRESSION shows other values": "display undisplay",
    "a script on standard input executes several commands": "commands source alias",
    "clear N removes a breakpoint, and breakpoint reset all of them": "delete disable enable",
    "until accept or until reject goes to the end of a run": "finish return fin",
    "back N goes back by N instructions, and run back to the previous stop": "rs rsi rn rc reverse-step",
    "select goes to the start of the packet": "restart start",
    "breakpoint lists the stops, print the registers, and packet the packet": "info i args a",
    "print packet[OFFSET:SIZE] shows bytes, and packet all of them": "x examine",
    "print EXPRESSION shows a value": "pp whatis inspect output",
    "where lists the executed instructions": "up down backtrace frame longlist ll",
}

FOREIGN_COMMANDS: Final = {word: advice for advice, words in _ADVICE.items() for word in words.split()}
"""The advice for each of these commands."""
