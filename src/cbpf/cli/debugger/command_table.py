"""The commands of the debugger: their names and help texts."""

from __future__ import annotations

from ..._named_tuple import NamedTuple
from ..._typing import Final
from .errors import DebuggerError, unknown_word
from .foreign_commands import FOREIGN_COMMANDS


class Command(NamedTuple):
    """A command.

    Args:
        usage: Its forms, separated by commas; the first word is its name.
        aliases: Its other names.
        help: Its description.
    """

    usage: str
    aliases: tuple[str, ...]
    help: str


_ALL: Final = (
    Command(
        "load bpf FILE|NUMBERS, load pcap FILE, load expression TEXT",
        (),
        "Load a program: a file of any format, or the numbers that bpf_asm prints; a\n"
        "capture; or an expression. Another program removes all breakpoints and\n"
        "watches.",
    ),
    Command(
        "select [N]",
        (),
        "Go to the start of packet N, counted from 1 as in Wireshark; without N, of the\ncurrent packet.",
    ),
    Command(
        "step [N], step -N",
        ("s", "n", "next"),
        "Execute N instructions, by default 1; after the last one of a packet, continue\n"
        "with the next packet. -N goes back. In a terminal, an empty line repeats it.",
    ),
    Command("back [N]", (), "Go back by N instructions of the current packet, by default 1."),
    Command(
        "run [N], run back",
        ("r", "c", "cont", "continue"),
        "Run to the next breakpoint or watch, over N packets at most. At the end, print\n"
        "how many packets were accepted (passes) and rejected (fails), and go to the\n"
        "first packet. run back: go back to the previous breakpoint or watch of the\n"
        "current packet.",
    ),
    Command(
        "until reject|accept|branch, until N [true|false], until CONDITION",
        ("u",),
        "Search from here, in the current packet and then in the next ones, for\n"
        "  reject, accept  the end of a run that rejects or accepts its packet\n"
        "  branch          this conditional jump with the same outcome\n"
        "  N               instruction N; with true or false, this outcome of its test\n"
        "  CONDITION       a state in which the condition holds (help breakpoint)\n"
        "Breakpoints do not stop the search. The position remains if it fails.",
    ),
    Command(
        "breakpoint [N [if CONDITION]], breakpoint reset",
        ("b", "break"),
        "Stop before instruction N, if the condition holds, in place of an earlier\n"
        "breakpoint there; breakpoint N, CONDITION is the same. Without N, list\n"
        "breakpoints and watches. breakpoint reset: remove all breakpoints.\n"
        "Conditions have numbers in C syntax, A, X, M[n], packet[offset:size] (also\n"
        "without the word packet), len, caplen, == != < <= > >=, & | ^ << >> + - * / %,\n"
        "and, or, not. A condition does not hold if a byte is missing.",
    ),
    Command("clear N, clear WATCH", ("cl",), "Remove the breakpoint at instruction N, or a watch."),
    Command(
        "watch A, watch X, watch M[n], watch packet[offset:size]",
        (),
        "Stop before an instruction that changes the register, writes the scratch slot,\nor loads one of the bytes.",
    ),
    Command(
        "set [NAME VALUE], set NAME",
        (),
        "Replace the value of an extension load of Linux for all packets: proto, type,\n"
        "ifidx, hatype, mark, queue, rxhash, cpu, vlan_tci, vlan_tpid, vlan_avail,\n"
        "poff, rand. Without VALUE, remove the replacement. Without NAME, list the\n"
        "replacements. Go to the start of the packet.",
    ),
    Command(
        "print [EXPRESSION]",
        ("p",),
        "Print the value of an expression (help breakpoint); without one, the\ninstruction and the registers.",
    ),
    Command(
        "list [N]",
        ("l",),
        "List the instructions around the next one, or around N. B marks breakpoints,\n"
        "-> the next instruction; clauses of the expression follow semicolons.",
    ),
    Command(
        "where [N]",
        ("w", "bt"),
        "Print the last N instructions that were executed, by default 10, and the next.",
    ),
    Command("packet", (), "Print the lengths, the bytes and the metadata of the packet."),
    Command("disassemble [N]", ("disas",), "Print the program, or instruction N."),
    Command("dump", (), "Print the program as C initialisers."),
    Command("help [COMMAND]", ("h", "?"), "List the commands, or describe one."),
    Command("quit", ("q", "exit"), "End the session. The end of the input, Ctrl-D, does so too."),
)

COMMANDS: Final = {command.usage.split()[0]: command for command in _ALL}
"""The commands by name, in the order of `help`."""

_NAMES: Final = {alias: name for name, command in COMMANDS.items() for alias in (name, *command.aliases)}


def full_name(word: str) -> str:
    """Return the name of the command with a name or an alias.

    Raises:
        DebuggerError: The word is neither; the message contains the nearest one, or a replacement of a command of pdb.
    """
    if word in _NAMES:
        return _NAMES[word]
    if word in FOREIGN_COMMANDS:
        raise DebuggerError(f"the command {word!r} is not supported; {FOREIGN_COMMANDS[word]}")
    error = unknown_word(word, "command", _NAMES)
    raise error if "did you mean" in str(error) else DebuggerError(f"{error}; help lists the commands")


def help_lines(name: str) -> list[str]:
    """Return the description of a command."""
    command = COMMANDS[name]
    return [_usage(command), *(f"  {line}" for line in command.help.splitlines())]


def summary_lines() -> list[str]:
    """Return a line for each command: its forms and its other names."""
    return [*map(_usage, _ALL), "help COMMAND describes a command."]


def _usage(command: Command) -> str:
    aliases = f" (or {', '.join(command.aliases)})" if command.aliases else ""
    return f"{command.usage}{aliases}"
