"""The compiled-Python engine: words are source text, so running the semantics over a program writes its source.

The program becomes one function. Straight-line code and branches with one way in are nested as they stand;
where several ways meet, the function stores the instruction's number in `at` and comes to it in order, since
jumps only go forward. A byte that is missing raises IndexError, which is the verdict 0.
"""

import heapq
from collections import Counter
from typing import Any, Final, NamedTuple, get_args

from ..isa.dialects import Dialect, FetchOrder
from ..isa.opcodes import CONDITIONS, OPCODE_BY_CODE, SIGN_BIT, SIGNS, WORD_MASK, Action, Extension
from ..isa.program import Program
from ..isa.semantics import HeaderKind, begin, execute
from ..packet.batch import as_packet
from ..packet.metadata import Metadata
from ..packet.skb import SocketBuffer
from .base import RunFunction

_OPERATORS: Final = SIGNS | {Action.DIV: "//"}

_MAY_EXCEED_A_WORD: Final = frozenset({Action.ADD, Action.SUB, Action.MUL, Action.SHIFT_LEFT})

_MOST_REMEMBERED: Final = 32  # loads; more would make long programs slow to compile
_DEEPEST: Final = 40  # levels of indentation; CPython's parser takes 100


class SourceText(NamedTuple):
    """A word: an expression, and the greatest value that it can have, which tells where no mask is needed."""

    text: str
    most: int = WORD_MASK

    def __str__(self) -> str:
        return self.text


class TextMachine:
    """A `Machine` whose words and truths are Python expressions, and whose effects are lines of source.

    The function's names: p the packet's memory, n its wire length, s its SocketBuffer, packet_header and so on
    the positions of headers, a and x the registers, m0 to m15 the scratch slots, i a position, and p12_2 the two
    bytes at 12, once they were fetched.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.lines: list[str] = []
        self.depth = 2
        self.used: set[str] = set()
        self.ways_on: tuple[int, ...] | None = None  # set by jump, branch and finish
        self.truth = ""
        self.fetched: frozenset[str] = frozenset()  # names that hold a load already made on every way here
        self._windows = dialect.header_windows

    def line(self, text: str) -> None:
        self.lines.append("    " * self.depth + text)

    def _name(self, name: str) -> SourceText:
        self.used.add(name)
        return SourceText(name)

    @property
    def a(self) -> SourceText:
        return self._name("a")

    @a.setter
    def a(self, value: SourceText) -> None:
        self.line(f"{self._name('a')} = {value}")

    @property
    def x(self) -> SourceText:
        return self._name("x")

    @x.setter
    def x(self, value: SourceText) -> None:
        self.line(f"{self._name('x')} = {value}")

    def word(self, value: int) -> SourceText:
        return SourceText(str(value), value)

    def arithmetic(self, action: Action, left: SourceText, right: SourceText) -> SourceText:
        text = f"({left} {_OPERATORS[action]} {right})"
        most = _most(action, left, right)
        return SourceText(text, most) if 0 <= most <= WORD_MASK else SourceText(f"({text} & {WORD_MASK})")

    def compare(self, action: Action, left: SourceText, right: SourceText) -> str:
        return f"{left} {_OPERATORS[action]} {right}"

    def select(self, truth: str, then: SourceText, otherwise: SourceText) -> SourceText:
        return SourceText(f"({then} if {truth} else {otherwise})", max(then.most, otherwise.most))

    def load_scratch(self, slot: int) -> SourceText:
        return self._name(f"m{slot}")

    def store_scratch(self, slot: int, value: SourceText) -> None:
        self.line(f"{self._name(f'm{slot}')} = {value}")

    def captured_length(self) -> SourceText:
        return SourceText("len(p)")

    def wire_length(self) -> SourceText:
        return self._name("n")

    def header(self, header: HeaderKind) -> SourceText:
        if not self._windows:
            return self.word(0)
        self.used.add("s")
        return self._name(f"{header}_header")

    def fetch(self, base: SourceText, displacement: int, size: int, byte_order: FetchOrder) -> SourceText:
        name = base.text
        if name.isdigit():
            return self._fetch_fixed(int(name) + displacement, size, byte_order)
        if size > 1 and not name.isidentifier():
            name = "i"
            self.line(f"i = {base}")
        return _combine([f"p[{name} + {displacement + n}]" for n in range(size)], byte_order)

    def _fetch_fixed(self, position: int, size: int, byte_order: FetchOrder) -> SourceText:
        if position >= SIGN_BIT:
            self.line("return 0")
        value = _combine([f"p[{position + n}]" for n in range(size)], byte_order)
        if size == 1:
            return value
        name = f"p{position}_{size}"
        if name not in self.fetched:
            if len(self.fetched) == _MOST_REMEMBERED:
                return value
            self.line(f"{name} = {value}")
            self.fetched |= {name}
        return SourceText(name, value.most)

    def lacks_device(self) -> str:
        return f"{self._name('s')}.lacks_device()"

    def extension(self, extension: Extension, a: SourceText, x: SourceText) -> SourceText:
        return SourceText(f"{self._name('s')}.extension({int(extension)}, {a}, {x})")

    def return_if(self, truth: str, verdict: SourceText) -> None:
        self.line(f"if {truth}: return {verdict}")

    def finish(self, verdict: SourceText) -> None:
        self.line(f"return {verdict}")
        self.ways_on = ()

    def jump(self, target: int) -> None:
        self.ways_on = (target,)

    def branch(self, truth: str, target_true: int, target_false: int) -> None:
        self.truth = truth
        self.ways_on = (target_true, target_false)


def _most(action: Action, left: SourceText, right: SourceText) -> int:
    """A bound for the result of an operation before it is taken modulo 2**32; -1 where it may be negative."""
    match action:
        case Action.SUB:
            return -1
        case Action.ADD | Action.MUL:
            return left.most + right.most if action is Action.ADD else left.most * right.most
        case Action.SHIFT_LEFT:
            return left.most << right.most if right.most < 32 else WORD_MASK + 1
        case Action.AND:
            return min(left.most, right.most)
    return WORD_MASK


def _combine(terms: list[str], byte_order: FetchOrder) -> SourceText:
    """The number that these bytes, in the order of their addresses, make."""
    if len(terms) == 1:
        return SourceText(terms[0], 0xFF)
    if byte_order == "big":
        terms = terms[::-1]
    scaled = [f"{term} * {256**n}" if n else term for n, term in enumerate(terms)]  # faster than << and |
    return SourceText(f"({' + '.join(reversed(scaled))})", 2 ** (8 * len(terms)) - 1)


class _Writer:
    """Writes the source of one program, on request with lines that count in the lists `executed` and `taken`."""

    def __init__(self, program: Program, dialect: Dialect, counting: bool) -> None:
        self._program = program
        self._counting = counting
        self._dialect = dialect
        self._machine = TextMachine(dialect)
        self._meetings = _meetings(program)
        self._entries: list[int] = []  # a heap: instructions that are come to through `at`
        self._fetched: dict[int, frozenset[str]] = {}  # what is fetched on every way to an entry

    def source(self) -> str:
        begin(self._machine, self._dialect)
        self._write(0)
        written = set()
        while self._entries:
            entry = heapq.heappop(self._entries)
            if entry not in written:
                written.add(entry)
                self._machine.depth = 2
                self._machine.line(f"if at == {entry}:")
                self._machine.depth = 3
                self._machine.fetched = self._fetched[entry]
                self._write(entry)
        return "\n".join([*self._opening(), *self._machine.lines, "    except IndexError:", "        return 0"])

    def _opening(self) -> list[str]:
        """The function's head: it brings in what the body uses, in the order in which it depends on each other."""
        used = self._machine.used
        windows = self._dialect.header_windows
        lines = ["def run(packet, n=None, s=None):"]
        if "s" in used:
            lines += [
                "    if s is None:",
                f"        s = SocketBuffer(as_packet(packet), DEFAULTS, header_windows={windows})",
            ]
            lines += ["    p = s.memory"]
            lines += [f"    {name}_header = s.{name}" for name in get_args(HeaderKind) if f"{name}_header" in used]
            length = "len(s.data)"
        else:
            lines += ["    p = packet if packet.__class__ is bytes else as_packet(packet)"]
            length = "len(p)"
        if "n" in used:
            lines += [f"    if n is None: n = {length}"]
        registers = sorted(name for name in used if name in ("a", "x") or name.startswith("m"))
        if registers:
            lines += [f"    {' = '.join(registers)} = 0"]
        return [*lines, "    try:"]

    def _write(self, index: int) -> bool:
        """Writes from *index* on at the present depth; whether control never comes out below."""
        machine = self._machine
        while True:
            machine.ways_on = None
            self._count("executed", index, "1")
            execute(machine, self._program[index], index, self._dialect)
            ways_on: tuple[int, ...] = (index + 1,) if machine.ways_on is None else machine.ways_on
            if not ways_on:
                return True
            if len(set(ways_on)) == 2:
                self._count("taken", index, f"1 if {machine.truth} else 0")
                if not self._write_arm(f"if {machine.truth}:", ways_on[0]):
                    self._write_arm("else:", ways_on[1])
                    return False
            index = ways_on[-1]
            if self._is_entry(index):
                return self._leave_for(index)

    def _count(self, counter: str, index: int, amount: str) -> None:
        if self._counting:
            self._machine.line(f"{counter}[{index}] += {amount}")

    def _write_arm(self, head: str, target: int) -> bool:
        """Writes one arm of a branch; whether control never comes out below it."""
        machine, fetched = self._machine, self._machine.fetched
        machine.line(head)
        machine.depth += 1
        ended = self._leave_for(target) if self._is_entry(target) else self._write(target)
        machine.depth -= 1
        machine.fetched = fetched
        return ended

    def _is_entry(self, index: int) -> bool:
        """Whether the code at *index* stands by itself, to be come to through `at`. A `ret` is copied instead."""
        if OPCODE_BY_CODE[self._program[index].op].action is Action.RETURN:
            return False
        return self._meetings[index] > 1 or self._machine.depth >= _DEEPEST

    def _leave_for(self, index: int) -> bool:
        fetched = self._machine.fetched
        self._fetched[index] = self._fetched.get(index, fetched) & fetched
        heapq.heappush(self._entries, index)
        self._machine.line(f"at = {index}")
        return False


def _meetings(program: Program) -> Counter[int]:
    """How many ways lead to each instruction."""
    ways: Counter[int] = Counter()
    for index, raw in enumerate(program):
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.action in CONDITIONS:
            ways.update({index + 1 + raw.jt, index + 1 + raw.jf})
        elif opcode.action is Action.JUMP:
            ways[index + 1 + raw.k] += 1
        elif opcode.action is not Action.RETURN:
            ways[index + 1] += 1
    return ways


def source_of(program: Program, dialect: Dialect, *, counting: bool = False) -> str:
    """The source of the function that the program becomes; *counting*: see `compile_to_counting_python`."""
    return _Writer(program, dialect, counting).source()


def compile_to_python(program: Program, dialect: Dialect) -> RunFunction:
    """The compiled-Python engine."""
    return _compiled(source_of(program, dialect))


def compile_to_counting_python(
    program: Program, dialect: Dialect, executed: list[int], taken: list[int]
) -> RunFunction:
    """The same, which also counts, by instruction: how often it was executed, and how often its test held.

    A test that leads to the same place either way is not counted.
    """
    return _compiled(source_of(program, dialect, counting=True), executed=executed, taken=taken)


def _compiled(source: str, **counters: list[int]) -> RunFunction:
    scope: dict[str, Any] = {"SocketBuffer": SocketBuffer, "as_packet": as_packet, "DEFAULTS": Metadata(), **counters}
    exec(compile(source, "<BPF program>", "exec"), scope)
    run: RunFunction = scope["run"]
    return run
