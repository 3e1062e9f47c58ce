"""The commands of the debugger, as functions of their arguments that print results."""

from __future__ import annotations

import cbpf

from ..._typing import Final, Iterable
from ...reporting.clause_output import shortened
from ..options import read_filter
from . import text
from .command_table import full_name, help_lines, summary_lines
from .errors import DebuggerError, quoted
from .extension_values import check_value, load_name
from .formulas import parse_formula
from .goals import parse_goal
from .lexer import number as parse_number
from .output import show
from .session import Session
from .state import Unavailable
from .stops import parse_breakpoint, parse_index, parse_watch

_WINDOW: Final = 5  # instructions of `list` before the current one, and after it
_SHOWN_STEPS: Final = 10  # of `where`
_MAX_COMMAND: Final = 60  # characters in an error message
_MAX_DIGITS: Final = 18  # of a number of packets or instructions


class Actions:
    """The commands of one session: the method `do_NAME` executes the command NAME of `command_table`.

    Args:
        session: The session.

    Attributes:
        has_found: Whether the last search found a packet; True before the first search.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.has_found = True
        self._shown_packet = 0

    def execute(self, word: str, argument: str) -> bool:
        """Execute a command, given by its name or an alias, and return whether it ends the session."""
        action = getattr(self, f"do_{full_name(word)}")
        try:
            return bool(action(argument))
        except DebuggerError as error:
            raise DebuggerError(f"{_shown(word, argument)}: {error}") from None

    # Showing positions

    def start(self) -> None:
        """Print the program and the packet that were loaded."""
        show(f"program: {len(self.session.code.texts):,} instructions")
        self._show()

    def _show(self, lines: Iterable[str] = ()) -> None:
        """Print lines, then the packet if it is another one, and the step that is executed next."""
        for line in lines:
            show(line)
        run, position = self.session.run, self.session.position
        if run.number != self._shown_packet:
            show(text.packet_line(run))
            self._shown_packet = run.number
        if position is not None:
            for reason in self.session.stops.reasons(run, position):
                show(f"({reason})")
            show(text.step_line(run, position))

    def _position(self) -> int:
        self.session.run  # noqa: B018 (an error if nothing is loaded)
        if self.session.position is None:
            raise DebuggerError("the run has not begun; use step or run")
        return self.session.position

    # Commands

    def do_load(self, argument: str) -> None:
        """Load a program, a capture or an expression."""
        kind, value = split_words(argument)
        if kind not in ("bpf", "pcap", "expression") or (kind != "expression" and not value):
            raise DebuggerError("expected bpf FILE, bpf NUMBERS, pcap FILE, or expression TEXT")
        if kind == "pcap":
            self.session.load_capture(value)
        elif kind == "expression":
            self.session.load_filter(value)
        else:
            is_numbers = value[0].isdecimal() and "," in value
            self.session.load_filter(cbpf.parse(value.rstrip(",")) if is_numbers else read_filter(value))
        self._shown_packet = 0
        if kind != "pcap":
            show(f"program: {len(self.session.code.texts):,} instructions")
        if self.session.is_ready:
            self._show()

    def do_select(self, argument: str) -> None:
        """Go to the start of a packet."""
        number = _count(argument) if argument else self.session.run.number
        self.session.select(number)
        self._shown_packet = 0
        self._show()

    def do_step(self, argument: str) -> None:
        """Go forwards or backwards by instructions."""
        if argument.startswith("-"):
            self.session.step_back(_count(argument[1:]))
            self._show()
        else:
            self._show(self.session.step(_count(argument.removeprefix("+") or "1")))

    def do_back(self, argument: str) -> None:
        """Go back by instructions."""
        self.session.step_back(_count(argument or "1"))
        self._show()

    def do_run(self, argument: str) -> None:
        """Run to the next stop, or back to the previous one."""
        if argument == "back":
            self.session.go_back()
            self._show()
        else:
            self._show(self.session.resume(_count(argument) if argument else None))

    def do_until(self, argument: str) -> None:
        """Search for a goal."""
        goal = parse_goal(argument, self.session.run, self.session.position)
        number = self.session.run.number
        self.has_found = self.session.search(goal)
        if self.has_found:
            self._show()
        else:
            show(f"no packet from packet {number} to the end {goal}")

    def do_breakpoint(self, argument: str) -> None:
        """Add a breakpoint, remove all, or list them."""
        if argument == "reset":
            self.session.stops.breakpoints = []
        elif argument:
            added = parse_breakpoint(argument, len(self.session.code.texts))
            if added in self.session.stops.breakpoints:
                show("breakpoint already set!")
            self.session.stops.add_breakpoint(added)
            condition = "" if added.condition is None else f" if {added.condition.text}"
            show(f"breakpoint at: {self.session.code.line(added.number)}{condition}")
        else:
            self._list_stops()

    def _list_stops(self) -> None:
        stops = self.session.stops.breakpoints
        show(" ".join(["breakpoints:", *(str(stop.number) for stop in stops)]))
        for stop in stops:
            if stop.condition is not None:
                show(f"  {stop}")
        if self.session.stops.watches:
            show(f"watches: {' '.join(map(str, self.session.stops.watches))}")

    def do_clear(self, argument: str) -> None:
        """Remove a breakpoint or a watch."""
        session, stops = self.session, self.session.stops
        if argument[:1].isdecimal() or argument[:1] == "l":
            index = parse_index(argument, len(session.code.texts))
            remaining = [stop for stop in stops.breakpoints if stop.number != index]
            if len(remaining) == len(stops.breakpoints):
                raise DebuggerError(f"no breakpoint at instruction {index}")
            stops.breakpoints = remaining
            return
        watch = parse_watch(argument)
        if watch not in stops.watches:
            raise DebuggerError(f"{watch} is not watched")
        stops.watches.remove(watch)

    def do_watch(self, argument: str) -> None:
        """Add a watch."""
        watch = parse_watch(argument)
        if watch not in self.session.stops.watches:
            self.session.stops.watches.append(watch)
        show(f"watch: {watch}")

    def do_set(self, argument: str) -> None:
        """Replace the value of an extension load, or list the values."""
        first, word = [*argument.replace("=", " ", 1).split(maxsplit=1), "", ""][:2]
        name = load_name(first)
        settings = self.session.settings
        values = dict(settings.values)
        if word:
            values[name] = parse_number(word)
            check_value(name, values[name], settings.dialect)
        elif name and values.pop(name, None) is None:
            raise DebuggerError(f"{quoted(name)} is not replaced")
        if name:
            self.session.change_settings(settings._replace(values=values))
        for each, value in values.items():
            show(f"{each} = {value:#x} = {value}")
        if not values:
            show("no values are replaced")

    def do_print(self, argument: str) -> None:
        """Print a value, or the registers."""
        run = self.session.run
        if not argument:
            for line in text.register_dump(run, self._position()):
                show(line)
            return
        formula = parse_formula(argument)
        try:
            show(text.value_text(formula, run.state(self.session.position or 0)))
        except Unavailable as error:
            raise DebuggerError(str(error)) from None

    def do_list(self, argument: str) -> None:
        """Print the instructions around the next one."""
        code, position = self.session.code, self.session.position
        current = None if position is None else self.session.run.steps[position].index
        count = len(code.texts)
        center = parse_index(argument, count) if argument else current or 0
        indices = range(max(center - _WINDOW, 0), min(center + _WINDOW + 1, count))
        for line in text.listing_lines(code, indices, current, self.session.stops.breakpoints):
            show(line)

    def do_disassemble(self, argument: str) -> None:
        """Print the program, or one instruction."""
        code = self.session.code
        indices = range(len(code.texts))
        for index in [parse_index(argument, len(indices))] if argument else indices:
            show(code.line(index))

    def do_dump(self, argument: str) -> None:
        """Print the program as C initialisers."""
        _expect_nothing(argument, "dump")
        for line in text.initializers(self.session.code.vm.program):
            show(line)

    def do_packet(self, argument: str) -> None:
        """Print the packet."""
        _expect_nothing(argument, "packet")
        for line in text.packet_dump(self.session.run):
            show(line)

    def do_where(self, argument: str) -> None:
        """Print the steps that led here."""
        position, run = self._position(), self.session.run
        shown = _count(argument) if argument else _SHOWN_STEPS
        show(text.packet_line(run))
        for earlier in range(max(position - shown, 0), position):
            show(text.step_line(run, earlier, is_current=False))
        show(text.step_line(run, position))

    def do_quit(self, argument: str) -> bool:
        """Return that the session ends."""
        _expect_nothing(argument, "quit")
        return True

    def do_help(self, argument: str) -> None:
        """List the commands, or describe one."""
        for line in help_lines(full_name(argument)) if argument else summary_lines():
            show(line)


def split_words(line: str) -> tuple[str, str]:
    """Return the first word of a line, and the rest; both are empty for a comment, which begins with #."""
    word, argument = [*line.split(maxsplit=1), "", ""][:2]
    return ("", "") if word.startswith("#") else (word, argument.strip())


def _shown(word: str, argument: str) -> str:
    """Return a command for an error message."""
    line = f"{word} {argument}".rstrip()
    return shortened(line if line.isprintable() else repr(line), _MAX_COMMAND)


def _count(word: str) -> int:
    if not (word.isascii() and word.isdecimal()) or not word.strip("0"):
        raise DebuggerError(f"{quoted(word)} is not a number from 1")
    if len(word) > _MAX_DIGITS:
        raise DebuggerError(f"{quoted(word)} is too long: the number has at most {_MAX_DIGITS} digits")
    return int(word)


def _expect_nothing(argument: str, command: str) -> None:
    if argument:
        raise DebuggerError(f"{command} has no argument")
